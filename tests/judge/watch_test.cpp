#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using ::testing::HasSubstr;
using testing::kStart;
using testing::metric;
using testing::PodImposter;

/// The target's pods after a promotion, and the operator's look at them after each window.
struct PromotedImposter {
  PromotedImposter() {
    Slo slo;
    slo.name = "p99";
    slo.max = std::chrono::milliseconds(60);
    plan.slos.push_back(slo);
    plan.settings.gogc = Gogc(200);
    plan.since = kStart;
    plan.interval = std::chrono::seconds(5);
    MetricEvidence latency;
    latency.name = "p99";
    latency.ratio = true;
    latency.stats.n = 50;
    latency.baseline = latency.canary = 0.032;
    MetricEvidence gc;
    gc.name = kGcCpuMetric;
    gc.stats.n = 50;
    gc.baseline = 0.10;
    gc.canary = 0.05;
    gc.source = "runtime metrics";
    plan.before.metrics = {latency, gc};
    for (int i = 0; i < 2; ++i) {
      pods.emplace_back("checkout-" + std::to_string(i), Track::kStable, kStart - std::chrono::minutes(1));
      pods.back().series.settings.gogc = Gogc(200);
      pods.back().gc_share = 0.05;
      pods.back().advance(now, random);
    }
  }

  Verdict window() {
    now += plan.interval;
    Observation observed;
    observed.at = now;
    for (PodImposter& pod : pods) {
      pod.advance(now, random);
      observed.pods.push_back(pod.series);
    }
    const Verdict verdict = watch_after_promotion(plan, evidence, observed, now);
    evidence = verdict.evidence;
    return verdict;
  }

  Verdict run(int most) {
    Verdict verdict;
    for (int i = 0; i < most && verdict.outcome != Outcome::kWorse; ++i) verdict = window();
    return verdict;
  }

  std::mt19937_64 random{3};
  WatchPlan plan;
  Time now = kStart;
  Evidence evidence;
  std::vector<PodImposter> pods;
};

TEST(Watch, IsContentWithWhatTheTrialPromised) {
  PromotedImposter target;
  const Verdict verdict = target.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << verdict.message;
  EXPECT_EQ(verdict.reason, "Watching");
  EXPECT_EQ(verdict.evidence.windows, 100);
  EXPECT_THAT(verdict.message, HasSubstr("Nothing speaks against the settings"));
  EXPECT_NEAR(*verdict.gc_change, -0.5, 0.05);
}

TEST(Watch, SeesABrokenPromiseWithinThreeWindows) {
  PromotedImposter target;
  target.run(5);
  for (PodImposter& pod : target.pods) pod.median_seconds *= 3;
  const Verdict verdict = target.run(10);
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(verdict.evidence.windows, 8);
}

TEST(Watch, DoesNotHoldAgainstTheSettingsWhatWasBrokenBefore) {
  PromotedImposter target;
  target.plan.before.metrics[0].baseline = 0.090;
  for (PodImposter& pod : target.pods) pod.median_seconds *= 3;
  EXPECT_EQ(target.run(50).outcome, Outcome::kUndecided);
}

TEST(Watch, HoldsNoPromiseBrokenThatItsBucketsCannotShow) {
  PromotedImposter target;
  target.plan.before.metrics.erase(target.plan.before.metrics.begin());  // nothing was resolved before either
  for (PodImposter& pod : target.pods) {
    pod.latency = testing::buckets_of({5, 10});  // and all is far below them
    pod.series.samples.change_last([&](Sample& sample) { sample.latency["p99"] = pod.latency; });
  }
  EXPECT_EQ(target.run(10).outcome, Outcome::kUndecided);
}

TEST(Watch, SeesARegressionBelowThePromise) {
  PromotedImposter target;
  target.plan.slos[0].max.reset();
  for (PodImposter& pod : target.pods) pod.median_seconds *= 1.5;
  const Verdict verdict = target.run(60);
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "LatencyRegression");
}

TEST(Watch, ToleratesWhatTheHourOfTheDayDoes) {
  PromotedImposter target;
  for (PodImposter& pod : target.pods) pod.median_seconds *= 1.1;
  EXPECT_EQ(target.run(100).outcome, Outcome::kUndecided);
}

