#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "judge/measure.h"
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
    slo.max = 0.06;
    plan.slos.push_back(slo);
    plan.settings.gogc = Gogc(200);
    plan.since = kStart;
    plan.interval = std::chrono::seconds(5);
    MetricEvidence latency;
    latency.name = "p99";
    latency.relative = true;
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

/// A pod of the trial's baseline beside them, as slow as the time before.
PodImposter& add_baseline(PromotedImposter& target) {
  target.pods.emplace_back("baseline", Track::kBaseline, kStart - std::chrono::minutes(30));
  PodImposter& baseline = target.pods.back();
  baseline.gc_share = 0.10;
  for (PodImposter& pod : target.pods) pod.requests_per_second = 200;
  baseline.advance(target.now, target.random);
  return baseline;
}

TEST(WatchBesideABaseline, TakesNeitherTheLoadNorTheHourForHarm) {
  PromotedImposter target;
  add_baseline(target);
  for (PodImposter& pod : target.pods) pod.median_seconds *= 3;
  const Verdict verdict = target.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << verdict.message;
  EXPECT_EQ(metric(verdict.evidence, "p99").source, "baseline");
  EXPECT_NEAR(*verdict.p99_change, 0, 0.05);
}

TEST(WatchBesideABaseline, SeesWhatSlowsTheNewSettingsAlone) {
  PromotedImposter target;
  add_baseline(target);
  for (PodImposter& pod : target.pods) pod.median_seconds *= pod.series.track == Track::kStable ? 1.4 : 1;
  const Verdict verdict = target.run(60);
  EXPECT_EQ(verdict.reason, "LatencyRegression") << verdict.message;
  EXPECT_THAT(verdict.message, HasSubstr("Slower than the baseline beside it"));
}

TEST(WatchBesideABaseline, SubtractsWhatTheyDifferedByBeforeAsFarAsNodesExplainIt) {
  // Of one baseline and two pods nodes may make 2.115 · 7 % · √(1 + 1/2).
  const double most = 2.115 * 0.07 * std::sqrt(1.5);
  for (const auto& [before, windows, usual] :
       {std::tuple(0.08, 20, 0.08), {-0.08, 20, -0.08}, {0.4, 20, most}, {-0.4, 20, -most}, {0.08, 9, 0.0}}) {
    PromotedImposter target;
    target.plan.slos[0].max.reset();
    add_baseline(target);
    for (int i = 0; i < windows; ++i) target.plan.before.metrics.front().peers.add(before);
    const Verdict verdict = target.run(40);
    ASSERT_TRUE(verdict.p99_change);
    EXPECT_NEAR(std::log1p(*verdict.p99_change), -usual, 0.02) << before << " in " << windows;
  }
}

TEST(WatchBesideABaseline, SeesHarmThatBeginsLate) {
  PromotedImposter target;
  target.plan.slos[0].max.reset();
  add_baseline(target);
  EXPECT_EQ(target.run(60).outcome, Outcome::kUndecided);
  for (PodImposter& pod : target.pods) pod.median_seconds *= pod.series.track == Track::kStable ? 1.5 : 1;
  EXPECT_EQ(target.run(60).reason, "LatencyRegression");
}

/// What one of the target's pods does by turns with the new settings and with the old ones.
void add_turns(PromotedImposter& target) {
  target.plan.slos[0].max.reset();
  target.plan.within_pods = true;
  for (PodImposter* pod : {&add_baseline(target), &add_baseline(target)}) pod->median_seconds *= 3;
  target.pods.back().series.track = Track::kCanary;
  target.pods.back().series.pod = "by turns";
}

TEST(WatchWithinPods, ComparesPodsThatAreUnlikeTheOthersWithThemselves) {
  PromotedImposter target;
  add_turns(target);
  const Verdict verdict = target.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << verdict.message;
  EXPECT_EQ(metric(verdict.evidence, "p99").source, "baseline");
  EXPECT_NEAR(*verdict.p99_change, 0, 0.05);
}

