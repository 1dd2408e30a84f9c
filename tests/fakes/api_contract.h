#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "codec/resources.h"
#include "fakes/objects.h"
#include "ports/api_server.h"

/// What gopacer counts on in an API server. The same tests run on the fake one and on a real one, so that what the fake
/// lets pass is what a cluster would.
namespace gopacer {

/// `Server` gives `api()`, `ns()` — a namespace of its own for each test —, and `person_updates(manager, name, patch)`:
/// a JSON merge patch of a Deployment under another field manager's name, without server-side apply.
template <typename Server>
class ApiContract : public testing::Test {
 protected:
  using json = nlohmann::json;

  void SetUp() override {
    json target = objects::deployment_object();
    target["metadata"]["namespace"] = server_.ns();
    ASSERT_TRUE(api().create(resources::kDeployments, server_.ns(), target));
  }

  ApiServer& api() { return server_.api(); }
  ObjectPath path(const std::string& name = "checkout") { return objects::deployment_path({server_.ns(), name}); }
  json target() { return api().get(path()).value(); }

  static json our_env(const std::string& gogc, json metadata = json::object()) {
    json document = json::parse(R"({"spec": {"template": {"spec": {"containers": [{"name": "app"}]}}}})");
    document["spec"]["template"]["spec"]["containers"][0]["env"] = {{{"name", "GOGC"}, {"value", gogc}}};
    document["metadata"] = std::move(metadata);
    return document;
  }
  json containers_with(const std::string& gogc) {
    json containers = target()["spec"]["template"]["spec"]["containers"];
    json& env = containers[0]["env"];
    std::erase_if(env.template get_ref<json::array_t&>(), [](const json& entry) { return entry["name"] == "GOGC"; });
    env.push_back({{"name", "GOGC"}, {"value", gogc}});
    return containers;
  }
  /// "manager/Operation" of all that own the value of GOGC.
  std::vector<std::string> owners_of_gogc() {
    std::vector<std::string> owners;
    const json object = target();
    for (const json& entry : object["metadata"]["managedFields"]) {
      const json::json_pointer value(
          R"(/f:spec/f:template/f:spec/f:containers/k:{"name":"app"}/f:env/k:{"name":"GOGC"}/f:value)");
      if (entry["fieldsV1"].contains(value))
        owners.push_back(entry["manager"].template get<std::string>() + "/" +
                         entry["operation"].template get<std::string>());
    }
    std::sort(owners.begin(), owners.end());
    return owners;
  }

