#include "agent/agent.h"

#include <gmock/gmock.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <list>
#include <thread>

#include "agent/made_up_proc.h"
#include "codec/agent_sample.h"
#include "codec/resources.h"
#include "codec/settings.h"
#include "codec/trial.h"
#include "fakes/builders.h"
#include "fakes/hasty_clock.h"
#include "fakes/objects.h"
#include "runtime_memory/churn.h"
#include "runtime_memory/go_runtime.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::settings;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Churn;
using testing::container_id;
using testing::MadeUpProc;
using testing::TemporaryDirectory;

/// Settings as the program's memory has them, Go's defaults spelled out.
Settings had_by(const Churn& churn) {
  const auto runtime = GoRuntime::open(churn.pid());
  if (!runtime) throw std::runtime_error(runtime.error().message);
  return runtime->read()->settings();
}

const Settings kDefaults = settings(100);

/// An agent on a machine with made-up containers, in a cluster with Deployment shop/checkout and its profile.
class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    // ThreadSanitizer does not see how the library keeps threads apart that use the log first.
    spdlog::default_logger();
    put_profile(objects::profile_object());
  }

  void start() {
    AgentOptions options{"node-1", "", proc_.path(), state_.path() / "kept"};
    options.pauses = pauses_;
    agent_.emplace(api_, clock_, steady_, options);
    thread_ = std::jthread([this](const std::stop_token& stop) { agent_->run(stop); });
  }
  /// As the end of the agent's own process.
  void stop() {
    thread_.request_stop();
    thread_.join();
  }

  void put_profile(json object) {
    object["spec"]["updatePolicy"]["apply"] = "Live";
    object["spec"]["container"] = "app";
    const ObjectPath path = objects::profile_path({object["metadata"]["namespace"], object["metadata"]["name"]});
    api_.apply_as("kubectl", path, object);
  }
  void patch_profile(const json& patch, const std::string& subresource = "") {
    ASSERT_TRUE(api_.merge_patch(objects::profile_path(), patch, subresource));
  }
  void confirm(const Settings& applied) {
    json said = codec::encode(applied);
    said["container"] = "app";
    said["beside"] = json::object();
    patch_profile({{"status", {{"applied", said}}}}, "status");
  }

  /// A pod of a ReplicaSet of Deployment checkout, whose container has that id. Gives its uid.
  std::string put_pod(const std::string& name, const std::string& container, const std::string& ns = "shop",
                      const std::string& replica_set = "checkout-h1", const std::string& hash = "h1") {
    const json pod{
        {"apiVersion", "v1"},
        {"kind", "Pod"},
        {"metadata",
         {{"name", name},
          {"namespace", ns},
          {"labels", {{"pod-template-hash", hash}}},
          {"ownerReferences",
           json::array({{{"kind", "ReplicaSet"}, {"name", replica_set}, {"uid", "rs"}, {"controller", true}}})}}},
        {"spec",
         {{"nodeName", "node-1"},
          {"containers", json::array({{{"name", "app"}, {"resources", {{"limits", {{"memory", "512Mi"}}}}}}})}}}};
    const auto made = api_.create(resources::kPods, ns, pod);
    EXPECT_TRUE(made);
    run_container(name, container, ns);
    return (*made)["metadata"]["uid"];
  }
  void run_container(const std::string& pod, const std::string& container, const std::string& ns = "shop") {
    const json status{
        {"phase", "Running"},
        {"containerStatuses", json::array({{{"name", "app"},
                                            {"containerID", "containerd://" + container},
                                            {"state", {{"running", {{"startedAt", "2024-05-01T10:00:00Z"}}}}}}})}};
    EXPECT_TRUE(api_.merge_patch({resources::kPods, ns, pod}, {{"status", status}}, "status"));
  }

  /// A program in a container of a pod of the target; gives the path of its page.
  std::string put_program(const Churn& churn) {
    proc_.adopt(churn.pid(), container_id('a'));
    uid_ = put_pod("checkout-h1-a", container_id('a'));
    return "/pods/" + uid_ + "/app";
  }

  /// Of an agent that was killed.
  void change_as_predecessor(const Churn& churn, const Settings& settings) {
    Journal journal(state_.path() / "kept");
    auto found = Program::look({container_id('a')}, {churn.pid()}, proc_.path(), {});
    ASSERT_TRUE(found) << found.error().message;
    auto program = Program::take(std::move(*found), proc_.path(), {}, {}, journal);
    ASSERT_TRUE(program);
    ASSERT_TRUE(program->set(settings));
  }

  /// A live trial, in which it is the turn of those.
  void begin_trial(const std::vector<std::string>& pods) {
    Trial trial = builders::trial(TrialPhase::kMeasuring);
    trial.spec.profile_uid = api_.peek(objects::profile_path())["metadata"]["uid"];
    trial.spec.live = LivePlan{seconds(6)};
    trial.status.live = LiveTurn{builders::kStart, 0, pods, builders::kStart};
    objects::put_trial(api_, trial);
    patch_profile({{"status", {{"activeTrial", trial.key.name}}}}, "status");
  }
  void renew(const std::vector<std::string>& pods) {
    const std::string at = format_micro_time(builders::after(seconds(++renewals_)));
    ASSERT_TRUE(api_.merge_patch(objects::trial_path({"shop", "checkout-1"}),
                                 {{"status", {{"live", {{"pods", pods}, {"renewedAt", at}}}}}}, "status"));
  }

  void until(const std::string& what, const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited in vain: " + what);
      std::this_thread::sleep_for(milliseconds(2));
    }
  }
  void until_has(const Churn& churn, const Settings& settings) {
    until(describe(settings), [&] { return had_by(churn) == settings; });
  }
  /// The agent runs, and has put these in force in the pod's program, as confirmed.
  void put_in_force(const Churn& churn, const Settings& settings) {
    put_program(churn);
    confirm(settings);
    start();
    until_has(churn, settings);
  }
  json page(const std::string& path) const {
    const auto body = agent_->page(path);
    return body ? json::parse(*body) : json::object();
  }
  void until_found(const std::string& path) {
    until("it is found", [&] { return page(path).contains("settings"); });
  }
  /// Whatever was put into the cluster so far, the agent has acted by it: it has found a program that came later.
  void until_all_was_seen() {
    const Churn& later = later_.emplace_back("static", std::vector<std::string>{"-rate=1000000"});
    const std::string id = container_id(static_cast<char>('0' + later_.size()));
    proc_.adopt(later.pid(), id);
    until_found("/pods/" + put_pod("later-" + std::to_string(later_.size()), id) + "/app");
  }

  FakeApiServer api_;
  const SystemClock clock_;
  HastyClock steady_;
  const MadeUpProc proc_;
  const TemporaryDirectory state_;
  std::list<Churn> later_;
  std::shared_ptr<PauseProbe> pauses_;
  std::string uid_;
  int renewals_ = 0;
  std::optional<Agent> agent_;
  std::jthread thread_;
};

