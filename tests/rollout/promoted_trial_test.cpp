#include <gmock/gmock.h>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using builders::hard_stop;
using builders::new_settings;
using builders::no_data;
using builders::old_settings;
using builders::settings;
using builders::undecided;
using builders::worse;
using scenes::in;
using scenes::Scene;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Promoting

TEST(RunningTrial, PutsItsSettingsIntoTheTarget) {
  const Scene scene = in(TrialPhase::kPromoting);
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kPromote);
  EXPECT_EQ(step.settings, new_settings());
  EXPECT_EQ(step.trial->promoted, scene.now);
  EXPECT_EQ(step.memory->applied, new_settings());
  EXPECT_EQ(step.memory->applied_uid, scene.target.uid);
  EXPECT_EQ(step.memory->applied_container, "app");
  EXPECT_EQ(step.reason, "Promote");
  EXPECT_EQ(step.message, "Putting GOGC=200 GOMEMLIMIT=430MiB into the target.");
  EXPECT_EQ(step.requeue_after, seconds(3));
}

TEST(RunningTrial, RemembersNothingWhereItPutsGosDefaultsIntoTheTarget) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->spec.from = scene.current = settings(150);
  scene.trial->spec.to = Settings{};
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kPromote);
  EXPECT_FALSE(step.memory->applied);
  EXPECT_EQ(step.memory->applied_uid, "");
}

TEST(RunningTrial, RemembersItsSettingsAlsoWhenItNotesOnlyThatAllPodsHaveThem) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.current = new_settings();
  const Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kWatching);
  EXPECT_EQ(step.trial->watched_replicas, scene.target.replicas);
  EXPECT_EQ(step.memory->applied, new_settings());
}

TEST(RunningTrial, PutsNothingIntoATargetThatIsPaused) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.target.rollout.paused = true;
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.reason, "TargetPaused");
}

TEST(RunningTrial, GoesOnAfterAnOperatorThatDiedBetweenThePatchAndItsNote) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.current = new_settings();
  scene.target = builders::unsettled_deployment();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->promoted, scene.now) << "or a stuck rollout would never be noticed";
  EXPECT_EQ(step.memory->applied, new_settings()) << "or its own settings would pass for a person's";
}

TEST(RunningTrial, WaitsUntilTheStoreShowsItsPatch) {
  for (const TrialPhase phase : {TrialPhase::kPromoting, TrialPhase::kWatching, TrialPhase::kRollingBack}) {
    Scene scene = in(phase);
    scene.trial->status.promoted = scene.now - hours(2);
    scene.trial->status.applied_generation = scene.target.generation + 1;
    scene.current = settings(77);
    const Step step = scene.step();
    EXPECT_EQ(step.kind, StepKind::kHold) << to_string(phase);
    EXPECT_EQ(step.reason, "OldPicture");
    EXPECT_EQ(step.requeue_after, seconds(1));
    EXPECT_EQ(step.trial->phase, phase);
    scene.trial->status.applied_generation = scene.target.generation;
    EXPECT_NE(scene.step().reason, "OldPicture") << "that is the patch";
  }
}

TEST(RunningTrial, WaitsWhileItsTargetCannotBeRead) {
  for (const TrialPhase phase :
       {TrialPhase::kMeasuring, TrialPhase::kPromoting, TrialPhase::kWatching, TrialPhase::kRollingBack}) {
    Scene scene = in(phase);
    Facts facts = scene.facts();
    facts.desired.target = nullptr;
    facts.desired.target_unreadable = "it is too large";
    const Step step = advance(facts);
    EXPECT_EQ(step.kind, StepKind::kHold) << to_string(phase);
    EXPECT_EQ(step.reason, "TargetUnreadable");
    EXPECT_THAT(step.message, HasSubstr("it is too large"));
    EXPECT_EQ(step.trial->phase, phase);
    EXPECT_EQ(step.trial->verdict, scene.trial->status.verdict);
  }
}

TEST(RunningTrial, EndsInTimeThoughItsTargetCannotBeRead) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.trial->spec.deadline = scene.now;
  Facts facts = scene.facts();
  facts.desired.target = nullptr;
  facts.desired.target_unreadable = "it is too large";
  EXPECT_EQ(advance(facts).trial->verdict, TrialVerdict::kInconclusive);
}