TEST(WatchWithinPods, SeesHarmThatBeginsLate) {
  PromotedImposter target;
  add_turns(target);
  EXPECT_EQ(target.run(60).outcome, Outcome::kUndecided);
  for (PodImposter& pod : target.pods) pod.median_seconds *= pod.series.track == Track::kBaseline ? 1 : 1.5;
  const Verdict verdict = target.run(60);
  EXPECT_EQ(verdict.reason, "LatencyRegression");
  EXPECT_THAT(verdict.message, HasSubstr("Slower than the same pods with the old settings, by turns: "));
}

TEST(WatchWithinPods, StillSeesAKill) {
  PromotedImposter target;
  add_turns(target);
  target.run(10);
  for (PodImposter& pod : target.pods) {
    pod.series.oom_killed = true;
    ++pod.series.restarts;
  }
  EXPECT_EQ(target.run(1).reason, "OOMKilled") << "which ended with the process whatever it ran then";
}

TEST(WatchBesideABaseline, TakesNoGainThatGoesWithTheLoadForHarm) {
  PromotedImposter target;
  target.plan.slos[0].max.reset();
  add_baseline(target);
  const auto at = [&](double times) {
    for (PodImposter& pod : target.pods) {
      if (pod.series.track == Track::kStable) pod.median_seconds *= times;
    }
  };
  at(0.6);
  EXPECT_EQ(target.run(60).outcome, Outcome::kUndecided);
  at(1 / 0.6);
  const Verdict verdict = target.run(60);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << verdict.message;
}

TEST(WatchBesideABaseline, HoldsThePromiseWhereTheBaselineShowsNothing) {
  PromotedImposter target;
  add_baseline(target).requests_per_second = 0;
  EXPECT_EQ(target.run(5).outcome, Outcome::kUndecided);
  for (PodImposter& pod : target.pods) pod.median_seconds *= 3;
  EXPECT_EQ(target.run(10).reason, "SloViolated");
}

TEST(WatchBesideABaseline, IsNotBlindedByOneThatIsAskedFarMore) {
  PromotedImposter target;
  PodImposter& baseline = add_baseline(target);
  baseline.requests_per_second = 1000;
  for (PodImposter& pod : target.pods) pod.median_seconds *= 3;
  baseline.median_seconds *= 10;  // and slow because of that
  const Verdict verdict = target.run(10);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(metric(verdict.evidence, "p99").stats.n, 0);
}

TEST(WatchBesideABaseline, BlamesNobodyForAPromiseThatABaselineWithLittleWorkBreaksToo) {
  for (const bool all : {true, false}) {
    PromotedImposter target;
    PodImposter& baseline = add_baseline(target);
    baseline.requests_per_second = 20;  // a tenth of the others': nothing is compared with it
    ASSERT_EQ(target.run(4).outcome, Outcome::kUndecided);
    for (PodImposter& pod : target.pods) pod.median_seconds *= all || pod.series.track == Track::kStable ? 4 : 1;
    EXPECT_EQ(target.run(15).outcome, all ? Outcome::kUndecided : Outcome::kWorse);
  }
}

TEST(WatchBesideABaseline, BreaksNoPromiseByMovingToOtherNodes) {
  for (const auto& [slower, promise, outcome] :
       {std::tuple(1.08, 1.02, Outcome::kUndecided), {1.8, 1.3, Outcome::kWorse}}) {
    PromotedImposter target;
    PodImposter& baseline = add_baseline(target);
    // The baseline keeps the promise, and the target does not.
    const double p99 = baseline.median_seconds * 3.2;
    target.plan.slos[0].max = p99 * promise;
    for (PodImposter& pod : target.pods) pod.median_seconds *= pod.series.track == Track::kStable ? slower : 1;
    EXPECT_EQ(target.run(15).outcome, outcome) << slower;
  }
}