TEST_F(AgentTest, TellsForHowLongCollectionsStopTheProgram) {
  auto opened = PauseProbe::open(clock_, SystemSteadyClock());
  if (!opened) GTEST_SKIP() << opened.error().message;
  pauses_ = *opened;
  const Churn churn("static");
  const std::string path = put_program(churn);
  const Time began = clock_.now();
  start();
  const auto pauses = [&] {
    return codec::decode_agent_sample(agent_->page(path).value_or(""))
        .map([](const auto& said) { return said.sample.mem->pauses; })
        .value_or(std::vector<GcPause>{});
  };
  until("some collections were measured", [&] { return pauses().size() >= 3; });
  const std::vector<GcPause> told = pauses();
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_GT(told[i].pause, Duration(0));
    EXPECT_LT(told[i].pause, seconds(1));
    EXPECT_GT(told[i].end, began - seconds(1));
    EXPECT_LT(told[i].end, clock_.now() + seconds(1));
    if (i == 0) continue;
    EXPECT_GT(told[i].end, told[i - 1].end);
  }
  EXPECT_EQ(pauses().at(0).end, told[0].end) << "each is told of with one and the same end";
}

TEST_F(AgentTest, FindsTheProgramAndTellsOfIt) {
  const Churn churn("static");
  const std::string path = put_program(churn);
  start();
  until_found(path);
  const auto said = codec::decode_agent_sample(*agent_->page(path));
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(said->sample.process->gogc, Gogc(100));
  EXPECT_EQ(said->note, "");
  EXPECT_FALSE(agent_->page("/pods/another/app"));
  EXPECT_EQ(agent_->counts().programs, 1U);
  EXPECT_EQ(agent_->counts().written, 0U);
  EXPECT_EQ(agent_->trouble(), "");
}

