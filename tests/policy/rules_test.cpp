#include "gopacer/policy/rules.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "policy/world.h"
#include "source_dir.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using worlds::World;

TEST(Rules, ObjectToNothingWhereAllIsWell) {
  World world;
  EXPECT_THAT(world.reasons(policy::may_be_tuned()), IsEmpty());
  EXPECT_THAT(world.reasons(policy::may_start()), IsEmpty());
  for (const TrialPhase phase : {TrialPhase::kPending, TrialPhase::kWarmUp, TrialPhase::kMeasuring,
                                 TrialPhase::kPromoting, TrialPhase::kWatching, TrialPhase::kRollingBack}) {
    World busy;
    busy.run_trial(phase);
    EXPECT_THAT(busy.reasons(policy::must_end()), IsEmpty()) << to_string(phase);
    EXPECT_THAT(busy.reasons(policy::may_be_promoted()), IsEmpty());
  }
}

/// One line: what is the matter, and the rule that objects first.
struct Line {
  const char* reason;
  void (*happens)(World&);
};

/// So that no rule goes untested, and none is gone from the list.
template <class Lines>
void expect_a_line_for_each(std::span<const policy::Rule> rules, const Lines& lines) {
  std::vector<std::string> asked;
  for (const policy::Rule& rule : rules) asked.emplace_back(rule.reason);
  std::vector<std::string> tested;
  for (const auto& line : lines) tested.emplace_back(line.reason);
  EXPECT_THAT(tested, testing::UnorderedElementsAreArray(asked));
}

void go_by_memory(World& world) {
  Autoscaler autoscaler;
  autoscaler.by_memory = true;
  world.facts.desired.autoscalers = {std::make_shared<Autoscaler>(autoscaler)};
}

void steer(World& world) { world.facts.desired.steerers = {std::make_shared<Steerer>()}; }

void override_env(World& world, Track track) {
  Pod pod;
  pod.containers = builders::deployment().containers;
  pod.containers[0].env = {{"GOGC", "77"}};
  world.facts.desired.pods.push_back({std::make_shared<Pod>(pod), track});
}

void scale_to_zero(World& world) {
  world.target.replicas = world.target.updated_replicas = world.target.available_replicas =
      world.target.total_replicas = 0;
}

const Line kTuning[] = {
    {"Uninstalled", [](World& world) { world.facts.desired.uninstalling = true; }},
    {"ProfileUnreadable", [](World& world) { world.profile.unreadable = "spec.bounds: no"; }},
    {"TargetUnreadable",
     [](World& world) {
       world.target_is_there = false;
       world.facts.desired.target_unreadable = "spec.replicas is no number";
     }},
    {"TargetNotFound", [](World& world) { world.target_is_there = false; }},
    {"ContainerAmbiguous",
     [](World& world) {
       world.facts.desired.container.clear();
       world.target.containers.emplace_back().name = "proxy";
     }},
    {"ContainerNotFound",
     [](World& world) {
       world.facts.desired.container.clear();
       world.profile.spec.container = "web";
     }},
    {"EnvFromSource", [](World& world) { world.target.containers[0].env = {{"GOGC", "", true}}; }},
    {"EnvDuplicated",
     [](World& world) { world.target.containers[0].env = {{"GOGC", "9", false}, {"GOGC", "8", false}}; }},
    {"EnvInvalid", [](World& world) { world.target.containers[0].env = {{"GOMEMLIMIT", "440Mi", false}}; }},
    {"TargetTaken", [](World& world) { world.facts.desired.rival = std::make_shared<Profile>(builders::profile()); }},
    {"TargetPaused", [](World& world) { world.target.rollout.paused = true; }},
};

TEST(MayBeTuned, AsksEachRule) {
  expect_a_line_for_each(policy::may_be_tuned(), kTuning);
  for (const Line& line : kTuning) {
    World world;
    line.happens(world);
    EXPECT_THAT(world.reasons(policy::may_be_tuned()), ElementsAre(line.reason));
    EXPECT_THAT(world.words(policy::may_be_tuned()), testing::SizeIs(testing::Gt(10U))) << line.reason;
  }
}

