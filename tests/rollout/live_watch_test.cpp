// What is held against settings that agents put in force in running processes.
#include <gmock/gmock.h>

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
  EXPECT_GE(watched(new_settings()).evidence.windows, 10);
  const Verdict verdict = watched({Gogc(100), std::nullopt});
  EXPECT_EQ(verdict.evidence.windows, 0) << "they are in the profile's status, and in no process";
  EXPECT_GE(verdict.evidence.empty_windows, 10);
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
