#include "gopacer/rollout/advance.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "fakes/builders.h"

namespace gopacer {
namespace {

using builders::better;
using builders::hard_stop;
using builders::new_settings;
using builders::no_data;
using builders::old_settings;
using builders::settings;
using builders::undecided;
using builders::worse;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Everything that one call of advance() looks at. Members may be changed before step().
struct Scene {
  Profile profile = builders::profile();
  bool profile_is_there = true;
  Deployment target = builders::deployment();
  bool target_is_there = true;
  std::optional<Trial> trial;
  Settings current = old_settings();
  std::string blocked;
  std::string conflict;
  bool pods_ready = true;
  bool collected = true;
  int last_trial_number = 0;
  Decision decision = builders::keep();
  Verdict verdict = undecided();
  Time now = builders::kStart;

  Step step() const {
    Situation situation;
    situation.profile = profile_is_there ? &profile : nullptr;
    situation.target = target_is_there ? &target : nullptr;
    situation.current = current;
    situation.blocked = blocked;
    situation.conflict = conflict;
    situation.pods_ready = pods_ready;
    situation.collected = collected;
    situation.last_trial_number = last_trial_number;
    return advance(trial ? &*trial : nullptr, situation, decision, verdict, now);
  }

  /// The two passes that end a trial: the verdict is written down, then the trial is closed.
  Step end() {
    const Step written = step();
    EXPECT_EQ(written.kind, StepKind::kHold) << written.message;
    if (!written.trial) return written;
    EXPECT_NE(written.trial->verdict, TrialVerdict::kNone) << written.message;
    EXPECT_EQ(written.trial->phase, trial->status.phase);
    trial->status = *written.trial;
    return step();
  }
};

/// Long enough after the trial entered `phase` for one window, and for our own patch to show.
Scene in(TrialPhase phase) {
  Scene scene;
  scene.trial = builders::trial(phase);
  scene.now = builders::entered(phase) + seconds(20);
  scene.profile.memory.trial_count = 1;
  scene.profile.memory.active_trial = "checkout-1";
  if (phase == TrialPhase::kWatching || phase == TrialPhase::kRollingBack) {
    scene.current = new_settings();
    scene.profile.memory.applied = new_settings();
  }
  return scene;
}

constexpr TrialPhase kBeforePromotion[] = {TrialPhase::kPending, TrialPhase::kWarmUp, TrialPhase::kMeasuring};
constexpr TrialPhase kRunning[] = {TrialPhase::kPending,   TrialPhase::kWarmUp,   TrialPhase::kMeasuring,
                                   TrialPhase::kPromoting, TrialPhase::kWatching, TrialPhase::kRollingBack};

bool touches_the_target(const Step& step) {
  return step.kind == StepKind::kPromote || step.kind == StepKind::kRollBack || step.kind == StepKind::kRevert;
}

// Without a running trial

TEST(Profile, StartsATrialWhenTheDecisionIsWorthOne) {
  Scene scene;
  scene.decision = builders::change();
  const Step step = scene.step();
  ASSERT_EQ(step.kind, StepKind::kStartTrial);
  EXPECT_EQ(step.start->from, old_settings());
  EXPECT_EQ(step.start->to, new_settings());
  EXPECT_EQ(step.start->target_uid, scene.target.uid);
  EXPECT_EQ(step.start->profile_uid, scene.profile.uid);
  EXPECT_EQ(step.start->template_hash, scene.target.template_hash);
  EXPECT_EQ(step.start->number, 1);
  EXPECT_EQ(step.memory->active_trial, "checkout-1");
  EXPECT_EQ(step.memory->trial_count, 1);
  EXPECT_FALSE(step.memory->applied) << "nothing was put into the target yet";
}

TEST(Profile, GivesATrialTimeToStartToWarmUpAndToMeasure) {
  Scene scene;
  scene.decision = builders::change();
  EXPECT_EQ(scene.step().start->deadline, scene.now + minutes(5) + minutes(2) + minutes(30));
}

TEST(Profile, NumbersTrialsAfterThoseOfAnEarlierProfileOfItsName) {
  Scene scene;
  scene.decision = builders::change();
  scene.last_trial_number = 7;
  const Step step = scene.step();
  EXPECT_EQ(step.start->number, 8);
  EXPECT_EQ(step.memory->trial_count, 8);
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
  scene.blocked = "The target is paused.";
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
  EXPECT_EQ(scene.step().message, scene.blocked);
}

TEST(Profile, StartsNothingWhileTheTargetIsNotThere) {
  Scene scene;
  scene.decision = builders::change();
  scene.target_is_there = false;
  scene.blocked = "It does not exist.";
  EXPECT_EQ(scene.step().kind, StepKind::kHold);
}

TEST(Profile, StartsNothingWhileAnotherManagerOwnsOurEntries) {
  Scene scene;
  scene.decision = builders::change();
  scene.conflict = "GOGC is set by 'kubectl-set'.";
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
  scene.blocked = "The target is paused.";
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

// Pending

TEST(RunningTrial, BeginsByRunningTheCanary) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kRunCanary);
  EXPECT_EQ(step.trial->phase, TrialPhase::kPending);
  EXPECT_EQ(step.trial->started, scene.now);
}

TEST(RunningTrial, KeepsTheTimeOfItsFirstPass) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  scene.trial->status.started = builders::kStart;
  EXPECT_EQ(scene.step().trial->started, builders::kStart);
}

