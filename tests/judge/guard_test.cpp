// Promises that hold for as long as settings of ours are in the target.
#include <gmock/gmock.h>

#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using ::testing::HasSubstr;
using testing::kStart;
using testing::PodImposter;
using namespace std::chrono_literals;

/// A pod of the target with settings that a trial has confirmed; its latency may not be above 50 ms for a minute.
struct Guarded {
  Guarded() {
    Slo slo;
    slo.name = "p99";
    slo.max = 0.050;
    slo.max_for = 1min;
    plan.slos = {slo};
    plan.settings = {Gogc(200), std::nullopt};
    plan.warm_up = 2min;
    plan.interval = 15s;
    pod.series.settings = plan.settings;
    pod.advance(now, random);
  }

  void live(int windows) {
    for (int i = 0; i < windows; ++i) {
      now += plan.interval;
      pod.advance(now, random);
    }
  }

  Verdict verdict() const {
    Observation observed;
    observed.at = now;
    observed.pods = {pod.series};
    return guard(plan, observed, now);
  }

  std::mt19937_64 random{1};
  Time now = kStart;
  GuardPlan plan;
  PodImposter pod{"checkout-1", Track::kStable, kStart - 10min};
};

TEST(Guard, SaysNothingOfAPromiseThatIsKept) {
  Guarded target;
  target.live(12);
  EXPECT_EQ(target.verdict().outcome, Outcome::kUndecided);
}

TEST(Guard, HoldsABrokenPromiseAgainstTheSettingsOnceItWasBrokenForSoLong) {
  Guarded target;
  target.live(6);
  target.pod.median_seconds = 0.2;
  target.live(3);
  EXPECT_EQ(target.verdict().outcome, Outcome::kUndecided) << "45 s of 60";
  target.live(1);
  const Verdict verdict = target.verdict();
  ASSERT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.reason, "SloViolated");
  EXPECT_EQ(verdict.broken, "p99");
  EXPECT_THAT(verdict.message, HasSubstr("p99 was above 50ms in each window of 1m, at last "));
  EXPECT_THAT(verdict.message, HasSubstr("with GOGC=200."));
}

TEST(Guard, IsNotPutOffByReadingsThatComeALittleEarlyOrLate) {
  Guarded target;
  target.plan.slos[0].max_for = 0s;
  target.plan.interval = 1s;
  target.pod.median_seconds = 0.2;
  target.pod.requests_per_second = 1000;
  for (int i = 0; i < 12; ++i) {
    target.now = kStart + (i + 1) * 1s + (i % 3 - 1) * 20ms;
    target.pod.advance(target.now, target.random);
    EXPECT_EQ(target.verdict().outcome, i < 2 ? Outcome::kUndecided : Outcome::kWorse) << i;
  }
}

TEST(Guard, NeedsThreeWindowsWhereNothingElseIsSaid) {
  Guarded target;
  target.plan.slos[0].max_for = 0s;
  target.pod.median_seconds = 0.2;
  target.live(2);
  EXPECT_EQ(target.verdict().outcome, Outcome::kUndecided);
  target.live(1);
  EXPECT_EQ(target.verdict().outcome, Outcome::kWorse);
}

TEST(Guard, TakesOneGoodWindowForAPromiseThatIsKept) {
  Guarded target;
  target.pod.median_seconds = 0.2;
  target.live(2);
  target.pod.median_seconds = 0.01;
  target.live(1);
  target.pod.median_seconds = 0.2;
  target.live(3);
  EXPECT_EQ(target.verdict().outcome, Outcome::kUndecided);
  target.live(1);
  EXPECT_EQ(target.verdict().outcome, Outcome::kWorse);
}

TEST(Guard, TakesNoDataForNoHarm) {
  Guarded target;
  target.pod.median_seconds = 0.2;
  target.live(2);
  target.pod.readable = false;
  target.live(8);
  EXPECT_EQ(target.verdict().outcome, Outcome::kUndecided) << "nobody was read for two minutes";
  EXPECT_EQ(guard(target.plan, Observation{}, target.now).outcome, Outcome::kUndecided) << "there are no pods";
}

TEST(Guard, LooksBackForAnHourThoughOlderSamplesAreSparse) {
  Guarded target;
  target.plan.slos[0].max_for = 1h;
  target.plan.warm_up = 0s;
  target.pod.median_seconds = 0.2;
  SampleRow row;
  for (int i = 0; i <= 32; ++i) {
    target.now += 150s;
    target.pod.advance(target.now, target.random);
    row.push_back(target.pod.series.samples.back());
  }
  target.pod.series.samples = row;
  EXPECT_EQ(target.verdict().outcome, Outcome::kWorse);
  EXPECT_LE(guarded_time(target.plan.slos[0], target.plan.interval), 80min);
}

TEST(Guard, ComparesAnswersOfAQueryAsLongAsTheySpeakOf) {
  Slo slo;
  slo.source = PrometheusQuery{"", "x", 5min, {}, {}};
  slo.max = 1;
  EXPECT_EQ(guarded_time(slo, 15s), 25min) << "three windows, and two more";
  slo.max.reset();
  EXPECT_EQ(guarded_time(slo, 15s), 0s);
}

TEST(Guard, LooksAtNoPodWithOtherSettings) {
  Guarded target;
  target.pod.median_seconds = 0.2;
  target.pod.series.settings = {};
  target.live(8);
  EXPECT_EQ(target.verdict().outcome, Outcome::kUndecided);
}

TEST(Guard, HoldsNothingAgainstAPodThatWarmsUp) {
  Guarded target;
  target.pod.series.started = target.now - 1min;
  target.pod.median_seconds = 0.2;
  target.live(7);
  EXPECT_EQ(target.verdict().outcome, Outcome::kUndecided) << "the first of these windows was before it was warm";
  target.live(1);
  EXPECT_EQ(target.verdict().outcome, Outcome::kWorse);
}

TEST(Guard, KnowsNoPromiseWithoutAMax) {
  Guarded target;
  target.plan.slos[0].max.reset();
  target.pod.median_seconds = 2;
  target.live(8);
  EXPECT_EQ(target.verdict().outcome, Outcome::kUndecided);
}

TEST(Guard, NamesTheSloThatIsBroken) {
  Guarded target;
  Slo queue;
  queue.name = "queue";
  queue.source = PodGauge{{"work_queue_depth", {}, {}}};
  queue.max = 100;
  target.plan.slos.push_back(queue);
  target.pod.queue = 500;
  target.live(8);
  const Verdict verdict = target.verdict();
  EXPECT_EQ(verdict.broken, "queue");
  EXPECT_THAT(verdict.message, HasSubstr("queue was above 100 in each window of 45s"));
}

}  // namespace
}  // namespace gopacer
