// Trials in running processes: the node agents go by what the statuses say.
#include <gmock/gmock.h>

#include <map>
#include <random>
#include <set>

#include "rollout/live.h"
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
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

/// As a person lets the program's container be restarted, or a pod be replaced.
void replace(LiveScene& live, std::size_t which) { live.processes[which].uid += "-2"; }

// Begin

TEST(LiveTrial, StartsByTurnsOfTheTargetsOwnPods) {
  LiveScene live;
  live.scene.profile.spec.canary.replicas = 4;
  live.of_replicas(16);
  const Step noted = live.pass();
  ASSERT_EQ(noted.kind, StepKind::kNoteTrial) << noted.message;
  const Step step = live.step();
  ASSERT_EQ(step.kind, StepKind::kStartTrial);
  EXPECT_THAT(step.message, HasSubstr("in the running processes of up to 8 of its pods"));
  const TrialSpec& spec = *step.start;
  ASSERT_TRUE(spec.live);
  EXPECT_EQ(spec.canary.interval, live.scene.profile.spec.canary.interval) << "the watch goes by it";
  EXPECT_EQ(spec.canary.replicas, 4);
  EXPECT_THAT(spec.steps, IsEmpty());
  EXPECT_EQ(spec.from, old_settings());
}

TEST(LiveTrial, HasNoMoreThanAQuarterOfTheTargetWithItsSettingsAtOnce) {
  for (const auto& [replicas, pods] : {std::pair{1, 2}, std::pair{7, 2}, std::pair{8, 4}, std::pair{12, 6}}) {
    LiveScene live;
    live.scene.profile.spec.canary.replicas = 4;
    live.of_replicas(replicas);
    live.pass();
    EXPECT_EQ(2 * live.step().start->canary.replicas, pods) << replicas;
  }
}

TEST(LiveTrial, HasNoSteps) {
  LiveScene live;
  live.scene.profile.spec.canary.steps = {{10, minutes(1)}, {50, minutes(1)}};
  live.pass();
  EXPECT_THAT(live.step().start->steps, IsEmpty());
  EXPECT_THAT(live.step().start->reason, HasSubstr("canary.steps are for trials with pods of their own"));
}

TEST(LiveTrial, BlocksAreAsLongAsAFewCollectionsTake) {
  const auto block_with = [](double alloc_rate, Bytes volume) {
    LiveScene live;
    live.scene.decision.estimate.emplace();
    live.scene.decision.estimate->alloc_rate = alloc_rate;
    live.scene.decision.estimate->cycle_volume = volume;
    live.pass();
    return live.step().start->live->block;
  };
  EXPECT_EQ(block_with(1e6, Bytes(5'000'000)), seconds(30));
  EXPECT_EQ(block_with(1e9, Bytes(5'000'000)), policy::kShortestBlock);
  EXPECT_EQ(block_with(0, Bytes(5'000'000)), policy::kShortestBlock) << "nothing is known";
}

TEST(LiveTrial, TakesNoTurnsThatItsTimeIsTooShortFor) {
  const auto told = [](double alloc_rate, Duration longest) {
    LiveScene live;
    live.scene.decision.estimate.emplace();
    live.scene.decision.estimate->alloc_rate = alloc_rate;
    live.scene.decision.estimate->cycle_volume = Bytes(5'000'000);
    live.scene.profile.spec.canary.max_duration = longest;
    const Step step = live.step();
    EXPECT_EQ(step.kind, StepKind::kHold);
    EXPECT_EQ(step.reason, "TurnsTooLong");
    return step.message;
  };
  EXPECT_THAT(told(5e5, minutes(30)), HasSubstr("set spec.canary.maxDuration, which is 30m, to at least 48m"));
  EXPECT_THAT(told(1, minutes(30)), HasSubstr("use apply: Restart"));
}

