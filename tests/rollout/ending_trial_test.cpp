#include <gmock/gmock.h>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using builders::better;
using builders::new_settings;
using builders::old_settings;
using builders::settings;
using scenes::in;
using scenes::kBeforePromotion;
using scenes::Scene;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;

constexpr TrialPhase kRunning[] = {TrialPhase::kPending,   TrialPhase::kWarmUp,   TrialPhase::kMeasuring,
                                   TrialPhase::kPromoting, TrialPhase::kWatching, TrialPhase::kRollingBack};

// Rolling back

TEST(RunningTrial, PutsTheOldSettingsBack) {
  const Step step = in(TrialPhase::kRollingBack).step();
  EXPECT_EQ(step.kind, StepKind::kRollBack);
  EXPECT_EQ(step.settings, old_settings());
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
}

TEST(RunningTrial, WaitsForTheTargetsPodsToRunTheOldSettings) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.current = old_settings();
  scene.target = builders::unsettled_deployment();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
}

TEST(RunningTrial, EndsWhenTheOldSettingsServeAgain) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.current = old_settings();
  const Step step = scene.end();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
  EXPECT_EQ(step.trial->reason, "LatencyRegression");
  EXPECT_FALSE(step.memory->applied);
  ASSERT_THAT(step.memory->banned, SizeIs(1));
  EXPECT_EQ(step.memory->banned.front().settings, new_settings());
  EXPECT_EQ(step.memory->cool_down_until, scene.now + hours(6));
}

TEST(RunningTrial, RemembersThatTheSettingsBeforeAreItsOwnAfterARollback) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.trial->spec.from = scene.current = settings(150, mib(430));
  EXPECT_EQ(scene.end().memory->applied, settings(150, mib(430)));
}

TEST(RunningTrial, EndsThoughThePodsDoNotComeUpWithTheOldSettingsEither) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.current = old_settings();
  scene.target = builders::unsettled_deployment();
  scene.now = builders::entered(TrialPhase::kRollingBack) + minutes(15) + seconds(1);
  const Step step = scene.end();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
}

TEST(RunningTrial, KeepsRollingBackWhenTheProfileIsDeleted) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.profile.deleting = true;
  EXPECT_EQ(scene.step().kind, StepKind::kRollBack);
  scene.profile_is_there = false;
  EXPECT_EQ(scene.step().kind, StepKind::kRollBack);
  scene.current = old_settings();
  EXPECT_EQ(scene.end().kind, StepKind::kEnd);
}

TEST(RunningTrial, KeepsRollingBackWhenTheProfileIsSuspended) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.profile.spec.suspend = true;
  EXPECT_EQ(scene.step().kind, StepKind::kRollBack);
}

TEST(RunningTrial, KeepsRollingBackWhenANewImageArrives) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.target.template_hash = "hash-2";
  EXPECT_EQ(scene.step().kind, StepKind::kRollBack);
}

TEST(RunningTrial, KeepsRollingBackAfterTheDeadline) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.now = scene.trial->spec.deadline + hours(2);
  EXPECT_EQ(scene.step().kind, StepKind::kRollBack);
}

TEST(RunningTrial, DoesNotRollBackOverAPersonsSettings) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.current = settings(300);
  const Step step = scene.end();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kSuperseded);
  EXPECT_EQ(step.trial->reason, "SettingsChanged");
}

// What ends a trial from outside

TEST(RunningTrial, APersonsChangeOfTheTemplateEndsTheTrial) {
  for (const TrialPhase phase : kRunning) {
    if (phase == TrialPhase::kRollingBack) continue;
    Scene scene = in(phase);
    scene.target.template_hash = "hash-2";
    scene.verdict = better();
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kSuperseded);
    EXPECT_EQ(step.trial->reason, "TemplateChanged");
    EXPECT_FALSE(step.memory->cool_down_until) << "the new template deserves its own trial";
  }
}

TEST(RunningTrial, APersonsSettingsEndTheTrial) {
  for (const TrialPhase phase : kRunning) {
    Scene scene = in(phase);
    scene.current = settings(300);
    scene.verdict = better();
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kSuperseded);
    EXPECT_EQ(step.trial->reason, "SettingsChanged");
    EXPECT_THAT(step.trial->message, HasSubstr("GOGC=300"));
  }
}

TEST(RunningTrial, EndsWhenAPersonSetsBeforehandWhatItTries) {
  for (const TrialPhase phase : kBeforePromotion) {
    Scene scene = in(phase);
    scene.current = new_settings();
    EXPECT_EQ(scene.end().trial->verdict, TrialVerdict::kSuperseded) << to_string(phase);
  }
}

TEST(RunningTrial, AnotherManagersOwnershipEndsTheTrial) {
  for (const TrialPhase phase : kRunning) {
    Scene scene = in(phase);
    scene.conflict = "GOGC of container app is set by 'kubectl-set'.";
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kSuperseded);
    EXPECT_THAT(step.trial->message, HasSubstr("kubectl-set"));
  }
}

