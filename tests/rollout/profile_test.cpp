#include <gmock/gmock.h>

#include <algorithm>

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
  EXPECT_EQ(step.message, "About to try GOGC=200 GOMEMLIMIT=430MiB.");
  EXPECT_GT(step.requeue_after, Duration(0));
  EXPECT_LT(step.requeue_after, std::chrono::seconds(1)) << "the next step waits for nothing";
}

TEST(Profile, StartsTheTrialThatItNoted) {
  Scene scene = noted();
  scene.current = settings(150);
  const Step step = scene.step();
  ASSERT_EQ(step.kind, StepKind::kStartTrial);
  EXPECT_EQ(step.start->from, settings(150));
  EXPECT_EQ(step.start->to, new_settings());
  EXPECT_EQ(step.start->target.uid, scene.target.uid);
  EXPECT_EQ(step.start->profile_uid, scene.profile.uid);
  EXPECT_EQ(step.start->template_hash, scene.target.template_hash);
  EXPECT_EQ(step.start->number, 1);
  EXPECT_EQ(step.message, "Trying GOGC=200 GOMEMLIMIT=430MiB beside GOGC=150.");
  EXPECT_EQ(step.requeue_after, std::chrono::seconds(1)) << "by then it shows";
  EXPECT_EQ(noted(9).step().start->number, 9);
  EXPECT_EQ(step.start->predicted.gc_cpu_percent, "") << "nothing was promised";
}

TEST(Profile, ForgetsANotedTrialThatIsNotWantedAnyMore) {
  Scene scene = noted();
  scene.decision = builders::keep();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kForgetTrial);
  EXPECT_EQ(step.memory->active_trial, "");
  EXPECT_EQ(step.memory->trial_count, 1);
  EXPECT_EQ(step.message, "Trial checkout-1 is not there.");
  EXPECT_EQ(step.requeue_after, std::chrono::seconds(1));
}

TEST(Profile, ForgetsANotedTrialThatSomethingStandsAgainst) {
  Scene scene = noted();
  scene.profile.spec.update_mode = UpdateMode::kOff;
  EXPECT_EQ(scene.step().kind, StepKind::kForgetTrial);
}

TEST(Profile, ForgetsANotedTrialThatIsNotTheNextOne) {
  Scene scene = noted(3);
  EXPECT_EQ(scene.step().kind, StepKind::kStartTrial);
  scene.profile.memory.trial_count = 4;
  EXPECT_EQ(scene.step().kind, StepKind::kForgetTrial);
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
  EXPECT_DOUBLE_EQ(asked(0.01), 0.0025);
  scene.decision.predicted->memory_cost = 0.02;
  EXPECT_DOUBLE_EQ(asked(0.06), 0.03) << "and what the memory costs that is taken for it";
  EXPECT_DOUBLE_EQ(asked(0.015), 0.02);
  scene.decision.predicted->memory_cost = 0;
  EXPECT_NEAR(asked(0.005), -0.025, 1e-12) << "little is promised: three points more than that may be lost";
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
  scene.decision.predicted->cycle_volume = mib(96);
  Slo slo;
  slo.name = "latency-p99";
  scene.profile.spec.slos = {slo};
  scene.profile.spec.container = "app";
  scene.profile.spec.strategy = Strategy::kTwoFactor;
  const TrialSpec spec = *scene.step().start;
  EXPECT_EQ(spec.profile, "checkout");
  EXPECT_EQ(spec.target.kind, "Deployment");
  EXPECT_EQ(spec.target.name, "checkout");
  EXPECT_EQ(spec.container, "app");
  EXPECT_EQ(spec.strategy, Strategy::kTwoFactor);
  EXPECT_EQ(spec.reason, scene.decision.message);
  EXPECT_EQ(spec.predicted.gc_cpu_percent, "5.1");
  EXPECT_EQ(spec.predicted.saving_percent, "4.2");
  EXPECT_EQ(spec.predicted.peak_memory, "300.0MiB");
  EXPECT_EQ(spec.predicted.cycle_volume, "96MiB");
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
  const std::string fewer = " With 2 instead of 4 pods in each arm: a quarter of the target's 9 at most.";
  EXPECT_THAT(scene.step().message, HasSubstr("beside Go's defaults." + fewer));
  EXPECT_EQ(scene.step().start->reason, scene.decision.message + fewer) << "the event is gone before the trial is";
  scene.profile.spec.canary.replicas = 1;
  EXPECT_EQ(scene.step().start->canary.replicas, 1);
  EXPECT_THAT(scene.step().message, Not(HasSubstr("instead of 1 pods")));
  EXPECT_EQ(scene.step().start->reason, scene.decision.message);
}

