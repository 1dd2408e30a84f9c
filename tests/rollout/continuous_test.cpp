// updateMode Continuous: recommendations get into force in running processes without a trial.
#include "rollout/continuous.h"

#include <gmock/gmock.h>

#include "gopacer/domain/histogram.h"
#include "gopacer/rollout/pass.h"
#include "rollout/live_scene.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::settings;
using scenes::LiveProcess;
using scenes::LiveScene;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;
using testing::SizeIs;

LiveScene continuous() {
  LiveScene live;
  live.scene.profile.spec.update_mode = UpdateMode::kContinuous;
  live.scene.profile.spec.metrics.interval = seconds(1);
  return live;
}

/// The target breaks what the guard holds it to.
void stop(LiveScene& live, const std::string& reason, const std::string& slo) {
  live.scene.guarded = builders::verdict(Outcome::kWorse, reason);
  live.scene.guarded.broken = slo;
  live.scene.guarded.hard_stop = slo.empty();
}

TEST(Continuous, PutsARecommendationInForceAtOnceAndWritesItDown) {
  LiveScene live = continuous();
  const Step step = live.pass();
  EXPECT_EQ(step.kind, StepKind::kPutBack);
  EXPECT_EQ(live.memory().applied, new_settings());
  EXPECT_EQ(live.memory().applied_beside, live.environment);
  EXPECT_EQ(live.memory().applied_over, live.environment) << "what stops it goes back to";
  EXPECT_THAT(live.memory().active_trial, IsEmpty());
  EXPECT_THAT(live.uids_with(new_settings()), SizeIs(3));
  ASSERT_THAT(live.memory().changes, SizeIs(1));
  EXPECT_EQ(live.memory().changes[0].from, live.environment);
  EXPECT_EQ(live.memory().changes[0].to, new_settings());
  EXPECT_EQ(step.requeue_after, seconds(1));
}

TEST(Continuous, FollowsNoOftenerThanEachFiveSeconds) {
  LiveScene live = continuous();
  const Time begin = live.scene.now;
  int percent = 110;
  ASSERT_TRUE(live.run_until([&] {
    live.scene.decision.settings = settings(percent++);
    return live.scene.now - begin >= minutes(1);
  }));
  EXPECT_GE(live.memory().changes.size(), 11U);
  EXPECT_LE(live.memory().changes.size(), 13U);
  for (std::size_t i = 1; i < live.memory().changes.size(); ++i) {
    EXPECT_GE(live.memory().changes[i].at - live.memory().changes[i - 1].at, kBetweenChanges);
    EXPECT_EQ(live.memory().changes[i].from, live.memory().changes[i - 1].to);
  }
}

TEST(Continuous, KeepsTheLatestTwentyChanges) {
  ProfileMemory memory;
  for (int i = 0; i < 50; ++i) note_change(memory, {builders::kStart + seconds(i), {}, settings(100 + i), "why"});
  ASSERT_THAT(memory.changes, SizeIs(kMostChanges));
  EXPECT_EQ(memory.changes.back().to, settings(149));
}

TEST(Continuous, WaitsForTheAgentsButNotForEver) {
  LiveScene live = continuous();
  live.processes[1].obeys = false;
  live.pass();
  live.scene.now += seconds(10);
  live.scene.decision.settings = settings(300);
  Step step = live.step();
  EXPECT_EQ(step.reason, "WaitingForAgents");
  EXPECT_EQ(step.kind, StepKind::kHold);
  live.scene.now += minutes(2);
  EXPECT_EQ(live.step().kind, StepKind::kPutBack);
}

TEST(Continuous, HoldsWhereNothingIsRecommended) {
  LiveScene live = continuous();
  live.scene.decision = builders::keep();
  const Step step = live.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_FALSE(step.memory);
}