TEST(RunningTrial, IsAbortedWhenTheTargetIsGone) {
  for (const TrialPhase phase : kRunning) {
    Scene scene = in(phase);
    scene.target_is_there = false;
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
    EXPECT_EQ(step.trial->reason, "TargetGone");
    EXPECT_FALSE(step.memory->applied);
  }
}

TEST(RunningTrial, IsAbortedWhenTheTargetIsAnotherOneOfTheSameName) {
  for (const TrialPhase phase : kRunning) {
    Scene scene = in(phase);
    scene.target.uid = "another-uid";
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->reason, "TargetGone");
    EXPECT_FALSE(step.memory->applied) << "nothing was put into the new one";
  }
}

TEST(RunningTrial, IsAbortedWhenItsProfileIsDeleted) {
  for (const TrialPhase phase : kRunning) {
    if (phase == TrialPhase::kRollingBack) continue;
    for (const bool gone : {false, true}) {
      Scene scene = in(phase);
      scene.profile.deleting = true;
      scene.profile_is_there = !gone;
      const Step step = scene.end();
      EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
      EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
      EXPECT_EQ(step.trial->reason, "ProfileDeleted");
      EXPECT_EQ(step.memory.has_value(), !gone);
    }
  }
}

TEST(RunningTrial, IsNotTakenOverByANewProfileOfTheSameName) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.profile.uid = "another-uid";
  scene.profile.memory = {};
  scene.verdict = better();
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
  EXPECT_EQ(step.trial->reason, "ProfileDeleted");
  EXPECT_FALSE(step.memory) << "the new profile has nothing to do with it";
}

TEST(RunningTrial, LeavesWhatStandsInTheTargetToTheProfilesDeletion) {
  Scene scene = in(TrialPhase::kWatching);
  scene.profile.deleting = true;
  const Step end = scene.end();
  EXPECT_EQ(end.memory->applied, new_settings());
  scene.profile.memory = *end.memory;
  scene.trial.reset();
  EXPECT_EQ(scene.step().kind, StepKind::kRevert);
}

TEST(RunningTrial, IsAbortedWhenAPersonSuspendsTheProfileOrTurnsItOff) {
  for (const TrialPhase phase : kRunning) {
    if (phase == TrialPhase::kRollingBack) continue;
    for (const bool suspend : {false, true}) {
      Scene scene = in(phase);
      scene.profile.spec.suspend = suspend;
      if (!suspend) scene.profile.spec.update_mode = UpdateMode::kOff;
      const Step step = scene.end();
      EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
      EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
    }
  }
}

Scene in_fixed_trial(TrialPhase phase) {
  Scene scene = in(phase);
  scene.profile.spec.strategy = scene.trial->spec.strategy = Strategy::kFixed;
  scene.profile.spec.fixed = new_settings();
  return scene;
}

TEST(RunningTrial, EndsWhenTheFixedSettingsAreChangedInMidTrial) {
  for (const TrialPhase phase : kBeforePromotion) {
    Scene scene = in_fixed_trial(phase);
    EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kNone);
    scene.profile.spec.fixed.gogc = Gogc(50);
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kSuperseded);
    EXPECT_EQ(step.trial->reason, "ProfileChanged");
  }
}

TEST(RunningTrial, TakesASettingThatAPersonLeavesOutAsTheTargetHasIt) {
  Scene scene = in_fixed_trial(TrialPhase::kMeasuring);
  scene.profile.spec.fixed = settings(200);
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kNone);
}

TEST(RunningTrial, EndsWhenTheStrategyIsChangedInMidTrial) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.profile.spec.strategy = Strategy::kFixed;
  EXPECT_EQ(scene.end().trial->reason, "ProfileChanged");
}

TEST(RunningTrial, EndsWhenTheProfileNamesAnotherContainer) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.profile.spec.container = "app";
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kNone);
  scene.profile.spec.container = "worker";
  EXPECT_EQ(scene.end().trial->reason, "ProfileChanged");
}

TEST(RunningTrial, IsFinishedWhateverTheProfileAsksForOnceItWasPromoted) {
  Scene scene = in_fixed_trial(TrialPhase::kWatching);
  scene.profile.spec.fixed.gogc = Gogc(50);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWatching);
}

TEST(RunningTrial, TellsItsStoryInAtMostThirtySteps) {
  Scene scene = in(TrialPhase::kMeasuring);
  for (int i = 0; i < 40; ++i) scene.trial->status.steps.push_back({scene.now, TrialPhase::kMeasuring, "again"});
  scene.trial->status.steps.resize(kMostTrialSteps);
  scene.verdict = better();
  const auto steps = scene.step().trial->steps;
  EXPECT_THAT(steps, SizeIs(kMostTrialSteps));
  EXPECT_EQ(steps.front().phase, TrialPhase::kWarmUp) << "how it began is kept";
  EXPECT_EQ(steps.back().phase, TrialPhase::kPromoting);
}

TEST(EndedTrial, IsLeftAlone) {
  const Step step = in(TrialPhase::kEnded).step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_FALSE(step.trial);
}

}  // namespace
}  // namespace gopacer
