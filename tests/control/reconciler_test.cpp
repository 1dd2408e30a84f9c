#include "control/reconciler.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "codec/resources.h"
#include "codec/trial.h"
#include "control/simulation.h"
#include "fakes/objects.h"

namespace gopacer {
namespace {

using nlohmann::json;
using objects::annotation;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// How a story ended, for comparing two tellings of it.
json outcome_of(Simulation& simulation) {
  json out;
  out["env"] = simulation.target()["spec"]["template"]["spec"]["containers"][0]["env"];
  out["causeLeft"] = annotation(simulation.target(), "kubernetes.io/change-cause");
  out["canaryLeft"] = simulation.arms_are_there();
  for (const json& trial : objects::all(simulation.api, resources::kTrials)) {
    const json status = trial.value("status", json::object());
    out["trials"].push_back({{"name", trial["metadata"]["name"]},
                             {"phase", status.value("phase", "")},
                             {"verdict", status.value("verdict", "")},
                             {"reason", status.value("reason", "")}});
  }
  const json status = simulation.profile()["status"];
  out["applied"] = status.value("applied", json());
  out["activeTrial"] = status["activeTrial"];
  out["trialCount"] = status["trialCount"];
  out["missedPredictions"] = status["missedPredictions"];
  for (const json& ban : status["bannedRegions"]) {
    out["banned"].push_back({ban.value("gogc", ""), ban.value("goMemLimit", ""), ban["reason"]});
  }
  return out;
}

/// Everybody who gets the new settings becomes slower.
void make_new_settings_slow(Simulation& simulation) {
  simulation.observations.slowdown = [](Track, const Settings& settings, Time) { return settings.gogc ? 1.3 : 1.0; };
}
/// Only the target's own pods do, from some minutes on: no canary could have shown it.
void make_target_slow_later(Simulation& simulation) {
  simulation.observations.slowdown = [](Track track, const Settings& settings, Time at) {
    return track == Track::kStable && settings.gogc && at > kBegin + minutes(3) ? 3.0 : 1.0;
  };
  simulation.change_profile({{"rollback", {{"watchFor", "6m"}}}});
}

struct Story {
  const char* name;
  void (*prepare)(Simulation&);
  const char* verdict;
};

const Story kStories[] = {
    {"Promotion", [](Simulation&) {}, "Promote"},
    {"FailedCanary", make_new_settings_slow, "RollBack"},
    {"RollbackAfterThePromotion", make_target_slow_later, "RollBack"},
};

/// Tells the story to its end, and a little longer.
::testing::AssertionResult tell(Simulation& simulation, const Story& story) {
  story.prepare(simulation);
  if (!simulation.run_until([&] { return simulation.trial_is_in("Ended"); })) {
    return ::testing::AssertionFailure() << "the trial is still in '" << simulation.trial_phase()
                                         << "'; profile: " << simulation.profile()["status"].dump(1);
  }
  simulation.run_for(seconds(20));
  return ::testing::AssertionSuccess();
}

TEST(Simulation, KnowsOurKindsAsAClusterDoes) {
  json profile = objects::profile_object();
  profile["spec"]["canary"]["replica"] = 2;
  Simulation simulation(profile);
  const json spec = simulation.profile()["spec"];
  EXPECT_FALSE(spec["canary"].contains("replica")) << "no field of the schema";
  EXPECT_EQ(spec["history"]["successfulTrialsLimit"], 5) << "by default";
}

TEST(Operator, PromotesBetterSettings) {
  Simulation simulation;
  const json before = simulation.target()["spec"];

  ASSERT_TRUE(simulation.run_until_phase("WarmUp")) << simulation.profile().dump(1);
  EXPECT_TRUE(simulation.arms_are_there());
  EXPECT_EQ(simulation.target()["spec"], before) << "the target is not touched before the canary passed";
  ASSERT_TRUE(simulation.run_until_phase("Promoting")) << simulation.trial().dump(1);
  EXPECT_EQ(simulation.target()["spec"], before);
  ASSERT_TRUE(simulation.run_until_phase("Watching")) << simulation.trial().dump(1);
  EXPECT_GT(std::stoi(simulation.gogc()), 100);
  EXPECT_FALSE(simulation.canary_is_there());
  EXPECT_TRUE(simulation.baseline_is_there()) << "it stays for the watch";
  EXPECT_EQ(simulation.profile()["status"]["phase"], "Watching");
  ASSERT_TRUE(simulation.run_until_phase("Ended"));
  EXPECT_EQ(simulation.trial_verdict(), "Promote");
  EXPECT_EQ(annotation(simulation.target(), "kubernetes.io/change-cause"), "");

  simulation.run_for(minutes(2));
  const json status = simulation.profile()["status"];
  EXPECT_EQ(status["activeTrial"], "");
  EXPECT_EQ(status["trialCount"], 1) << "and nothing more is tried during the cool-down";
  EXPECT_EQ(status["applied"]["gogc"], simulation.gogc());
  EXPECT_TRUE(status.value("bannedRegions", json::array()).empty());
  EXPECT_EQ(status["missedPredictions"], 0) << "the pods behave by the model's own formulas";
}

TEST(Operator, TellsAPromotionOnceInEvents) {
  Simulation simulation;
  ASSERT_TRUE(tell(simulation, kStories[0]));
  EXPECT_EQ(simulation.events.count("TrialStarted", "GoRuntimeProfile"), 1);
  EXPECT_EQ(simulation.events.count("TrialStepCompleted", "GoRuntimeTrial"), 3);
  EXPECT_EQ(simulation.events.count("Promoted", "GoRuntimeTrial"), 1);
  EXPECT_EQ(simulation.events.count("TrialSucceeded", "GoRuntimeTrial"), 1);
  EXPECT_EQ(simulation.events.count("RolledBack", "GoRuntimeTrial"), 0);
}

TEST(Operator, LeavesTheTargetUntouchedWhenTheCanaryIsWorse) {
  Simulation simulation;
  const json before = simulation.target()["spec"];
  ASSERT_TRUE(tell(simulation, kStories[1]));
  EXPECT_EQ(simulation.trial_verdict(), "RollBack");
  EXPECT_EQ(simulation.target()["spec"], before);
  EXPECT_EQ(simulation.target()["metadata"]["generation"], 1);
  EXPECT_FALSE(simulation.arms_are_there());
  EXPECT_THAT(simulation.profile()["status"]["bannedRegions"], SizeIs(1));
  EXPECT_EQ(simulation.events.count("RolledBack", "GoRuntimeTrial"), 1);
}

TEST(Operator, RollsBackWhenTheTargetSuffersAfterThePromotion) {
  Simulation simulation;
  const json before = simulation.target()["spec"];
  ASSERT_TRUE(tell(simulation, kStories[2]));
  EXPECT_EQ(simulation.trial_verdict(), "RollBack");
  EXPECT_EQ(simulation.target()["spec"], before) << "exactly what was there";
  EXPECT_EQ(simulation.target()["metadata"]["generation"], 3) << "one rollout there and one back";
  EXPECT_FALSE(simulation.profile()["status"].contains("applied"));
  EXPECT_THAT(simulation.profile()["status"]["bannedRegions"], SizeIs(1));
  EXPECT_EQ(simulation.events.count("Promoted", "GoRuntimeTrial"), 1);
  EXPECT_EQ(simulation.events.count("RollbackStarted", "GoRuntimeTrial"), 1);
  EXPECT_EQ(simulation.events.count("RolledBack", "GoRuntimeTrial"), 1);
  EXPECT_EQ(annotation(simulation.target(), "kubernetes.io/change-cause"), "");
}

TEST(Operator, StopsACanaryThatIsKilledForItsMemoryOnceTheBaselineLivesOn) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Measuring"));
  simulation.observations.canary_was_oom_killed = true;
  const Time killed = simulation.clock.now();
  ASSERT_TRUE(simulation.run_until_phase("Ended"));
  EXPECT_GE(simulation.clock.now() - killed, seconds(29));
  EXPECT_LE(simulation.clock.now() - killed, seconds(40));
  EXPECT_EQ(simulation.trial_verdict(), "RollBack");
  EXPECT_EQ(simulation.trial()["status"]["reason"], "OOMKilled");
  EXPECT_EQ(simulation.gogc(), "");
}

TEST(Operator, OnlyRecommendsWhenThatIsAllItMay) {
  json profile = objects::profile_object();
  profile["spec"]["updatePolicy"]["updateMode"] = "Off";
  Simulation simulation(profile);
  const json before = simulation.target();
  simulation.run_for(minutes(5));
  EXPECT_EQ(simulation.target(), before);
  EXPECT_TRUE(objects::all(simulation.api, resources::kTrials).empty());
  const json status = simulation.profile()["status"];
  EXPECT_EQ(status["phase"], "Recommended");
  EXPECT_GT(status["recommendation"]["gogc"], 100);
}

TEST(Operator, SaysWhatToDoWhenNoPodCanBeRead) {
  Simulation simulation;
  simulation.observations.readable = false;
  simulation.run_for(minutes(1));
  const json status = simulation.profile()["status"];
  for (const json& condition : status["conditions"]) {
    if (condition["type"] != "Ready") continue;
    EXPECT_EQ(condition["status"], "False");
    EXPECT_THAT(condition["message"].get<std::string>(), HasSubstr("import net/http/pprof"));
  }
  EXPECT_EQ(simulation.trial_phase(), "");
}

TEST(Operator, WritesLittleWhileNothingHappens) {
  Simulation simulation;
  ASSERT_TRUE(tell(simulation, kStories[0]));
  simulation.api.forget_writes();
  std::string changes;
  json before = simulation.profile()["status"];
  const auto look = [&] {
    const json now = simulation.profile()["status"];
    if (now != before) changes += json::diff(before, now).dump() + "\n";
    before = now;
    return false;
  };
  simulation.run_until(look, minutes(10));
  EXPECT_LE(simulation.api.writes().size(), 11U) << "figures that drift, once a minute at most:\n" << changes;
}

TEST(Operator, EndsATrialWithoutDataAsInconclusive) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Measuring"));
  simulation.observations.readable = false;
  ASSERT_TRUE(simulation.run_until_phase("Ended"));
  EXPECT_EQ(simulation.trial_verdict(), "Inconclusive");
  EXPECT_EQ(simulation.gogc(), "");
  EXPECT_FALSE(simulation.arms_are_there());
}

