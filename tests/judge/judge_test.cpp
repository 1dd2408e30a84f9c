#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using ::testing::HasSubstr;
using testing::kStart;
using testing::metric;
using testing::TrialImposter;

TEST(Judge, PromotesWhatSavesCpuAndKeepsLatency) {
  TrialImposter trial;
  trial.plan.slos[0].max_regression_percent = 25;
  trial.canary.gc_share = 0.05;
  const Verdict verdict = trial.run(300);
  ASSERT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
  EXPECT_EQ(verdict.reason, "Better");
  EXPECT_FALSE(verdict.hard_stop);
  EXPECT_GE(verdict.evidence.canary_requests, 2000);
  EXPECT_NEAR(*verdict.gc_change, -0.5, 0.1);
  EXPECT_NEAR(*verdict.p99_change, 0, 0.1);
  EXPECT_EQ(metric(verdict.evidence, "p99").state, MetricState::kPass);
  EXPECT_EQ(metric(verdict.evidence, kGcCpuMetric).state, MetricState::kPass);
  EXPECT_EQ(metric(verdict.evidence, kGcCpuMetric).source, "runtime metrics");
  EXPECT_NEAR(metric(verdict.evidence, kGcCpuMetric).canary, 0.05, 0.01);
  EXPECT_THAT(verdict.message, HasSubstr("points"));
}

TEST(Judge, RollsBackASlowCanary) {
  TrialImposter trial;
  trial.canary.gc_share = 0.05;
  trial.canary.median_seconds *= 1.6;
  const Verdict verdict = trial.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "LatencyRegression");
  EXPECT_LT(verdict.evidence.windows, 40);
  EXPECT_THAT(verdict.message, HasSubstr("The canary is slower: p99"));
}

TEST(Judge, RollsBackABrokenPromiseWithinThreeWindows) {
  TrialImposter trial;
  trial.plan.slos[0].max = std::chrono::milliseconds(60);
  trial.canary.requests_per_second = trial.baseline.requests_per_second = 80;
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  trial.canary.median_seconds *= 2.5;
  const Verdict verdict = trial.run(10);
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(verdict.evidence.windows, 13);
  EXPECT_THAT(verdict.message, HasSubstr("60ms"));
}

TEST(Judge, DoesNotBlameTheCanaryForASlowDay) {
  TrialImposter trial;
  trial.plan.slos[0].max = std::chrono::milliseconds(60);
  trial.canary.median_seconds *= 3;
  trial.baseline.median_seconds *= 3;
  trial.canary.gc_share = 0.05;
  EXPECT_EQ(trial.run(60).outcome, Outcome::kUndecided);
}

TEST(Judge, RejectsWhatSavesTooLittle) {
  TrialImposter trial;
  trial.canary.gc_share = 0.099;
  const Verdict verdict = trial.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "NoBenefit");
}

TEST(Judge, AcceptsALossThatWasAgreedOn) {
  TrialImposter trial;
  trial.plan.slos.clear();
  trial.plan.min_saving = -0.05;
  trial.canary.gc_share = 0.12;
  EXPECT_EQ(trial.run(100).outcome, Outcome::kBetter);

  TrialImposter worse;
  worse.plan.min_saving = -0.05;
  worse.canary.gc_share = 0.20;
  EXPECT_EQ(worse.run(100).reason, "GcCpuRegression");
}

TEST(Judge, SeesThatEachRequestCostsMore) {
  TrialImposter trial;
  trial.canary.gc_share = 0.05;
  trial.canary.cores *= 1.3;  // less in collection and more elsewhere: page faults, say
  const Verdict verdict = trial.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "CpuRegression");
  EXPECT_THAT(verdict.message, HasSubstr("Each request costs the canary more CPU: cpu-per-request 12"));
}

TEST(Judge, DoesNotAskForProofOfCheaperRequests) {
  TrialImposter trial;
  trial.plan.slos[0].max_regression_percent = 60;
  trial.canary.gc_share = 0.05;
  trial.canary.requests_per_second *= 0.98;
  const Verdict verdict = trial.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
  EXPECT_EQ(metric(verdict.evidence, kCpuMetric).state, MetricState::kUndecided);
}

