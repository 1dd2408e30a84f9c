#include "control/cleanup.h"

#include <gmock/gmock.h>

#include "codec/fields.h"
#include "control/simulation.h"

namespace gopacer {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// gopacer is uninstalled from the cluster in memory: no pass of the operator follows.
CleanupReport clean_up(Simulation& simulation, const std::string& ns = "", Duration patience = minutes(2)) {
  const Time end = simulation.clock.now() + patience;
  return clean_up(simulation.connection, ns, simulation.clock, [&] {
    simulation.clock.advance(milliseconds(500));
    simulation.api.set_now(simulation.clock.now());
    return simulation.clock.now() < end;
  });
}

/// Nothing holds up the deletion of anything.
bool has_finalizers(Simulation& simulation) {
  for (const ResourceType& type : {resources::kProfiles, resources::kTrials}) {
    for (const json& object : objects::all(simulation.api, type)) {
      if (!object["metadata"].value("finalizers", json::array()).empty()) return true;
    }
  }
  return false;
}

TEST(Cleanup, EndsATrialInEachPhaseAndPutsBackWhatNobodyConfirmed) {
  for (const char* const phase : {"Pending", "WarmUp", "Measuring", "Promoting", "Watching"}) {
    Simulation simulation;
    const json before = simulation.target()["spec"];
    ASSERT_TRUE(simulation.run_until_phase(phase));
    const CleanupReport report = clean_up(simulation);
    EXPECT_THAT(report.failed, IsEmpty()) << phase;
    EXPECT_THAT(report.left, IsEmpty()) << phase;
    EXPECT_THAT(report.done, Contains(AllOf(HasSubstr("GoRuntimeTrial shop/checkout-1"), HasSubstr("Aborted"))));
    EXPECT_EQ(simulation.trial()["status"]["reason"], "Uninstalled") << phase;
    EXPECT_EQ(simulation.target()["spec"], before) << phase;
    EXPECT_EQ(objects::annotation(simulation.target(), "kubernetes.io/change-cause"), "") << phase;
    EXPECT_FALSE(simulation.arms_are_there()) << phase;
    EXPECT_FALSE(has_finalizers(simulation)) << phase;
    EXPECT_EQ(simulation.profile()["status"]["activeTrial"], "") << phase;
  }
}

TEST(Cleanup, SaysWhatItPutBackAndDoesNotWaitForTheRollout) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Watching"));
  const Time begun = simulation.clock.now();
  const CleanupReport report = clean_up(simulation);
  EXPECT_THAT(report.done, Contains(HasSubstr("What it had put into Deployment shop/checkout was taken back.")));
  EXPECT_LE(simulation.clock.now() - begun, seconds(10));
}

TEST(Cleanup, IsTheSameWhateverWriteFailsAndWhereverItDies) {
  for (const char* const phase : {"Measuring", "Watching"}) {
    std::vector<int> writes;
    const auto clean_up_with = [&](int call, Accident accident) {
      Simulation simulation;
      const json before = simulation.target()["spec"];
      ASSERT_TRUE(simulation.run_until_phase(phase));
      simulation.connection.plan(call, accident);
      CleanupReport report;
      try {
        report = clean_up(simulation);
      } catch (const Death&) {
        simulation.connection.plan({});
        report = clean_up(simulation);
      }
      // An arm that can't be deleted at the very end is told, and is the next attempt's.
      if (!report.failed.empty()) report = clean_up(simulation);
      const std::string when = std::string(phase) + ", " + to_string(accident) + " at call " + std::to_string(call);
      EXPECT_THAT(report.failed, IsEmpty()) << when;
      EXPECT_EQ(simulation.trial_verdict(), "Aborted") << when;
      EXPECT_EQ(simulation.target()["spec"], before) << when;
      EXPECT_FALSE(simulation.arms_are_there()) << when;
      EXPECT_FALSE(has_finalizers(simulation)) << when;
      if (accident != Accident::kNone) return;
      const auto& log = simulation.connection.log();
      for (int i = 0; i < simulation.connection.calls(); ++i) {
        const std::string& what = log[static_cast<std::size_t>(i)];
        if (!what.starts_with("get") && !what.starts_with("list")) writes.push_back(i);
      }
    };
    clean_up_with(0, Accident::kNone);
    EXPECT_GT(writes.size(), 5U);
    for (const Accident accident : {Accident::kDeathAfter, Accident::kConflict}) {
      for (const int call : writes) clean_up_with(call, accident);
    }
  }
}

