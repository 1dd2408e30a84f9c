// SLOs of the runtime's own figures.
#include <gmock/gmock.h>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/sources.h"
#include "judge/measure.h"
#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::metric;
using testing::TrialImposter;

Slo pauses(double quantile = 0.5) {
  Slo slo;
  slo.name = "pauses";
  slo.source = RuntimePauses{quantile};
  slo.max_regression_percent = 50;
  return slo;
}

Slo share(RuntimePart part) {
  Slo slo;
  slo.name = "share";
  slo.source = RuntimeShare{part};
  slo.max_regression_percent = 50;
  return slo;
}

/// Of which the canary's settings save half of collection's CPU.
TrialImposter trial_by(const Slo& slo) {
  TrialImposter trial;
  trial.plan.slos = {slo};
  trial.canary.gc_share = 0.05;
  return trial;
}

TEST(PauseSlo, PromotesWhatPausesNoLonger) {
  TrialImposter trial = trial_by(pauses());
  const Verdict verdict = trial.run(100);
  ASSERT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
  EXPECT_NEAR(metric(verdict.evidence, "pauses").canary, 50e-6, 10e-6);
  EXPECT_THAT(verdict.message, HasSubstr("pauses "));
  EXPECT_THAT(verdict.message, HasSubstr("µs"));
  EXPECT_FALSE(verdict.p99_change) << "that is a change of latency";
}

TEST(PauseSlo, RollsBackLongerPauses) {
  TrialImposter trial = trial_by(pauses());
  trial.canary.pause_seconds = 200e-6;
  const Verdict verdict = trial.run(100);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse) << verdict.message;
  EXPECT_EQ(verdict.reason, "PauseRegression");
}

TEST(PauseSlo, RollsBackABrokenPromiseWithinThreeWindows) {
  Slo slo = pauses();
  slo.max = 0.05;
  TrialImposter trial = trial_by(slo);
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  trial.canary.pause_seconds = 0.08;
  const Verdict verdict = trial.run(10);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_THAT(verdict.message, HasSubstr("above 50ms"));
}

TEST(PauseSlo, SaysNothingOfAFewPauses) {
  TrialImposter trial = trial_by(pauses());
  trial.canary.pauses = 1;
  const Verdict verdict = trial.run(40);
  EXPECT_EQ(verdict.outcome, Outcome::kUndecided) << verdict.message;
  EXPECT_EQ(verdict.reason, "TooFewRequests");
}

TEST(PausesIn, CountsEachCollectionOnceHoweverOftenItWasTold) {
  PodSeries pod;
  const Time start{seconds(1'800'000'000)};
  const auto cycle = [&](int second) { return GcPause{start + seconds(second), milliseconds(second)}; };
  const auto sample = [&](int second, std::vector<GcPause> told) {
    Sample out;
    out.at = start + seconds(second);
    out.mem.emplace();
    out.mem->pauses = std::move(told);
    return out;
  };
  pod.samples = {sample(10, {cycle(3), cycle(9)}), sample(20, {cycle(9), cycle(12), cycle(19)}),
                 sample(30, {cycle(19), cycle(25)})};
  const auto in = [&](int from, int to) {
    return judging::pauses_in({&pod}, {start + seconds(from), start + seconds(to)});
  };
  EXPECT_EQ(in(10, 20)->count(), 2);
  EXPECT_EQ(in(10, 30)->count(), 3);
  EXPECT_NEAR(in(10, 30)->sum, 0.012 + 0.019 + 0.025, 1e-12);
  EXPECT_NEAR(quantile(*in(20, 30), 0.5)->value, 0.025, 0.0025) << "within a bucket";
  EXPECT_FALSE(in(0, 10)) << "nothing was read before";
}

TEST(ShareSlo, ComparesThrottling) {
  TrialImposter trial = trial_by(share(RuntimePart::kThrottling));
  trial.canary.throttled_share = trial.baseline.throttled_share = 0.1;
  EXPECT_EQ(trial.run(60).outcome, Outcome::kBetter);
  TrialImposter harm = trial_by(share(RuntimePart::kThrottling));
  harm.baseline.throttled_share = 0.1;
  harm.canary.throttled_share = 0.4;
  const Verdict verdict = harm.run(100);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse) << verdict.message;
  EXPECT_EQ(verdict.reason, "ValueRegression");
  EXPECT_THAT(verdict.message, HasSubstr(" %"));
}

TEST(ShareSlo, HoldsCollectionToAShareOfTheCpu) {
  Slo slo = share(RuntimePart::kGcCpu);
  slo.max = 0.12;
  TrialImposter trial = trial_by(slo);
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  trial.canary.gc_share = 0.2;
  const Verdict verdict = trial.run(10);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_THAT(verdict.message, HasSubstr("above 12%"));
}

TEST(ShareSlo, HoldsWhatRequestsHaveToMarkToAShareOfTheCpu) {
  Slo slo = share(RuntimePart::kMarkAssist);
  slo.max = 0.05;
  TrialImposter trial = trial_by(slo);
  trial.canary.with_profile = trial.baseline.with_profile = true;
  trial.canary.assist_share = 0.02;
  EXPECT_EQ(trial.run(10).outcome, Outcome::kUndecided);
  trial.canary.assist_share = 0.08;
  const Verdict verdict = trial.run(10);
  ASSERT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_THAT(verdict.message, HasSubstr("above 5%"));
}

TEST(ShareSlo, NeedsProfilesToTellWhatRequestsHaveToMark) {
  TrialImposter trial = trial_by(share(RuntimePart::kMarkAssist));
  const Verdict verdict = trial.run(40);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_THAT(verdict.message, HasSubstr("It needs CPU profiles."));
}

TEST(RuntimeSources, AreThereOnceAPodWasRead) {
  const Observation none;
  EXPECT_THAT(unread_sources(none, {pauses()}), ::testing::Contains(HasSubstr("SLO pauses: no pod of the target")));
  EXPECT_THAT(unread_sources(none, {share(RuntimePart::kThrottling)}),
              ::testing::Contains(HasSubstr("SLO share: no kubelet has told")));
  TrialImposter trial;
  trial.run(5);
  Observation seen;
  seen.pods = {trial.baseline.series};
  seen.pods[0].track = Track::kStable;
  EXPECT_THAT(unread_sources(seen, {pauses(), share(RuntimePart::kThrottling)}), IsEmpty());
  EXPECT_THAT(unread_sources(seen, {share(RuntimePart::kMarkAssist)}),
              ::testing::ElementsAre("SLO share: no pod of the target has given a CPU profile yet"));
}

}  // namespace
}  // namespace gopacer
