#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/verdict.h"

namespace gopacer::testing {

inline constexpr Time kStart{std::chrono::hours(24 * 365 * 55)};

/// Bounds like those of the sample service: 250 µs to 5.2 s in steps of 25 %.
inline Histogram empty_histogram(double factor = 1.25, double first = 0.00025, int buckets = 45) {
  std::map<double, double> cumulative;
  double bound = first;
  for (int i = 0; i < buckets; ++i, bound *= factor) cumulative[bound] = 0;
  cumulative[std::numeric_limits<double>::infinity()] = 0;
  return Histogram(cumulative);
}

/// Cumulative counts by bound, the count of all, and the sum of the latencies in seconds.
inline Histogram histogram_of(std::map<double, double> cumulative, double count, double sum = 0) {
  cumulative[std::numeric_limits<double>::infinity()] = count;
  return Histogram{cumulative, sum};
}

/// Empty, with these bounds.
inline Histogram buckets_of(const std::vector<double>& bounds) {
  std::map<double, double> cumulative;
  for (const double bound : bounds) cumulative[bound] = 0;
  return histogram_of(std::move(cumulative), 0);
}

inline void observe(Histogram& histogram, double seconds, double count = 1) {
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    if ((*histogram.bounds)[i] >= seconds) histogram.counts[i] += count;
  }
  histogram.sum += seconds * count;
}

inline void observe_all(Histogram& histogram, std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  auto up_to = seconds.begin();
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    while (up_to != seconds.end() && *up_to <= (*histogram.bounds)[i]) histogram.sum += *up_to++;
    histogram.counts[i] += static_cast<double>(up_to - seconds.begin());
  }
}

/// One pod whose samples are made window by window; what it does in a window is set by its members.
struct PodImposter {
  PodSeries series;
  // Load and behaviour; may be changed between windows.
  double requests_per_second = 40;
  double median_seconds = 0.010;
  double log_sigma = 0.5;
  double gc_share = 0.10;
  double share_noise = 0.01;
  double cores = 0.5;
  double volume = 60.0 * 1024 * 1024;
  Bytes live = mib(60);
  Bytes memory = mib(200);
  Bytes files_in_memory;
  bool readable = true;
  bool with_profile = false;
  bool with_metrics = true;
  double bad_share = 0.01;  ///< of the requests
  double queue = 40;        ///< a gauge, at each reading, give or take a tenth
  int pauses = 20;          ///< of collections, at each reading
  double pause_seconds = 50e-6;
  double throttled_share = 0;
  double assist_share = 0;  ///< of the CPU, in profiles
  double limited_cycle = 0;
  std::optional<Settings> runs;  ///< as the process's own metrics say

  Histogram latency = empty_histogram();
  double cpu_seconds = 0;
  double gc_seconds = 0;
  double allocated = 0;
  double collections = 0;
  double good = 0, bad = 0;
  Histogram queues;  ///< all readings of the gauge
  double throttled_seconds = 0;
  std::mt19937_64 failures{7};  ///< apart, so that the other figures are what they are without them
  std::mt19937_64 others;       ///< likewise

  PodImposter(std::string name, Track track, Time started) {
    others.seed(std::hash<std::string>()(name));
    series.pod = std::move(name);
    series.track = track;
    series.started = started;
    series.memory_limit = mib(512);
  }