TEST(Judge, NeverPromotesWithoutData) {
  TrialImposter trial;
  trial.canary.requests_per_second = 0;
  trial.baseline.requests_per_second = 0;
  trial.canary.gc_share = 0.02;
  Verdict verdict = trial.run(200);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_THAT(verdict.message, HasSubstr("p99 has no data"));

  TrialImposter deaf;
  deaf.canary.readable = false;
  deaf.canary.series.error = "shop/canary: port 6060 refused the connection";
  verdict = deaf.run(50);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_THAT(verdict.message, HasSubstr("port 6060 refused"));
  EXPECT_EQ(verdict.evidence.windows, 0);
  EXPECT_GT(verdict.evidence.empty_windows, 40);

  TrialImposter alone;
  alone.canary.series.track = Track::kStable;
  verdict = alone.run(50);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_THAT(verdict.message, HasSubstr("there is no canary pod"));
}

TEST(Judge, WaitsForEnoughRequests) {
  TrialImposter trial;
  trial.plan.slos[0].max_regression_percent = 60;
  trial.plan.min_samples = 1'000'000;
  trial.canary.gc_share = 0.05;
  const Verdict verdict = trial.run(150);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided);
  EXPECT_EQ(verdict.reason, "TooFewRequests");
}

TEST(Judge, AddsUpWindowsWithFewRequests) {
  TrialImposter trial;
  trial.canary.requests_per_second = trial.baseline.requests_per_second = 12;  // 60 a window; p99 wants 200
  for (int i = 0; i < 40; ++i) trial.window();
  const MetricEvidence& latency = metric(trial.evidence, "p99");
  EXPECT_NEAR(static_cast<double>(latency.stats.n), 10, 2);
  EXPECT_NEAR(static_cast<double>(trial.evidence.canary_requests), 12 * 200, 300);
  EXPECT_EQ(metric(trial.evidence, kGcCpuMetric).stats.n, 40);
}

const std::vector<double> kSecondsInBucketsOfMilliseconds{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000};
const std::vector<double> kUsualBuckets{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};

TEST(Judge, CallsNothingBetterThatItsBucketsCannotShow) {
  TrialImposter trial;
  trial.use_buckets(kSecondsInBucketsOfMilliseconds);
  trial.plan.slos[0].histogram.metric = "http_latency";
  trial.canary.gc_share = 0.05;
  trial.canary.median_seconds *= 3;
  trial.canary.requests_per_second = trial.baseline.requests_per_second = 60;
  const Verdict verdict = trial.run(60);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << verdict.message;
  EXPECT_EQ(verdict.reason, "BucketsTooWide");
  EXPECT_THAT(verdict.message, HasSubstr("http_latency can't show a change of p99: no bucket bound is near"));
  EXPECT_THAT(verdict.message, HasSubstr("add finer buckets near"));
  EXPECT_EQ(metric(verdict.evidence, "p99").unresolved, 60);
}

TEST(Judge, StaysUndecidedWhereMostWindowsShowNothing) {
  TrialImposter trial;
  trial.use_buckets(kSecondsInBucketsOfMilliseconds);
  trial.canary.gc_share = 0.05;
  trial.plan.slos[0].max_regression_percent = 60;
  for (int i = 0; i < 100; ++i) {
    // Now and then both stall, and what is seen then is equal.
    const double stalled = i % 4 == 0 ? 8 : 0;
    testing::observe(trial.canary.latency, 7, stalled);
    testing::observe(trial.baseline.latency, 7, stalled);
    ASSERT_EQ(trial.window().outcome, Outcome::kUndecided);
  }
  EXPECT_EQ(metric(trial.evidence, "p99").stats.n, 25);
}

TEST(Judge, MakesNoVerdictOfTheNumberOfRequestsAlone) {
  for (const std::vector<double>& bounds : {kSecondsInBucketsOfMilliseconds, kUsualBuckets}) {
    for (const auto& [ours, theirs] : {std::pair{75.0, 150.0}, {50.0, 200.0}, {200.0, 50.0}}) {
      TrialImposter trial;
      trial.use_buckets(bounds);
      trial.plan.min_saving = -0.02;
      trial.canary.requests_per_second = ours;
      trial.baseline.requests_per_second = theirs;
      trial.canary.share_noise = trial.baseline.share_noise = 0.1;  // collection decides nothing either
      const Verdict verdict = trial.run(80);
      EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << ours << ":" << theirs << " " << verdict.message;
    }
  }
}