const Line kStarting[] = {
    {"Suspended", [](World& world) { world.profile.spec.suspend = true; }},
    {"RecommendOnly", [](World& world) { world.profile.spec.update_mode = UpdateMode::kOff; }},
    {"EnvFromSource", [](World& world) { world.target.containers[0].env = {{"GOMEMLIMIT", "536870912", true}}; }},
    {"MemoryAutoscaler", go_by_memory},
    {"StrategyRecreate", [](World& world) { world.target.recreates = true; }},
    {"HostNetwork", [](World& world) { world.target.single_use = {{"HostNetwork", "it uses its node's network"}}; }},
    {"HostPort", [](World& world) { world.target.single_use = {{"HostPort", "it takes port 80"}}; }},
    {"HostPath", [](World& world) { world.target.single_use = {{"HostPath", "it writes to /data"}}; }},
    {"WritableVolume", [](World& world) { world.target.single_use = {{"WritableVolume", "it writes to a claim"}}; }},
    {"DeviceClaim", [](World& world) { world.target.single_use = {{"DeviceClaim", "it uses a claim"}}; }},
    {"LiveSlo",
     [](World& world) {
       world.profile.spec.apply = ApplyMode::kLive;
       Slo pauses;
       pauses.name = "pauses";
       pauses.source = RuntimePauses{};
       world.profile.spec.slos = {pauses};
       world.facts.observed.pods[0].samples.change(
           0, [](Sample& sample) { sample.mem->pauses = {{sample.at, Duration(0)}}; });
     }},
    {"TurnsTooLong",
     [](World& world) {
       world.profile.spec.apply = ApplyMode::kLive;
       world.facts.decision.kind = Decision::Kind::kChange;
       world.facts.decision.estimate.emplace().alloc_rate = 1;
       world.facts.decision.estimate->cycle_volume = mib(100);
     }},
    {"TargetOwned", [](World& world) { world.target.controller = {"Rollout", "checkout", "uid"}; }},
    {"TargetSteered", steer},
    {"FieldConflict", [](World& world) { world.target.env_owners = {{"app", "GOGC", "argocd"}}; }},
    {"ScaledToZero", scale_to_zero},
    {"TargetRolling", [](World& world) { world.target.updated_replicas = 1; }},
    {"EnvOverridden", [](World& world) { override_env(world, Track::kStable); }},
    {"OldPicture", [](World& world) { world.facts.desired.picture_age = minutes(7); }},
    {"SourcesUnread", [](World& world) { world.facts.observed.pods.clear(); }},
};

TEST(MayStart, AsksEachRule) {
  expect_a_line_for_each(policy::may_start(), kStarting);
  for (const Line& line : kStarting) {
    World world;
    line.happens(world);
    EXPECT_THAT(world.reasons(policy::may_start()), ElementsAre(line.reason));
    EXPECT_THAT(world.reasons(policy::may_be_tuned()), IsEmpty()) << "the recommendation goes on";
  }
}

TEST(MayStart, RunsNothingTwiceByTurns) {
  for (const char* const reason :
       {"StrategyRecreate", "HostNetwork", "HostPort", "HostPath", "WritableVolume", "DeviceClaim"}) {
    for (const Line& line : kStarting) {
      if (std::string(line.reason) != reason) continue;
      World world;
      line.happens(world);
      world.profile.spec.apply = ApplyMode::kLive;
      EXPECT_THAT(world.reasons(policy::may_start()), IsEmpty()) << reason;
      world.run_trial(TrialPhase::kMeasuring);
      world.trial->spec.live = LivePlan{seconds(10)};
      EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << reason;
    }
  }
}

TEST(MayStart, WantsSlosThatTheRunningSettingsCanBeToldApartBy) {
  const auto reasons_with = [](const auto& source) {
    World world;
    world.profile.spec.apply = ApplyMode::kLive;
    Slo slo;
    slo.name = "it";
    slo.source = source;
    world.profile.spec.slos = {slo};
    return world.reasons(policy::may_start());
  };
  for (const auto& reasons :
       {reasons_with(PrometheusQuery{}), reasons_with(RuntimePauses{}), reasons_with(RuntimeShare{})}) {
    EXPECT_THAT(reasons, testing::Contains("LiveSlo"));
  }
  for (const auto& reasons : {reasons_with(PodHistogram{}), reasons_with(PodRatio{}), reasons_with(PodGauge{})}) {
    EXPECT_THAT(reasons, testing::Not(testing::Contains("LiveSlo")));
  }
}

