// What follows when an SLO has no data in a trial.
#include <gmock/gmock.h>

#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using ::testing::HasSubstr;
using testing::TrialImposter;

/// Of which the canary's settings save half of collection's CPU. Its second SLO is served by nobody.
TrialImposter trial_with_a_silent_slo(NoDataAction action) {
  TrialImposter trial;
  Slo silent;
  silent.name = "silent";
  silent.on_no_data = action;
  trial.plan.slos[0].max_regression_percent = 20;
  trial.plan.slos.push_back(silent);
  trial.canary.gc_share = 0.05;
  return trial;
}

/// So many windows in which the canary does not tell its latency.
Verdict windows_of_a_mute_canary(TrialImposter& trial, int count) {
  Verdict verdict;
  for (int i = 0; i < count && verdict.outcome != Outcome::kWorse; ++i) {
    trial.now += trial.plan.interval;
    trial.canary.advance(trial.now, trial.random);
    trial.baseline.advance(trial.now, trial.random);
    trial.canary.series.samples.change_last([](Sample& sample) { sample.latency.erase("p99"); });
    verdict = trial.look();
  }
  return verdict;
}

TEST(NoData, PromotesNothingByItself) {
  TrialImposter trial = trial_with_a_silent_slo(NoDataAction::kInconclusive);
  const Verdict verdict = trial.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_THAT(verdict.message, HasSubstr("silent has no data"));
}

TEST(NoData, IsIgnoredWhereAPersonSaysSo) {
  TrialImposter trial = trial_with_a_silent_slo(NoDataAction::kIgnore);
  const Verdict verdict = trial.run(100);
  EXPECT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
}

TEST(NoData, OfTheSloThatCountsRequestsAsksForNoneWhereItIsIgnored) {
  TrialImposter trial;
  trial.canary.gc_share = 0.05;
  trial.plan.slos[0].name = "silent";
  trial.plan.slos[0].on_no_data = NoDataAction::kIgnore;
  EXPECT_EQ(trial.run(100).outcome, Outcome::kBetter);
}

TEST(NoData, IsNoHarmWhereNeitherSideHasAny) {
  TrialImposter trial = trial_with_a_silent_slo(NoDataAction::kRollBack);
  EXPECT_EQ(trial.run(100).outcome, Outcome::kNoData) << "the metric may be mistyped";
}

TEST(NoData, IsHarmWhereOnlyTheCanaryHasNone) {
  TrialImposter trial;
  trial.plan.slos[0].on_no_data = NoDataAction::kRollBack;
  const Verdict verdict = windows_of_a_mute_canary(trial, 20);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "NoData");
  EXPECT_THAT(verdict.message, HasSubstr("Only the canary has none: p99 has no data"));
}

TEST(NoData, ThatBeginsInMidTrialIsHarmAsWell) {
  TrialImposter trial;
  trial.plan.slos[0].on_no_data = NoDataAction::kRollBack;
  trial.run(10);
  EXPECT_EQ(windows_of_a_mute_canary(trial, 3).outcome, Outcome::kUndecided) << "a pod may be busy for a moment";
  EXPECT_EQ(windows_of_a_mute_canary(trial, 10).outcome, Outcome::kWorse);
}

TEST(NoData, OfTheCanaryIsHeldAgainstNobodyWithoutThat) {
  TrialImposter trial;
  EXPECT_EQ(windows_of_a_mute_canary(trial, 20).outcome, Outcome::kNoData);
}

TEST(NoData, PromotesNothingWhereItBeginsBeforeTheVerdict) {
  TrialImposter trial;
  trial.plan.slos[0].max_regression_percent = 60;
  trial.canary.share_noise = trial.baseline.share_noise = 0.3;  // collection takes long to be judged
  trial.run(40);
  ASSERT_EQ(testing::metric(trial.evidence, "p99").state, MetricState::kPass);
  trial.canary.gc_share = 0.05;
  trial.canary.share_noise = trial.baseline.share_noise = 0.001;
  Verdict verdict;
  for (int i = 0; i < 200; ++i) {
    verdict = windows_of_a_mute_canary(trial, 1);
    ASSERT_NE(verdict.outcome, Outcome::kBetter) << verdict.message;
  }
  EXPECT_EQ(testing::metric(verdict.evidence, "p99").state, MetricState::kUndecided);
  EXPECT_THAT(verdict.message, HasSubstr("p99 has told nothing for 200 windows"));
}

TEST(NoData, LeavesTheVerdictToTheOthersWhereAPersonSaysSo) {
  TrialImposter trial;
  trial.plan.slos[0].on_no_data = NoDataAction::kIgnore;
  trial.canary.gc_share = 0.05;
  trial.run(3);
  EXPECT_EQ(windows_of_a_mute_canary(trial, 100).outcome, Outcome::kBetter);
}

TEST(NoData, IsNoHarmWhereTheBaselineHasHardlyAnyEither) {
  TrialImposter trial;
  trial.plan.slos[0].on_no_data = NoDataAction::kRollBack;
  trial.plan.min_saving = -0.02;
  trial.canary.requests_per_second = 0;
  trial.baseline.requests_per_second = 3;
  const Verdict verdict = trial.run(60);
  EXPECT_NE(verdict.outcome, Outcome::kWorse) << verdict.reason << " " << verdict.message;
}

TEST(NoData, IsNotWhatTooLittleTrafficIs) {
  TrialImposter trial;
  trial.plan.slos[0].on_no_data = NoDataAction::kIgnore;
  trial.plan.min_samples = 0;
  trial.canary.gc_share = 0.05;
  trial.canary.requests_per_second = trial.baseline.requests_per_second = 2;  // 80 in eight windows, of 200
  trial.canary.median_seconds = 0.1;
  Verdict verdict;
  for (int i = 0; i < 100; ++i) {
    verdict = trial.window();
    ASSERT_NE(verdict.outcome, Outcome::kBetter) << verdict.message;
  }
  EXPECT_EQ(verdict.reason, "TooFewRequests");
  EXPECT_THAT(verdict.message, HasSubstr("within 40s the canary and the baseline have to tell of 200 each"));
}

}  // namespace
}  // namespace gopacer