TEST(WatchBesideABaseline, TakesWhatKillsBothForNobodysFault) {
  PromotedImposter target;
  add_baseline(target);
  target.plan.beside_baseline = false;  // it was restarted, and is no twin any more
  for (PodImposter& pod : target.pods) pod.series.oom_killed = true;
  EXPECT_EQ(target.run(3).outcome, Outcome::kUndecided);
  target.pods.back().series.oom_killed = false;
  EXPECT_EQ(target.run(3).reason, "OOMKilled");
}

TEST(WatchBesideABaseline, TakesAnOutageThatRestartsBothForNobodysFault) {
  PromotedImposter target;
  add_baseline(target);
  for (PodImposter& pod : target.pods) pod.series.restarts = 2;
  EXPECT_EQ(target.window().outcome, Outcome::kUndecided) << "more pods restart more often";
  for (PodImposter& pod : target.pods) pod.series.restarts = pod.series.track == Track::kStable ? 9 : 2;
  EXPECT_EQ(target.window().reason, "Restarted");
}

TEST(WatchBesideABaseline, KeepsWhatItHasSeenWhenItIsGoneAndComparesNoMore) {
  PromotedImposter target;
  target.plan.slos[0].max.reset();
  add_baseline(target);
  EXPECT_EQ(metric(target.run(10).evidence, "p99").stats.n, 10);
  target.pods.pop_back();
  for (PodImposter& pod : target.pods) pod.median_seconds *= 3;
  const Verdict verdict = target.run(60);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << "an hour of much load looks like this, too";
  EXPECT_EQ(metric(verdict.evidence, "p99").stats.n, 10);
  EXPECT_EQ(verdict.evidence.windows, 70);
  EXPECT_THAT(verdict.message, HasSubstr("There is no baseline beside the target"));
}

TEST(WatchBesideABaseline, LooksAtNoneOfOtherPodsThanThoseThatWereMeasured) {
  PromotedImposter target;
  add_baseline(target);
  target.plan.beside_baseline = false;
  EXPECT_EQ(metric(target.run(10).evidence, "p99").stats.n, 0);
}

TEST(WatchBesideABaseline, AddsWindowsUpInWhichItAnswersTooLittle) {
  PromotedImposter target;
  add_baseline(target);
  for (PodImposter& pod : target.pods) pod.requests_per_second = 20;
  EXPECT_THAT(metric(target.run(18).evidence, "p99").stats.n, ::testing::AllOf(::testing::Ge(6), ::testing::Le(9)))
      << "a hundred a window, by chance some more or fewer, and two hundred are needed";
}

TEST(WatchBesideABaseline, HoldsNoAbsoluteLimitAgainstWhatTheBaselineBreaksToo) {
  PromotedImposter target;
  target.plan.slos[0].max = 0.01;
  target.plan.before.metrics.front().baseline = 0.005;
  add_baseline(target);
  EXPECT_EQ(target.run(20).outcome, Outcome::kUndecided);
}

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