TEST(Watch, StopsAtOnceOnAKillOrARestart) {
  PromotedImposter target;
  target.pods[1].series.oom_killed = true;
  Verdict verdict = target.window();
  EXPECT_TRUE(verdict.hard_stop);
  EXPECT_EQ(verdict.reason, "OOMKilled");
  PromotedImposter restarted;
  restarted.pods[0].series.restarts = 1;
  EXPECT_EQ(restarted.window().outcome, Outcome::kUndecided) << "every program ends once in a while";
  restarted.pods[0].series.restarts = 3;
  EXPECT_EQ(restarted.window().reason, "Restarted");
}

TEST(Watch, TellsTheChangeOfTheFirstSloThatHasData) {
  PromotedImposter target;
  for (PodImposter& pod : target.pods) pod.median_seconds *= 1.1;
  const Verdict verdict = target.run(60);
  ASSERT_TRUE(verdict.p99_change);
  EXPECT_NEAR(*verdict.p99_change, 0.1, 0.05);
}

TEST(Watch, FindsASourceOfGcCpuWhereTheTrialHadNone) {
  PromotedImposter target;
  target.plan.before.metrics.pop_back();
  const Verdict verdict = target.run(3);
  EXPECT_EQ(metric(verdict.evidence, kGcCpuMetric).source, "runtime metrics");
  EXPECT_EQ(metric(verdict.evidence, kGcCpuMetric).stats.n, 3);
}

TEST(Watch, CountsRequestsOfTheTargetsPods) {
  PromotedImposter target;
  EXPECT_NEAR(static_cast<double>(target.run(20).evidence.canary_requests), 2 * 40 * 5 * 20, 500);
}

TEST(Watch, StopsOnMemoryAndOnGcShare) {
  PromotedImposter full;
  full.pods[0].memory = mib(490);
  EXPECT_EQ(full.window().reason, "MemoryNearLimit");
  PromotedImposter busy;
  for (PodImposter& pod : busy.pods) {
    pod.gc_share = 0.4;
    pod.volume = 20.0 * 1024 * 1024;
  }
  EXPECT_EQ(busy.run(5).reason, "GcShare");
}

TEST(Watch, LooksOnlyAtPodsWithTheNewSettings) {
  PromotedImposter target;
  target.pods[0].series.settings.gogc = Gogc(100);
  target.pods[0].series.oom_killed = true;
  EXPECT_EQ(target.run(10).outcome, Outcome::kUndecided);
}

TEST(Watch, DoesNotHoldAYoungPodsWarmUpAgainstIt) {
  PromotedImposter target;
  target.plan.warm_up = std::chrono::minutes(5);
  for (PodImposter& pod : target.pods) pod.median_seconds *= 5;
  const Verdict verdict = target.run(20);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided);
  EXPECT_EQ(verdict.evidence.windows + verdict.evidence.empty_windows, 0);
}

TEST(Watch, BeginsWhenAllPodsRunTheNewSettings) {
  PromotedImposter target;
  target.plan.since = kStart + std::chrono::hours(24 * 365);  // the rollout is not over
  EXPECT_EQ(target.run(5).outcome, Outcome::kUndecided);
  EXPECT_FALSE(target.evidence.until);
  target.plan.since = target.now;
  target.run(3);
  EXPECT_EQ(target.evidence.windows, 3);
}

TEST(Watch, CountsNoWindowWithoutTheRequestsThatTheTrialWasJudgedBy) {
  PromotedImposter target;
  for (PodImposter& pod : target.pods) pod.requests_per_second = 0;
  const Verdict silent = target.run(20);
  EXPECT_EQ(silent.evidence.windows, 0) << "collection alone says nothing of a service that answers nobody";
  EXPECT_GE(silent.evidence.empty_windows, 15);

  PromotedImposter never_asked;
  for (PodImposter& pod : never_asked.pods) pod.requests_per_second = 0;
  never_asked.plan.before.metrics.front().stats = {};
  EXPECT_GE(never_asked.run(20).evidence.windows, 15) << "the trial was judged without";
}

TEST(Watch, SaysWhenThereIsNoData) {
  PromotedImposter target;
  for (PodImposter& pod : target.pods) {
    pod.readable = false;
    pod.series.error = "shop/checkout-0: HTTP 500";
  }
  const Verdict verdict = target.run(20);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_THAT(verdict.message, HasSubstr("HTTP 500"));
}

}  // namespace
}  // namespace gopacer
