#pragma once

#include <optional>
#include <string>

#include "gopacer/base/clock.h"
#include "judge/windows.h"

namespace gopacer::judging {

/// Something that must not go on, whatever the statistics say later.
struct HardStop {
  std::string reason;
  std::string message;
};

/// How often restarts are to be expected that are no fault of the settings, besides those of the reference.
struct UsualRestarts {
  double per_pod_day = 0;  ///< the target's own, before the trial
  Duration over{0};        ///< the time in which those of the suspects were counted
  /// Exits so soon after a pod was made count for nothing: a program that begins before its proxy or database does so
  /// with each new pod, whatever its settings, and one that can't start at all goes on beyond it.
  Duration start_up{0};
  int before = 0;  ///< restarts of the suspects beside those that they show
};

/// A pod of `suspects` was killed for its memory while none of `reference` was; or they restarted more often than
/// chance explains (Poisson, 1 %) for what the target was used to, one stray exit for each pod and day, and as many
/// restarts of each pod as those of `reference` had in the same time: an outage that ends programs ends both.
std::optional<HardStop> killed(const Arm& suspects, const Arm& reference, const UsualRestarts& usual);

/// The largest share of its container's limit that the anonymous memory and the files in memory of a pod take now; 0
/// when it is known of none.
double memory_share(const Arm& pods);

/// A pod of `suspects` is about to be killed: such a share is above 93 %, and above `usual`, that of the old settings.
std::optional<HardStop> near_memory_limit(const Arm& suspects, double usual);

/// A sentence when a pod says that it runs other settings than its environment has; empty when none does.
std::string self_tuned(const Arm& pods);

/// In a pod of `suspects` the runtime had to stop collection from taking more than half of the CPU (which breaks the
/// memory limit instead), or it collects before the heap has grown by 0.3 of what lives; and none of `reference` does.
std::optional<HardStop> collection_runs_away(const Arm& suspects, const Arm& reference, const Window& window);

/// GC takes more than a quarter of the CPU in this window, beyond what sampling explains, and clearly more than the
/// share that it has in `reference`.
bool gc_share_too_high(const GcShare& suspects, const std::optional<double>& reference);

/// Consecutive windows of that before it is a hard stop.
inline constexpr int kHighShareWindows = 2;

}  // namespace gopacer::judging
