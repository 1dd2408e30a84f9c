// Against a real kube-apiserver.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/steady_clock.h"
#include "codec/pod.h"
#include "codec/profile.h"
#include "codec/resources.h"
#include "codec/workload.h"
#include "kube/event_writer.h"
#include "kube/leader_elector.h"
#include "kube/real_api_server.h"
#include "source_dir.h"
#include "watch/reflector.h"
#include "watch/store.h"

namespace gopacer::kube {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

const ResourceType kConfigMaps{"", "v1", "configmaps", "ConfigMap", true};
constexpr Duration kLong = seconds(30);

json config_map(const std::string& name, const std::string& value) {
  return {{"metadata", {{"name", name}}}, {"data", {{"a", value}}}};
}

/// A condition that other threads bring about.
class Gate {
 public:
  template <typename Change>
  void change(const Change& what) {
    const std::lock_guard lock(mutex_);
    what();
    changed_.notify_all();
  }
  template <typename Condition>
  bool wait(const Condition& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kLong, condition);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class ApiTest : public testing::Test {
 protected:
  std::unique_ptr<Client> client_ = RealApiServer::client();
  std::string ns_ = RealApiServer::make_namespace(*client_);

  ObjectPath map(const std::string& name) const { return {kConfigMaps, ns_, name}; }
  std::string kubectl(const std::string& arguments, const std::string& input = "") const {
    return RealApiServer::kubectl("-n " + ns_ + " " + arguments, input);
  }
  void install_crds() {
    RealApiServer::kubectl("apply --server-side -f '" + in_source("crds") + "'");
    const auto deadline = std::chrono::steady_clock::now() + kLong;
    while (!client_->list({resources::kProfiles, ns_, "", ""}, "")) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the CRDs are not served";
    }
  }
};

TEST_F(ApiTest, CreatesReadsChangesAndDeletes) {
  const json made = client_->create(kConfigMaps, ns_, config_map("x", "1")).value();
  EXPECT_EQ(client_->create(kConfigMaps, ns_, config_map("x", "1")).error().kind, ErrorKind::kConflict);
  EXPECT_EQ(client_->get(map("x")).value()["data"]["a"], "1");
  EXPECT_EQ(client_->merge_patch(map("x"), {{"data", {{"b", "2"}}}}, "").value()["data"].size(), 2);

  json old = made;
  old["data"]["a"] = "9";
  EXPECT_EQ(client_->replace(map("x"), old).error().kind, ErrorKind::kConflict) << "it changed since it was read";
  const json stale{{"metadata", {{"resourceVersion", made["metadata"]["resourceVersion"]}}}, {"data", {{"a", "9"}}}};
  EXPECT_EQ(client_->merge_patch(map("x"), stale, "").error().kind, ErrorKind::kConflict);
  json fresh = client_->get(map("x")).value();
  fresh["data"]["a"] = "9";
  EXPECT_TRUE(client_->replace(map("x"), fresh));

  EXPECT_EQ(client_->remove(map("x"), "another-uid").error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(client_->remove(map("x"), made["metadata"]["uid"]));
  EXPECT_TRUE(client_->remove(map("x"), "")) << "it is gone already";
  const auto gone = client_->get(map("x"));
  EXPECT_EQ(gone.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(gone.error().message, HasSubstr("ConfigMap " + ns_ + "/x"));
}

/// A pod that is small to its author and 8.7 MB as the API server writes it: '<' becomes \\u003c.
json bursting_pod(const std::string& name) {
  return {{"metadata", {{"name", name}}},
          {"spec",
           {{"containers",
             json::array({{{"name", "app"},
                           {"image", "x"},
                           {"env", json::array({{{"name", "A"}, {"value", std::string(1'450'000, '<')}}})}}})}}}};
}

json plain_pod(const std::string& name) {
  return {{"metadata", {{"name", name}}}, {"spec", {{"containers", json::array({{{"name", "app"}, {"image", "x"}}})}}}};
}

TEST_F(ApiTest, NoPodOfATenantBlindsTheWatchOfAll) {
  client_->create(resources::kPods, ns_, plain_pod("before")).value();
  const SystemSteadyClock clock;
  Gate gate;
  std::vector<std::string> left_out;
  Store<Pod> store(codec::decode_pod, [&](const ObjectKey&, const auto&, const auto&) { gate.change([] {}); });
  ReflectorOptions options;
  options.on_unreadable = [&](const ObjectKey& key, const std::string&) {
    gate.change([&] { left_out.push_back(key.text()); });
  };
  std::vector<std::string> troubles;
  Reflector reflector(
      *client_, {resources::kPods, "", "", ""}, store, clock,
      [&](const Error& error) { gate.change([&] { troubles.push_back(error.message); }); }, options);
  std::jthread running([&](std::stop_token stop) { reflector.run(std::move(stop)); });
  ASSERT_TRUE(store.wait_until_synced(kLong, {}));

  const std::string fat = ns_ + "/fat";
  // The answer is as long as the event: more than this client takes.
  json bursting = bursting_pod("fat");
  bursting["apiVersion"] = "v1";
  bursting["kind"] = "Pod";
  RealApiServer::kubectl("create --raw /api/v1/namespaces/" + ns_ + "/pods -f -", bursting.dump());
  client_->create(resources::kPods, ns_, plain_pod("after")).value();
  ASSERT_TRUE(gate.wait([&] { return store.find({ns_, "after"}) != nullptr; })) << "the watch is blind";
  EXPECT_THAT(left_out, Contains(fat));
  EXPECT_NE(store.rejection({ns_, "fat"}), std::nullopt);

  // Whoever starts anew meets it in the list.
  Store<Pod> second_store(codec::decode_pod);
  Reflector second(*client_, {resources::kPods, "", "", ""}, second_store, clock, nullptr, options);
  left_out.clear();
  second.step({});
  EXPECT_TRUE(second_store.synced()) << second.trouble();
  EXPECT_NE(second_store.find({ns_, "after"}), nullptr);
  EXPECT_NE(second_store.rejection({ns_, "fat"}), std::nullopt);
  EXPECT_THAT(left_out, Contains(fat));

  ASSERT_TRUE(client_->remove({resources::kPods, ns_, "fat"}, ""));
  client_->create(resources::kPods, ns_, plain_pod("last")).value();
  EXPECT_TRUE(gate.wait([&] { return store.find({ns_, "last"}) != nullptr; }));
  EXPECT_EQ(store.rejection({ns_, "fat"}), std::nullopt) << "it is gone";
  EXPECT_TRUE(troubles.empty()) << troubles.front();
}

TEST_F(ApiTest, ATokenOfAnotherAccountIsThatAccounts) {
  kubectl("create serviceaccount gopacer-kubelet");
  const IssuedToken issued = client_->request_token(ns_, "gopacer-kubelet", seconds(1200)).value();
  EXPECT_GE(issued.life, Duration(seconds(600)));
  ClusterConfig config = RealApiServer::config();
  config.client_certificate.clear();
  config.client_key.clear();
  config.token = issued.token;
  const auto as_kubelet_account = RealApiServer::client(config);
  const json review = as_kubelet_account
                          ->create({"authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", false},
                                   "", json::object())
                          .value();
  EXPECT_EQ(review["status"]["userInfo"]["username"], "system:serviceaccount:" + ns_ + ":gopacer-kubelet");
  const auto refused = as_kubelet_account->request_token(ns_, "gopacer-kubelet", seconds(1200));
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("cannot make a token of ServiceAccount"), HasSubstr("forbidden")));
}

TEST_F(ApiTest, TellsWhatIsInvalid) {
  const auto got = client_->create(kConfigMaps, ns_, config_map("Not_A_Name", "1"));
  EXPECT_EQ(got.error().kind, ErrorKind::kTerminal);
  EXPECT_THAT(got.error().message,
              AllOf(HasSubstr("cannot create ConfigMap"), HasSubstr("metadata.name: Invalid value")));
}

const char* const kManifest = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout}
spec:
  replicas: 2
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec:
      containers:
      - {name: app, image: checkout, env: [{name: PORT, value: "8080"}], resources: {limits: {memory: 512Mi}}}
)";