TEST(RunningTrial, RemovesItsCanaryBeforeTheTargetsRolloutNeedsItsRoom) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.arms_are_there = true;
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kRetireCanary);
  EXPECT_EQ(step.trial->phase, TrialPhase::kPromoting);
  EXPECT_FALSE(step.trial->promoted);
  EXPECT_EQ(step.message, "Removing the canary before the target's rollout.");
  EXPECT_EQ(step.requeue_after, seconds(1));
}

/// A trial whose baseline, one pod, is there as it was measured, and whose canary is gone.
struct WithBaseline {
  Scene scene;
  Pod pod;

  explicit WithBaseline(TrialPhase phase) : scene(in(phase)) {
    scene.arms_are_there = true;
    pod.key = {"shop", "baseline"};
    pod.uid = "b";
    pod.phase = "Running";
    scene.trial->status.arm_pods = {"b", "c"};
    if (phase == TrialPhase::kWatching) scene.trial->status.watching_since = scene.now;
  }

  Facts facts() {
    scene.pods.push_back({std::make_shared<Pod>(pod), Track::kBaseline});
    Facts facts = scene.facts();
    facts.desired.canary = nullptr;
    return facts;
  }
  Step step() { return advance(facts()); }
  void add_target_pod(const std::string& trouble, bool unschedulable, Duration waits = minutes(2)) {
    Pod stable;
    stable.unschedulable = unschedulable;
    stable.created = scene.now - waits;
    stable.key = {"shop", "checkout-a"};
    stable.phase = "Pending";
    stable.trouble = trouble;
    scene.pods.push_back({std::make_shared<Pod>(stable), Track::kStable});
  }
  void be_refused(Duration since) {
    scene.target.rollout.refusal = "exceeded quota";
    scene.target.rollout.refused_since = scene.now - since;
  }
};

TEST(Baseline, StaysUntilRoomHasLackedForTwoMinutes) {
  for (const TrialPhase phase : {TrialPhase::kPromoting, TrialPhase::kWatching}) {
    WithBaseline unscheduled(phase);
    unscheduled.add_target_pod("no node has room", true, seconds(119));
    EXPECT_TRUE(unscheduled.step().leftovers.empty()) << "a node is being added";
    WithBaseline refused(phase);
    refused.be_refused(seconds(119));
    EXPECT_TRUE(refused.step().leftovers.empty());
  }
}

TEST(Baseline, IsMissedInTheTrialsStoryOnce) {
  WithBaseline trial(TrialPhase::kWatching);
  trial.add_target_pod("no node has room", true);
  const Step step = trial.step();
  ASSERT_EQ(step.leftovers.size(), 1U);
  EXPECT_EQ(step.trial->steps.back().phase, TrialPhase::kWatching);
  EXPECT_EQ(step.trial->steps.back().message,
            "The baseline is removed, since pods of the target found no room beside it for 2m: from here on nothing "
            "runs the old settings to compare with, and of SLOs only max is looked at.");
  trial.scene.trial->status = *step.trial;
  EXPECT_EQ(trial.step().trial->steps.size(), step.trial->steps.size());
}

TEST(Baseline, IsMissedBeforeWhatElseThePassTells) {
  WithBaseline trial(TrialPhase::kWatching);
  trial.add_target_pod("no node has room", true);
  trial.scene.verdict = worse();
  const Step step = trial.step();
  ASSERT_EQ(step.trial->phase, TrialPhase::kRollingBack);
  EXPECT_THAT(step.trial->steps.back().message, HasSubstr("After the promotion")) << "that is what events tell";
}

TEST(Baseline, WhoseKillFollowsThatOfTheTargetsPodsClearsTheSettings) {
  WithBaseline trial(TrialPhase::kWatching);
  trial.scene.verdict = hard_stop();
  trial.scene.trial->status = *trial.step().trial;
  ASSERT_EQ(trial.scene.trial->status.phase, TrialPhase::kRollingBack) << "at once";
  trial.scene.current = old_settings();
  trial.scene.now += seconds(2);
  Facts facts = trial.facts();
  EXPECT_TRUE(advance(facts).leftovers.empty()) << "it is still to be seen whether it is killed";
  facts.observed.pods[2].oom_killed = true;
  const Step step = advance(facts);
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->reason, "BothArmsKilled");
  trial.scene.trial->status = *step.trial;
  const Step end = trial.scene.end();
  EXPECT_EQ(end.kind, StepKind::kEnd);
  EXPECT_EQ(end.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(end.trial->reason, "BothArmsKilled");
  EXPECT_THAT(end.memory->banned, IsEmpty());
}

