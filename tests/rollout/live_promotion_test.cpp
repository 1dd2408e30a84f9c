// How settings that passed get into force in running processes: one pod, a quarter of the target, all.
#include <gmock/gmock.h>

#include "rollout/live_scene.h"

namespace gopacer {
namespace {

using builders::better;
using builders::hard_stop;
using builders::new_settings;
using builders::old_settings;
using builders::settings;
using builders::undecided;
using builders::worse;
using scenes::LiveProcess;
using scenes::LiveScene;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

LiveScene of_eight_pods() {
  LiveScene live(TrialPhase::kPending);
  live.processes.clear();
  for (const char* const uid : {"a", "b", "c", "d", "e", "f", "g", "h"}) live.processes.push_back(LiveProcess(uid));
  live.scene.trial->spec.canary.replicas = 3;
  live.of_replicas(8);
  live.pass();
  live.scene.verdict = better();
  return live;
}

TEST(LiveTrial, GrowsFromOnePodOverAQuarterToAllAndIsThenNoted) {
  LiveScene live = of_eight_pods();
  std::vector<std::size_t> sizes;
  bool noted_early = false;
  ASSERT_TRUE(live.run_until([&] {
    if (live.scene.trial->status.phase == TrialPhase::kPromoting && !live.status().promoted) {
      const std::size_t size = live.status().live->pods.size();
      if (sizes.empty() || sizes.back() != size) sizes.push_back(size);
      noted_early = noted_early || live.memory().applied;
    }
    return live.status().phase == TrialPhase::kWatching;
  }));
  EXPECT_THAT(sizes, ElementsAre(1, 2));
  EXPECT_FALSE(noted_early);
  EXPECT_THAT(live.uids_with(new_settings()).size(), testing::Ge(6U)) << "also those that took no part";
  EXPECT_EQ(live.memory().applied, new_settings());
  EXPECT_EQ(live.memory().applied_over, old_settings());
  EXPECT_EQ(live.memory().applied_beside, live.environment);
  EXPECT_EQ(live.memory().applied_uid, live.scene.target.uid);
}

TEST(LiveTrial, KeepsTheSettingsThatTheWatchConfirms) {
  LiveScene live = of_eight_pods();
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kWatching));
  live.scene.verdict = undecided();
  live.scene.verdict.evidence.windows = 40;
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.scene.ended_trials.back().status.verdict, TrialVerdict::kPromote);
  EXPECT_EQ(live.memory().applied, new_settings());
  EXPECT_EQ(live.memory().applied_beside, live.environment);
  EXPECT_THAT(live.uids_with(new_settings()), SizeIs(8));
  live.scene.decision = builders::keep();
  EXPECT_FALSE(live.pass().memory) << "and they stand";
}

TEST(LiveTrial, WatchesForNoTimeWhereNobodyAsksForAWatch) {
  LiveScene live = of_eight_pods();
  live.scene.trial->spec.watch_for = Duration(0);
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.scene.ended_trials.back().status.verdict, TrialVerdict::kPromote);
  EXPECT_EQ(live.memory().applied, new_settings());
  EXPECT_EQ(live.memory().missed_predictions, 0) << "nothing was seen of them yet";
}

TEST(LiveTrial, KeepsAskingForItsPodsWhileItGrows) {
  LiveScene live = of_eight_pods();
  live.agents_obey = false;
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kPromoting));
  int passes = 0;
  const Time end = live.scene.now + seconds(30);
  while (live.scene.now < end) {
    live.pass();
    ++passes;
    EXPECT_LE(live.scene.now - live.status().live->renewed, kLiveLease / 2);
  }
  EXPECT_LE(passes, 60) << "in no tight loop";
}

TEST(LiveTrial, LeavesNothingWhenTheAgentsDoNotFollowItsPromotion) {
  LiveScene live = of_eight_pods();
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kPromoting));
  live.agents_obey = false;
  for (LiveProcess& process : live.processes) process.runs = settings(100);
  live.processes[3].error = "pod shop/checkout-d: memory can't be written";
  ASSERT_TRUE(live.run_to_the_end());
  const TrialStatus& status = live.scene.ended_trials.back().status;
  EXPECT_EQ(status.verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(status.reason, "PromotionFailed");
  EXPECT_THAT(status.message, HasSubstr("memory can't be written"));
  EXPECT_FALSE(status.live);
  EXPECT_FALSE(live.memory().applied);
  EXPECT_THAT(live.memory().banned, IsEmpty()) << "it is no fault of the settings";
}

