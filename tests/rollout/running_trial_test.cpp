#include <gmock/gmock.h>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using builders::better;
using builders::hard_stop;
using builders::new_settings;
using builders::no_data;
using builders::settings;
using builders::undecided;
using builders::worse;
using scenes::in;
using scenes::kBeforePromotion;
using scenes::Scene;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

bool touches_the_target(const Step& step) {
  return step.kind == StepKind::kPromote || step.kind == StepKind::kRollBack || step.kind == StepKind::kRevert;
}

// Pending

TEST(RunningTrial, BeginsByRunningTheCanary) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  const Step step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kRunCanary);
  EXPECT_EQ(step.trial->phase, TrialPhase::kPending);
  EXPECT_EQ(step.trial->started, scene.now);
  EXPECT_EQ(step.trial->waiting_since, scene.now);
  EXPECT_EQ(step.message, "Waiting for the canary and baseline pods.");
}

TEST(RunningTrial, SaysWhatKeepsItsPodsFromStarting) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  Pod pod;
  pod.key = {"shop", "checkout-gopacer-canary-1"};
  pod.trouble = "ImagePullBackOff";
  const auto told = [&](const Pod& troubled, Track track) {
    scene.pods = {{std::make_shared<Pod>(troubled), track}};
    return scene.step().message;
  };
  EXPECT_EQ(told(pod, Track::kCanary),
            "Waiting for the canary and baseline pods: pod checkout-gopacer-canary-1: ImagePullBackOff");
  EXPECT_EQ(told(pod, Track::kStable), "Waiting for the canary and baseline pods.") << "that is none of its own";
  for (const char* const ended : {"Failed", "Succeeded"}) {
    Pod gone = pod;
    gone.phase = ended;
    EXPECT_EQ(told(gone, Track::kBaseline), "Waiting for the canary and baseline pods.") << ended;
  }
  pod.deleting = true;
  EXPECT_EQ(told(pod, Track::kCanary), "Waiting for the canary and baseline pods.");
}

TEST(RunningTrial, IsReadyWithAsManyPodsAsItAsksFor) {
  const auto phase_with = [](int asked) {
    Scene scene = in(TrialPhase::kPending);
    scene.trial->spec.canary.replicas = asked;
    return scene.step().trial->phase;
  };
  EXPECT_EQ(phase_with(3), TrialPhase::kWarmUp) << "there are three";
  EXPECT_EQ(phase_with(4), TrialPhase::kPending);
}

TEST(RunningTrial, IsNotReadyWithOneArm) {
  Scene scene = in(TrialPhase::kPending);
  for (const bool canary : {true, false}) {
    Facts facts = scene.facts();
    (canary ? facts.desired.canary : facts.desired.baseline) = nullptr;
    EXPECT_EQ(advance(facts).trial->phase, TrialPhase::kPending);
    (canary ? facts.desired.canary : facts.desired.baseline) =
        std::make_shared<Workload>(builders::unsettled_deployment());
    EXPECT_EQ(advance(facts).trial->phase, TrialPhase::kPending);
  }
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
  EXPECT_FALSE(scene.step().trial->waiting_since);
  EXPECT_EQ(scene.step().message, "Canary and baseline pods are ready; warming up until " +
                                      format_time(scene.now + minutes(2)) + " and two collections after that.");
  EXPECT_LT(scene.step().requeue_after, seconds(1));
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

TEST(RunningTrial, EndsUndecidedWhenItBeganAnewTooLate) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  scene.trial->status.started = scene.trial->spec.deadline - minutes(20);
  scene.trial->status.waiting_since = scene.trial->spec.deadline - minutes(1);
  scene.now = scene.trial->spec.deadline;
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "TimeOut");
  EXPECT_THAT(step.trial->message, HasSubstr("began anew"));
}

TEST(RunningTrial, GivesItsPodsFiveMinutesToStart) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  scene.trial->status.waiting_since = scene.now - minutes(5) + seconds(1);
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kNone);
  scene.now += seconds(1);
  Pod pod;
  pod.trouble = "0/3 nodes are available: 3 Insufficient memory.";
  scene.pods = {{std::make_shared<Pod>(pod), Track::kCanary}};
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "PodsNotReady");
  EXPECT_THAT(step.trial->message, HasSubstr("3 Insufficient memory"));
}

