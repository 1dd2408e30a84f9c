#include "base/log_limit.h"

#include <gtest/gtest.h>

#include "fakes/fake_steady_clock.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

TEST(LogLimit, LetsSoManyLinesAMinuteThroughAndSaysHowManyWereLeftOut) {
  FakeSteadyClock clock;
  LogLimit limit(clock, 2, 2);
  EXPECT_EQ(limit.may_log("a"), 0);
  EXPECT_EQ(limit.may_log("b"), 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.may_log("a"), std::nullopt);
  clock.advance(seconds(59));
  EXPECT_EQ(limit.may_log("a"), std::nullopt);
  clock.advance(seconds(1));
  EXPECT_EQ(limit.may_log("a"), 6);
  EXPECT_EQ(limit.may_log("a"), 0);
  EXPECT_EQ(limit.may_log("b"), std::nullopt);
}

TEST(LogLimit, KeepsRoomForOtherNamespaces) {
  FakeSteadyClock clock;
  LogLimit limit(clock, 30, 6);
  int lines = 0;
  for (int i = 0; i < 100; ++i) lines += limit.may_log("loud") ? 1 : 0;
  EXPECT_EQ(lines, 6);
  EXPECT_EQ(limit.may_log("quiet"), 94);
  clock.advance(seconds(60));
  EXPECT_EQ(limit.may_log("loud"), 0);
}

}  // namespace
}  // namespace gopacer
