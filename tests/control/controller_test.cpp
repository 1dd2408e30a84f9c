#include "control/controller.h"

#include <gmock/gmock.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "codec/resources.h"
#include "codec/trial.h"
#include "fakes/builders.h"
#include "fakes/fake_clock.h"
#include "fakes/hasty_clock.h"
#include "fakes/objects.h"
#include "fakes/passes_seen.h"
#include "ports/event_sink.h"
#include "record/operator_metrics.h"

namespace gopacer {
namespace {

using nlohmann::json;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr Duration kPatience = seconds(30);

class NoEvents final : public EventSink {
 public:
  void post(const Event&) override {}
};

const ObjectKey kCheckout{"shop", "checkout"};
const ObjectKey kCart{"shop", "cart"};
/// Tunes nothing: its passes only show that the queue came so far.
const ObjectKey kMarker{"shop", "marker"};

json profile_of(const std::string& name, const std::string& target) {
  json profile = objects::profile_object();
  profile["metadata"]["name"] = name;
  profile["spec"]["targetRef"]["name"] = target;
  profile["spec"]["updatePolicy"]["updateMode"] = "Off";
  return profile;
}

json deployment_of(const std::string& name) {
  json deployment = objects::deployment_object();
  deployment["metadata"]["name"] = name;
  deployment["spec"]["selector"]["matchLabels"] = {{"app", name}};
  deployment["spec"]["template"]["metadata"]["labels"] = {{"app", name}};
  return deployment;
}

/// An operator on an API server in memory, with one worker: its passes come in the order in which they are asked for.
class ControllerTest : public ::testing::Test {
 protected:
  ControllerTest() {
    api_.set_now(clock_.now());
    for (const char* const name : {"checkout", "cart"}) {
      objects::deploy(api_, deployment_of(name));
      make_profile(name, name);
    }
    make_profile("marker", "nothing");
  }

  void make_profile(const std::string& name, const std::string& target) {
    ASSERT_TRUE(api_.create(resources::kProfiles, "shop", profile_of(name, target)));
  }

  void start() {
    running_ = std::jthread([this](const std::stop_token& stop) { controller_.run(stop); });
    settle();
    watches_ = api_.watches();
  }

  /// Until nothing more comes of what was changed so far: two passes of the marker without another one between them.
  void settle() {
    for (;;) {
      const std::map<ObjectKey, int> before = passes_.all();
      const int marked = passes_.of(kMarker);
      touch_marker();
      ASSERT_TRUE(passes_.wait_for_one_after(kMarker, marked)) << controller_.trouble();
      bool quiet = true;
      for (const auto& [key, count] : passes_.all()) {
        const auto found = before.find(key);
        quiet = quiet && (key == kMarker || (found != before.end() && found->second == count));
      }
      if (quiet) return;
    }
  }
  /// Each kind has a watch of its own: the marker's must not overtake the others.
  void settle_all() {
    EXPECT_TRUE(api_.wait_until_watched(watches_, kPatience));
    settle();
  }
  template <typename Condition>
  void wait_until(const Condition& is_so) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!is_so()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  void wait_for_trouble() {
    wait_until([&] { return !controller_.trouble().empty(); });
  }
  Duration silence_of(const std::string& kind) {
    for (const WatchAge& age : controller_.watch_ages()) {
      if (age.kind == kind) return age.silent;
    }
    ADD_FAILURE() << kind << " is not watched";
    return {};
  }
  void touch_marker() {
    ASSERT_TRUE(api_.merge_patch({resources::kProfiles, "shop", "marker"},
                                 {{"spec", {{"canary", {{"minSamples", ++touched_}}}}}}, ""));
  }