TEST(Continuous, TakesAllOfItBackWhenItIsStopped) {
  for (const char* const slo : {"latency-p99", ""}) {
    LiveScene live = continuous();
    Slo promise;
    promise.name = "latency-p99";
    promise.max = 0.05;
    live.scene.profile.spec.slos = {promise};
    live.pass();
    live.scene.now += seconds(10);
    live.scene.decision.settings = settings(400);
    live.pass();
    ASSERT_EQ(live.memory().applied, settings(400));
    stop(live, *slo == '\0' ? "MemoryNearLimit" : "SloViolated", slo);
    live.pass();
    EXPECT_TRUE(live.memory().putting_back);
    live.pass();
    EXPECT_EQ(live.current(), live.environment) << "not only the latest change";
    EXPECT_THAT(live.uids_with(settings(100)), SizeIs(3));
    ASSERT_THAT(live.memory().banned, SizeIs(1));
    EXPECT_EQ(live.memory().banned[0].settings, settings(400));
    ASSERT_THAT(live.memory().changes, SizeIs(3));
    EXPECT_EQ(live.memory().changes.back().from, settings(400));
    ASSERT_TRUE(live.memory().cool_down_until);
    EXPECT_EQ(*live.memory().cool_down_until - live.memory().changes.back().at,
              live.scene.profile.spec.rollback.cool_down);
  }
}

TEST(Continuous, LeavesAPersonsChangeAlone) {
  LiveScene live = continuous();
  live.pass();
  live.environment = settings(80);
  const Step step = live.pass();
  EXPECT_EQ(step.reason, "SettingsChanged");
  EXPECT_EQ(live.current(), settings(80));
}

TEST(Continuous, StopsWhenSuspendedAndKeepsWhatIsInForce) {
  LiveScene live = continuous();
  live.pass();
  live.scene.profile.spec.suspend = true;
  live.scene.decision.settings = settings(300);
  live.scene.now += minutes(1);
  EXPECT_EQ(live.step().kind, StepKind::kHold);
  EXPECT_EQ(live.current(), new_settings());
}

TEST(Continuous, EndsATrialThatRuns) {
  LiveScene live(TrialPhase::kMeasuring);
  live.scene.profile.spec.update_mode = UpdateMode::kContinuous;
  ASSERT_TRUE(live.run_until([&] { return !live.scene.trial; }, minutes(1)));
  EXPECT_EQ(live.scene.ended_trials.back().status.reason, "Suspended");
  EXPECT_THAT(live.uids_with(settings(100)), SizeIs(3));
}

TEST(Continuous, ForgetsATrialThatWasOnlyNoted) {
  LiveScene live;
  live.pass();
  ASSERT_FALSE(live.memory().active_trial.empty());
  live.scene.profile.spec.update_mode = UpdateMode::kContinuous;
  EXPECT_EQ(live.pass().kind, StepKind::kForgetTrial);
}

TEST(Continuous, LeavesALimitThatTheProgramGaveItself) {
  LiveScene live = continuous();
  for (LiveProcess& process : live.processes) process.runs = settings(100, mib(450));
  live.scene.decision.estimate.emplace().settings = settings(100, mib(450));
  live.scene.decision.settings = settings(200);
  live.pass();
  EXPECT_EQ(live.memory().applied, settings(200, mib(450)));
  EXPECT_EQ(live.memory().applied_over, settings({}, mib(450)));
  live.scene.now += seconds(10);
  live.scene.decision.settings = settings(300);
  live.pass();
  EXPECT_EQ(live.memory().applied, settings(300, mib(450)));
  EXPECT_EQ(live.memory().applied_over, settings({}, mib(450))) << "and goes back to it";
}

