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
  EXPECT_EQ(step.message, "Putting Go's defaults into the target.");
}

TEST(RunningTrial, WaitsForTheTargetsPodsToRunTheOldSettings) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.current = old_settings();
  scene.target = builders::unsettled_deployment();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
  EXPECT_EQ(step.message, "Waiting for the target's pods to run Go's defaults again.");
}

TEST(RunningTrial, DoesNotWaitForATargetThatSomebodyPaused) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.current = old_settings();
  scene.target = builders::unsettled_deployment();
  scene.target.rollout.paused = true;
  EXPECT_EQ(scene.end().kind, StepKind::kEnd);
}

TEST(RunningTrial, SaysWhichPodsTheRollbackHasNotReached) {
  const auto pod_with = [](const Settings& settings, Track track) {
    Pod pod;
    pod.phase = "Running";
    pod.containers.emplace_back();
    pod.containers.back().name = "app";
    const EnvText env = to_env(settings);
    if (env.gogc) pod.containers.back().env.push_back({kGogcVariable, *env.gogc});
    if (env.go_mem_limit) pod.containers.back().env.push_back({kGoMemLimitVariable, *env.go_mem_limit});
    return OwnedPod{std::make_shared<Pod>(pod), track};
  };
  const auto told = [&](int left, bool paused) {
    Scene scene = in(TrialPhase::kRollingBack);
    scene.current = old_settings();
    scene.target = builders::unsettled_deployment();
    scene.target.rollout.paused = paused;
    scene.now += hours(1);
    scene.pods = {pod_with(old_settings(), Track::kStable), pod_with(new_settings(), Track::kBaseline)};
    for (int i = 0; i < left; ++i) scene.pods.push_back(pod_with(new_settings(), Track::kStable));
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd);
    EXPECT_EQ(step.trial->steps.back().message, step.trial->message) << "it is what the event tells";
    return step.trial->message;
  };
  EXPECT_EQ(told(2, true),
            "It became slower. 2 pods of the target still run GOGC=200 GOMEMLIMIT=430MiB, since the Deployment is "
            "paused: kubectl rollout resume deployment/checkout -n shop lets the rollback go on.");
  EXPECT_EQ(told(1, false),
            "It became slower. 1 pod of the target still runs GOGC=200 GOMEMLIMIT=430MiB: kubectl rollout status "
            "deployment/checkout -n shop shows what the rollback waits for.");
  EXPECT_EQ(told(0, true), "It became slower.");
}

TEST(RunningTrial, CountsItselfInTheProfilesMemory) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.trial->spec.number = 7;
  scene.verdict = builders::worse();
  EXPECT_EQ(scene.end().memory->trial_count, 7);
  Scene later = in(TrialPhase::kMeasuring);
  later.profile.memory.trial_count = 9;
  later.verdict = builders::worse();
  EXPECT_EQ(later.end().memory->trial_count, 9);
}

TEST(RunningTrial, RemembersWhatItPutIntoATargetThatAPersonHasChangedSince) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - seconds(30);
  scene.current = settings(300);
  const Step step = scene.end();
  EXPECT_EQ(step.trial->reason, "SettingsChanged");
  EXPECT_EQ(step.memory->applied, new_settings()) << "or the next pass would not yield to them";
  EXPECT_EQ(step.memory->applied_uid, scene.target.uid);
}

TEST(RunningTrial, EndsAConfirmedTrialWhoseOperatorDiedBeforeItWasClosed) {
  Scene scene = in(TrialPhase::kWatching);
  scene.profile.memory.active_trial = "";
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kPromote);
  EXPECT_EQ(step.trial->reason, "Better");
  EXPECT_FALSE(step.memory);
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

TEST(RunningTrial, KeepsRollingBackWhenItOrItsProfileIsDeleted) {
  for (const bool itself : {true, false}) {
    Scene scene = in(TrialPhase::kRollingBack);
    (itself ? scene.trial->deleting : scene.profile.deleting) = true;
    EXPECT_EQ(scene.step().kind, StepKind::kRollBack) << "the new settings are still there";
    EXPECT_EQ(scene.step().settings, old_settings());
    scene.current = old_settings();
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd);
    EXPECT_EQ(step.trial->reason, "LatencyRegression") << "why it was rolled back stays the reason";
  }
}