TEST(Operator, EndsATrialWhenAPersonChangesTheImage) {
  for (const char* const phase : {"WarmUp", "Measuring", "Watching"}) {
    Simulation simulation;
    ASSERT_TRUE(simulation.run_until_phase(phase));
    simulation.change_target("kubectl-set", {{"name", "app"}, {"image", "checkout:2"}});
    ASSERT_TRUE(simulation.run_until_phase("Ended"));
    EXPECT_EQ(simulation.trial_verdict(), "Superseded") << phase;
    EXPECT_FALSE(simulation.arms_are_there());
    EXPECT_EQ(simulation.target()["spec"]["template"]["spec"]["containers"][0]["image"], "checkout:2");
  }
}

TEST(Operator, LeavesAPersonsSettingsAlone) {
  for (const char* const phase : {"Measuring", "Watching"}) {
    Simulation simulation;
    ASSERT_TRUE(simulation.run_until_phase(phase));
    const json theirs{{"name", "app"}, {"env", json::array({{{"name", "GOGC"}, {"value", "80"}}})}};
    simulation.change_target("kubectl-set", theirs);
    ASSERT_TRUE(simulation.run_until_phase("Ended"));
    simulation.run_for(minutes(2));
    EXPECT_EQ(simulation.trial_verdict(), "Superseded") << phase;
    EXPECT_EQ(simulation.gogc(), "80") << phase;
    EXPECT_EQ(simulation.trial_phase(2), "") << phase;
    EXPECT_GE(simulation.events.count("FieldConflict", "GoRuntimeProfile"), 1);
  }
}