TEST(MayStart, DoesNotMindWhoWritesATemplateThatStaysAsItIs) {
  for (const bool live : {true, false}) {
    World world;
    world.profile.spec.apply = live ? ApplyMode::kLive : ApplyMode::kRestart;
    world.target.controller = {"Cache", "checkout", "uid"};
    world.target.rollout.paused = true;
    std::vector<std::string> reasons = world.reasons(policy::may_start());
    for (const std::string& reason : world.reasons(policy::may_be_tuned())) reasons.push_back(reason);
    EXPECT_EQ(std::find(reasons.begin(), reasons.end(), "TargetOwned") == reasons.end(), live);
    EXPECT_EQ(std::find(reasons.begin(), reasons.end(), "TargetPaused") == reasons.end(), live);
  }
}

TEST(MayStart, LetsWhatNeedsNoTrialHaveAnySlosAndAnyPace) {
  World world;
  world.profile.spec.apply = ApplyMode::kLive;
  world.profile.spec.update_mode = UpdateMode::kContinuous;
  Slo pauses;
  pauses.name = "pauses";
  pauses.source = RuntimePauses{};
  world.profile.spec.slos = {pauses};
  world.facts.decision.kind = Decision::Kind::kChange;
  world.facts.decision.estimate.emplace().alloc_rate = 1;
  world.facts.decision.estimate->cycle_volume = mib(100);
  const std::vector<std::string> reasons = world.reasons(policy::may_start());
  EXPECT_THAT(reasons, testing::Not(testing::Contains("LiveSlo")));
  EXPECT_THAT(reasons, testing::Not(testing::Contains("TurnsTooLong")));
}

TEST(MustEnd, WhenAnotherContainerIsToBeTunedLiveInAnyPhase) {
  for (const bool live : {true, false}) {
    World world;
    world.run_trial(TrialPhase::kWatching);
    if (live) world.trial->spec.live = LivePlan{seconds(10)};
    world.profile.spec.apply = live ? ApplyMode::kLive : ApplyMode::kRestart;
    world.profile.spec.container = "web";
    const std::vector<std::string> reasons = world.reasons(policy::must_end());
    EXPECT_EQ(std::find(reasons.begin(), reasons.end(), "ProfileChanged") != reasons.end(), live);
  }
}

TEST(MayStart, TakesAPersonsWordThatDuplicatesAreFine) {
  for (const char* const reason :
       {"StrategyRecreate", "HostNetwork", "HostPort", "HostPath", "WritableVolume", "DeviceClaim"}) {
    for (const Line& line : kStarting) {
      if (std::string(line.reason) != reason) continue;
      World world;
      line.happens(world);
      EXPECT_THAT(world.words(policy::may_start()), HasSubstr("allowDuplicates"));
      world.profile.spec.canary.allow_duplicates = true;
      EXPECT_THAT(world.reasons(policy::may_start()), IsEmpty()) << reason;
    }
  }
}

const Line kPuttingBack[] = {
    {"Suspended", [](World& world) { world.profile.spec.suspend = true; }},
    {"RecommendOnly", [](World& world) { world.profile.spec.update_mode = UpdateMode::kOff; }},
    {"TargetOwned", [](World& world) { world.target.controller = {"Rollout", "checkout", "uid"}; }},
    {"FieldConflict", [](World& world) { world.target.env_owners = {{"app", "GOGC", "argocd"}}; }},
    {"TargetRolling", [](World& world) { world.target.updated_replicas = 1; }},
    {"OldPicture", [](World& world) { world.facts.desired.picture_age = minutes(7); }},
};

TEST(MayPutBack, AsksEachRule) {
  expect_a_line_for_each(policy::may_put_back(), kPuttingBack);
  EXPECT_THAT(World().reasons(policy::may_put_back()), IsEmpty());
  for (const Line& line : kPuttingBack) {
    World world;
    line.happens(world);
    EXPECT_THAT(world.reasons(policy::may_put_back()), ElementsAre(line.reason));
  }
}

/// What happens while a trial measures, and how the trial ends by it.
struct Ending {
  const char* reason;
  TrialVerdict verdict;
  void (*happens)(World&);
};