TEST(LiveTrial, LooksAtEachStageForAWhile) {
  LiveScene live = of_eight_pods();
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kPromoting));
  const Time begin = live.scene.now;
  ASSERT_TRUE(live.run_until([&] { return live.status().live->pods.size() == 2; }));
  EXPECT_GE(live.scene.now - begin, seconds(15));
  ASSERT_TRUE(live.run_until([&] { return live.memory().applied.has_value(); }));
  EXPECT_GE(live.scene.now - begin, seconds(30));
  EXPECT_LE(live.scene.now - begin, minutes(1));
}

TEST(LiveTrial, EndsAtTheFirstPodThatSuffers) {
  LiveScene live = of_eight_pods();
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kPromoting));
  live.pass();
  live.scene.verdict = hard_stop();
  EXPECT_EQ(live.pass().trial->phase, TrialPhase::kRollingBack);
  EXPECT_FALSE(live.memory().applied);
  EXPECT_THAT(live.uids_with(old_settings()), SizeIs(8)) << "without another write";
  ASSERT_TRUE(live.run_to_the_end());
  const TrialStatus& status = live.scene.ended_trials.back().status;
  EXPECT_EQ(status.verdict, TrialVerdict::kRollBack);
  ASSERT_THAT(live.memory().banned, SizeIs(1));
  EXPECT_EQ(live.memory().banned[0].reason, hard_stop().reason) << "and nobody has changed anything";
}

TEST(LiveTrial, PutsNothingElseInForceWhileItGrows) {
  LiveScene live = of_eight_pods();
  Slo slo;
  slo.name = "p99";
  slo.max = 0.5;
  slo.action = BreachAction::kStepDown;
  live.scene.trial->spec.slos = {slo};
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kPromoting));
  live.scene.verdict = builders::verdict(Outcome::kWorse, "SloViolated");
  live.scene.verdict.broken = slo.name;
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_FALSE(live.memory().applied);
  EXPECT_EQ(live.memory().banned.at(0).reason, "SloViolated");
}

TEST(LiveTrial, TakesAnotherPodWhereTheFirstOneGoes) {
  LiveScene live = of_eight_pods();
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kPromoting));
  const std::string first = live.status().live->pods.at(0);
  std::erase_if(live.processes, [&](const LiveProcess& process) { return process.uid == first; });
  live.pass();
  EXPECT_THAT(live.status().live->pods, SizeIs(1));
  EXPECT_NE(live.status().live->pods.at(0), first);
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kWatching));
}

TEST(LiveTrial, GivesTheAgentsTheirTimeAnewAfterNobodyWasThere) {
  for (const bool promoted : {false, true}) {
    LiveScene live = of_eight_pods();
    ASSERT_TRUE(live.run_until_phase(TrialPhase::kPromoting));
    live.processes.back().obeys = false;
    if (promoted) {
      ASSERT_TRUE(live.run_until([&] { return live.memory().applied.has_value(); }));
    }
    for (LiveProcess& process : live.processes) process.runs = settings(100), process.since = live.scene.now;
    live.scene.now += minutes(5);
    live.pass();
    EXPECT_EQ(live.status().phase, TrialPhase::kPromoting);
    live.processes.back().obeys = true;
    EXPECT_TRUE(live.run_until_phase(TrialPhase::kWatching)) << promoted;
  }
}

TEST(LiveTrial, RollsBackWhenAPodDoesNotFollowInTime) {
  LiveScene live = of_eight_pods();
  live.processes.back().obeys = false;  // takes no part
  ASSERT_TRUE(live.run_until([&] { return live.memory().applied.has_value(); }));
  const Time promoted = live.scene.now;
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kRollingBack));
  EXPECT_LE(live.scene.now - promoted, minutes(3));
  ASSERT_TRUE(live.run_to_the_end());
  const TrialStatus& status = live.scene.ended_trials.back().status;
  EXPECT_EQ(status.verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(status.reason, "RolloutStuck");
  EXPECT_FALSE(live.memory().applied);
  EXPECT_THAT(live.uids_with(old_settings()), SizeIs(8));
}

TEST(LiveTrial, DoesWithoutAPodThatNoAgentReads) {
  for (const std::size_t unread : {1U, 5U}) {
    LiveScene live = of_eight_pods();
    ASSERT_TRUE(live.run_until_phase(TrialPhase::kPromoting));
    for (std::size_t i = 0; i < unread; ++i) {
      live.processes[7 - i].runs.reset();
      live.processes[7 - i].error = "no agent is ready on node n1";
    }
    if (unread == 1) {
      ASSERT_TRUE(live.run_until_phase(TrialPhase::kWatching));
      EXPECT_EQ(live.status().steps.back().message,
                "7 pods of the target, and not 1 which no agent reads (no agent is ready on node n1), run "
                "GOGC=200 GOMEMLIMIT=430MiB; watching for 30m.");
    } else {
      ASSERT_TRUE(live.run_to_the_end()) << "most of them say nothing";
      EXPECT_EQ(live.scene.ended_trials.back().status.reason, "RolloutStuck");
      EXPECT_FALSE(live.memory().applied);
    }
  }
}

