#include "codec/pod.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(DecodePod, ReadsStateAndLimits) {
  const json object = json::parse(R"({
    "metadata": {"namespace": "shop", "name": "checkout-1", "uid": "p1", "creationTimestamp": "2024-05-01T09:59:00Z",
                 "labels": {"app": "checkout"}},
    "spec": {"nodeName": "node1", "containers": [{"name": "app", "env": [{"name": "GOGC", "value": "80"}],
             "resources": {"limits": {"memory": "1Gi"}}}]},
    "status": {"podIP": "10.0.0.5", "phase": "Running", "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
      "containerStatuses": [{"name": "app", "ready": true, "restartCount": 2, "state": {"running": {"startedAt": "2024-05-01T10:00:00Z"}},
        "lastState": {"terminated": {"reason": "OOMKilled"}}, "resources": {"limits": {"memory": "768Mi", "cpu": "2"}}}]}})");
  const Pod pod = codec::decode_pod(object).value();
  EXPECT_EQ(pod.created, parse_time("2024-05-01T09:59:00Z").value());
  EXPECT_EQ(pod.ip, "10.0.0.5");
  EXPECT_EQ(pod.node, "node1");
  EXPECT_TRUE(pod.ready);
  ASSERT_EQ(pod.states.size(), 1);
  EXPECT_EQ(pod.states[0].restarts, 2);
  EXPECT_EQ(pod.states[0].last_termination_reason, "OOMKilled");
  EXPECT_EQ(pod.states[0].started, parse_time("2024-05-01T10:00:00Z").value());
  EXPECT_EQ(pod.containers[0].memory_limit, mib(768)) << "a resize in place that is in force counts";
  EXPECT_EQ(pod.containers[0].cpu_limit, 2);
  EXPECT_EQ(pod.containers[0].env[0].value, "80");
}

TEST(DecodePod, CountsWithTheMemoryThatAResizeInPlaceWillLeave) {
  const auto limit = [](const char* wanted, const char* in_force) {
    const json object{
        {"metadata", {{"name", "p"}}},
        {"spec", {{"containers", {{{"name", "app"}, {"resources", {{"limits", {{"memory", wanted}}}}}}}}}},
        {"status", {{"containerStatuses", {{{"name", "app"}, {"resources", {{"limits", {{"memory", in_force}}}}}}}}}}};
    return codec::decode_pod(object)->containers.at(0).memory_limit;
  };
  EXPECT_EQ(limit("512Mi", "512Mi"), mib(512));
  EXPECT_EQ(limit("1Gi", "512Mi"), mib(512)) << "it may be long until a node has the room";
  EXPECT_EQ(limit("256Mi", "512Mi"), mib(256)) << "at any moment";
}

TEST(DecodePod, SaysWhetherItsAddressIsItsNodes) {
  json object{{"metadata", {{"name", "p"}}}};
  EXPECT_FALSE(codec::decode_pod(object)->host_network);
  object["spec"]["hostNetwork"] = true;
  EXPECT_TRUE(codec::decode_pod(object)->host_network);
}

TEST(DecodePod, SaysWhatKeepsItFromStarting) {
  const auto trouble = [](const char* status) {
    return codec::decode_pod({{"metadata", {{"name", "p"}}}, {"status", json::parse(status)}})->trouble;
  };
  EXPECT_EQ(trouble("{}"), "");
  EXPECT_EQ(trouble(R"({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes fit"}]})"),
            "0/3 nodes fit");
  EXPECT_EQ(
      trouble(R"({"containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "ContainerCreating"}}}]})"),
      "");
  EXPECT_EQ(trouble(R"({"containerStatuses": [{"name": "app", "state": {"waiting": {
              "reason": "ErrImagePull", "message": "no such tag"}}}]})"),
            "container app: ErrImagePull: no such tag");
}

TEST(DecodePod, SaysWhoseItIsAndWhyItFailed) {
  const Pod got = codec::decode_pod(json::parse(R"({
    "metadata": {"name": "p", "creationTimestamp": "2024-05-01T10:00:00Z",
                 "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "uid": "u", "controller": true}]},
    "status": {"phase": "Failed", "reason": "Evicted", "message": "low on resource: memory"}})"))
                      .value();
  EXPECT_EQ(got.controller.name, "r");
  EXPECT_EQ(got.controller.uid, "u");
  EXPECT_EQ(got.reason, "Evicted");
  EXPECT_EQ(got.message, "low on resource: memory");
  EXPECT_EQ(format_time(got.created.value()), "2024-05-01T10:00:00Z");
}

TEST(DecodePod, KeepsStrangersTextsShortAndWithoutControlCharacters) {
  const std::string bad = "x\r\n" + std::string(100'000, 'x');
  const json waiting{{"name", "app"}, {"state", {{"waiting", {{"reason", "ErrImagePull"}, {"message", bad}}}}}};
  const Pod pod = codec::decode_pod({{"metadata", {{"name", "p"}}},
                                     {"status", {{"reason", bad}, {"message", bad}, {"containerStatuses", {waiting}}}}})
                      .value();
  for (const std::string& kept : {pod.reason, pod.message, pod.trouble}) {
    EXPECT_THAT(kept, HasSubstr("x..xxx"));
    EXPECT_LE(kept.size(), codec::kLongestSentence + 3);
  }
}

TEST(DecodePod, KeepsSoManyContainersHoweverManyItHas) {
  json object{{"metadata", {{"name", "p"}}}};
  for (int i = 0; i < 1000; ++i) {
    const json container{{"name", "c" + std::to_string(i)}};
    object["spec"]["containers"].push_back(container);
    object["status"]["containerStatuses"].push_back(container);
  }
  const Pod pod = codec::decode_pod(object).value();
  EXPECT_EQ(pod.containers.size(), codec::kMostKept);
  EXPECT_EQ(pod.states.size(), codec::kMostKept);
}

TEST(DecodePod, AContainerThatEndedJustNowSaysWhy) {
  const json object = json::parse(R"({"metadata": {"name": "x"}, "status": {"containerStatuses": [
    {"name": "app", "state": {"terminated": {"reason": "OOMKilled"}}, "lastState": {"terminated": {"reason": "Error"}}}]}})");
  const Pod pod = codec::decode_pod(object).value();
  EXPECT_EQ(pod.states[0].last_termination_reason, "OOMKilled");
  EXPECT_EQ(pod.states[0].started, std::nullopt);
  EXPECT_FALSE(pod.ready);
}

}  // namespace
}  // namespace gopacer
