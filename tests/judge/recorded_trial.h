#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "judge/trial_pods.h"

namespace gopacer::testing {

/// A trial of several pods on each side whose samples are all there already, so that it can be judged twice: with
/// something changed, and without.
struct RecordedTrial {
  JudgePlan plan;
  int windows = 0;
  int kept = 5;  ///< windows of which an operator still has the samples
  std::vector<PodSeries> pods;
  /// What the pods really did in each window, by their own account and not by the judge's: requests of each arm.
  std::vector<double> canary_requests;
  std::vector<double> baseline_requests;

  Time end_of(int window) const { return kStart + window * plan.interval; }

  /// What an operator sees of it at `now`: as much history as one keeps.
  Observation seen_at(Time now) const {
    Observation observed;
    observed.at = now;
    for (const PodSeries& pod : pods) {
      PodSeries& seen = observed.pods.emplace_back();
      seen.pod = pod.pod;
      seen.track = pod.track;
      seen.started = pod.started;
      seen.memory_limit = pod.memory_limit;
      for (const Sample& sample : pod.samples) {
        if (sample.at <= now && sample.at >= now - kept * plan.interval) seen.samples.push_back(sample);
      }
    }
    return observed;
  }

  /// Judged once at the end of each window until there is an outcome. `each` may take the evidence and change it.
  Verdict judged(const std::function<void(Evidence&)>& each = nullptr) const {
    Evidence evidence;
    Verdict verdict;
    for (int window = 1; window <= windows; ++window) {
      verdict = judge(plan, evidence, seen_at(end_of(window)), end_of(window));
      evidence = verdict.evidence;
      if (each) each(evidence);
      if (verdict.outcome == Outcome::kBetter || verdict.outcome == Outcome::kWorse) break;
    }
    return verdict;
  }

  /// The pods of one arm.
  std::vector<PodSeries*> arm(Track track) {
    std::vector<PodSeries*> found;
    for (PodSeries& pod : pods) {
      if (pod.track == track) found.push_back(&pod);
    }
    return found;
  }
};

/// How a trial goes; everything that is not here is the same on both sides.
struct TrialStory {
  std::uint64_t seed = 1;
  int pods = 1;  ///< of each arm
  int windows = 60;
  double requests_per_second = 60;  ///< of each pod
  double canary_traffic = 1;        ///< how many times the baseline's
  double canary_slowness = 1;
  double canary_gc = 0.05;
  double baseline_gc = 0.12;
  double noise = 0.01;
  bool second_slo = false;
  double second_slowness = 1;  ///< of the canary, by the second SLO
  std::optional<double> most;  ///< seconds
  int min_samples = 2000;
  int max_regression_percent = 25;
  double min_saving = 0.02;
};

/// The histogram of a pod's answers, in bounds like those of empty_histogram().
class AnsweredRequests {
 public:
  void observe(double seconds) {
    const double steps = std::ceil(std::log(seconds / kFirst) / std::log(kFactor));
    ++counts_[static_cast<std::size_t>(std::clamp(steps, 0.0, static_cast<double>(kBuckets)))];
  }
  Histogram histogram() const {
    std::map<double, double> cumulative;
    double bound = kFirst;
    double below = 0;
    for (int i = 0; i <= kBuckets; ++i, bound *= kFactor) {
      below += counts_[static_cast<std::size_t>(i)];
      cumulative[i < kBuckets ? bound : std::numeric_limits<double>::infinity()] = below;
    }
    return Histogram(cumulative);
  }

