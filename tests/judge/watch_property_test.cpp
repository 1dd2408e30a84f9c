#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "judge/recorded_trial.h"

namespace gopacer {
namespace {

using testing::any_story;
using testing::record;
using testing::RecordedTrial;
using testing::TrialStory;

/// The canary's pods of a story as the target's own after its promotion, beside the baseline.
struct RecordedWatch {
  RecordedTrial trial;
  WatchPlan plan;

  explicit RecordedWatch(const TrialStory& story) : trial(record(story)) {
    for (PodSeries& pod : trial.pods) {
      if (pod.track == Track::kCanary) pod.track = Track::kStable;
    }
    plan.slos = trial.plan.slos;
    plan.since = testing::kStart;
    plan.interval = trial.plan.interval;
    for (const Slo& slo : plan.slos) {
      MetricEvidence before;
      before.name = slo.name;
      before.relative = true;
      before.stats.n = 50;
      before.baseline = before.canary = slo.name == "p50" ? 0.010 : 0.032;
      plan.before.metrics.push_back(before);
    }
    MetricEvidence gc;
    gc.name = kGcCpuMetric;
    gc.stats.n = 50;
    gc.baseline = story.baseline_gc;
    gc.source = "runtime metrics";
    plan.before.metrics.push_back(gc);
  }

  Verdict verdict(int looks = 1) const {
    Evidence evidence;
    Verdict verdict;
    for (int look = 1; look <= trial.windows * looks && verdict.outcome != Outcome::kWorse; ++look) {
      const Time now = testing::kStart + look * plan.interval / looks;
      Observation observed = trial.seen_at(now);
      verdict = watch_after_promotion(plan, evidence, observed, now);
      RC_ASSERT(verdict.outcome != Outcome::kBetter);
      evidence = verdict.evidence;
    }
    return verdict;
  }
};

TrialStory any_watch() {
  TrialStory story = any_story();
  story.requests_per_second = *rc::gen::element(40, 60);
  story.canary_traffic = 1;
  testing::tell(story);
  return story;
}

RC_GTEST_PROP(AnyWatch, DoesNotDependOnTheOrderOfThePodsNorOnHowOftenOneLooks, ()) {
  TrialStory story = any_watch();
  story.pods = 3;
  RecordedWatch watch(story);
  const Verdict verdict = watch.verdict();
  RC_TAG(verdict.reason);
  std::reverse(watch.trial.pods.begin(), watch.trial.pods.end());
  for (const int looks : {1, 3}) {
    const Verdict other = watch.verdict(looks);
    RC_ASSERT(other.outcome == verdict.outcome);
    RC_ASSERT(other.reason == verdict.reason);
    RC_ASSERT(other.evidence.windows == verdict.evidence.windows);
    RC_ASSERT(other.evidence.canary_requests == verdict.evidence.canary_requests);
  }
}

RC_GTEST_PROP(AnyWatch, IsNotCalmedBySlowerAnswers, ()) {
  TrialStory story = any_watch();
  story.windows = 50;
  story.max_regression_percent = 5;
  story.canary_slowness = *rc::gen::element(1.6, 2.0, 3.0);
  const Verdict verdict = RecordedWatch(story).verdict();
  RC_PRE(verdict.outcome == Outcome::kWorse && !verdict.hard_stop);
  story.canary_slowness *= *rc::gen::element(1.1, 1.5, 3.0);
  RC_ASSERT(RecordedWatch(story).verdict().outcome == Outcome::kWorse);
}

RC_GTEST_PROP(AnyWatch, HearsNothingFromReadingsThatAreNone, ()) {
  RecordedWatch watch(any_watch());
  const double bad =
      *rc::gen::element(std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity());
  const bool missing = *rc::gen::arbitrary<bool>();
  for (PodSeries& pod : watch.trial.pods) {
    pod.samples.change_each([&](Sample& sample) {
      for (auto& [name, histogram] : sample.latency) {
        for (double& count : histogram.counts) count = bad;
      }
      sample.process->cpu_seconds = sample.process->gc_cpu_seconds = bad;
      if (!missing) return;
      sample.latency.clear();
      sample.process.reset();
      sample.mem.reset();
    });
  }
  const Verdict verdict = watch.verdict();
  RC_ASSERT(verdict.outcome == Outcome::kNoData);
  RC_ASSERT(verdict.evidence.windows == 0);
}

}  // namespace
}  // namespace gopacer
