#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/plugin/orders.h"
#include "cli/plugin/plugin_command.h"
#include "cli/plugin/screens.h"
#include "codec/resources.h"
#include "fakes/builders.h"
#include "fakes/fake_api_server.h"
#include "fakes/fake_clock.h"
#include "fakes/objects.h"

namespace gopacer::plugin {
namespace {

using nlohmann::json;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const ResourceType kReplicaSets = resources::kReplicaSets;

/// A cluster with one profile, as gopacer left it.
class KubectlGopacer : public ::testing::Test {
 protected:
  KubectlGopacer() {
    api_.set_now(clock_.now());
    objects::deploy(api_);
    EXPECT_TRUE(api_.create(resources::kProfiles, "shop", objects::profile_object()));
    set_status({{"phase", "Recommended"},
                {"observedGeneration", generation()},
                {"targetContainer", "app"},
                {"current", {{"gogc", "100"}}},
                {"recommendation",
                 {{"gogc", 200},
                  {"goMemLimit", "348MiB"},
                  {"reason", "GOGC=200 instead of GOGC=100."},
                  {"binding", "trust region"},
                  {"destination", "GOGC=400 GOMEMLIMIT=400MiB"},
                  {"expectedSavingPercent", "8.1%"}}},
                {"observed",
                 {{"pods", 3},
                  {"podsScraped", 2},
                  {"gcCpuPercent", "15.1%"},
                  {"peakMemory", "79.1MiB"},
                  {"memoryLimit", "256.0MiB"},
                  {"sources", {{"gcCpu", "CPU profile ± 8.1%"}}},
                  {"tradeoff", json::array({"GOGC=50: collection takes 27.0% of the CPU, peak memory 60.0MiB"})}}},
                {"conditions", json::array({{{"type", "Ready"},
                                             {"status", "True"},
                                             {"reason", "Observing"},
                                             {"message", "Nothing stands against it."}},
                                            {{"type", "RecommendationProvided"},
                                             {"status", "True"},
                                             {"reason", "Recommended"},
                                             {"message", "GOGC=200 instead of GOGC=100."}}})}});
  }

  std::int64_t generation() { return api_.peek(objects::profile_path())["metadata"].value("generation", 0); }
  void set_status(const json& status) {
    ASSERT_TRUE(api_.merge_patch(objects::profile_path(), {{"status", status}}, "status"));
  }
  void put(const Trial& trial) {
    objects::put_trial(api_, trial);
    const std::string uid = api_.peek(objects::trial_path(trial.key))["metadata"]["uid"];
    if (!trial.running()) return;
    for (const char* const track : {"canary", "baseline"}) {
      ASSERT_TRUE(api_.create(resources::kDeployments, "shop", objects::arm_object(track, trial.key.name, uid)));
    }
    objects::settle_deployments(api_);
  }
  static Trial ended(int number, TrialVerdict verdict) {
    Trial trial = builders::trial(TrialPhase::kEnded);
    trial.key.name = "checkout-" + std::to_string(number);
    trial.spec.number = number;
    trial.spec.reason = "It saves 8.1 %.";
    trial.status.verdict = verdict;
    trial.status.reason = "Better";
    trial.status.gc_change = -0.5;
    return trial;
  }

  Exit run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    const auto open = [this](const std::string&, const std::string&) { return Cluster{&api_, "shop", ""}; };
    const Surface surface{out_,
                          err_,
                          clock_,
                          [this](Duration time) {
                            clock_.advance(time);
                            if (meanwhile_) meanwhile_();
                          },
                          width_,
                          [this] { return looks_-- > 0; }};
    return run_plugin(arguments, open, surface);
  }
  std::string text() const { return out_.str(); }
  json printed() const { return json::parse(out_.str()); }
  json profile() { return api_.peek(objects::profile_path()); }
  bool suspended() { return profile()["spec"]["updatePolicy"].value("suspend", false); }