TEST(LiveTrial, KeepsTheSettingsSixTimesAsLongAsItsSlowestRequestsTake) {
  LiveScene live;
  live.scene.decision.estimate.emplace();
  live.scene.decision.estimate->alloc_rate = 1e9;
  live.scene.decision.estimate->cycle_volume = Bytes(5'000'000);
  Facts facts = live.facts();
  EXPECT_EQ(policy::block_of_turns(facts), policy::kShortestBlock);
  auto profile = std::make_shared<Profile>(*facts.desired.profile);
  Slo slo;
  slo.name = "p99";
  slo.histogram().quantile = 0.99;
  profile->spec.slos = {slo};
  facts.desired.profile = profile;
  for (PodSeries& pod : facts.observed.pods) {
    pod.samples.change_last(
        [](Sample& sample) { sample.latency["p99"] = Histogram({{0.1, 500}, {4, 980}, {5, 1000}, {10, 1000}}); });
  }
  EXPECT_EQ(policy::block_of_turns(facts), seconds(27)) << "six times 4.5 s";
}

TEST(LiveTrial, MeasuresAtOnceAndRunsNoPodsOfItsOwn) {
  LiveScene live(TrialPhase::kPending);
  const Step step = live.step();
  EXPECT_EQ(step.kind, StepKind::kHold);
  EXPECT_EQ(step.trial->phase, TrialPhase::kMeasuring);
  EXPECT_EQ(step.trial->measuring_since, live.scene.now);
  EXPECT_FALSE(step.trial->warm_until);
  EXPECT_THAT(step.trial->arm_pods, ElementsAre("a", "b", "c"));
  ASSERT_TRUE(step.trial->live);
  EXPECT_EQ(step.trial->live->since, live.scene.now);
  EXPECT_EQ(step.trial->live->block, 0);
}

TEST(LiveTrial, NeverRunsACanary) {
  LiveScene live;
  std::set<StepKind> taken;
  live.scene.verdict = better();
  const Time latest = live.scene.now + std::chrono::hours(3);
  while (!taken.contains(StepKind::kEnd) && live.scene.now < latest) taken.insert(live.pass().kind);
  EXPECT_THAT(taken, Contains(StepKind::kEnd));
  EXPECT_THAT(taken, Not(Contains(StepKind::kRunCanary)));
}

TEST(LiveTrial, TakesTwiceAsManyPodsAsAnArmWouldHave) {
  LiveScene live(TrialPhase::kPending);
  for (const char* const uid : {"d", "e", "f"}) live.processes.push_back(LiveProcess(uid));
  live.scene.trial->spec.canary.replicas = 2;
  EXPECT_THAT(live.step().trial->arm_pods, ElementsAre("a", "b", "c", "d"));
  live.processes[1].ready = false;
  EXPECT_THAT(live.step().trial->arm_pods, ElementsAre("a", "c", "d", "e")) << "who serves nothing shows nothing";
  live.processes[3].runs.reset();
  EXPECT_THAT(live.step().trial->arm_pods, ElementsAre("a", "c", "e", "f")) << "nor does whom no agent reads";
}

TEST(LiveTrial, WaitsForTheAgentsAndSaysWhy) {
  LiveScene live(TrialPhase::kPending);
  live.processes[1].runs.reset();
  Step step = live.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kPending);
  EXPECT_EQ(step.reason, "WaitingForAgents");
  EXPECT_EQ(step.message, "Waiting until the node agents read the target's pods.");
  EXPECT_FALSE(step.trial->live);
  live.processes[1].error = "no agent is ready on node n1";
  EXPECT_EQ(live.step().message, "Waiting until the node agents read the target's pods: no agent is ready on node n1");
  live.processes[1] = LiveProcess("b");
  EXPECT_EQ(live.step().trial->phase, TrialPhase::kMeasuring);
}