TEST(Cleanup, DoesNothingTheSecondTime) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Watching"));
  clean_up(simulation);
  simulation.api.forget_writes();
  const CleanupReport report = clean_up(simulation);
  EXPECT_THAT(report.done, IsEmpty());
  EXPECT_THAT(report.failed, IsEmpty());
  EXPECT_THAT(simulation.api.writes(), IsEmpty());
}

TEST(Cleanup, LeavesConfirmedSettingsAndTellsQuietProfilesOnlyThatNobodyLooks) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Ended"));
  simulation.run_for(seconds(20));
  const json profile = simulation.profile();
  const json target = simulation.target();
  simulation.api.forget_writes();
  EXPECT_THAT(clean_up(simulation).done, IsEmpty());
  EXPECT_THAT(simulation.api.writes(), ElementsAre("patch GoRuntimeProfile shop/checkout"));
  EXPECT_EQ(simulation.target(), target);
  const json told = simulation.profile();
  EXPECT_EQ(told["spec"], profile["spec"]);
  EXPECT_EQ(told["metadata"]["finalizers"], profile["metadata"]["finalizers"]);
  EXPECT_EQ(told["status"]["applied"], profile["status"]["applied"]) << "for whoever comes back";
  EXPECT_EQ(told["status"]["phase"], "Blocked");
  EXPECT_THAT(told["status"]["conditions"].dump(), HasSubstr("Uninstalled"));
}

TEST(Cleanup, LetsAProfileGoThatWantsToBeRevertedAndSaysWhatStays) {
  json wanted = objects::profile_object();
  wanted["spec"]["updatePolicy"]["revertOnDeletion"] = true;
  Simulation simulation(wanted);
  ASSERT_TRUE(simulation.run_until_phase("Ended"));
  simulation.run_for(seconds(20));
  const std::string confirmed = simulation.gogc();
  ASSERT_TRUE(has_finalizers(simulation));
  const CleanupReport report = clean_up(simulation);
  EXPECT_FALSE(has_finalizers(simulation));
  EXPECT_EQ(simulation.gogc(), confirmed);
  EXPECT_THAT(report.left, ElementsAre(AllOf(HasSubstr("Deployment shop/checkout keeps GOGC=" + confirmed),
                                             HasSubstr("set env deployment/checkout GOGC- GOMEMLIMIT-"))));
  EXPECT_THAT(
      simulation.profile()["status"]["conditions"].dump(),
      HasSubstr("although revertOnDeletion is set, as nobody takes it back meanwhile; to do so: kubectl -n shop set "
                "env deployment/checkout GOGC- GOMEMLIMIT-"));
}

TEST(Cleanup, AdvisesNoChangeOfATemplateThatTheAgentsLeftAsItWas) {
  json wanted = objects::profile_object();
  wanted["spec"]["updatePolicy"]["revertOnDeletion"] = true;
  wanted["spec"]["updatePolicy"]["apply"] = "Live";
  Simulation simulation(wanted);
  simulation.run_for(seconds(1));
  const json applied{{"gogc", "150"},
                     {"container", "app"},
                     {"targetUid", simulation.target()["metadata"]["uid"]},
                     {"beside", json::object()}};
  ASSERT_TRUE(simulation.api.merge_patch(objects::profile_path(), {{"status", {{"applied", applied}}}}, "status"));
  ASSERT_TRUE(has_finalizers(simulation));
  const CleanupReport report = clean_up(simulation);
  EXPECT_THAT(report.failed, IsEmpty());
  EXPECT_THAT(report.left,
              ElementsAre(AllOf(HasSubstr("GoRuntimeProfile shop/checkout keeps GOGC=150 in its status"),
                                HasSubstr("Deployment shop/checkout needs no change"), Not(HasSubstr("set env")))));
  EXPECT_EQ(simulation.profile()["status"]["applied"], applied) << "for whoever comes back";
  EXPECT_THAT(simulation.profile()["status"]["conditions"].dump(),
              AllOf(HasSubstr("the pod template needs no change"), Not(HasSubstr("set env"))));
}

TEST(Cleanup, RevertsForAProfileThatIsBeingDeleted) {
  json wanted = objects::profile_object();
  wanted["spec"]["updatePolicy"]["revertOnDeletion"] = true;
  Simulation simulation(wanted);
  ASSERT_TRUE(simulation.run_until_phase("Ended"));
  simulation.run_for(seconds(20));
  ASSERT_TRUE(simulation.api.remove(objects::profile_path(), ""));
  ASSERT_FALSE(simulation.profile().is_null());
  EXPECT_THAT(clean_up(simulation).failed, IsEmpty());
  EXPECT_TRUE(simulation.profile().is_null());
  EXPECT_EQ(simulation.gogc(), "");
}