TEST_F(AgentTest, GivesAProgramItsTurnAndTakesItBack) {
  const Churn churn("static");
  put_program(churn);
  begin_trial({});
  start();
  until("it watches", [&] { return api_.watches() == 3; });
  renew({uid_});
  until_has(churn, new_settings());
  renew({"another-pod"});
  until_has(churn, kDefaults);
  EXPECT_EQ(agent_->counts().written, 2U);
  EXPECT_EQ(agent_->counts().expired, 0U);
}

TEST_F(AgentTest, FollowsNoTurnOfWhichItDoesNotKnowHowOldItIs) {
  const Churn churn("static");
  const std::string path = put_program(churn);
  begin_trial({uid_});
  start();
  until_found(path);
  until_all_was_seen();
  EXPECT_EQ(had_by(churn), kDefaults) << "the operator may have been silent for hours";
  renew({uid_});
  until_has(churn, new_settings());
}

TEST_F(AgentTest, IsNotHeldToATurnByAChangeOfWhatThePeopleMayWrite) {
  const Churn churn("static");
  put_program(churn);
  begin_trial({uid_});
  start();
  until("it watches", [&] { return api_.watches() == 3; });
  ASSERT_TRUE(api_.merge_patch(objects::trial_path({"shop", "checkout-1"}),
                               {{"metadata", {{"annotations", {{"note", "1"}}}}}}, ""));
  until_all_was_seen();
  EXPECT_EQ(had_by(churn), kDefaults);
}

TEST_F(AgentTest, TakesATurnBackWhenTheOperatorFallsSilent) {
  const Churn churn("static");
  put_program(churn);
  begin_trial({});
  start();
  until("it watches", [&] { return api_.watches() == 3; });
  renew({uid_});
  until_has(churn, new_settings());
  steady_.put_forward(kLiveLease - seconds(5));
  until_all_was_seen();
  EXPECT_EQ(had_by(churn), new_settings());
  steady_.put_forward(seconds(5));
  until_has(churn, kDefaults);
  EXPECT_EQ(agent_->counts().expired, 1U);
  renew({uid_});
  until_has(churn, new_settings());
  renew({"another-pod"});
  until_has(churn, kDefaults);
  EXPECT_EQ(agent_->counts().expired, 1U);
}

TEST_F(AgentTest, TakesATurnBackWhenTheApiServerIsLost) {
  const Churn churn("static");
  put_program(churn);
  begin_trial({});
  start();
  until("it watches", [&] { return api_.watches() == 3; });
  renew({uid_});
  until_has(churn, new_settings());
  const Error down{ErrorKind::kRetriable, "connection refused"};
  api_.fail_next("watch", down, 1000);
  api_.fail_next("list", down, 1000);
  api_.end_watches();
  renew({uid_});  // nobody hears of it
  steady_.put_forward(kLiveLease);
  until_has(churn, kDefaults);
  EXPECT_EQ(agent_->counts().expired, 1U);
  until("it says so", [&] { return agent_->trouble().find("connection refused") != std::string::npos; });
}

TEST_F(AgentTest, TakesBackWhatItsTrialRollsBackBeforeTheProfileSaysSo) {
  const Churn churn("static");
  put_program(churn);
  begin_trial({});
  confirm(new_settings());
  start();
  until_has(churn, new_settings());
  ASSERT_TRUE(api_.merge_patch(objects::trial_path({"shop", "checkout-1"}),
                               {{"status", {{"phase", "RollingBack"}, {"live", nullptr}}}}, "status"));
  until_has(churn, kDefaults);
}

TEST_F(AgentTest, KeepsWhatWasConfirmedInForceInEachNewProcess) {
  Churn churn("static");
  put_in_force(churn, settings(150));
  churn.kill();
  const Churn next("static");
  proc_.adopt(next.pid(), container_id('b'));
  run_container("checkout-h1-a", container_id('b'));
  until_has(next, settings(150));
  stop();
  EXPECT_EQ(had_by(next), kDefaults);
  EXPECT_TRUE(std::filesystem::is_empty(state_.path() / "kept")) << "nothing is kept of those that have ended";
}