TEST(LiveTrial, GoesOnWithoutAPodThatNoAgentReads) {
  LiveScene live(TrialPhase::kPending);
  live.processes[1].error = "no agent is ready on node n1";
  const Time begin = live.scene.now;
  ASSERT_TRUE(live.run_until_phase(TrialPhase::kMeasuring));
  EXPECT_THAT(live.status().arm_pods, ElementsAre("a", "c"));
  EXPECT_LE(live.scene.now - begin, minutes(3));
}

TEST(LiveTrial, EndsWhenTheAgentsNeverReadThePods) {
  LiveScene live(TrialPhase::kPending);
  for (const std::size_t i : {0U, 1U}) live.processes[i].error = "no agent is ready on node n1";
  const Time begin = live.scene.now;
  ASSERT_TRUE(live.run_to_the_end());
  const TrialStatus& status = live.scene.ended_trials.back().status;
  EXPECT_EQ(status.verdict, TrialVerdict::kInconclusive);
  EXPECT_EQ(status.reason, "AgentsNotReady");
  EXPECT_THAT(status.message, HasSubstr("no agent is ready on node n1"));
  EXPECT_LE(live.scene.now - begin, minutes(6));
  EXPECT_TRUE(live.memory().cool_down_until);
}

// Turns

TEST(LiveTrial, HasAboutHalfOfItsPodsInEachBlockAndEachPodOnceInAPeriod) {
  LiveScene live(TrialPhase::kPending);
  live.processes.push_back(LiveProcess("d"));
  live.scene.verdict = undecided();
  live.pass();
  std::map<std::int64_t, std::set<std::string>> had;
  live.run_until([&] { return live.pass().trial->live->block == 12; }, minutes(5));
  LiveScene again(TrialPhase::kPending);
  again.processes = live.processes;
  again.pass();
  again.run_until([&] {
    const LiveTurn turn = *again.status().live;
    had[turn.block] = {turn.pods.begin(), turn.pods.end()};
    again.pass();
    return turn.block == 12;
  });
  for (std::int64_t period = 0; period < 6; ++period) {
    EXPECT_THAT(had[2 * period], SizeIs(2));
    EXPECT_THAT(had[2 * period + 1], SizeIs(2));
    std::set<std::string> both = had[2 * period];
    both.merge(had[2 * period + 1]);
    EXPECT_THAT(both, UnorderedElementsAre("a", "b", "c", "d")) << period;
  }
}

TEST(LiveTrial, HandsTheTurnOnWhenABlockIsOver) {
  LiveScene live(TrialPhase::kPending);
  live.pass();
  const Time since = live.status().live->since;
  ASSERT_TRUE(live.run_until([&] { return live.status().live->block == 1; }));
  EXPECT_LE(live.status().live->renewed - (since + LiveScene::kBlock), milliseconds(100));
  EXPECT_EQ(live.status().live->since, since);
  EXPECT_EQ(live.uids_with(new_settings()), live.status().live->pods);
}

TEST(LiveTrial, RenewsItsWordWellBeforeTheLeaseRunsOut) {
  LiveScene live(TrialPhase::kPending);
  live.pass();
  for (int i = 0; i < 60; ++i) {
    const Step step = live.pass();
    EXPECT_LE(step.requeue_after, seconds(1));
    EXPECT_LE(live.scene.now - live.status().live->renewed, kLiveLease / 2);
  }
}

TEST(LiveTrial, DoesNotWriteItsWordInEachPass) {
  LiveScene live(TrialPhase::kPending);
  live.pass();
  std::set<Time> words;
  const Time end = live.scene.now + minutes(1);
  while (live.scene.now < end) {
    live.pass();
    words.insert(live.status().live->renewed);
  }
  EXPECT_LE(words.size(), 30U);
}

TEST(LiveTrial, RenewsAWordThatAnOperatorWithAnotherClockGave) {
  LiveScene live(TrialPhase::kMeasuring);
  live.status().live->renewed = live.scene.now + minutes(2);
  EXPECT_EQ(live.step().trial->live->renewed, live.scene.now);
}

