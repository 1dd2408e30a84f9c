// Trials whose arms grow step by step.
#include <gmock/gmock.h>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using scenes::in;
using scenes::Scene;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

/// A profile whose trials are about to begin, on a target of so many replicas.
Scene about_to_start(int replicas) {
  Scene scene;
  scene.target.replicas = scene.target.updated_replicas = scene.target.available_replicas = replicas;
  scene.target.total_replicas = replicas;
  scene.profile.spec.canary.steps = {{10, 5min}, {25, 10min}, {50, 0s}};
  scene.decision = builders::change();
  scene.profile.memory.trial_count = 1;
  scene.profile.memory.active_trial = "checkout-1";
  return scene;
}

/// A trial of two steps, 1 pod and 3 pods in each arm.
Scene two_steps(TrialPhase phase, int step) {
  Scene scene = in(phase);
  scene.trial->spec.steps = {{1, 5min}, {3, 0s}};
  scene.trial->spec.canary.replicas = 3;
  scene.trial->status.step = step;
  return scene;
}

TEST(CanarySteps, ArePodsInPercentOfTheTargetRoundedUp) {
  const Step step = about_to_start(20).step();
  ASSERT_EQ(step.kind, StepKind::kStartTrial) << step.message;
  EXPECT_THAT(step.start->steps, ElementsAre(ArmStep{2, 5min}, ArmStep{5, 10min}, ArmStep{10, 0s}));
  EXPECT_EQ(step.start->canary.replicas, 10);
  EXPECT_THAT(step.message, HasSubstr("With 2, then 5, then 10 pods in each arm."));
}

TEST(CanarySteps, OfOneSizeAreOne) {
  const Step step = about_to_start(4).step();
  EXPECT_THAT(step.start->steps, ElementsAre(ArmStep{1, 15min}, ArmStep{2, 0s}));
}

TEST(CanarySteps, AreNeverMoreThanFortyPods) {
  EXPECT_EQ(about_to_start(1000).step().start->canary.replicas, kMostArmReplicas);
}

TEST(CanarySteps, HaveTimeForAllOfThemUntilTheDeadline) {
  const Scene scene = about_to_start(20);
  Scene plain = scene;
  plain.profile.spec.canary.steps.clear();
  const Duration each = 5min + scene.profile.spec.canary.warm_up;
  EXPECT_EQ(scene.step().start->deadline - plain.step().start->deadline, 5min + 10min + 2 * each);
}

TEST(CanarySteps, LastAsLongAsTheirPauseWhateverSpeaksForTheSettings) {
  Scene scene = two_steps(TrialPhase::kMeasuring, 0);
  scene.verdict = builders::better();
  const Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kMeasuring);
  EXPECT_EQ(step.trial->step, 0);
  EXPECT_THAT(step.message, HasSubstr("With 1 pods in each arm: "));
}

TEST(CanarySteps, GrowAfterThePauseAndCompareAnew) {
  Scene scene = two_steps(TrialPhase::kMeasuring, 0);
  scene.now = *scene.trial->status.measuring_since + 5min;
  scene.verdict.evidence.windows = 20;
  const Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kPending);
  EXPECT_EQ(step.trial->step, 1);
  EXPECT_EQ(step.trial->evidence.windows, 0);
  EXPECT_THAT(step.trial->steps.back().message, HasSubstr("Step 2 of 2: 3 pods in each arm."));
  scene.trial->status = *step.trial;
  scene.pods_ready = false;
  EXPECT_EQ(scene.step().kind, StepKind::kRunCanary) << "the arms have three pods only once they were asked for";
}

TEST(CanarySteps, DoNotGrowWithoutData) {
  Scene scene = two_steps(TrialPhase::kMeasuring, 0);
  scene.now = *scene.trial->status.measuring_since + 5min;
  scene.verdict.evidence.windows = 3;
  EXPECT_EQ(scene.step().trial->step, 0);
  scene.verdict.evidence.windows = 4;
  EXPECT_EQ(scene.step().trial->step, 1);
  scene.verdict = builders::no_data();
  scene.verdict.evidence.windows = 9;
  EXPECT_EQ(scene.step().trial->step, 0);
  scene.now = scene.trial->spec.deadline;
  EXPECT_EQ(scene.end().trial->verdict, TrialVerdict::kInconclusive);
}

TEST(CanarySteps, AskAQuotaForThePodsOfThePresentOneOnly) {
  Scene scene = two_steps(TrialPhase::kPending, 0);
  scene.arms_are_there = false;
  Step step;
  step.kind = StepKind::kRunCanary;
  const auto refused =
      after_refusal(scene.facts(), step,
                    "pods is forbidden: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4");
  ASSERT_TRUE(refused);
  EXPECT_THAT(refused->message, HasSubstr("has to allow pods=6 at least, for 2 pods that the trial lacks"));
}

TEST(CanarySteps, EndAtAnyOfThemWhereTheSettingsDoHarm) {
  Scene scene = two_steps(TrialPhase::kMeasuring, 0);
  scene.verdict = builders::worse();
  EXPECT_EQ(scene.end().trial->verdict, TrialVerdict::kRollBack);
}

TEST(CanarySteps, PromoteAtTheLast) {
  Scene scene = two_steps(TrialPhase::kMeasuring, 1);
  scene.verdict = builders::better();
  EXPECT_EQ(scene.step().trial->phase, TrialPhase::kPromoting);
}

}  // namespace
}  // namespace gopacer