json our_env(const char* gogc) {
  return {{"spec",
           {{"template",
             {{"spec",
               {{"containers",
                 json::array({{{"name", "app"}, {"env", json::array({{{"name", "GOGC"}, {"value", gogc}}})}}})}}}}}}}};
}

TEST_F(ApiTest, OwnsItsTwoVariablesBesideTheUsersManifest) {
  const ObjectPath checkout{resources::kDeployments, ns_, "checkout"};
  kubectl("apply -f -", kManifest);
  const Workload before = codec::decode_deployment(client_->get(checkout).value()).value();
  ASSERT_TRUE(client_->apply(checkout, our_env("180"), {true, ""})) << "a dry run";
  EXPECT_TRUE(codec::decode_deployment(client_->get(checkout).value())->containers[0].env.empty());

  ASSERT_TRUE(client_->apply(checkout, our_env("180"), {}));
  const Workload ours = codec::decode_deployment(client_->get(checkout).value()).value();
  ASSERT_EQ(ours.containers[0].env.size(), 1);
  EXPECT_EQ(ours.containers[0].env[0].value, "180");
  EXPECT_EQ(ours.template_hash, before.template_hash) << "our own change is no change of the workload";
  ASSERT_EQ(ours.env_owners.size(), 1);
  EXPECT_EQ(ours.env_owners[0].manager, "gopacer");

  kubectl("apply -f -", kManifest);
  EXPECT_EQ(codec::decode_deployment(client_->get(checkout).value())->containers[0].env.size(), 1)
      << "a manifest without it leaves it alone";

  kubectl("set env deployment/checkout GOGC=70");
  const auto refused = client_->apply(checkout, our_env("200"), {});
  EXPECT_EQ(refused.error().kind, ErrorKind::kOwned);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("kubectl-set"), HasSubstr(R"(env[name="GOGC"])")));
  const Workload theirs = codec::decode_deployment(client_->get(checkout).value()).value();
  EXPECT_EQ(theirs.containers[0].env[0].value, "70");
  EXPECT_THAT(theirs.env_owners, Contains(testing::Field(&EnvOwner::manager, "kubectl-set")));

  kubectl("set image deployment/checkout app=checkout:2");
  EXPECT_NE(codec::decode_deployment(client_->get(checkout).value())->template_hash, before.template_hash);
}