  Server server_;
};

TYPED_TEST_SUITE_P(ApiContract);

TYPED_TEST_P(ApiContract, AnApplyForAnotherUidIsRefused) {
  const auto meant = this->our_env("200", {{"uid", "00000000-0000-0000-0000-000000000000"}});
  const auto before = this->target();
  const auto refused = this->api().apply(this->path(), meant, {});
  ASSERT_FALSE(refused);
  // A real one calls it invalid or a conflict, by its version.
  EXPECT_FALSE(refused.error().retriable());
  EXPECT_EQ(this->target(), before);
  const auto gone = this->api().apply(this->path("gone"), meant, {});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(this->api().get(this->path("gone")).error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(this->api().apply(this->path(), this->our_env("200", {{"uid", before["metadata"]["uid"]}}), {}));
}

TYPED_TEST_P(ApiContract, AnApplyOfAnOldVersionIsAConflict) {
  const auto old = this->target();
  this->server_.person_updates("kubectl-label", "checkout", {{"metadata", {{"labels", {{"team", "till"}}}}}});
  const auto version = [](const nlohmann::json& of) {
    return nlohmann::json{{"resourceVersion", of["metadata"]["resourceVersion"]}};
  };
  const auto refused = this->api().apply(this->path(), this->our_env("200", version(old)), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kConflict) << refused.error().message;
  EXPECT_EQ(objects::env_value(this->target(), "GOGC"), "");
  const auto done = this->api().apply(this->path(), this->our_env("200", version(this->target())), {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(objects::env_value(*done, "GOGC"), "200");
}

TYPED_TEST_P(ApiContract, AnApplyOfWhatIsThereAlreadyChangesNothing) {
  ASSERT_TRUE(this->api().apply(this->path(), this->our_env("200"), {}));
  const auto before = this->target();
  ASSERT_TRUE(this->api().apply(this->path(), this->our_env("200"), {}));
  EXPECT_EQ(this->target()["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
}

TYPED_TEST_P(ApiContract, APersonsUpdateTakesTheFieldThatItChanges) {
  ASSERT_TRUE(this->api().apply(this->path(), this->our_env("200"), {}));
  EXPECT_THAT(this->owners_of_gogc(), testing::ElementsAre("gopacer/Apply"));
  this->server_.person_updates("kubectl-edit", "checkout",
                               {{"spec", {{"template", {{"spec", {{"containers", this->containers_with("80")}}}}}}}});
  EXPECT_THAT(this->owners_of_gogc(), testing::ElementsAre("kubectl-edit/Update"));
  const auto refused = this->api().apply(this->path(), this->our_env("200"), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kOwned);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("kubectl-edit"));
  EXPECT_EQ(objects::env_value(this->target(), "GOGC"), "80");
}

TYPED_TEST_P(ApiContract, APersonsUpdateOfSomethingElseLeavesOurField) {
  ASSERT_TRUE(this->api().apply(this->path(), this->our_env("200"), {}));
  auto containers = this->containers_with("200");
  containers[0]["image"] = "checkout:2";
  this->server_.person_updates("kubectl-edit", "checkout",
                               {{"spec", {{"template", {{"spec", {{"containers", containers}}}}}}}});
  EXPECT_THAT(this->owners_of_gogc(), testing::ElementsAre("gopacer/Apply"));
  EXPECT_TRUE(this->api().apply(this->path(), this->our_env("150"), {}));
}

TYPED_TEST_P(ApiContract, AReplaceOwnsWhatItChanges) {
  auto changed = this->target();
  changed["spec"]["template"]["spec"]["containers"] = this->containers_with("150");
  const auto replaced = this->api().replace(this->path(), changed);
  ASSERT_TRUE(replaced) << replaced.error().message;
  EXPECT_THAT(this->owners_of_gogc(), testing::ElementsAre("gopacer/Update"));
  EXPECT_GT((*replaced)["metadata"]["generation"], changed["metadata"]["generation"]);
}

TYPED_TEST_P(ApiContract, AReplaceOfAnOldVersionOrUidIsAConflict) {
  const auto old = this->target();
  this->server_.person_updates("kubectl-label", "checkout", {{"metadata", {{"labels", {{"team", "till"}}}}}});
  EXPECT_EQ(this->api().replace(this->path(), old).error().kind, ErrorKind::kConflict);
  auto other = this->target();
  other["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000";
  EXPECT_EQ(this->api().replace(this->path(), other).error().kind, ErrorKind::kConflict);
}

TYPED_TEST_P(ApiContract, AStatusIsWrittenApart) {
  auto changed = this->target();
  changed["status"]["replicas"] = 7;
  ASSERT_TRUE(this->api().replace(this->path(), changed));
  EXPECT_NE(this->target().value("status", nlohmann::json::object()).value("replicas", 0), 7);
  const auto patched = this->api().merge_patch(
      this->path(), {{"status", {{"observedGeneration", 1}, {"replicas", 3}}}, {"spec", {{"replicas", 9}}}}, "status");
  ASSERT_TRUE(patched) << patched.error().message;
  EXPECT_EQ((*patched)["status"]["replicas"], 3);
  EXPECT_EQ((*patched)["spec"]["replicas"], 3);
  EXPECT_EQ((*patched)["metadata"]["generation"], 1);
}

TYPED_TEST_P(ApiContract, AnObjectStaysMarkedUntilItsFinalizerIsTakenOff) {
  ASSERT_TRUE(this->api().merge_patch(this->path(), {{"metadata", {{"finalizers", {"example.org/slow"}}}}}, ""));
  ASSERT_TRUE(this->api().remove(this->path(), ""));
  ASSERT_TRUE(this->api().remove(this->path(), "")) << "asking twice does no harm";
  EXPECT_TRUE(this->target()["metadata"].contains("deletionTimestamp"));
  auto again = objects::deployment_object();
  again["metadata"]["namespace"] = this->server_.ns();
  EXPECT_EQ(this->api().create(resources::kDeployments, this->server_.ns(), again).error().kind, ErrorKind::kConflict)
      << "the name is not free yet";
  ASSERT_TRUE(this->api().merge_patch(this->path(), {{"metadata", {{"finalizers", nlohmann::json::array()}}}}, ""));
  EXPECT_EQ(this->api().get(this->path()).error().kind, ErrorKind::kNotFound);
}

TYPED_TEST_P(ApiContract, AWatchOfLabelsSeesAnObjectComeAndGoWithThem) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<WatchEventType> seen;
  const Selection selection{resources::kDeployments, this->server_.ns(), "watched=yes", ""};
  const std::string version = this->api().list(selection, "").value().resource_version;
  std::jthread watching([&](std::stop_token stop) {
    EXPECT_TRUE(this->api().watch(
        selection, version,
        [&](WatchEventType type, const nlohmann::json&) {
          const std::lock_guard lock(mutex);
          if (type != WatchEventType::kBookmark) seen.push_back(type);
          changed.notify_all();
        },
        std::move(stop)));
  });
  const auto label = [&](const nlohmann::json& value) {
    ASSERT_TRUE(this->api().merge_patch(this->path(), {{"metadata", {{"labels", {{"watched", value}}}}}}, ""));
  };
  label("yes");
  ASSERT_TRUE(this->api().merge_patch(this->path(), {{"spec", {{"replicas", 4}}}}, ""));
  label("no");
  ASSERT_TRUE(this->api().merge_patch(this->path(), {{"spec", {{"replicas", 5}}}}, ""));
  label("yes");
  std::unique_lock lock(mutex);
  changed.wait_for(lock, std::chrono::seconds(20), [&] { return seen.size() >= 4; });
  EXPECT_THAT(seen, testing::ElementsAre(WatchEventType::kAdded, WatchEventType::kModified, WatchEventType::kDeleted,
                                         WatchEventType::kAdded));
  watching.request_stop();
  lock.unlock();
}

TYPED_TEST_P(ApiContract, AProfileGetsItsDefaultsAndLosesWhatNobodyKnows) {
  auto profile = objects::profile_object();
  profile["metadata"]["namespace"] = this->server_.ns();
  profile["spec"]["colour"] = "blue";
  profile["spec"]["canary"]["colour"] = "blue";
  profile["spec"].erase("rollback");
  const auto made = this->api().create(resources::kProfiles, this->server_.ns(), profile);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_FALSE((*made)["spec"].contains("colour"));
  EXPECT_FALSE((*made)["spec"]["canary"].contains("colour"));
  EXPECT_EQ((*made)["spec"]["canary"]["replicas"], 1);
  EXPECT_EQ((*made)["spec"]["runtimeMetrics"]["interval"], "15s");
  EXPECT_EQ((*made)["spec"]["slos"][0]["podHistogram"]["path"], "/metrics");
  EXPECT_EQ((*made)["spec"]["rollback"]["coolDown"], "6h");
  EXPECT_EQ((*made)["spec"]["canary"]["warmUp"], "20s") << "what is given stays";
}

REGISTER_TYPED_TEST_SUITE_P(ApiContract, AnApplyForAnotherUidIsRefused, AnApplyOfAnOldVersionIsAConflict,
                            AnApplyOfWhatIsThereAlreadyChangesNothing, APersonsUpdateTakesTheFieldThatItChanges,
                            APersonsUpdateOfSomethingElseLeavesOurField, AReplaceOwnsWhatItChanges,
                            AReplaceOfAnOldVersionOrUidIsAConflict, AStatusIsWrittenApart,
                            AnObjectStaysMarkedUntilItsFinalizerIsTakenOff, AWatchOfLabelsSeesAnObjectComeAndGoWithThem,
                            AProfileGetsItsDefaultsAndLosesWhatNobodyKnows);

}  // namespace gopacer