const Ending kEnding[] = {
    {"ProfileGone", TrialVerdict::kAborted, [](World& world) { world.profile_is_there = false; }},
    {"TrialUnknown", TrialVerdict::kAborted, [](World& world) { world.profile.memory.active_trial = "checkout-2"; }},
    {"TargetGone", TrialVerdict::kAborted, [](World& world) { world.target.uid = "another"; }},
    {"FieldConflict", TrialVerdict::kSuperseded,
     [](World& world) { world.target.env_owners = {{"app", "GOGC", "argocd"}}; }},
    {"SettingsChanged", TrialVerdict::kSuperseded,
     [](World& world) { world.facts.desired.current = builders::settings(300); }},
    {"TrialUnreadable", TrialVerdict::kAborted, [](World& world) { world.trial->unreadable = "spec.slos: no"; }},
    {"Uninstalled", TrialVerdict::kAborted, [](World& world) { world.facts.desired.uninstalling = true; }},
    {"TrialDeleted", TrialVerdict::kAborted, [](World& world) { world.trial->deleting = true; }},
    {"ProfileDeleted", TrialVerdict::kAborted, [](World& world) { world.profile.deleting = true; }},
    {"ProfileUnreadable", TrialVerdict::kAborted, [](World& world) { world.profile.unreadable = "spec.bounds: no"; }},
    {"Suspended", TrialVerdict::kAborted, [](World& world) { world.profile.spec.suspend = true; }},
    {"UndoAsked", TrialVerdict::kAborted,
     [](World& world) {
       Trial kept = *world.trial;
       kept.key.name = world.profile.wishes.undo_to = "checkout-0";
       world.facts.desired.ended_trials = {std::make_shared<Trial>(kept)};
     }},
    {"SloViolated", TrialVerdict::kInconclusive,
     [](World& world) { world.facts.guarded = builders::verdict(Outcome::kWorse, "SloViolated"); }},
    {"ScaledToZero", TrialVerdict::kSuperseded, scale_to_zero},
    {"TemplateChanged", TrialVerdict::kSuperseded, [](World& world) { world.target.template_hash = "hash-2"; }},
    {"TargetTaken", TrialVerdict::kAborted,
     [](World& world) { world.facts.desired.rival = std::make_shared<Profile>(builders::profile()); }},
    {"MemoryAutoscaler", TrialVerdict::kSuperseded, go_by_memory},
    {"TargetSteered", TrialVerdict::kSuperseded, steer},
    {"StrategyRecreate", TrialVerdict::kAborted, [](World& world) { world.target.recreates = true; }},
    {"HostNetwork", TrialVerdict::kAborted,
     [](World& world) { world.target.single_use = {{"HostNetwork", "it uses its node's network"}}; }},
    {"HostPort", TrialVerdict::kAborted,
     [](World& world) { world.target.single_use = {{"HostPort", "it takes port 80"}}; }},
    {"HostPath", TrialVerdict::kAborted,
     [](World& world) { world.target.single_use = {{"HostPath", "it writes to /data"}}; }},
    {"WritableVolume", TrialVerdict::kAborted,
     [](World& world) { world.target.single_use = {{"WritableVolume", "it writes to a claim"}}; }},
    {"DeviceClaim", TrialVerdict::kAborted,
     [](World& world) { world.target.single_use = {{"DeviceClaim", "it uses a claim"}}; }},
    {"ApplyChanged", TrialVerdict::kSuperseded, [](World& world) { world.profile.spec.apply = ApplyMode::kLive; }},
    {"ProfileChanged", TrialVerdict::kSuperseded, [](World& world) { world.profile.spec.container = "web"; }},
    {"EnvOverridden", TrialVerdict::kInconclusive,
     [](World& world) {
       world.facts.desired.canary = world.arm(world.trial->spec.to);
       override_env(world, Track::kCanary);
     }},
    {"BothArmsKilled", TrialVerdict::kInconclusive,
     [](World& world) {
       world.facts.observed.pods[1].oom_killed = true;
       world.facts.observed.pods[2].oom_killed = true;
     }},
    {"OOMKilled", TrialVerdict::kRollBack,
     [](World& world) { world.add_pod(Track::kCanary, "Evicted", "The node was low on resource: memory."); }},
    {"TargetUnavailable", TrialVerdict::kInconclusive,
     [](World& world) {
       world.target.available_replicas = 1;
       world.trial->status.unavailable_since = builders::kStart - minutes(2);
     }},
};