TEST_F(AgentTest, FindsTheProgramThatTakesAnothersPlaceInTheSameContainer) {
  Churn churn("static");
  put_in_force(churn, settings(150));
  churn.kill();
  const Churn next("static");
  proc_.adopt(next.pid(), container_id('a'));
  until_has(next, settings(150));
}

TEST_F(AgentTest, PutsBackWhenTheProfileIsDeleted) {
  const Churn churn("static");
  put_in_force(churn, settings(150));
  ASSERT_TRUE(api_.remove(objects::profile_path(), ""));
  until_has(churn, kDefaults);
  until("it is under care no more", [&] { return agent_->counts().programs == 0; });
}

TEST_F(AgentTest, PutsBackWhenTheSettingsAreToComeByARestart) {
  const Churn churn("static");
  const std::string path = put_program(churn);
  patch_profile({{"spec", {{"runtimeMetrics", {{"source", "Agent"}}}}}});
  confirm(settings(150));
  start();
  until_has(churn, settings(150));
  patch_profile({{"spec", {{"updatePolicy", {{"apply", "Restart"}}}}}});
  until_has(churn, kDefaults);
  until_found(path);
}

TEST_F(AgentTest, PutsBackWhenItEnds) {
  const Churn churn("static");
  put_program(churn);
  begin_trial({});
  start();
  until("it watches", [&] { return api_.watches() == 3; });
  renew({uid_});
  until_has(churn, new_settings());
  stop();
  EXPECT_EQ(had_by(churn), kDefaults);
}

TEST_F(AgentTest, GoesOnPuttingBackUntilItIsDone) {
  const Churn churn("static");
  put_in_force(churn, settings(150));
  proc_.remove(churn.pid());
  ASSERT_TRUE(api_.remove(objects::profile_path(), ""));
  until("it owes that", [&] { return agent_->counts().owed == 1; });
  EXPECT_EQ(had_by(churn), settings(150));
  proc_.adopt(churn.pid(), container_id('a'));
  until_has(churn, kDefaults);
  until("it owes nothing", [&] { return agent_->counts().owed == 0; });
  EXPECT_TRUE(std::filesystem::is_empty(state_.path() / "kept"));
}

TEST_F(AgentTest, OwesNothingToAProgramThatHasEnded) {
  Churn churn("static");
  put_in_force(churn, settings(150));
  proc_.remove(churn.pid());
  ASSERT_TRUE(api_.remove(objects::profile_path(), ""));
  until("it owes that", [&] { return agent_->counts().owed == 1; });
  churn.kill();
  until("it owes nothing", [&] { return agent_->counts().owed == 0; });
  EXPECT_TRUE(std::filesystem::is_empty(state_.path() / "kept"));
}

TEST_F(AgentTest, TakesAProgramOnAgainThatItStillOwes) {
  const Churn churn("static");
  put_program(churn);
  confirm(settings(150));
  start();
  until_has(churn, settings(150));
  proc_.remove(churn.pid());
  ASSERT_TRUE(api_.remove(objects::profile_path(), ""));
  until("it owes that", [&] { return agent_->counts().owed == 1; });
  put_profile(objects::profile_object());
  confirm(settings(160));
  until("it is under care", [&] { return agent_->counts().programs == 1; });
  EXPECT_EQ(agent_->counts().owed, 0U);
  proc_.adopt(churn.pid(), container_id('a'));
  until_has(churn, settings(160));
  stop();
  EXPECT_EQ(had_by(churn), kDefaults);
}

TEST_F(AgentTest, GoesOnPuttingBackForAWhileWhenItEnds) {
  const Churn churn("static");
  put_in_force(churn, settings(150));
  proc_.remove(churn.pid());
  thread_.request_stop();
  until("it owes that", [&] { return agent_->counts().owed == 1; });
  proc_.adopt(churn.pid(), container_id('a'));
  thread_.join();
  EXPECT_EQ(had_by(churn), kDefaults);
}

