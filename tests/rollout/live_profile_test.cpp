// A profile with apply: Live while no trial runs.
#include <gmock/gmock.h>

#include "rollout/live_scene.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::settings;
using scenes::LiveScene;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(LiveProfile, ForgetsWhatTheAgentsHavePutBackWhenApplyIsRestart) {
  LiveScene live;
  live.keep(new_settings());
  live.scene.profile.spec.apply = ApplyMode::kRestart;
  Step step = live.pass();
  EXPECT_EQ(step.reason, "ApplyChanged");
  EXPECT_FALSE(live.memory().applied);
  EXPECT_THAT(live.memory().banned, IsEmpty()) << "nobody spoke against the settings";
}

TEST(LiveProfile, ForgetsThoughTheTargetMayNotBeTuned) {
  LiveScene live;
  live.keep(new_settings());
  live.scene.target.rollout.paused = true;
  live.scene.target.uid = "another-uid";
  EXPECT_EQ(live.pass().reason, "TargetRecreated") << "the agents would set the new one's pods";
  EXPECT_FALSE(live.memory().applied_beside);
}

TEST(LiveProfile, ForgetsWhatTheAgentsRefuse) {
  LiveScene live;
  live.keep(settings(400));
  live.scene.profile.spec.bounds.max_gogc = 300;
  live.scene.decision = builders::keep();
  const Step step = live.pass();
  EXPECT_EQ(step.reason, "OutOfBounds");
  EXPECT_THAT(step.message, HasSubstr("bounds allow a GOGC of 50 to 300"));
  EXPECT_FALSE(live.memory().applied);
  EXPECT_THAT(live.memory().banned, IsEmpty()) << "nobody found it bad";
  EXPECT_FALSE(live.pass().memory) << "and that is all";
}

TEST(LiveProfile, FitsWhatIsInForceIntoALimitThatWasLowered) {
  LiveScene live;
  live.keep(settings(200, mib(430)));
  live.scene.target.containers.front().memory_limit = mib(256);
  live.scene.decision = builders::keep();
  const Step step = live.pass();
  EXPECT_EQ(step.reason, "OutOfBounds");
  EXPECT_EQ(live.memory().applied, settings(200, mib(230)));
  EXPECT_EQ(live.memory().applied_beside, live.environment);
  EXPECT_FALSE(live.pass().memory);
}

TEST(LiveProfile, GoesOnFromWhatIsInTheTemplate) {
  LiveScene live;
  live.environment = settings(150);
  live.memory().applied = settings(150);
  live.memory().applied_uid = live.scene.target.uid;
  live.memory().applied_container = "app";
  EXPECT_EQ(live.pass().kind, StepKind::kNoteTrial);
  EXPECT_EQ(live.step().start->from, settings(150));
}

TEST(LiveProfile, YieldsToAPersonWhoSetsTheTemplate) {
  LiveScene live;
  live.keep(new_settings());
  live.environment = settings(80);
  const Step step = live.pass();
  EXPECT_EQ(step.reason, "SettingsChanged");
  EXPECT_FALSE(live.memory().applied);
  EXPECT_EQ(live.current(), settings(80));
}

TEST(LiveProfile, PutsABrokenPromisesSettingsBackBesideTheTemplate) {
  LiveScene live;
  Slo slo;
  slo.name = "latency-p99";
  slo.max = 0.05;
  live.scene.profile.spec.slos = {slo};
  live.scene.profile.spec.rollback.guard = true;
  live.environment = settings(80);
  live.keep(settings(400));
  live.memory().applied_over = settings(150);
  live.scene.decision = builders::keep();
  live.scene.guarded = builders::verdict(Outcome::kWorse, "SloViolated");
  live.scene.guarded.broken = slo.name;
  EXPECT_TRUE(live.pass().memory->putting_back);
  const Step step = live.pass();
  EXPECT_EQ(step.kind, StepKind::kPutBack) << "which is told";
  EXPECT_EQ(live.memory().applied, settings(150));
  EXPECT_EQ(live.memory().applied_beside, settings(80));
  EXPECT_FALSE(live.memory().putting_back);
  EXPECT_THAT(live.uids_with(settings(150)), SizeIs(3));
  live.scene.guarded = {};
  EXPECT_FALSE(live.pass().memory) << "and that is all";
}

TEST(LiveProfile, UndoesNothingThatTheAgentsWouldTakeBack) {
  LiveScene live;
  live.keep(settings(200));
  Trial kept = builders::trial(TrialPhase::kEnded);
  kept.key.name = "checkout-3";
  kept.spec.to = settings(600);
  live.scene.ended_trials = {kept};
  live.scene.profile.wishes.undo_to = "checkout-3";
  Step step = live.step();
  EXPECT_EQ(step.reason, "UndoUnsafe");
  EXPECT_THAT(step.message, HasSubstr("bounds allow a GOGC of 50 to 400): widen them, or remove the annotation"));
  EXPECT_FALSE(step.memory);
  live.scene.profile.spec.bounds.max_gogc = 600;
  EXPECT_EQ(live.step().kind, StepKind::kPutBack);

  live.scene.ended_trials[0].spec.to = settings(200, mib(480));
  step = live.step();
  EXPECT_EQ(step.reason, "UndoUnsafe");
  EXPECT_THAT(step.message, HasSubstr("bounds.maxAllowed.goMemLimitPercent allows a GOMEMLIMIT of 90 %"));
  live.scene.ended_trials[0].spec.live = LivePlan{LiveScene::kBlock, settings({}, mib(480))};
  EXPECT_EQ(live.step().kind, StepKind::kPutBack) << "that limit is the program's own";
}

TEST(LiveProfile, TriesNothingThatTheAgentsWouldRefuse) {
  LiveScene live;
  live.scene.profile.spec.bounds.min_gogc = 150;
  live.scene.decision = builders::change(settings(100));
  live.environment = settings(60);
  for (const UpdateMode mode : {UpdateMode::kCanary, UpdateMode::kContinuous}) {
    live.scene.profile.spec.update_mode = mode;
    const Step step = live.step();
    EXPECT_EQ(step.kind, StepKind::kHold);
    EXPECT_EQ(step.reason, "BoundsUnsatisfiable");
    EXPECT_TRUE(step.refused);
    EXPECT_THAT(step.message, HasSubstr("bounds allow a GOGC of 150 to 400"));
  }
}

TEST(LiveProfile, UndoesBesideTheTemplate) {
  LiveScene live;
  live.environment = settings(80);
  live.keep(settings(400));
  Trial kept = builders::trial(TrialPhase::kEnded);
  kept.key.name = "checkout-3";
  kept.spec.from = settings(80);
  kept.spec.to = settings(150);
  live.scene.ended_trials = {kept};
  live.scene.profile.wishes.undo_to = "checkout-3";
  EXPECT_EQ(live.pass().kind, StepKind::kPutBack);
  EXPECT_EQ(live.memory().applied, settings(150));
  EXPECT_EQ(live.memory().applied_beside, settings(80));
  EXPECT_THAT(live.memory().banned, SizeIs(1));
  live.pass();
  EXPECT_EQ(live.memory().undone_to, "checkout-3");
  EXPECT_EQ(live.memory().applied_beside, settings(80));
  EXPECT_THAT(live.memory().banned, SizeIs(1)) << "what was put there is not banned";
}

}  // namespace
}  // namespace gopacer