 private:
  static constexpr double kFirst = 0.001;
  static constexpr double kFactor = 1.25;
  static constexpr int kBuckets = 25;
  std::array<double, kBuckets + 1> counts_{};
};

inline RecordedTrial record(const TrialStory& story) {
  RecordedTrial trial;
  trial.windows = story.windows;
  trial.plan = TrialImposter(story.seed).plan;
  trial.plan.min_samples = story.min_samples;
  trial.plan.min_saving = story.min_saving;
  trial.plan.slos[0].max_regression_percent = story.max_regression_percent;
  trial.plan.slos[0].max = story.most;
  if (story.second_slo) {
    Slo second;
    second.name = "p50";
    second.histogram().quantile = 0.5;
    second.max_regression_percent = story.max_regression_percent;
    trial.plan.slos.push_back(second);
  }
  trial.canary_requests.assign(static_cast<std::size_t>(story.windows), 0);
  trial.baseline_requests = trial.canary_requests;
  for (int i = 0; i < 2 * story.pods; ++i) {
    const bool canary = i % 2 == 0;
    // Chance is each pod's own: a slower canary answers the same requests.
    std::mt19937_64 random(story.seed * 64 + static_cast<std::uint64_t>(i));
    PodImposter pod((canary ? "canary-" : "baseline-") + std::to_string(i / 2),
                    canary ? Track::kCanary : Track::kBaseline, kStart - std::chrono::minutes(2));
    pod.requests_per_second = 0;  // they are answered here
    pod.gc_share = canary ? story.canary_gc : story.baseline_gc;
    pod.share_noise = story.noise;
    AnsweredRequests p99;
    AnsweredRequests p50;
    SampleRow samples;
    for (int window = 0; window <= story.windows; ++window) {
      pod.advance(trial.end_of(window), random);
      const double rate = story.requests_per_second * (canary ? story.canary_traffic : 1);
      std::poisson_distribution<int> arrivals(std::max(1e-9, rate * to_seconds(trial.plan.interval)));
      std::lognormal_distribution<double> duration(std::log(0.010), 0.5);
      const int requests = window > 0 ? arrivals(random) : 0;
      for (int k = 0; k < requests; ++k) {
        const double seconds = duration(random);
        p99.observe(seconds * (canary ? story.canary_slowness : 1));
        p50.observe(seconds * (canary ? story.canary_slowness * story.second_slowness : 1));
      }
      if (window > 0) (canary ? trial.canary_requests : trial.baseline_requests)[window - 1U] += requests;
      Sample sample = pod.series.samples.back();
      Sample kept;
      kept.at = sample.at;  // or it would take itself for new
      pod.series.samples = {kept};
      sample.latency["p99"] = p99.histogram();
      if (story.second_slo) sample.latency["p50"] = p50.histogram();
      samples.push_back(std::move(sample));
    }
    pod.series.samples = std::move(samples);
    trial.pods.push_back(pod.series);
  }
  return trial;
}

/// A story of which nobody can say beforehand how it ends.
inline TrialStory any_story() {
  TrialStory story;
  story.seed = static_cast<std::uint64_t>(*rc::gen::inRange(1, 1 << 20));
  story.pods = *rc::gen::inRange(1, 3);
  story.windows = *rc::gen::inRange(15, 60);
  story.requests_per_second = *rc::gen::element(8, 40, 60, 80);
  story.canary_traffic = *rc::gen::element(0.05, 0.5, 1.0, 1.0, 1.0, 3.0);
  story.canary_slowness = *rc::gen::element(0.8, 1.0, 1.0, 1.0, 1.1, 1.5);
  story.canary_gc = *rc::gen::element(0.02, 0.05, 0.05, 0.09, 0.2);
  story.noise = *rc::gen::element(0.0, 0.01, 0.03);
  story.second_slo = *rc::gen::arbitrary<bool>();
  story.second_slowness = *rc::gen::element(1.0, 1.0, 1.0, 1.6);
  if (*rc::gen::arbitrary<bool>()) story.most = *rc::gen::inRange(20, 90) / 1000.0;
  story.min_samples = *rc::gen::element(100, 2000, 8000);
  story.max_regression_percent = *rc::gen::element(5, 25, 60);
  story.min_saving = *rc::gen::element(-0.05, 0.0, 0.02);
  return story;
}

inline void tell(const TrialStory& story) {
  RC_LOG() << "seed " << story.seed << ", pods " << story.pods << ", windows " << story.windows << ", requests/s "
           << story.requests_per_second << " x " << story.canary_traffic << ", slowness " << story.canary_slowness
           << "/" << story.second_slowness << (story.second_slo ? " (two SLOs)" : "") << ", gc " << story.canary_gc
           << " vs " << story.baseline_gc << " noise " << story.noise << ", min_samples " << story.min_samples
           << ", allowed " << story.max_regression_percent << " %, min_saving " << story.min_saving << "\n";
}

}  // namespace gopacer::testing
