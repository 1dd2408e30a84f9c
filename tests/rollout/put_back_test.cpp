// Broken promises: what is put back, by which action, and that any successor goes on.
#include "rollout/put_back.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using builders::settings;
using scenes::in;
using scenes::Scene;
using testing::HasSubstr;

constexpr int kBefore = 100;
constexpr int kNow = 400;

Trial promoted(const std::string& name, int from, int to) {
  Trial trial = builders::trial(TrialPhase::kEnded);
  trial.key.name = name;
  trial.spec.from = settings(from);
  trial.spec.to = settings(to);
  trial.status.verdict = TrialVerdict::kPromote;
  return trial;
}

Verdict broken_promise() {
  Verdict verdict = builders::verdict(Outcome::kWorse, "SloViolated");
  verdict.broken = "latency-p99";
  verdict.message = "latency-p99 was above 50ms.";
  return verdict;
}

Slo promise(BreachAction action) {
  Slo slo;
  slo.name = "latency-p99";
  slo.max = 0.05;
  slo.action = action;
  return slo;
}

/// The target has GOGC=400 instead of 100, and its promise is broken.
Scene breach(BreachAction action = BreachAction::kRollBack) {
  Scene scene;
  scene.profile.spec.slos = {promise(action)};
  scene.profile.spec.rollback.guard = true;
  scene.current = settings(kNow);
  note_applied(scene.profile.memory, settings(kNow), settings(kBefore), scene.target.uid, "app", scene.facts());
  scene.guarded = broken_promise();
  return scene;
}

/// Passes until one leaves the cluster as it is and announces nothing; gives all of their steps.
std::vector<Step> passes(Scene& scene) {
  std::vector<Step> steps;
  for (int i = 0; i < 6; ++i) {
    steps.push_back(scene.step());
    const Step& step = steps.back();
    if (step.kind == StepKind::kPutBack) scene.current = *step.settings;
    if (step.memory) scene.profile.memory = *step.memory;
    if (scene.current != settings(kNow)) scene.guarded = {};
    if (step.kind == StepKind::kHold && !step.memory) break;
  }
  return steps;
}

TEST(PutBack, AnnouncesWritesAndNotes) {
  Scene scene = breach();
  const std::vector<Step> steps = passes(scene);
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0].kind, StepKind::kHold);
  EXPECT_EQ(steps[0].memory->putting_back->settings, settings(kBefore));
  EXPECT_EQ(steps[0].message, "latency-p99 was above 50ms. GOGC=100 is put back.");
  EXPECT_EQ(steps[1].kind, StepKind::kPutBack);
  EXPECT_EQ(steps[1].settings, settings(kBefore));
  EXPECT_EQ(steps[2].kind, StepKind::kHold);
  EXPECT_EQ(steps[2].reason, "RolledBack");
  const ProfileMemory& memory = scene.profile.memory;
  EXPECT_EQ(memory.applied, settings(kBefore));
  EXPECT_FALSE(memory.putting_back);
  EXPECT_FALSE(memory.applied_over) << "nothing is known to go back to from there";
  EXPECT_EQ(memory.cool_down_until, scene.now + scene.profile.spec.rollback.cool_down);
  ASSERT_EQ(memory.banned.size(), 1U);
  EXPECT_EQ(memory.banned[0].settings, settings(kNow));
  EXPECT_EQ(memory.banned[0].reason, "SloViolated");
}

TEST(PutBack, IsLookedForAsOftenAsItsWindowsAreLong) {
  Scene scene = breach();
  scene.guarded = {};
  scene.profile.spec.canary.interval = std::chrono::seconds(1);
  scene.profile.spec.metrics.interval = std::chrono::seconds(2);
  scene.decision = {};
  EXPECT_EQ(scene.step().requeue_after, std::chrono::seconds(2)) << "though nothing else is to be done";
  scene.profile.spec.suspend = true;
  EXPECT_EQ(scene.step().requeue_after, std::chrono::seconds(2)) << "or may be done";
  scene.profile.spec.suspend = false;
  scene.profile.spec.rollback.guard = false;
  EXPECT_EQ(scene.step().requeue_after, std::chrono::seconds(15));
  scene.profile.spec.rollback.guard = true;
  scene.profile.spec.metrics.interval = std::chrono::minutes(2);
  EXPECT_EQ(scene.step().requeue_after, std::chrono::seconds(15));
}

