#include "simulate/serving_pod.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "gopacer/decide/go_pacer.h"

namespace gopacer::simulating {
namespace {

/// Ten minutes: decide() and the judge look no further back.
constexpr std::size_t kKeptSamples = 40;
/// Spread of the latency of one pod's requests: the 99th percentile is four times the median.
constexpr double kRequestSpread = 0.6;
/// Of what collection is measured to take from one window to the next.
constexpr double kGcSpread = 0.03;
constexpr Bytes kLiveHeap = mib(64);
constexpr Bytes kOverhead = mib(10);  ///< of the runtime
constexpr Bytes kNonGo = mib(16);
/// Pages that hold little besides the heap's objects.
constexpr double kFragmentation = 1.05;

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

std::shared_ptr<const Pod> running_pod(const PodSeries& series, std::string node) {
  Pod pod;
  pod.key = {"shop", series.pod};
  pod.uid = series.uid;
  pod.created = series.created;
  pod.node = std::move(node);
  pod.phase = "Running";
  pod.ready = true;
  ContainerState state;
  state.name = "app";
  state.ready = true;
  state.started = series.started;
  pod.states = {state};
  return std::make_shared<const Pod>(std::move(pod));
}

}  // namespace

double cycle_volume(const Settings& settings) {
  return (go_pacer::goal({kLiveHeap, Bytes(0)}, settings, kOverhead) - kLiveHeap).value();
}

ServingPod::ServingPod(const std::string& name, Track track, const Settings& settings, Time started, std::string node)
    : kept_(kKeptSamples) {
  series_.pod = series_.uid = name;
  series_.track = track;
  series_.settings = settings;
  series_.memory_limit = kContainerLimit;
  series_.cpu_limit = 1;
  series_.ready = true;
  series_.created = series_.started = started;
  object_ = running_pod(series_, std::move(node));
  begin();
}

void ServingPod::begin() {
  static const Histogram kNoRequests = no_requests();
  forget_samples();
  latency_ = kNoRequests;
  process_ = {};
  process_.max_procs = 2;
  process_.cpu_seconds = 0;
  process_.gc_cpu_seconds = 0;
  process_.heap_live = kLiveHeap;
  mem_ = {};
  collections_ = 0;
  allocated_ = 0;
  set(series_.settings);
  present_volume_ = volume_;
}

void ServingPod::set(const Settings& settings) {
  runs_ = settings;
  volume_ = cycle_volume(settings);
  process_.gogc = settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  process_.go_mem_limit = settings.go_mem_limit;
  mem_.next_gc = kLiveHeap + Bytes::of(volume_);
  // What the heap once had it keeps for a while.
  mem_.heap_sys = std::max(mem_.heap_sys, mem_.next_gc * kFragmentation);
  mem_.sys = mem_.heap_sys + kOverhead;
}

void ServingPod::forget_samples() {
  series_.samples.clear();
  series_.first_read.reset();
}

void ServingPod::restart(Time now, bool out_of_memory) {
  series_.started = now;
  ++series_.restarts;
  series_.oom_killed = out_of_memory;
  Pod pod = *object_;
  pod.states.front().restarts = series_.restarts;
  pod.states.front().started = now;
  if (out_of_memory) pod.states.front().last_termination_reason = "OOMKilled";
  object_ = std::make_shared<const Pod>(std::move(pod));
  begin();
}

/// The cycle that runs when settings change is of the old goal, and so is what its end costs.
void ServingPod::collect(double allocated, double cost_of_volume, Random& random) {
  allocated_ += allocated;
  double cost = 0;
  while (allocated_ >= present_volume_) {
    allocated_ -= present_volume_;
    present_volume_ = volume_;
    cost += cost_of_volume;
    ++mem_.num_gc;
  }
  cost *= std::exp(kGcSpread * std::normal_distribution<double>()(random));
  *process_.cpu_seconds += cost;
  *process_.gc_cpu_seconds += cost;
}

void ServingPod::serve(std::optional<Time> read_at, const Serving& serving, Random& random) {
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
  const double allocated = requests * kAllocatedPerRequest;
  mem_.total_alloc = Bytes::of(mem_.total_alloc.value() + allocated);
  if (serving.one_by_one) {
    *process_.cpu_seconds += cpu * (1 - serving.gc_share);
    collect(allocated, serving.cpu_of_request * serving.gc_share * volume_ / kAllocatedPerRequest, random);
  } else {
    *process_.cpu_seconds += cpu;
    *process_.gc_cpu_seconds +=
        cpu * serving.gc_share * std::exp(kGcSpread * std::normal_distribution<double>()(random));
    collections_ += allocated / volume_;
    mem_.num_gc = static_cast<std::uint32_t>(collections_);
  }
  mem_.heap_alloc = kLiveHeap + Bytes::of(volume_ * std::uniform_real_distribution<double>()(random));
  mem_.heap_in_use = mem_.heap_alloc * kFragmentation;
  mem_.heap_idle = mem_.heap_sys - mem_.heap_in_use;

  if (!read_at) return;
  series_.error.clear();
  Sample sample;
  sample.at = *read_at;
  sample.mem = mem_;
  sample.process = process_;
  ContainerUsage usage;
  usage.at = *read_at;
  usage.limit = kContainerLimit;
  usage.anonymous = usage.working_set = mem_.sys + kNonGo;
  usage.shared = Bytes(0);
  sample.usage = usage;
  sample.latency.emplace(kServingSlo, latency_);
  if (!series_.first_read) series_.first_read = read_at;
  if (series_.samples.size() == kept_) series_.samples.pop_front();
  series_.samples.push_back(std::move(sample));
}

}  // namespace gopacer::simulating