TEST(Continuous, BeginsAnewAfterItGaveAProgramItsOwnLimitBack) {
  LiveScene live = continuous();
  const Settings own = settings(100, mib(450));
  const auto runs_its_own = [&] {
    for (LiveProcess& process : live.processes) process.runs = own;
  };
  runs_its_own();
  live.scene.decision.estimate.emplace().settings = own;
  live.scene.decision.settings = settings(200);
  live.pass();
  ASSERT_EQ(live.memory().applied_over, settings({}, mib(450)));
  live.scene.now += minutes(10);
  stop(live, "OOMKilled", "");
  live.processes[0].started = live.scene.now - seconds(5);
  live.processes[0].restarts = 1;
  live.processes[0].oom_killed = true;
  live.pass();
  live.pass();
  live.scene.guarded = {};
  EXPECT_EQ(live.current(), live.environment) << "with which the agents give back what the program had";
  EXPECT_FALSE(live.memory().applied);
  EXPECT_FALSE(following_since(live.memory()));
  runs_its_own();

  live.scene.now += hours(7);
  const Time again = live.scene.now;
  live.scene.decision.settings = settings(300);
  live.pass();
  EXPECT_EQ(live.memory().applied, settings(300, mib(450)));
  EXPECT_EQ(live.memory().applied_over, settings({}, mib(450)));
  EXPECT_EQ(following_since(live.memory()), again);
  live.scene.now += minutes(2);
  EXPECT_EQ(judge_in_force(live.facts()).outcome, Outcome::kUndecided) << "it was killed before";
}

TEST(Continuous, KnowsSinceWhenItFollows) {
  ProfileMemory memory;
  EXPECT_FALSE(following_since(memory));
  memory.applied_beside = settings(80);
  const auto at = [](int minute) { return builders::kStart + minutes(minute); };
  note_change(memory, {at(1), settings(80), settings(200), ""});
  note_change(memory, {at(2), settings(200), settings(80), "stopped"});
  EXPECT_FALSE(following_since(memory));
  note_change(memory, {at(3), settings(80), settings(150), ""});
  note_change(memory, {at(4), settings(150), settings(170), ""});
  EXPECT_EQ(following_since(memory), at(3));
}

TEST(Continuous, BreaksAPromiseHoweverOftenItsSettingsChange) {
  LiveScene live = continuous();
  Slo slo;
  slo.name = "queue";
  slo.source = PodGauge{};
  slo.max = 10;
  slo.max_for = minutes(5);
  live.scene.profile.spec.slos = {slo};
  live.scene.profile.spec.canary.warm_up = Duration(0);
  const Time begin = live.scene.now;
  ProfileMemory& memory = live.memory();
  live.keep(settings(300));
  memory.applied_over = live.environment;
  for (int i = 0; i < 10; ++i) {
    note_change(memory, {begin + minutes(i), i == 0 ? live.environment : settings(i % 2 == 0 ? 100 : 300),
                         settings(i % 2 == 0 ? 300 : 150), ""});
  }
  live.scene.now = begin + minutes(10);
  Facts facts = live.facts();
  for (PodSeries& pod : facts.observed.pods) {
    pod.samples.clear();
    for (int second = 1; second <= 600; second += 5) {
      Sample sample;
      sample.at = begin + seconds(second);
      sample.process.emplace().gogc = Gogc(second / 60 % 2 == 0 ? 300 : 150);
      sample.latency["queue"] = reading_of(0);
      for (int i = 0; i < second; i += 5) merge(sample.latency["queue"], reading_of(50));
      pod.samples.push_back(sample);
    }
  }
  EXPECT_EQ(judge_in_force(facts).reason, "SloViolated");
}

TEST(Continuous, JudgesByWhatEndedSinceItFollows) {
  LiveScene live = continuous();
  live.scene.now += hours(1);
  live.processes[0].restarts = 7;
  live.processes[0].oom_killed = true;
  live.pass();
  EXPECT_EQ(judge_in_force(live.facts()).outcome, Outcome::kUndecided) << "it was killed weeks ago";
  live.scene.now += seconds(20);
  live.scene.decision.settings = settings(300);
  live.pass();
  live.scene.now += seconds(20);
  live.processes[0].started = live.scene.now - seconds(30);
  const Verdict verdict = judge_in_force(live.facts());
  EXPECT_EQ(verdict.reason, "OOMKilled");
  EXPECT_TRUE(verdict.hard_stop);
}

}  // namespace
}  // namespace gopacer