TEST(Watch, ToleratesWhatARolloutDoesByMovingPods) {
  PromotedImposter target;
  add_baseline(target);
  for (PodImposter& pod : target.pods) pod.median_seconds *= pod.series.track == Track::kStable ? 1.1 : 1;
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

TEST(Watch, HoldsRestartsAgainstTheTimeSinceThePromotionAndWhatWasUsual) {
  const auto verdict = [](Duration since, double usual) {
    PromotedImposter target;
    target.plan.since = kStart - since;
    target.plan.usual_restarts_per_day = usual;
    target.pods[0].series.restarts = 3;
    return target.window().reason;
  };
  EXPECT_EQ(verdict(Duration(0), 0), "Restarted");
  EXPECT_NE(verdict(Duration(0), 24), "Restarted") << "one an hour is usual";
  EXPECT_NE(verdict(std::chrono::hours(24), 0), "Restarted") << "one a day and pod is chance";
}

TEST(Watch, ToleratesAQuarterOrThriceOfWhatTheTrialDoes) {
  for (const auto& [percent, most] : {std::pair{5, 1.25}, {8, 1.25}, {20, 1.6}}) {
    PromotedImposter target;
    target.plan.slos[0].max_regression_percent = percent;
    EXPECT_NEAR(metric(target.window().evidence, "p99").threshold, std::log(most), 1e-12) << percent;
  }
}

TEST(Watch, HoldsAPromiseThatNoTrialSaidAnythingOf) {
  PromotedImposter target;
  target.plan.before.metrics[0].baseline = 0.090;
  target.plan.before.metrics[0].stats.n = 0;
  for (PodImposter& pod : target.pods) pod.median_seconds *= 3;
  const Verdict verdict = target.run(10);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(verdict.evidence.windows, 3);
  EXPECT_THAT(verdict.message, HasSubstr("p99 was above 60ms in 3 windows in a row after the promotion: p99"));
}

TEST(Watch, HoldsAPromiseThatWasJustKeptBefore) {
  PromotedImposter target;
  target.plan.before.metrics[0].baseline = 0.060;
  for (PodImposter& pod : target.pods) pod.median_seconds *= 3;
  EXPECT_EQ(target.run(10).reason, "SloViolated");
}

TEST(Watch, ForgivesABrokenPromiseNowAndThen) {
  PromotedImposter target;
  target.plan.before.metrics[0].stats.n = 0;
  for (int i = 0; i < 12; ++i) {
    for (PodImposter& pod : target.pods) pod.median_seconds = i % 3 == 0 ? 0.010 : 0.050;
    ASSERT_EQ(target.window().outcome, Outcome::kUndecided) << i;
  }
}

TEST(Watch, ComparesWithNothingWhereNoLatencyIsKnown) {
  PromotedImposter target;
  target.plan.before.metrics[0].baseline = 0;
  target.run(3);
  EXPECT_EQ(metric(target.evidence, "p99").stats.n, 0) << "none was before";
  PromotedImposter endless;
  for (PodImposter& pod : endless.pods) {
    pod.latency = testing::buckets_of({});  // all in the bucket without an end
    pod.series.samples.change_last([&](Sample& sample) { sample.latency["p99"] = pod.latency; });
  }
  EXPECT_EQ(endless.run(3).evidence.windows, 3);
  EXPECT_EQ(metric(endless.evidence, "p99").stats.n, 0);
}

TEST(Watch, TakesAFewRequestsForDataAndNoneForNone) {
  PromotedImposter target;
  for (PodImposter& pod : target.pods) {
    pod.with_metrics = false;
    pod.requests_per_second = 2;
  }
  target.run(3);
  EXPECT_EQ(target.evidence.windows, 3);
  EXPECT_EQ(target.evidence.canary_requests, 0) << "too few to be counted";
  for (PodImposter& pod : target.pods) pod.requests_per_second = 40;
  target.run(3);
  EXPECT_EQ(target.evidence.windows, 6) << "nothing tells collection's CPU, but latency is something";
  for (PodImposter& pod : target.pods) pod.requests_per_second = 0;
  EXPECT_EQ(target.run(3).evidence.empty_windows, 3);
}

TEST(Watch, TellsTheChangeOfTheFirstSloThatHasData) {
  PromotedImposter target;
  Slo unread = target.plan.slos[0];
  unread.name = "read by nobody";
  target.plan.slos.insert(target.plan.slos.begin(), unread);
  add_baseline(target);
  for (PodImposter& pod : target.pods) pod.median_seconds *= pod.series.track == Track::kStable ? 1.1 : 1;
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

TEST(Watch, ReadsGcCpuWhereTheTrialReadIt) {
  PromotedImposter target;
  for (PodImposter& pod : target.pods) pod.with_profile = true;
  EXPECT_EQ(metric(target.run(3).evidence, kGcCpuMetric).source, "runtime metrics");
  target.plan.before.metrics[1].source = "CPU profile";
  EXPECT_EQ(metric(target.run(3).evidence, kGcCpuMetric).source, "CPU profile");
  PromotedImposter unknown;
  for (PodImposter& pod : unknown.pods) pod.with_profile = true;
  unknown.plan.before.metrics.pop_back();
  EXPECT_EQ(metric(unknown.run(3).evidence, kGcCpuMetric).source, "CPU profile") << "the best there is";
}

TEST(Watch, TellsNoChangeOfGcCpuWhereNoneIsKnownFromBefore) {
  PromotedImposter target;
  target.plan.before.metrics.pop_back();
  for (PodImposter& pod : target.pods) pod.share_noise = 0;
  const Verdict verdict = target.run(3);
  EXPECT_NEAR(*verdict.gc_change, 0, 1e-9);
  EXPECT_NEAR(metric(verdict.evidence, kGcCpuMetric).stats.mean, 0, 1e-12);
  PromotedImposter nothing;
  nothing.plan.before.metrics[1].baseline = 0;
  EXPECT_FALSE(nothing.run(3).gc_change);
}

TEST(Watch, CountsRequestsOfTheTargetsPods) {
  PromotedImposter target;
  EXPECT_NEAR(static_cast<double>(target.run(20).evidence.canary_requests), 2 * 40 * 5 * 20, 500);
}

TEST(Watch, TakesNoViolationOfAPromiseThatNobodyMade) {
  PromotedImposter target;
  target.plan.slos[0].max.reset();
  MetricEvidence forged;
  forged.name = "p99";
  forged.violations = 100;
  target.evidence.metrics = {forged};
  EXPECT_EQ(target.window().outcome, Outcome::kUndecided);
}

TEST(Watch, StopsOnMemoryAndOnGcShare) {
  PromotedImposter full;
  full.pods[0].memory = mib(490);
  EXPECT_EQ(full.window().reason, "MemoryNearLimit");
  PromotedImposter as_before;
  as_before.plan.before.baseline_memory = 0.96;
  as_before.pods[0].memory = mib(490);  // 95.7 %
  EXPECT_EQ(as_before.window().outcome, Outcome::kUndecided) << "it was so full with the old settings, too";
  as_before.pods[0].memory = mib(498);
  EXPECT_EQ(as_before.window().reason, "MemoryNearLimit");
  PromotedImposter busy;
  for (PodImposter& pod : busy.pods) {
    pod.gc_share = 0.4;
    pod.volume = 20.0 * 1024 * 1024;
  }
  EXPECT_EQ(busy.run(5).reason, "GcShare");
}

TEST(Watch, StopsOnGcShareInTwoWindowsInARowOnly) {
  PromotedImposter busy;
  for (int i = 0; i < 8; ++i) {
    for (PodImposter& pod : busy.pods) {
      pod.gc_share = i % 2 == 0 ? 0.05 : 0.4;
      pod.volume = 20.0 * 1024 * 1024;
    }
    ASSERT_NE(busy.window().reason, "GcShare") << i;
  }
  PromotedImposter always;
  for (PodImposter& pod : always.pods) {
    pod.gc_share = 0.4;
    pod.share_noise = 0;
    pod.volume = 20.0 * 1024 * 1024;
  }
  EXPECT_EQ(always.window().outcome, Outcome::kUndecided);
  const Verdict verdict = always.window();
  EXPECT_TRUE(verdict.hard_stop);
  EXPECT_EQ(verdict.message, "Collection takes 40.0 % of the target's CPU with GOGC=200.");
  // A share that is high even with the old settings is no fault of the new ones.
  always.evidence = {};
  always.plan.before.metrics[1].baseline = 0.4;
  EXPECT_EQ(always.run(5).outcome, Outcome::kUndecided);
}

TEST(Watch, StopsOnCollectionThatRunsAway) {
  PromotedImposter target;
  target.pods[1].volume = 6.0 * 1024 * 1024;
  const Verdict verdict = target.window();
  EXPECT_EQ(verdict.reason, "GcTooFrequent");
  EXPECT_TRUE(verdict.hard_stop);
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

TEST(Watch, CountsFromTheWindowThatBeginsWhenAPodIsWarm) {
  PromotedImposter target;  // whose pods are a minute old
  target.plan.warm_up = std::chrono::minutes(1);
  target.run(2);
  EXPECT_EQ(target.evidence.windows, 2);
  PromotedImposter colder;
  colder.plan.warm_up = std::chrono::minutes(1) + std::chrono::seconds(1);
  colder.run(2);
  EXPECT_EQ(colder.evidence.windows, 1) << "all but the first";
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

TEST(Watch, SaysSoAfterFourWindowsWithoutAnyPod) {
  PromotedImposter target;
  for (PodImposter& pod : target.pods) pod.series.settings.gogc = Gogc(100);
  EXPECT_EQ(target.run(3).reason, "Watching");
  const Verdict verdict = target.window();
  EXPECT_EQ(verdict.reason, "NoData");
  EXPECT_EQ(verdict.message, "No data from the target's pods in 4 windows after the promotion.");
  for (PodImposter& pod : target.pods) pod.series.settings.gogc = Gogc(200);
  EXPECT_EQ(target.window().reason, "Watching") << "one with data is enough";
}

TEST(Watch, TellsWhatItSawSoFar) {
  PromotedImposter target;
  add_baseline(target);
  Slo second = target.plan.slos[0];
  second.name = "other";
  target.plan.slos.push_back(second);
  const Verdict verdict = target.run(2);
  EXPECT_THAT(verdict.message, HasSubstr("Nothing speaks against the settings so far, in 2 windows: p99 "));
  EXPECT_THAT(verdict.message, ::testing::EndsWith(" after 2 windows of at least 20; other has no data."));
  target.plan.slos.clear();
  EXPECT_THAT(target.window().message, ::testing::EndsWith("so far, in 3 windows."));
}

Slo errors() {
  Slo slo;
  slo.name = "errors";
  slo.source = PodRatio{{"requests_total", {}, {{"code", "5"}}}, {"requests_total", {}, {}}, 0.01};
  return slo;
}

TEST(WatchOfPauses, TakesAProgramThatCollectsNothingForSeen) {
  PromotedImposter target;
  Slo slo;
  slo.name = "pauses";
  slo.source = RuntimePauses{0.5};
  target.plan.slos = {slo};
  MetricEvidence before;
  before.name = slo.name;
  before.stats.n = 50;
  target.plan.before.metrics.push_back(before);
  for (auto& pod : target.pods) pod.pauses = 0;
  const Verdict verdict = target.run(10);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided);
  EXPECT_EQ(verdict.evidence.windows, 10);
}

TEST(WatchOfAQuery, HoldsABrokenPromiseAgainstTheSettingsOnlyAfterThreeOfItsOwnWindows) {
  PromotedImposter target;
  Slo slo;
  slo.name = "queue";
  PrometheusQuery query;
  query.window = 4 * target.plan.interval;
  slo.source = query;
  slo.max = 100;
  target.plan.slos = {slo};
  EXPECT_EQ(target.run(5).outcome, Outcome::kUndecided);
  for (auto& pod : target.pods) pod.queue = 500;
  EXPECT_EQ(target.run(11).outcome, Outcome::kUndecided) << "one burst is in all answers of a window";
  EXPECT_EQ(target.run(2).reason, "SloViolated");
}

TEST(WatchOfARatio, TakesBackWhatFailsMoreOftenThanTheBaseline) {
  PromotedImposter target;
  target.plan.slos = {errors()};
  add_baseline(target);
  EXPECT_EQ(target.run(30).outcome, Outcome::kUndecided);
  for (auto& pod : target.pods) pod.bad_share = pod.series.track == Track::kStable ? 0.3 : 0.01;
  const Verdict verdict = target.run(60);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse) << verdict.message;
  EXPECT_EQ(verdict.reason, "ShareRegression");
}

TEST(WatchOfARatio, TakesBackABrokenPromiseWithinThreeWindows) {
  PromotedImposter target;
  target.plan.slos = {errors()};
  target.plan.slos[0].max = 0.05;
  add_baseline(target);
  EXPECT_EQ(target.run(3).outcome, Outcome::kUndecided);
  for (auto& pod : target.pods) pod.bad_share = pod.series.track == Track::kStable ? 0.3 : 0.01;
  const Verdict verdict = target.run(3);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse) << verdict.message;
  EXPECT_EQ(verdict.reason, "SloViolated");
}

TEST(WatchBesideABaseline, CountsViolationsInARowAgainstOneReferenceOnly) {
  PromotedImposter target;
  add_baseline(target);
  EXPECT_EQ(target.run(3).outcome, Outcome::kUndecided);
  for (auto& pod : target.pods) pod.median_seconds = pod.series.track == Track::kStable ? 0.1 : 0.01;
  EXPECT_EQ(target.run(2).outcome, Outcome::kUndecided) << "two against the baseline";
  target.pods.pop_back();
  EXPECT_EQ(target.run(2).outcome, Outcome::kUndecided) << "and two against the promise alone";
  EXPECT_EQ(target.run(1).reason, "SloViolated");
}

TEST(WatchOfARatio, SubtractsWhatTheTargetsPodsFailedMoreOftenBefore) {
  // A broken client that holds on to one of them.
  for (const bool known : {true, false}) {
    PromotedImposter target;
    target.plan.slos = {errors()};
    target.plan.slos[0].max = 0.015;
    add_baseline(target);
    MetricEvidence before;
    before.name = "errors";
    before.stats.n = 50;
    before.peers.n = known ? 50 : 0;
    before.peers.mean = judging::tolerated(errors());
    target.plan.before.metrics.push_back(before);
    const double more = 1.3 * judging::tolerated(errors());
    for (auto& pod : target.pods) pod.bad_share = pod.series.track == Track::kStable ? 0.01 + more : 0.01;
    EXPECT_EQ(target.run(60).outcome, known ? Outcome::kUndecided : Outcome::kWorse)
        << testing::metric(target.evidence, "errors").summary;
  }
}

TEST(WatchOfARatio, BelievesNoMoreOfWhatOldPodsDifferedByThanIsTolerated) {
  // They were fresh when they were compared, and are not any more.
  for (const double sign : {1.0, -1.0}) {
    PromotedImposter target;
    target.plan.slos = {errors()};
    add_baseline(target);
    MetricEvidence before;
    before.name = "errors";
    before.stats.n = 50;
    before.peers.n = 50;
    before.peers.mean = 20 * sign * judging::tolerated(errors());
    target.plan.before.metrics.push_back(before);
    const double change = sign > 0 ? 6 * judging::tolerated(errors()) : 0;
    for (auto& pod : target.pods) pod.bad_share = pod.series.track == Track::kStable ? 0.01 + change : 0.01;
    EXPECT_EQ(target.run(200).outcome, sign > 0 ? Outcome::kWorse : Outcome::kUndecided)
        << testing::metric(target.evidence, "errors").summary;
  }
}

TEST(WatchOfARatio, BlamesNobodyWhereAllFail) {
  PromotedImposter target;
  target.plan.slos = {errors()};
  target.plan.slos[0].max = 0.02;
  add_baseline(target);
  for (auto& pod : target.pods) pod.bad_share = 0.3;
  EXPECT_EQ(target.run(60).outcome, Outcome::kUndecided);
}

}  // namespace
}  // namespace gopacer
