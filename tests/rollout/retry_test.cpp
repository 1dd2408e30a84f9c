// A person's annotation that asks for another trial.
#include <gmock/gmock.h>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::settings;
using scenes::Scene;
using std::chrono::hours;
using testing::HasSubstr;

/// Trial checkout-3 was rolled back an hour ago, and somebody wants it tried again.
Scene asked() {
  Scene scene;
  Trial kept = builders::trial(TrialPhase::kEnded);
  kept.key.name = "checkout-3";
  kept.spec.to = new_settings();
  scene.ended_trials = {kept};
  const std::string& program = scene.target.template_hash;
  scene.profile.memory.banned = {{new_settings(), program, "GcShare", scene.now - hours(1)},
                                 {settings(77), program, "GcShare", scene.now - hours(1)},
                                 {new_settings(), "another program", "GcShare", scene.now - hours(1)}};
  scene.profile.memory.cool_down_until = scene.now + hours(5);
  scene.profile.memory.missed_predictions = 2;
  scene.profile.memory.missed_template = program;
  scene.profile.wishes.retry = "checkout-3";
  return scene;
}

TEST(Retry, TakesAwayWhatStandsAgainstThoseSettingsAndNothingElse) {
  const Step step = asked().step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.reason, "Retried");
  EXPECT_THAT(step.message, HasSubstr("may try the settings of trial checkout-3, GOGC=200 GOMEMLIMIT=430MiB"));
  EXPECT_FALSE(step.memory->cool_down_until);
  EXPECT_EQ(step.memory->missed_predictions, 0);
  EXPECT_EQ(step.memory->retried, "checkout-3");
  ASSERT_EQ(step.memory->banned.size(), 2U);
  EXPECT_EQ(step.memory->banned[0].settings, settings(77));
  EXPECT_EQ(step.memory->banned[1].template_hash, "another program");
}

TEST(Retry, IsOverOnceItIsWrittenDownAndMayBeAskedForAgainOnceTheAnnotationIsGone) {
  Scene scene = asked();
  scene.profile.memory = *scene.step().memory;
  EXPECT_NE(scene.step().reason, "Retried");
  scene.profile.wishes.retry.clear();
  const Step step = scene.step();
  EXPECT_EQ(step.memory->retried, "");
  scene.profile.memory = *step.memory;
  EXPECT_NE(scene.step().reason, "Observing");
}

TEST(Retry, OfATrialThatIsNotKeptIsRefusedWithWhatToDo) {
  Scene scene = asked();
  scene.profile.wishes.retry = "checkout-9";
  const Step step = scene.step();
  EXPECT_TRUE(step.refused);
  EXPECT_EQ(step.reason, "RetryUnknown");
  EXPECT_THAT(step.message, HasSubstr("after 'checkout-9', which is not kept"));
  EXPECT_FALSE(step.memory);
}

TEST(Retry, DoesNotTakeAPersonsChangeForOurs) {
  Scene scene = asked();
  scene.profile.memory.applied = settings(150);
  scene.current = settings(66);
  EXPECT_EQ(scene.step().reason, "SettingsChanged");
}

}  // namespace
}  // namespace gopacer
