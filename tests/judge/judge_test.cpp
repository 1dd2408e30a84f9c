#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gopacer/judge/sequential.h"
#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using testing::Account;
using ::testing::EndsWith;
using testing::ExactTrial;
using ::testing::HasSubstr;
using testing::kStart;
using testing::metric;
using testing::PodImposter;
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
  trial.plan.slos[0].max = 0.06;
  trial.canary.requests_per_second = trial.baseline.requests_per_second = 80;
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  trial.canary.median_seconds *= 2.5;
  const Verdict verdict = trial.run(10);
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(verdict.evidence.windows, 13);
  EXPECT_THAT(verdict.message, HasSubstr("60ms"));
}

TEST(Judge, LetsAPromiseBeBrokenForAsLongAsAPersonAllows) {
  TrialImposter trial;
  trial.plan.slos[0].max = 0.06;
  trial.canary.gc_share = 0.05;
  trial.plan.slos[0].max_for = 7 * trial.plan.interval;
  trial.canary.requests_per_second = trial.baseline.requests_per_second = 80;
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  trial.canary.median_seconds *= 2.5;
  const Verdict verdict = trial.run(10);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(verdict.evidence.windows, 17);
}

TEST(Judge, DoesNotBlameTheCanaryForASlowDay) {
  TrialImposter trial;
  trial.plan.slos[0].max = 0.06;
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
  trial.canary.cores *= 1.55;  // just below what is tolerated
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

TEST(Judge, CountsTheRequestsOfEachSideForItself) {
  for (const bool more_to_canary : {true, false}) {
    TrialImposter trial;
    trial.plan.slos[0].max_regression_percent = 60;
    trial.plan.min_samples = 10'000;
    trial.canary.gc_share = 0.05;
    trial.canary.requests_per_second = trial.baseline.requests_per_second = 60;
    PodImposter& busier = more_to_canary ? trial.canary : trial.baseline;
    busier.requests_per_second *= 2;
    busier.cores *= 2;
    const Verdict verdict = trial.run(25);  // 15,000 on one side and 7,500 on the other
    EXPECT_EQ(verdict.reason, "TooFewRequests") << verdict.message;
    EXPECT_NEAR(static_cast<double>(verdict.evidence.canary_requests), more_to_canary ? 15000 : 7500, 500);
    EXPECT_NEAR(static_cast<double>(verdict.evidence.baseline_requests), more_to_canary ? 7500 : 15000, 500);
  }
}

TEST(Judge, WantsEverySloToPass) {
  TrialImposter trial;
  trial.plan.slos[0].max_regression_percent = 60;
  trial.canary.gc_share = 0.05;
  Slo other = trial.plan.slos[0];
  other.name = "of another page";
  trial.plan.slos.push_back(other);
  EXPECT_EQ(trial.run(30).reason, "NoData") << "nobody reads the second one";
  std::swap(trial.plan.slos[0], trial.plan.slos[1]);
  trial.evidence = {};
  trial.plan.measuring_since = trial.now;
  EXPECT_EQ(trial.run(30).reason, "NoData");
}

TEST(Judge, CountsAWindowWithJustEnoughRequests) {
  for (const bool canary_has_fewer : {true, false}) {
    ExactTrial trial;
    const Account many;
    Account fewer;
    fewer.requests = 49;
    const auto window = [&] { trial.window(canary_has_fewer ? fewer : many, canary_has_fewer ? many : fewer); };
    window();
    EXPECT_EQ(metric(trial.evidence, "p50").stats.n, 0);
    EXPECT_EQ(metric(trial.evidence, "p50").missing, 0);
    EXPECT_EQ(metric(trial.evidence, "p50").pending_since, kStart);
    EXPECT_EQ(trial.evidence.windows, 1) << "it has data, if not enough to count";
    ExactTrial enough;
    fewer.requests = 50;
    enough.window(canary_has_fewer ? fewer : many, canary_has_fewer ? many : fewer);
    EXPECT_EQ(metric(enough.evidence, "p50").stats.n, 1);
    EXPECT_FALSE(metric(enough.evidence, "p50").pending_since);
  }
}

TEST(Judge, AddsUpEightWindowsAtMost) {
  Account few;
  few.requests = 6;
  ExactTrial trial;
  trial.windows(7, few, few);
  EXPECT_EQ(metric(trial.evidence, "p50").pending_since, kStart);
  trial.window(few, few);
  EXPECT_FALSE(metric(trial.evidence, "p50").pending_since) << "48 of 50: what is older says little of now";
  trial.window(few, few);
  EXPECT_EQ(metric(trial.evidence, "p50").pending_since, kStart + std::chrono::seconds(80));
  EXPECT_EQ(metric(trial.evidence, "p50").stats.n, 0);
  EXPECT_EQ(metric(trial.evidence, "p50").missing, 0) << "few is not none";
  Account more;
  more.requests = 7;
  ExactTrial enough;
  enough.windows(8, more, more);
  EXPECT_EQ(metric(enough.evidence, "p50").stats.n, 1);
  EXPECT_EQ(metric(enough.evidence, "p50").missing, 0);
  EXPECT_EQ(enough.evidence.canary_requests, 56);
}

TEST(Judge, ComparesCpuWhereTheRequestsAreWithinAQuarterOfEachOther) {
  for (const auto& [ours, windows] : {std::pair{1250.0, 1}, {1251.0, 0}, {800.0, 1}, {799.0, 0}}) {
    Account canary;
    canary.requests = ours;
    ExactTrial trial;
    trial.window(canary, Account{});
    const MetricEvidence& cpu = metric(trial.evidence, kCpuMetric);
    EXPECT_EQ(cpu.stats.n, windows) << ours;
    if (windows == 0) continue;
    EXPECT_NEAR(cpu.canary, 5 / ours, 1e-12);
    EXPECT_NEAR(cpu.baseline, 0.005, 1e-12);
    EXPECT_NEAR(cpu.stats.mean, std::log(1000 / ours), 1e-12) << "the same CPU for more of them is less for each";
  }
}

TEST(Judge, LetsARequestCostFivePercentMoreThanTheLossThatWasAccepted) {
  for (const auto& [saving, most] : {std::pair{0.02, 1.05}, {0.0, 1.05}, {-0.05, 1.10}}) {
    ExactTrial trial;
    trial.plan.min_saving = saving;
    trial.window({}, {});
    EXPECT_NEAR(metric(trial.evidence, kCpuMetric).threshold, std::log(most), 1e-12) << saving;
    EXPECT_EQ(metric(trial.evidence, kGcCpuMetric).threshold, -saving);
  }
}

TEST(Judge, LetsARequestCostAsMuchMoreAsItMayTakeLonger) {
  ExactTrial trial;
  trial.plan.slos[0].max_regression_percent = 20;
  trial.window({}, {});
  EXPECT_NEAR(metric(trial.evidence, kCpuMetric).threshold, std::log(1.20), 1e-12);
}

TEST(Judge, LooksAtCollectionAloneWhereThereIsNoSlo) {
  ExactTrial trial;
  trial.plan.slos.clear();
  trial.window({}, {});
  ASSERT_EQ(trial.evidence.metrics.size(), 1U);
  EXPECT_EQ(trial.evidence.metrics[0].name, kGcCpuMetric);
}

const Account kHalfTheCollection{.gc = 0.25};
const Account kNoRequests{.requests = 0};
const Account kSilentOnGc{.tells_gc = false};

TEST(Judge, TellsTheWholeStoryOfABetterCanary) {
  ExactTrial trial;
  trial.plan.min_samples = 20'000;
  EXPECT_EQ(trial.windows(19, kHalfTheCollection, {}).outcome, Outcome::kUndecided);
  const Verdict verdict = trial.window(kHalfTheCollection, {});
  EXPECT_EQ(verdict.outcome, Outcome::kBetter);
  EXPECT_EQ(verdict.message,
            "p50 10.0ms → 10.0ms, 0.0 % (-4.6 % … +4.8 %, has to be below +5.0 %); gc-cpu 10.0 % → 5.0 % of CPU, -5.0 "
            "points (-5.0 points … -5.0 points, has to be below -2.0 points); cpu-per-request 5.0ms → 5.0ms, 0.0 % "
            "(-4.6 % … +4.8 %, has to be below +5.0 %); pods with equal settings are presumed to differ by 7.0 %, "
            "which alone may make up to 4.8 %; 20 windows.");
  EXPECT_NEAR(*verdict.gc_change, -0.5, 1e-9);
}

TEST(Judge, WantsOneRequestMoreWhereOneIsWanting) {
  ExactTrial trial;
  trial.plan.min_samples = 20'001;
  const Verdict verdict = trial.windows(20, kHalfTheCollection, {});
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided);
  EXPECT_THAT(verdict.message, HasSubstr("Good so far, after 20000 requests to the canary and 20000 to the baseline of "
                                         "at least 20001 each: p50 10.0ms"));
}