TEST(PutBack, IsDoneByASuccessorThatFindsThePatchWithoutItsNote) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  scene.current = settings(kBefore);
  const Step step = scene.step();
  EXPECT_EQ(step.reason, "RolledBack") << "not SettingsChanged: nobody else did it";
  EXPECT_EQ(step.memory->applied, settings(kBefore));
}

TEST(PutBack, BansWhatItHasTakenAwayAndNotWhatItAnnounces) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  EXPECT_THAT(scene.profile.memory.banned, testing::IsEmpty());
  scene.profile.spec.suspend = true;
  scene.guarded = {};
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  scene.now += std::chrono::hours(1);
  scene.profile.memory = *scene.step().memory;
  EXPECT_FALSE(scene.profile.memory.putting_back);
  EXPECT_THAT(scene.profile.memory.banned, testing::IsEmpty()) << "it is still in force, and nobody took it away";
}

TEST(PutBack, BansTheSameWhoeverNotesItAndHoweverOften) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  scene.guarded = {};  // a successor has no samples yet
  scene.current = settings(kBefore);
  scene.now += std::chrono::minutes(3);
  const Step first = scene.step();
  EXPECT_EQ(scene.step().memory, first.memory) << "the first note was lost";
  ASSERT_THAT(first.memory->banned, testing::SizeIs(1));
  EXPECT_EQ(first.memory->banned[0].settings, settings(kNow));
  EXPECT_EQ(first.memory->banned[0].reason, "SloViolated");
  EXPECT_EQ(first.memory->banned[0].trials, 1);
}

TEST(PutBack, GoesBeforeAWishThatCanNotBeFulfilled) {
  Scene scene = breach();
  scene.profile.wishes.undo_to = "checkout-33";
  EXPECT_TRUE(scene.step().memory->putting_back) << "no such trial is kept, and the promise is broken";
  scene.guarded = {};
  EXPECT_EQ(scene.step().reason, "UndoUnknown");
}

TEST(PutBack, IsDoneByASuccessorThatFindsTheAnnouncementAlone) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  scene.guarded = {};
  EXPECT_EQ(scene.step().kind, StepKind::kPutBack) << "it has no samples yet, and needs none";
}

TEST(PutBack, LeavesWhatAPersonSetsMeanwhile) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  scene.current = settings(77);
  const std::vector<Step> steps = passes(scene);
  for (const Step& step : steps) EXPECT_EQ(step.kind, StepKind::kHold) << step.message;
  EXPECT_EQ(scene.current, settings(77));
  EXPECT_FALSE(scene.profile.memory.applied);
  EXPECT_FALSE(scene.profile.memory.putting_back);
}

TEST(PutBack, StepsDownHalfwayAndHalfwayAgain) {
  Scene scene = breach(BreachAction::kStepDown);
  EXPECT_EQ(passes(scene)[2].reason, "SteppedDown");
  EXPECT_EQ(scene.current, settings(200));
  EXPECT_EQ(scene.profile.memory.applied_over, settings(kBefore));
  std::vector<int> values;
  for (int i = 0; i < 10 && scene.profile.memory.applied_over; ++i) {
    scene.guarded = broken_promise();
    passes(scene);
    values.push_back(scene.current.gogc->percent());
  }
  scene.guarded = broken_promise();
  EXPECT_EQ(scene.step().kind, StepKind::kHold) << "it rests there";
  EXPECT_THAT(values, testing::ElementsAre(141, 119, 109, 100));
}