TEST_F(AgentTest, LeavesToASuccessorWhatItCannotPutBack) {
  const Churn churn("static");
  put_in_force(churn, settings(150));
  proc_.remove(churn.pid());
  thread_.request_stop();
  until("it owes that", [&] { return agent_->counts().owed == 1; });
  steady_.put_forward(kLongestEnd);
  thread_.join();
  EXPECT_EQ(had_by(churn), settings(150));
  proc_.adopt(churn.pid(), container_id('a'));
  ASSERT_TRUE(api_.remove(objects::profile_path(), ""));
  start();
  until_has(churn, kDefaults);
}

TEST_F(AgentTest, PutsBackWhatAPredecessorWasKilledOver) {
  // Nobody is asked for leave: not even the API server, which is down, or the profile, which is gone.
  const Churn churn("static");
  proc_.adopt(churn.pid(), container_id('a'));
  change_as_predecessor(churn, new_settings());
  api_.fail_next("list", {ErrorKind::kRetriable, "connection refused"}, 1000);
  start();
  until_has(churn, kDefaults);
  until("it is counted", [&] { return agent_->counts().written == 1; });
}

TEST_F(AgentTest, GoesOnPuttingBackWhatAPredecessorWasKilledOver) {
  const Churn churn("static");
  proc_.adopt(churn.pid(), container_id('a'));
  change_as_predecessor(churn, new_settings());
  const std::string name = std::to_string(churn.pid());
  std::filesystem::remove(proc_.path() / name / "auxv");
  start();
  until_all_was_seen();
  EXPECT_EQ(had_by(churn), new_settings());
  EXPECT_EQ(agent_->counts().owed, 1U);
  std::filesystem::create_symlink("/proc/" + name + "/auxv", proc_.path() / name / "auxv");
  steady_.put_forward(seconds(10));
  until_has(churn, kDefaults);
  until("it is counted", [&] { return agent_->counts().written == 1; });
  until("it owes nothing", [&] { return agent_->counts().owed == 0; });
}

TEST_F(AgentTest, KnowsWhatAnAgentWithoutAJournalLeft) {
  const std::vector<std::pair<std::string, json>> statuses{
      {"the guard was about to put it there",
       {{"puttingBack",
         {{"gogc", "150"},
          {"reason", "SloBroken"},
          {"message", "Too slow."},
          {"slo", "latency"},
          {"templateHash", "h1"},
          {"at", "2024-05-01T10:00:00Z"}}}}},
      {"it was there before",
       {{"applied",
         {{"gogc", "170"}, {"container", "app"}, {"beside", json::object()}, {"over", {{"gogc", "150"}}}}}}}};
  for (const auto& [what, status] : statuses) {
    const Churn churn("static");
    ASSERT_TRUE(GoRuntime::open(churn.pid())->write(settings(150)));
    const std::string path = put_program(churn);
    patch_profile({{"status", status}}, "status");
    start();
    until_found(path);
    stop();
    EXPECT_EQ(had_by(churn), kDefaults) << what;
    ASSERT_TRUE(api_.remove({resources::kPods, "shop", "checkout-h1-a"}, ""));
    patch_profile({{"status", {{"applied", nullptr}, {"puttingBack", nullptr}}}}, "status");
  }
}

TEST_F(AgentTest, GivesAProgramBackTheLimitThatItsTrialHasNoted) {
  const auto run = [&](const Bytes& noted) {
    const Churn churn("static");
    if (!GoRuntime::open(churn.pid())->write(settings(150, mib(300)))) throw std::runtime_error("not written");
    put_program(churn);
    Trial trial = builders::trial(TrialPhase::kEnded);
    trial.spec.profile_uid = api_.peek(objects::profile_path())["metadata"]["uid"];
    trial.spec.to = settings(150, mib(300));
    trial.spec.live = LivePlan{seconds(6), settings({}, noted)};
    objects::put_trial(api_, trial);
    start();
    until_has(churn, noted < mib(512) ? settings(100, noted) : kDefaults);
    stop();
    objects::drop_trial(api_, trial.key);
    EXPECT_TRUE(api_.remove({resources::kPods, "shop", "checkout-h1-a"}, ""));
  };
  run(mib(486));
  // Nobody gives itself as much as the container has.
  run(mib(512));
}

TEST_F(AgentTest, LeavesAProgramAloneThatSetsItsOwn) {
  Churn churn("static", {"-set-gogc=70"});
  const std::string path = put_program(churn);
  confirm(settings(150));
  start();
  until_has(churn, settings(150));
  churn.set_its_own();
  until("it says so", [&] { return page(path).value("note", "").find("by itself") != std::string::npos; });
  confirm(settings(160));
  until_all_was_seen();
  EXPECT_EQ(had_by(churn), settings(70));
  stop();
  EXPECT_EQ(had_by(churn), settings(70));
}