TEST(Judge, DoesNotTakeANightWithoutRequestsForAnotherPairsEvidence) {
  ExactTrial trial;
  trial.windows(30, kHalfTheCollection, {});
  trial.evidence = going_on_from(trial.evidence);
  trial.plan.measuring_since = trial.now;
  const double before = so_far(trial.evidence).pods;
  Account idle = kHalfTheCollection;
  idle.requests = 0;
  const Verdict verdict = trial.windows(30, idle, kNoRequests);
  EXPECT_NE(verdict.outcome, Outcome::kBetter) << verdict.message;
  EXPECT_EQ(trial.evidence.windows, 0);
  EXPECT_EQ(so_far(trial.evidence).pods, before);
}

TEST(Judge, WantsTwentyWindowsOfItsOwnOfATrialThatGoesOn) {
  ExactTrial trial;
  ASSERT_EQ(trial.windows(30, kHalfTheCollection, {}).outcome, Outcome::kBetter);
  trial.evidence = going_on_from(trial.evidence);
  trial.plan.measuring_since = trial.now;
  EXPECT_EQ(trial.windows(19, kHalfTheCollection, {}).outcome, Outcome::kUndecided);
  EXPECT_EQ(trial.window(kHalfTheCollection, {}).outcome, Outcome::kBetter);
}

