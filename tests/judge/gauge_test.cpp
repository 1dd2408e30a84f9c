// SLOs that are numbers of the moment.
#include <gmock/gmock.h>

#include <cmath>

#include "gopacer/domain/histogram.h"
#include "judge/measure.h"
#include "judge/metrics.h"
#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using ::testing::HasSubstr;
using testing::metric;
using testing::TrialImposter;

Slo queue() {
  Slo slo;
  slo.name = "queue";
  slo.source = PodGauge{{"work_queue_depth", {}, {}}};
  slo.max_regression_percent = 10;
  return slo;
}

/// Of which the canary's settings save half of collection's CPU.
TrialImposter trial_by_queue() {
  TrialImposter trial;
  trial.plan.slos = {queue()};
  trial.canary.gc_share = 0.05;
  return trial;
}

TEST(GaugeSlo, PromotesWhatIsNoHigher) {
  TrialImposter trial = trial_by_queue();
  const Verdict verdict = trial.run(100);
  ASSERT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
  EXPECT_NEAR(metric(verdict.evidence, "queue").canary, 40, 4);
  EXPECT_THAT(verdict.message, HasSubstr("queue "));
  EXPECT_THAT(verdict.message, HasSubstr("has to be below +10.0 %"));
  EXPECT_FALSE(verdict.p99_change) << "that is a change of latency";
}

TEST(GaugeSlo, RollsBackWhatIsHigher) {
  TrialImposter trial = trial_by_queue();
  trial.canary.queue = 60;
  const Verdict verdict = trial.run(100);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse) << verdict.message;
  EXPECT_EQ(verdict.reason, "ValueRegression");
  EXPECT_THAT(verdict.message, HasSubstr("It is higher in the canary: queue "));
}

TEST(GaugeSlo, ComparesWhatIsZeroMostOfTheTime) {
  TrialImposter trial = trial_by_queue();
  trial.canary.queue = trial.baseline.queue = 0;
  EXPECT_EQ(trial.run(60).outcome, Outcome::kBetter);
  TrialImposter harmed = trial_by_queue();
  harmed.baseline.queue = 0;
  harmed.canary.queue = 1;
  EXPECT_EQ(harmed.run(60).outcome, Outcome::kWorse) << "where the baseline has none";
}

TEST(GaugeSlo, RollsBackABrokenPromiseWithinThreeWindows) {
  TrialImposter trial = trial_by_queue();
  trial.plan.slos[0].max = 1000;
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  trial.canary.queue = 3000;
  const Verdict verdict = trial.run(10);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(verdict.evidence.windows, 13);
  EXPECT_THAT(verdict.message, HasSubstr("above 1000"));
}

TEST(GaugeSlo, HoldsABrokenPromiseAgainstNobodyWhereTheBaselineBreaksItToo) {
  TrialImposter trial = trial_by_queue();
  trial.plan.slos[0].max = 10;
  EXPECT_NE(trial.run(60).outcome, Outcome::kWorse);
}

TEST(GaugeSlo, HasNoRequestsToBeCounted) {
  TrialImposter trial = trial_by_queue();
  trial.plan.min_samples = 1'000'000;
  EXPECT_EQ(trial.run(100).outcome, Outcome::kBetter) << "readings are no requests";
  EXPECT_EQ(metric(trial.evidence, kCpuMetric).name, "") << "nor is there CPU for each";
  EXPECT_EQ(judging::counting({queue()}), nullptr);
}

TEST(GaugeSlo, SaysNothingOfWhatIsNoNumber) {
  const Histogram huge = reading_of(1e308);
  Histogram endless = huge;
  for (int i = 0; i < 3; ++i) merge(endless, huge);
  EXPECT_EQ(judging::difference(endless, reading_of(1), queue()), std::nullopt);
  EXPECT_TRUE(std::isfinite(judging::difference(huge, reading_of(0), queue()).value()));
}

TEST(GaugeSlo, ComparesByTheLogarithmOfTheRatio) {
  EXPECT_NEAR(judging::difference(reading_of(110), reading_of(100), queue()).value(), std::log(1.1), 0.001);
  EXPECT_NEAR(judging::difference(reading_of(1), reading_of(4), queue()).value(), -std::log(4), 0.03);
  EXPECT_EQ(judging::difference(reading_of(0), reading_of(0), queue()), 0);
}

Slo asked(Duration window) {
  Slo slo = queue();
  PrometheusQuery query;
  query.window = window;
  slo.source = query;
  slo.max_regression_percent = 10;
  return slo;
}

TEST(QuerySlo, ComparesOncePerWindowOfTheQuery) {
  TrialImposter trial = trial_by_queue();
  trial.plan.slos = {asked(2 * trial.plan.interval + std::chrono::seconds(1))};
  const Verdict early = trial.run(59);
  EXPECT_EQ(metric(early.evidence, "queue").stats.n, 19) << "three windows of a trial go into one";
  EXPECT_EQ(early.outcome, Outcome::kUndecided) << early.message;
  EXPECT_EQ(trial.run(300).outcome, Outcome::kBetter);
}

TEST(QuerySlo, RollsBackABrokenPromiseWithinThreeOfItsOwnWindows) {
  TrialImposter trial = trial_by_queue();
  trial.plan.slos = {asked(4 * trial.plan.interval)};
  trial.plan.slos[0].max = 1000;
  EXPECT_EQ(trial.run(8).outcome, Outcome::kUndecided);
  trial.canary.queue = 3000;
  EXPECT_EQ(trial.run(8).outcome, Outcome::kUndecided);
  EXPECT_EQ(trial.run(4).reason, "SloViolated");
}

TEST(NumberText, HasThreeDigitsAtLeast) {
  EXPECT_EQ(judging::number_text(0), "0.00");
  EXPECT_EQ(judging::number_text(0.01234), "0.0123");
  EXPECT_EQ(judging::number_text(12.345), "12.3");
  EXPECT_EQ(judging::number_text(1234.5), "1234");
}

}  // namespace
}  // namespace gopacer