TEST(MustEnd, AsksEachRule) {
  expect_a_line_for_each(policy::must_end(), kEnding);
  for (const Ending& ending : kEnding) {
    World world;
    world.run_trial(TrialPhase::kMeasuring);
    ending.happens(world);
    const auto against = policy::first_objection(policy::must_end(), world.read());
    ASSERT_TRUE(against) << ending.reason;
    EXPECT_EQ(against->reason(), ending.reason);
    EXPECT_EQ(against->rule->verdict, ending.verdict) << ending.reason;
  }
}

TEST(MustEnd, WhenGopacerIsUninstalled) {
  for (const TrialPhase phase : {TrialPhase::kPending, TrialPhase::kMeasuring, TrialPhase::kWatching}) {
    World world;
    world.run_trial(phase);
    world.facts.desired.uninstalling = true;
    const auto against = policy::first_objection(policy::must_end(), world.read());
    ASSERT_TRUE(against) << to_string(phase);
    EXPECT_EQ(against->reason(), "Uninstalled");
    EXPECT_EQ(against->rule->verdict, TrialVerdict::kAborted);
    EXPECT_EQ(against->rule->settings, policy::Unconfirmed::kTakenBack);
  }
}

TEST(MustEnd, WhenTheTargetIsHalfGone) {
  World world;
  world.run_trial(TrialPhase::kMeasuring);
  world.target.replicas = 4;
  world.target.available_replicas = 2;
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty());
  world.target.available_replicas = 1;
  world.trial->status.unavailable_since = world.facts.now - minutes(2) + seconds(1);
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "an autoscaler's step looks like this";
  world.trial->status.unavailable_since = world.facts.now - minutes(2);
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("TargetUnavailable"));
  world.trial->status.phase = TrialPhase::kPromoting;
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "a rollout may take pods away";
  world.trial->status.phase = TrialPhase::kWatching;
  world.facts.desired.current = builders::new_settings();
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("TargetUnavailable"));
  for (int i = 0; i < 2; ++i) world.add_pod(Track::kStable, "", "");
  for (OwnedPod& owned : world.facts.desired.pods) {
    Pod pending = *owned.pod;
    pending.phase = "Pending";
    owned.pod = std::make_shared<Pod>(pending);
  }
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "an autoscaler waits for nodes";
  World before = world;
  before.trial->status.phase = TrialPhase::kMeasuring;
  before.facts.desired.current = builders::old_settings();
  EXPECT_THAT(before.reasons(policy::must_end()), ElementsAre("TargetUnavailable")) << "no time to begin with";
  world.trial->status.watched_replicas = 3;
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("TargetUnavailable")) << "they were there before";
  world.trial->status.watched_replicas = 9;
  world.target.replicas = 2;
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "an autoscaler took the others away";
  world.target.replicas = 4;
  world.trial->status.watched_replicas = 0;
  for (OwnedPod& owned : world.facts.desired.pods) {
    Pod waiting = *owned.pod;
    waiting.node = "n1";
    owned.pod = std::make_shared<Pod>(waiting);
  }
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("TargetUnavailable")) << "they have a node, and no image";
}

TEST(MustEnd, WhenAPodOfThePromotionWasEvictedThoughItsPatchWasNotedLate) {
  World world;
  world.run_trial(TrialPhase::kWatching);
  world.trial->status.steps = {{world.facts.now - minutes(10), TrialPhase::kPromoting, ""}};
  world.trial->status.promoted = world.facts.now - minutes(5);
  world.add_pod(Track::kStable, "Evicted", "The node was low on resource: memory.");
  OwnedPod& owned = world.facts.desired.pods.front();
  const auto made = [&](Time at) {
    Pod pod = *owned.pod;
    pod.created = at;
    pod.containers = {ContainerSpec{"app", {{"GOGC", "200"}, {"GOMEMLIMIT", "430MiB"}}, "", {}, {}, {}}};
    owned.pod = std::make_shared<Pod>(pod);
    return world.reasons(policy::must_end());
  };
  EXPECT_THAT(made(world.facts.now - minutes(9)), ElementsAre("OOMKilled"));
  EXPECT_THAT(made(world.facts.now - minutes(12)), IsEmpty()) << "it ran the same settings before the trial";
}

