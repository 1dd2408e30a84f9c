#pragma once

#include <optional>
#include <string>
#include <vector>

#include "decide/series.h"
#include "gopacer/decide/decision.h"
#include "gopacer/domain/profiled_gc.h"

namespace gopacer::deciding {

/// What one pod's samples say.
struct PodEstimate {
  double seconds = 0;
  double alloc_rate = 0;
  double volume = 0;
  double live = 0;
  double highest_live = 0;
  double roots = 0;
  double goal = 0;
  double highest_goal = 0;
  double non_heap = 0;
  double mapped = 0;
  double growth = 0;
  std::uint32_t cycles = 0;
  std::uint32_t forced = 0;
  bool limit_rules = false;
  Settings settings;
  std::string go_version;
  double alloc_rate_error = 0;  ///< relative, as of those below
  double volume_error = 0;
  std::string volume_source;
  double live_error = 0;
  std::string live_source;
  bool limiter_active = false;
  std::optional<double> cpu;  ///< cores
  double cpu_error = 0;
  std::string cpu_source;
  std::optional<double> gc_by_metrics;  ///< cores
  std::optional<double> gc_by_fraction;
  ProfiledGc profiled;
  ProfiledGc earlier;  ///< PodSeries::earlier_profiles of the latest hour but those of the warm-up
  double max_procs = 0;
  std::optional<double> non_go;
  double non_go_growth = 0;  ///< bytes a second
  double spike = 0;
  double peak = 0;
  double ballast = 0;
  std::string memory_source;
  std::optional<Bytes> limit;
};

/// Reads one pod's samples of the latest ten minutes, without its warm-up and without what lies before a break in their
/// times.
class SeriesReader {
 public:
  /// `pod` and `input` have to outlive it.
  SeriesReader(const PodSeries& pod, const DecideInput& input, Time now);

  std::size_t samples() const { return with_mem_.size(); }
  double seconds() const { return with_mem_.size() < 2 ? 0 : to_seconds(with_mem_.back()->at - with_mem_.front()->at); }
  /// Collections that were seen to end; 0 when counters went back.
  std::uint32_t cycles() const;
  /// Why older samples are left out: a sentence about the clock; empty when they follow each other.
  const std::string& clock_trouble() const { return clock_trouble_; }

  /// Wants at least two samples with MemStats and one collection between them.
  PodEstimate read();
  /// A sentence when the process runs other settings than Go's own where its env list has none, or may do so.
  std::string unasked() const;
  /// A sentence when what is seen does not fit what the pod's environment asks for; after read().
  std::string self_tuned() const;
  /// A sentence when that may be the work of envFrom, and nothing tells; after read().
  std::string unknown_settings() const;

 private:
  // In the order in which they need each other.
  void read_settings();
  void read_cycles();
  void read_heap();
  void read_live_by_goal(double counted);
  bool has_forced() const;
  void read_cpu();
  void read_cpu_in_use();
  void read_profiles();
  void read_memory();
  const Sample* nearest_mem(Time at) const;
  std::optional<double> cycle_seconds() const;
  bool tells_settings() const { return process_ != nullptr && process_->gogc; }
  std::string from_env_from() const;
  std::optional<int> contradicting_gogc() const;

  const PodSeries& pod_;
  const std::string& env_from_;
  Time earlier_from_;
  Samples samples_;
  Samples with_mem_;
  const ProcessMetrics* process_ = nullptr;
  std::string clock_trouble_;
  std::vector<Moment> cpu_readings_;  ///< CPU seconds by the kernel's account
  double rate_scatter_ = 0;           ///< relative standard deviation of A between readings
  PodEstimate found_;
};

}  // namespace gopacer::deciding