TEST(Profile, NotesHowOftenTheTargetRestartsAnyway) {
  Scene scene = noted();
  Pod pod;
  pod.created = scene.now - hours(12);
  pod.states.push_back({"app", true, 3, std::nullopt, "Error"});
  scene.pods = {{std::make_shared<Pod>(pod), Track::kStable}};
  EXPECT_NEAR(scene.step().start->usual_restarts_per_day, 6, 1e-9);
  // Of each pod: four restarts in a day and a half.
  pod.created = scene.now - hours(24);
  pod.states = {{"proxy", true, 50, std::nullopt, "Error"}, {"app", true, 1, std::nullopt, "Error"}};
  scene.pods.push_back({std::make_shared<Pod>(pod), Track::kStable});
  EXPECT_NEAR(scene.step().start->usual_restarts_per_day, 4 / 1.5, 1e-9);
  // Those of a trial before count as little as one that nobody knows the age of.
  scene.pods.push_back({std::make_shared<Pod>(pod), Track::kCanary});
  pod.created.reset();
  scene.pods.push_back({std::make_shared<Pod>(pod), Track::kStable});
  EXPECT_NEAR(scene.step().start->usual_restarts_per_day, 4 / 1.5, 1e-9);
}

TEST(Profile, KnowsNoUsualRestartsOfPodsThatAreNew) {
  Scene scene = noted();
  EXPECT_EQ(scene.step().start->usual_restarts_per_day, 0);
  Pod pod;
  pod.created = scene.now + hours(1);  // by another clock
  pod.states.push_back({"app", true, 1, std::nullopt, "Error"});
  scene.pods = {{std::make_shared<Pod>(pod), Track::kStable}};
  EXPECT_EQ(scene.step().start->usual_restarts_per_day, 0);
  pod.created = scene.now - std::chrono::seconds(1);
  scene.pods = {{std::make_shared<Pod>(pod), Track::kStable}};
  EXPECT_EQ(scene.step().start->usual_restarts_per_day, kMostRestartsPerDay) << "and no more than that";
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
  EXPECT_EQ(scene.step().message, scene.decision.message);
  EXPECT_EQ(scene.step().requeue_after, std::chrono::seconds(15));
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
  ASSERT_THAT(scene.step().memory->banned, SizeIs(1));
  EXPECT_EQ(scene.step().memory->banned[0].reason, "SettingsChanged") << "with what was learned last";
  EXPECT_EQ(scene.step().memory->banned[0].trials, 2);
  scene.profile.memory.banned.push_back({new_settings(), "hash-0", "LatencyRegression", builders::kStart});
  scene.profile.memory.banned.push_back({settings(77), "hash-1", "LatencyRegression", builders::kStart});
  EXPECT_THAT(scene.step().memory->banned, SizeIs(3)) << "another template, or other settings, are another region";
}

TEST(Bans, ThatLastOutliveThoseOfADayAndOfOtherPrograms) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  scene.current = settings(77);
  auto& banned = scene.profile.memory.banned;
  banned.push_back({settings(500), scene.target.template_hash, "OOMKilled", builders::kStart});
  banned.push_back({settings(600), scene.target.template_hash, "NoBenefit", builders::kStart});
  for (int i = 0; i < 8; ++i) {
    banned.push_back({settings(700 + 100 * i), scene.target.template_hash, "GcShare", builders::kStart});
  }
  const auto has = [&](const ProfileMemory& memory, int gogc) {
    return std::any_of(memory.banned.begin(), memory.banned.end(),
                       [&](const BannedRegion& region) { return region.settings == settings(gogc); });
  };
  EXPECT_TRUE(has(*scene.step().memory, 500));
  EXPECT_FALSE(has(*scene.step().memory, 600)) << "its day is over soon";
  banned[5].template_hash = "of last week";
  EXPECT_TRUE(has(*scene.step().memory, 600));
  EXPECT_FALSE(has(*scene.step().memory, 1000));
}

TEST(Bans, OfNearlyTheSameSettingsAddUp) {
  Scene scene;
  scene.profile.memory.applied = settings(200, mib(430));
  scene.current = settings(77);
  scene.profile.memory.banned = {{settings(206, mib(430)), scene.target.template_hash, "NoBenefit", builders::kStart}};
  ASSERT_THAT(scene.step().memory->banned, SizeIs(1));
  EXPECT_EQ(scene.step().memory->banned[0].trials, 2);
}