TEST_F(AgentTest, LeavesAProgramAloneThatRunsWithSomethingElseThanItsPodSays) {
  ::setenv("GOGC", "55", 1);  // NOLINT(concurrency-mt-unsafe): no other thread runs yet
  const Churn churn("static");
  ::unsetenv("GOGC");  // NOLINT(concurrency-mt-unsafe)
  const std::string path = put_program(churn);
  confirm(settings(150));
  start();
  until("it says so", [&] { return page(path).value("note", "").find("sets its own") != std::string::npos; });
  EXPECT_EQ(had_by(churn), settings(55));
  EXPECT_EQ(agent_->counts().refused, 1U);
}

TEST_F(AgentTest, DoesNotChooseBetweenTwoPrograms) {
  const Churn one("static");
  const Churn two("static");
  const std::string path = put_program(one);
  proc_.adopt(two.pid(), container_id('a'));
  confirm(settings(150));
  start();
  until("it says so",
        [&] { return page(path).value("error", "").find("which is meant is not known") != std::string::npos; });
  EXPECT_EQ(had_by(one), kDefaults);
  EXPECT_EQ(had_by(two), kDefaults);
}

TEST_F(AgentTest, TouchesNoProcessThatAnotherPodNamesAfterTheContainer) {
  const Churn strange("static");
  const Churn meant("static");
  put_program(meant);
  proc_.adopt(strange.pid(), container_id('a'));
  proc_.put(std::to_string(strange.pid()),
            "0::/kubepods/pod01234567-89ab-cdef-0123-456789abcdef/" + container_id('a') + "\n");
  confirm(settings(150));
  start();
  until_has(meant, settings(150));
  EXPECT_EQ(had_by(strange), kDefaults);
}

TEST_F(AgentTest, TouchesNoPodThatTheProfileIsNotAbout) {
  confirm(settings(150));
  const Churn elsewhere("static");
  const Churn another("static");
  const Churn canary("static");
  const Churn bare("static");
  proc_.adopt(elsewhere.pid(), container_id('b'));
  proc_.adopt(another.pid(), container_id('c'));
  proc_.adopt(canary.pid(), container_id('d'));
  proc_.adopt(bare.pid(), container_id('e'));
  put_pod("checkout-h1-b", container_id('b'), "other");
  put_pod("search-h1-c", container_id('c'), "shop", "search-h1");
  put_pod("checkout-gopacer-canary-h1-d", container_id('d'), "shop", "checkout-gopacer-canary-h1");
  put_pod("checkout-blue-e", container_id('e'), "shop", "checkout-blue", "");
  const Churn meant("static");
  put_program(meant);
  start();
  until_has(meant, settings(150));
  until_all_was_seen();
  for (const Churn* const churn : {&elsewhere, &another, &canary, &bare}) EXPECT_EQ(had_by(*churn), kDefaults);
}

TEST_F(AgentTest, GoesByTheOldestProfileOfATarget) {
  confirm(settings(150));
  json younger = objects::profile_object();
  younger["metadata"]["name"] = "a-younger-one";
  younger["metadata"]["creationTimestamp"] = "2034-05-01T10:00:00Z";
  api_.set_now(builders::after(std::chrono::hours(1)));
  put_profile(younger);
  const Churn churn("static");
  put_program(churn);
  start();
  until_has(churn, settings(150));
  until_all_was_seen();
  EXPECT_EQ(had_by(churn), settings(150));
}

TEST_F(AgentTest, GoesByTheNextProfileWhenTheOldestIsBeingDeleted) {
  patch_profile({{"metadata", {{"finalizers", json::array({kRevertFinalizer})}}}});
  confirm(settings(150));
  json younger = objects::profile_object();
  younger["metadata"]["name"] = "a-younger-one";
  api_.set_now(builders::after(std::chrono::hours(1)));
  put_profile(younger);
  const json said{{"gogc", "160"}, {"container", "app"}, {"beside", json::object()}};
  ASSERT_TRUE(
      api_.merge_patch(objects::profile_path({"shop", "a-younger-one"}), {{"status", {{"applied", said}}}}, "status"));
  const Churn churn("static");
  put_program(churn);
  start();
  until_has(churn, settings(150));
  ASSERT_TRUE(api_.remove(objects::profile_path(), ""));
  ASSERT_FALSE(api_.peek(objects::profile_path()).is_null()) << "its finalizer holds it";
  until_has(churn, settings(160));
}

