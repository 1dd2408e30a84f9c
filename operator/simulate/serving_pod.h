#pragma once

#include <memory>
#include <optional>
#include <random>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/domain/sample.h"
#include "gopacer/domain/workload.h"

namespace gopacer::simulating {

using Random = std::mt19937_64;

/// What a pod goes through in one window.
struct Serving {
  double requests = 0;        ///< expected
  double median_latency = 0;  ///< seconds
  double cpu_of_request = 0;  ///< seconds, collection and all
  double gc_share = 0;        ///< of that CPU
  /// Collections are counted one by one, with what each costs at its end; else evenly.
  bool one_by_one = false;
};

/// Name of the SLO whose histogram the pods have.
inline constexpr const char* kServingSlo = "latency-p99";
/// Memory limit of the pods' container.
inline constexpr Bytes kContainerLimit = mib(512);
inline constexpr double kAllocatedPerRequest = 2.0 * 1024 * 1024;

/// V: what the program allocates from one collection to the next, in bytes.
double cycle_volume(const Settings& settings);

/// A pod that answers requests, as a scraper sees it: counters and a histogram that only grow.
class ServingPod {
 public:
  ServingPod(const std::string& name, Track track, const Settings& settings, Time started, std::string node);

  /// Samples that its reader keeps.
  void keep(std::size_t samples) { kept_ = samples; }

  /// Goes on for one window, and is read at its end if anybody reads; the time is that of the reader's clock.
  void serve(std::optional<Time> read_at, const Serving& serving, Random& random);
  /// Its container ends, and the next one begins at `now`.
  void restart(Time now, bool out_of_memory);
  /// Whoever has read it so far is gone, and its successor has no samples.
  void forget_samples();
  /// Its reader got nothing.
  void was_unread(const std::string& why) { series_.error = why; }
  /// What a node agent puts in force: the cycle that runs ends as it would have.
  void set(const Settings& settings);

  /// The settings that its process runs; what it was started with is in `series`.
  const Settings& runs() const { return runs_; }
  Track track() const { return series_.track; }
  const PodSeries& series() const { return series_; }
  const std::shared_ptr<const Pod>& object() const { return object_; }

 private:
  void begin();
  void collect(double allocated, double cost_of_volume, Random& random);

  PodSeries series_;
  Settings runs_;
  std::size_t kept_;
  std::shared_ptr<const Pod> object_;
  double volume_ = 0;          ///< from one collection to the next
  double present_volume_ = 0;  ///< of the cycle that runs
  double allocated_ = 0;       ///< in it
  Histogram latency_;
  ProcessMetrics process_;
  MemStats mem_;
  double collections_ = 0;
};

}  // namespace gopacer::simulating