  FakeApiServer api_;
  FakeClock clock_{builders::kStart + hours(1)};
  std::ostringstream out_;
  std::ostringstream err_;
  std::size_t width_ = 0;
  int looks_ = 3;
  std::function<void()> meanwhile_;
};

TEST_F(KubectlGopacer, ShowsOneProfileOnOneScreen) {
  EXPECT_EQ(run({"get", "checkout"}), Exit::kOk) << err_.str();
  EXPECT_THAT(text(),
              AllOf(HasSubstr("shop/checkout  Deployment/checkout  container app"),
                    HasSubstr("GOGC=100; 2 of 3 pods read; collection takes 15.1%"),
                    HasSubstr("GOGC=200 GOMEMLIMIT=348MiB, expected to save 8.1% of the CPU, on the way to GOGC=400"),
                    HasSubstr("Nothing stands against it.")));
}

TEST_F(KubectlGopacer, ShowsARunningTrialWithItsArms) {
  Trial trial = builders::trial(TrialPhase::kMeasuring);
  MetricEvidence metric;
  metric.name = "latency-p99";
  metric.summary = "latency-p99 442µs → 435µs";
  trial.status.evidence.metrics = {metric};
  trial.status.evidence.windows = 12;
  trial.status.evidence.canary_requests = 3402;
  put(trial);
  run({"get", "checkout"});
  EXPECT_THAT(text(), AllOf(HasSubstr("trial checkout-1"), HasSubstr("12 windows"),
                            HasSubstr("├─ canary    checkout-gopacer-canary"), HasSubstr("3402 requests"),
                            HasSubstr("└─ baseline  checkout-gopacer-baseline"),
                            HasSubstr("undecided: latency-p99 442µs → 435µs")));
}

TEST_F(KubectlGopacer, FillsNoMoreThanTheSmallestTerminal) {
  width_ = 60;
  Trial trial = builders::trial(TrialPhase::kMeasuring);
  MetricEvidence metric;
  metric.summary = std::string(900, 'x') + "µ";
  trial.status.evidence.metrics.assign(16, metric);
  put(trial);
  run({"get", "checkout"});
  std::istringstream lines(text());
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto characters = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
    EXPECT_LE(characters, 60) << line;
  }
  EXPECT_LE(count, kScreenLines);
}

TEST_F(KubectlGopacer, TellsInJsonWhatItTellsInWords) {
  put(ended(1, TrialVerdict::kPromote));
  EXPECT_EQ(run({"get", "checkout", "-o", "json"}), Exit::kOk);
  const json object = printed();
  EXPECT_EQ(object["phase"], "Recommended");
  EXPECT_EQ(object["recommendation"]["settings"], "GOGC=200 GOMEMLIMIT=348MiB");
  EXPECT_EQ(object["observed"]["gcCpuPercent"], "15.1%");
  EXPECT_EQ(object["trials"][0]["verdict"], "Promote");
}

TEST_F(KubectlGopacer, LetsNobodySteerTheTerminal) {
  set_status({{"phase", "Tuned\x1b[2J"}});
  run({"get", "checkout"});
  EXPECT_THAT(text(), AllOf(HasSubstr("Tuned.[2J"), Not(HasSubstr("\x1b"))));
}

TEST_F(KubectlGopacer, ListsProfilesInALineEach) {
  json other = objects::profile_object();
  other["metadata"] = {{"namespace", "bank"}, {"name", "ledger"}};
  ASSERT_TRUE(api_.create(resources::kProfiles, "bank", other));
  run({"get"});
  EXPECT_THAT(text(), AllOf(HasSubstr("checkout"), Not(HasSubstr("ledger"))));
  run({"get", "-A"});
  EXPECT_THAT(text(), AllOf(HasSubstr("shop/checkout"), HasSubstr("bank/ledger")));
  run({"get", "-n", "empty"});
  EXPECT_EQ(text(), "There is no GoRuntimeProfile in namespace empty.\n");
}

