#include "codec/autoscaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer {
namespace {

using nlohmann::json;

TEST(DecodeAutoscaler, SeesMemoryMetricsOfPodsAndContainers) {
  const auto with = [](const char* metric) {
    json object = json::parse(
        R"({"metadata": {"namespace": "shop", "name": "h"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "checkout"}}})");
    object["spec"]["metrics"] = json::array({json::parse(metric)});
    return codec::decode_autoscaler(object).value();
  };
  EXPECT_TRUE(with(R"({"type": "Resource", "resource": {"name": "memory"}})").goes_by_memory_of("app"));
  const Autoscaler of_one =
      with(R"({"type": "ContainerResource", "containerResource": {"name": "memory", "container": "app"}})");
  EXPECT_TRUE(of_one.goes_by_memory_of("app"));
  EXPECT_FALSE(of_one.goes_by_memory_of("sidecar"));
  EXPECT_FALSE(with(R"({"type": "Resource", "resource": {"name": "cpu"}})").goes_by_memory_of("app"));
  EXPECT_EQ(with("{}").target_name, "checkout");
}

TEST(DecodeAutoscaler, KeepsNamesShort) {
  const std::string bad(100'000, 'x');
  const json reference{{"kind", bad}, {"name", bad}};
  const json object{{"metadata", {{"name", "h"}}}, {"spec", {{"scaleTargetRef", reference}, {"targetRef", reference}}}};
  for (const Autoscaler& got : {*codec::decode_autoscaler(object), *codec::decode_vertical_autoscaler(object)}) {
    EXPECT_LE(got.target_kind.size(), codec::kLongestName + 3);
    EXPECT_LE(got.target_name.size(), codec::kLongestName + 3);
  }
}

TEST(DecodeAutoscaler, KeepsSoManyContainersHoweverManyItNames) {
  json object{{"metadata", {{"name", "h"}}}};
  for (int i = 0; i < 1000; ++i) {
    const std::string container = "c" + std::to_string(i);
    object["spec"]["metrics"].push_back({{"containerResource", {{"name", "memory"}, {"container", container}}}});
    object["spec"]["resourcePolicy"]["containerPolicies"].push_back({{"containerName", container}});
  }
  EXPECT_EQ(codec::decode_autoscaler(object)->by_memory_of.size(), codec::kMostKept);
  EXPECT_EQ(codec::decode_vertical_autoscaler(object)->by_memory_of.size(), codec::kMostKept);
}

TEST(DecodeVerticalAutoscaler, SeesWhoseMemoryItSets) {
  const auto with = [](const char* mode, const char* policies) {
    json object = json::parse(
        R"({"metadata": {"namespace": "shop", "name": "v"}, "spec": {"targetRef": {"kind": "Deployment", "name": "checkout"}}})");
    if (*mode != '\0') object["spec"]["updatePolicy"] = {{"updateMode", mode}};
    object["spec"]["resourcePolicy"] = {{"containerPolicies", json::parse(policies)}};
    return codec::decode_vertical_autoscaler(object).value();
  };
  const Autoscaler plain = with("", "[]");
  EXPECT_TRUE(plain.vertical);
  EXPECT_EQ(plain.target_name, "checkout");
  EXPECT_TRUE(plain.goes_by_memory_of("app")) << "it acts unless it is told not to";
  EXPECT_FALSE(with("Off", "[]").goes_by_memory_of("app"));
  EXPECT_FALSE(
      with("Recreate", R"([{"containerName": "*", "controlledResources": ["cpu"]}])").goes_by_memory_of("app"));
  const Autoscaler spared = with("Initial", R"([{"containerName": "app", "mode": "Off"}])");
  EXPECT_FALSE(spared.goes_by_memory_of("app"));
  EXPECT_TRUE(spared.goes_by_memory_of("sidecar"));
  const Autoscaler requests = with("Recreate", R"([{"containerName": "app", "controlledValues": "RequestsOnly"}])");
  EXPECT_FALSE(requests.goes_by_memory_of("app")) << "the limit, which GOMEMLIMIT goes by, stays";
  EXPECT_TRUE(requests.goes_by_memory_of("sidecar"));
  EXPECT_TRUE(with("Recreate", R"([{"containerName": "*", "controlledValues": "RequestsAndLimits"}])")
                  .goes_by_memory_of("app"));
  const Autoscaler only_app =
      with("Auto",
           R"([{"containerName": "*", "mode": "Off"}, {"containerName": "app", "controlledResources": ["memory"]}])");
  EXPECT_TRUE(only_app.goes_by_memory_of("app"));
  EXPECT_FALSE(only_app.goes_by_memory_of("sidecar"));
}

}  // namespace
}  // namespace gopacer