TEST(RunningTrial, LeavesTheTargetAloneWhenNothingTellsWhoseItIs) {
  for (const TrialPhase phase : kRunning) {
    Scene scene = in(phase);
    scene.trial->status.verdict = TrialVerdict::kNone;
    scene.profile_is_there = false;
    const Step step = scene.step();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->reason, "ProfileGone");
    EXPECT_FALSE(step.memory);
  }
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
  scene.trial->status.reason = "OOMKilled";
  scene.current = settings(300);
  const Step step = scene.end();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
  EXPECT_EQ(step.trial->reason, "OOMKilled");
  EXPECT_FALSE(step.memory->applied) << "nothing of ours is there";
}

TEST(RunningTrial, RollsBackTheVariableThatNobodyElseSet) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.current = settings(50, new_settings().go_mem_limit);
  EXPECT_EQ(scene.step().kind, StepKind::kRollBack);
  EXPECT_EQ(scene.step().settings, settings(50)) << "a person's GOGC stays";
  scene.current = settings(new_settings().gogc->percent(), mib(100));
  EXPECT_EQ(scene.step().settings, settings(std::nullopt, mib(100))) << "a person's GOMEMLIMIT stays";
  scene.trial->spec.from = settings(400, mib(400));
  scene.current = settings(new_settings().gogc->percent());
  EXPECT_EQ(scene.end().kind, StepKind::kEnd) << "a GOGC of 400 had a limit behind it that a person took away";
  scene = in(TrialPhase::kRollingBack);
  scene.current = new_settings();
  scene.give_gogc_to("kubectl-set");
  scene.trial->spec.from = settings(200);
  EXPECT_EQ(scene.step().settings, settings(200)) << "they want the same value";
}

TEST(RunningTrial, LeavesTheLimitOnWhichAPersonsLargerHeapLeans) {
  for (const TrialPhase phase : {TrialPhase::kWatching, TrialPhase::kRollingBack}) {
    Scene scene = in(phase);
    scene.current = settings(101, new_settings().go_mem_limit);
    EXPECT_EQ(scene.end().kind, StepKind::kEnd) << to_string(phase);
    scene = in(phase);
    scene.current = settings(100, new_settings().go_mem_limit);
    EXPECT_EQ(scene.step().trial->phase, TrialPhase::kRollingBack) << "as large as it was before";
    scene = in(phase);
    scene.current.gogc = Gogc::off();
    EXPECT_EQ(scene.end().kind, StepKind::kEnd) << to_string(phase);
  }
}

TEST(RunningTrial, PutsBackWhatIsLeftOfItWhenAPersonSetsOneVariableDuringTheWatch) {
  for (const TrialPhase phase : {TrialPhase::kPromoting, TrialPhase::kWatching}) {
    Scene scene = in(phase);
    scene.trial->status.promoted = scene.now - seconds(30);
    scene.current = settings(50, new_settings().go_mem_limit);
    const Step step = scene.step();
    EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack) << to_string(phase);
    EXPECT_EQ(step.trial->reason, "SettingsChanged");
    EXPECT_THAT(step.trial->steps.back().message, HasSubstr("What else the trial changed is put back."));
    scene.trial->status = *step.trial;
    EXPECT_EQ(scene.step().settings, settings(50));
    scene.current = settings(50);
    const Step end = scene.end();
    EXPECT_EQ(end.trial->verdict, TrialVerdict::kSuperseded);
    EXPECT_EQ(end.trial->reason, "SettingsChanged");
    EXPECT_FALSE(end.memory->applied);
    ASSERT_THAT(end.memory->banned, SizeIs(1)) << "or the next trial would take the person's word back";
    EXPECT_EQ(end.memory->banned.front().settings, new_settings());
    EXPECT_GT(end.memory->cool_down_until, scene.now);
  }
}

TEST(RunningTrial, TakesARemovedVariableForAPersonsWordToo) {
  Scene scene = in(TrialPhase::kWatching);
  scene.current = settings(std::nullopt, new_settings().go_mem_limit);
  const Step step = scene.step();
  ASSERT_EQ(step.trial->reason, "SettingsChanged");
  scene.trial->status = *step.trial;
  EXPECT_EQ(scene.step().settings, old_settings());
  scene.current = old_settings();
  const Step end = scene.end();
  EXPECT_EQ(end.trial->verdict, TrialVerdict::kSuperseded);
  ASSERT_THAT(end.memory->banned, SizeIs(1)) << "or the same settings come back after the cool-down";
}

