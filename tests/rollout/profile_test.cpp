#include <gmock/gmock.h>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::old_settings;
using builders::settings;
using scenes::Scene;
using std::chrono::hours;
using std::chrono::minutes;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

/// A profile that has noted the trial which it is about to start.
Scene noted(int number = 1) {
  Scene scene;
  scene.decision = builders::change();
  scene.profile.memory.trial_count = number;
  scene.profile.memory.active_trial = trial_name("checkout", number);
  return scene;
}

TEST(Profile, NotesATrialBeforeItStartsOne) {
  Scene scene;
  scene.decision = builders::change();
  const Step step = scene.step();
  ASSERT_EQ(step.kind, StepKind::kNoteTrial);
  EXPECT_EQ(step.settings, new_settings());
  EXPECT_EQ(step.memory->active_trial, "checkout-1");
  EXPECT_EQ(step.memory->trial_count, 1);
  EXPECT_FALSE(step.memory->applied) << "nothing was put into the target yet";
}

TEST(Profile, StartsTheTrialThatItNoted) {
  const Scene scene = noted();
  const Step step = scene.step();
  ASSERT_EQ(step.kind, StepKind::kStartTrial);
  EXPECT_EQ(step.start->from, old_settings());
  EXPECT_EQ(step.start->to, new_settings());
  EXPECT_EQ(step.start->target.uid, scene.target.uid);
  EXPECT_EQ(step.start->profile_uid, scene.profile.uid);
  EXPECT_EQ(step.start->template_hash, scene.target.template_hash);
  EXPECT_EQ(step.start->number, 1);
}

TEST(Profile, ForgetsANotedTrialThatIsNotWantedAnyMore) {
  Scene scene = noted();
  scene.decision = builders::keep();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kForgetTrial);
  EXPECT_EQ(step.memory->active_trial, "");
  EXPECT_EQ(step.memory->trial_count, 1);
}

TEST(Profile, ForgetsANotedTrialThatHasEnded) {
  Scene scene = noted();
  scene.ended_trials = {builders::trial(TrialPhase::kEnded)};
  EXPECT_EQ(scene.step().kind, StepKind::kForgetTrial);
}

TEST(Profile, ForgetsANotedTrialBeforeItIsDeletedItself) {
  Scene scene = noted();
  scene.profile.deleting = true;
  EXPECT_EQ(scene.step().kind, StepKind::kForgetTrial);
}

TEST(Profile, GivesATrialTimeToStartToWarmUpAndToMeasure) {
  const Scene scene = noted();
  EXPECT_EQ(scene.step().start->deadline, scene.now + minutes(5) + minutes(2) + minutes(30));
}

TEST(Profile, AsksOfATrialAQuarterOfWhatWasPromised) {
  Scene scene = noted();
  scene.decision.predicted.emplace();
  const auto asked = [&](double promised) {
    scene.decision.predicted->saving = promised;
    return scene.step().start->min_saving;
  };
  EXPECT_DOUBLE_EQ(asked(0.08), 0.02);
  EXPECT_DOUBLE_EQ(asked(0.02), 0.005);
  EXPECT_NEAR(asked(0.01), -0.02, 1e-12) << "little is promised: three points more than that may be lost";
  EXPECT_NEAR(asked(-0.05), -0.08, 1e-12) << "memory is bought with CPU";
  scene.profile.spec.strategy = Strategy::kFixed;
  EXPECT_DOUBLE_EQ(asked(0.08), -0.05) << "a person asked for it";
  scene.profile.spec.strategy = Strategy::kModel;
  scene.decision.predicted.reset();
  EXPECT_DOUBLE_EQ(scene.step().start->min_saving, -0.05);
}

TEST(Profile, TellsATrialAllThatItHasToKnow) {
  Scene scene = noted();
  scene.decision.predicted.emplace();
  scene.decision.predicted->gc_cpu_fraction = 0.051;
  scene.decision.predicted->saving = 0.042;
  scene.decision.predicted->peak_memory = mib(300);
  Slo slo;
  slo.name = "latency-p99";
  scene.profile.spec.slos = {slo};
  scene.profile.spec.container = "app";
  scene.profile.spec.strategy = Strategy::kTwoFactor;
  const TrialSpec spec = *scene.step().start;
  EXPECT_EQ(spec.profile, "checkout");
  EXPECT_EQ(spec.target.name, "checkout");
  EXPECT_EQ(spec.container, "app");
  EXPECT_EQ(spec.strategy, Strategy::kTwoFactor);
  EXPECT_EQ(spec.reason, scene.decision.message);
  EXPECT_EQ(spec.predicted.gc_cpu_percent, "5.1");
  EXPECT_EQ(spec.predicted.saving_percent, "4.2");
  EXPECT_EQ(spec.predicted.peak_memory, "300.0MiB");
  ASSERT_THAT(spec.slos, SizeIs(1));
  EXPECT_EQ(spec.slos[0].name, "latency-p99");
  EXPECT_EQ(spec.canary.min_samples, scene.profile.spec.canary.min_samples);
  EXPECT_EQ(spec.watch_for, scene.profile.spec.rollback.watch_for);
}

TEST(Profile, NumbersTrialsAfterThoseOfAnEarlierProfileOfItsName) {
  Scene scene;
  scene.decision = builders::change();
  scene.ended_trials = {builders::trial(TrialPhase::kEnded)};
  scene.ended_trials.front().spec.number = 7;
  EXPECT_EQ(scene.step().memory->trial_count, 8);
  EXPECT_EQ(scene.step().memory->active_trial, "checkout-8");
}