TEST(Baseline, ThatLivesOnForHalfAMinuteLeavesTheKillToTheSettings) {
  WithBaseline trial(TrialPhase::kWatching);
  trial.scene.verdict = hard_stop();
  trial.scene.trial->status = *trial.step().trial;
  trial.scene.current = old_settings();
  trial.scene.now += seconds(29);
  EXPECT_EQ(trial.step().trial->verdict, TrialVerdict::kNone);
  trial.scene.now += seconds(1);
  EXPECT_EQ(trial.step().leftovers.size(), 1U);
  const Step end = trial.scene.end();
  EXPECT_EQ(end.trial->verdict, TrialVerdict::kRollBack);
  EXPECT_EQ(end.trial->reason, "OOMKilled");
  EXPECT_THAT(end.memory->banned, SizeIs(1));
}

TEST(Baseline, StaysThroughThePromotionAndTheWatch) {
  const Step promoting = WithBaseline(TrialPhase::kPromoting).step();
  EXPECT_EQ(promoting.kind, StepKind::kPromote);
  EXPECT_TRUE(promoting.leftovers.empty());
  const Step watching = WithBaseline(TrialPhase::kWatching).step();
  EXPECT_EQ(watching.reason, "Watching") << watching.message;
  EXPECT_TRUE(watching.leftovers.empty());
}

TEST(Baseline, GoesWhereItIsOfNoUseOrInTheWayAndHoldsUpNothing) {
  const std::pair<const char*, std::function<void(WithBaseline&)>> cases[] = {
      {"no watch", [](WithBaseline& trial) { trial.scene.trial->spec.watch_for = Duration(0); }},
      {"not to be run twice", [](WithBaseline& trial) { trial.scene.target.single_use = {{"HostPort", "port 80"}}; }},
      {"one pod at a time", [](WithBaseline& trial) { trial.scene.target.recreates = true; }},
      {"a quota", [](WithBaseline& trial) { trial.be_refused(minutes(2)); }},
      {"full nodes", [](WithBaseline& trial) { trial.add_target_pod("no node has room", true); }},
  };
  for (const auto& [why, change] : cases) {
    for (const TrialPhase phase : {TrialPhase::kPromoting, TrialPhase::kWatching}) {
      WithBaseline trial(phase);
      const StepKind usual = trial.step().kind;
      WithBaseline changed(phase);
      change(changed);
      const Step step = changed.step();
      EXPECT_TRUE(step.leftovers.size() == 1 || step.kind == StepKind::kEnd) << why;
      if (changed.scene.trial->spec.watch_for > Duration(0)) {
        EXPECT_EQ(step.kind, usual) << why;
      }
    }
  }
}

TEST(Baseline, StaysThoughAPodOfTheTargetHasATroubleThatIsNotRoom) {
  WithBaseline trial(TrialPhase::kWatching);
  trial.add_target_pod("container proxy: CrashLoopBackOff", false);
  EXPECT_TRUE(trial.step().leftovers.empty());
}

TEST(Baseline, GoesWhenTheRolloutDoesNotGetOn) {
  WithBaseline trial(TrialPhase::kPromoting);
  trial.scene.current = new_settings();
  trial.scene.target = builders::unsettled_deployment();
  trial.scene.trial->status.promoted = trial.scene.now - seconds(119);
  EXPECT_TRUE(trial.step().leftovers.empty());
  trial.scene.trial->status.promoted = trial.scene.now - seconds(121);
  EXPECT_EQ(trial.step().leftovers.size(), 1U);
  trial.scene.target.rollout.last_progress = trial.scene.now - seconds(60);
  EXPECT_TRUE(trial.step().leftovers.empty());
  trial.scene.target.rollout.paused = true;
  EXPECT_EQ(trial.step().leftovers.size(), 1U);
}