TEST_F(ApiTest, AnApplyOfNothingGivesTheVariablesBack) {
  const ObjectPath checkout{resources::kDeployments, ns_, "checkout"};
  kubectl("apply -f -", kManifest);
  ASSERT_TRUE(client_->apply(checkout, our_env("180"), {}));
  ASSERT_TRUE(client_->apply(checkout, json::object(), {}));
  const Workload got = codec::decode_deployment(client_->get(checkout).value()).value();
  EXPECT_TRUE(got.containers[0].env.empty());
  EXPECT_TRUE(got.env_owners.empty());
}

TEST_F(ApiTest, ListsEverythingPageByPage) {
  ClientOptions options;
  options.page_size = 7;
  const auto client = RealApiServer::client(options);
  std::set<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "m" + std::to_string(i);
    ASSERT_TRUE(client->create(kConfigMaps, ns_,
                               {{"metadata", {{"name", name}, {"labels", {{"odd", i % 2 == 1 ? "yes" : "no"}}}}}}));
    if (i % 2 == 1) expected.insert(name);
  }
  std::set<std::string> got;
  std::string token;
  int pages = 0;
  do {
    const ListPage page = client->list({kConfigMaps, ns_, "odd=yes", ""}, token).value();
    EXPECT_LE(page.items.size(), 7);
    for (const json& item : page.items) got.insert(item["metadata"]["name"]);
    token = page.continue_token;
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(got, expected);
  EXPECT_EQ(pages, 3);
}