  /// The pod lives on until `now` and is read then.
  void advance(Time now, std::mt19937_64& random) {
    const double seconds = series.samples.empty() ? 5 : to_seconds(now - last_);
    last_ = now;
    std::poisson_distribution<int> arrivals(std::max(1e-9, requests_per_second * seconds));
    std::lognormal_distribution<double> duration(std::log(median_seconds), log_sigma);
    const int requests = requests_per_second > 0 ? arrivals(random) : 0;
    std::vector<double> durations(static_cast<std::size_t>(requests));
    for (double& each : durations) each = duration(random);
    observe_all(latency, std::move(durations));
    const int failed = requests > 0 ? std::binomial_distribution<int>(requests, bad_share)(failures) : 0;
    bad += failed;
    good += requests - failed;
    std::normal_distribution<double> noise(0, std::max(1e-12, share_noise));
    const double share = std::clamp(gc_share + (share_noise > 0 ? noise(random) : 0), 0.0, 1.0);
    cpu_seconds += cores * seconds;
    gc_seconds += cores * seconds * share;
    allocated += 20e6 * seconds;
    collections += 20e6 * seconds / volume;
    if (!readable) return;

    Sample sample;
    sample.at = now;
    MemStats mem;
    mem.total_alloc = Bytes::of(allocated);
    mem.num_gc = static_cast<std::uint32_t>(collections);
    mem.next_gc = live + Bytes::of(volume);
    mem.heap_alloc = live;
    for (int i = pauses - 1; i >= 0; --i) {
      const double pause = pause_seconds * std::lognormal_distribution<double>(0, 0.2)(others);
      mem.pauses.push_back({now - i * std::chrono::milliseconds(100),
                            std::chrono::round<Duration>(std::chrono::duration<double>(pause))});
    }
    sample.mem = mem;
    if (with_metrics) {
      ProcessMetrics process;
      process.cpu_seconds = cpu_seconds;
      process.gc_cpu_seconds = gc_seconds;
      process.limited_cycle = limited_cycle;
      if (runs) process.gogc = runs->gogc, process.go_mem_limit = runs->go_mem_limit;
      sample.process = process;
    }
    if (with_profile) {
      GcProfile profile;
      profile.length = std::chrono::seconds(2);
      profile.total_cpu_seconds = cores * 2;
      profile.gc_cpu_seconds = cores * 2 * share;
      profile.uses[CpuUse::kAssist] = cores * 2 * assist_share;
      profile.stacks = static_cast<std::int64_t>(cores * 200);
      sample.profile = profile;
    }
    ContainerUsage usage;
    usage.at = now;
    throttled_seconds += throttled_share * std::lognormal_distribution<double>(0, 0.1)(others) * seconds;
    usage.throttled_seconds = throttled_seconds;
    usage.limit = series.memory_limit;
    usage.anonymous = memory;
    usage.shared = files_in_memory;
    usage.working_set = memory + files_in_memory + mib(10);
    sample.usage = usage;
    sample.latency["p99"] = latency;
    sample.latency["errors"] = good_and_bad(good, bad);
    merge(queues, reading_of(queue * std::max(0.0, std::normal_distribution<double>(1, 0.1)(others))));
    sample.latency["queue"] = queues;
    series.samples.push_back(sample);
    // Longer than what any window looks back to, and short enough to be copied often.
    if (series.samples.size() > 20) series.samples.pop_front();
  }

 private:
  Time last_;
};

/// A canary and a baseline pod, and the judge called after each window as the operator does.
struct TrialImposter {
  explicit TrialImposter(std::uint64_t seed = 1) : random(seed) {
    Slo slo;
    slo.name = "p99";
    plan.slos.push_back(slo);
    plan.measuring_since = kStart;
    plan.interval = std::chrono::seconds(5);
    plan.min_samples = 2000;
    plan.min_saving = 0.02;
    plan.max_duration = std::chrono::minutes(30);
    canary.advance(now, random);
    baseline.advance(now, random);
  }

  /// Both pods serve a histogram with these bounds, from now on.
  void use_buckets(const std::vector<double>& bounds) {
    for (PodImposter* pod : {&canary, &baseline}) {
      pod->latency = buckets_of(bounds);
      pod->series.samples.change_each([&](Sample& sample) { sample.latency["p99"] = pod->latency; });
    }
  }

  Observation observation() const {
    Observation observed;
    observed.at = now;
    observed.pods = {canary.series, baseline.series};
    return observed;
  }

  Verdict window() {
    now += plan.interval;
    canary.advance(now, random);
    baseline.advance(now, random);
    return look();
  }

