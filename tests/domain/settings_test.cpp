#include "gopacer/domain/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace gopacer {
namespace {

using ::testing::HasSubstr;

TEST(Settings, AreReadAsGoReadsTheEnvironment) {
  EXPECT_EQ(*parse_settings({}), Settings{});
  EXPECT_EQ(*parse_settings({"200", "850MiB"}), (Settings{Gogc(200), mib(850)}));
  EXPECT_EQ(*parse_settings({"off", "off"}), (Settings{Gogc::off(), std::nullopt}));
  EXPECT_EQ(*parse_settings({"", ""}), Settings{});
  EXPECT_EQ(parse_settings({"-1", std::nullopt})->gogc, Gogc::off());
  EXPECT_EQ(parse_settings({"0", std::nullopt})->gogc, Gogc(0));
}

TEST(Settings, NameTheVariableThatGoWouldNotAccept) {
  EXPECT_THAT(parse_settings({"100%", std::nullopt}).error().message, HasSubstr("GOGC='100%'"));
  EXPECT_THAT(parse_settings({"lots", std::nullopt}).error().message, HasSubstr("off"));
  EXPECT_THAT(parse_settings({std::nullopt, "440Mi"}).error().message, HasSubstr("GOMEMLIMIT: "));
  EXPECT_THAT(parse_settings({std::nullopt, "440Mi"}).error().message, HasSubstr("440MiB"));
  EXPECT_FALSE(parse_settings({"99999999999", std::nullopt}));
}

TEST(Settings, OneThatGoWouldNotAcceptDoesNotHideTheOther) {
  const Settings limit_only = readable_settings({"a lot", "300MiB"});
  EXPECT_FALSE(limit_only.gogc);
  EXPECT_EQ(limit_only.go_mem_limit, mib(300));
  const Settings gogc_only = readable_settings({"400", "300Mi"});
  EXPECT_EQ(gogc_only.gogc, Gogc(400));
  EXPECT_FALSE(gogc_only.go_mem_limit);
}

TEST(Settings, AreBoundedByThoseWithWhichTheHeapGrowsFurther) {
  const auto of = [](std::optional<int> gogc, std::optional<int> limit) {
    Settings settings;
    if (gogc) settings.gogc = *gogc < 0 ? Gogc::off() : Gogc(*gogc);
    if (limit) settings.go_mem_limit = mib(*limit);
    return settings;
  };
  EXPECT_TRUE(of({}, {}).bounded_by(of(100, {})));
  EXPECT_TRUE(of(50, {}).bounded_by(of({}, {})));
  EXPECT_FALSE(of(101, {}).bounded_by(of({}, {})));
  EXPECT_FALSE(of(-1, {}).bounded_by(of(10000, {})));
  EXPECT_TRUE(of(400, 200).bounded_by(of(-1, 200)));
  EXPECT_FALSE(of(100, 201).bounded_by(of(100, 200)));
  EXPECT_FALSE(of(100, {}).bounded_by(of(100, 200)));
  EXPECT_TRUE(of(100, 200).bounded_by(of(100, {})));
}

TEST(Settings, AreWrittenInGosSyntax) {
  EXPECT_EQ(to_env({Gogc(180), mib(430)}), (EnvText{"180", "430MiB"}));
  EXPECT_EQ(to_env({Gogc::off(), std::nullopt}), (EnvText{"off", std::nullopt}));
  EXPECT_EQ(to_env({}), EnvText{});
}

TEST(Settings, AreDescribedForPeople) {
  EXPECT_EQ(describe({Gogc(180), mib(430)}), "GOGC=180 GOMEMLIMIT=430MiB");
  EXPECT_EQ(describe({Gogc(50), std::nullopt}), "GOGC=50");
  EXPECT_EQ(describe({std::nullopt, gib(1)}), "GOMEMLIMIT=1GiB");
  EXPECT_EQ(describe({}), "Go's defaults");
}

TEST(Settings, KnowGosDefaultGamma) {
  EXPECT_DOUBLE_EQ(Settings{}.gamma(), 1);
  EXPECT_DOUBLE_EQ((Settings{Gogc(250), std::nullopt}).gamma(), 2.5);
  EXPECT_TRUE(std::isinf((Settings{Gogc::off(), std::nullopt}).gamma()));
}

TEST(Settings, MeetHalfwayAtTheGeometricMean) {
  EXPECT_EQ(halfway({Gogc(100), mib(400)}, {Gogc(400), mib(900)}), (Settings{Gogc(200), mib(600)}));
  EXPECT_EQ(halfway({}, {Gogc(400), std::nullopt}), (Settings{Gogc(200), std::nullopt})) << "Go's own 100";
  EXPECT_EQ(halfway({}, {Gogc(400), mib(430)}), (Settings{Gogc(200), mib(430)})) << "or nothing would bound it";
  EXPECT_EQ(halfway({Gogc(100), mib(430)}, {Gogc(400), std::nullopt}), (Settings{Gogc(200), mib(430)}));
}

TEST(Settings, MeetAtTheSafeOnesWhereThereIsNoMiddle) {
  EXPECT_EQ(halfway({Gogc(100), std::nullopt}, {Gogc::off(), mib(900)}), (Settings{Gogc(100), std::nullopt}));
  EXPECT_EQ(halfway({Gogc::off(), mib(900)}, {Gogc(100), std::nullopt}), (Settings{Gogc::off(), mib(900)}));
}

TEST(Settings, AreTheSafeOnesAtLastWhenTheWayIsHalvedAgainAndAgain) {
  for (const Settings& safe : {Settings{Gogc(100), mib(500)}, Settings{}}) {
    Settings now{Gogc(400), mib(900)};
    int steps = 0;
    for (; now != safe && steps < 20; ++steps) now = halfway(safe, now);
    EXPECT_EQ(now, safe);
    EXPECT_LE(steps, 6);
  }
}

RC_GTEST_PROP(SettingsProperty, TheMiddleHasABoundWhereOneOfTheTwoHas, ()) {
  const auto any = [] {
    Settings settings;
    if (*rc::gen::arbitrary<bool>()) settings.gogc = Gogc(*rc::gen::inRange(1, 10'000));
    if (*rc::gen::inRange(0, 10) == 0) settings.gogc = Gogc::off();
    if (*rc::gen::arbitrary<bool>()) settings.go_mem_limit = mib(*rc::gen::inRange(1, 100'000));
    return settings;
  };
  const Settings safe = any();
  const Settings other = any();
  const Settings middle = halfway(safe, other);
  RC_ASSERT(middle == safe || middle.go_mem_limit || (!safe.go_mem_limit && !other.go_mem_limit));
  RC_ASSERT(middle.gamma() <= std::max(safe.gamma(), other.gamma()) * 1.01);
}

RC_GTEST_PROP(SettingsProperty, WhatIsWrittenReadsBackTheSame, ()) {
  Settings settings;
  if (*rc::gen::arbitrary<bool>()) settings.gogc = Gogc(*rc::gen::inRange(0, 10'000));
  if (*rc::gen::inRange(0, 10) == 0) settings.gogc = Gogc::off();
  if (*rc::gen::arbitrary<bool>())
    settings.go_mem_limit = Bytes(*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 45));
  RC_ASSERT(*parse_settings(to_env(settings)) == settings);
}

}  // namespace
}  // namespace gopacer
