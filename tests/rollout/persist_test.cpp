// What the agents keep in force goes into the pod template with a rollout of somebody else's.
#include <gmock/gmock.h>

#include "rollout/continuous.h"
#include "rollout/live_scene.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::settings;
using scenes::LiveScene;
using testing::HasSubstr;

struct PersistScene : LiveScene {
  PersistScene() {
    scene.profile.spec.update_mode = UpdateMode::kCanary;
    scene.profile.spec.persist = PersistMode::kEnv;
    scene.decision = builders::keep();
    keep(new_settings());
  }

  /// Somebody changes the image: pods of two templates are there.
  void roll() {
    Workload& target = scene.target;
    ++target.generation;
    target.observed_generation = target.generation;
    target.updated_replicas = 1;
    target.total_replicas = target.replicas + 1;
    target.rollout.complete = false;
  }
  void finish_rollout() {
    of_replicas(scene.target.replicas);
    scene.target.rollout.complete = true;
  }
};

TEST(Persist, WaitsForARolloutOfSomebodyElses) {
  PersistScene live;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(live.pass().kind, StepKind::kHold);
  live.scene.target.replicas = 6;
  EXPECT_EQ(live.pass().kind, StepKind::kHold) << "scaling makes no pods of another template";
  live.of_replicas(6);
  ++live.scene.target.generation;
  live.scene.target.total_replicas = 7;
  EXPECT_EQ(live.pass().kind, StepKind::kHold) << "what the server counts is of before the latest change";
}

TEST(Persist, PutsTheSettingsIntoTheTemplateWithIt) {
  PersistScene live;
  live.roll();
  for (int i = 0; i < 2; ++i) {
    const Step step = live.pass();
    EXPECT_EQ(step.kind, StepKind::kPersist) << "until it is seen to be done";
    EXPECT_EQ(step.settings, new_settings());
    EXPECT_THAT(step.message, HasSubstr("The target is being rolled out"));
    EXPECT_FALSE(step.memory);
  }
  live.environment = new_settings();
  EXPECT_EQ(live.pass().kind, StepKind::kHold);
  EXPECT_EQ(live.memory().applied_beside, Settings{}) << "old pods keep what the agents set";
  EXPECT_FALSE(live.pass().memory) << "until they are gone";
  live.finish_rollout();
  EXPECT_EQ(live.pass().reason, "Persisted");
  EXPECT_FALSE(live.memory().applied_beside);
  EXPECT_EQ(live.memory().applied, new_settings());
  EXPECT_FALSE(live.pass().memory) << "and that is all";
}

TEST(Persist, LetsAPersonTakeItOutAgain) {
  PersistScene live;
  live.roll();
  live.environment = new_settings();
  live.finish_rollout();
  live.pass();
  live.environment = {};
  EXPECT_EQ(live.pass().reason, "SettingsChanged");
  EXPECT_FALSE(live.memory().applied);
}

TEST(Persist, LetsAPersonTakeItOutWhileItIsRolledOut) {
  PersistScene live;
  live.roll();
  live.environment = new_settings();
  live.pass();
  live.environment = {};
  EXPECT_EQ(live.pass().reason, "SettingsChanged");
  EXPECT_FALSE(live.memory().applied);
}

TEST(Persist, IsDoneOnlyWhereItMayBe) {
  const std::vector<std::pair<const char*, void (*)(PersistScene&)>> cases{
      {"agents keep it", [](PersistScene& live) { live.scene.profile.spec.persist = PersistMode::kAgent; }},
      {"only recommendations", [](PersistScene& live) { live.scene.profile.spec.update_mode = UpdateMode::kOff; }},
      {"suspended", [](PersistScene& live) { live.scene.profile.spec.suspend = true; }},
      {"paused", [](PersistScene& live) { live.scene.target.rollout.paused = true; }},
      {"another's", [](PersistScene& live) { live.scene.target.controller = {"Fleet", "checkout", "uid"}; }},
      {"a person's settings", [](PersistScene& live) { live.environment = settings(80); }},
  };
  for (const auto& [what, change] : cases) {
    PersistScene live;
    live.roll();
    change(live);
    EXPECT_NE(live.pass().kind, StepKind::kPersist) << what;
  }
}

TEST(Persist, IsNotWhatAProgramHasWithoutUs) {
  PersistScene live;
  live.scene.profile.spec.update_mode = UpdateMode::kContinuous;
  live.memory().applied_over = live.environment;
  const Time since = live.scene.now;
  note_change(live.memory(), {since, live.environment, new_settings(), "It saves."});
  live.roll();
  live.environment = new_settings();
  live.finish_rollout();
  live.pass();
  EXPECT_EQ(following_since(live.memory()), since) << "what stops it goes on counting";
  live.scene.now += std::chrono::minutes(1);
  live.scene.decision = builders::change();
  live.scene.decision.settings = settings(300);
  live.pass();
  EXPECT_EQ(live.memory().applied, settings(300));
  EXPECT_EQ(live.memory().applied_over, Settings{}) << "and goes back to what was there before";
  EXPECT_EQ(live.memory().applied_beside, new_settings());
  EXPECT_EQ(live.memory().in_template, new_settings());

  live.scene.decision = builders::keep();
  live.roll();
  EXPECT_EQ(live.pass().kind, StepKind::kPersist) << "with the next rollout";
  live.environment = settings(300);
  live.finish_rollout();
  EXPECT_EQ(live.pass().reason, "Persisted");
  EXPECT_EQ(live.memory().in_template, settings(300));
  EXPECT_FALSE(live.memory().applied_beside);
}

TEST(Persist, LeavesALimitThatTheProgramGivesItself) {
  PersistScene live;
  Trial kept = builders::trial(TrialPhase::kEnded);
  kept.spec.live = LivePlan{LiveScene::kBlock, settings(100, mib(300))};
  kept.spec.to = new_settings();
  live.scene.ended_trials = {kept};
  live.roll();
  EXPECT_NE(live.pass().kind, StepKind::kPersist);
}

}  // namespace
}  // namespace gopacer