TEST(Operator, RespectsThatAPersonUndoesAPromotion) {
  for (const bool during_the_watch : {true, false}) {
    Simulation simulation;
    ASSERT_TRUE(simulation.run_until_phase(during_the_watch ? "Watching" : "Ended"));
    // kubectl rollout undo: the old pod template, as a plain update.
    json undone = simulation.target();
    undone["spec"]["template"] = objects::deployment_object()["spec"]["template"];
    undone["metadata"]["generation"] = undone["metadata"]["generation"].get<int>() + 1;
    ASSERT_TRUE(simulation.api.replace(objects::deployment_path(objects::kTarget), undone));
    simulation.run_for(minutes(5));
    EXPECT_EQ(simulation.gogc(), "");
    EXPECT_EQ(simulation.trial_phase(2), "") << "the same is not tried again";
    EXPECT_THAT(simulation.profile()["status"]["bannedRegions"], SizeIs(1));
    EXPECT_EQ(simulation.profile()["status"]["bannedRegions"][0]["reason"], "SettingsChanged");
    EXPECT_FALSE(simulation.profile()["status"].contains("applied"));
  }
}

TEST(Operator, BringsATrialToItsEndWhenItsProfileIsDeleted) {
  for (const char* const phase : {"Pending", "Measuring", "Watching"}) {
    Simulation simulation;
    ASSERT_TRUE(simulation.run_until([&] { return simulation.trial_is_in(phase); }));
    ASSERT_TRUE(simulation.api.remove(objects::profile_path(), ""));
    ASSERT_TRUE(simulation.run_until_phase("Ended")) << phase;
    EXPECT_EQ(simulation.trial_verdict(), "Aborted");
    EXPECT_FALSE(simulation.arms_are_there());
    ASSERT_TRUE(simulation.run_until([&] { return simulation.profile().is_null(); })) << "it waits for its trial";
    EXPECT_EQ(simulation.gogc(), "") << "nobody has judged them to the end, " << phase;
    simulation.pass();
    EXPECT_GE(simulation.observations.forgotten, 1);
  }
}