TEST_F(AgentTest, RefusesWhatIsOutOfBoundsAndCountsItOnce) {
  const Churn churn("static");
  const std::string path = put_program(churn);
  confirm(settings(4000));
  start();
  until("it says so", [&] { return page(path).value("note", "").find("bounds allow") != std::string::npos; });
  until_all_was_seen();
  EXPECT_EQ(had_by(churn), kDefaults);
  // The program that came later is refused the same.
  EXPECT_EQ(agent_->counts().refused, 2U);
  confirm(settings(150));
  until_has(churn, settings(150));
  until("the note is gone", [&] { return !page(path).contains("note"); });
}

TEST_F(AgentTest, LeavesAProgramTheLimitThatItGaveItself) {
  const Churn churn("static");
  // 95 % of the container's.
  const Bytes own = mib(486);
  ASSERT_TRUE(GoRuntime::open(churn.pid())->write(settings(100, own)));
  const std::string path = put_program(churn);
  confirm(settings(150, own));
  start();
  until_has(churn, settings(150, own));
  EXPECT_FALSE(page(path).contains("note"));
  stop();
  EXPECT_EQ(had_by(churn), settings(100, own));
}

TEST_F(AgentTest, CountsARefusalOnceWhateverItsWordsAre) {
  const Churn churn("static", {"-live=33554432"});
  const std::string path = put_program(churn);
  start();
  until("it has its heap", [&] { return page(path).value("heapLive", 0) > 20'000'000; });
  confirm(settings(100, mib(10)));
  // The sentence has the size of the heap, which changes all the time.
  until("it says so", [&] { return page(path).value("note", "").find("leaves no room") != std::string::npos; });
  const std::string first = page(path)["note"];
  until("it is tried again", [&] { return page(path)["note"] != first; });
  EXPECT_EQ(agent_->counts().refused, 1U);
}

TEST_F(AgentTest, ChangesAProgramOnceASecondAndPutsBackAtOnce) {
  const Churn churn("static");
  put_program(churn);
  start();
  const auto begun = std::chrono::steady_clock::now();
  for (const int gogc : {150, 160, 170}) {
    confirm(settings(gogc));
    until_has(churn, settings(gogc));
  }
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(1900));
  const auto last = std::chrono::steady_clock::now();
  patch_profile({{"spec", {{"updatePolicy", {{"apply", "Restart"}}}}}});
  until_has(churn, kDefaults);
  EXPECT_LT(std::chrono::steady_clock::now() - last, milliseconds(900));
}

TEST_F(AgentTest, CostsLittle) {
  if (std::getenv("GOPACER_LONG") == nullptr) GTEST_SKIP() << "takes a quarter of a minute: set GOPACER_LONG=1";
  const char* const asked = std::getenv("GOPACER_PROGRAMS");
  const int count = asked == nullptr ? 20 : std::stoi(asked);
  const char* const rate = std::getenv("GOPACER_RATE");
  std::list<Churn> churns;
  confirm(settings(150));
  for (int i = 0; i < count; ++i) {
    churns.emplace_back("static",
                        std::vector<std::string>{std::string("-rate=") + (rate == nullptr ? "1000000" : rate)});
    std::string id = container_id('a');
    id.replace(0, 4, std::to_string(1000 + i));
    proc_.adopt(churns.back().pid(), id);
    put_pod("checkout-h1-" + std::to_string(i), id);
  }
  const auto used = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  start();
  until("all are found", [&] { return agent_->counts().written >= static_cast<std::uint64_t>(count); });
  std::this_thread::sleep_for(seconds(5));
  const double before = used();
  std::this_thread::sleep_for(seconds(10));
  const double share = (used() - before) / 10 / count;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::cout << count << " programs: " << share * 100 << " % of a core for each, " << usage.ru_maxrss / 1024
            << " MiB at most\n";
}

}  // namespace
}  // namespace gopacer