TEST(RunningTrial, IsNotMadeByTheProfileUnlessItsStatusNamesIt) {
  for (const TrialPhase phase : {TrialPhase::kPending, TrialPhase::kMeasuring, TrialPhase::kPromoting,
                                 TrialPhase::kWatching, TrialPhase::kRollingBack}) {
    Scene scene = in(phase);
    scene.trial->status.verdict = TrialVerdict::kNone;
    scene.profile.memory.active_trial = "";
    scene.verdict = better();
    const Step step = scene.step();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kAborted);
    EXPECT_EQ(step.trial->reason, "TrialUnknown");
    EXPECT_FALSE(step.memory);
  }
}

TEST(RunningTrial, LeavesTheProfilesMemoryAloneWhenItIsNoted) {
  for (const TrialPhase phase : kBeforePromotion) EXPECT_FALSE(in(phase).step().memory) << to_string(phase);
}

// Warm-up

TEST(RunningTrial, MeasuresOnlyAfterTheWarmUpsTime) {
  Scene scene = in(TrialPhase::kWarmUp);
  scene.now = *scene.trial->status.warm_until - seconds(1);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWarmUp);
  EXPECT_EQ(scene.step().message, "Warming up.");
  EXPECT_EQ(scene.step().requeue_after, seconds(3));
  scene.now = *scene.trial->status.warm_until + seconds(1);
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kMeasuring);
  EXPECT_EQ(scene.step().trial->measuring_since, scene.now);
  EXPECT_EQ(scene.step().message, "Warm; measuring in windows of 15s.");
}

TEST(RunningTrial, MeasuresOnlyAfterTheCollectionsOfTheWarmUp) {
  Scene scene = in(TrialPhase::kWarmUp);
  scene.now = *scene.trial->status.warm_until + minutes(5);
  scene.collected = false;
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kWarmUp);
}

TEST(RunningTrial, GoesOnFromOneThatEndedUndecided) {
  Scene scene = in(TrialPhase::kWarmUp);
  scene.now = *scene.trial->status.warm_until + seconds(1);
  Trial ended = *scene.trial;
  ended.key.name = "checkout-0";
  ended.status.phase = TrialPhase::kEnded;
  ended.status.verdict = TrialVerdict::kInconclusive;
  ended.status.reason = "TimeOut";
  ended.status.evidence.windows = 33;
  const auto earlier_windows = [&](const Trial& before) {
    scene.ended_trials = {before};
    return scene.step().trial->evidence.earlier.windows;
  };
  EXPECT_EQ(earlier_windows(ended), 33);
  EXPECT_EQ(scene.step().message, "Warm; measuring in windows of 15s, going on from checkout-0.");
  const auto changed = [&](const auto& change) {
    Trial other = ended;
    change(other);
    return earlier_windows(other);
  };
  EXPECT_EQ(changed([](Trial& trial) { trial.spec.template_hash = "another"; }), 0);
  EXPECT_EQ(changed([](Trial& trial) { trial.spec.profile_uid = "another"; }), 0);
  EXPECT_EQ(changed([](Trial& trial) { trial.spec.to.gogc = Gogc(730); }), 0);
  EXPECT_EQ(changed([](Trial& trial) { trial.spec.slos.emplace_back(); }), 0);
  EXPECT_EQ(changed([](Trial& trial) { trial.spec.steps.emplace_back(); }), 0);
  EXPECT_EQ(changed([](Trial& trial) { trial.status.reason = "ArmsUnequal"; }), 0) << "its arms were no comparison";
  EXPECT_EQ(changed([](Trial& trial) { trial.status.verdict = TrialVerdict::kRollBack; }), 0);
  EXPECT_EQ(changed([](Trial& trial) { trial.status.promoted = builders::kStart; }), 0);
  EXPECT_EQ(changed([](Trial& trial) { trial.status.evidence.windows = 0; }), 0) << "it never measured";
  scene.ended_trials = {ended};
  scene.trial->status.evidence.baseline_memory = 0.9;
  EXPECT_EQ(scene.step().trial->evidence.baseline_memory, 0.9) << "of this trial's pods";
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
    scene.verdict = builders::verdict(Outcome::kWorse, "MemoryNearLimit", true);
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
    EXPECT_EQ(step.trial->reason, "MemoryNearLimit");
  }
}

/// A canary's pod was killed for its memory, and that is written down.
Scene with_a_killed_canary(TrialPhase phase) {
  Scene scene = in(phase);
  scene.verdict = hard_stop();
  scene.trial->status = *scene.step().trial;
  return scene;
}