TEST(LiveTrial, GoesOnWithItsBlocksAfterAnOperatorThatDied) {
  LiveScene live(TrialPhase::kPending);
  live.pass();
  live.scene.now += 7 * LiveScene::kBlock + seconds(1);
  const Step step = live.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kMeasuring);
  EXPECT_EQ(step.trial->live->block, 7);
  EXPECT_EQ(step.trial->live->renewed, live.scene.now);
}

TEST(LiveTrial, GoesOnWithThePodsThatAreLeft) {
  for (const bool restarted : {false, true}) {
    LiveScene live(TrialPhase::kPending);
    live.pass();
    live.pass();
    if (restarted) {
      live.processes[2].restarts = 1;
    } else {
      replace(live, 2);
    }
    live.scene.verdict.evidence.windows = 3;
    const Step step = live.pass();
    EXPECT_EQ(step.trial->phase, TrialPhase::kMeasuring);
    EXPECT_EQ(step.trial->evidence.windows, 3);
    EXPECT_THAT(step.trial->arm_pods, ElementsAre("a", "b", "c")) << "whose turn it is goes by their places";
    for (int block = 0; block < 4; ++block) {
      ASSERT_TRUE(live.run_until([&] { return live.status().live->block > block; }));
      EXPECT_THAT(live.status().live->pods, AnyOf(ElementsAre("a"), ElementsAre("b"))) << "a young process has none";
    }
  }
}

TEST(LiveTrial, GivesAllBackWhenMostOfItsPodsAreReplacedAndBeginsAnew) {
  for (const bool restarted : {false, true}) {
    LiveScene live(TrialPhase::kMeasuring);
    live.scene.verdict.evidence.windows = 3;
    live.status().evidence.baseline_memory = 0.8;
    live.status().evidence.restarts = 1;
    for (const std::size_t i : {1U, 2U}) {
      if (restarted) {
        live.processes[i].restarts = 1;
      } else {
        replace(live, i);
      }
    }
    const Step step = live.step();
    EXPECT_EQ(step.reason, "BegunAnew");
    EXPECT_EQ(step.trial->phase, TrialPhase::kPending);
    EXPECT_FALSE(step.trial->live) << "the agents take the settings back";
    EXPECT_EQ(step.trial->evidence.windows, 0);
    EXPECT_EQ(step.trial->evidence.baseline_memory, 0.8) << "of before the first turn";
    EXPECT_EQ(step.trial->evidence.restarts, restarted ? 3 : 1) << "the judge counts them on";
    EXPECT_FALSE(step.trial->measuring_since);
    live.write(step);
    live.obey();
    EXPECT_THAT(live.uids_with(old_settings()), SizeIs(3));
    EXPECT_THAT(live.step().trial->arm_pods, Contains(restarted ? "c#1" : "c-2"));
  }
}

TEST(LiveTrial, GoesOnWithAPodThatIsNotReadyForAMoment) {
  LiveScene live(TrialPhase::kMeasuring);
  live.processes[0].ready = false;
  EXPECT_EQ(live.step().trial->phase, TrialPhase::kMeasuring) << "it is the same process";
}

TEST(LiveTrial, GoesOnWhenPodsAreAdded) {
  LiveScene live(TrialPhase::kMeasuring);
  live.processes.push_back(LiveProcess("0"));
  const Step step = live.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kMeasuring);
  EXPECT_THAT(step.trial->arm_pods, ElementsAre("a", "b", "c"));
}

TEST(LiveTrial, EndsInTimeThoughItsPodsAreReplacedAgainAndAgain) {
  LiveScene live(TrialPhase::kPending);
  int passes = 0;
  ASSERT_TRUE(live.run_until([&] {
    for (LiveProcess& process : live.processes) process.restarts += ++passes % 10 == 0 ? 1 : 0;
    live.pass();
    return !live.scene.trial;
  }));
  EXPECT_EQ(live.scene.ended_trials.back().status.reason, "TimeOut");
  EXPECT_THAT(live.uids_with(old_settings()), SizeIs(3));
}

