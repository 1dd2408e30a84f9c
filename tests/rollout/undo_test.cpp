// A person's annotation that asks for an earlier trial's settings.
#include <gmock/gmock.h>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::settings;
using scenes::in;
using scenes::Scene;
using testing::HasSubstr;
using testing::IsEmpty;

/// Trial checkout-3 tried `to`, and somebody wants that back.
Scene asked(const Settings& to = settings(150)) {
  Scene scene;
  scene.current = new_settings();
  Trial kept = builders::trial(TrialPhase::kEnded);
  kept.key.name = "checkout-3";
  kept.spec.to = to;
  scene.ended_trials = {kept};
  scene.profile.wishes.undo_to = "checkout-3";
  return scene;
}

TEST(Undo, PutsTheSettingsBackAtOnceAndBansWhatWasThere) {
  const Scene scene = asked();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kPutBack);
  EXPECT_EQ(step.settings, settings(150));
  EXPECT_THAT(step.message, HasSubstr("of trial checkout-3 back, GOGC=150 instead of GOGC=200 GOMEMLIMIT=430MiB"));
  ASSERT_EQ(step.memory->banned.size(), 1U);
  EXPECT_EQ(step.memory->banned[0].settings, new_settings());
  EXPECT_EQ(step.memory->banned[0].reason, "Undone");
  EXPECT_THAT(step.memory->undone_to, IsEmpty()) << "an operator may die before the patch";
}

TEST(Undo, TakesItsOwnPatchForNobodysChangeWhileTheWatchIsLate) {
  Scene scene = asked();
  scene.profile.memory.applied = new_settings();
  scene.profile.memory = *scene.step().memory;
  EXPECT_EQ(scene.step().kind, StepKind::kPutBack) << "again, onto what it finds then";
  scene.current = settings(150);
  EXPECT_EQ(scene.step().reason, "Undone");
}

TEST(Undo, IsOverOnceTheTargetHasTheSettings) {
  Scene scene = asked();
  scene.current = settings(150);
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.memory->undone_to, "checkout-3");
  EXPECT_EQ(step.memory->applied, settings(150));
  EXPECT_EQ(step.memory->applied_container, "app");
  EXPECT_EQ(step.memory->cool_down_until, scene.now + scene.profile.spec.rollback.cool_down);
  scene.profile.memory = *step.memory;
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_FALSE(scene.step().memory) << "the annotation may stay";
  scene.current = settings(77);
  EXPECT_EQ(scene.step().reason, "SettingsChanged") << "a person's change stands like any other";
}

TEST(Undo, OfGosDefaultsLeavesNothingThatCouldBeTakenForOurs) {
  Scene scene = asked(Settings{});
  scene.current = Settings{};
  EXPECT_EQ(scene.step().memory->applied, std::nullopt);
  EXPECT_EQ(scene.step().memory->undone_to, "checkout-3");
}

TEST(Undo, MayBeAskedForAgainOnceTheAnnotationIsGone) {
  Scene scene = asked();
  scene.profile.memory.undone_to = "checkout-3";
  scene.profile.wishes.undo_to.clear();
  EXPECT_THAT(scene.step().memory->undone_to, IsEmpty());
}

TEST(Undo, NamesTheTrialsThatAreKept) {
  Scene scene = asked();
  scene.profile.wishes.undo_to = "checkout-2";
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_TRUE(step.refused);
  EXPECT_EQ(step.reason, "UndoUnknown");
  EXPECT_THAT(step.message, HasSubstr("settings of trial 'checkout-2', which is not kept"));
  EXPECT_THAT(step.message, HasSubstr("Kept are checkout-3: name one of these, or remove the annotation."));
}

TEST(Undo, KnowsOnlyTrialsOfThisTargetAndContainer) {
  Scene scene = asked();
  scene.ended_trials[0].spec.container = "proxy";
  EXPECT_EQ(scene.step().reason, "UndoUnknown");
  scene = asked();
  scene.ended_trials[0].spec.target.name = "cart";
  EXPECT_EQ(scene.step().reason, "UndoUnknown");
}

TEST(Undo, RefusesALimitThatTheContainerCannotBearAnyMore) {
  Scene scene = asked(settings(150, mib(500)));
  scene.profile.spec.suspend = true;  // then nothing is estimated
  scene.target.containers.front().memory_limit = mib(500);
  const Step step = scene.step();
  EXPECT_TRUE(step.refused);
  EXPECT_EQ(step.reason, "UndoUnsafe");
  EXPECT_THAT(step.message, HasSubstr("memory limit of 500.0MiB any more: raise it, or remove the annotation"));
  scene.target.containers.front().memory_limit = mib(501);
  EXPECT_EQ(scene.step().kind, StepKind::kPutBack);
}