TEST(Baseline, StaysUntilTheRollbackIsWrittenDown) {
  WithBaseline trial(TrialPhase::kWatching);
  trial.scene.current = new_settings();
  trial.scene.verdict = worse();
  const Step step = trial.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack) << step.message;
  EXPECT_TRUE(step.leftovers.empty()) << "or a successor finds nothing to see the harm by";
}

TEST(Baseline, GoesWithTheRollback) {
  WithBaseline trial(TrialPhase::kRollingBack);
  const Step step = trial.step();
  EXPECT_EQ(step.kind, StepKind::kRollBack);
  EXPECT_EQ(step.leftovers.size(), 1U);
}

TEST(RunningTrial, YieldsToAPersonWhoUndoesThePromotionDuringItsRollout) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - seconds(30);
  scene.profile.memory.applied = new_settings();
  const Step step = scene.end();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kSuperseded);
  EXPECT_EQ(step.trial->reason, "SettingsChanged");
}

TEST(RunningTrial, WaitsForTheTargetsRolloutAfterThePatch) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - seconds(5);
  scene.current = new_settings();
  scene.target = builders::unsettled_deployment();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->phase, TrialPhase::kPromoting);
  EXPECT_EQ(step.message, "Waiting for the target's rollout to finish.");
  EXPECT_EQ(step.memory->applied, new_settings());
}

TEST(RunningTrial, RetiresTheCanaryAndWatchesWhenAllPodsRunTheNewSettings) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - seconds(5);
  scene.current = new_settings();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kRetireCanary);
  EXPECT_EQ(step.trial->phase, TrialPhase::kWatching);
  EXPECT_EQ(step.trial->watching_since, scene.now);
  EXPECT_EQ(step.memory->applied, new_settings());
  EXPECT_EQ(step.message, "All of the target's pods run GOGC=200 GOMEMLIMIT=430MiB; watching for 30m.");
}

TEST(RunningTrial, RollsBackWhenTheRolloutHurtsBeforeItIsFinished) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - seconds(5);
  scene.current = new_settings();
  scene.target = builders::unsettled_deployment();
  scene.verdict = hard_stop();
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kRollingBack);
  EXPECT_EQ(scene.step().trial->reason, "OOMKilled");
}

Scene in_rollout_for(Duration time) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - time;
  scene.current = new_settings();
  scene.target = builders::unsettled_deployment();
  return scene;
}

TEST(RunningTrial, RollsBackARolloutThatIsStuck) {
  EXPECT_EQ(in_rollout_for(minutes(15)).step().trial->phase, TrialPhase::kPromoting)
      << "it may take a quarter of an hour";
  const Step step = in_rollout_for(minutes(15) + seconds(1)).step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
  EXPECT_EQ(step.trial->reason, "RolloutStuck");
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kNone) << "it is no promotion any more";
  EXPECT_EQ(step.trial->after_rollback, TrialVerdict::kInconclusive) << "the canary's pods did start with them";
  EXPECT_EQ(step.trial->message, "The target's rollout made no progress within 15m.");
  EXPECT_EQ(step.trial->steps.back().message, step.trial->message);
}

TEST(RunningTrial, RollsBackARolloutThatKubernetesGaveUp) {
  Scene scene = in_rollout_for(seconds(30));
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kPromoting);
  scene.target.rollout.gave_up = true;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kRollingBack);
  EXPECT_THAT(scene.step().trial->message, HasSubstr("Kubernetes gave the target's rollout up"));
}

TEST(RunningTrial, LetsARolloutTakeAsLongAsItGetsOn) {
  Scene scene = in_rollout_for(hours(2));
  scene.target.rollout.last_progress = scene.now - minutes(14);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kPromoting);
  scene.target.rollout.last_progress = scene.now - minutes(16);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kRollingBack);
}

TEST(RunningTrial, TakesARolloutThatIsCompleteForCompleteHoweverLongItTook) {
  Scene scene = in_rollout_for(hours(20));
  scene.target = builders::deployment();
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWatching);
}

TEST(RunningTrial, WaitsWhileSomebodyPausesTheRollout) {
  Scene scene = in_rollout_for(hours(20));
  scene.target.rollout.paused = true;
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->phase, TrialPhase::kPromoting);
  EXPECT_THAT(step.message, HasSubstr("kubectl rollout resume"));
}