  /// The profiles that `change` wakes. Those that it does not wake would have had their pass before the marker.
  template <typename Change>
  std::vector<std::string> woken_by(const Change& change) {
    settle_all();
    const std::map<ObjectKey, int> before = passes_.all();
    change();
    settle_all();
    std::vector<std::string> woken;
    for (const auto& [key, count] : passes_.all()) {
      const auto found = before.find(key);
      if (key != kMarker && (found == before.end() || found->second != count)) woken.push_back(key.name);
    }
    return woken;
  }
  void change_deployment(const std::string& name, const json& patch) {
    api_.update_as("kubectl-edit", objects::deployment_path({"shop", name}),
                   [&](json& object) { object.merge_patch(patch); });
  }
  void make_pod(const std::string& name, const json& labels, const json& more = json::object()) {
    json pod{{"metadata", {{"name", name}, {"labels", labels}}}, {"spec", {{"containers", {{{"name", "app"}}}}}}};
    pod.merge_patch(more);
    ASSERT_TRUE(api_.create(resources::kPods, "shop", pod));
  }
  void make_agent(const std::string& name, const std::string& node, const std::string& ip, bool ready = true,
                  const std::string& kind = "DaemonSet", const std::string& owner = "gopacer-agent",
                  const std::string& ns = "shop") {
    const json pod{
        {"metadata",
         {{"name", name},
          {"ownerReferences", {{{"kind", kind}, {"name", owner}, {"uid", owner + "-uid"}, {"controller", true}}}}}},
        {"spec", {{"nodeName", node}, {"containers", {{{"name", "agent"}}}}}},
        {"status",
         {{"phase", "Running"},
          {"podIP", ip},
          {"conditions", {{{"type", "Ready"}, {"status", ready ? "True" : "False"}}}}}}};
    ASSERT_TRUE(api_.create(resources::kPods, ns, pod));
    ASSERT_TRUE(api_.merge_patch({resources::kPods, ns, name}, {{"status", pod["status"]}}, "status"));
  }
  void set_ready(const std::string& name, bool ready) {
    const json conditions = {{{"type", "Ready"}, {"status", ready ? "True" : "False"}}};
    ASSERT_TRUE(
        api_.merge_patch({resources::kPods, "shop", name}, {{"status", {{"conditions", conditions}}}}, "status"));
  }
  void drop_pod(const std::string& name) { ASSERT_TRUE(api_.remove({resources::kPods, "shop", name}, "")); }
  /// Since the last time it was asked.
  std::vector<std::string> told_of_agents() {
    settle_all();
    const std::lock_guard lock(nodes_mutex_);
    return std::exchange(agents_, {});
  }
  void make_trial(const std::string& profile) {
    Trial trial = builders::trial(TrialPhase::kEnded);
    trial.key = {"shop", profile + "-1"};
    trial.spec.profile = profile;
    objects::put_trial(api_, trial);
  }

