#include "gopacer/base/clock.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace gopacer {
namespace {

using namespace std::chrono_literals;

constexpr Time kMayDay = Time(std::chrono::sys_days(std::chrono::year(2024) / 5 / 1)) + 10h;

TEST(Rfc3339, IsReadAsTheApiServerWritesIt) {
  EXPECT_EQ(*parse_time("2024-05-01T10:00:00Z"), kMayDay);
  EXPECT_EQ(*parse_time("2024-05-01T12:00:00+02:00"), kMayDay);
  EXPECT_EQ(*parse_time("2024-05-01T04:30:00-05:30"), kMayDay);
  EXPECT_EQ(*parse_time("2024-05-01T10:00:00.250000Z"), kMayDay + 250ms);
  EXPECT_EQ(*parse_time("2024-05-01T10:00:00.000000001Z"), kMayDay + 1ns);
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  for (const char* bad : {"", "2024-05-01", "2024-05-01T10:00:00", "2024-13-01T10:00:00Z", "2024-02-30T10:00:00Z",
                          "2024-05-01T24:00:00Z", "2024-05-01T10:60:00Z", "2024-05-01T10:00:00.Z",
                          "2024-05-01T10:00:00Zx", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    EXPECT_FALSE(parse_time(bad)) << bad;
  }
}

TEST(Rfc3339, IsWrittenInUtc) {
  EXPECT_EQ(format_time(kMayDay + 999ms), "2024-05-01T10:00:00Z");
  EXPECT_EQ(format_micro_time(kMayDay + 250ms), "2024-05-01T10:00:00.250000Z");
  EXPECT_EQ(format_time(Time{}), "1970-01-01T00:00:00Z");
}

RC_GTEST_PROP(TimeProperty, WhatIsWrittenReadsBackTheSame, ()) {
  const Time time{
      std::chrono::microseconds(*rc::gen::inRange<std::int64_t>(-1'000'000'000'000'000, 8'000'000'000'000'000))};
  RC_ASSERT(*parse_time(format_micro_time(time)) == time);
}

TEST(Duration, IsReadInGosSyntax) {
  EXPECT_EQ(*parse_duration("300ms"), 300ms);
  EXPECT_EQ(*parse_duration("1m30s"), 90s);
  EXPECT_EQ(*parse_duration("2h"), 2h);
  EXPECT_EQ(*parse_duration("1.5h"), 90min);
  EXPECT_EQ(*parse_duration("10us"), 10us);
  EXPECT_EQ(*parse_duration("10µs"), 10us);
  EXPECT_EQ(*parse_duration("0"), 0s);
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* bad : {"", "5", "-5s", "5 s", "s", "5d", "1h30", "999999999h", "1m2"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Duration, IsWrittenInGosForm) {
  EXPECT_EQ(format_duration(90s), "1m30s");
  EXPECT_EQ(format_duration(300ms), "300ms");
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(2h), "2h");
  EXPECT_EQ(format_duration(1h + 1s), "1h1s");
  EXPECT_EQ(format_duration(1500ms), "1.5s");
  EXPECT_EQ(format_duration(15us), "15us");
}

RC_GTEST_PROP(DurationProperty, WhatIsWrittenReadsBackTheSame, ()) {
  const Duration duration = std::chrono::milliseconds(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000));
  RC_ASSERT(*parse_duration(format_duration(duration)) == duration);
}

TEST(SystemClock, GoesForward) {
  const SystemClock clock;
  const Time first = clock.now();
  EXPECT_GE(clock.now(), first);
  EXPECT_GT(first, kMayDay);
}

}  // namespace
}  // namespace gopacer