TEST(Cleanup, ForgetsATrialThatWasNotedAndNotYetMade) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until([&] {
    return simulation.profile().value("status", json::object()).value("activeTrial", "") == "checkout-1" &&
           simulation.trial().is_null();
  }));
  EXPECT_THAT(clean_up(simulation).failed, IsEmpty());
  EXPECT_EQ(simulation.profile()["status"]["activeTrial"], "");
  EXPECT_TRUE(simulation.trial().is_null());
  EXPECT_FALSE(has_finalizers(simulation));
}

TEST(Cleanup, RemovesArmsWhoseTrialAndProfileAreGone) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Measuring"));
  // Somebody stripped the finalizers by force, and the garbage collector has not come by.
  objects::drop_trial(simulation.api, {"shop", "checkout-1"});
  ASSERT_TRUE(simulation.api.merge_patch(objects::profile_path(), {{"metadata", {{"finalizers", nullptr}}}}, ""));
  ASSERT_TRUE(simulation.api.remove(objects::profile_path(), ""));
  for (const std::string track : {"canary", "baseline"}) {
    const json left = objects::arm_object(track, "checkout-1", "of-a-trial-that-is-gone");
    const ObjectKey key = codec::key_of(left);
    if (simulation.api.peek(objects::deployment_path(key)).is_null()) objects::deploy(simulation.api, left);
  }
  const CleanupReport report = clean_up(simulation);
  EXPECT_THAT(report.done, Contains("Deployment shop/checkout-gopacer-canary: deleted"));
  EXPECT_THAT(report.failed, IsEmpty());
  EXPECT_FALSE(simulation.arms_are_there());
  EXPECT_FALSE(simulation.target().is_null());
}

TEST(Cleanup, KeepsToItsNamespace) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Measuring"));
  EXPECT_THAT(clean_up(simulation, "bank").done, IsEmpty());
  EXPECT_TRUE(simulation.trial_is_in("Measuring"));
  EXPECT_TRUE(simulation.arms_are_there());
  EXPECT_THAT(clean_up(simulation, "shop").failed, IsEmpty());
  EXPECT_TRUE(simulation.trial_is_in("Ended"));
}

TEST(Cleanup, SaysWhatItCouldNotDoAndWhatToDoNow) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Watching"));
  const std::string promoted = simulation.gogc();
  simulation.api.fail_next("apply", {ErrorKind::kTerminal, "admission webhook \"guard\" denied the request"}, 1000);
  const CleanupReport report = clean_up(simulation);
  EXPECT_THAT(report.failed, ElementsAre(AllOf(HasSubstr("GoRuntimeProfile shop/checkout"), HasSubstr("\"guard\""),
                                               HasSubstr("run gopacer cleanup again"))));
  EXPECT_EQ(simulation.gogc(), promoted);
  EXPECT_TRUE(simulation.trial_is_in("RollingBack")) << "whoever comes next goes on there";
}

TEST(Cleanup, SaysThatTheServerCannotBeReached) {
  Simulation simulation;
  simulation.api.fail_next("list", {ErrorKind::kRetriable, "connection refused"}, 1000);
  const CleanupReport report = clean_up(simulation, "", seconds(5));
  EXPECT_THAT(report.failed, ElementsAre(HasSubstr("connection refused")));
}

TEST(Cleanup, FindsNothingWhereTheDefinitionsAreGone) {
  Simulation simulation;
  simulation.api.stop_serving(resources::kProfiles.plural);
  simulation.api.stop_serving(resources::kTrials.plural);
  const CleanupReport report = clean_up(simulation);
  EXPECT_THAT(report.done, IsEmpty());
  EXPECT_THAT(report.failed, IsEmpty());
}

TEST(Cleanup, NamesATrialThatItDoesNotUnderstand) {
  Simulation simulation;
  ASSERT_TRUE(simulation.run_until_phase("Measuring"));
  ASSERT_TRUE(simulation.api.merge_patch(objects::trial_path({"shop", "checkout-1"}),
                                         {{"spec", {{"targetRef", nullptr}, {"container", nullptr}}}}, ""));
  const CleanupReport report = clean_up(simulation, "", seconds(5));
  EXPECT_THAT(report.failed,
              Contains(AllOf(HasSubstr("GoRuntimeTrial shop/checkout-1 can't be read"), HasSubstr("by hand"))));
  EXPECT_FALSE(simulation.arms_are_there()) << "pods that nobody needs go all the same";
}

}  // namespace
}  // namespace gopacer