TEST(Judge, CountsRequestsOnceHoweverManySlosThereAre) {
  ExactTrial trial;
  trial.plan.slos.push_back(ExactTrial::slo("other"));
  trial.windows(3, {}, {});
  EXPECT_EQ(trial.evidence.canary_requests, 3000);
  EXPECT_EQ(trial.evidence.baseline_requests, 3000);
}

TEST(Judge, TellsTheChangeOfTheFirstSloThatHasData) {
  // One bucket more is a quarter more.
  const Account slower{.seconds = 0.0125, .seconds2 = 0.015625};
  ExactTrial trial;
  trial.plan.slos = {ExactTrial::slo("read by nobody"), ExactTrial::slo("p50"), ExactTrial::slo("other")};
  EXPECT_NEAR(*trial.windows(3, slower, {}).p99_change, 0.25, 1e-9);
  std::swap(trial.plan.slos[1], trial.plan.slos[2]);
  EXPECT_NEAR(*trial.windows(3, slower, {}).p99_change, 0.5625, 1e-9);
  ExactTrial idle;
  EXPECT_FALSE(idle.window(kNoRequests, kNoRequests).p99_change);
}

TEST(Judge, TrustsPairsThatAreApartLess) {
  // With the four degrees of freedom of what is presumed, 2.115 · 7 % · √(0.95·nodes_apart + 0.05·2·pairs) / pairs;
  // each pair that is apart brings two.
  for (const auto& [pairs, apart, margin] :
       {std::tuple(1, 0, 0.0468), {1, 2, 0.2094}, {4, 8, 0.1047}, {4, 2, 0.0561}}) {
    ExactTrial trial;
    trial.plan.pairs = pairs;
    trial.plan.nodes_apart = apart;
    trial.plan.min_saving = -0.05;  // or the trial would end by it
    const Verdict verdict = trial.windows(30, {}, {});
    const MetricEvidence& latency = metric(trial.evidence, trial.plan.slos[0].name);
    EXPECT_NEAR(latency.high, margin, 1e-4) << "the windows are all equal";
    EXPECT_NEAR(latency.low, -margin, 1e-4);
    EXPECT_EQ(metric(trial.evidence, kGcCpuMetric).high, metric(trial.evidence, kGcCpuMetric).low)
        << "a share of CPU is the same on any node";
    EXPECT_EQ(verdict.message.find("different nodes") != std::string::npos, apart > 0) << verdict.message;
  }
}

