// What is held against settings that agents put in force in running processes.
#include <gmock/gmock.h>

#include <map>
#include <utility>

#include "gopacer/rollout/pass.h"
#include "rollout/live_scene.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::old_settings;
using scenes::LiveProcess;
using scenes::LiveScene;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

/// In the phase for a minute, with pods of which two were killed and restarted often, weeks ago.
LiveScene with_a_past(TrialPhase phase) {
  LiveScene live(phase);
  live.scene.now += minutes(1);
  live.processes.push_back(LiveProcess("d"));  // takes no part
  live.processes.back().runs = live.processes.front().runs;
  for (const std::size_t i : {0U, 3U}) {
    live.processes[i].restarts = 30;
    live.processes[i].oom_killed = true;
  }
  live.status().arm_pods = {"a#30", "b", "c"};
  return live;
}

TEST(LiveWatch, DoesNotBlameTheSettingsForWhatWasBefore) {
  for (const TrialPhase phase : {TrialPhase::kMeasuring, TrialPhase::kPromoting, TrialPhase::kWatching}) {
    const LiveScene live = with_a_past(phase);
    EXPECT_NE(judge_trial(live.facts()).outcome, Outcome::kWorse) << to_string(phase);
  }
}

TEST(LiveWatch, SeesAKillSinceThen) {
  for (const TrialPhase phase : {TrialPhase::kMeasuring, TrialPhase::kPromoting, TrialPhase::kWatching}) {
    LiveScene live = with_a_past(phase);
    ++live.processes[0].restarts;
    const Verdict verdict = judge_trial(live.facts());
    EXPECT_EQ(verdict.reason, "OOMKilled") << to_string(phase);
    EXPECT_TRUE(verdict.hard_stop);
  }
}

TEST(LiveWatch, SeesAKillOfAPodThatTookNoPart) {
  LiveScene live = with_a_past(TrialPhase::kWatching);
  ++live.processes[3].restarts;
  live.processes[3].started = live.scene.now - seconds(5);
  EXPECT_EQ(judge_trial(live.facts()).reason, "OOMKilled");
}

TEST(LiveWatch, HoldsNothingAgainstPodsThatDoNotHaveTheSettingsYet) {
  LiveScene live = with_a_past(TrialPhase::kPromoting);
  live.status().live->pods = {"b"};
  ++live.processes[2].restarts;
  live.processes[2].oom_killed = true;
  EXPECT_NE(judge_trial(live.facts()).outcome, Outcome::kWorse);
  live.status().live->pods = {"c"};
  EXPECT_EQ(judge_trial(live.facts()).reason, "OOMKilled");
}

/// The trial's watch, with pods that are read each second and use CPU for collection.
Verdict watched(const Settings& runs) {
  LiveScene live(TrialPhase::kWatching);
  const Time begin = live.scene.now;
  live.scene.trial->spec.canary.interval = seconds(10);
  live.scene.trial->spec.canary.warm_up = Duration(0);
  live.status().watching_since = begin;
  live.scene.now += minutes(2);
  Facts facts = live.facts();
  for (PodSeries& pod : facts.observed.pods) {
    pod.samples.clear();
    for (int second = -20; second <= 120; ++second) {
      Sample sample;
      sample.at = begin + seconds(second);
      sample.mem.emplace().num_gc = static_cast<std::uint32_t>(100 + second);
      sample.process.emplace().gogc = runs.gogc;
      sample.process->go_mem_limit = runs.go_mem_limit;
      sample.process->cpu_seconds = 100 + second;
      sample.process->gc_cpu_seconds = 10 + 0.1 * second;
      pod.samples.push_back(sample);
    }
  }
  return judge_trial(facts);
}

TEST(LiveWatch, CountsOnlyWhatRunsThem) {
  EXPECT_GE(watched(new_settings()).evidence.windows, 5) << "of whole periods";
  const Verdict verdict = watched({Gogc(100), std::nullopt});
  EXPECT_EQ(verdict.evidence.windows, 0) << "they are in the profile's status, and in no process";
  EXPECT_GE(verdict.evidence.empty_windows, 5);
}

/// How often each process ran the old settings and the new ones, from the promotion to the trial's end.
std::map<std::string, std::pair<int, int>> turns_in_the_watch(LiveScene live, Duration watch_for) {
  live.scene.trial->spec.watch_for = watch_for;
  EXPECT_TRUE(live.run_until_phase(TrialPhase::kWatching));
  live.scene.verdict = builders::undecided();
  live.scene.verdict.evidence.windows = 40;
  std::map<std::string, std::pair<int, int>> ran;
  EXPECT_TRUE(live.run_until([&] {
    if (!live.scene.trial || live.status().phase != TrialPhase::kWatching) return true;
    for (const LiveProcess& process : live.processes) {
      auto& [before, after] = ran[process.uid];
      ++(about_equal(*process.runs, new_settings()) ? after : before);
    }
    return false;
  }));
  EXPECT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.uids_with(new_settings()).size(), live.processes.size());
  return ran;
}

TEST(LiveWatch, LetsOneOfTheTrialsPodsGoOnTakingTurns) {
  auto ran = turns_in_the_watch(LiveScene(TrialPhase::kPromoting), minutes(20));
  EXPECT_GT(ran["a"].first, 50);
  EXPECT_NEAR(ran["a"].first, ran["a"].second, 0.3 * ran["a"].first);
  EXPECT_EQ(ran["b"].first + ran["c"].first, 0);
}

TEST(LiveWatch, LetsAPodThatIsTheOnlyOneKeepTheSettings) {
  LiveScene live(TrialPhase::kPromoting);
  live.processes.resize(1, LiveProcess("a"));
  live.of_replicas(1);
  live.status().arm_pods = {"a"};
  EXPECT_EQ(turns_in_the_watch(live, minutes(20))["a"].first, 0);
}

TEST(LiveWatch, ComparesNothingWhereItIsTooShortForThat) {
  EXPECT_EQ(turns_in_the_watch(LiveScene(TrialPhase::kPromoting), minutes(3))["a"].first, 0);
}

TEST(LiveWatch, ComparesWithWhatTakesTurnsAndNotWithTheOthers) {
  LiveScene live(TrialPhase::kWatching);
  live.scene.trial->spec.watch_for = minutes(20);
  live.status().live = LiveTurn{live.scene.now, 0, {"a"}, live.scene.now};
  live.status().watching_since = live.scene.now;
  live.obey();
  EXPECT_THAT(live.uids_with(old_settings()), testing::ElementsAre("a"));
  EXPECT_THAT(judge_trial(live.facts()).message, testing::Not(HasSubstr("no baseline")));
  live.scene.decision = builders::keep();
  EXPECT_NE(decide_on(live.facts()).reason, "Trial") << "what the others show is what was promised";
}

TEST(LiveWatch, ConfirmsNothingThatIsNotInForce) {
  LiveScene live(TrialPhase::kWatching);
  live.scene.verdict = builders::undecided();
  live.scene.verdict.evidence.windows = 0;
  live.scene.verdict.evidence.empty_windows = 40;
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.scene.ended_trials.back().status.reason, "Unconfirmed");
  EXPECT_FALSE(live.memory().applied);
}

}  // namespace
}  // namespace gopacer
