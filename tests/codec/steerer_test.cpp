#include "codec/steerer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer {
namespace {

using nlohmann::json;

json with(const char* reference, const std::string& kind, const std::string& name) {
  return {{"metadata", {{"namespace", "shop"}, {"name", "s"}}},
          {"spec", {{reference, {{"kind", kind}, {"name", name}}}}}};
}

TEST(DecodeSteerer, SeesWhatARolloutAndACanaryRollOut) {
  const Steerer rollout = codec::decode_rollout(with("workloadRef", "Deployment", "checkout")).value();
  EXPECT_EQ(rollout.target_kind, "Deployment");
  EXPECT_EQ(rollout.target_name, "checkout");
  EXPECT_EQ(describe(rollout), "Rollout shop/s of Argo Rollouts");
  const Steerer canary = codec::decode_canary(with("targetRef", "DaemonSet", "proxy")).value();
  EXPECT_EQ(canary.target_kind, "DaemonSet");
  EXPECT_EQ(canary.target_name, "proxy");
  EXPECT_EQ(describe(canary), "Canary shop/s of Flagger");
}

TEST(DecodeSteerer, SeesNothingSteeredByARolloutWithATemplateOfItsOwn) {
  const json own = json::parse(R"({"metadata": {"name": "s"}, "spec": {"template": {"metadata": {}}}})");
  EXPECT_EQ(codec::decode_rollout(own)->target_name, "");
  EXPECT_FALSE(codec::decode_rollout(json::object()));
  EXPECT_FALSE(codec::decode_canary(json::object()));
}

TEST(DecodeSteerer, KeepsNamesShort) {
  const std::string bad(100'000, 'x');
  for (const Steerer& got :
       {*codec::decode_rollout(with("workloadRef", bad, bad)), *codec::decode_canary(with("targetRef", bad, bad))}) {
    EXPECT_LE(got.target_kind.size(), codec::kLongestName + 3);
    EXPECT_LE(got.target_name.size(), codec::kLongestName + 3);
  }
}

}  // namespace
}  // namespace gopacer