TEST(LiveTrial, EndsUndecidedWhenItsTimeIsOver) {
  LiveScene live(TrialPhase::kPending);
  ASSERT_TRUE(live.run_to_the_end());
  const TrialStatus& status = live.scene.ended_trials.back().status;
  EXPECT_EQ(status.reason, "TimeOut");
  EXPECT_FALSE(status.live);
  EXPECT_THAT(live.uids_with(old_settings()), SizeIs(3));
  EXPECT_FALSE(live.memory().applied);
}

TEST(LiveTrial, GoesOnFromALiveTrialThatTookTooLongOnly) {
  for (const bool was_live : {true, false}) {
    LiveScene live(TrialPhase::kPending);
    Trial earlier = builders::trial(TrialPhase::kEnded);
    earlier.spec.live = was_live ? live.scene.trial->spec.live : std::nullopt;
    earlier.status.verdict = TrialVerdict::kInconclusive;
    earlier.status.reason = "TimeOut";
    earlier.status.promoted.reset();
    earlier.status.evidence.windows = 8;
    earlier.status.evidence.pairs = 2;
    live.scene.ended_trials = {earlier};
    const TrialStatus next = *live.step().trial;
    EXPECT_EQ(next.evidence.earlier.windows, was_live ? 8 : 0);
    EXPECT_EQ(next.evidence.earlier.pods, 0) << "what pods have of their own cancels";
  }
}

TEST(LiveTrial, EndsWhenTheNewSettingsAreWorse) {
  for (const Verdict& verdict : {worse(), hard_stop()}) {
    LiveScene live(TrialPhase::kPending);
    live.pass();
    live.scene.verdict = verdict;
    ASSERT_TRUE(live.run_to_the_end());
    EXPECT_EQ(live.scene.ended_trials.back().status.verdict, TrialVerdict::kRollBack);
    EXPECT_THAT(live.memory().banned, SizeIs(1));
    EXPECT_FALSE(live.memory().applied);
    EXPECT_THAT(live.uids_with(old_settings()), SizeIs(3));
  }
}

// From outside

struct Ending {
  const char* reason;
  TrialVerdict verdict;
  void (*happen)(LiveScene&);
};

const Ending kEndings[] = {
    {"Suspended", TrialVerdict::kAborted, [](LiveScene& live) { live.scene.profile.spec.suspend = true; }},
    {"Suspended", TrialVerdict::kAborted,
     [](LiveScene& live) { live.scene.profile.spec.update_mode = UpdateMode::kOff; }},
    {"TrialDeleted", TrialVerdict::kAborted, [](LiveScene& live) { live.scene.trial->deleting = true; }},
    {"ProfileDeleted", TrialVerdict::kAborted, [](LiveScene& live) { live.scene.profile.deleting = true; }},
    {"TemplateChanged", TrialVerdict::kSuperseded, [](LiveScene& live) { live.scene.target.template_hash = "hash-2"; }},
    {"ApplyChanged", TrialVerdict::kSuperseded,
     [](LiveScene& live) { live.scene.profile.spec.apply = ApplyMode::kRestart; }},
    {"ProfileChanged", TrialVerdict::kSuperseded,
     [](LiveScene& live) { live.scene.profile.spec.container = "sidecar"; }},
    {"SettingsChanged", TrialVerdict::kSuperseded, [](LiveScene& live) { live.environment = settings(80); }},
};