TEST(PutBack, SwitchesToTheLatestOtherSettingsThatATrialConfirmed) {
  Scene scene = breach(BreachAction::kSwitch);
  scene.ended_trials = {promoted("checkout-1", 50, 150), promoted("checkout-2", 150, 160),
                        promoted("checkout-3", kBefore, kNow)};
  EXPECT_EQ(passes(scene)[2].reason, "Switched");
  EXPECT_EQ(scene.current, settings(160));
  EXPECT_EQ(scene.profile.memory.applied_over, settings(150)) << "where the guard goes back to from there";
}

TEST(PutBack, SwitchesToNothingThatWasFoundBadItself) {
  Scene scene = breach(BreachAction::kSwitch);
  scene.ended_trials = {promoted("checkout-1", 50, 150), promoted("checkout-2", 150, 160)};
  scene.profile.memory.banned = {{settings(160), scene.target.template_hash, "SloViolated", scene.now}};
  passes(scene);
  EXPECT_EQ(scene.current, settings(150));
}

TEST(PutBack, RollsBackWhereNoOtherSettingsWereConfirmed) {
  Scene scene = breach(BreachAction::kSwitch);
  scene.ended_trials = {promoted("checkout-3", kBefore, kNow)};
  EXPECT_EQ(passes(scene)[2].reason, "RolledBack");
  EXPECT_EQ(scene.current, settings(kBefore));
}

TEST(PutBack, GoesOnGuardingWhatAnEarlierTrialConfirmed) {
  Scene scene = breach();
  scene.ended_trials = {promoted("checkout-1", 50, kBefore), promoted("checkout-2", kBefore, kNow)};
  passes(scene);
  EXPECT_EQ(scene.profile.memory.applied, settings(kBefore));
  EXPECT_EQ(scene.profile.memory.applied_over, settings(50));
}

TEST(PutBack, WaitsAndSaysSoWhereSomethingStandsAgainstIt) {
  Scene scene = breach();
  scene.give_gogc_to("argocd");
  Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_FALSE(step.memory) << "nothing is announced";
  EXPECT_EQ(step.reason, "FieldConflict");
  EXPECT_TRUE(step.refused);
  EXPECT_THAT(step.message, HasSubstr("GOGC=100 is put back. That waits: "));
  scene = breach();
  scene.profile.memory = *scene.step().memory;
  scene.profile.spec.update_mode = UpdateMode::kOff;
  step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold) << "who turns it off wants nothing to be written";
  EXPECT_EQ(step.reason, "RecommendOnly");
}

TEST(PutBack, DoesNotWaitForAnAutoscalerThatKeepsTrialsAway) {
  Scene scene = breach();
  Facts facts = scene.facts();
  Autoscaler autoscaler;
  autoscaler.by_memory = true;
  facts.desired.autoscalers = {std::make_shared<Autoscaler>(autoscaler)};
  EXPECT_EQ(advance(facts).reason, "RolledBack");
  EXPECT_TRUE(advance(facts).memory->putting_back);
}

TEST(PutBack, SaysThatNothingIsGuardedWhereTheTargetCannotBeRead) {
  Scene scene = breach();
  scene.target.rollout.paused = true;
  EXPECT_EQ(scene.step().reason, "TargetPaused");
  EXPECT_THAT(scene.step().message, HasSubstr("Nothing guards the settings until then."));
  scene.profile.wishes.undo_to = "checkout-1";
  EXPECT_THAT(scene.step().message, HasSubstr("The undo waits for that. Nothing guards"));
  scene.profile.spec.rollback.guard = false;
  scene.profile.wishes.undo_to.clear();
  EXPECT_THAT(scene.step().message, testing::EndsWith("checkout."));
}

