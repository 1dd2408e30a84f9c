#include <gmock/gmock.h>

#include "policy/world.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::old_settings;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using worlds::World;

constexpr TrialPhase kBefore[] = {TrialPhase::kPending, TrialPhase::kWarmUp, TrialPhase::kMeasuring};

/// A world whose trial is in `phase`.
World in(TrialPhase phase) {
  World world;
  world.run_trial(phase);
  return world;
}

std::string ending(World& world) { return world.words(policy::must_end()); }
std::vector<std::string> endings(World& world) { return world.reasons(policy::must_end()); }

TEST(TrialRules, EndATrialWithoutAProfileOrATarget) {
  World world = in(TrialPhase::kMeasuring);
  Facts facts = world.read();
  facts.desired.profile = nullptr;
  EXPECT_EQ(policy::first_objection(policy::must_end(), facts)->message,
            "The profile is gone, and with it all that says what the trial was for.");
  EXPECT_EQ(policy::objections(policy::must_end(), facts).size(), 2U) << "and so is what named the trial";
  facts = world.read();
  facts.desired.target = nullptr;
  const auto against = policy::objections(policy::must_end(), facts);
  ASSERT_EQ(against.size(), 1U);
  EXPECT_EQ(against[0].message, "The target is gone.");
}

TEST(TrialRules, SayWhenAnotherTargetTookThePlace) {
  World world = in(TrialPhase::kMeasuring);
  world.target.uid = "another";
  EXPECT_EQ(ending(world), "The target is gone: another one of its name took its place.");
}

TEST(TrialRules, EndATrialThatTheProfileDoesNotName) {
  World world = in(TrialPhase::kMeasuring);
  world.profile.memory.active_trial = "checkout-2";
  EXPECT_THAT(ending(world), testing::StartsWith("The profile's status does not name this trial: "));
  world = in(TrialPhase::kMeasuring);
  world.profile.uid = "another";
  EXPECT_THAT(endings(world), ElementsAre("TrialUnknown"));
}

/// The reason for which a trial in `phase` ends with these settings in the target; empty when it goes on.
std::string with(const Settings& current, TrialPhase phase, std::optional<Time> promoted = std::nullopt) {
  World world = in(phase);
  world.trial->status.promoted = promoted;
  world.facts.desired.current = current;
  const auto against = endings(world);
  return against.empty() ? "" : against.front();
}

TEST(TrialRules, YieldToSettingsThatNeitherTheTrialNorTheTargetHad) {
  const Settings others = builders::settings(300);
  for (const TrialPhase phase : kBefore) {
    EXPECT_EQ(with(old_settings(), phase), "");
    EXPECT_EQ(with(new_settings(), phase), "SettingsChanged");
    EXPECT_EQ(with(others, phase), "SettingsChanged");
  }
  EXPECT_EQ(with(old_settings(), TrialPhase::kPromoting), "") << "our patch is still to come";
  EXPECT_EQ(with(old_settings(), TrialPhase::kPromoting, builders::kStart), "SettingsChanged");
  EXPECT_EQ(with(new_settings(), TrialPhase::kPromoting), "");
  EXPECT_EQ(with(new_settings(), TrialPhase::kPromoting, builders::kStart), "");
  EXPECT_EQ(with(others, TrialPhase::kPromoting), "SettingsChanged");
  EXPECT_EQ(with(old_settings(), TrialPhase::kWatching), "SettingsChanged");
  EXPECT_EQ(with(new_settings(), TrialPhase::kWatching), "");
  EXPECT_EQ(with(old_settings(), TrialPhase::kRollingBack), "");
  EXPECT_EQ(with(new_settings(), TrialPhase::kRollingBack), "");
  EXPECT_EQ(with(others, TrialPhase::kRollingBack), "") << "what is not theirs is still to be put back";
  EXPECT_EQ(with(others, TrialPhase::kEnded), "");
}

