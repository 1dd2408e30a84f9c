#include "control/pass.h"

#include <gmock/gmock.h>

#include "decide/go_service.h"
#include "fakes/builders.h"

namespace gopacer {
namespace {

using builders::kStart;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// All that a pass reads, with a profile, its target and pods that were read.
struct Scene {
  Profile profile = builders::profile();
  Deployment target = builders::deployment();
  Deployment canary = builders::deployment();
  Deployment baseline = builders::deployment();
  std::optional<Trial> trial;
  testing::GoService service;
  Desired desired;
  Time now = kStart;

  const Desired& read() {
    desired.key = profile.key;
    desired.profile = std::make_shared<Profile>(profile);
    desired.target = std::make_shared<Deployment>(target);
    desired.container = "app";
    if (trial) {
      desired.trial = std::make_shared<Trial>(*trial);
      desired.canary = std::make_shared<Deployment>(canary);
      desired.baseline = std::make_shared<Deployment>(baseline);
    }
    return desired;
  }

  Observation observed() const {
    Observation out;
    out.at = now;
    for (const auto& [name, track] : {std::pair{"stable", Track::kStable}, std::pair{"canary", Track::kCanary},
                                      std::pair{"baseline", Track::kBaseline}}) {
      out.pods.push_back(service.pod(now, name));
      out.pods.back().track = track;
    }
    return out;
  }
};

TEST(DecideOn, SaysNothingOfAProfileThatIsGone) {
  Scene scene;
  scene.read();
  scene.desired.profile = nullptr;
  EXPECT_EQ(decide_on(scene.desired, scene.observed(), scene.now).kind, Decision::Kind::kNoData);
}

TEST(DecideOn, RepeatsTheProblemInsteadOfDeciding) {
  Scene scene;
  scene.read();
  scene.desired.problems = {{"Ready", "TargetPaused", "It is paused."}};
  const Decision decision = decide_on(scene.desired, scene.observed(), scene.now);
  EXPECT_EQ(decision.kind, Decision::Kind::kNoData);
  EXPECT_EQ(decision.reason, "TargetPaused");
  EXPECT_EQ(decision.message, "It is paused.");
}

TEST(DecideOn, DecidesNothingWhileSuspended) {
  Scene scene;
  scene.profile.spec.suspend = true;
  EXPECT_EQ(decide_on(scene.read(), scene.observed(), scene.now).reason, "Suspended");
}

TEST(DecideOn, HandsOverWhatItWasTold) {
  Scene scene;
  EXPECT_EQ(decide_on(scene.read(), scene.observed(), scene.now).kind, Decision::Kind::kChange);
  scene.target = builders::unsettled_deployment();
  EXPECT_EQ(decide_on(scene.read(), scene.observed(), scene.now).reason, "TargetNotSettled");
}

TEST(DecideOn, RemembersTheCoolDownAndTheBans) {
  Scene scene;
  scene.profile.memory.cool_down_until = scene.now + hours(1);
  const Decision cooling = decide_on(scene.read(), scene.observed(), scene.now);
  EXPECT_EQ(cooling.reason, "CoolDown");
  ASSERT_TRUE(cooling.recommended);

  scene.profile.memory.cool_down_until.reset();
  scene.profile.memory.banned = {{*cooling.recommended, scene.target.template_hash, "GcShare", kStart}};
  const Decision banned = decide_on(scene.read(), scene.observed(), scene.now);
  EXPECT_FALSE(banned.kind == Decision::Kind::kChange && banned.settings == *cooling.recommended);
}

TEST(JudgeTrial, SaysNothingWithoutATrial) {
  Scene scene;
  EXPECT_EQ(judge_trial(scene.read(), scene.observed(), scene.now).outcome, Outcome::kNoData);
}

TEST(JudgeTrial, OnlyLooksForHardStopsBeforeItMeasures) {
  for (const TrialPhase phase : {TrialPhase::kPending, TrialPhase::kWarmUp}) {
    Scene scene;
    scene.trial = builders::trial(phase);
    Observation observed = scene.observed();
    EXPECT_EQ(judge_trial(scene.read(), observed, scene.now).reason, "WarmUp");
    observed.pods[1].oom_killed = true;
    observed.pods[1].restarts = 1;
    EXPECT_TRUE(judge_trial(scene.read(), observed, scene.now).hard_stop);
  }
}

TEST(JudgeTrial, CountsWindowsOfTheTrialsOwnLengthFromWhereMeasuringBegan) {
  Scene scene;
  scene.trial = builders::trial(TrialPhase::kMeasuring);
  scene.trial->spec.canary.interval = seconds(10);
  scene.now = *scene.trial->status.measuring_since + seconds(40);
  EXPECT_EQ(judge_trial(scene.read(), scene.observed(), scene.now).evidence.windows, 4);
}

TEST(JudgeTrial, GoesOnWithTheEvidenceThatTheTrialKeeps) {
  Scene scene;
  scene.trial = builders::trial(TrialPhase::kMeasuring);
  scene.trial->status.evidence.windows = 30;
  scene.trial->status.evidence.until = *scene.trial->status.measuring_since + seconds(30 * 15);
  scene.now = *scene.trial->status.measuring_since + seconds(31 * 15);
  EXPECT_EQ(judge_trial(scene.read(), scene.observed(), scene.now).evidence.windows, 31);
}

TEST(JudgeTrial, WatchesTheTargetsOwnPodsAfterThePromotion) {
  Scene scene;
  scene.service.settings = builders::new_settings();
  scene.trial = builders::trial(TrialPhase::kWatching);
  scene.trial->status.evidence.windows = 30;
  scene.now = *scene.trial->status.watching_since + minutes(4);
  const Verdict verdict = judge_trial(scene.read(), scene.observed(), scene.now);
  EXPECT_NE(verdict.outcome, Outcome::kBetter);
  EXPECT_NE(verdict.evidence.windows, 30) << "the canary's evidence is not the watch's";
}

TEST(SituationOf, IsReadyWhenBothArmsRunAllPods) {
  Scene scene;
  scene.trial = builders::trial(TrialPhase::kPending);
  scene.trial->spec.canary.replicas = 3;
  EXPECT_TRUE(situation_of(scene.read(), scene.observed()).pods_ready);
  scene.baseline = builders::unsettled_deployment();
  EXPECT_FALSE(situation_of(scene.read(), scene.observed()).pods_ready);
  scene.baseline = builders::deployment();
  scene.read();
  scene.desired.canary = nullptr;
  EXPECT_FALSE(situation_of(scene.desired, scene.observed()).pods_ready);
}

TEST(SituationOf, IsNotReadyWhileTheArmsAreScaledDown) {
  Scene scene;
  scene.trial = builders::trial(TrialPhase::kPending);
  scene.trial->spec.canary.replicas = 4;
  EXPECT_FALSE(situation_of(scene.read(), scene.observed()).pods_ready) << "settled on three is not four";
}

TEST(SituationOf, TellsWhatBlocksAndWhoOwns) {
  Scene scene;
  scene.read();
  scene.desired.problems = {{"Ready", "TargetPaused", "It is paused."}};
  scene.desired.conflict = "GOGC is set by 'kubectl-set'.";
  const Situation situation = situation_of(scene.desired, scene.observed());
  EXPECT_EQ(situation.blocked, "It is paused.");
  EXPECT_EQ(situation.conflict, "GOGC is set by 'kubectl-set'.");
}

TEST(SituationOf, KnowsTheHighestNumberOfATrial) {
  Scene scene;
  scene.read();
  EXPECT_EQ(situation_of(scene.desired, scene.observed()).last_trial_number, 0);
  for (const int number : {4, 11, 2}) {
    Trial trial = builders::trial(TrialPhase::kEnded);
    trial.spec.number = number;
    scene.desired.ended_trials.push_back(std::make_shared<Trial>(trial));
  }
  EXPECT_EQ(situation_of(scene.desired, scene.observed()).last_trial_number, 11);
}

TEST(SituationOf, HasCollectedWhenBothArmsHave) {
  Scene scene;
  scene.trial = builders::trial(TrialPhase::kWarmUp);
  EXPECT_TRUE(situation_of(scene.read(), scene.observed()).collected);
  Observation observed = scene.observed();
  observed.pods.pop_back();
  EXPECT_FALSE(situation_of(scene.read(), observed).collected);
}

}  // namespace
}  // namespace gopacer