TEST(RunningTrial, DoesNotPassForConfirmedUnderAProfileThatWasMadeAnew) {
  Scene scene = in(TrialPhase::kWatching);
  scene.profile.uid = "another";
  scene.profile.memory.active_trial = "";
  const Step step = scene.step();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
  EXPECT_EQ(step.trial->reason, "TrialUnknown");
}

TEST(RunningTrial, ThatNobodyCanReadIsNotFollowedByAnotherAtOnce) {
  const auto until = [](const Scene& begun) {
    Scene scene = begun;
    return scene.end().memory->cool_down_until;
  };
  Scene scene = in(TrialPhase::kPending);
  scene.trial->unreadable = "the deadline is too late";
  EXPECT_EQ(until(scene), scene.now + minutes(10));
  scene.profile.spec.rollback.cool_down = minutes(2);
  EXPECT_EQ(until(scene), scene.now + minutes(2));
  scene.trial->unreadable.clear();
  scene.trial->deleting = true;
  EXPECT_EQ(until(scene), std::nullopt);
}

TEST(RunningTrial, ThatThisVersionCannotReadIsBroughtToASafeEnd) {
  for (const TrialPhase phase : kRunning) {
    Scene scene = in(phase);
    scene.trial->unreadable = "Trial shop/checkout-1 can't be used.";
    if (phase == TrialPhase::kWatching || phase == TrialPhase::kRollingBack) {
      EXPECT_EQ(scene.step().trial->phase, TrialPhase::kRollingBack) << to_string(phase);
      continue;
    }
    const Step end = scene.end();
    EXPECT_EQ(end.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(end.trial->verdict, TrialVerdict::kAborted);
    EXPECT_EQ(end.trial->reason, "TrialUnreadable");
  }
}

TEST(RunningTrial, KeepsItsStatusWhileThePictureIsOld) {
  Scene scene = in(TrialPhase::kWatching);
  scene.target.generation = 6;
  scene.trial->status.applied_generation = 7;
  const Step step = scene.step();
  EXPECT_EQ(step.reason, "OldPicture");
  ASSERT_TRUE(step.trial) << "or the profile would say that no trial runs";
  EXPECT_EQ(step.trial->phase, TrialPhase::kWatching);
}

// What ends a trial from outside

/// What happens from outside, how a trial ends by it, and that settings which nobody has judged to the end go with it.
struct Interruption {
  const char* reason;
  TrialVerdict verdict;
  void (*happens)(Scene&);
};

const Interruption kInterruptions[] = {
    {"TemplateChanged", TrialVerdict::kSuperseded, [](Scene& scene) { scene.target.template_hash = "hash-2"; }},
    {"TrialDeleted", TrialVerdict::kAborted, [](Scene& scene) { scene.trial->deleting = true; }},
    {"ProfileDeleted", TrialVerdict::kAborted, [](Scene& scene) { scene.profile.deleting = true; }},
    {"ProfileUnreadable", TrialVerdict::kAborted, [](Scene& scene) { scene.profile.unreadable = "No such strategy."; }},
    {"Suspended", TrialVerdict::kAborted, [](Scene& scene) { scene.profile.spec.suspend = true; }},
    {"Suspended", TrialVerdict::kAborted, [](Scene& scene) { scene.profile.spec.update_mode = UpdateMode::kOff; }},
    {"ScaledToZero", TrialVerdict::kSuperseded,
     [](Scene& scene) {
       scene.target.replicas = scene.target.updated_replicas = scene.target.available_replicas =
           scene.target.total_replicas = 0;
     }},
};

TEST(RunningTrial, EndsBeforeThePromotionByWhatHappensOutside) {
  for (const Interruption& interruption : kInterruptions) {
    for (const TrialPhase phase : kBeforePromotion) {
      Scene scene = in(phase);
      interruption.happens(scene);
      scene.verdict = better();
      const Step step = scene.end();
      EXPECT_EQ(step.kind, StepKind::kEnd) << interruption.reason << " " << to_string(phase);
      EXPECT_EQ(step.trial->verdict, interruption.verdict);
      EXPECT_EQ(step.trial->reason, interruption.reason);
      EXPECT_FALSE(step.memory->cool_down_until) << "it was no verdict of ours";
      EXPECT_THAT(step.memory->active_trial, testing::IsEmpty());
    }
  }
}

TEST(RunningTrial, EndsWhenItsTargetMustNotBeRunTwiceAnyMore) {
  for (const TrialPhase phase : kBeforePromotion) {
    Scene scene = in(phase);
    scene.target.recreates = true;
    EXPECT_EQ(scene.end().trial->reason, "StrategyRecreate") << to_string(phase);
    scene = in(phase);
    scene.target.single_use = {{"WritableVolume", "it writes to the claim 'data'"}};
    EXPECT_EQ(scene.end().trial->reason, "WritableVolume") << to_string(phase);
  }
}

TEST(RunningTrial, TakesAPatchBackThatArrivedAfterItsEndWasDecided) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.profile.spec.suspend = true;
  const Step decided = scene.step();
  EXPECT_EQ(decided.trial->verdict, TrialVerdict::kAborted);
  scene.trial->status = *decided.trial;
  scene.current = new_settings();  // the watch was late, and the pass that patched could note nothing
  const Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
  EXPECT_EQ(step.trial->after_rollback, TrialVerdict::kAborted);
  scene.trial->status = *step.trial;
  EXPECT_EQ(scene.step().settings, old_settings());
  scene.current = old_settings();
  EXPECT_EQ(scene.end().trial->reason, "Suspended");
}

