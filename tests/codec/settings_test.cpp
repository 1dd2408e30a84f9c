#include "codec/settings.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "fakes/builders.h"

namespace gopacer {
namespace {

using nlohmann::json;

TEST(EncodedSettings, SayWhatTheEnvironmentHas) {
  EXPECT_EQ(codec::encode(builders::new_settings()), (json{{"gogc", "200"}, {"goMemLimit", "430MiB"}}));
  EXPECT_EQ(codec::encode(Settings{}), json::object());
  Settings off;
  off.gogc = Gogc::off();
  EXPECT_EQ(codec::encode(off), (json{{"gogc", "off"}}));
}

TEST(EncodedSettings, ThatGoWouldNotAcceptCountAsUnset) {
  EXPECT_EQ(codec::decode_settings(json{{"goMemLimit", "440Mi"}}), Settings{});
  EXPECT_EQ(codec::decode_settings(json{{"gogc", 200}}), Settings{});
  EXPECT_EQ(codec::decode_settings(json()), Settings{});
}

RC_GTEST_PROP(EncodedSettings, ComeBackAsTheyWere, (bool has_gogc, bool is_off, bool has_limit)) {
  Settings settings;
  if (has_gogc) settings.gogc = is_off ? Gogc::off() : Gogc(*rc::gen::inRange(0, 100000));
  if (has_limit) settings.go_mem_limit = Bytes(*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50));
  RC_ASSERT(codec::decode_settings(codec::encode(settings)) == settings);
}

}  // namespace
}  // namespace gopacer