TEST(Operator, FinishesARollbackWithoutItsProfile) {
  Simulation simulation;
  const json before = simulation.target()["spec"];
  make_target_slow_later(simulation);
  ASSERT_TRUE(simulation.run_until_phase("RollingBack"));
  ASSERT_TRUE(simulation.api.remove(objects::profile_path(), ""));
  ASSERT_TRUE(simulation.run_until_phase("Ended"));
  EXPECT_EQ(simulation.trial_verdict(), "RollBack");
  EXPECT_EQ(simulation.target()["spec"], before);
}

TEST(Operator, EndsATrialThatAPersonSuspends) {
  for (const char* const phase : {"Pending", "WarmUp", "Measuring"}) {
    Simulation simulation;
    const json before = simulation.target()["spec"];
    ASSERT_TRUE(simulation.run_until_phase(phase)) << phase;
    simulation.change_profile({{"updatePolicy", {{"suspend", true}}}});
    ASSERT_TRUE(simulation.run_until_phase("Ended")) << phase;
    EXPECT_EQ(simulation.trial_verdict(), "Aborted") << phase;
    simulation.run_for(minutes(5));
    EXPECT_FALSE(simulation.arms_are_there()) << phase;
    EXPECT_EQ(simulation.target()["spec"], before) << phase;
    EXPECT_EQ(simulation.trial_phase(2), "") << "nothing is tried while it is suspended, " << phase;
    simulation.change_profile({{"updatePolicy", {{"suspend", false}}}});
    EXPECT_TRUE(simulation.run_until_phase("Ended", 2)) << phase;
    EXPECT_EQ(simulation.trial_verdict(2), "Promote") << phase;
  }
}

TEST(Operator, LeavesTheTargetAloneWhenAPersonDeletesATrialBeforeItsPromotion) {
  for (const char* const phase : {"Pending", "WarmUp", "Measuring"}) {
    Simulation simulation;
    const json before = simulation.target()["spec"];
    ASSERT_TRUE(simulation.run_until_phase(phase)) << phase;
    ASSERT_TRUE(simulation.api.remove(objects::trial_path({"shop", "checkout-1"}), ""));
    EXPECT_TRUE(simulation.run_until([&] { return simulation.trial().is_null(); })) << phase;
    EXPECT_FALSE(simulation.arms_are_there()) << phase;
    EXPECT_EQ(simulation.target()["spec"], before) << phase;
  }
}

TEST(Operator, TakesUnconfirmedSettingsBackWhenAPersonDeletesTheTrial) {
  for (const std::string phase : {"Promoting", "Watching", "RollingBack"}) {
    Simulation simulation;
    const json before = simulation.target()["spec"];
    if (phase == "RollingBack") make_target_slow_later(simulation);
    ASSERT_TRUE(simulation.run_until_phase(phase)) << phase;
    ASSERT_TRUE(simulation.run_until([&] { return simulation.gogc() != ""; })) << phase;
    ASSERT_TRUE(simulation.api.remove(objects::trial_path({"shop", "checkout-1"}), ""));
    EXPECT_TRUE(simulation.run_until([&] { return simulation.trial().is_null(); })) << phase;
    EXPECT_EQ(simulation.target()["spec"], before) << phase;
    EXPECT_NE(simulation.profile()["status"].value("activeTrial", ""), "checkout-1") << phase;
  }
}

TEST(Operator, PutsTheSettingsOfAnEarlierTrialBackWhenAPersonAsks) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Ended"));
  ASSERT_EQ(simulation.trial_verdict(), "Promote");
  const std::string promoted = simulation.gogc();
  simulation.api.update_as("kubectl-set", objects::deployment_path(objects::kTarget), [](json& target) {
    for (json& entry : target["spec"]["template"]["spec"]["containers"][0]["env"]) {
      if (entry["name"] == "GOGC") entry["value"] = "60";
    }
  });
  simulation.change_profile({{"updatePolicy", {{"updateMode", "Off"}}}});
  simulation.run_for(minutes(1));
  ASSERT_EQ(simulation.gogc(), "60") << "a person's";
  const json asks{{"metadata", {{"annotations", {{"gopacer.dev/undo-to", "checkout-1"}}}}}};
  ASSERT_TRUE(simulation.api.merge_patch(objects::profile_path(), asks, ""));
  simulation.run_for(minutes(1));
  EXPECT_EQ(simulation.gogc(), "60") << "theirs is never taken by force";
  // As the person lets go of it.
  simulation.api.update_as("kubectl-set", objects::deployment_path(objects::kTarget), [](json& target) {
    auto& env = target["spec"]["template"]["spec"]["containers"][0]["env"].get_ref<json::array_t&>();
    std::erase_if(env, [](const json& entry) { return entry["name"] == "GOGC"; });
  });
  EXPECT_TRUE(simulation.run_until([&] { return simulation.gogc() == promoted; }));
  EXPECT_TRUE(
      simulation.run_until([&] { return simulation.profile()["status"].value("undoneTo", "") == "checkout-1"; }));
}