TEST(RunningTrial, KeepsTheReasonOfItsRollbackWhenTheTargetIsMadeAnew) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.trial->status.reason = "OOMKilled";
  scene.target.uid = "another-uid";
  Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
  EXPECT_EQ(step.trial->reason, "OOMKilled");
  ASSERT_THAT(step.memory->banned, SizeIs(1));
  scene.trial->status.after_rollback = TrialVerdict::kAborted;
  scene.trial->status.verdict = TrialVerdict::kNone;
  step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
  EXPECT_THAT(step.memory->banned, testing::IsEmpty()) << "nothing is known against these settings";
}

TEST(RunningTrial, WaitsForNoPodsThatComeAndGo) {
  Scene scene = in(TrialPhase::kRollingBack);
  scene.current = old_settings();
  scene.target = builders::unsettled_deployment();
  scene.now = builders::entered(TrialPhase::kRollingBack) + minutes(30);
  scene.target.rollout.last_progress = scene.now;
  EXPECT_EQ(scene.step().reason, "RollingBack");
  scene.now += seconds(1);
  EXPECT_EQ(scene.end().kind, StepKind::kEnd);
  scene.now = builders::entered(TrialPhase::kRollingBack) + seconds(10);
  scene.trial->status.verdict = TrialVerdict::kNone;
  scene.trial->deleting = true;
  EXPECT_EQ(scene.end().kind, StepKind::kEnd) << "somebody waits for it to go";
}

TEST(RunningTrial, IsNotConfirmedByAProfileThatIsGone) {
  Scene scene = in(TrialPhase::kWatching);
  scene.profile_is_there = false;
  const Step step = scene.step();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
  EXPECT_EQ(step.trial->reason, "ProfileGone");
}

TEST(RunningTrial, NotesSinceWhenTheTargetHasTooFewPods) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.target.replicas = 4;
  scene.target.available_replicas = 1;
  const Step first = scene.step();
  EXPECT_EQ(first.trial->unavailable_since, scene.now);
  scene.trial->status = *first.trial;
  scene.now += minutes(1);
  EXPECT_EQ(scene.step().trial->unavailable_since, first.trial->unavailable_since);
  scene.target.available_replicas = 2;
  EXPECT_FALSE(scene.step().trial->unavailable_since);
}

TEST(RunningTrial, TakesUnconfirmedSettingsBackWhateverEndsIt) {
  for (const Interruption& interruption : kInterruptions) {
    for (const TrialPhase phase : {TrialPhase::kPromoting, TrialPhase::kWatching}) {
      Scene scene = in(phase);
      scene.trial->status.promoted = builders::entered(TrialPhase::kPromoting);
      scene.current = new_settings();
      interruption.happens(scene);
      const Step begun = scene.step();
      ASSERT_EQ(begun.trial->phase, TrialPhase::kRollingBack) << interruption.reason << " " << to_string(phase);
      scene.trial->status = *begun.trial;
      const Step back = scene.step();
      EXPECT_EQ(back.kind, StepKind::kRollBack);
      EXPECT_EQ(back.settings, old_settings());
      scene.current = old_settings();
      const Step step = scene.end();
      EXPECT_EQ(step.kind, StepKind::kEnd);
      EXPECT_EQ(step.trial->verdict, interruption.verdict);
      EXPECT_EQ(step.trial->reason, interruption.reason);
      EXPECT_FALSE(step.memory->applied);
      EXPECT_THAT(step.memory->banned, testing::IsEmpty()) << "nothing is known against these settings";
      EXPECT_TRUE(step.memory->cool_down_until) << "two rollouts of the target are enough for a while";
    }
  }
}

