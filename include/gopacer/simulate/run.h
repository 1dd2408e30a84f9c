#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/decide/decision.h"
#include "gopacer/simulate/trace.h"

namespace gopacer::simulate {

/// How a strategy is let loose on a trace.
struct Plan {
  ProfileSpec spec;
  Duration trial = std::chrono::minutes(10);  ///< from the decision to the promotion: warm-up and measuring
  Duration decide_every = std::chrono::minutes(1);
  std::uint64_t seed = 1;  ///< of the readings' noise
};

/// New settings, and what came of what was promised.
struct Rollout {
  Duration at{0};  ///< of the restart with them
  Settings from;
  Settings to;
  std::string message;
  std::optional<Prediction> predicted;
  /// The truth from the restart to the end of the watch after it. Empty when the trace ended before.
  std::optional<double> gc_share;
  std::optional<Bytes> peak_memory;
  bool rolled_back = false;
};

/// One minute of a run.
struct Minute {
  Duration at{0};  ///< its end
  double request_rate = 0;
  double gc_share = 0;  ///< of the CPU used
  Bytes memory;         ///< anonymous, of the container
  Settings settings;
};

/// What a run came to.
struct Outcome {
  double requests = 0;
  double refused = 0;  ///< requests that found the service down or waited for too long
  double cpu_seconds = 0;
  double gc_cpu_seconds = 0;
  double mark_duty = 0;        ///< share of the time in which a collection marks
  double limited_seconds = 0;  ///< with the CPU limiter on
  Bytes mean_memory;           ///< anonymous, of the container
  Bytes peak_memory;
  int ooms = 0;
  std::vector<Rollout> rollouts;
  std::vector<Minute> minutes;
  Settings last;
  std::optional<Decision> decision;  ///< the last; none where nobody decided

  double cpu_per_request() const { return requests > 0 ? cpu_seconds / requests : 0; }
  double gc_share() const { return cpu_seconds > 0 ? gc_cpu_seconds / cpu_seconds : 0; }
};

/// The whole trace with settings that nobody changes.
Outcome run_fixed(const Trace& trace, const Settings& settings, std::uint64_t seed);

/// The whole trace with decide() in the loop: it observes the virtual readings; settings that it wants are in force
/// after `plan.trial`, with a restart; then time passes as the profile's rollback says before the next may come. A
/// process that is killed for memory while its new settings are watched gets the old ones back, and they are banned.
Outcome run_strategy(const Trace& trace, const Plan& plan);

/// What the clairvoyant wants to be small.
enum class Price {
  kCpu,           ///< CPU per request
  kCpuAndMemory,  ///< CPU and mean memory, at the price that decide() puts on memory
};

struct Oracle {
  Settings settings;
  Outcome outcome;
};

/// The best settings that never change, found by trying all of a grid on the whole trace, within `bounds`. Settings
/// under which the kernel kills the process do not count. None when there are no others.
std::optional<Oracle> best_static(const Trace& trace, Price price, const Bounds& bounds, std::uint64_t seed);

/// CPU seconds, and with kCpuAndMemory the price of the memory that is used or requested, for each request.
double price_of(const Outcome& outcome, const Trace& trace, Price price);

}  // namespace gopacer::simulate