  FakeClock clock_{Time(seconds(1714557600))};
  HastyClock steady_;
  FakeApiServer api_;
  NoEvents events_;
  PassesSeen passes_;
  OperatorMetrics metrics_;
  std::mutex nodes_mutex_;
  std::map<std::string, Node> nodes_;
  std::vector<std::string> agents_;  ///< what was told of them
  Controller controller_{api_,
                         events_,
                         passes_,
                         metrics_,
                         clock_,
                         steady_,
                         {.watch_namespace = "", .workers = 1, .agents = {"shop", "gopacer-agent"}},
                         [this](const std::string& name, const Node* node) {
                           const std::lock_guard lock(nodes_mutex_);
                           if (node != nullptr) nodes_[name] = *node;
                         },
                         [this](const std::string& node, const std::string& address) {
                           const std::lock_guard lock(nodes_mutex_);
                           agents_.push_back(node + "=" + address);
                         }};
  int touched_ = 1000;
  std::size_t watches_ = 0;
  std::jthread running_;
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(ControllerTest, GivesEachProfileItsPassWhenItStarts) {
  start();
  EXPECT_TRUE(controller_.synced());
  EXPECT_EQ(controller_.trouble(), "");
  EXPECT_GE(passes_.of(kCheckout), 1);
  EXPECT_GE(passes_.of(kCart), 1);
}

TEST_F(ControllerTest, DoesNothingBeforeItKnowsTheWholeCluster) {
  // A pass that saw no pods yet could take them for gone.
  api_.stop_serving(resources::kPods.plural);
  running_ = std::jthread([this](const std::stop_token& stop) { controller_.run(stop); });
  wait_for_trouble();
  EXPECT_FALSE(controller_.synced());
  EXPECT_THAT(passes_.all(), IsEmpty());
  EXPECT_THAT(controller_.trouble(), HasSubstr("does not serve pods"));
}

TEST_F(ControllerTest, TellsOfTheAgentOfEachNode) {
  start();
  make_agent("agent-a", "n1", "10.0.0.1");
  make_agent("agent-b", "n2", "10.0.0.2", false);
  EXPECT_THAT(told_of_agents(), ElementsAre("n1=10.0.0.1"));
  set_ready("agent-b", true);
  EXPECT_THAT(told_of_agents(), ElementsAre("n2=10.0.0.2"));
  set_ready("agent-a", false);
  EXPECT_THAT(told_of_agents(), ElementsAre("n1="));
  set_ready("agent-a", true);
  EXPECT_THAT(told_of_agents(), ElementsAre("n1=10.0.0.1"));
  drop_pod("agent-b");
  EXPECT_THAT(told_of_agents(), ElementsAre("n2="));
}

TEST_F(ControllerTest, TellsOfNoOtherPodsThanTheAgents) {
  start();
  make_agent("of-another", "n1", "10.0.0.1", true, "DaemonSet", "node-exporter");
  make_agent("of-a-set", "n1", "10.0.0.2", true, "ReplicaSet", "gopacer-agent");
  make_agent("agent-elsewhere", "n1", "10.0.0.3", true, "DaemonSet", "gopacer-agent", "other");
  EXPECT_THAT(told_of_agents(), IsEmpty());
}

TEST_F(ControllerTest, GoesOverToANewAgentThatIsReadyBeforeTheOldOneHasGone) {
  start();
  make_agent("old", "n1", "10.0.0.1");
  make_agent("new", "n1", "10.0.0.2", false);
  EXPECT_THAT(told_of_agents(), ElementsAre("n1=10.0.0.1"));
  set_ready("new", true);
  EXPECT_THAT(told_of_agents(), ElementsAre("n1=10.0.0.2"));
  set_ready("old", false);
  drop_pod("old");
  EXPECT_THAT(told_of_agents(), IsEmpty()) << "the new one is there";
}

TEST_F(ControllerTest, GoesBackToTheOldAgentWhereTheNewOneFails) {
  start();
  make_agent("old", "n1", "10.0.0.1");
  make_agent("new", "n1", "10.0.0.2");
  told_of_agents();
  set_ready("new", false);
  EXPECT_THAT(told_of_agents(), ElementsAre("n1=10.0.0.1"));
}

TEST_F(ControllerTest, WakesAProfileThatAPersonChanges) {
  start();
  EXPECT_THAT(
      woken_by([&] {
        ASSERT_TRUE(api_.merge_patch(objects::profile_path(kCart), {{"spec", {{"canary", {{"replicas", 2}}}}}}, ""));
      }),
      ElementsAre("cart"));
}

TEST_F(ControllerTest, SleepsThroughWhatItWritesItself) {
  start();
  EXPECT_THAT(
      woken_by([&] {
        ASSERT_TRUE(api_.merge_patch(objects::profile_path(kCart), {{"status", {{"phase", "Tuned"}}}}, "status"));
      }),
      IsEmpty());
  make_trial("cart");
  EXPECT_THAT(woken_by([&] {
                ASSERT_TRUE(api_.merge_patch(objects::trial_path({"shop", "cart-1"}), {{"status", {{"windows", 3}}}},
                                             "status"));
              }),
              IsEmpty());
}

TEST_F(ControllerTest, WakesWhoTunesTheDeploymentThatControlsAPod) {
  start();
  const std::string uid = api_.peek(objects::deployment_path(kCart))["metadata"]["uid"];
  const json owner{{"kind", "Deployment"}, {"name", "cart"}, {"uid", uid}, {"controller", true}};
  const json set{{"metadata", {{"name", "cart-5d"}, {"ownerReferences", json::array({owner})}}}};
  const json made = api_.create(resources::kReplicaSets, "shop", set).value();
  const json by_set{
      {"kind", "ReplicaSet"}, {"name", "cart-5d"}, {"uid", made["metadata"]["uid"]}, {"controller", true}};
  settle();
  EXPECT_THAT(woken_by([&] {
                make_pod("cart-5d-x", {{"app", "checkout"}},
                         {{"metadata", {{"ownerReferences", json::array({by_set})}}}});
              }),
              ElementsAre("cart"));
  EXPECT_THAT(woken_by([&] { make_pod("stray", {{"app", "cart"}}); }), IsEmpty()) << "labels say nothing";
}

TEST_F(ControllerTest, WakesWhoTunesADeploymentThatChanges) {
  start();
  EXPECT_THAT(woken_by([&] {
                change_deployment("checkout", {{"spec", {{"replicas", 5}}}});
                objects::settle_deployments(api_);
              }),
              ElementsAre("checkout"));
  EXPECT_THAT(woken_by([&] { ASSERT_TRUE(api_.remove(objects::deployment_path(kCart), "")); }), ElementsAre("cart"));
  EXPECT_THAT(woken_by([&] { objects::deploy(api_, deployment_of("cart")); }), ::testing::Contains("cart"))
      << "the other one settles as well";
}

TEST_F(ControllerTest, SleepsThroughChangesOfStrangers) {
  start();
  EXPECT_THAT(woken_by([&] {
                objects::deploy(api_, deployment_of("mail"));
                make_pod("mail-1", {{"app", "mail"}});
                json elsewhere = deployment_of("checkout");
                elsewhere["metadata"]["namespace"] = "other";
                objects::deploy(api_, elsewhere);
              }),
              IsEmpty());
}

TEST_F(ControllerTest, WakesTheProfileOfATrialThatChangesAndOfItsArms) {
  start();
  EXPECT_THAT(woken_by([&] { make_trial("cart"); }), ElementsAre("cart"));
  json arm = deployment_of("cart-gopacer-canary");
  arm["metadata"]["labels"] = {{kTrialLabel, "cart-1"}, {kTrackLabel, "canary"}};
  EXPECT_THAT(woken_by([&] { objects::deploy(api_, arm); }), ElementsAre("cart"));
  EXPECT_THAT(woken_by([&] { ASSERT_TRUE(api_.remove(objects::trial_path({"shop", "cart-1"}), "")); }),
              ElementsAre("cart"));
}

TEST_F(ControllerTest, WakesWhoTunesWhatAnAutoscalerScales) {
  start();
  const json autoscaler{{"metadata", {{"name", "any"}}},
                        {"spec", {{"scaleTargetRef", {{"kind", "Deployment"}, {"name", "cart"}}}, {"maxReplicas", 9}}}};
  EXPECT_THAT(woken_by([&] { ASSERT_TRUE(api_.create(resources::kAutoscalers, "shop", autoscaler)); }),
              ElementsAre("cart"));
  const ObjectPath path{resources::kAutoscalers, "shop", "any"};
  EXPECT_THAT(woken_by([&] { ASSERT_TRUE(api_.remove(path, "")); }), ElementsAre("cart"));
}

TEST_F(ControllerTest, WakesWhoeverWaitsForATargetThatAnotherProfileGivesUp) {
  start();
  make_profile("late", "checkout");
  EXPECT_THAT(woken_by([&] { ASSERT_TRUE(api_.remove(objects::profile_path(kCheckout), "")); }),
              ElementsAre("checkout", "late"));
}

TEST_F(ControllerTest, HandsTheNodesOnAndWakesNobodyForThem) {
  start();
  const json node{{"metadata", {{"name", "n1"}}},
                  {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", "10.0.0.7"}}}}}}};
  EXPECT_THAT(woken_by([&] {
                ASSERT_TRUE(api_.create(resources::kNodes, "", node));
                ASSERT_TRUE(api_.merge_patch({resources::kNodes, "", "n1"}, node, "status"));
              }),
              IsEmpty());
  const std::lock_guard lock(nodes_mutex_);
  ASSERT_EQ(nodes_.size(), 1U);
  EXPECT_EQ(nodes_["n1"].address, "10.0.0.7");
}

TEST_F(ControllerTest, SeesWhatChangedWhileItsWatchesWereLost) {
  start();
  for (const bool expired : {false, true}) {
    EXPECT_THAT(woken_by([&] {
                  if (expired) {
                    api_.compact();
                    api_.expire_watches();
                  } else {
                    api_.end_watches();
                  }
                  change_deployment("checkout", {{"spec", {{"replicas", expired ? 7 : 6}}}});
                }),
                ::testing::Contains("checkout"))
        << expired;
  }
}

TEST_F(ControllerTest, TellsEachPassHowLongTheMostSilentKindHasBeenSilent) {
  start();
  steady_.put_forward(minutes(4));
  make_pod("news", {});
  wait_until([&] { return silence_of("Pod") < minutes(1); });
  settle();
  EXPECT_GE(passes_.picture_age(kMarker), minutes(4)) << "of all others nothing was heard";
  api_.bookmark();
  for (const WatchAge& age : controller_.watch_ages()) {
    wait_until([&] { return silence_of(age.kind) < minutes(1); });
  }
  settle();
  EXPECT_LT(passes_.picture_age(kMarker), minutes(1));
}

TEST_F(ControllerTest, NamesAWatchThatHasFallenSilent) {
  start();
  EXPECT_EQ(controller_.silent_watch(), "");
  steady_.put_forward(kLongestSilence + minutes(1));
  EXPECT_THAT(controller_.silent_watch(), HasSubstr("said nothing of kind "));
  EXPECT_THAT(controller_.silent_watch(), HasSubstr(" for 7m"));
  api_.bookmark();
  wait_until([&] { return controller_.silent_watch().empty(); });
}

TEST_F(ControllerTest, NamesAPassThatDoesNotComeBack) {
  start();
  const int before = passes_.of(kCart);
  passes_.hold(kCart);
  EXPECT_TRUE(api_.merge_patch(objects::profile_path(kCart), {{"spec", {{"canary", {{"replicas", 2}}}}}}, ""));
  EXPECT_TRUE(passes_.wait_for_one_after(kCart, before));
  steady_.put_forward(kLongestPass - minutes(1));
  EXPECT_EQ(controller_.stuck_pass(), "");
  steady_.put_forward(minutes(2));
  EXPECT_THAT(controller_.stuck_pass(), HasSubstr("shop/cart has not ended for 11m"));
  passes_.release();
  settle();
  EXPECT_EQ(controller_.stuck_pass(), "");
}

TEST_F(ControllerTest, TriesAPassAgainThatFailed) {
  start();
  settle();
  const int before = passes_.of(kCart);
  api_.fail_next("patch", {ErrorKind::kRetriable, "the API server is away"}, 1, resources::kProfiles.plural);
  api_.fail_next("apply", {ErrorKind::kRetriable, "the API server is away"}, 1, resources::kProfiles.plural);
  ASSERT_TRUE(api_.remove(objects::deployment_path(kCart), ""));
  // One for the Deployment that is gone, and one for its own failure.
  ASSERT_TRUE(passes_.wait_for_one_after(kCart, before));
  ASSERT_TRUE(passes_.wait_for_one_after(kCart, before + 1));
}

TEST_F(ControllerTest, LooksIntoItsOwnNamespaceOnly) {
  Controller narrow(api_, events_, passes_, metrics_, clock_, steady_, {.watch_namespace = "other", .workers = 1},
                    [](const std::string&, const Node*) {});
  json profile = profile_of("only", "nothing");
  profile["metadata"]["namespace"] = "other";
  ASSERT_TRUE(api_.create(resources::kProfiles, "other", profile));
  const std::jthread running([&](const std::stop_token& stop) { narrow.run(stop); });
  ASSERT_TRUE(passes_.wait_for_one_after({"other", "only"}, 0));
  EXPECT_EQ(passes_.of(kCheckout), 0);
}

TEST_F(ControllerTest, EndsAtOnceWhenItIsStoppedBeforeItKnowsTheCluster) {
  api_.stop_serving(resources::kDeployments.plural);
  std::jthread running([this](const std::stop_token& stop) { controller_.run(stop); });
  wait_for_trouble();
  running.request_stop();
  running.join();
  EXPECT_THAT(passes_.all(), IsEmpty());
}

}  // namespace
}  // namespace gopacer