TEST(MustEnd, NotForTwoInstancesWhereTheArmsAreGone) {
  for (const TrialPhase phase : {TrialPhase::kPromoting, TrialPhase::kWatching, TrialPhase::kRollingBack}) {
    World world;
    world.run_trial(phase);
    world.target.recreates = true;
    world.target.single_use = {{"HostPort", "it takes port 80"}};
    EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << to_string(phase);
  }
}

TEST(MustEnd, WhenOnlyTheCanaryIsEvictedForMemory) {
  World world;
  world.run_trial(TrialPhase::kMeasuring);
  world.add_pod(Track::kCanary, "Evicted", "Pod was rejected: node had disk pressure");
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "that is no fault of the settings";
  world.add_pod(Track::kCanary, "Evicted", "The node was low on resource: memory. Container app was using 900Mi");
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("OOMKilled"));
  EXPECT_EQ(policy::first_objection(policy::must_end(), world.read())->rule->verdict, TrialVerdict::kRollBack);
  world.add_pod(Track::kBaseline, "Evicted", "The node was low on resource: memory.");
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("BothArmsKilled"));
}

TEST(MustEnd, WhenAPodWithThePromotedSettingsIsEvictedForMemory) {
  World world;
  world.run_trial(TrialPhase::kWatching);
  world.facts.desired.current = builders::new_settings();
  world.add_pod(Track::kStable, "Evicted", "The node was low on resource: memory.");
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "it ran with other settings";
  Pod evicted = *world.facts.desired.pods.back().pod;
  evicted.containers.emplace_back();
  evicted.containers.back().name = world.trial->spec.container;
  const EnvText env = to_env(world.trial->spec.to);
  evicted.containers.back().env = {{"GOGC", env.gogc.value_or("")}, {"GOMEMLIMIT", env.go_mem_limit.value_or("")}};
  world.trial->status.promoted = world.facts.now;
  world.trial->status.steps.clear();
  evicted.created = world.facts.now - minutes(2);
  world.facts.desired.pods.push_back({std::make_shared<Pod>(evicted), Track::kStable});
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "its end is months ago";
  evicted.created = world.facts.now - seconds(30);
  world.facts.desired.pods.push_back({std::make_shared<Pod>(evicted), Track::kStable});
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("OOMKilled"));
  world.trial->status.promoted.reset();
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "nothing of ours was there";
  world.trial->status.promoted = world.facts.now;
  evicted.message = "Pod ephemeral local storage usage exceeds the total limit. Container memory-cache was using 2Gi";
  world.facts.desired.pods = {{std::make_shared<Pod>(evicted), Track::kStable}};
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "it was its disk";
}

TEST(MustEnd, WithoutAVerdictWhenBothArmsRunOutOfMemory) {
  World world;
  world.run_trial(TrialPhase::kMeasuring);
  world.facts.observed.pods[1].oom_killed = true;
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty()) << "the judge's matter";
  world.facts.observed.pods[2].oom_killed = true;
  EXPECT_EQ(policy::first_objection(policy::must_end(), world.read())->rule->verdict, TrialVerdict::kInconclusive);
}

const Line kPromoting[] = {
    {"ArmsUnequal", [](World& world) { world.facts.verdict.evidence.canary_requests = 900; }},
    {"ArmsIdle",
     [](World& world) {
       for (const std::size_t arm : {1U, 2U}) {
         world.facts.observed.pods[arm].samples.change_last([](Sample& last) { last.mem->total_alloc = mib(20); });
       }
     }},
    {"TargetRolling", [](World& world) { world.target.updated_replicas = 1; }},
    {"TargetPaused", [](World& world) { world.target.rollout.paused = true; }},
    {"OldPicture", [](World& world) { world.facts.desired.picture_age = minutes(7); }},
};

TEST(MayBePromoted, AsksEachRule) {
  expect_a_line_for_each(policy::may_be_promoted(), kPromoting);
  for (const Line& line : kPromoting) {
    World world;
    world.run_trial(TrialPhase::kMeasuring);
    world.trial->status.measuring_since = builders::kStart;
    line.happens(world);
    EXPECT_THAT(world.reasons(policy::may_be_promoted()), ElementsAre(line.reason));
  }
}

