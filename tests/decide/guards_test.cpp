#include "decide/guards.h"

#include <gtest/gtest.h>

#include "decide/go_service.h"

namespace gopacer::deciding {
namespace {

using testing::kNow;

TEST(AboutEqual, IsWithinFivePercent) {
  EXPECT_TRUE(about_equal({Gogc(100), mib(400)}, {Gogc(95), mib(380)}));
  EXPECT_TRUE(about_equal({Gogc(95), mib(380)}, {Gogc(100), mib(400)}));
  EXPECT_FALSE(about_equal({Gogc(100), mib(400)}, {Gogc(94), mib(400)}));
  EXPECT_FALSE(about_equal({Gogc(100), mib(400)}, {Gogc(100), mib(379)}));
}

TEST(AboutEqual, TakesAnUnsetGogcForOneHundredAndAnUnsetLimitForNone) {
  EXPECT_TRUE(about_equal({}, {Gogc(100), {}}));
  EXPECT_FALSE(about_equal({}, {Gogc(200), {}}));
  EXPECT_FALSE(about_equal({Gogc(100), mib(400)}, {Gogc(100), {}}));
  EXPECT_FALSE(about_equal({Gogc(100), {}}, {Gogc(100), mib(400)}));
  EXPECT_TRUE(about_equal({Gogc::off(), mib(400)}, {Gogc::off(), mib(400)}));
  EXPECT_FALSE(about_equal({Gogc::off(), mib(400)}, {Gogc(100), mib(400)}));
  EXPECT_FALSE(about_equal({Gogc::off(), mib(400)}, {Gogc::off(), mib(300)}));
}

DecideInput banning(Settings settings) {
  DecideInput input;
  input.template_hash = "aaaa";
  input.memory.banned.push_back({Settings{Gogc(1000), {}}, "bbbb", "OOMKilled", kNow});
  input.memory.banned.push_back({settings, "aaaa", "LatencyRegression", kNow});
  return input;
}

TEST(BanOf, IsOfAboutTheSameSettingsOnTheSameTemplate) {
  const DecideInput input = banning({Gogc(200), mib(400)});
  EXPECT_EQ(ban_of(input, {Gogc(200), mib(400)}), &input.memory.banned[1]);
  EXPECT_EQ(ban_of(input, {Gogc(195), mib(390)}), &input.memory.banned[1]);
  EXPECT_EQ(ban_of(input, {Gogc(150), mib(400)}), nullptr);
  EXPECT_EQ(ban_of(input, {Gogc(1000), {}}), nullptr) << "that was another template";
}

TEST(BanTowards, IsOneThatLiesOnTheWayOrJustBehindTheEnd) {
  const DecideInput up = banning({Gogc(200), mib(400)});
  EXPECT_EQ(ban_towards(up, 100, 300), &up.memory.banned[1]);
  EXPECT_EQ(ban_towards(up, 100, 180), &up.memory.banned[1]);
  EXPECT_EQ(ban_towards(up, 100, 179), nullptr);
  EXPECT_EQ(ban_towards(up, 200, 300), nullptr) << "it is left behind";
  EXPECT_EQ(ban_towards(up, 200, 100), nullptr);
  EXPECT_EQ(ban_towards(up, 300, 220), &up.memory.banned[1]) << "on the way down";
  EXPECT_EQ(ban_towards(up, 300, 221), nullptr);
  EXPECT_EQ(ban_towards(up, 300, 400), nullptr);
  EXPECT_EQ(ban_towards(up, 100, 50), nullptr);
}

TEST(BanTowards, IsNoneOfSettingsWithoutAPercentageNorOfAnotherTemplate) {
  EXPECT_EQ(ban_towards(banning({Gogc::off(), mib(400)}), 100, 800), nullptr);
  EXPECT_EQ(ban_towards(banning({{}, mib(400)}), 50, 800), nullptr);
  EXPECT_EQ(ban_towards(banning({Gogc(900), {}}), 100, 800), nullptr);
  EXPECT_EQ(ban_towards(banning({Gogc(20), {}}), 500, 1200), nullptr) << "1000 was another template";
}

}  // namespace
}  // namespace gopacer::deciding