/// The same scene once a pod of the baseline was killed, too.
Facts with_a_killed_baseline(const Scene& scene) {
  Facts facts = scene.facts();
  for (PodSeries& pod : facts.observed.pods) pod.oom_killed = pod.track == Track::kBaseline;
  return facts;
}

TEST(RunningTrial, GivesTheBaselineHalfAMinuteToBeKilledAsWell) {
  for (const TrialPhase phase : kBeforePromotion) {
    Scene scene = with_a_killed_canary(phase);
    EXPECT_EQ(scene.trial->status.verdict, TrialVerdict::kRollBack);
    scene.now += seconds(29);
    const Step waits = scene.step();
    EXPECT_EQ(waits.kind, StepKind::kHold) << to_string(phase);
    EXPECT_EQ(waits.trial->phase, phase);
    EXPECT_LE(waits.requeue_after, seconds(5));
    EXPECT_EQ(waits.message, "Because of OOMKilled. Whether the baseline is killed as well shows within 30s.");
    scene.now += seconds(1);
    const Step step = scene.step();
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
    EXPECT_EQ(step.trial->reason, "OOMKilled");
    EXPECT_EQ(step.trial->message, scene.verdict.message);
    EXPECT_THAT(step.memory->banned, SizeIs(1));
  }
}

TEST(RunningTrial, HoldsNoKillAgainstTheSettingsThatTheBaselineSharesSoonAfter) {
  for (const TrialPhase phase : kBeforePromotion) {
    Scene scene = with_a_killed_canary(phase);
    scene.now += seconds(2);
    const Step written = advance(with_a_killed_baseline(scene));
    EXPECT_EQ(written.kind, StepKind::kHold) << to_string(phase);
    scene.trial->status = *written.trial;
    const Step step = advance(with_a_killed_baseline(scene));
    EXPECT_EQ(step.kind, StepKind::kEnd) << to_string(phase);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
    EXPECT_EQ(step.trial->reason, "BothArmsKilled");
    EXPECT_THAT(step.memory->banned, IsEmpty());
    EXPECT_GT(step.memory->cool_down_until, scene.now);
  }
}

TEST(RunningTrial, KeepsNobodyWaitingForTheBaselinesKill) {
  Scene scene = with_a_killed_canary(TrialPhase::kMeasuring);
  scene.profile.deleting = true;
  EXPECT_EQ(scene.step().kind, StepKind::kEnd);
}

TEST(RunningTrial, KeepsWhatAHardStopSawBeforeItMeasured) {
  Scene scene = in(TrialPhase::kWarmUp);
  scene.verdict = hard_stop();
  scene.verdict.evidence.empty_windows = 3;
  scene.verdict.gc_change = 0.4;
  const Step step = scene.step();
  EXPECT_EQ(step.trial->evidence.empty_windows, 3);
  EXPECT_EQ(step.trial->gc_change, 0.4);
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
  EXPECT_EQ(step.message, scene.verdict.message);
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
  EXPECT_EQ(step.trial->message, scene.verdict.message);
  EXPECT_EQ(step.trial->steps.back().message, "Canary passed: " + scene.verdict.message);
  EXPECT_EQ(step.trial->steps.back().at, scene.now);
  EXPECT_EQ(step.trial->steps.back().phase, TrialPhase::kPromoting);
  EXPECT_LT(step.requeue_after, seconds(1));
}

TEST(RunningTrial, WaitsWithThePromotionUntilNothingStandsAgainstIt) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict = better();
  scene.target = builders::unsettled_deployment();
  const Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kMeasuring);
  EXPECT_EQ(step.reason, "TargetRolling");
  EXPECT_THAT(step.message, testing::StartsWith("Better, but not promoted yet. Waiting for the rollout"));
  // Until the time is over.
  scene.now = *scene.trial->status.measuring_since + minutes(30);
  EXPECT_EQ(scene.end().trial->reason, "TargetRolling");
}

/// Nothing is decided yet, and a person does not want to wait for it.
Scene wanted() {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict.outcome = Outcome::kUndecided;
  scene.verdict.message = "Nothing is decided.";
  scene.verdict.evidence.windows = 4;
  scene.profile.wishes.promote = scene.trial->key.name;
  return scene;
}

TEST(RunningTrial, IsPromotedWithoutAVerdictWhereAPersonAsksForThat) {
  Scene scene = wanted();
  const Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kPromoting);
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kPromote);
  EXPECT_EQ(step.trial->reason, "PromotionAsked");
  EXPECT_EQ(step.trial->steps.back().message,
            "Promoted without a verdict, as the annotation gopacer.dev/promote asks: Nothing is decided.");
  scene.profile.wishes.promote = "checkout-77";
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kMeasuring) << "another trial's";
}

