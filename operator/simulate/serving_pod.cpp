#include "simulate/serving_pod.h"

#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace gopacer::simulating {
namespace {

/// More than any window of the judge looks back.
constexpr std::size_t kKeptSamples = 40;
/// Spread of the latency of one pod's requests: the 99th percentile is four times the median.
constexpr double kRequestSpread = 0.6;
/// Of what collection is measured to take from one window to the next.
constexpr double kGcSpread = 0.03;
constexpr double kCycleVolume = 64.0 * 1024 * 1024;
constexpr double kLiveHeap = 64.0 * 1024 * 1024;

/// Fine enough that buckets are nobody's trouble: 5 ms to 1.8 s in steps of 15 %.
Histogram no_requests() {
  std::map<double, double> cumulative;
  for (int i = 0; i <= 42; ++i) cumulative[0.005 * std::pow(1.15, i)] = 0;
  cumulative[std::numeric_limits<double>::infinity()] = 0;
  return Histogram(cumulative);
}

/// Distribution function of the normal distribution.
double normal(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double poisson(double mean, Random& random) {
  return mean <= 0 ? 0 : static_cast<double>(std::poisson_distribution<std::int64_t>(mean)(random));
}

}  // namespace

ServingPod::ServingPod(const std::string& name, Track track, const Settings& settings, Time started) {
  static const Histogram kNoRequests = no_requests();
  series_.pod = series_.uid = name;
  series_.track = track;
  series_.settings = settings;
  series_.ready = true;
  series_.created = series_.started = started;
  latency_ = kNoRequests;
  process_.cpu_seconds = 0;
  process_.gc_cpu_seconds = 0;
  mem_.next_gc = Bytes::of(kLiveHeap + kCycleVolume);
}

void ServingPod::serve(Time now, const Serving& serving, Random& random) {
  const double median = std::log(serving.median_latency);
  double requests = 0;
  double below = 0;
  for (std::size_t i = 0; i < latency_.counts.size(); ++i) {
    const double up_to = normal((std::log((*latency_.bounds)[i]) - median) / kRequestSpread);
    requests += poisson(serving.requests * (up_to - below), random);
    latency_.counts[i] += requests;
    below = up_to;
  }
  const double cpu = requests * serving.cpu_of_request;
  *process_.cpu_seconds += cpu;
  *process_.gc_cpu_seconds += cpu * serving.gc_share * std::exp(kGcSpread * std::normal_distribution<double>()(random));
  mem_.total_alloc = Bytes::of(mem_.total_alloc.value() + requests * serving.allocated);
  collections_ += requests * serving.allocated / kCycleVolume;
  mem_.num_gc = static_cast<std::uint32_t>(collections_);

  Sample sample;
  sample.at = now;
  sample.mem = mem_;
  sample.process = process_;
  sample.latency.emplace(kServingSlo, latency_);
  if (!series_.first_read) series_.first_read = now;
  if (series_.samples.size() == kKeptSamples) series_.samples.pop_front();
  series_.samples.push_back(std::move(sample));
}

}  // namespace gopacer::simulating