TEST(RunningTrial, GivesUpAPromotionThatCannotBeWritten) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.now = scene.trial->spec.deadline + minutes(15) - seconds(1);
  EXPECT_EQ(scene.step().kind, StepKind::kPromote);
  scene.now += seconds(1);
  const Step step = scene.end();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "PromotionFailed");
  EXPECT_FALSE(step.memory->applied);
}

// Watching

/// When pods that were warm as late as may be have been watched for so long.
Time after_watching(const Scene& scene, Duration time) {
  return *scene.trial->status.watching_since + scene.trial->spec.canary.warm_up + time;
}

TEST(RunningTrial, WatchesTheTargetForTheTimeThatTheProfileAsksFor) {
  Scene scene = in(TrialPhase::kWatching);
  scene.verdict.evidence.windows = 7;
  scene.now = after_watching(scene, minutes(30)) - seconds(1);
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->phase, TrialPhase::kWatching);
  EXPECT_EQ(step.trial->watch_evidence.windows, 7);
  EXPECT_EQ(step.message, scene.verdict.message);
}

/// The watch's windows had data.
Verdict watched() {
  Verdict verdict = undecided();
  verdict.evidence.windows = 20;
  return verdict;
}

TEST(RunningTrial, DoesNotGiveAShortWatchUpBeforeAWindowCouldHaveBeenSeen) {
  Scene scene = in(TrialPhase::kWatching);
  scene.trial->spec.watch_for = minutes(2);
  scene.trial->spec.canary.interval = minutes(5);
  scene.verdict = no_data();
  scene.now = after_watching(scene, minutes(15)) - seconds(1);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWatching);
  scene.now += seconds(1);
  EXPECT_EQ(scene.step().trial->reason, "Unconfirmed");
  scene.now -= minutes(13);
  scene.verdict = watched();
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kPromote) << "with data it lasts as long as asked";
}

TEST(RunningTrial, RemembersTheFewestReplicasThatItsWatchSaw) {
  Scene scene = in(TrialPhase::kWatching);
  scene.trial->status.watched_replicas = 10;
  scene.target.replicas = 4;
  EXPECT_EQ(scene.step().trial->watched_replicas, 4) << "of ten again six may wait for nodes";
  scene.target.replicas = 12;
  EXPECT_EQ(scene.step().trial->watched_replicas, 10);
}

TEST(RunningTrial, NeverConfirmsWithoutData) {
  for (const int windows : {0, 9}) {
    Scene scene = in(TrialPhase::kWatching);
    scene.verdict = no_data();
    scene.verdict.evidence.windows = windows;
    scene.verdict.evidence.empty_windows = 10;
    scene.now = after_watching(scene, minutes(30));
    EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWatching) << "it watches as long again";
    scene.now = after_watching(scene, minutes(60));
    const Step step = scene.step();
    EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
    EXPECT_EQ(step.trial->reason, "Unconfirmed");
    EXPECT_EQ(step.trial->message,
              "The target's pods gave too little data to confirm the settings within 1h; asked for were 30m. "
              "Because of NoData.");
    scene.trial->status = *step.trial;
    scene.current = old_settings();
    const Step end = scene.end();
    EXPECT_EQ(end.trial->verdict, TrialVerdict::kInconclusive);
    EXPECT_THAT(end.memory->banned, IsEmpty()) << "nothing is known against these settings";
  }
}

TEST(RunningTrial, ConfirmsWithDataInHalfOfTheWindows) {
  Scene scene = in(TrialPhase::kWatching);
  scene.now = after_watching(scene, minutes(30));
  scene.verdict.evidence.windows = scene.verdict.evidence.empty_windows = 10;
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kPromote);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kEnded);
  scene.verdict.evidence.windows = scene.verdict.evidence.empty_windows = 0;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWatching) << "half of none is none";
}

TEST(RunningTrial, WatchesAsLongAgainBeforeItGivesUpToConfirm) {
  Scene scene = in(TrialPhase::kWatching);
  scene.verdict = no_data();
  scene.now = after_watching(scene, minutes(60)) - seconds(1);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWatching);
  scene.now += seconds(1);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kRollingBack);
}

TEST(RunningTrial, ConfirmsWithinAWatchThatIsShorterThanTheWarmUp) {
  Scene scene = in(TrialPhase::kWatching);
  scene.trial->spec.canary.warm_up = minutes(5);
  scene.trial->spec.watch_for = minutes(2);
  scene.verdict = watched();
  scene.now = *scene.trial->status.watching_since + minutes(6);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWatching);
  scene.now += minutes(1);
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kPromote);
}

