#include "codec/container.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gopacer {
namespace {

using nlohmann::json;

std::string env_from(const json& sources, const json& env = json::array()) {
  const json container{{"name", "app"}, {"env", env}, {"envFrom", sources}};
  return codec::containers_of({{"containers", json::array({container})}}).at(0).env_from;
}

json config_map(const std::string& name, const std::string& prefix = "") {
  return {{"prefix", prefix}, {"configMapRef", {{"name", name}}}};
}

TEST(EnvFrom, NamesWhatMayBringOurVariables) {
  EXPECT_EQ(env_from(json::array()), "");
  const json secret{{"secretRef", {{"name", "keys"}}}};
  EXPECT_EQ(env_from(json::array({config_map("checkout-env"), secret})), "ConfigMap checkout-env, Secret keys");
}

TEST(EnvFrom, CantBringThemWithAPrefixThatTheyDoNotBeginWith) {
  EXPECT_EQ(env_from(json::array({config_map("app", "APP_"), config_map("go", "GO"), config_map("all", "GOGC")})),
            "ConfigMap go");
}

TEST(EnvFrom, CantBringWhatTheListHas) {
  const json gogc{{"name", "GOGC"}, {"value", "80"}};
  const json limit{{"name", "GOMEMLIMIT"}, {"value", "400MiB"}};
  EXPECT_EQ(env_from(json::array({config_map("c")}), json::array({gogc})), "ConfigMap c");
  EXPECT_EQ(env_from(json::array({config_map("c", "GOG")}), json::array({gogc})), "");
  EXPECT_EQ(env_from(json::array({config_map("c")}), json::array({gogc, limit})), "");
}

}  // namespace
}  // namespace gopacer
