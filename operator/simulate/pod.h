#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "gopacer/domain/sample.h"
#include "gopacer/simulate/process.h"
#include "gopacer/simulate/trace.h"

namespace gopacer::simulate {

/// A virtual process in its container, and what the operator would have read of it: the same values, as often, with the
/// noise that their sources have.
class Pod {
 public:
  /// `started`: since the trace's beginning. `trace` outlives the object.
  Pod(const Trace& trace, const Settings& settings, Duration started, Duration interval, std::uint64_t seed);

  /// Lets time pass until `to` after the trace's beginning, or until the kernel kills the process.
  void advance(Duration to);

  Duration now() const { return now_; }
  const Process& process() const { return process_; }
  const PodSeries& series() const { return series_; }
  void was_restarted(int restarts, bool oom_killed);

 private:
  void read_container();
  void begin_profile();
  void end_profile();
  void sample();

  const Trace& trace_;
  const Duration started_;
  const Duration interval_;
  std::mt19937_64 random_;
  Process process_;
  PodSeries series_;
  Duration now_;
  Duration sample_due_;
  Duration container_due_;
  Duration profile_due_;
  bool profiling_ = false;
  double profiled_cpu_ = 0;
  double profiled_gc_ = 0;
  double profiled_sweep_ = 0;
  Time known_until_{};
  std::optional<GcProfile> profile_;
  std::optional<ContainerUsage> usage_;
};

/// The trace's beginning on the virtual wall clock.
inline constexpr Time kBegin{std::chrono::hours(24 * 365 * 55)};

Duration of_seconds(double seconds);

}  // namespace gopacer::simulate