TEST_F(KubectlGopacer, ShowsAgainOnlyWhatChanged) {
  meanwhile_ = [this] {
    if (looks_ == 1) set_status({{"phase", "Trial"}});
  };
  run({"get", "checkout", "--watch"});
  EXPECT_EQ(looks_, -1);
  const auto first = text().find("Phase");
  const auto second = text().find("Phase", first + 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_EQ(text().find("Phase", second + 1), std::string::npos) << text();
}

TEST_F(KubectlGopacer, WaitsUntilNothingIsUnderWay) {
  meanwhile_ = [this] {
    if (clock_.now() > builders::kStart + hours(1) + seconds(10)) set_status({{"phase", "Tuned"}});
  };
  EXPECT_EQ(run({"status", "checkout", "--timeout", "1m"}), Exit::kOk) << err_.str();
  EXPECT_THAT(text(), HasSubstr("Tuned"));
}

TEST_F(KubectlGopacer, SaysThatItIsStillUnderWay) {
  EXPECT_EQ(run({"status", "checkout", "--timeout", "10s"}), Exit::kTimedOut);
  EXPECT_EQ(clock_.now(), builders::kStart + hours(1) + seconds(10));
}

TEST_F(KubectlGopacer, FailsWhereTheLatestTrialWasRolledBack) {
  put(ended(1, TrialVerdict::kRollBack));
  set_status({{"phase", "Tuned"}});
  EXPECT_EQ(run({"status", "checkout"}), Exit::kFailed);
}

TEST_F(KubectlGopacer, IsContentWhereTheRolledBackTrialWasUndone) {
  put(ended(1, TrialVerdict::kPromote));
  put(ended(2, TrialVerdict::kRollBack));
  ASSERT_TRUE(api_.merge_patch(objects::profile_path(),
                               {{"metadata", {{"annotations", {{kUndoAnnotation, "checkout-1"}}}}}}, ""));
  set_status({{"phase", "Tuned"}, {"undoneTo", "checkout-1"}, {"observedGeneration", generation()}});
  EXPECT_EQ(run({"status", "checkout"}), Exit::kOk);
}

TEST_F(KubectlGopacer, DoesNotTakeAnOldStatusForAnAnswer) {
  set_status({{"phase", "Tuned"}, {"observedGeneration", generation() - 1}});
  EXPECT_EQ(run({"status", "checkout"}), Exit::kTimedOut);
  EXPECT_THAT(text(), HasSubstr("the latest change of the spec is not in it yet"));
}

TEST_F(KubectlGopacer, RefusesATimeoutThatIsNone) {
  EXPECT_EQ(run({"status", "checkout", "--timeout", "soon"}), Exit::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--timeout soon is no time up to 24h"));
}

TEST_F(KubectlGopacer, TellsTheHistory) {
  put(ended(1, TrialVerdict::kPromote));
  put(ended(2, TrialVerdict::kRollBack));
  run({"history", "checkout"});
  EXPECT_LT(text().find("checkout-1"), text().find("checkout-2"));
  EXPECT_THAT(text(), AllOf(HasSubstr("Promote"), HasSubstr("RollBack"), HasSubstr("-50.0%")));
}

TEST_F(KubectlGopacer, ExplainsTheNumbers) {
  run({"explain", "checkout"});
  EXPECT_THAT(text(), AllOf(HasSubstr("What holds it: trust region."), HasSubstr("gcCpu: CPU profile ± 8.1%"),
                            HasSubstr("GOGC=50: collection takes 27.0%")));
}

TEST_F(KubectlGopacer, ShowsWhatWouldChange) {
  run({"diff", "checkout"});
  EXPECT_THAT(text(), AllOf(HasSubstr("-- {name: GOGC, value: \"100\"}\n+- {name: GOGC, value: \"200\"}"),
                            HasSubstr("+- {name: GOMEMLIMIT, value: \"348MiB\"}")));
  set_status({{"recommendation", nullptr}});
  run({"diff", "checkout"});
  EXPECT_THAT(text(), HasSubstr("Nothing would change"));
}

TEST_F(KubectlGopacer, KeepsAGogcThatIsOffOff) {
  set_status({{"current", {{"gogc", "off"}}}, {"recommendation", {{"gogc", nullptr}, {"goMemLimit", "348MiB"}}}});
  run({"diff", "checkout"});
  EXPECT_THAT(text(), AllOf(HasSubstr(" - {name: GOGC, value: \"off\"}"), Not(HasSubstr("-- {name: GOGC"))));
}

TEST_F(KubectlGopacer, DoesNotTakeAProfileThatNobodyLookedAtForOneThatIsKnown) {
  json fresh = objects::profile_object();
  fresh["metadata"] = {{"namespace", "bank"}, {"name", "ledger"}};
  ASSERT_TRUE(api_.create(resources::kProfiles, "bank", fresh));
  run({"get", "ledger", "-n", "bank"});
  EXPECT_THAT(text(), AllOf(HasSubstr("not looked at yet"), Not(HasSubstr("Go's defaults"))));
  run({"diff", "ledger", "-n", "bank"});
  EXPECT_THAT(text(), HasSubstr("Nothing is known of Deployment/checkout yet"));
}

TEST_F(KubectlGopacer, SaysWhatThereIsWhereTheProfileIsNot) {
  EXPECT_EQ(run({"get", "chekout"}), Exit::kFailed);
  EXPECT_THAT(err_.str(),
              HasSubstr("there is no GoRuntimeProfile chekout in namespace shop: `kubectl gopacer get -A`"));
}

TEST_F(KubectlGopacer, NamesTheRightThatIsMissing) {
  api_.fail_next("list", {ErrorKind::kTerminal, "goruntimetrials.gopacer.dev is forbidden"}, 1, "goruntimetrials");
  EXPECT_EQ(run({"get", "checkout"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("Needed is the right to list goruntimetrials in namespace shop"));
}

TEST_F(KubectlGopacer, SaysThatGopacerIsNotInstalled) {
  api_.stop_serving("goruntimeprofiles");
  EXPECT_EQ(run({"get", "-A"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("Is gopacer installed in this cluster?"));
}

TEST_F(KubectlGopacer, TellsTheRestToWhomMayNotSeeTheArms) {
  put(builders::trial(TrialPhase::kMeasuring));
  api_.fail_next("list", {ErrorKind::kTerminal, "deployments.apps is forbidden"}, 1, "deployments");
  EXPECT_EQ(run({"get", "checkout"}), Exit::kOk);
  EXPECT_THAT(text(), HasSubstr("its pods can't be told: deployments.apps is forbidden. Needed is the right to list"));
}

TEST_F(KubectlGopacer, PausesAndResumes) {
  EXPECT_EQ(run({"pause", "checkout"}), Exit::kOk);
  EXPECT_TRUE(suspended());
  EXPECT_EQ(run({"resume", "checkout"}), Exit::kOk);
  EXPECT_FALSE(suspended());
}

TEST_F(KubectlGopacer, AbortsTheRunningTrialOnly) {
  EXPECT_EQ(run({"abort", "checkout"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("no trial of shop/checkout is running"));
  put(builders::trial(TrialPhase::kMeasuring));
  EXPECT_EQ(run({"abort", "checkout"}), Exit::kOk) << err_.str();
  const json trial = api_.peek(objects::trial_path({"shop", "checkout-1"}));
  EXPECT_TRUE(trial.is_null() || trial["metadata"].contains("deletionTimestamp"));
}

TEST_F(KubectlGopacer, AsksForTheSettingsOfAnEarlierTrial) {
  put(ended(1, TrialVerdict::kPromote));
  EXPECT_EQ(run({"undo", "checkout", "--to-trial", "checkout-7"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("shop/checkout has no trial 'checkout-7': kept are checkout-1"));
  EXPECT_EQ(run({"undo", "checkout", "--to-trial", "checkout-1"}), Exit::kOk) << err_.str();
  EXPECT_EQ(objects::annotation(profile(), kUndoAnnotation), "checkout-1");
  set_status({{"undoneTo", "checkout-1"}});
  EXPECT_EQ(run({"undo", "checkout", "--to-trial", "checkout-1"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("gopacer.dev/undo-to-"));
}

TEST_F(KubectlGopacer, PromotesTheRunningTrialOnly) {
  EXPECT_EQ(run({"promote", "checkout"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("no trial of shop/checkout is running: there is nothing to promote"));
  put(builders::trial(TrialPhase::kMeasuring));
  EXPECT_EQ(run({"promote", "checkout"}), Exit::kOk) << err_.str();
  EXPECT_EQ(objects::annotation(profile(), kPromoteAnnotation), "checkout-1");
}

TEST_F(KubectlGopacer, RetriesTheLatestTrialOrTheNamedOne) {
  EXPECT_EQ(run({"retry", "checkout"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("shop/checkout has had no trial that is kept"));
  put(ended(1, TrialVerdict::kRollBack));
  put(ended(2, TrialVerdict::kInconclusive));
  EXPECT_EQ(run({"retry", "checkout"}), Exit::kOk) << err_.str();
  EXPECT_EQ(objects::annotation(profile(), kRetryAnnotation), "checkout-2");
  EXPECT_EQ(run({"retry", "checkout", "--trial", "checkout-1"}), Exit::kOk) << err_.str();
  EXPECT_EQ(objects::annotation(profile(), kRetryAnnotation), "checkout-1");
  EXPECT_EQ(run({"retry", "checkout", "--trial", "checkout-9"}), Exit::kFailed);
  set_status({{"retried", "checkout-1"}});
  EXPECT_EQ(run({"retry", "checkout", "--trial", "checkout-1"}), Exit::kOk);
  EXPECT_EQ(objects::annotation(profile(), kRetryAnnotation), "") << "the same word again is another wish";
}

TEST_F(KubectlGopacer, StopsAFleetAndLetsOnlyThoseGoOnThatItStopped) {
  json other = objects::profile_object();
  other["metadata"] = {{"namespace", "bank"}, {"name", "ledger"}};
  other["spec"]["updatePolicy"]["suspend"] = true;
  ASSERT_TRUE(api_.create(resources::kProfiles, "bank", other));
  const ObjectPath ledger{resources::kProfiles, "bank", "ledger"};
  EXPECT_EQ(run({"stop", "--all", "-A"}), Exit::kOk) << err_.str();
  EXPECT_TRUE(suspended());
  EXPECT_EQ(text(), "shop/checkout is suspended\n");
  EXPECT_EQ(run({"resume", "--all", "-A"}), Exit::kOk) << err_.str();
  EXPECT_FALSE(suspended());
  EXPECT_EQ(objects::annotation(profile(), kStoppedAnnotation), "");
  EXPECT_EQ(api_.peek(ledger)["spec"]["updatePolicy"]["suspend"], true);
}

TEST_F(KubectlGopacer, StopsTheOthersWhereOneCantBeStopped) {
  json other = objects::profile_object();
  other["metadata"] = {{"namespace", "bank"}, {"name", "ledger"}};
  ASSERT_TRUE(api_.create(resources::kProfiles, "bank", other));
  api_.fail_next("patch", {ErrorKind::kTerminal, "forbidden"}, 1);
  EXPECT_EQ(run({"stop", "--all", "-A"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("bank/ledger: forbidden. Needed is the right to patch goruntimeprofiles"));
  EXPECT_TRUE(suspended());
}

TEST_F(KubectlGopacer, DoesNotStopAFleetByMistake) {
  EXPECT_EQ(run({"stop", "-A"}), Exit::kUsage);
  EXPECT_FALSE(suspended());
  EXPECT_EQ(run({"resume"}), Exit::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("give the NAME of a profile, or --all"));
}

TEST_F(KubectlGopacer, CompletesCommandsOptionsAndNames) {
  put(ended(1, TrialVerdict::kPromote));
  const auto completed = [this](std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    EXPECT_EQ(run(words), Exit::kOk);
    return text();
  };
  EXPECT_EQ(completed({"re"}), "resume\nretry\n:4\n");
  EXPECT_EQ(completed({"get", ""}), "checkout\n:4\n");
  EXPECT_EQ(completed({"get", "-n", "shop", "ch"}), "checkout\n:4\n");
  EXPECT_EQ(completed({"get", "-n", "elsewhere", ""}), ":4\n");
  EXPECT_EQ(completed({"get", "checkout", ""}), ":4\n") << "it takes one name";
  EXPECT_EQ(completed({"get", "--al"}), "--all-namespaces\n:4\n");
  EXPECT_EQ(completed({"scan", "-o", "h"}), "html\n:4\n");
  EXPECT_EQ(completed({"scan", ""}), "checkout\n:4\n") << "a Deployment";
  EXPECT_EQ(completed({"undo", "checkout", "--to-trial", ""}), "checkout-1\n:4\n");
  EXPECT_EQ(completed({"nothing", ""}), ":4\n");
  EXPECT_EQ(completed({}), ":4\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(KubectlGopacer, BundlesWhatHelpNeedsAndNoSecrets) {
  put(ended(1, TrialVerdict::kPromote));
  json change{
      {"spec",
       {{"slos", json::array({{{"name", "rt"},
                               {"prometheus", {{"query", "up"}, {"headers", {{"X-Scope-OrgID", "hunter2"}}}}}}})}}},
      {"metadata", {{"annotations", {{"gopacer.dev/retry", "checkout-1"}, {"team", "hunter2"}}}}}};
  ASSERT_TRUE(api_.merge_patch(objects::profile_path(), change, ""));
  json target = api_.peek(objects::deployment_path(objects::kTarget));
  json& container = target["spec"]["template"]["spec"]["containers"][0];
  container["env"] = json::array({{{"name", "PASSWORD"}, {"value", "hunter2"}}, {{"name", "GOGC"}, {"value", "150"}}});
  container["args"] = json::array({"--password=hunter2"});
  ASSERT_TRUE(api_.merge_patch(objects::deployment_path(objects::kTarget), {{"spec", target["spec"]}}, ""));
  const json killed{{"reason", "OOMKilled"}, {"exitCode", 137}, {"message", "password is hunter2"}};
  const json labels = target["spec"]["selector"]["matchLabels"];
  ASSERT_TRUE(api_.create(
      resources::kPods, "shop",
      {{"metadata", {{"name", "checkout-x"}, {"labels", labels}}}, {"spec", target["spec"]["template"]["spec"]}}));
  const json statuses = json::array({{{"name", "app"}, {"lastState", {{"terminated", killed}}}}});
  ASSERT_TRUE(api_.merge_patch({resources::kPods, "shop", "checkout-x"},
                               {{"status", {{"containerStatuses", statuses}}}}, "status"));
  EXPECT_EQ(run({"support-bundle"}), Exit::kOk) << err_.str();
  EXPECT_THAT(text(), Not(HasSubstr("hunter2")));
  const json bundle = printed();
  ASSERT_EQ(bundle["profiles"].size(), 1U);
  EXPECT_EQ(bundle["profiles"][0]["status"]["phase"], "Recommended");
  EXPECT_EQ(bundle["profiles"][0]["metadata"]["annotations"], (json{{"gopacer.dev/retry", "checkout-1"}}));
  EXPECT_EQ(bundle["trials"][0]["metadata"]["name"], "checkout-1");
  ASSERT_EQ(bundle["targets"].size(), 1U);
  const json& env = bundle["targets"][0]["spec"]["containers"][0]["env"];
  EXPECT_EQ(env[0], (json{{"name", "PASSWORD"}, {"value", "(withheld)"}}));
  EXPECT_EQ(env[1], (json{{"name", "GOGC"}, {"value", "150"}}));
  ASSERT_EQ(bundle["targets"][0]["pods"].size(), 1U);
  const json& pod = bundle["targets"][0]["pods"][0];
  ASSERT_EQ(pod["status"]["containerStatuses"].size(), 1U);
  EXPECT_EQ(pod["status"]["containerStatuses"][0]["lastState"]["terminated"],
            (json{{"reason", "OOMKilled"}, {"exitCode", 137}}));
  EXPECT_TRUE(bundle["missing"].empty()) << bundle["missing"];
}

TEST_F(KubectlGopacer, BundlesTheRestWhereARightIsMissing) {
  api_.fail_next("get", {ErrorKind::kTerminal, "forbidden"}, 1);
  EXPECT_EQ(run({"support-bundle"}), Exit::kOk) << err_.str();
  EXPECT_THAT(printed()["missing"].dump(), HasSubstr("forbidden. Needed is the right to get deployments"));
}

TEST_F(KubectlGopacer, HelpsWithoutACluster) {
  EXPECT_EQ(run({"--help"}), Exit::kOk);
  EXPECT_THAT(text(), AllOf(HasSubstr("kubectl gopacer"), HasSubstr("trace")));
  EXPECT_EQ(run({"gett"}), Exit::kUsage);
}

TEST(KubectlName, IsWhatKubectlCalls) {
  EXPECT_TRUE(is_plugin_name("/usr/local/bin/kubectl-gopacer"));
  EXPECT_FALSE(is_plugin_name("/usr/local/bin/gopacer"));
  EXPECT_TRUE(is_plugin_name("/usr/local/bin/kubectl_complete-gopacer"));
  EXPECT_TRUE(is_completion_name("/usr/local/bin/kubectl_complete-gopacer"));
  EXPECT_FALSE(is_completion_name("/usr/local/bin/kubectl-gopacer"));
}

TEST(RoughTime, HasTwoUnitsAtMost) {
  EXPECT_EQ(rough(seconds(130)), "2m10s");
  EXPECT_EQ(rough(hours(25)), "1d1h");
  EXPECT_EQ(rough(hours(24) + minutes(5)), "1d");
  EXPECT_EQ(rough(seconds(-4)), "0s");
}

/// A pod of the target.
class TracedPod : public KubectlGopacer {
 protected:
  void make_pod(const json& env, const ObjectKey& of = objects::kTarget) {
    const json deployment = api_.peek(objects::deployment_path(of));
    ASSERT_TRUE(api_.create(kReplicaSets, "shop",
                            {{"metadata",
                              {{"name", "checkout-5d"},
                               {"ownerReferences", json::array({{{"kind", "Deployment"},
                                                                 {"name", of.name},
                                                                 {"uid", deployment["metadata"]["uid"]},
                                                                 {"controller", true}}})}}}}));
    const json set = api_.peek({kReplicaSets, "shop", "checkout-5d"});
    ASSERT_TRUE(
        api_.create(resources::kPods, "shop",
                    {{"metadata",
                      {{"name", "checkout-5d-x"},
                       {"ownerReferences", json::array({{{"kind", "ReplicaSet"},
                                                         {"name", "checkout-5d"},
                                                         {"uid", set["metadata"]["uid"]},
                                                         {"controller", true}}})}}},
                     {"spec", {{"containers", json::array({{{"name", "app"}, {"env", env}}, {{"name", "proxy"}}})}}}}));
  }
  void apply_env(const std::string& manager, const json& env) {
    api_.apply_as(
        manager, objects::deployment_path(objects::kTarget),
        {{"apiVersion", "apps/v1"},
         {"kind", "Deployment"},
         {"spec", {{"template", {{"spec", {{"containers", json::array({{{"name", "app"}, {"env", env}}})}}}}}}}});
  }
  static json env(const std::string& gogc) { return json::array({{{"name", "GOGC"}, {"value", gogc}}}); }
};

TEST_F(TracedPod, SaysWhichTrialBroughtAValue) {
  Trial trial = ended(1, TrialVerdict::kPromote);
  trial.spec.to = Settings{Gogc(200), std::nullopt};
  put(trial);
  apply_env(kFieldManager, env("200"));
  set_status({{"applied", {{"gogc", "200"}, {"container", "app"}}}});
  make_pod(env("200"));
  EXPECT_EQ(run({"trace", "checkout-5d-x"}), Exit::kOk) << err_.str();
  EXPECT_THAT(text(), AllOf(HasSubstr("of Deployment shop/checkout; profile shop/checkout"),
                            HasSubstr("GOGC  200; from the pod template of Deployment shop/checkout; set by gopacer"),
                            HasSubstr("trial checkout-1: It saves 8.1 %."), HasSubstr("GOMEMLIMIT  not set"),
                            Not(HasSubstr("container proxy"))));
}

TEST_F(TracedPod, SaysThatAPersonSetIt) {
  apply_env("kubectl-set", env("50"));
  make_pod(env("50"));
  run({"trace", "checkout-5d-x", "-o", "json"});
  EXPECT_EQ(printed()["settings"][0]["managers"], json::array({"kubectl-set"}));
  EXPECT_EQ(printed()["settings"][0]["why"], "");
}

TEST_F(TracedPod, SaysThatTheTemplateHasSomethingElseByNow) {
  apply_env("kubectl-set", env("75"));
  make_pod(env("50"));
  run({"trace", "checkout-5d-x"});
  EXPECT_THAT(text(), AllOf(HasSubstr("the template has 75 now"), Not(HasSubstr("kubectl-set"))));
}

TEST_F(TracedPod, SaysWhatNodeAgentsKeepInForce) {
  Trial trial = ended(1, TrialVerdict::kPromote);
  trial.spec.to = Settings{Gogc(300), std::nullopt};
  put(trial);
  set_status({{"applied", {{"gogc", "300"}, {"container", "app"}, {"beside", {{"gogc", "100"}}}}}});
  make_pod(json::array());
  run({"trace", "checkout-5d-x"});
  EXPECT_THAT(text(),
              AllOf(HasSubstr("GOGC  not set, and node agents keep 300 in force"), HasSubstr("trial checkout-1")));
}

TEST_F(TracedPod, OfAnArmIsItsTrials) {
  Trial trial = builders::trial(TrialPhase::kMeasuring);
  trial.spec.reason = "It saves 8.1 %.";
  put(trial);
  make_pod(json::array(), objects::kCanary);
  EXPECT_EQ(run({"trace", "checkout-5d-x"}), Exit::kOk) << err_.str();
  EXPECT_THAT(text(), HasSubstr("of Deployment shop/checkout-gopacer-canary; profile shop/checkout"));
}

TEST_F(TracedPod, IsNamedWhereItIsNotThere) {
  EXPECT_EQ(run({"trace", "gone"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("there is no pod gone in namespace shop"));
}

}  // namespace
}  // namespace gopacer::plugin
