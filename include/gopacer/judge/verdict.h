#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/evidence.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "gopacer/domain/settings.h"

namespace gopacer {

/// Name of the metric that every trial has: GC's share of the CPU that the container uses. SLOs go by their own names.
inline constexpr const char* kGcCpuMetric = "gc-cpu";

/// Name of the metric that trials with an SLO also have: CPU seconds for each request. It is a guard: harm ends the
/// trial, but nothing has to be shown by it.
inline constexpr const char* kCpuMetric = "cpu-per-request";

/// The reason when a pod with the new settings was killed, or evicted, for its memory.
inline constexpr const char* kOomKilled = "OOMKilled";

/// The rules of one comparison of canary and baseline pods.
struct JudgePlan {
  std::vector<Slo> slos;
  /// End of the warm-up: windows begin here. Before it only hard stops are looked at.
  Time measuring_since;
  Duration interval = std::chrono::seconds(15);
  int min_samples = 2000;  ///< requests per arm before anything is better
  /// Restarts of a pod in a day that are no news: the target's own before the trial.
  double usual_restarts_per_day = 0;
  double min_saving = 0;  ///< least difference of GC's share of CPU, canary below baseline; negative: accepted loss
  double alpha = 0.05;    ///< error probability of each metric's interval, over all windows together
  int pairs = 1;          ///< pods of each arm
  /// Sum over nodes of the squared difference between canaries and baselines there: 0 when each pair shares a node, 2
  /// for one that does not.
  int nodes_apart = 0;
  /// Each pod is in both arms, by turns (crossed_over()): what pods and nodes differ by cancels, so nothing is allowed
  /// for it, and `nodes_apart` and `nodes` don't matter.
  bool within_pods = false;
  /// Node of each pod, by the pod's uid: pods of one node have more in common.
  std::map<std::string, std::string> nodes = {};
  Duration max_duration{0};  ///< for the message's outlook only; 0: none
};

/// The rules of the watch over the target's own pods once they run the new settings. As long as the baseline is there
/// their latency is compared with its, less what they differed by before the promotion, so that neither load nor the
/// hour is taken for harm. Without it only an SLO's max counts, and only where it was kept before. Pods move to other
/// nodes by a rollout, so tolerances are wider than in a trial.
struct WatchPlan {
  std::vector<Slo> slos;
  Settings settings;            ///< what was promoted; pods with other settings are not looked at
  Evidence before;              ///< the promoted trial's
  bool beside_baseline = true;  ///< the baseline's pods are those that were measured then
  /// The baseline is what some of the target's pods do with the old settings by turns, and it is compared with what
  /// they do with the new ones (crossed_over(), whose periods are the windows) and not with the others.
  bool within_pods = false;
  Time since;           ///< all of the target's pods run the new settings
  Duration warm_up{0};  ///< of each pod; not held against it
  Duration interval = std::chrono::seconds(15);
  double usual_restarts_per_day = 0;  ///< of a pod, before the trial
  double alpha = 0.05;
};

/// The rules for settings that a trial has confirmed and that are still in the target.
struct GuardPlan {
  std::vector<Slo> slos;  ///< only those with a max count
  Settings settings;      ///< pods with other settings are not looked at
  Duration warm_up{0};    ///< of each pod; not held against it
  Duration interval = std::chrono::seconds(15);
  /// Where no trial came before: a pod that was killed since then, or is short of memory, stops it as well.
  std::optional<Time> hard_stops_since = std::nullopt;
  Time memory_since = {};  ///< before it memory that is short says nothing of the settings
};

enum class Outcome {
  kBetter,
  kWorse,
  kUndecided,
  kNoData,
  kPointless,  ///< whatever is measured says nothing of the settings: the trial may as well end
};

std::string to_string(Outcome outcome);

struct Verdict {
  Outcome outcome = Outcome::kNoData;
  bool hard_stop = false;  ///< no statistics: something that must not go on
  /// Better: "Better". Worse: "LatencyRegression", "ShareRegression", "PauseRegression", "ValueRegression",
  /// "SloViolated", "NoBenefit", "GcCpuRegression", "CpuRegression"; hard stops: "OOMKilled", "Restarted", "GcShare",
  /// "MemoryNearLimit", "GcTooFrequent". Else "Measuring", "BucketsTooWide", "TooFewRequests", "WarmUp", "NoData".
  /// Pointless: "SelfTuned".
  std::string reason;
  std::string message;
  std::string broken;  ///< for "SloViolated": the SLO's name
  Evidence evidence;
  std::optional<double> p99_change;  ///< relative, of the first SLO with data
  std::optional<double> gc_change;   ///< relative change of GC's share of CPU
};

/// Compares the canary pods with the baseline pods. Each metric's interval, of 1 − alpha at all windows together, has
/// two sides. Better is said when *all* SLOs and collection's CPU pass, so the chance to say it of harm in any of them
/// is that of one side of one interval, alpha/2, however many there are, and 5 % of pods that are luckily chosen
/// (pod_confidence). Worse is said when *any* fails: with k metrics at most k·alpha/2, and alpha more for each
/// SLO of latency, of bursts. In simulation it is far less (docs/lab/rollouts.md). Pure: the evidence so far goes in
/// and comes out, and each window [measuring_since + k·interval, + interval) counts once, however often this is called.
Verdict judge(const JudgePlan& plan, const Evidence& so_far, const Observation& observed, Time now);

/// Compares the target's pods after a promotion with the trial's baseline. Never kBetter by statistics
/// alone: kUndecided means that nothing speaks against the settings so far.
Verdict watch_after_promotion(const WatchPlan& plan, const Evidence& so_far, const Observation& observed, Time now);

/// How far back guard() looks for this SLO: for so long samples have to be kept. 0 without a promise.
Duration guarded_time(const Slo& slo, Duration interval);

/// kWorse, a hard stop, where GuardPlan asks for them. kWorse, "SloViolated", when the target's pods have broken a
/// promise in each window of its Slo::max_for up to now: in three to six of them, which are as long as that takes. A
/// window without data counts as kept. Else kUndecided. Nothing is kept between calls.
Verdict guard(const GuardPlan& plan, const Observation& observed, Time now);

/// The promise was broken with the old settings already, on average over the trial that this is the evidence of.
bool baseline_broke(const Slo& slo, const Evidence& trial);

/// True once each pod of both arms has ended two collections after `since`, the end of the set warm-up: so one of them
/// at least is of the heap's full size. A program's first collections are of a few MiB each.
bool warmed_up(const Observation& observed, Time since);

}  // namespace gopacer