TEST(Operator, ComparesArmsOfSeveralPods) {
  Simulation simulation;
  json big = objects::deployment_object();
  big["spec"]["replicas"] = 12;  // the arms are a quarter of it at most
  objects::deploy(simulation.api, big);
  simulation.change_profile({{"canary", {{"replicas", 3}}}});
  ASSERT_TRUE(simulation.run_until_phase("Measuring"));
  EXPECT_EQ(simulation.api.peek(objects::deployment_path(objects::kCanary))["spec"]["replicas"], 3);
  EXPECT_EQ(simulation.api.peek(objects::deployment_path(objects::kBaseline))["spec"]["replicas"], 3);
  ASSERT_TRUE(simulation.run_until_phase("Watching"));
  // Each of the three answers what one would.
  const json samples = simulation.trial()["status"]["samples"];
  const double seconds_measured = 5.0 * simulation.trial()["status"]["windows"].get<double>();
  EXPECT_NEAR(samples["canary"].get<double>(), 3 * 100 * seconds_measured, 0.1 * 300 * seconds_measured);
  EXPECT_NEAR(samples["baseline"].get<double>(), 3 * 100 * seconds_measured, 0.1 * 300 * seconds_measured);
}

TEST(Operator, PromotesOnlyWhatKeepsEverySlo) {
  json profile = objects::profile_object();
  json second = profile["spec"]["slos"][0];
  second["name"] = "of another page";
  profile["spec"]["slos"].push_back(second);
  Simulation served(profile);
  served.observations.slos.push_back("of another page");
  ASSERT_TRUE(served.run_until_phase("Ended")) << served.trial_phase();
  EXPECT_EQ(served.trial_verdict(), "Promote");
  Simulation not_served(profile);
  not_served.run_for(minutes(5));
  EXPECT_EQ(not_served.trial_phase(), "") << "two pods that can only find out what is known already";
}

TEST(Operator, ReleasesItsSettingsWithTheProfileWhenItIsAskedTo) {
  json profile = objects::profile_object();
  profile["spec"]["updatePolicy"]["revertOnDeletion"] = true;
  for (const char* const phase : {"Watching", "Ended"}) {
    Simulation simulation(profile);
    const json before = simulation.target()["spec"];
    ASSERT_TRUE(simulation.run_until_phase(phase));
    ASSERT_NE(simulation.gogc(), "");
    ASSERT_TRUE(simulation.api.remove(objects::profile_path(), ""));
    ASSERT_TRUE(simulation.run_until([&] { return simulation.profile().is_null(); })) << simulation.profile().dump(1);
    EXPECT_EQ(simulation.target()["spec"], before) << phase;
    EXPECT_FALSE(simulation.arms_are_there());
  }
}

TEST(Operator, TriesAPersonsOwnSettingsAndTakesThemBackWhenTheyHurt) {
  json profile = objects::profile_object();
  profile["spec"]["rollback"]["coolDown"] = "10s";
  Simulation simulation(profile);
  ASSERT_TRUE(tell(simulation, kStories[0]));
  const std::string good = simulation.gogc();
  simulation.observations.slowdown = [](Track, const Settings& settings, Time) {
    return settings.gogc && settings.gogc->percent() < 50 ? 1.5 : 1.0;
  };
  simulation.change_profile({{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 25}}}}}});
  ASSERT_TRUE(simulation.run_until_phase("Ended", 2)) << simulation.profile()["status"].dump(1);
  EXPECT_EQ(simulation.trial_verdict(2), "RollBack");
  EXPECT_EQ(simulation.gogc(), good);
  simulation.run_for(minutes(2));
  EXPECT_EQ(simulation.trial_phase(3), "") << "the banned settings are not tried again";
}

TEST(Operator, NeverTriesTwoThingsAtOnceThoughTheTrialsWatchIsLate) {
  Simulation simulation;
  simulation.late = resources::kTrials.plural;
  ASSERT_TRUE(tell(simulation, kStories[0]));
  EXPECT_EQ(simulation.trial_verdict(), "Promote");
  EXPECT_THAT(objects::all(simulation.api, resources::kTrials), SizeIs(1));
  EXPECT_EQ(simulation.profile()["status"]["trialCount"], 1);
  EXPECT_EQ(simulation.events.count("Promoted", "GoRuntimeTrial"), 1);
}

