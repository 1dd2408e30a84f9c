// SLOs that are shares of what is counted.
#include <gmock/gmock.h>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/sources.h"
#include "judge/measure.h"
#include "judge/metrics.h"
#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using ::testing::HasSubstr;
using testing::metric;
using testing::TrialImposter;

Slo errors(double max_increase = 0.01) {
  Slo slo;
  slo.name = "errors";
  slo.source = PodRatio{{"http_requests_total", {}, {{"code", "5"}}}, {"http_requests_total", {}, {}}, max_increase};
  return slo;
}

/// Of which the canary's settings save half of collection's CPU.
TrialImposter trial_by_errors() {
  TrialImposter trial;
  trial.plan.slos = {errors()};
  trial.canary.gc_share = 0.05;
  return trial;
}

TEST(RatioSlo, PromotesWhatFailsNoMoreOften) {
  TrialImposter trial = trial_by_errors();
  const Verdict verdict = trial.run(100);
  ASSERT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
  EXPECT_NEAR(metric(verdict.evidence, "errors").canary, 0.01, 0.005);
  EXPECT_THAT(verdict.message, HasSubstr("has to be below +1.00 points"));
  EXPECT_FALSE(verdict.p99_change) << "that is a change of latency";
}

TEST(RatioSlo, RollsBackWhatFailsMoreOften) {
  TrialImposter trial = trial_by_errors();
  trial.canary.bad_share = 0.05;
  const Verdict verdict = trial.run(100);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse) << verdict.message;
  EXPECT_EQ(verdict.reason, "ShareRegression");
  EXPECT_THAT(verdict.message, HasSubstr("More goes wrong in the canary: errors 1."));
}

TEST(RatioSlo, IsNoHarmWhereTheBaselineFailsAsOften) {
  TrialImposter trial = trial_by_errors();
  trial.canary.bad_share = trial.baseline.bad_share = 0.2;
  trial.plan.slos[0].max = 0.1;
  EXPECT_NE(trial.run(60).outcome, Outcome::kWorse);
}

TEST(RatioSlo, RollsBackABrokenPromiseWithinThreeWindows) {
  TrialImposter trial = trial_by_errors();
  trial.plan.slos[0].max = 0.03;
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  trial.canary.bad_share = 0.2;
  const Verdict verdict = trial.run(10);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(verdict.evidence.windows, 13);
  EXPECT_THAT(verdict.message, HasSubstr("above 3%"));
}

TEST(RatioSlo, ShowsNothingByAFewRequestsWithoutAnError) {
  // Thirty windows without an error have no spread at all; of 3,000 requests 0.1 points may go wrong unseen.
  TrialImposter trial = trial_by_errors();
  trial.plan.slos = {errors(0.0004)};
  trial.canary.bad_share = trial.baseline.bad_share = 0;
  trial.canary.requests_per_second = trial.baseline.requests_per_second = 20;
  const Verdict early = trial.run(30);
  EXPECT_EQ(early.outcome, Outcome::kUndecided) << early.message;
  const MetricEvidence seen = metric(early.evidence, "errors");
  EXPECT_NEAR(seen.high, 3 / seen.counted, 1e-9);
  EXPECT_EQ(trial.run(60).outcome, Outcome::kBetter) << "more of them show it";
}

TEST(RatioSlo, CountsRequestsForTheLeastNumberOfThem) {
  TrialImposter trial = trial_by_errors();
  trial.plan.min_samples = 1'000'000;
  const Verdict verdict = trial.run(40);
  EXPECT_EQ(verdict.reason, "TooFewRequests");
  EXPECT_GT(verdict.evidence.canary_requests, 7000);
}

TEST(RatioSlo, IsReadBeforeATrialLikeAnyOther) {
  TrialImposter trial = trial_by_errors();
  Observation observed;
  EXPECT_THAT(unread_sources(observed, {errors()}), ::testing::Contains(HasSubstr("SLO errors")));
}

TEST(Measure, OfAShareIsAPlainDifference) {
  const Slo slo = errors();
  EXPECT_FALSE(judging::is_relative(slo));
  EXPECT_DOUBLE_EQ(judging::tolerated(slo), 0.01);
  EXPECT_NEAR(*judging::difference(good_and_bad(95, 5), good_and_bad(98, 2), slo), 0.03, 1e-12);
  EXPECT_NEAR(judging::value(good_and_bad(95, 5), slo), 0.05, 1e-12);
  EXPECT_EQ(judging::requests_needed(good_and_bad(95, 5), good_and_bad(98, 2), slo), 50);
}

TEST(Measure, HoldsNothingAgainstAFewThatChanceGives) {
  Slo slo = errors();
  slo.max = 0.001;
  // 0.2 are expected of 200: one comes in 18 % of windows, two in 2 %.
  EXPECT_FALSE(judging::violates(good_and_bad(199, 1), slo));
  EXPECT_TRUE(judging::violates(good_and_bad(198, 2), slo));
  // 10 of 10,000: 15 or more in 8 %, 16 in 5 %, 17 in 3 %.
  EXPECT_FALSE(judging::violates(good_and_bad(9985, 15), slo));
  EXPECT_TRUE(judging::violates(good_and_bad(9983, 17), slo));
}

TEST(Measure, CountsRequestsByLatencyWhereThereIsOne) {
  Slo latency;
  latency.name = "p99";
  const std::vector<Slo> both{errors(), latency};
  EXPECT_EQ(judging::counting(both), &both[1]);
  const std::vector<Slo> one{errors()};
  EXPECT_EQ(judging::counting(one), &one[0]);
}

TEST(Measure, ToleratesABrokenPromiseWithinTheIncreaseThatIsAllowed) {
  Slo slo = errors(0.02);
  slo.max = 0.05;
  EXPECT_FALSE(judging::only_canary_violates(good_and_bad(9450, 550), good_and_bad(9550, 450), slo)) << "one point";
  EXPECT_TRUE(judging::only_canary_violates(good_and_bad(9200, 800), good_and_bad(9550, 450), slo))
      << "three points and a half";
  EXPECT_EQ(judging::max_text(slo), "5%");
}

}  // namespace
}  // namespace gopacer