TEST(LiveTrial, EndsFromOutsideInAnyPhaseAndLeavesNothingBehind) {
  for (const Ending& ending : kEndings) {
    for (const TrialPhase phase :
         {TrialPhase::kPending, TrialPhase::kMeasuring, TrialPhase::kPromoting, TrialPhase::kWatching}) {
      SCOPED_TRACE(std::string(ending.reason) + " in " + to_string(phase));
      LiveScene live(phase);
      ending.happen(live);
      const Step first = live.pass();
      EXPECT_FALSE(first.trial->live) << "the first thing";
      ASSERT_TRUE(live.run_until([&] { return !live.scene.trial; }, minutes(1)));
      const TrialStatus& status = live.scene.ended_trials.back().status;
      EXPECT_EQ(status.reason, ending.reason);
      EXPECT_EQ(status.verdict, ending.verdict);
      EXPECT_NE(live.memory().applied_beside.has_value() && live.current() == new_settings(), true);
      EXPECT_THAT(live.uids_with(new_settings()), IsEmpty());
    }
  }
}

TEST(LiveTrial, LetsAPersonsChangeInTheWatchStand) {
  LiveScene live(TrialPhase::kWatching);
  live.environment = settings(80);
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.current(), settings(80)) << "nothing of ours may be noted beside it";
  EXPECT_FALSE(live.memory().applied);
  ASSERT_THAT(live.memory().banned, SizeIs(1));
  EXPECT_EQ(live.memory().banned.back().settings, new_settings());
  EXPECT_EQ(live.memory().banned.back().reason, "SettingsChanged");
}

TEST(LiveTrial, LeavesNothingUnwatchedWhenAPersonsChangeIsTakenBack) {
  LiveScene live(TrialPhase::kWatching);
  live.environment = settings(80);
  live.pass();
  ASSERT_TRUE(live.scene.trial) << "how it ends is written, and it is not over yet";
  live.environment = Settings{};
  live.obey();
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_FALSE(live.memory().applied) << "nobody watches what would be in force";
  EXPECT_THAT(live.uids_with(old_settings()), SizeIs(3));
  EXPECT_EQ(live.memory().banned.at(0).reason, "SettingsChanged");
}

TEST(LiveTrial, LetsAPersonKeepThePromotedSettingsInTheirTemplate) {
  LiveScene live(TrialPhase::kWatching);
  live.environment = new_settings();
  live.scene.verdict = worse();
  ASSERT_TRUE(live.run_to_the_end());
  EXPECT_EQ(live.current(), new_settings()) << "it is their word now";
  EXPECT_FALSE(live.memory().applied);
}

TEST(LiveTrial, BansNothingWhenApplyIsChanged) {
  for (const TrialPhase phase : {TrialPhase::kMeasuring, TrialPhase::kPromoting, TrialPhase::kWatching}) {
    LiveScene live(phase);
    live.scene.profile.spec.apply = ApplyMode::kRestart;
    ASSERT_TRUE(live.run_until([&] { return !live.scene.trial; }, minutes(1)));
    EXPECT_THAT(live.memory().banned, IsEmpty()) << to_string(phase);
    EXPECT_FALSE(live.memory().applied) << to_string(phase);
  }
}

TEST(LiveTrial, KeepsItsReasonWhenApplyIsChangedDuringTheRollback) {
  LiveScene live(TrialPhase::kRollingBack);
  live.scene.profile.spec.apply = ApplyMode::kRestart;
  for (LiveProcess& process : live.processes) process.runs.reset();  // the agents are not asked any more
  ASSERT_TRUE(live.run_until([&] { return !live.scene.trial; }, minutes(1)));
  EXPECT_EQ(live.scene.ended_trials.back().status.reason, "LatencyRegression");
  EXPECT_EQ(live.memory().banned.at(0).reason, "LatencyRegression");
  EXPECT_FALSE(live.memory().applied);
}

TEST(LiveTrial, OfRestartEndsWhenTheProfileIsLiveByNow) {
  scenes::Scene scene = scenes::in(TrialPhase::kWatching);
  scene.profile.spec.apply = ApplyMode::kLive;
  Step step = scene.step();
  EXPECT_EQ(step.trial->phase, TrialPhase::kRollingBack);
  EXPECT_EQ(step.trial->reason, "ApplyChanged");
  scene.trial->status = *step.trial;
  step = scene.step();
  EXPECT_EQ(step.kind, StepKind::kRollBack) << "by the template, where it put them";
  EXPECT_FALSE(step.memory);
}