TEST(LiveTrial, DoesNotMindThatTheDeploymentsOwnRolloutsWaitOrFail) {
  LiveScene live(TrialPhase::kPromoting);
  live.scene.target.rollout.gave_up = true;
  live.scene.target.rollout.paused = true;
  live.scene.verdict = undecided();
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kWatching));
  EXPECT_EQ(live.memory().applied, new_settings());
}

TEST(LiveTrial, PutsTheOldSettingsBackWhenTheTargetSuffers) {
  LiveScene live(TrialPhase::kWatching);
  live.scene.verdict = worse();
  Step step = live.pass();
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
  EXPECT_FALSE(step.memory) << "it is announced first";
  step = live.pass();
  EXPECT_EQ(step.kind, StepKind::kRollBack);
  EXPECT_EQ(step.settings, old_settings());
  EXPECT_THAT(live.uids_with(old_settings()), SizeIs(3));
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.scene.ended_trials.back().status.verdict, TrialVerdict::kRollBack);
  EXPECT_FALSE(live.memory().applied);
  ASSERT_THAT(live.memory().banned, SizeIs(1));
  EXPECT_EQ(live.memory().banned[0].reason, "LatencyRegression");
}

TEST(LiveTrial, GoesBackToWhatEarlierTrialsPutBesideTheTemplate) {
  LiveScene live(TrialPhase::kWatching);
  live.environment = settings(80);
  live.scene.trial->spec.from = settings(150);
  live.keep(new_settings());
  live.scene.verdict = worse();
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.memory().applied, settings(150));
  EXPECT_EQ(live.memory().applied_beside, settings(80));
  EXPECT_THAT(live.uids_with(settings(150)), SizeIs(3));
}

TEST(LiveTrial, GoesBackToGosDefaultsThoughTheTemplateHasSomethingElse) {
  LiveScene live(TrialPhase::kWatching);
  live.environment = settings(80);
  live.scene.trial->spec.from = old_settings();
  live.keep(new_settings());
  live.scene.verdict = worse();
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.memory().applied, old_settings()) << "without a note the template's would be in force";
  EXPECT_EQ(live.memory().applied_beside, settings(80));
  EXPECT_THAT(live.uids_with(settings(100)), SizeIs(3));
}

TEST(LiveTrial, WaitsForTheAgentsToPutTheOldSettingsBack) {
  LiveScene live(TrialPhase::kWatching);
  live.scene.verdict = worse();
  live.agents_obey = false;
  live.pass();
  for (int i = 0; i < 5; ++i) live.pass();
  EXPECT_EQ(live.status().phase, TrialPhase::kRollingBack);
  EXPECT_TRUE(live.run_until([&] { return !live.scene.trial; }, minutes(40))) << "but not for ever";
}

TEST(LiveTrial, SaysWhichPodsDidNotGoBack) {
  const auto told = [](bool obeys, bool ready, bool is_read) {
    LiveScene live(TrialPhase::kWatching);
    live.scene.verdict = worse();
    live.processes[0].obeys = obeys;
    live.processes[0].ready = ready;
    if (!is_read) {
      live.processes[1].runs.reset();
      live.processes[1].error = "no agent is ready on node n1";
    }
    EXPECT_TRUE(live.run_to_the_end());
    return live.scene.ended_trials.back().status.message;
  };
  EXPECT_EQ(told(true, true, true), "Because of LatencyRegression.");
  EXPECT_EQ(told(true, true, false),
            "Because of LatencyRegression. 1 pod of the target is read by no agent: look at the node agents (no agent "
            "is ready on node n1).");
  EXPECT_EQ(told(false, true, false),
            "Because of LatencyRegression. 1 pod of the target does not run what was put back, and 1 pod of the target "
            "is read by no agent: look at the node agents (no agent is ready on node n1).");
  EXPECT_EQ(told(false, false, true),
            "Because of LatencyRegression. 1 pod of the target does not run what was put back: look at the node "
            "agents.")
      << "also where it is not ready";
}

TEST(LiveTrial, DoesNotWaitForPodsThatAreNotThere) {
  LiveScene live(TrialPhase::kRollingBack);
  live.processes.clear();
  live.scene.target.replicas = 0;
  EXPECT_TRUE(live.run_until([&] { return !live.scene.trial; }, minutes(1)));
}

TEST(LiveTrial, TakesNoOtherManagersVariableForItsOwnSettings) {
  LiveScene live(TrialPhase::kWatching);
  live.scene.give_gogc_to("kubectl");
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_THAT(live.uids_with(old_settings()), SizeIs(3)) << "what is in the processes is ours";
  EXPECT_FALSE(live.memory().applied);
}

}  // namespace
}  // namespace gopacer