TEST(Judge, SeesASlowCanaryThroughWideBuckets) {
  TrialImposter trial;
  trial.use_buckets(kUsualBuckets);
  trial.canary.gc_share = 0.05;
  trial.canary.median_seconds *= 1.6;
  EXPECT_EQ(trial.run(100).reason, "LatencyRegression");
  TrialImposter fine;
  fine.use_buckets(kUsualBuckets);
  fine.plan.slos[0].max_regression_percent = 60;
  fine.canary.gc_share = 0.05;
  EXPECT_EQ(fine.run(300).outcome, Outcome::kBetter);
}

TEST(Judge, EnforcesTheMaximumThatOneBoundShows) {
  TrialImposter trial;
  trial.use_buckets(kSecondsInBucketsOfMilliseconds);
  trial.plan.slos[0].max = std::chrono::milliseconds(300);
  trial.canary.requests_per_second = trial.baseline.requests_per_second = 60;
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  Verdict verdict;
  for (int i = 0; i < 3; ++i) {
    testing::observe(trial.canary.latency, 7, 20);
    verdict = trial.window();
  }
  EXPECT_EQ(verdict.reason, "SloViolated") << verdict.message;
  EXPECT_EQ(verdict.evidence.windows, 13);
}

TEST(Judge, CountsEachWindowOnce) {
  TrialImposter trial;
  for (int i = 0; i < 5; ++i) trial.window();
  const Evidence before = trial.evidence;
  for (int i = 0; i < 3; ++i) trial.look();
  EXPECT_EQ(trial.evidence.windows, before.windows);
  EXPECT_EQ(metric(trial.evidence, "p99").stats, metric(before, "p99").stats);
  EXPECT_EQ(trial.evidence.until, kStart + 5 * trial.plan.interval);
}

TEST(Judge, WaitsForTheReadingThatEndsAWindow) {
  TrialImposter trial;
  trial.now += trial.plan.interval;
  trial.canary.advance(trial.now, trial.random);
  EXPECT_EQ(trial.look().evidence.windows, 0);
  trial.baseline.advance(trial.now, trial.random);
  EXPECT_EQ(trial.look().evidence.windows, 1);
}

TEST(Judge, DoesNotWaitForASilentPodForEver) {
  TrialImposter trial;
  trial.baseline.readable = false;
  trial.window();
  EXPECT_EQ(trial.evidence.windows + trial.evidence.empty_windows, 0);
  trial.window();
  EXPECT_EQ(trial.evidence.empty_windows, 1);
}

TEST(Judge, GoesOnFromTheEvidenceOfAPredecessor) {
  TrialImposter whole(7);
  TrialImposter handed(7);
  whole.canary.gc_share = handed.canary.gc_share = 0.05;
  for (int i = 0; i < 40; ++i) whole.window();
  for (int i = 0; i < 40; ++i) {
    handed.window();
    if (i == 20) {
      // What the trial's status keeps, and no more.
      for (MetricEvidence& kept : handed.evidence.metrics) {
        kept.stats.pairs = 0;
        kept.stats.steps2 = 0;
        kept.stats.last.reset();
        kept.source.clear();
        kept.pending_since.reset();
        kept.missing = 0;
      }
    }
  }
  EXPECT_EQ(metric(whole.evidence, "p99").stats.n, metric(handed.evidence, "p99").stats.n);
  EXPECT_NEAR(metric(whole.evidence, "p99").stats.mean, metric(handed.evidence, "p99").stats.mean, 1e-9);
}