TEST(PutBack, GoesBackToNothingThatWasFoundBadAsWell) {
  // Or it would go back and forth between two settings, a rollout each time.
  Scene scene = breach();
  scene.ended_trials = {promoted("checkout-1", kBefore, kNow), promoted("checkout-2", kNow, kBefore),
                        promoted("checkout-3", kBefore, kNow)};
  passes(scene);
  EXPECT_EQ(scene.current, settings(kBefore));
  EXPECT_FALSE(scene.profile.memory.applied_over);
  scene = breach(BreachAction::kStepDown);
  const std::string& program = scene.target.template_hash;
  scene.profile.memory.banned = {{settings(200), program, "SloViolated", scene.now}};
  passes(scene);
  EXPECT_EQ(scene.current, settings(kBefore)) << "the middle is bad";
  scene = breach();
  scene.profile.memory.banned = {{settings(kBefore), program, "SloViolated", scene.now}};
  const Step step = scene.step();
  EXPECT_EQ(step.reason, "PutBackUnsafe");
  EXPECT_FALSE(step.memory);
}

TEST(PutBack, ForgetsAnAnnouncementThatNobodyAsksForAnyMore) {
  const auto dropped = [](const auto& change) {
    Scene scene = breach();
    scene.profile.memory = *scene.step().memory;
    scene.guarded = {};
    change(scene);
    const std::vector<Step> steps = passes(scene);
    return std::none_of(steps.begin(), steps.end(), [](const Step& step) { return step.kind == StepKind::kPutBack; });
  };
  EXPECT_FALSE(dropped([](Scene&) {}));
  EXPECT_TRUE(dropped([](Scene& scene) { scene.target.template_hash = "another-image"; }));
  EXPECT_TRUE(dropped([](Scene& scene) { scene.now += std::chrono::minutes(10); }));
  EXPECT_TRUE(dropped([](Scene& scene) { scene.profile.spec.slos.clear(); }));
  EXPECT_TRUE(dropped([](Scene& scene) { scene.profile.spec.slos[0].max.reset(); }));
  EXPECT_TRUE(dropped([](Scene& scene) { scene.profile.spec.rollback.guard = false; }));
}

TEST(PutBack, KnowsItsPatchWhenTheWatchIsLateAndTheAnnouncementTooOld) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  scene.now += std::chrono::minutes(11);
  scene.current = settings(kBefore);
  EXPECT_EQ(scene.step().reason, "RolledBack");
}

TEST(PutBack, ForgetsAnOldAnnouncementInTheEnd) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  scene.guarded = {};
  scene.now += std::chrono::hours(1);
  EXPECT_FALSE(scene.step().memory->putting_back);
}

TEST(PutBack, HoldsAPromiseAgainstNobodyThatTheOldSettingsBrokeToo) {
  Scene scene = breach();
  Trial trial = promoted("checkout-1", kBefore, kNow);
  MetricEvidence metric;
  metric.name = "latency-p99";
  metric.stats.add(0);
  metric.baseline = 0.04;
  trial.status.evidence.metrics = {metric};
  trial.spec.slos = scene.profile.spec.slos;
  scene.ended_trials = {trial};
  EXPECT_EQ(kept_promises(scene.facts()).size(), 1U);
  scene.ended_trials[0].status.evidence.metrics[0].baseline = 0.06;
  EXPECT_EQ(kept_promises(scene.facts()).size(), 0U);
  scene.ended_trials[0].spec.slos[0].path = "/other";
  EXPECT_EQ(kept_promises(scene.facts()).size(), 1U) << "it was another SLO that had this name";
}

TEST(PutBack, LooksInATrialOnlyAtWhatIsReadForItsOwnSlos) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.profile.spec.slos = {promise(BreachAction::kRollBack)};
  scene.trial->spec.slos = scene.profile.spec.slos;
  scene.trial->spec.slos[0].max.reset();
  EXPECT_EQ(kept_promises(scene.facts()).size(), 1U);
  scene.trial->spec.slos[0].path = "/other";
  EXPECT_EQ(kept_promises(scene.facts()).size(), 0U);
}