enum class Calls { kAll, kWrites };

/// Which sixth of the calls is tried: each commit's is another one. `commits` is how many there are, as tools/test.sh
/// says in GOPACER_SIXTH; null: it was not said.
int sixth_of(const char* commits) {
  return commits == nullptr ? 0 : static_cast<int>(std::strtoul(commits, nullptr, 10) % 6);
}

bool is_of_sixth(int sixth, int telling) { return telling % 6 == sixth; }

TEST(Sixths, OfSixCommitsInARowHaveEachCallOnce) {
  for (int telling = 0; telling < 18; ++telling) {
    int tried = 0;
    for (const char* const commits : {"597", "598", "599", "600", "601", "602"}) {
      tried += is_of_sixth(sixth_of(commits), telling) ? 1 : 0;
    }
    EXPECT_EQ(tried, 1) << telling;
  }
}

TEST(Sixths, AreTheFirstWhereNobodyCountsCommits) {
  EXPECT_EQ(sixth_of(nullptr), 0);
  EXPECT_EQ(sixth_of(""), 0);
}

// With apply: Live

json live_profile() {
  json profile = objects::profile_object();
  profile["spec"]["updatePolicy"]["apply"] = "Live";
  profile["spec"]["slos"][0]["max"] = "100ms";
  profile["spec"]["canary"]["maxDuration"] = "20m";
  profile["spec"]["canary"]["replicas"] = 4;
  return profile;
}

void make_watch_slow(Simulation& simulation) {
  simulation.observations.slowdown = [&simulation](Track, const Settings&, Time) {
    return simulation.trial_is_in("Watching") ? 8.0 : 1.0;
  };
  simulation.change_profile({{"rollback", {{"watchFor", "3m"}}}});
}

const Story kLiveStories[] = {
    {"Promotion", [](Simulation&) {}, "Promote"},
    {"FailedTurns", make_new_settings_slow, "RollBack"},
    {"RollbackAfterThePromotion", make_watch_slow, "RollBack"},
};

/// The story with agents, and what the target's processes run at its end.
::testing::AssertionResult tell_live(Simulation& simulation, const Story& story) {
  simulation.observations.agents = true;
  story.prepare(simulation);
  if (!simulation.run_until([&] { return simulation.trial_is_in("Ended"); }, minutes(40))) {
    return ::testing::AssertionFailure() << "the trial is still in '" << simulation.trial_phase()
                                         << "'; profile: " << simulation.profile()["status"].dump(1)
                                         << simulation.trial()["status"].dump(1);
  }
  simulation.run_for(seconds(20));
  return ::testing::AssertionSuccess();
}

json live_outcome_of(Simulation& simulation) {
  json out = outcome_of(simulation);
  out["withOthersThanTheDefault"] =
      simulation.observations.processes_with([](const Gogc& gogc) { return gogc.percent() != 100; });
  out["generation"] = simulation.target()["metadata"]["generation"];
  return out;
}

/// How the story ends when nothing goes wrong.
Simulation& smooth_live(const Story& story) {
  static std::map<std::string, std::unique_ptr<Simulation>> told;
  std::unique_ptr<Simulation>& one = told[story.name];
  if (!one) {
    one = std::make_unique<Simulation>(live_profile());
    EXPECT_TRUE(tell_live(*one, story));
  }
  return *one;
}

class EachLiveStory : public ::testing::TestWithParam<Story> {};

TEST_P(EachLiveStory, EndsAsItShouldAndNeverTouchesTheDeployment) {
  Simulation& simulation = smooth_live(GetParam());
  const json before = Simulation(live_profile()).target()["spec"];
  EXPECT_EQ(simulation.trial_verdict(), GetParam().verdict) << simulation.trial()["status"].dump(1);
  EXPECT_EQ(simulation.target()["spec"], before);
  EXPECT_EQ(simulation.target()["metadata"]["generation"], 1);
  EXPECT_FALSE(simulation.arms_are_there());
  const bool promoted = GetParam().verdict == std::string("Promote");
  const json applied = simulation.profile()["status"].value("applied", json());
  EXPECT_EQ(!applied.is_null(), promoted);
  EXPECT_EQ(promoted ? applied["beside"] : json::object(), json::object()) << "Go's defaults";
  const int replicas = before.value("replicas", 1);
  EXPECT_EQ(live_outcome_of(simulation)["withOthersThanTheDefault"], promoted ? replicas : 0);
  EXPECT_LE(simulation.failed_passes, 2);
}