TEST(RunningTrial, WarmsUpOnlyWhenBothArmsAreReady) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kPending);
  scene.pods_ready = true;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWarmUp);
  EXPECT_EQ(scene.step().trial->warm_until, scene.now + minutes(2));
}

TEST(RunningTrial, EndsWhenItsPodsNeverBecomeReady) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  scene.now = scene.trial->spec.deadline;
  const Step step = scene.end();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "PodsNotReady");
  EXPECT_THAT(step.trial->message, HasSubstr("gopacer.dev/trial=checkout-1"));
}

TEST(RunningTrial, NotesItselfInTheProfileWhenThatWasMissed) {
  Scene scene = in(TrialPhase::kPending);
  scene.profile.memory.active_trial.clear();
  scene.profile.memory.trial_count = 0;
  const Step step = scene.step();
  ASSERT_TRUE(step.memory);
  EXPECT_EQ(step.memory->active_trial, "checkout-1");
  EXPECT_EQ(step.memory->trial_count, 1);
}

TEST(RunningTrial, LeavesTheProfilesMemoryAloneWhenItIsNoted) {
  for (const TrialPhase phase : kBeforePromotion) EXPECT_FALSE(in(phase).step().memory) << to_string(phase);
}

// Warm-up

TEST(RunningTrial, MeasuresOnlyAfterTheWarmUpsTime) {
  Scene scene = in(TrialPhase::kWarmUp);
  scene.now = *scene.trial->status.warm_until - seconds(1);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWarmUp);
  scene.now = *scene.trial->status.warm_until;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kMeasuring);
  EXPECT_EQ(scene.step().trial->measuring_since, scene.now);
}

TEST(RunningTrial, MeasuresOnlyAfterTheCollectionsOfTheWarmUp) {
  Scene scene = in(TrialPhase::kWarmUp);
  scene.now = *scene.trial->status.warm_until + minutes(5);
  scene.collected = false;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWarmUp);
}

TEST(RunningTrial, EndsWhenAnIdleServiceNeverCollects) {
  Scene scene = in(TrialPhase::kWarmUp);
  scene.collected = false;
  scene.now = scene.trial->spec.deadline;
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "NoCollections");
}

TEST(RunningTrial, IsStoppedAtOnceByAHardStopBeforeItMeasures) {
  for (const TrialPhase phase : {TrialPhase::kPending, TrialPhase::kWarmUp}) {
    Scene scene = in(phase);
    scene.verdict = hard_stop();
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
    EXPECT_EQ(step.trial->reason, "OOMKilled");
  }
}

TEST(RunningTrial, IgnoresStatisticsBeforeItMeasures) {
  for (const TrialPhase phase : {TrialPhase::kPending, TrialPhase::kWarmUp}) {
    for (const Verdict& verdict : {worse(), better()}) {
      Scene scene = in(phase);
      scene.verdict = verdict;
      scene.pods_ready = scene.collected = false;
      EXPECT_EQ(scene.step().trial->phase, phase);
      EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kNone);
    }
  }
}

// Measuring

TEST(RunningTrial, KeepsTheEvidenceOfEachPass) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict.evidence.windows = 12;
  scene.verdict.p99_change = 0.01;
  scene.verdict.gc_change = -0.3;
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->phase, TrialPhase::kMeasuring);
  EXPECT_EQ(step.trial->evidence.windows, 12);
  EXPECT_EQ(step.trial->latency_change, 0.01);
  EXPECT_EQ(step.trial->gc_change, -0.3);
}

