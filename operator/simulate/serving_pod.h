#pragma once

#include <random>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/domain/sample.h"

namespace gopacer::simulating {

using Random = std::mt19937_64;

/// What a pod goes through in one window.
struct Serving {
  double requests = 0;        ///< expected
  double median_latency = 0;  ///< seconds
  double cpu_of_request = 0;  ///< seconds, collection and all
  double gc_share = 0;        ///< of that CPU
  double allocated = 0;       ///< bytes for each request
};

/// A pod that answers requests, as a scraper sees it: counters and a histogram that only grow.
class ServingPod {
 public:
  ServingPod(const std::string& name, Track track, const Settings& settings, Time started);

  /// Goes on for one window that ends at `now`, and is read then.
  void serve(Time now, const Serving& serving, Random& random);

  const PodSeries& series() const { return series_; }

 private:
  PodSeries series_;
  Histogram latency_;
  ProcessMetrics process_;
  MemStats mem_;
  double collections_ = 0;
};

/// Name of the SLO whose histogram the pods have.
inline constexpr const char* kServingSlo = "latency-p99";

}  // namespace gopacer::simulating