TEST(LiveTrial, RollsBackForAPodOfItsThatWasEvictedForItsMemory) {
  for (const TrialPhase phase : {TrialPhase::kMeasuring, TrialPhase::kWatching}) {
    LiveScene live(phase);
    const auto step_with_evicted = [&](const std::string& uid) {
      Facts facts = live.facts();
      Pod evicted;
      evicted.key = {"shop", "checkout-x"};
      evicted.uid = uid;
      evicted.phase = "Failed";
      evicted.reason = "Evicted";
      evicted.message = "The node was low on resource: memory.";
      facts.desired.pods.push_back({std::make_shared<Pod>(evicted), Track::kStable});
      return advance(facts);
    };
    EXPECT_EQ(step_with_evicted("a").trial->reason, "OOMKilled") << to_string(phase);
    EXPECT_NE(step_with_evicted("long-ago").trial->reason, "OOMKilled") << to_string(phase);
  }
}

TEST(LiveTrial, DoesNotBeginAgainWhatTheServerRefused) {
  LiveScene live;
  const Step noted = live.pass();
  const auto refused = after_refusal(live.facts(), noted, "denied by a policy");
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->refused);
  const Step started = live.step();
  ASSERT_EQ(started.kind, StepKind::kStartTrial);
  const auto not_started = after_refusal(live.facts(), started, "denied by a policy");
  ASSERT_TRUE(not_started);
  EXPECT_THAT(not_started->memory->active_trial, IsEmpty());
}

// Operators that die

/// What is left of a live trial.
struct Left {
  std::string phase, reason;
  TrialVerdict verdict = TrialVerdict::kNone;
  std::optional<Settings> applied, beside;
  std::vector<std::string> with_new;
  std::size_t banned = 0;
  bool operator==(const Left&) const = default;
};

Left outcome_of(const LiveScene& live) {
  const TrialStatus& status = live.scene.ended_trials.back().status;
  return {to_string(status.phase),
          status.reason,
          status.verdict,
          live.scene.profile.memory.applied,
          live.scene.profile.memory.applied_beside,
          live.uids_with(new_settings()),
          live.scene.profile.memory.banned.size()};
}

/// A trial from its beginning to its end; the pass number `dies` writes the profile's status alone, and after it nobody
/// is there for `gone`.
std::optional<Left> tell(bool harm, int dies, Duration gone, int* passes = nullptr) {
  LiveScene live(TrialPhase::kPending);
  live.scene.trial->spec.watch_for = minutes(3);
  int pass = 0;
  const Time end = live.scene.now + minutes(60);
  while (live.scene.trial && live.scene.now < end) {
    const bool watching = live.status().phase == TrialPhase::kWatching;
    live.scene.verdict = watching && harm ? worse() : watching ? undecided() : better();
    live.scene.verdict.evidence.windows = 20;
    if (pass++ == dies) {
      live.write_memory(live.step());
      live.obey();
      live.scene.now += gone;
      continue;
    }
    live.pass();
  }
  if (passes != nullptr) *passes = pass;
  if (live.scene.trial) return std::nullopt;
  return outcome_of(live);
}

TEST(LiveTrial, EndsTheSameWhereverAnOperatorDiesBetweenItsTwoWrites) {
  for (const bool harm : {false, true}) {
    int passes = 0;
    const auto wanted = tell(harm, -1, seconds(0), &passes);
    ASSERT_TRUE(wanted);
    EXPECT_EQ(wanted->verdict, harm ? TrialVerdict::kRollBack : TrialVerdict::kPromote);
    EXPECT_THAT(wanted->with_new, SizeIs(harm ? 0 : 3));
    for (int dies = 0; dies < passes; ++dies) {
      for (const Duration gone : {Duration(seconds(2)), Duration(minutes(1))}) {
        const auto told = tell(harm, dies, gone);
        ASSERT_TRUE(told) << dies;
        EXPECT_EQ(*told, *wanted) << "pass " << dies << ", harm " << harm;
      }
    }
  }
}