TEST(TrialRules, SayWhatAPersonDidToTheSettings) {
  World world = in(TrialPhase::kWatching);
  world.facts.desired.current = old_settings();
  EXPECT_EQ(ending(world), "Somebody put Go's defaults back into the target; that stands.");
  world.facts.desired.current = builders::settings(300);
  EXPECT_EQ(ending(world), "Somebody set GOGC=300 and removed GOMEMLIMIT on the target; that stands.");
  world.facts.desired.current = builders::settings(300, builders::new_settings().go_mem_limit);
  EXPECT_EQ(ending(world), "Somebody set GOGC=300 on the target; that stands.") << "the limit is ours";
  world = in(TrialPhase::kPromoting);
  world.trial->status.promoted.reset();
  world.facts.desired.current = builders::settings(50, builders::new_settings().go_mem_limit);
  EXPECT_EQ(ending(world), "Somebody set GOGC=50 on the target; that stands.")
      << "the patch came, and its note was lost";
  world.facts.desired.current = builders::settings(builders::new_settings().gogc->percent());
  EXPECT_EQ(ending(world), "Somebody removed GOMEMLIMIT on the target; that stands.");
}

TEST(TrialRules, SayWhoEndedTheTrial) {
  World world = in(TrialPhase::kMeasuring);
  world.trial->deleting = true;
  EXPECT_EQ(ending(world), "Somebody deleted the trial.");
  world = in(TrialPhase::kMeasuring);
  world.profile.deleting = true;
  EXPECT_EQ(ending(world), "The profile was deleted.");
  world = in(TrialPhase::kMeasuring);
  world.profile.spec.suspend = true;
  EXPECT_EQ(ending(world), "The profile was suspended, or its updateMode is no longer Canary.");
  world = in(TrialPhase::kMeasuring);
  world.profile.spec.update_mode = UpdateMode::kOff;
  EXPECT_THAT(endings(world), ElementsAre("Suspended"));
  world = in(TrialPhase::kMeasuring);
  world.target.template_hash = "hash-2";
  EXPECT_EQ(ending(world), "Somebody changed the target's pod template; what was measured no longer speaks of it.");
}

TEST(TrialRules, EndATrialOfWhatTheProfileNoLongerAsksFor) {
  const auto changed = [](TrialPhase phase, void (*change)(ProfileSpec&)) {
    World world = in(phase);
    world.profile.spec.strategy = world.trial->spec.strategy = Strategy::kFixed;
    world.profile.spec.fixed = new_settings();
    change(world.profile.spec);
    return ending(world);
  };
  const std::string words = "The profile now asks for other settings.";
  for (const TrialPhase phase : kBefore) {
    EXPECT_EQ(changed(phase, [](ProfileSpec&) {}), "");
    EXPECT_EQ(changed(phase, [](ProfileSpec& spec) { spec.container = "app"; }), "");
    EXPECT_EQ(changed(phase, [](ProfileSpec& spec) { spec.container = "web"; }), words);
    EXPECT_EQ(changed(phase, [](ProfileSpec& spec) { spec.strategy = Strategy::kModel; }), words);
    EXPECT_EQ(changed(phase, [](ProfileSpec& spec) { spec.fixed.gogc.reset(); }), "") << "left as the target has it";
    EXPECT_EQ(changed(phase, [](ProfileSpec& spec) { spec.fixed.go_mem_limit.reset(); }), "");
    EXPECT_EQ(changed(phase, [](ProfileSpec& spec) { spec.fixed.gogc = Gogc(99); }), words);
    EXPECT_EQ(changed(phase, [](ProfileSpec& spec) { spec.fixed.go_mem_limit = mib(99); }), words);
  }
  EXPECT_EQ(changed(TrialPhase::kWatching, [](ProfileSpec& spec) { spec.fixed.gogc = Gogc(99); }), "");
  World model = in(TrialPhase::kMeasuring);
  model.profile.spec.fixed = builders::settings(99);  // of a strategy that is not in use
  EXPECT_EQ(ending(model), "");
}