TEST(RunningTrial, WatchesATargetOfManyPodsOfWhichOneIsAlwaysMissing) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - seconds(30);
  scene.current = new_settings();
  scene.target.available_replicas -= 1;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kPromoting);
  scene.target.rollout.complete = true;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWatching);
}

TEST(RunningTrial, GivesPodsThatHaveToBeReadyForLongMoreTimeToRollOut) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - minutes(16);
  scene.current = new_settings();
  scene.target = builders::unsettled_deployment();
  EXPECT_EQ(scene.step().trial->reason, "RolloutStuck");
  scene.target.min_ready = minutes(5);
  EXPECT_EQ(scene.step().reason, "Promoting");
}

TEST(RunningTrial, BeginsItsWatchNowWhereNobodyNotedWhenItBegan) {
  Scene scene = in(TrialPhase::kWatching);
  scene.trial->status.watching_since.reset();
  EXPECT_EQ(scene.step().trial->watching_since, scene.now);
}

TEST(RunningTrial, NeedsNoDataWhereNoWatchIsAskedFor) {
  Scene scene = in(TrialPhase::kWatching);
  scene.trial->spec.watch_for = Duration(0);
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kPromote);
}

TEST(RunningTrial, SucceedsWhenNothingHappensDuringTheWatch) {
  Scene scene = in(TrialPhase::kWatching);
  scene.verdict = watched();
  scene.now = after_watching(scene, minutes(30));
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kPromote);
  EXPECT_EQ(step.trial->reason, "Better");
  EXPECT_EQ(step.memory->applied, new_settings());
  EXPECT_THAT(step.memory->active_trial, IsEmpty());
  EXPECT_THAT(step.memory->banned, IsEmpty());
  EXPECT_EQ(step.memory->cool_down_until, scene.now + hours(6));
}

TEST(RunningTrial, RollsBackWhenTheWatchFindsHarm) {
  for (const Verdict& verdict : {worse(), hard_stop()}) {
    Scene scene = in(TrialPhase::kWatching);
    scene.verdict = verdict;
    const Step step = scene.step();
    EXPECT_EQ(step.kind, StepKind::kHold) << "it is written down before it is done";
    EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kNone);
    EXPECT_EQ(step.trial->reason, verdict.reason);
    EXPECT_EQ(step.trial->message, verdict.message);
    EXPECT_EQ(step.trial->steps.back().message, "After the promotion: " + verdict.message);
    EXPECT_LT(step.requeue_after, seconds(1));
  }
}

TEST(RunningTrial, LeavesTheOldSettingsWhereAPersonPutThemBackDuringTheWatch) {
  Scene scene = in(TrialPhase::kWatching);
  scene.current = old_settings();
  const Step end = scene.end();
  EXPECT_EQ(end.kind, StepKind::kEnd);
  EXPECT_EQ(end.trial->verdict, TrialVerdict::kSuperseded);

  // The pass after it must not try the same settings again at once.
  scene.trial.reset();
  scene.profile.memory = *end.memory;
  scene.decision = builders::change();
  const Step next = scene.step();
  EXPECT_EQ(next.reason, "SettingsChanged");
  ASSERT_THAT(next.memory->banned, SizeIs(1));
  EXPECT_EQ(next.memory->banned.front().settings, new_settings());
  EXPECT_GT(next.memory->cool_down_until, scene.now);
}

/// At the end of a watch of settings that promised a share of CPU and 100 MiB between collections.
Scene at_the_end_of_the_watch(const char* promised_percent, double seen_share) {
  Scene scene = in(TrialPhase::kWatching);
  scene.verdict = watched();
  scene.now = after_watching(scene, minutes(30));
  scene.trial->spec.predicted.gc_cpu_percent = promised_percent;
  scene.trial->spec.predicted.cycle_volume = "100MiB";
  scene.profile.memory.missed_predictions = 1;
  scene.profile.memory.missed_template = scene.trial->spec.template_hash;
  Estimate estimate;
  estimate.gc_cpu_fraction = seen_share;
  estimate.cycle_volume = mib(100);
  scene.decision.estimate = estimate;
  return scene;
}