TEST(MayBePromoted, OnlyWhereBothArmsDoTheSameWork) {
  World world;
  world.run_trial(TrialPhase::kMeasuring);
  world.trial->status.measuring_since = builders::kStart;
  world.facts.verdict.evidence.canary_requests = 750;
  world.facts.verdict.evidence.baseline_requests = 2900;
  EXPECT_THAT(world.reasons(policy::may_be_promoted()), IsEmpty()) << "connections are never spread evenly";
  world.facts.verdict.evidence.baseline_requests = 3100;
  EXPECT_THAT(world.reasons(policy::may_be_promoted()), ElementsAre("ArmsUnequal"));
  world.facts.verdict.evidence.canary_requests = 2000;
  EXPECT_THAT(world.reasons(policy::may_be_promoted()), IsEmpty());

  // A worker of a queue that answers no requests, of which one leads.
  world.facts.verdict.evidence.canary_requests = world.facts.verdict.evidence.baseline_requests = 0;
  world.facts.observed.pods[1].samples.change_last([](Sample& last) { last.mem->total_alloc = mib(20); });
  EXPECT_THAT(world.words(policy::may_be_promoted()), HasSubstr("leader"));
}

TEST(MayBePromoted, OnlyWhereTheArmsDoTheTargetsWork) {
  World world;
  world.run_trial(TrialPhase::kMeasuring);
  world.trial->status.measuring_since = builders::kStart;
  EXPECT_THAT(world.reasons(policy::may_be_promoted()), IsEmpty());
  for (const std::size_t arm : {1U, 2U}) {
    world.facts.observed.pods[arm].samples.change_last([](Sample& last) { last.mem->total_alloc = mib(20); });
  }
  EXPECT_THAT(world.reasons(policy::may_be_promoted()), ElementsAre("ArmsIdle")) << "the leader is another";
}

TEST(MayBePromoted, NotIntoARolloutOfSomebodyElse) {
  World world;
  world.run_trial(TrialPhase::kMeasuring);
  world.target.updated_replicas = 1;
  EXPECT_THAT(world.reasons(policy::may_be_promoted()), ElementsAre("TargetRolling"));
}

TEST(MustEnd, SeesThatAnArmRunsOtherSettingsThanTheTrialSays) {
  World world;
  world.run_trial(TrialPhase::kMeasuring);
  world.facts.desired.canary = World::arm(world.trial->spec.to);
  world.facts.desired.baseline = World::arm(world.trial->spec.from);
  EXPECT_THAT(world.reasons(policy::must_end()), IsEmpty());
  world.facts.desired.canary = World::arm(world.trial->spec.from);
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("EnvOverridden"));
  world.facts.desired.canary = World::arm(world.trial->spec.to);
  world.facts.desired.baseline = World::arm(world.trial->spec.to);
  EXPECT_THAT(world.reasons(policy::must_end()), ElementsAre("EnvOverridden"));
}

TEST(Rules, HaveAReasonAConditionAndALineForTheDocs) {
  const std::set<std::string> conditions{"Ready", "FieldConflict", "ConfigUnsupported", "MetricsAvailable"};
  for (const auto& rules :
       {policy::may_be_tuned(), policy::may_start(), policy::must_end(), policy::may_be_promoted()}) {
    std::set<std::string> reasons;
    for (const policy::Rule& rule : rules) {
      EXPECT_TRUE(conditions.contains(rule.condition)) << rule.reason;
      EXPECT_GT(std::string(rule.means).size(), 10U);
      reasons.insert(rule.reason);
    }
    EXPECT_FALSE(reasons.empty());
  }
  for (const policy::Rule& rule : policy::must_end()) EXPECT_NE(rule.verdict, TrialVerdict::kNone) << rule.reason;
}

TEST(Rules, AreWhatTheReasonsPageSays) {
  const std::string path = in_source("docs/reasons.md");
  if (std::getenv("GOPACER_WRITE_DOCS") != nullptr) std::ofstream(path) << policy::reasons_document();
  std::ifstream file(path);
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), policy::reasons_document()) << "GOPACER_WRITE_DOCS=1 with this test writes the page";
}

}  // namespace
}  // namespace gopacer