TEST(TrialRules, EndATrialOfWhatTheBoundsNoLongerAllow) {
  for (const TrialPhase phase : kBefore) {
    World world = in(phase);
    world.profile.spec.bounds.max_gogc = 150;
    EXPECT_EQ(ending(world),
              "What is tried is not allowed any more: GOGC=200 GOMEMLIMIT=430MiB is asked for, and bounds allow a GOGC "
              "of 50 to 150.");
    EXPECT_THAT(endings(world), ElementsAre("ProfileChanged"));
    world.profile.spec.bounds.max_gogc = 200;
    EXPECT_EQ(ending(world), "");
    world.profile.spec.bounds.max_go_mem_limit_percent = 80;
    EXPECT_THAT(ending(world), HasSubstr("bounds.maxAllowed.goMemLimitPercent allows a GOMEMLIMIT of 80 %"));
    world.profile.spec.bounds.max_go_mem_limit_percent = 90;
    world.profile.spec.bounds.min_go_mem_limit = mib(440);
    EXPECT_THAT(ending(world), HasSubstr("bounds.minAllowed.goMemLimit is 440MiB"));
    world.profile.spec.strategy = world.trial->spec.strategy = Strategy::kFixed;
    world.profile.spec.fixed = new_settings();
    EXPECT_EQ(ending(world), "") << "bounds do not hold for a person's own settings";
  }
  World watched = in(TrialPhase::kWatching);
  watched.profile.spec.bounds.max_gogc = 150;
  EXPECT_EQ(ending(watched), "") << "it is in force, and the next recommendation keeps to them";
}

TEST(TrialRules, LetATrialTakeALimitOutOfTheTemplate) {
  World world = in(TrialPhase::kMeasuring);
  const Settings idle = builders::settings(100, mib(600));
  world.target.containers[0].env = {{kGogcVariable, "100"}, {kGoMemLimitVariable, "600MiB"}};
  world.facts.desired.current = world.trial->spec.from = idle;
  world.trial->spec.to = builders::settings(80);
  EXPECT_EQ(ending(world), "") << "it stopped nothing";
}

TEST(TrialRules, SayHowManyReplicasAreLeft) {
  World world = in(TrialPhase::kMeasuring);
  world.target.replicas = 5;
  world.target.available_replicas = 2;
  world.trial->status.unavailable_since = builders::kStart - std::chrono::hours(1);
  EXPECT_EQ(ending(world),
            "For more than 2m only 2 of 5 replicas of Deployment shop/checkout are available: this is no time for a "
            "trial.");
}

TEST(TrialRules, SayWhichPodWasEvicted) {
  World world = in(TrialPhase::kMeasuring);
  world.add_pod(Track::kCanary, "Preempted", "for memory of a more important pod");
  world.add_pod(Track::kStable, "Evicted", "The node was low on resource: memory.");
  EXPECT_EQ(ending(world), "");
  world.add_pod(Track::kCanary, "Evicted", "The node was low on resource: memory.");
  EXPECT_THAT(ending(world), HasSubstr(" was evicted with the new settings: The node was low on resource: memory."));
  world.trial->status.phase = TrialPhase::kPromoting;
  EXPECT_EQ(ending(world), "") << "the canary has done its part";
}

TEST(TrialRules, SayWhenBothArmsRanOutOfMemory) {
  for (const bool evicted : {false, true}) {
    World world = in(TrialPhase::kMeasuring);
    world.facts.observed.pods[1].oom_killed = true;
    if (evicted) {
      world.add_pod(Track::kBaseline, "Evicted", "The node was low on resource: memory.");
    } else {
      world.facts.observed.pods[2].oom_killed = true;
    }
    EXPECT_EQ(ending(world),
              "Pods of both arms ran out of memory, so that it says nothing about the new settings: raise the memory "
              "limit of shop/checkout, or see what fills it.");
    world.trial->status.phase = TrialPhase::kPromoting;
    EXPECT_EQ(ending(world), "");
  }
  World baseline = in(TrialPhase::kMeasuring);
  baseline.facts.observed.pods[2].oom_killed = true;
  EXPECT_EQ(ending(baseline), "");
}

TEST(TrialRules, HoldNoKillAgainstPromotedSettingsThatTheBaselineSharesByThen) {
  World world = in(TrialPhase::kRollingBack);
  world.trial->status.reason = "OOMKilled";
  EXPECT_FALSE(policy::both_arms_killed(world.read()));
  world.facts.observed.pods[2].oom_killed = true;
  EXPECT_TRUE(policy::both_arms_killed(world.read()));
  world.trial->status.reason = "LatencyRegression";
  EXPECT_FALSE(policy::both_arms_killed(world.read())) << "they are taken back for something else";
}