TEST_F(ApiTest, AQuietWatchEndsWell) {
  ClientOptions options;
  options.watch_timeout = seconds(1);
  const auto client = RealApiServer::client(options);
  const Selection selection{kConfigMaps, ns_, "", ""};
  const std::string version = client->list(selection, "")->resource_version;
  const auto got =
      client->watch(selection, version, [](WatchEventType, const json&) { ADD_FAILURE() << "nothing happened"; }, {});
  EXPECT_TRUE(got) << got.error().message;
}

TEST_F(ApiTest, AReflectorFollowsTheCluster) {
  Gate gate;
  const SystemSteadyClock clock;
  Store<std::string> store([](const json& object) -> Result<std::string> { return object["data"].value("a", ""); },
                           [&](const ObjectKey&, const auto&, const auto&) { gate.change([] {}); });
  ClientOptions options;
  options.page_size = 2;
  options.watch_timeout = seconds(2);
  const auto client = RealApiServer::client(options);
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(client_->create(kConfigMaps, ns_, config_map(name, "1")));
  Reflector reflector(*client, {kConfigMaps, ns_, "", ""}, store, clock,
                      [](const Error& error) { ADD_FAILURE() << error.message; });
  std::jthread running([&](std::stop_token stop) { reflector.run(std::move(stop)); });
  ASSERT_TRUE(store.wait_until_synced(kLong, {}));
  EXPECT_EQ(store.list().size(), 3);

  const auto value = [&](const char* name) {
    const auto found = store.find({ns_, name});
    return found ? *found : std::string("-");
  };
  // Over several watches, each of two seconds: nothing is lost between them.
  for (int round = 0; round < 10; ++round) {
    const std::string text = std::to_string(round);
    ASSERT_TRUE(client_->merge_patch(map("a"), {{"data", {{"a", text}}}}, ""));
    EXPECT_TRUE(gate.wait([&] { return value("a") == text; }));
    if (round == 3) std::this_thread::sleep_for(seconds(3));
  }
  ASSERT_TRUE(client_->remove(map("b"), ""));
  ASSERT_TRUE(client_->create(kConfigMaps, ns_, config_map("d", "new")));
  EXPECT_TRUE(gate.wait([&] { return value("b") == "-" && value("d") == "new"; }));
}