TEST(LiveTrial, LeavesWhatItsVerdictSaysWhateverHappensOnTheWay) {
  std::map<TrialVerdict, int> verdicts;
  for (unsigned seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto one_in = [&](unsigned cases) { return random() % cases == 0; };
    LiveScene live(TrialPhase::kPending);
    live.scene.trial->spec.watch_for = minutes(2);
    live.scene.trial->spec.canary.warm_up = seconds(10);
    live.scene.trial->spec.canary.max_duration = minutes(4);
    live.scene.trial->spec.deadline = live.scene.now + minutes(6);
    const Verdict judged = seed % 3 == 0 ? better() : seed % 3 == 1 ? undecided() : worse();
    const unsigned rarely = seed % 2 == 0 ? 40 : 400;
    ASSERT_TRUE(live.run_until([&] {
      const bool watching = live.scene.trial && live.status().phase == TrialPhase::kWatching;
      live.scene.verdict = one_in(rarely) ? worse() : watching ? undecided() : one_in(20) ? judged : undecided();
      live.scene.verdict.evidence.windows = 9;
      LiveProcess& process = live.processes[random() % live.processes.size()];
      if (one_in(rarely)) ++process.restarts;
      if (one_in(rarely)) process.ready = !process.ready;
      if (one_in(rarely)) live.agents_obey = !live.agents_obey;
      if (one_in(4 * rarely)) live.scene.profile.spec.suspend = true;
      if (one_in(4 * rarely)) live.scene.target.template_hash += "-2";
      if (one_in(8 * rarely)) live.environment = settings(80);
      if (one_in(rarely) && live.scene.trial) {
        // An operator dies between its two writes, and nobody is there for some time.
        live.write_memory(live.step());
        live.obey();
        live.scene.now += seconds(random() % 30);
      }
      return !live.scene.trial;
    }));
    live.agents_obey = true;
    for (LiveProcess& process : live.processes) process.ready = true;
    live.scene.decision = builders::keep();
    live.scene.verdict = {};
    for (int i = 0; i < 3; ++i) live.pass();
    const TrialVerdict verdict = live.scene.ended_trials.back().status.verdict;
    ++verdicts[verdict];
    const bool promoted = verdict == TrialVerdict::kPromote && live.environment == old_settings();
    EXPECT_THAT(live.uids_with(new_settings()), SizeIs(promoted ? 3 : 0));
    EXPECT_EQ(live.memory().applied.has_value(), promoted);
    if (!promoted) {
      EXPECT_EQ(live.current(), live.environment);
    }
  }
  for (const TrialVerdict verdict : {TrialVerdict::kPromote, TrialVerdict::kRollBack, TrialVerdict::kInconclusive,
                                     TrialVerdict::kSuperseded, TrialVerdict::kAborted}) {
    EXPECT_GT(verdicts[verdict], 0) << to_string(verdict) << " was never tried";
  }
}

TEST(LiveTrial, OnceForcedAwayLeavesNothingAfterTheNextPass) {
  LiveScene live(TrialPhase::kMeasuring);
  live.scene.trial.reset();
  live.obey();  // as its lease has ended
  live.scene.decision = builders::keep();
  const Step step = live.pass();
  EXPECT_EQ(step.kind, StepKind::kForgetTrial);
  EXPECT_THAT(live.memory().active_trial, IsEmpty());
  EXPECT_THAT(live.uids_with(old_settings()), SizeIs(3));
}

}  // namespace
}  // namespace gopacer
