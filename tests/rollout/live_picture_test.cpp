// A live trial whose operator sees the profile as it was.
#include <gtest/gtest.h>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::old_settings;
using scenes::in;
using scenes::Scene;
using std::chrono::minutes;
using std::chrono::seconds;

/// The watch of profiles does not show the promotion yet, and that of trials does.
Scene behind(TrialPhase phase) {
  Scene scene = in(phase);
  scene.profile.spec.apply = ApplyMode::kLive;
  scene.profile.memory.forget_applied();
  scene.arms_are_there = false;
  scene.current = old_settings();
  scene.trial->spec.live = LivePlan{seconds(10)};
  scene.trial->status.promoted = scene.now - seconds(20);
  return scene;
}

TEST(LiveTrial, WaitsUntilTheProfileShowsThePromotion) {
  for (const TrialPhase phase : {TrialPhase::kPromoting, TrialPhase::kWatching}) {
    const Step step = behind(phase).step();
    EXPECT_EQ(step.kind, StepKind::kHold) << to_string(phase);
    EXPECT_EQ(step.reason, "OldPicture") << "or what nobody has changed would pass for a person's change";
    EXPECT_EQ(step.trial->verdict, behind(phase).trial->status.verdict);
  }
}

TEST(LiveTrial, YieldsToAPersonBesideAProfileThatShowsThePromotion) {
  Scene scene = behind(TrialPhase::kWatching);
  scene.profile.memory.applied = new_settings();
  scene.profile.memory.applied_beside = old_settings();
  scene.current = builders::settings(77);
  const Step step = scene.step();
  EXPECT_EQ(step.reason, "SettingsChanged");
}

TEST(LiveTrial, DoesNotWaitForEverForAProfileThatForgotThePromotion) {
  Scene scene = behind(TrialPhase::kWatching);
  scene.trial->status.promoted = scene.now - minutes(7);
  EXPECT_EQ(scene.step().reason, "SettingsChanged");
}

}  // namespace
}  // namespace gopacer