TEST(Judge, RemembersByHowMuchTheTargetDiffersFromTheBaseline) {
  ExactTrial trial;
  trial.windows(3, Account{.seconds = 0.0125}, {});
  EXPECT_EQ(metric(trial.evidence, "p50").peers.n, 0) << "there is no pod of the target";
  PodSeries target = trial.canary;
  target.track = Track::kStable;
  const Observation observed{trial.now, {trial.canary, trial.baseline, target}, {}, {}};
  const MetricEvidence latency = metric(judge(trial.plan, Evidence(), observed, trial.now).evidence, "p50");
  EXPECT_EQ(latency.peers.n, 3);
  EXPECT_NEAR(latency.peers.mean, std::log(1.25), 1e-9);
}

TEST(Judge, TellsNoRelativeChangeOfACollectionThatTookNothing) {
  ExactTrial trial;
  const Verdict verdict = trial.windows(3, {}, Account{.gc = 0});
  EXPECT_FALSE(verdict.gc_change);
  EXPECT_EQ(metric(verdict.evidence, kGcCpuMetric).stats.n, 3);
}

TEST(Judge, CallsItNoBenefitWhereNoLossWasAccepted) {
  ExactTrial trial;
  trial.plan.min_saving = 0;
  EXPECT_EQ(trial.windows(20, Account{.gc = 0.6}, {}).reason, "NoBenefit");
}

TEST(Judge, KeepsWhatItCountedWhenItsSourceWasSilentForAWhile) {
  ExactTrial trial;
  trial.windows(3, {}, {});
  trial.windows(6, kSilentOnGc, kSilentOnGc);
  EXPECT_EQ(metric(trial.evidence, kGcCpuMetric).missing, 6);
  trial.window({}, {});  // from before the silence: not read within two windows
  trial.windows(2, {}, {});
  EXPECT_EQ(metric(trial.evidence, kGcCpuMetric).stats.n, 5);
  EXPECT_EQ(metric(trial.evidence, kGcCpuMetric).missing, 0);
}

TEST(Judge, GivesASourceUpOnlyWhenItIsSilentForFourWindowsInARow) {
  TrialImposter trial;
  trial.baseline.with_profile = true;
  for (int i = 0; i < 20; ++i) {
    trial.canary.with_profile = i % 4 == 0;
    trial.window();
    ASSERT_EQ(metric(trial.evidence, kGcCpuMetric).source, "CPU profile") << i;
  }
}