TEST_P(EachLiveStory, EndsTheSameThoughAWatchIsLate) {
  Simulation& smooth = smooth_live(GetParam());
  for (const ResourceType& late : {resources::kProfiles, resources::kTrials}) {
    Simulation simulation(live_profile());
    simulation.late = late.plural;
    ASSERT_TRUE(tell_live(simulation, GetParam())) << late.plural;
    EXPECT_EQ(live_outcome_of(simulation), live_outcome_of(smooth)) << late.plural;
  }
}

TEST_P(EachLiveStory, EndsTheSameWhereverTheOperatorDies) {
  Simulation& smooth = smooth_live(GetParam());
  const json wanted = live_outcome_of(smooth);
  const bool all = std::getenv("GOPACER_LONG") != nullptr;
  const int sixth = sixth_of(std::getenv("GOPACER_SIXTH"));
  int telling = 0;
  for (const int call : smooth.telling_calls) {
    const std::string& made = smooth.connection.log()[static_cast<std::size_t>(call)];
    if (made.starts_with("get") || made.starts_with("list")) continue;
    if (!is_of_sixth(sixth, telling++) && !all) continue;
    // A death before a call is one after the call before, to all but the first of a pass.
    const Accident accident = telling % 2 == 0 ? Accident::kDeath : Accident::kDeathAfter;
    SCOPED_TRACE(made + " of call " + std::to_string(call) + ": " + to_string(accident));
    Simulation simulation(live_profile());
    simulation.connection.plan({{call, accident}});
    ASSERT_TRUE(tell_live(simulation, GetParam()));
    EXPECT_EQ(simulation.deaths, 1);
    ASSERT_EQ(live_outcome_of(simulation), wanted);
  }
}