TEST(Profile, SaysWhatAPersonChanged) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  scene.profile.memory.applied_uid = scene.target.uid;
  scene.current = settings(300);
  const Step step = scene.step();
  EXPECT_EQ(
      step.message,
      "Somebody changed the target from GOGC=200 GOMEMLIMIT=430MiB to GOGC=300; that stands, and the old settings "
      "are not tried again for this pod template.");
  EXPECT_EQ(step.memory->applied_uid, "");
  EXPECT_EQ(step.memory->banned[0].reason, "SettingsChanged");
  EXPECT_EQ(step.memory->banned[0].at, scene.now);
  EXPECT_EQ(step.requeue_after, std::chrono::seconds(15));
}

TEST(Profile, ForgetsWhatItAppliedToATargetThatIsMadeAnew) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  scene.profile.memory.applied_uid = "of the one before";
  const Step step = scene.step();
  EXPECT_EQ(step.reason, "TargetRecreated");
  EXPECT_FALSE(step.memory->applied);
  EXPECT_EQ(step.memory->applied_uid, "");
  EXPECT_EQ(step.requeue_after, std::chrono::seconds(1));
}

TEST(Profile, ForgetsWhatItAppliedToAContainerThatItTunesNoLonger) {
  Scene scene;
  scene.profile.memory.applied = new_settings();
  scene.profile.memory.applied_uid = scene.target.uid;
  scene.profile.memory.applied_container = "app";
  scene.current = new_settings();
  EXPECT_NE(scene.step().reason, "ContainerChanged");
  scene.profile.memory.applied_container = "worker";
  const Step step = scene.step();
  EXPECT_EQ(step.reason, "ContainerChanged");
  EXPECT_EQ(step.message, "Another container is tuned now; container 'worker' is gone, and its settings with it.");
  Scene two = scene;
  two.target.containers.emplace_back();
  two.target.containers.back().name = "worker";
  EXPECT_EQ(two.step().message, "Another container is tuned now; container 'worker' keeps GOGC=200 GOMEMLIMIT=430MiB.");
  EXPECT_FALSE(step.memory->applied);
  EXPECT_EQ(step.memory->applied_container, "");
  EXPECT_THAT(step.memory->banned, testing::IsEmpty()) << "nobody took it away";
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
  EXPECT_EQ(scene.step().requeue_after, std::chrono::seconds(15));
}

TEST(StepKind, HasAWord) {
  EXPECT_EQ(to_string(StepKind::kHold), "Hold");
  EXPECT_EQ(to_string(StepKind::kNoteTrial), "NoteTrial");
  EXPECT_EQ(to_string(StepKind::kStartTrial), "StartTrial");
  EXPECT_EQ(to_string(StepKind::kForgetTrial), "ForgetTrial");
  EXPECT_EQ(to_string(StepKind::kRunCanary), "RunCanary");
  EXPECT_EQ(to_string(StepKind::kPromote), "Promote");
  EXPECT_EQ(to_string(StepKind::kRetireCanary), "RetireCanary");
  EXPECT_EQ(to_string(StepKind::kRollBack), "RollBack");
  EXPECT_EQ(to_string(StepKind::kRevert), "Revert");
  EXPECT_EQ(to_string(StepKind::kEnd), "End");
}

TEST(Profile, ReleasesItsSettingsOnDeletionThoughTheTargetIsUnsupportedByNow) {
  Scene scene;
  scene.profile.deleting = true;
  scene.target.rollout.paused = true;
  EXPECT_EQ(scene.step().kind, StepKind::kRevert);
}

TEST(Profile, WaitsForATargetThatCannotBeReadWhereItsSettingsAreToBeTakenAway) {
  Scene scene;
  scene.profile.deleting = true;
  Facts facts = scene.facts();
  facts.desired.target.reset();
  facts.desired.target_unreadable = "it has 300 containers";
  EXPECT_EQ(advance(facts).kind, StepKind::kRevert) << "what was applied stays anyway";
  scene.profile.spec.revert_on_deletion = true;
  facts.desired.profile = std::make_shared<Profile>(scene.profile);
  EXPECT_EQ(advance(facts).kind, StepKind::kHold);
  EXPECT_EQ(advance(facts).reason, "TargetUnreadable");
  EXPECT_THAT(advance(facts).message, testing::HasSubstr("Its settings are to be taken away first."));
  facts.desired.uninstalling = true;
  EXPECT_EQ(advance(facts).kind, StepKind::kRevert);
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

TEST(LeastSaving, IsWhatATrialMayAskForHoweverDearTheSettings) {
  Prediction promise;
  promise.saving = -1.01;
  EXPECT_DOUBLE_EQ(least_saving(Strategy::kTwoFactor, promise), -1);
}

}  // namespace
}  // namespace gopacer