TEST(RunningTrial, IsNotPromotedOnRequestWhereHarmIsSeenOrARuleStandsAgainstIt) {
  Scene scene = wanted();
  scene.target = builders::unsettled_deployment();
  EXPECT_THAT(scene.step().message, testing::StartsWith("Somebody wants it, but not promoted yet. Waiting for the"));
  Scene harmful = wanted();
  harmful.verdict.outcome = Outcome::kWorse;
  harmful.verdict.reason = "Latency";
  EXPECT_EQ(harmful.end().trial->verdict, TrialVerdict::kRollBack);
  Scene blind = wanted();
  blind.verdict.evidence.windows = 3;
  EXPECT_EQ(blind.step().trial->phase, TrialPhase::kMeasuring) << "nothing could have been seen yet";
  Scene pointless = wanted();
  pointless.verdict.outcome = Outcome::kPointless;
  EXPECT_EQ(pointless.end().trial->verdict, TrialVerdict::kInconclusive);
  Scene cold = wanted();
  cold.trial->status.phase = TrialPhase::kWarmUp;
  EXPECT_NE(cold.step().trial->phase, TrialPhase::kPromoting) << "it waits until its pods are warm";
}

TEST(RunningTrial, PromotesNothingThatWasMeasuredOnUnequalWork) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict = better();
  scene.verdict.evidence.canary_requests = 500;
  scene.verdict.evidence.baseline_requests = 5000;
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "ArmsUnequal");
  EXPECT_THAT(step.trial->message, HasSubstr("500 requests and the baseline 5000"));
}

TEST(RunningTrial, EndsWhenTheCanaryIsWorse) {
  for (const Verdict& verdict : {worse(), builders::verdict(Outcome::kWorse, "GcShare", true)}) {
    Scene scene = in(TrialPhase::kMeasuring);
    scene.verdict = verdict;
    scene.verdict.evidence.windows = 25;
    const Step step = scene.end();
    EXPECT_EQ(step.kind, StepKind::kEnd);
    EXPECT_EQ(step.trial->phase, TrialPhase::kEnded);
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kRollBack);
    EXPECT_EQ(step.trial->reason, verdict.reason);
    EXPECT_EQ(step.trial->message, verdict.message);
    EXPECT_EQ(step.trial->steps.back().message, verdict.message);
    EXPECT_EQ(step.message, verdict.message);
    EXPECT_EQ(step.requeue_after, seconds(1));
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
  EXPECT_EQ(step.trial->message, "The trial's time is over without data. Because of NoData.");
  EXPECT_THAT(step.memory->banned, IsEmpty()) << "nothing is known against these settings";
  EXPECT_EQ(step.memory->cool_down_until, scene.now + hours(6));
}

TEST(RunningTrial, EndsAtOnceWhereTheProgramDoesNotHeedItsSettings) {
  for (const TrialPhase phase : {TrialPhase::kWarmUp, TrialPhase::kMeasuring}) {
    Scene scene = in(phase);
    scene.verdict.outcome = Outcome::kPointless;
    scene.verdict.reason = "SelfTuned";
    const Step step = scene.end();
    EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
    EXPECT_EQ(step.trial->reason, "SelfTuned");
    ASSERT_EQ(step.memory->banned.size(), 1U) << "it would be tried again after each cool-down";
    EXPECT_EQ(step.memory->banned[0].reason, "SelfTuned");
  }
}

TEST(RunningTrial, EndsUndecidedWhenItsTimeIsOver) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.now = scene.trial->spec.deadline;
  scene.verdict.evidence.windows = 120;
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "TimeOut");
  EXPECT_EQ(step.trial->message, "The trial's time is over undecided. Because of Measuring.");
  EXPECT_EQ(step.trial->evidence.windows, 120);
}

TEST(RunningTrial, SaysWhatKeptBetterSettingsFromBeingPromotedInTime) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.verdict = better();
  scene.target.rollout.paused = true;
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kNone);
  scene.now = *scene.trial->status.measuring_since + scene.trial->spec.canary.max_duration;
  const Step step = scene.end();
  EXPECT_EQ(step.trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step.trial->reason, "TargetPaused");
  EXPECT_THAT(step.trial->message, HasSubstr("Better"));
}