TEST(Profile, KeepsTheArmsToAQuarterOfTheTarget) {
  Scene scene = noted();
  scene.profile.spec.canary.replicas = 4;
  scene.target.replicas = scene.target.updated_replicas = scene.target.available_replicas =
      scene.target.total_replicas = 9;
  EXPECT_EQ(scene.step().start->canary.replicas, 2);
  EXPECT_THAT(scene.step().message, HasSubstr("2 instead of 4 pods"));
  scene.profile.spec.canary.replicas = 1;
  EXPECT_EQ(scene.step().start->canary.replicas, 1);
  EXPECT_THAT(scene.step().message, Not(HasSubstr("instead of 1 pods")));
}

TEST(Profile, NotesHowOftenTheTargetRestartsAnyway) {
  Scene scene = noted();
  Pod pod;
  pod.created = scene.now - hours(12);
  pod.states.push_back({"app", true, 3, std::nullopt, "Error"});
  scene.pods = {{std::make_shared<Pod>(pod), Track::kStable}};
  EXPECT_NEAR(scene.step().start->usual_restarts_per_day, 6, 1e-9);
}

TEST(Profile, StartsNothingWhileItOnlyRecommends) {
  Scene scene;
  scene.decision = builders::change();
  scene.profile.spec.update_mode = UpdateMode::kOff;
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_EQ(scene.step().reason, "RecommendOnly");
}

TEST(Profile, StartsNothingWhileSuspended) {
  Scene scene;
  scene.decision = builders::change();
  scene.profile.spec.suspend = true;
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_EQ(scene.step().reason, "Suspended");
}

TEST(Profile, StartsNothingWhileSomethingStandsAgainstIt) {
  Scene scene;
  scene.decision = builders::change();
  scene.target.rollout.paused = true;
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_THAT(scene.step().message, HasSubstr("is paused"));
}

TEST(Profile, StartsNothingWhileTheTargetIsNotThere) {
  Scene scene;
  scene.decision = builders::change();
  scene.target_is_there = false;
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
}

TEST(Profile, StartsNothingWhileAnotherManagerOwnsOurEntries) {
  Scene scene;
  scene.decision = builders::change();
  scene.give_gogc_to("kubectl-set");
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_EQ(scene.step().reason, "FieldConflict");
}

TEST(Profile, WaitsForTheTargetsOwnRollout) {
  Scene scene;
  scene.decision = builders::change();
  scene.target = builders::unsettled_deployment();
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_EQ(scene.step().reason, "TargetRolling");
}

TEST(Profile, ShowsWhyTheDecisionHoldsItBack) {
  Scene scene;
  scene.decision = builders::keep();
  scene.decision.reason = "CoolingDown";
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_EQ(scene.step().reason, "CoolingDown");
}

TEST(Profile, YieldsToAPersonWhoUndoesWhatWasPromoted) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  scene.current = old_settings();
  scene.decision = builders::change();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.reason, "SettingsChanged");
  EXPECT_FALSE(step.memory->applied);
  ASSERT_THAT(step.memory->banned, SizeIs(1));
  EXPECT_EQ(step.memory->banned.front().settings, new_settings());
  EXPECT_EQ(step.memory->banned.front().template_hash, scene.target.template_hash);
  EXPECT_EQ(step.memory->cool_down_until, scene.now + hours(6));
}

TEST(Profile, DoesNotYieldWhileWhatItAppliedStands) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  scene.current = new_settings();
  EXPECT_FALSE(scene.step().memory);
}

TEST(Profile, BansTheSameRegionOnce) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  scene.profile.memory.banned = {{new_settings(), scene.target.template_hash, "LatencyRegression", builders::kStart}};
  EXPECT_THAT(scene.step().memory->banned, SizeIs(1));
}

TEST(Profile, RemembersTheTenLatestBans) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  for (int i = 0; i < 10; ++i) {
    scene.profile.memory.banned.push_back({settings(50 + i), "hash-1", "GcShare", builders::kStart});
  }
  const auto banned = scene.step().memory->banned;
  ASSERT_THAT(banned, SizeIs(10));
  EXPECT_EQ(banned.front().settings, settings(51));
  EXPECT_EQ(banned.back().settings, new_settings());
}

TEST(Profile, ReleasesItsSettingsWhenItIsDeleted) {
  Scene scene;
  scene.profile.deleting = true;
  scene.decision = builders::change();
  EXPECT_EQ(scene.step().kind, StepKind::kRevert);
}

TEST(Profile, ReleasesItsSettingsOnDeletionThoughTheTargetIsUnsupportedByNow) {
  Scene scene;
  scene.profile.deleting = true;
  scene.target.rollout.paused = true;
  EXPECT_EQ(scene.step().kind, StepKind::kRevert);
}

TEST(Profile, IsLeftAloneOnceItIsGone) {
  Scene scene;
  scene.profile_is_there = false;
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_EQ(scene.step().requeue_after, Duration(0));
}

TEST(LeastSaving, OfAModelsTrialIsAQuarterOfThePromise) {
  Prediction promise;
  promise.saving = 0.08;
  EXPECT_DOUBLE_EQ(least_saving(Strategy::kModel, promise), 0.02);
}

TEST(LeastSaving, AcceptsALossWhereAPersonAsked) {
  Prediction promise;
  promise.saving = 0.08;
  EXPECT_LT(least_saving(Strategy::kFixed, promise), 0);
  EXPECT_LT(least_saving(Strategy::kModel, std::nullopt), 0);
}

TEST(LeastSaving, AcceptsTheLossThatWasPromisedAndALittleMore) {
  Prediction promise;
  promise.saving = -0.02;
  EXPECT_DOUBLE_EQ(least_saving(Strategy::kModel, promise), -0.05);
}

}  // namespace
}  // namespace gopacer