TEST(Undo, RefusesWhatWasRolledBackWithThisProgram) {
  Scene scene = asked();
  scene.ended_trials[0].status.verdict = TrialVerdict::kRollBack;
  scene.ended_trials[0].status.reason = "OOMKilled";
  EXPECT_EQ(scene.step().reason, "UndoUnsafe");
  EXPECT_THAT(scene.step().message,
              HasSubstr("were rolled back with this pod template (OOMKilled): name the trial whose"));
  scene.target.template_hash = "hash-2";
  EXPECT_EQ(scene.step().kind, StepKind::kPutBack) << "another program";
}

TEST(Undo, RefusesWhatTheGuardTookAwayFromThisProgram) {
  Scene scene = asked();
  scene.profile.memory.banned = {{settings(150), scene.target.template_hash, "SloViolated", scene.now}};
  EXPECT_EQ(scene.step().reason, "UndoUnsafe");
  EXPECT_THAT(scene.step().message, HasSubstr("were taken away from this pod template (SloViolated, "));
  for (const char* const by_a_person : {"Undone", "SettingsChanged"}) {
    scene.profile.memory.banned[0].reason = by_a_person;
    EXPECT_EQ(scene.step().kind, StepKind::kPutBack) << by_a_person;
  }
  scene.profile.memory.banned[0].reason = "SloViolated";
  scene.target.template_hash = "hash-2";
  EXPECT_EQ(scene.step().kind, StepKind::kPutBack) << "another program";
}

TEST(Undo, LeavesWhatAnotherHasSetToThem) {
  Scene scene = asked();
  scene.give_gogc_to("argocd");
  const Step step = scene.step();
  EXPECT_TRUE(step.refused);
  EXPECT_EQ(step.reason, "FieldConflict");
  EXPECT_FALSE(step.memory) << "nothing is banned";
}

TEST(Undo, HidesNoChangeOfAPersonWhileItIsRefused) {
  Scene scene = asked();
  scene.profile.memory.applied = settings(180);
  scene.give_gogc_to("kubectl-set");
  const Step step = scene.step();
  EXPECT_EQ(step.reason, "SettingsChanged");
  ASSERT_TRUE(step.memory);
  EXPECT_EQ(step.memory->applied, std::nullopt);
  scene.profile.memory = *step.memory;
  EXPECT_EQ(scene.step().reason, "FieldConflict");
}

TEST(Undo, BansWhatWasThereOnceHoweverOftenItTries) {
  Scene scene = asked();
  scene.profile.memory = *scene.step().memory;
  EXPECT_EQ(scene.step().kind, StepKind::kPutBack) << "something changed the entry on its way";
  EXPECT_EQ(*scene.step().memory, scene.profile.memory) << "so that the status is not written each time";
}

TEST(Undo, BansWhatItTookAwayEvenWhereThatNoteWasLost) {
  Scene scene = asked();
  scene.profile.memory.applied = new_settings();
  scene.profile.memory.applied_uid = scene.target.uid;
  scene.current = settings(150);  // by a pass whose status could not be written
  const Step step = scene.step();
  EXPECT_EQ(step.memory->undone_to, "checkout-3");
  ASSERT_EQ(step.memory->banned.size(), 1U);
  EXPECT_EQ(step.memory->banned[0].settings, new_settings());
  EXPECT_EQ(step.memory->banned[0].reason, "Undone");
}

TEST(Undo, WorksWhateverTheProfileDoesByItself) {
  Scene scene = asked();
  scene.profile.spec.suspend = true;
  EXPECT_EQ(scene.step().kind, StepKind::kPutBack);
  scene.profile.spec.suspend = false;
  scene.profile.spec.update_mode = UpdateMode::kOff;
  EXPECT_EQ(scene.step().kind, StepKind::kPutBack);
  scene.target_is_there = false;
  EXPECT_EQ(scene.step().reason, "TargetNotFound");
}

TEST(Undo, ThatWillBeRefusedEndsNoTrial) {
  Scene scene = in(TrialPhase::kMeasuring);
  Trial kept = *scene.trial;
  kept.key.name = "checkout-0";
  kept.status.verdict = TrialVerdict::kRollBack;
  scene.ended_trials = {kept};
  scene.profile.wishes.undo_to = "checkout-0";
  const Step step = scene.step();
  EXPECT_EQ(step.trial ? step.trial->verdict : TrialVerdict::kNone, TrialVerdict::kNone) << step.message;
}

TEST(Undo, EndsARunningTrialFirst) {
  Scene scene = in(TrialPhase::kMeasuring);
  Trial kept = *scene.trial;
  kept.key.name = "checkout-0";
  scene.profile.wishes.undo_to = "checkout-9";
  EXPECT_NE(scene.step().reason, "UndoAsked") << "a slip of the pen ends nothing";
  scene.ended_trials = {kept};
  scene.profile.wishes.undo_to = "checkout-0";
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
  EXPECT_EQ(step.trial->reason, "UndoAsked");
}

}  // namespace
}  // namespace gopacer