TEST(RunningTrial, MeasuresUntilTheDeadlineWhereItHasAllTheTimeThereIs) {
  Scene scene = in(TrialPhase::kMeasuring);
  scene.trial->spec.canary.max_duration = Duration(0);
  scene.now = scene.trial->spec.deadline - seconds(1);
  EXPECT_EQ(scene.step().trial->verdict, TrialVerdict::kNone);
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

// A comparison is about certain processes

OwnedPod arm_pod(const std::string& uid, Track track, int restarts = 0) {
  Pod pod;
  pod.uid = uid;
  pod.states.push_back({"app", true, restarts, std::nullopt, restarts > 0 ? "Error" : ""});
  return {std::make_shared<Pod>(pod), track};
}

TEST(RunningTrial, BeginsTheComparisonAnewWhenAPodIsReplacedOrRestarted) {
  for (const TrialPhase phase : {TrialPhase::kWarmUp, TrialPhase::kMeasuring}) {
    for (const Track track : {Track::kCanary, Track::kBaseline}) {
      for (const int restarts : {0, 1}) {
        Scene scene = in(phase);
        scene.trial->status.arm_pods = {"a", "b"};
        scene.pods = {arm_pod("a", Track::kCanary), arm_pod("b", Track::kBaseline), arm_pod("z", Track::kStable, 3)};
        scene.verdict.evidence.windows = 15;
        scene.trial->status.latency_change = scene.trial->status.gc_change = 0.1;
        EXPECT_EQ(scene.step().trial->phase, phase);
        scene.pods[track == Track::kCanary ? 0 : 1] = arm_pod(restarts > 0 ? "a" : "c", track, restarts);
        if (restarts > 0 && track == Track::kBaseline) scene.pods[1] = arm_pod("b", track, restarts);
        const Step step = scene.step();
        EXPECT_EQ(step.trial->phase, TrialPhase::kPending);
        EXPECT_EQ(step.trial->evidence.windows, 0);
        EXPECT_FALSE(step.trial->latency_change);
        EXPECT_FALSE(step.trial->gc_change);
        EXPECT_EQ(step.trial->waiting_since, scene.now);
        EXPECT_FALSE(step.trial->warm_until);
        EXPECT_FALSE(step.trial->measuring_since);
        EXPECT_THAT(step.trial->arm_pods, IsEmpty());
        EXPECT_EQ(step.message, "A pod of the comparison was replaced or restarted; the comparison begins anew.");
      }
    }
  }
}

TEST(RunningTrial, RemembersWhatTheOldSettingsTakeThoughThePodThatShowedItIsReplaced) {
  for (const TrialPhase phase : {TrialPhase::kWarmUp, TrialPhase::kMeasuring}) {
    Scene scene = in(phase);
    scene.trial->status.arm_pods = {"a", "b"};
    scene.pods = {arm_pod("a", Track::kCanary), arm_pod("b", Track::kBaseline)};
    scene.verdict.evidence.baseline_memory = 0.95;
    scene.trial->status = *scene.step().trial;
    ASSERT_EQ(scene.trial->status.phase, phase);
    scene.pods[1] = arm_pod("c", Track::kBaseline);
    scene.verdict.evidence.baseline_memory = 0;
    const Step step = scene.step();
    EXPECT_EQ(step.trial->phase, TrialPhase::kPending) << to_string(phase);
    EXPECT_EQ(step.trial->evidence.baseline_memory, 0.95) << "or a canary that takes as much would be harm";
  }
}

TEST(RunningTrial, NotesWhomItCompares) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods = {arm_pod("b", Track::kBaseline), arm_pod("a", Track::kCanary, 2), arm_pod("z", Track::kStable)};
  EXPECT_THAT(scene.step().trial->arm_pods, testing::ElementsAre("a#2", "b"));
  Pod other;
  other.uid = "c";
  other.states.push_back({"proxy", true, 3, std::nullopt, "Error"});
  scene.pods.push_back({std::make_shared<Pod>(other), Track::kCanary});
  EXPECT_THAT(scene.step().trial->arm_pods, testing::ElementsAre("a#2", "b", "c"))
      << "a sidecar's restarts are no news";
  Pod gone = other;
  gone.deleting = true;
  scene.pods.back().pod = std::make_shared<Pod>(gone);
  EXPECT_THAT(scene.step().trial->arm_pods, testing::ElementsAre("a#2", "b"));
  for (const char* const phase : {"Failed", "Succeeded"}) {
    Pod ended = other;
    ended.phase = phase;
    scene.pods.back().pod = std::make_shared<Pod>(ended);
    EXPECT_THAT(scene.step().trial->arm_pods, testing::ElementsAre("a#2", "b")) << phase;
  }
}