TEST(RunningTrial, LooksAgainAFewTimesInEachWindow) {
  Scene scene = in(TrialPhase::kMeasuring);
  EXPECT_EQ(scene.step().requeue_after, seconds(3));
  scene.trial->spec.canary.interval = seconds(1);
  EXPECT_EQ(scene.step().requeue_after, seconds(1));
  scene.trial->spec.canary.interval = minutes(5);
  EXPECT_EQ(scene.step().requeue_after, seconds(5));
}

TEST(RunningTrial, DecidesToPromoteWhenTheCanaryIsBetter) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict = better();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold) << "it is written down before it is done";
  EXPECT_EQ(step.trial->phase, TrialPhase::kPromoting);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kPromote);
  EXPECT_EQ(step.trial->reason, "Better");
  EXPECT_LT(step.requeue_after, seconds(1));
}

TEST(RunningTrial, EndsWhenTheCanaryIsWorse) {
  for (const Verdict& verdict : {worse(), hard_stop()}) {
    Scene scene = in(TrialPhase::kMeasuring);
    scene.verdict = verdict;
    scene.verdict.evidence.windows = 25;
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd);
    EXPECT_EQ(step.trial->phase, TrialPhase::kEnded);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
    EXPECT_EQ(step.trial->reason, verdict.reason);
    EXPECT_EQ(step.trial->evidence.windows, 25);
    EXPECT_EQ(step.trial->ended, scene.now);
  }
}

TEST(RunningTrial, BansTheRegionThatDidHarmAndCoolsDown) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict = worse();
  const Step step = scene.end();
  ASSERT_THAT(step.memory->banned, SizeIs(1));
  EXPECT_EQ(step.memory->banned.front().settings, new_settings());
  EXPECT_EQ(step.memory->banned.front().template_hash, "hash-1");
  EXPECT_EQ(step.memory->banned.front().reason, "LatencyRegression");
  EXPECT_EQ(step.memory->cool_down_until, scene.now + hours(6));
  EXPECT_THAT(step.memory->active_trial, IsEmpty());
}

TEST(RunningTrial, KeepsWhatWasAppliedBeforeWhenItFailsBeforeAPromotion) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.trial->spec.from = scene.current = settings(150, mib(430));
  scene.profile.memory.applied = settings(150, mib(430));
  scene.verdict = worse();
  EXPECT_EQ(scene.end().memory->applied, settings(150, mib(430)));
}

TEST(RunningTrial, StillEndsAsItWasWrittenWhenTheReasonsAreGoneWithTheCanary) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict = worse();
  scene.trial->status = *scene.step().trial;
  // The first attempt to close it deleted the canary's pods, and then something failed.
  scene.verdict = no_data();
  scene.pods_ready = false;
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kEnd);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
  EXPECT_EQ(step.trial->reason, "LatencyRegression");
}

TEST(RunningTrial, WithoutDataIsInconclusiveAndNeverPromotes) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict = no_data();
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kMeasuring);
  scene.now = scene.trial->spec.deadline;
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "NoData");
  EXPECT_THAT(step.memory->banned, IsEmpty()) << "nothing is known against these settings";
  EXPECT_EQ(step.memory->cool_down_until, scene.now + hours(6));
}

TEST(RunningTrial, EndsUndecidedWhenItsTimeIsOver) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.now = scene.trial->spec.deadline;
  scene.verdict.evidence.windows = 120;
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "TimeOut");
  EXPECT_EQ(step.trial->evidence.windows, 120);
}

TEST(RunningTrial, MeasuresNoLongerThanAskedForHoweverLongThePodsTookToStart) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.now = *scene.trial->status.measuring_since + scene.trial->spec.canary.max_duration - seconds(1);
  ASSERT_LT(scene.now, scene.trial->spec.deadline);
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kNone);
  scene.now += seconds(1);
  EXPECT_EQ(scene.end().trial->reason, "TimeOut");
}