/// A pod of each track that allocates so many MiB in a minute, while both arms were measured.
World allocating(double stable, double canary, double baseline) {
  World world = in(TrialPhase::kMeasuring);
  world.trial->status.measuring_since = builders::kStart;
  const double amounts[] = {stable, canary, baseline};
  for (std::size_t i = 0; i < 3; ++i) {
    world.facts.observed.pods[i].samples.change_last([&](Sample& last) { last.mem->total_alloc = mib(amounts[i]); });
  }
  return world;
}

std::string against(World world) { return world.words(policy::may_be_promoted()); }

TEST(UnequalArms, AreThoseOfWhichOneAllocatesMoreThanFourTimesAsMuch) {
  EXPECT_EQ(against(allocating(100, 100, 25)), "");
  EXPECT_EQ(against(allocating(100, 25, 100)), "");
  EXPECT_EQ(against(allocating(60, 60, 12)),
            "The canary allocated 1.0MiB a second and the baseline 204.8KiB: the two do not do the same work and can't "
            "be compared. Is one of them a leader, or the worker of a queue?");
  EXPECT_THAT(against(allocating(60, 12, 60)), HasSubstr("204.8KiB a second and the baseline 1.0MiB"));
}

TEST(UnequalArms, AreThoseOfWhichOneAnswersMoreThanFourTimesAsMuch) {
  const auto answering = [](std::int64_t canary, std::int64_t baseline) {
    World world = allocating(100, 100, 100);
    world.facts.verdict.evidence.canary_requests = canary;
    world.facts.verdict.evidence.baseline_requests = baseline;
    return against(world);
  };
  EXPECT_EQ(answering(400, 100), "");
  EXPECT_THAT(answering(401, 100), HasSubstr("The canary answered 401 requests and the baseline 100: the two do not"));
  EXPECT_NE(answering(100, 401), "");
  EXPECT_NE(answering(100, 0), "");
  EXPECT_EQ(answering(99, 0), "") << "too few to say";
}

TEST(UnequalArms, AreComparedByTheMeanOfTheirPodsOverTheTimeOfTheMeasuring) {
  World world = allocating(100, 100, 25);
  PodSeries idle = World::pod("canary-2", Track::kCanary);
  idle.samples.change_last([](Sample& last) { last.mem->total_alloc = mib(40); });
  world.facts.observed.pods.push_back(idle);
  EXPECT_EQ(against(world), "") << "70 and 25";
  PodSeries busy = World::pod("canary-3", Track::kCanary);
  busy.samples.change_last([](Sample& last) { last.mem->total_alloc = mib(190); });
  world.facts.observed.pods.push_back(busy);
  EXPECT_NE(against(world), "") << "110 and 25";

  world = allocating(100, 100, 20);
  ASSERT_NE(against(world), "");
  world.trial->status.measuring_since = builders::kStart + seconds(1);
  EXPECT_EQ(against(world), "") << "one reading since then tells no rate";
  world.trial->status.measuring_since.reset();
  EXPECT_NE(against(world), "");
  world.facts.observed.pods[2].samples.change(0, [](Sample& first) { first.mem.reset(); });
  EXPECT_EQ(against(world), "");
}

TEST(IdleArms, AreThoseOfWhichNoneAllocatesAQuarterOfWhatTheTargetDoes) {
  EXPECT_EQ(against(allocating(100, 25, 10)), "") << "the busier one counts";
  EXPECT_EQ(against(allocating(100, 10, 25)), "");
  EXPECT_EQ(
      against(allocating(120, 24, 12)),
      "A pod of the target allocated 2.0MiB a second and none of the trial's more than 409.6KiB: they do little of "
      "its work, and show little of what it costs. Does a leader do it, or do clients keep the connections that "
      "they have?");
  World unread = allocating(120, 24, 12);
  unread.facts.observed.pods[0].samples.clear();
  EXPECT_EQ(against(unread), "");
}

TEST(ReasonsOfPeople, AreThoseByWhichAVariableIsTheirs) {
  EXPECT_TRUE(policy::is_a_persons("FieldConflict"));
  EXPECT_TRUE(policy::is_a_persons("SettingsChanged"));
  EXPECT_FALSE(policy::is_a_persons("TemplateChanged"));
}

}  // namespace
}  // namespace gopacer