  /// Judges what is there, without new samples.
  Verdict look() {
    const Verdict verdict = judge(plan, evidence, observation(), now);
    evidence = verdict.evidence;
    return verdict;
  }

  /// Windows until there is an outcome, at most `most`.
  Verdict run(int most) {
    Verdict verdict;
    for (int i = 0; i < most; ++i) {
      verdict = window();
      if (verdict.outcome == Outcome::kBetter || verdict.outcome == Outcome::kWorse) break;
    }
    return verdict;
  }

  std::mt19937_64 random;
  JudgePlan plan;
  Time now = kStart;
  Evidence evidence;
  PodImposter canary{"checkout-canary-1", Track::kCanary, kStart - std::chrono::minutes(2)};
  PodImposter baseline{"checkout-baseline-1", Track::kBaseline, kStart - std::chrono::minutes(2)};
};

/// What one pod did in a window of ten seconds, exactly.
struct Account {
  double requests = 1000;
  double seconds = 0.010;   ///< that each of them took, by the SLO "p50"
  double seconds2 = 0.010;  ///< and by the SLO "other"
  double cpu = 5;           ///< seconds
  double gc = 0.5;          ///< of these
  bool tells_gc = true;
};

/// A trial without any chance in it: each window has a canary's and a baseline's account. Its SLO is of the median, of
/// which fifty requests say something.
struct ExactTrial {
  ExactTrial() {
    plan.slos.push_back(slo("p50"));
    plan.measuring_since = kStart;
    plan.interval = std::chrono::seconds(10);
    plan.min_samples = 0;
    plan.min_saving = 0.02;
    for (auto [pod, track] : {std::pair{&canary, Track::kCanary}, std::pair{&baseline, Track::kBaseline}}) {
      pod->track = track;
      pod->started = kStart - std::chrono::minutes(2);
      Sample first;
      first.at = kStart;
      first.process.emplace();
      first.process->cpu_seconds = first.process->gc_cpu_seconds = 0;
      first.latency["p50"] = first.latency["other"] = empty_histogram();
      pod->samples.push_back(first);
    }
  }

  static Slo slo(const std::string& name) {
    Slo slo;
    slo.name = name;
    slo.histogram().quantile = 0.5;
    slo.max_regression_percent = 5;
    return slo;
  }

  Verdict window(const Account& ours, const Account& theirs) {
    now += plan.interval;
    read(canary, ours, canary_gc_);
    read(baseline, theirs, baseline_gc_);
    Observation observed;
    observed.at = now;
    observed.pods = {canary, baseline};
    const Verdict verdict = judge(plan, evidence, observed, now);
    evidence = verdict.evidence;
    return verdict;
  }
  Verdict windows(int count, const Account& ours, const Account& theirs) {
    Verdict verdict;
    for (int i = 0; i < count; ++i) verdict = window(ours, theirs);
    return verdict;
  }

  JudgePlan plan;
  Time now = kStart;
  Evidence evidence;
  PodSeries canary;
  PodSeries baseline;

 private:
  void read(PodSeries& pod, const Account& did, double& gc) const {
    Sample sample = pod.samples.back();
    sample.at = now;
    *sample.process->cpu_seconds += did.cpu;
    gc += did.gc;
    sample.process->gc_cpu_seconds = did.tells_gc ? std::optional(gc) : std::nullopt;
    observe(sample.latency["p50"], did.seconds, did.requests);
    observe(sample.latency["other"], did.seconds2, did.requests);
    pod.samples.push_back(sample);
  }

  double canary_gc_ = 0;
  double baseline_gc_ = 0;
};

inline const MetricEvidence& metric(const Evidence& evidence, const std::string& name) {
  for (const MetricEvidence& found : evidence.metrics) {
    if (found.name == name) return found;
  }
  static const MetricEvidence kNone;
  return kNone;
}

}  // namespace gopacer::testing