INSTANTIATE_TEST_SUITE_P(Operator, EachLiveStory, ::testing::ValuesIn(kLiveStories),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(LiveOperator, LeavesNothingWhenItsTrialIsTakenAwayByForce) {
  for (const char* const phase : {"Measuring", "Promoting"}) {
    Simulation simulation(live_profile());
    simulation.observations.agents = true;
    ASSERT_TRUE(simulation.run_until([&] { return simulation.trial_is_in(phase); }, minutes(30))) << phase;
    objects::drop_trial(simulation.api, {"shop", "checkout-1"});
    simulation.change_profile({{"updatePolicy", {{"suspend", true}}}});
    simulation.run_for(seconds(30));
    EXPECT_EQ(simulation.profile()["status"].value("activeTrial", ""), "");
    EXPECT_FALSE(simulation.profile()["status"].contains("applied"));
    EXPECT_EQ(simulation.observations.processes_with([](const Gogc& gogc) { return gogc.percent() != 100; }), 0);
  }
}

TEST(LiveOperator, GivesAllBackWhenItIsAwayForLonger) {
  Simulation simulation(live_profile());
  simulation.observations.agents = true;
  ASSERT_TRUE(simulation.run_until_phase("Measuring"));
  simulation.run_for(seconds(30));
  const auto changed = [&] {
    return simulation.observations.processes_with([](const Gogc& gogc) { return gogc.percent() != 100; });
  };
  EXPECT_GT(changed(), 0);
  for (int i = 0; i < 15; ++i) {
    simulation.clock.advance(seconds(1));
    simulation.observations.follow_cluster();
  }
  EXPECT_EQ(changed(), 0) << "the lease is over";
  ASSERT_TRUE(simulation.run_until([&] { return simulation.trial_is_in("Ended"); }, minutes(40)));
  EXPECT_EQ(simulation.trial_verdict(), "Promote");
}

class EachStory : public ::testing::TestWithParam<Story> {};

TEST_P(EachStory, EndsAsItShould) {
  Simulation simulation;
  ASSERT_TRUE(tell(simulation, GetParam()));
  EXPECT_EQ(simulation.trial_verdict(), GetParam().verdict);
  EXPECT_LE(simulation.failed_passes, 2) << "the profile's finalizer is set and taken away";
}

TEST_P(EachStory, EndsTheSameWithANewOperatorForEachPass) {
  Simulation smooth;
  ASSERT_TRUE(tell(smooth, GetParam()));
  Simulation restless;
  restless.restart_before_each_pass = true;
  ASSERT_TRUE(tell(restless, GetParam()));
  EXPECT_EQ(outcome_of(restless), outcome_of(smooth));
  EXPECT_EQ(restless.target()["metadata"]["generation"], smooth.target()["metadata"]["generation"]);
}

TEST_P(EachStory, EndsTheSameThoughAWatchIsLate) {
  Simulation smooth;
  ASSERT_TRUE(tell(smooth, GetParam()));
  for (const ResourceType& late : {resources::kProfiles, resources::kDeployments, resources::kTrials}) {
    Simulation simulation;
    simulation.late = late.plural;
    ASSERT_TRUE(tell(simulation, GetParam())) << late.plural;
    EXPECT_EQ(outcome_of(simulation), outcome_of(smooth)) << late.plural;
    EXPECT_EQ(simulation.target()["metadata"]["generation"], smooth.target()["metadata"]["generation"]) << late.plural;
  }
}

TEST_P(EachStory, EndsTheSameThoughDeploymentsAreLongInGoing) {
  Simulation smooth;
  ASSERT_TRUE(tell(smooth, GetParam()));
  Simulation simulation;
  simulation.delete_deployments_slowly(seconds(10));
  ASSERT_TRUE(tell(simulation, GetParam()));
  EXPECT_GE(simulation.slow_deletions, 1);
  EXPECT_EQ(outcome_of(simulation), outcome_of(smooth));
  EXPECT_EQ(simulation.target()["metadata"]["generation"], smooth.target()["metadata"]["generation"]);
}

/// A story with accidents ends as it does without any, and takes no rollout more. One sixth of the calls is tried; all
/// of them with GOPACER_LONG=1.
void expect_the_same_end(const Story& story, Calls calls,
                         const std::function<std::map<int, Accident>(int call, int telling)>& accidents) {
  Simulation smooth;
  ASSERT_TRUE(tell(smooth, story));
  const json wanted = outcome_of(smooth);
  ASSERT_GT(smooth.telling_calls.size(), 10U);
  const bool all = std::getenv("GOPACER_LONG") != nullptr;
  const int sixth = sixth_of(std::getenv("GOPACER_SIXTH"));
  int telling = 0;
  for (const int call : smooth.telling_calls) {
    const std::string& made = smooth.connection.log()[static_cast<std::size_t>(call)];
    // To a read, a lost answer and a death before it are what a refusal is.
    if (calls == Calls::kWrites && (made.starts_with("get") || made.starts_with("list"))) continue;
    if (!is_of_sixth(sixth, telling++) && !all) continue;
    const std::map<int, Accident> planned = accidents(call, telling);
    std::string what = "call " + std::to_string(call) + ", " + made + " (GOPACER_SIXTH=" + std::to_string(sixth) + ")";
    int deaths = 0;
    for (const auto& [at, accident] : planned) {
      what += "; " + std::to_string(at) + ": " + to_string(accident);
      deaths += accident == Accident::kDeath || accident == Accident::kDeathAfter ? 1 : 0;
    }
    SCOPED_TRACE(what);
    Simulation simulation;
    simulation.connection.plan(planned);
    ASSERT_TRUE(tell(simulation, story));
    EXPECT_EQ(simulation.deaths, deaths);
    ASSERT_EQ(outcome_of(simulation), wanted);
    ASSERT_EQ(simulation.target()["metadata"]["generation"], smooth.target()["metadata"]["generation"]);
  }
}

void expect_the_same_end(const Story& story, Accident accident, Calls calls) {
  expect_the_same_end(story, calls, [&](int call, int) { return std::map<int, Accident>{{call, accident}}; });
}

TEST_P(EachStory, EndsTheSameWhereverTheOperatorDies) {
  expect_the_same_end(GetParam(), Accident::kDeathAfter, Calls::kAll);
}

TEST_P(EachStory, EndsTheSameWhereverTheOperatorDiesBeforeItIsDone) {
  expect_the_same_end(GetParam(), Accident::kDeath, Calls::kWrites);
}

TEST_P(EachStory, EndsTheSameWhicheverCallIsRefused) {
  expect_the_same_end(GetParam(), Accident::kRefused, Calls::kAll);
}

TEST_P(EachStory, EndsTheSameWhicheverAnswerIsLost) {
  expect_the_same_end(GetParam(), Accident::kAnswerLost, Calls::kWrites);
}

TEST_P(EachStory, EndsTheSameWhicheverChangeMeetsAnother) {
  expect_the_same_end(GetParam(), Accident::kConflict, Calls::kWrites);
}

TEST_P(EachStory, EndsTheSameAfterTwoAccidentsInARow) {
  constexpr Accident kAll[] = {Accident::kRefused, Accident::kAnswerLost, Accident::kDeath, Accident::kDeathAfter,
                               Accident::kConflict};
  // Each call meets another pair of them.
  expect_the_same_end(GetParam(), Calls::kWrites, [&](int call, int telling) {
    return std::map<int, Accident>{{call, kAll[telling % 5]}, {call + 1, kAll[(telling / 5 + telling) % 5]}};
  });
}

INSTANTIATE_TEST_SUITE_P(Operator, EachStory, ::testing::ValuesIn(kStories),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace gopacer