TEST(RunningTrial, NeverTouchesTheTargetBeforeTheCanaryPassed) {
  for (const TrialPhase phase : kBeforePromotion) {
    for (const Verdict& verdict : {better(), worse(), hard_stop(), undecided(), no_data()}) {
      for (const bool late : {false, true}) {
        Scene scene = in(phase);
        scene.verdict = verdict;
        if (late) scene.now = scene.trial->spec.deadline + hours(1);
        EXPECT_FALSE(touches_the_target(scene.step())) << to_string(phase) << " " << verdict.reason;
      }
    }
  }
}

// Promoting

TEST(RunningTrial, PutsItsSettingsIntoTheTarget) {
  const Scene scene = in(TrialPhase::kPromoting);
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kPromote);
  EXPECT_EQ(step.settings, new_settings());
  EXPECT_EQ(step.trial->promoted, scene.now);
  EXPECT_EQ(step.memory->applied, new_settings());
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

TEST(RunningTrial, RepeatsThePatchUntilTheStoreShowsIt) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - seconds(2);
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kPromote);
  EXPECT_EQ(step.trial->promoted, scene.now - seconds(2));
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
}

TEST(RunningTrial, RetiresTheCanaryAndWatchesWhenAllPodsRunTheNewSettings) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - seconds(5);
  scene.current = new_settings();
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kRetireCanary);
  EXPECT_EQ(step.trial->phase, TrialPhase::kWatching);
  EXPECT_EQ(step.trial->watching_since, scene.now);
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

TEST(RunningTrial, RollsBackARolloutThatIsStuck) {
  Scene scene = in(TrialPhase::kPromoting);
  scene.trial->status.promoted = scene.now - minutes(15) - seconds(1);
  scene.current = new_settings();
  scene.target = builders::unsettled_deployment();
  const Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
  EXPECT_EQ(step.trial->reason, "RolloutStuck");
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kNone) << "it is no promotion any more";
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

TEST(RunningTrial, WatchesTheTargetForTheTimeThatTheProfileAsksFor) {
  Scene scene = in(TrialPhase::kWatching);
  scene.verdict.evidence.windows = 7;
  scene.now = *scene.trial->status.watching_since + minutes(30) - seconds(1);
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->phase, TrialPhase::kWatching);
  EXPECT_EQ(step.trial->watch_evidence.windows, 7);
}

TEST(RunningTrial, SucceedsWhenNothingHappensDuringTheWatch) {
  Scene scene = in(TrialPhase::kWatching);
  scene.now = *scene.trial->status.watching_since + minutes(30);
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

Estimate seen_gc_share(double share) {
  Estimate estimate;
  estimate.gc_cpu_fraction = share;
  return estimate;
}

TEST(RunningTrial, CountsAPredictionThatWasMissed) {
  Scene scene = in(TrialPhase::kWatching);
  scene.now = *scene.trial->status.watching_since + minutes(30);
  scene.trial->spec.predicted.gc_cpu_percent = "8.0";
  scene.profile.memory.missed_predictions = 1;
  scene.decision.estimate = seen_gc_share(0.13);
  EXPECT_EQ(scene.step().memory->missed_predictions, 2);
}

TEST(RunningTrial, ForgetsMissedPredictionsAfterOneThatHeld) {
  Scene scene = in(TrialPhase::kWatching);
  scene.now = *scene.trial->status.watching_since + minutes(30);
  scene.trial->spec.predicted.gc_cpu_percent = "8.0";
  scene.profile.memory.missed_predictions = 1;
  scene.decision.estimate = seen_gc_share(0.095);
  EXPECT_EQ(scene.step().memory->missed_predictions, 0);
}

TEST(RunningTrial, HoldsADifferenceOfLessThanOnePointAgainstNobody) {
  Scene scene = in(TrialPhase::kWatching);
  scene.now = *scene.trial->status.watching_since + minutes(30);
  scene.trial->spec.predicted.gc_cpu_percent = "0.5";
  scene.decision.estimate = seen_gc_share(0.014);
  EXPECT_EQ(scene.step().memory->missed_predictions, 0);
}

TEST(RunningTrial, CountsAMissedPredictionOnceThoughItsEndIsRepeated) {
  Scene scene = in(TrialPhase::kWatching);
  scene.now = *scene.trial->status.watching_since + minutes(30);
  scene.trial->spec.predicted.gc_cpu_percent = "8.0";
  scene.decision.estimate = seen_gc_share(0.13);
  // The profile's memory was written, the trial's end was not.
  scene.profile.memory = *scene.step().memory;
  EXPECT_EQ(scene.step().memory->missed_predictions, 1);
}

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