TEST(Judge, SaysOfEachMetricWhatItNeeds) {
  ExactTrial deaf;
  deaf.windows(2, kSilentOnGc, kSilentOnGc);
  Account silent = kSilentOnGc;
  silent.requests = 0;
  deaf.window(silent, silent);
  EXPECT_EQ(deaf.evidence.empty_windows, 1);
  const Verdict verdict = deaf.window(kSilentOnGc, kSilentOnGc);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_EQ(verdict.message,
            "gc-cpu has no data in 4 windows. It needs CPU profiles, go_cpu_classes_gc_total_cpu_seconds_total, or "
            "GOMAXPROCS and a CPU counter.");
  ExactTrial idle;
  EXPECT_EQ(idle.windows(3, kNoRequests, kNoRequests).outcome, Outcome::kUndecided);
  EXPECT_EQ(
      idle.window(kNoRequests, kNoRequests).message,
      "p50 has no data in 4 windows. Do requests reach both arms, and are the SLO's port, path, metrics and labels "
      "right?");
  idle.canary.error = "shop/canary: HTTP 500";
  idle.baseline.track = Track::kStable;
  EXPECT_THAT(idle.window(kNoRequests, kNoRequests).message,
              HasSubstr("p50 has no data in 5 windows; shop/canary: HTTP 500; there is no baseline pod. Do requests"));
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
  trial.plan.slos[0].histogram().metric = "http_latency";
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

TEST(Judge, NamesTheBucketsOfTheBaselineElseThoseOfTheCanary) {
  TrialImposter trial;
  trial.use_buckets({5, 10});
  trial.canary.gc_share = 0.05;
  for (int i = 0; i < 30; ++i) trial.window();
  trial.baseline.series.samples.change_each(
      [](Sample& sample) { sample.latency["p99"] = testing::histogram_of({{5, 0}, {10, 0}}, 400); });
  EXPECT_THAT(trial.look().message, HasSubstr("above the last one, 10.00s: add buckets above that."));
  trial.baseline.series.samples.change_each([](Sample& sample) { sample.latency.clear(); });
  EXPECT_THAT(trial.look().message, HasSubstr("below the first one, 5.00s"));
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
  trial.plan.slos[0].max = 0.3;
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

TEST(Judge, TellsHowMuchLongerItTakesAtThePresentPace) {
  // A metric that needs some windows more by the formula for its interval.
  TrialImposter trial(2);
  trial.plan.slos.clear();
  trial.canary.gc_share = 0.074;
  trial.canary.share_noise = trial.baseline.share_noise = 0.01;
  Verdict verdict;
  for (int i = 0; i < 22; ++i) verdict = trial.window();
  ASSERT_EQ(verdict.outcome, Outcome::kUndecided) << verdict.message;
  const RunningStats& stats = metric(trial.evidence, kGcCpuMetric).stats;
  const double all = windows_needed(stats, std::abs(stats.mean + trial.plan.min_saving), trial.plan.alpha);
  ASSERT_GT(all, 25);
  const auto seconds = std::chrono::seconds(static_cast<std::int64_t>((all - 22) * 5));
  EXPECT_THAT(verdict.message, HasSubstr("About " + format_duration(seconds) + " more."));
}

TEST(Judge, ReckonsWithTwentyWindowsAtFirst) {
  ExactTrial trial;
  EXPECT_THAT(trial.windows(5, kHalfTheCollection, {}).message, EndsWith(". About 2m30s more."));
  trial.windows(7, kHalfTheCollection, {});
  EXPECT_THAT(trial.window(kHalfTheCollection, {}).message, EndsWith(". About 1m10s more."));
}

TEST(Judge, ReckonsWithTheSpreadFromTheTenthWindowOn) {
  ExactTrial trial;
  const auto window = [&](int i) {
    return trial.window(Account{.seconds = i % 2 == 0 ? 0.010 : 0.0125, .gc = 0.25}, {}).message;
  };
  for (int i = 1; i < 9; ++i) window(i);
  EXPECT_THAT(window(9), EndsWith("About 1m50s more."));
  EXPECT_THAT(window(10), Not(HasSubstr("About 1m40s more.")));
}

TEST(Judge, ReckonsWithThePaceAtWhichWindowsCount) {
  const Account half{.requests = 25, .gc = 0.25};
  ExactTrial trial;
  EXPECT_THAT(trial.window(half, half).message, EndsWith("About 3m20s more.")) << "none counts yet, and twenty have to";
  EXPECT_THAT(trial.windows(3, half, half).message, EndsWith("About 6m more.")) << "18 more of two windows each";
}

TEST(Judge, WaitsForNoMetricThatHasToShowNothing) {
  ExactTrial trial;
  // Too uneven to compare CPU.
  EXPECT_THAT(trial.windows(5, Account{.requests = 2000, .gc = 0.25}, {}).message, EndsWith("About 2m30s more."));
}

TEST(Judge, SaysWhenTheTimeLeftIsNotEnough) {
  ExactTrial trial;
  trial.plan.max_duration = std::chrono::seconds(200);
  EXPECT_THAT(trial.windows(5, kHalfTheCollection, {}).message, EndsWith("About 2m30s more."));
  ExactTrial shorter;
  shorter.plan.max_duration = std::chrono::seconds(199);
  EXPECT_THAT(shorter.windows(5, kHalfTheCollection, {}).message,
              EndsWith("At this pace the time left is not enough: more requests, more canary.replicas, a longer "
                       "canary.maxDuration or a wider tolerance would decide it."));
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

TEST(HardStop, OnRestartsThatTheBaselineDoesNotShare) {
  TrialImposter trial;
  trial.canary.series.restarts = 2;
  EXPECT_EQ(trial.window().reason, "Restarted");
  TrialImposter both;
  both.canary.series.restarts = both.baseline.series.restarts = 2;
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
  const Verdict tolerated = both.window();
  EXPECT_EQ(tolerated.outcome, Outcome::kUndecided);
  EXPECT_NEAR(tolerated.evidence.baseline_memory, 490.0 / 512, 1e-9);
  both.baseline.memory = mib(300);
  EXPECT_EQ(both.window().outcome, Outcome::kUndecided) << "the old settings came so far, too";
}

TEST(Verdict, TakesNoViolationOfAPromiseThatNobodyMade) {
  TrialImposter trial;
  for (Slo& slo : trial.plan.slos) slo.max.reset();
  MetricEvidence forged;
  forged.name = trial.plan.slos.front().name;
  forged.violations = 100;
  trial.evidence.metrics = {forged};
  EXPECT_EQ(trial.window().outcome, Outcome::kUndecided);
}

TEST(HardStop, CountsFilesInMemory) {
  TrialImposter trial;
  trial.canary.files_in_memory = mib(280);  // of 512, with 200 of anonymous memory
  EXPECT_EQ(trial.window().reason, "MemoryNearLimit");
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

TEST(HardStop, NotOnAQuarterOfTheCpuNowAndThen) {
  TrialImposter trial;
  trial.canary.volume = 20.0 * 1024 * 1024;
  for (int i = 0; i < 8; ++i) {
    trial.canary.gc_share = i % 2 == 0 ? 0.05 : 0.35;
    EXPECT_NE(trial.window().reason, "GcShare") << i;
  }
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

TEST(Judge, HasNothingToCompareWhereTheCanaryDoesNotHeedItsSettings) {
  TrialImposter trial;
  trial.plan.measuring_since = kStart + std::chrono::minutes(5);  // already while it warms up
  trial.canary.series.settings = {Gogc(200), mib(300)};
  trial.canary.runs = Settings{Gogc(200), mib(300)};
  EXPECT_EQ(trial.window().reason, "WarmUp");
  trial.canary.runs = Settings{Gogc(75), mib(300)};
  const Verdict verdict = trial.window();
  EXPECT_EQ(verdict.outcome, Outcome::kPointless);
  EXPECT_EQ(verdict.reason, "SelfTuned");
  EXPECT_THAT(verdict.message, HasSubstr("was started with GOGC=200 GOMEMLIMIT=300MiB and runs GOGC=75"));
  trial.canary.runs = Settings{Gogc(200), mib(400)};
  EXPECT_EQ(trial.window().reason, "SelfTuned");
  // An unset variable asks for nothing.
  trial.canary.series.settings = {};
  EXPECT_EQ(trial.window().reason, "WarmUp");
}

TEST(Judge, SaysNothingOfCollectionBeforeTheCanaryCollectedEightTimes) {
  TrialImposter trial;
  trial.canary.volume = 600e6;  // 20 MB/s: once in half a minute
  const Verdict early = trial.run(40);
  EXPECT_LT(metric(early.evidence, kGcCpuMetric).counted, 8);
  EXPECT_EQ(metric(early.evidence, kGcCpuMetric).state, MetricState::kUndecided);
  EXPECT_THAT(early.message, HasSubstr("and has to 8 times before collection is judged"));
  EXPECT_NE(metric(trial.run(20).evidence, kGcCpuMetric).state, MetricState::kUndecided);
}

TEST(WarmUp, EndsWithTwoCollectionsOfEachPodAfterItsTime) {
  TrialImposter trial;
  EXPECT_FALSE(warmed_up(trial.observation(), kStart));
  for (int i = 0; i < 10; ++i) trial.window();
  EXPECT_TRUE(warmed_up(trial.observation(), kStart));
  EXPECT_FALSE(warmed_up(trial.observation(), trial.now)) << "those of the start do not count";
  for (int i = 0; i < 10; ++i) trial.window();
  EXPECT_TRUE(warmed_up(trial.observation(), trial.now - 10 * trial.plan.interval));
  EXPECT_FALSE(warmed_up(Observation{}, kStart));
}

TEST(WarmUp, IsOverOnlyWhenNoPodOfEitherArmIsCold) {
  const auto observed = [](std::initializer_list<std::pair<Track, std::uint32_t>> collections) {
    Observation out;
    for (const auto& [track, count] : collections) {
      PodSeries pod;
      pod.track = track;
      Sample before;
      before.mem.emplace();
      before.mem->num_gc = 7;
      Sample sample = before;
      sample.mem->num_gc += count;
      sample.at += std::chrono::seconds(1);
      pod.samples = {before, sample, Sample{}};  // and a later one that tells nothing
      out.pods.push_back(pod);
    }
    return out;
  };
  const auto warm = [&](std::initializer_list<std::pair<Track, std::uint32_t>> collections) {
    return warmed_up(observed(collections), Time{} + std::chrono::milliseconds(500));
  };
  EXPECT_TRUE(warm({{Track::kCanary, 2}, {Track::kBaseline, 2}}));
  EXPECT_FALSE(warm({{Track::kCanary, 1}, {Track::kBaseline, 2}}));
  EXPECT_FALSE(warm({{Track::kCanary, 2}, {Track::kCanary, 1}, {Track::kBaseline, 2}}));
  EXPECT_FALSE(warm({{Track::kCanary, 2}, {Track::kBaseline, 2}, {Track::kBaseline, 0}}));
  EXPECT_FALSE(warm({{Track::kCanary, 2}})) << "nobody to compare with";
}

TEST(WarmUp, CountsNoWindows) {
  TrialImposter trial;
  trial.plan.measuring_since = kStart + std::chrono::seconds(60);
  for (int i = 0; i < 11; ++i) EXPECT_EQ(trial.window().reason, "WarmUp");
  EXPECT_EQ(trial.evidence.windows, 0);
  EXPECT_EQ(trial.window().reason, "Measuring");
  trial.window();
  EXPECT_EQ(trial.evidence.windows, 1);
}

TEST(Outcome, HasAWordForPeople) {
  EXPECT_EQ(to_string(Outcome::kBetter), "better");
  EXPECT_EQ(to_string(Outcome::kWorse), "worse");
  EXPECT_EQ(to_string(Outcome::kUndecided), "undecided");
  EXPECT_EQ(to_string(Outcome::kNoData), "no data");
  EXPECT_EQ(to_string(Outcome::kPointless), "pointless");
}

/// The whole judge on pods that are equal, with the noise of real requests: how often does it say anything?
TEST(FalseAlarms, AreRareBetweenEqualPods) {
  int worse = 0;
  int better = 0;
  constexpr int kTrials = 40;
  for (int seed = 0; seed < kTrials; ++seed) {
    TrialImposter trial(static_cast<std::uint64_t>(1000 + seed));
    trial.plan.slos[0].max = 0.032;  // where both arms' p99 lies: chance alone crosses it
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