TEST(PutBack, KnowsWhereToGoBackFromWhatAnEarlierVersionApplied) {
  Scene scene = breach();
  scene.profile.memory.applied_over.reset();
  EXPECT_FALSE(guard_goes_back_to(scene.facts()));
  scene.ended_trials = {promoted("checkout-3", kBefore, kNow)};
  EXPECT_EQ(guard_goes_back_to(scene.facts()), settings(kBefore));
  EXPECT_EQ(passes(scene)[1].settings, settings(kBefore));
}

TEST(PutBack, WaitsForNoPodThatIsNotReady) {
  Scene scene = breach();
  scene.target.available_replicas = 1;
  EXPECT_TRUE(scene.step().memory) << "that may be what the promise is broken by";
  scene.target.updated_replicas = 1;
  EXPECT_EQ(scene.step().reason, "TargetRolling");
}

TEST(PutBack, IsRefusedWhereTheOldLimitIsTooLargeForTheContainerByNow) {
  Scene scene = breach();
  note_applied(scene.profile.memory, settings(kNow), settings(kBefore, mib(600)), scene.target.uid, "app",
               scene.facts());
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.reason, "PutBackUnsafe");
  EXPECT_FALSE(step.memory) << "trials may go on once the promise is kept";
}

TEST(PutBack, ForgetsWhatWasAnnouncedForAnotherTarget) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  scene.target.uid = "made-anew";
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_FALSE(step.memory->putting_back);
}

TEST(PutBack, GivesWayToAPersonsUndo) {
  Scene scene = breach();
  scene.profile.memory = *scene.step().memory;
  Trial kept = promoted("checkout-3", kBefore, 150);
  scene.ended_trials = {kept};
  scene.profile.wishes.undo_to = "checkout-3";
  const Step step = scene.step();
  EXPECT_EQ(step.settings, settings(150));
  EXPECT_FALSE(step.memory->putting_back);
}

TEST(PutBack, EndsATrialOfOtherSettingsFirst) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.guarded = broken_promise();
  const Step step = scene.end();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.reason, "SloViolated");
}

TEST(PutBack, LeadsTheWatchsRollbackToNothingThatTheContainerCannotBear) {
  Scene scene = in(TrialPhase::kWatching);
  scene.trial->spec.slos = {promise(BreachAction::kSwitch)};
  Trial other = promoted("checkout-0", 50, 150);
  other.spec.to.go_mem_limit = mib(600);
  scene.ended_trials = {other};
  scene.verdict = broken_promise();
  EXPECT_FALSE(scene.step().trial->put_back) << "but to what was there before";
  scene.ended_trials[0].spec.to.go_mem_limit = mib(400);
  EXPECT_EQ(scene.step().trial->put_back, settings(150, mib(400)));
}

TEST(PutBack, IsWhatTheWatchsRollbackLeadsToAsWell) {
  Scene scene = in(TrialPhase::kWatching);
  scene.trial->spec.from = settings(kBefore);
  scene.trial->spec.to = settings(kNow);
  scene.trial->spec.slos = {promise(BreachAction::kStepDown)};
  scene.current = settings(kNow);
  scene.verdict = broken_promise();
  Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
  EXPECT_EQ(step.trial->put_back, settings(200));
  EXPECT_THAT(step.trial->steps.back().message, HasSubstr("GOGC=200 is put there instead."));
  scene.trial->status = *step.trial;
  step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kRollBack);
  EXPECT_EQ(step.settings, settings(200));
  scene.current = settings(200);
  const Step ended = scene.end();
  EXPECT_EQ(ended.trial->verdict, TrialVerdict::kRollBack);
  EXPECT_EQ(ended.memory->applied, settings(200));
  EXPECT_EQ(ended.memory->applied_over, settings(kBefore));
}

}  // namespace
}  // namespace gopacer