// What the server refuses

TEST(Refusal, OfAnArmEndsTheTrialWithTheServersWords) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  const Facts facts = scene.facts();
  const auto step = after_refusal(facts, scene.step(), "you must provide labels: {\"team\"}");
  ASSERT_TRUE(step);
  EXPECT_EQ(step->trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step->trial->reason, "Refused");
  EXPECT_THAT(step->trial->message, HasSubstr("you must provide labels"));
}

TEST(Refusal, OfThePromotionEndsTheTrial) {
  const Scene scene = in(TrialPhase::kPromoting);
  const auto step = after_refusal(scene.facts(), scene.step(), "no");
  ASSERT_TRUE(step);
  EXPECT_EQ(step->trial->verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(step->trial->message, "The promotion was refused: no");
}

TEST(Refusal, OfANotedTrialIsToldAndTheTrialIsForgotten) {
  Scene scene;
  scene.decision = builders::change();
  scene.profile.memory.trial_count = 1;
  scene.profile.memory.active_trial = "checkout-1";
  const Step start = scene.step();
  ASSERT_EQ(start.kind, StepKind::kStartTrial);
  const auto step = after_refusal(scene.facts(), start, "exceeded quota");
  ASSERT_TRUE(step);
  EXPECT_TRUE(step->refused);
  EXPECT_EQ(step->reason, "Refused");
  EXPECT_EQ(step->message, "exceeded quota");
  EXPECT_EQ(step->memory->active_trial, "");
  EXPECT_EQ(step->memory->trial_count, 1);
  EXPECT_EQ(step->memory->cool_down_until, scene.now + minutes(10)) << "the next number would be refused as well";
  EXPECT_EQ(step->requeue_after, seconds(15));
}

TEST(Refusal, OfAPodOfAnArmEndsTheTrialUnlessItPasses) {
  Scene scene = in(TrialPhase::kPending);
  scene.pods_ready = false;
  Facts facts = scene.facts();
  const std::string words = "pods \"x\" is forbidden: exceeded quota: small";
  const auto refused = [&](const std::shared_ptr<const Workload>& arm, seconds ago) {
    Workload changed = *arm;
    changed.rollout.refusal = words;
    changed.rollout.refused_since = facts.now - ago;
    return std::make_shared<Workload>(changed);
  };
  const auto canary = facts.desired.canary;
  facts.desired.canary = refused(canary, seconds(29));
  EXPECT_EQ(advance(facts).trial->verdict, TrialVerdict::kNone) << "a webhook that restarts refuses for some seconds";
  for (const bool of_the_canary : {true, false}) {
    auto& arm = of_the_canary ? facts.desired.canary : facts.desired.baseline;
    arm = refused(arm, seconds(30));
    const Step step = advance(facts);
    EXPECT_EQ(step.trial->reason, "Refused");
    EXPECT_EQ(step.trial->message, "A pod of the trial was refused: " + words);
    facts.desired.canary = canary;
  }
}

TEST(Refusal, IsWhatIsToldWhereThePodsNeverCameUp) {
  Scene scene = in(TrialPhase::kPending);
  scene.now = scene.trial->spec.deadline;
  Facts facts = scene.facts();
  Workload arm = builders::unsettled_deployment();
  arm.rollout.refusal = "exceeded quota: small";
  facts.desired.baseline = std::make_shared<Workload>(arm);
  EXPECT_THAT(advance(facts).trial->message,
              HasSubstr("The trial's pods did not become ready in time (exceeded quota: small). Look at the pods"));
}

TEST(Refusal, OfARollbackIsTriedAgainAndAgain) {
  const Scene scene = in(TrialPhase::kRollingBack);
  EXPECT_FALSE(after_refusal(scene.facts(), scene.step(), "no"));
}

TEST(Refusal, BeforeATrialStartsIsToldAndNothingIsNoted) {
  Scene scene;
  scene.decision = builders::change();
  const auto step = after_refusal(scene.facts(), scene.step(), "admission webhook denied the request");
  ASSERT_TRUE(step);
  EXPECT_TRUE(step->refused);
  EXPECT_FALSE(step->memory);
  EXPECT_THAT(step->message, HasSubstr("admission webhook denied"));
}

}  // namespace
}  // namespace gopacer