TEST_F(ApiTest, AReflectorWaitsForAKindThatIsNotInstalledYet) {
  if (client_->kind_is_served(resources::kProfiles).value()) GTEST_SKIP() << "the CRDs are there already";
  Gate gate;
  std::vector<std::string> troubles;
  const SystemSteadyClock clock;
  Store<Profile> store(codec::decode_profile);
  ReflectorOptions options;
  options.not_served_wait = milliseconds(100);
  Reflector reflector(
      *client_, {resources::kProfiles, "", "", ""}, store, clock,
      [&](const Error& error) { gate.change([&] { troubles.push_back(error.message); }); }, options);
  std::jthread running([&](std::stop_token stop) { reflector.run(std::move(stop)); });
  ASSERT_TRUE(gate.wait([&] { return !troubles.empty(); }));
  EXPECT_THAT(troubles[0], HasSubstr("does not serve goruntimeprofiles of gopacer.dev/v1alpha1"));
  EXPECT_EQ(reflector.state(), ReflectorState::kNotServed);

  install_crds();
  EXPECT_TRUE(store.wait_until_synced(kLong, {}));
  // Discovery lags behind: the server answers for a new kind a moment before it lists it.
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (!client_->kind_is_served(resources::kProfiles).value()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  // A new kind's storage may still be on its way up; the first word of a watch that holds ends the trouble.
  const json profile{{"metadata", {{"name", "first"}}},
                     {"spec", {{"targetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "x"}}}}}};
  while (!client_->create(resources::kProfiles, ns_, profile)) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  while (!reflector.trouble().empty()) ASSERT_LT(std::chrono::steady_clock::now(), deadline) << reflector.trouble();
}

TEST_F(ApiTest, ReadsAProfileWithAllTheServersDefaults) {
  install_crds();
  const json spec{{"targetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "checkout"}}}};
  const auto made = client_->create(resources::kProfiles, ns_, {{"metadata", {{"name", "checkout"}}}, {"spec", spec}});
  ASSERT_TRUE(made) << made.error().message;
  const Profile got = codec::decode_profile(*made).value();
  const ProfileSpec defaults;
  EXPECT_EQ(got.spec.target, "checkout");
  EXPECT_EQ(got.spec.update_mode, defaults.update_mode);
  EXPECT_EQ(got.spec.strategy, defaults.strategy);
  EXPECT_EQ(got.spec.bounds.min_gogc, defaults.bounds.min_gogc);
  EXPECT_EQ(got.spec.bounds.max_gogc, defaults.bounds.max_gogc);
  EXPECT_EQ(got.spec.bounds.max_go_mem_limit_percent, defaults.bounds.max_go_mem_limit_percent);
  EXPECT_EQ(got.spec.metrics.port, defaults.metrics.port);
  EXPECT_EQ(got.spec.metrics.path, defaults.metrics.path);
  EXPECT_EQ(got.spec.metrics.interval, defaults.metrics.interval);
  EXPECT_EQ(got.spec.canary.replicas, defaults.canary.replicas);
  EXPECT_EQ(got.spec.canary.warm_up, defaults.canary.warm_up);
  EXPECT_EQ(got.spec.canary.interval, defaults.canary.interval);
  EXPECT_EQ(got.spec.canary.max_duration, defaults.canary.max_duration);
  EXPECT_EQ(got.spec.canary.min_samples, defaults.canary.min_samples);
  EXPECT_EQ(got.spec.rollback.watch_for, defaults.rollback.watch_for);
  EXPECT_EQ(got.spec.rollback.cool_down, defaults.rollback.cool_down);
  EXPECT_EQ(got.spec.history.successful, defaults.history.successful);
  EXPECT_EQ(got.spec.history.unsuccessful, defaults.history.unsuccessful);

  const json status{{"status",
                     {{"trialCount", 2},
                      {"applied", json::object()},
                      {"bannedRegions", {{{"gogc", "10"}, {"reason", "SloBreach"}, {"at", "2024-05-01T10:00:00Z"}}}}}}};
  const auto patched = client_->merge_patch({resources::kProfiles, ns_, "checkout"}, status, "status");
  ASSERT_TRUE(patched) << patched.error().message;
  const ProfileMemory memory = codec::decode_profile(*patched)->memory;
  EXPECT_EQ(memory.trial_count, 2);
  EXPECT_EQ(memory.applied, Settings{});
  EXPECT_EQ(memory.banned.at(0).settings.gogc, Gogc(10));
}

TEST_F(ApiTest, AVersionFromBeforeTheServersMemoryIsTooOld) {
  install_crds();
  ClientOptions options;
  options.watch_timeout = seconds(5);
  // The server remembers a kind's changes since it was installed.
  const auto got = RealApiServer::client(options)->watch({resources::kProfiles, ns_, "", ""}, "1",
                                                         [](WatchEventType, const json&) {}, {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kExpired);
  EXPECT_THAT(got.error().message, HasSubstr("too old resource version"));
}

TEST_F(ApiTest, TheLeaseGoesFromOneToTheOther) {
  Gate gate;
  std::string story;
  const SystemClock wall;
  const SystemSteadyClock clock;
  const auto options = [&](const char* name) {
    LeaseOptions out;
    out.ns = ns_;
    out.identity = name;
    out.retry_period = milliseconds(50);
    return out;
  };
  const auto client_a = RealApiServer::client(lease_client_options());
  const auto client_b = RealApiServer::client(lease_client_options());
  LeaderElector a(
      *client_a, options("a"), wall, clock, [&] { gate.change([&] { story += "+a"; }); },
      [&] { gate.change([&] { story += "-a"; }); });
  LeaderElector b(
      *client_b, options("b"), wall, clock, [&] { gate.change([&] { story += "+b"; }); },
      [&] { gate.change([&] { story += "-b"; }); });
  std::jthread first([&](std::stop_token stop) { a.run(std::move(stop)); });
  ASSERT_TRUE(gate.wait([&] { return story == "+a"; }));
  std::jthread second([&](std::stop_token stop) { b.run(std::move(stop)); });
  const auto begun = std::chrono::steady_clock::now();
  first.request_stop();
  ASSERT_TRUE(gate.wait([&] { return story == "+a-a+b"; })) << story;
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(5)) << "well before the lease runs out";
  EXPECT_THAT(kubectl("get lease gopacer -o jsonpath='{.spec.holderIdentity}'"), HasSubstr("b"));
}

TEST_F(ApiTest, KubectlShowsOurEvents) {
  const SystemClock wall;
  const SystemSteadyClock clock;
  const json made = client_->create(kConfigMaps, ns_, config_map("x", "1")).value();
  EventWriterOptions options;
  options.instance = "gopacer-0";
  options.series_period = Duration(0);
  EventWriter writer(*client_, wall, clock, options);
  const Event event{kConfigMaps, ns_, "x", made["metadata"]["uid"], true, "RolledBack", "GOGC=10 made p99 worse",
                    "RollBack"};
  for (int i = 0; i < 3; ++i) writer.post(event);
  writer.write_due();
  EXPECT_EQ(writer.dropped(), 0);
  EXPECT_THAT(kubectl("describe configmap x"), AllOf(HasSubstr("Warning"), HasSubstr("RolledBack"),
                                                     HasSubstr("GOGC=10 made p99 worse"), HasSubstr("x3 over")));
}

TEST_F(ApiTest, ATokenIsAsGoodAsItsRights) {
  kubectl("create serviceaccount robot");
  ClusterConfig config = RealApiServer::config();
  config.client_certificate.clear();
  config.client_key.clear();
  config.token = kubectl("create token robot");
  while (!config.token.empty() && config.token.back() == '\n') config.token.pop_back();
  const auto robot = RealApiServer::client(config);
  const auto forbidden = robot->list({kConfigMaps, ns_, "", ""}, "");
  EXPECT_EQ(forbidden.error().kind, ErrorKind::kTerminal);
  EXPECT_THAT(forbidden.error().message, AllOf(HasSubstr("cannot list configmaps in " + ns_),
                                               HasSubstr("system:serviceaccount"), HasSubstr("grant it")));

  kubectl("create role reader --verb=list --resource=configmaps");
  kubectl("create rolebinding reader --role=reader --serviceaccount=" + ns_ + ":robot");
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (!robot->list({kConfigMaps, ns_, "", ""}, "") && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_TRUE(robot->list({kConfigMaps, ns_, "", ""}, ""));

  config.token = "forged";
  EXPECT_THAT(RealApiServer::client(config)->list({kConfigMaps, ns_, "", ""}, "").error().message,
              HasSubstr("check the credentials"));
}

TEST_F(ApiTest, TrustsOnlyTheClustersOwnAuthority) {
  ClusterConfig config = RealApiServer::config();
  ClientOptions options;
  options.read_retries = 0;
  config.ca.clear();
  const auto refused = RealApiServer::client(config, options)->get(map("x"));
  EXPECT_EQ(refused.error().kind, ErrorKind::kRetriable);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("certificate was refused"), HasSubstr(config.server)));
  config.skip_tls_verify = true;
  EXPECT_EQ(RealApiServer::client(config, options)->get(map("x")).error().kind, ErrorKind::kNotFound);
}

TEST_F(ApiTest, ChecksTheNameThatItIsToldTo) {
  ClusterConfig config = RealApiServer::config();
  ClientOptions options;
  options.read_retries = 0;
  config.tls_server_name = "kubernetes.default.svc";
  EXPECT_EQ(RealApiServer::client(config, options)->get(map("x")).error().kind, ErrorKind::kNotFound);
  config.tls_server_name = "elsewhere.example";
  EXPECT_THAT(RealApiServer::client(config, options)->get(map("x")).error().message,
              HasSubstr("it is not for this host"));
}

}  // namespace
}  // namespace gopacer::kube