TEST(Judge, SkipsALongTimeWithoutAnOperator) {
  TrialImposter trial;
  for (int i = 0; i < 3; ++i) trial.window();
  trial.now += std::chrono::hours(24 * 30);
  const Verdict verdict = trial.look();
  EXPECT_EQ(verdict.evidence.windows, 3);
  EXPECT_GT(verdict.evidence.empty_windows, 500'000);
}

TEST(Judge, ComparesCpuProfilesWhenBothArmsHaveThem) {
  TrialImposter trial;
  trial.canary.with_profile = trial.baseline.with_profile = true;
  trial.window();
  EXPECT_EQ(metric(trial.evidence, kGcCpuMetric).source, "CPU profile");

  TrialImposter one_sided;
  one_sided.canary.with_profile = true;
  one_sided.window();
  EXPECT_EQ(metric(one_sided.evidence, kGcCpuMetric).source, "runtime metrics");
}

TEST(Judge, BeginsAnewWithAnotherSourceOfGcCpu) {
  TrialImposter trial;
  trial.canary.with_profile = trial.baseline.with_profile = true;
  for (int i = 0; i < 10; ++i) trial.window();
  trial.canary.with_profile = false;
  for (int i = 0; i < 10; ++i) trial.window();
  const MetricEvidence& gc = metric(trial.evidence, kGcCpuMetric);
  EXPECT_EQ(gc.source, "runtime metrics");
  EXPECT_EQ(gc.stats.n, 6);
}

TEST(Judge, TellsHowMuchLongerItTakes) {
  TrialImposter trial;
  trial.canary.gc_share = 0.05;
  trial.plan.max_duration = std::chrono::hours(24);
  Verdict verdict;
  for (int i = 0; i < 25; ++i) verdict = trial.window();
  ASSERT_EQ(verdict.outcome, Outcome::kUndecided);
  EXPECT_THAT(verdict.message, HasSubstr(" more."));
  trial.plan.max_duration = std::chrono::minutes(3);
  verdict = trial.window();
  EXPECT_THAT(verdict.message, HasSubstr("the time left is not enough"));
}

TEST(Judge, IgnoresRestartedCountersOfOneWindow) {
  TrialImposter trial;
  for (int i = 0; i < 3; ++i) trial.window();
  // Both crash: a new series begins, and the window of the gap has no difference.
  trial.canary.series.samples.clear();
  trial.baseline.series.samples.clear();
  trial.canary.latency = trial.baseline.latency = testing::empty_histogram();
  for (int i = 0; i < 3; ++i) trial.window();
  EXPECT_EQ(trial.evidence.windows, 5);
  EXPECT_EQ(trial.evidence.empty_windows, 1);
}

TEST(HardStop, OnAnOutOfMemoryKill) {
  TrialImposter trial;
  trial.canary.series.oom_killed = true;
  trial.canary.series.restarts = 1;
  trial.canary.series.settings.gogc = Gogc(800);
  trial.plan.measuring_since = kStart + std::chrono::minutes(5);  // even while it warms up
  const Verdict verdict = trial.window();
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_TRUE(verdict.hard_stop);
  EXPECT_EQ(verdict.reason, "OOMKilled");
  EXPECT_THAT(verdict.message, HasSubstr("GOGC=800"));
}

TEST(HardStop, OnARestartThatTheBaselineDoesNotShare) {
  TrialImposter trial;
  trial.canary.series.restarts = 1;
  EXPECT_EQ(trial.window().reason, "Restarted");
  TrialImposter both;
  both.canary.series.restarts = both.baseline.series.restarts = 1;
  EXPECT_EQ(both.window().outcome, Outcome::kUndecided);
}

TEST(HardStop, OnMemoryNearTheLimit) {
  TrialImposter trial;
  trial.canary.memory = mib(480);  // 93.75 %
  const Verdict verdict = trial.window();
  EXPECT_EQ(verdict.reason, "MemoryNearLimit");
  EXPECT_TRUE(verdict.hard_stop);
  EXPECT_THAT(verdict.message, HasSubstr("93.8 %"));
  TrialImposter below;
  below.canary.memory = mib(475);
  EXPECT_EQ(below.window().outcome, Outcome::kUndecided);
  TrialImposter both;
  both.canary.memory = mib(480);
  both.baseline.memory = mib(490);
  EXPECT_EQ(both.window().outcome, Outcome::kUndecided);
}

TEST(HardStop, OnTwoWindowsWithAQuarterOfTheCpuInCollection) {
  TrialImposter trial;
  trial.canary.gc_share = 0.35;
  trial.canary.volume = 20.0 * 1024 * 1024;
  EXPECT_EQ(trial.window().outcome, Outcome::kUndecided);
  const Verdict verdict = trial.window();
  EXPECT_EQ(verdict.reason, "GcShare");
  EXPECT_TRUE(verdict.hard_stop);

  TrialImposter usual;
  usual.canary.gc_share = usual.baseline.gc_share = 0.30;
  for (int i = 0; i < 10; ++i) EXPECT_NE(usual.window().reason, "GcShare");
}

TEST(HardStop, NotOnAShareOfOneOrTwoCollectionsInAWindow) {
  TrialImposter trial;
  trial.canary.gc_share = 0.35;  // of 1.6 collections a window: one more or less changes it by 20 points
  for (int i = 0; i < 5; ++i) EXPECT_NE(trial.window().reason, "GcShare");
}

TEST(HardStop, NotOnASampledShareThatMayBeChance) {
  TrialImposter trial;
  trial.canary.with_profile = trial.baseline.with_profile = true;
  trial.canary.gc_share = 0.29;  // 100 stacks a window: ± 9 points at two standard errors
  trial.canary.share_noise = 0;
  for (int i = 0; i < 5; ++i) EXPECT_NE(trial.window().reason, "GcShare");
}

TEST(HardStop, WhereTheRuntimeHoldsCollectionBack) {
  TrialImposter trial;
  trial.window();
  trial.canary.limited_cycle = 7;
  const Verdict verdict = trial.window();
  EXPECT_EQ(verdict.reason, "GcLimited");
  EXPECT_TRUE(verdict.hard_stop);
  EXPECT_THAT(verdict.message, HasSubstr("beyond GOMEMLIMIT"));

  TrialImposter both;
  both.window();
  both.canary.limited_cycle = both.baseline.limited_cycle = 7;
  EXPECT_NE(both.window().reason, "GcLimited");
  TrialImposter before;
  before.canary.limited_cycle = 7;
  before.window();
  EXPECT_NE(before.window().reason, "GcLimited") << "it was limited before the trial measured";
}

TEST(HardStop, OnCollectionsThatLeaveNoRoom) {
  TrialImposter trial;
  trial.canary.volume = 6.0 * 1024 * 1024;  // a tenth of what lives, as GOGC=10 has it
  const Verdict verdict = trial.window();
  EXPECT_EQ(verdict.reason, "GcTooFrequent");
  EXPECT_TRUE(verdict.hard_stop);
  TrialImposter both;
  both.canary.volume = both.baseline.volume = 6.0 * 1024 * 1024;
  EXPECT_EQ(both.window().outcome, Outcome::kUndecided);
  TrialImposter small;
  small.canary.live = mib(3);
  small.canary.volume = 0.5 * 1024 * 1024;
  EXPECT_EQ(small.window().outcome, Outcome::kUndecided);
}

TEST(WarmUp, EndsWithThreeCollectionsOfEachPod) {
  TrialImposter trial;
  EXPECT_FALSE(warmed_up(trial.observation()));
  for (int i = 0; i < 10; ++i) trial.window();
  EXPECT_TRUE(warmed_up(trial.observation()));
  EXPECT_FALSE(warmed_up(Observation{}));
}

TEST(WarmUp, CountsNoWindows) {
  TrialImposter trial;
  trial.plan.measuring_since = kStart + std::chrono::seconds(60);
  for (int i = 0; i < 11; ++i) EXPECT_EQ(trial.window().reason, "WarmUp");
  EXPECT_EQ(trial.evidence.windows, 0);
  trial.window();
  trial.window();
  EXPECT_EQ(trial.evidence.windows, 1);
}

/// The whole judge on pods that are equal, with the noise of real requests: how often does it say anything?
TEST(FalseAlarms, AreRareBetweenEqualPods) {
  int worse = 0;
  int better = 0;
  constexpr int kTrials = 40;
  for (int seed = 0; seed < kTrials; ++seed) {
    TrialImposter trial(static_cast<std::uint64_t>(1000 + seed));
    trial.plan.slos[0].max = std::chrono::milliseconds(32);  // where both arms' p99 lies: chance alone crosses it
    trial.plan.min_saving = 0;
    trial.canary.requests_per_second = trial.baseline.requests_per_second = 44;
    trial.canary.share_noise = trial.baseline.share_noise = 0.03;
    double drift = 0;
    std::normal_distribution<double> noise(0, 0.1);
    for (int i = 0; i < 80; ++i) {
      // Load moves both arms alike.
      drift = 0.7 * drift + noise(trial.random);
      trial.canary.median_seconds = trial.baseline.median_seconds = 0.010 * std::exp(drift);
      const Verdict verdict = trial.window();
      if (verdict.outcome == Outcome::kWorse) ++worse;
      if (verdict.outcome == Outcome::kBetter) ++better;
      if (verdict.outcome == Outcome::kWorse || verdict.outcome == Outcome::kBetter) break;
    }
  }
  // 5 % each would be 2; these are three standard errors more.
  EXPECT_LE(worse, 6);
  EXPECT_LE(better, 6);
}

}  // namespace
}  // namespace gopacer
