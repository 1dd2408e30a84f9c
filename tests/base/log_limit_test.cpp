#include "base/log_limit.h"

#include <gtest/gtest.h>

#include "fakes/fake_steady_clock.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

TEST(LogLimit, LetsSoManyLinesAMinuteThroughAndSaysHowManyWereLeftOut) {
  FakeSteadyClock clock;
  LogLimit limit(clock, 2);
  EXPECT_EQ(limit.may_log(), 0);
  EXPECT_EQ(limit.may_log(), 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.may_log(), std::nullopt);
  clock.advance(seconds(59));
  EXPECT_EQ(limit.may_log(), std::nullopt);
  clock.advance(seconds(1));
  EXPECT_EQ(limit.may_log(), 6);
  EXPECT_EQ(limit.may_log(), 0);
  EXPECT_EQ(limit.may_log(), std::nullopt);
}

}  // namespace
}  // namespace gopacer