TEST(RunningTrial, EndsWithoutAWriteWhereItsPatchNeverArrived) {
  for (const Interruption& interruption : kInterruptions) {
    Scene scene = in(TrialPhase::kPromoting);
    interruption.happens(scene);
    EXPECT_EQ(scene.end().kind, StepKind::kEnd) << interruption.reason;
  }
}

TEST(RunningTrial, APersonsSettingsEndTheTrial) {
  for (const TrialPhase phase : kRunning) {
    Scene scene = in(phase);
    scene.current = settings(300);
    scene.verdict = better();
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    if (phase == TrialPhase::kRollingBack) continue;  // it has its reason already
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
    scene.give_gogc_to("kubectl-set");
    if (scene.current == new_settings()) {
      scene.trial->spec.from = settings(200);
      const Step first = scene.step();
      EXPECT_EQ(first.trial->phase, TrialPhase::kRollingBack) << to_string(phase) << ": GOMEMLIMIT is still ours";
      const bool known = phase == TrialPhase::kRollingBack;  // why it ends
      EXPECT_EQ(first.trial->after_rollback, known ? TrialVerdict::kNone : TrialVerdict::kSuperseded);
      continue;
    }
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
    EXPECT_FALSE(step.memory->applied);
    if (phase == TrialPhase::kRollingBack) continue;  // it has its reason already
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
    EXPECT_EQ(step.trial->reason, "TargetGone");
  }
}

TEST(RunningTrial, IsAbortedWhenTheTargetIsAnotherOneOfTheSameName) {
  for (const TrialPhase phase : kRunning) {
    Scene scene = in(phase);
    scene.target.uid = "another-uid";
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->reason, phase == TrialPhase::kRollingBack ? scene.trial->status.reason : "TargetGone");
    EXPECT_FALSE(step.memory->applied) << "nothing was put into the new one";
  }
}

TEST(RunningTrial, IsNotTakenOverByANewProfileOfTheSameName) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.profile.uid = "another-uid";
  scene.profile.memory = {};
  scene.verdict = better();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
  EXPECT_EQ(step.trial->reason, "TrialUnknown");
  EXPECT_FALSE(step.memory) << "the new profile has nothing to do with it";
}

TEST(RunningTrial, IsOverBeforeItsProfileIsLetGo) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.profile.deleting = true;
  const Step end = scene.end();
  scene.profile.memory = *end.memory;
  scene.trial.reset();
  EXPECT_EQ(scene.step().kind, StepKind::kRevert);
}

TEST(RunningTrial, OfATargetThatIsMadeAnewIsNoPersonsVerdictOnTheSettings) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  scene.profile.memory.applied_uid = "an-older-uid";
  const Step step = scene.step();
  EXPECT_EQ(step.reason, "TargetRecreated");
  EXPECT_FALSE(step.memory->applied);
  EXPECT_THAT(step.memory->banned, testing::IsEmpty());
  EXPECT_FALSE(step.memory->cool_down_until);
}

TEST(Leftovers, GoWhenTheirTrialHasEndedOrTheirTimeIsOver) {
  Scene scene;
  Workload arm = builders::deployment();
  arm.labels = {{kTrialLabel, "checkout-1"}};
  arm.expires = scene.now + hours(1);
  scene.leftovers = {arm};
  EXPECT_THAT(scene.step().leftovers, testing::IsEmpty()) << "its trial may only be late in our picture";
  scene.ended_trials = {builders::trial(TrialPhase::kEnded)};
  EXPECT_THAT(scene.step().leftovers, SizeIs(1));
  scene.ended_trials.clear();
  scene.now += hours(1);
  EXPECT_THAT(scene.step().leftovers, SizeIs(1));
}

TEST(EndedTrial, IsLetGoOnceItHasEnded) {
  Scene scene;
  scene.ended_trials = {builders::trial(TrialPhase::kEnded), builders::trial(TrialPhase::kEnded)};
  scene.ended_trials.front().finalizers = {kTrialFinalizer};
  EXPECT_THAT(scene.step().finished, SizeIs(1));
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
  Scene scene = in(TrialPhase::kEnded);
  scene.trial->status.verdict = TrialVerdict::kNone;
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_FALSE(step.trial);
}

}  // namespace
}  // namespace gopacer