TEST(RunningTrial, CountsAPredictionThatWasMissed) {
  EXPECT_EQ(at_the_end_of_the_watch("8.0", 0.13).step().memory->missed_predictions, 2);
}

TEST(RunningTrial, LetsTheNextStepOfOneThatKeptItsPromiseBeginAtOnce) {
  const auto after = [](double seen, const char* destination) {
    Scene scene = at_the_end_of_the_watch("8.0", seen);
    scene.trial->spec.predicted.destination = destination;
    scene.trial->spec.predicted.saving_percent = "1.6";
    return scene.step().memory->cool_down_until;
  };
  EXPECT_EQ(after(0.087, "GOGC=400 GOMEMLIMIT=900MiB"), std::nullopt);
  EXPECT_TRUE(after(0.089, "GOGC=400 GOMEMLIMIT=900MiB")) << "less than half of the saving is there";
  EXPECT_TRUE(after(0.08, "")) << "nothing is left to do";
  EXPECT_TRUE(after(0.13, "GOGC=400 GOMEMLIMIT=900MiB")) << "the model was wrong";
  Scene unknown = at_the_end_of_the_watch("8.0", 0.08);
  unknown.trial->spec.predicted.destination = "GOGC=400";
  unknown.decision.estimate.reset();
  EXPECT_TRUE(unknown.step().memory->cool_down_until) << "nothing tells whether it was";
}

TEST(RunningTrial, CountsMissedPredictionsOfOneProgramOnly) {
  Scene scene = at_the_end_of_the_watch("8.0", 0.13);
  EXPECT_EQ(scene.step().memory->missed_template, scene.trial->spec.template_hash);
  scene.profile.memory.missed_template = "the image of last week";
  EXPECT_EQ(scene.step().memory->missed_predictions, 1);
  scene = at_the_end_of_the_watch("8.0", 0.08);
  EXPECT_EQ(scene.step().memory->missed_template, "");
}

TEST(RunningTrial, CountsAHeapThatGrewOtherwiseThanPromised) {
  Scene scene = at_the_end_of_the_watch("8.0", 0.08);
  scene.decision.estimate->cycle_volume = mib(60);
  EXPECT_EQ(scene.step().memory->missed_predictions, 2);
}

TEST(RunningTrial, ForgetsMissedPredictionsAfterOneThatHeld) {
  EXPECT_EQ(at_the_end_of_the_watch("8.0", 0.095).step().memory->missed_predictions, 0);
}

TEST(RunningTrial, TakesAPredictionForHeldUpToAQuarter) {
  for (const double seen : {0.061, 0.099}) {
    EXPECT_EQ(at_the_end_of_the_watch("8.0", seen).step().memory->missed_predictions, 0) << seen;
  }
  for (const double seen : {0.059, 0.101}) {
    EXPECT_EQ(at_the_end_of_the_watch("8.0", seen).step().memory->missed_predictions, 2) << seen;
  }
}

TEST(RunningTrial, HoldsNothingAgainstAModelThatPromisedOrSeesNothing) {
  Scene scene = at_the_end_of_the_watch("", 0.13);
  EXPECT_EQ(scene.step().memory->missed_predictions, 1);
  scene = at_the_end_of_the_watch("8.0", 0.13);
  scene.trial->spec.predicted.cycle_volume = "";
  EXPECT_EQ(scene.step().memory->missed_predictions, 1);
  scene = at_the_end_of_the_watch("8.0", 0.13);
  scene.decision.estimate.reset();
  EXPECT_EQ(scene.step().memory->missed_predictions, 1);
}

TEST(RunningTrial, HoldsADifferenceOfLessThanOnePointAgainstNobody) {
  EXPECT_EQ(at_the_end_of_the_watch("0.5", 0.014).step().memory->missed_predictions, 0);
}

TEST(RunningTrial, CountsAMissedPredictionOnceThoughItsEndIsRepeated) {
  Scene scene = at_the_end_of_the_watch("8.0", 0.13);
  // The profile's memory was written, the trial's end was not.
  scene.profile.memory = *scene.step().memory;
  const Step again = scene.step();
  EXPECT_EQ(again.trial->verdict, TrialVerdict::kPromote);
  EXPECT_FALSE(again.memory);
}

}  // namespace
}  // namespace gopacer
