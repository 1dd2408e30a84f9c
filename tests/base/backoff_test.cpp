#include "base/backoff.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesWithEachFailureUpToItsMost) {
  const Backoff backoff{100ms, 1s};
  const double full = 0.999999999;
  EXPECT_NEAR(to_seconds(backoff.delay(0, full)), 0.1, 1e-6);
  EXPECT_NEAR(to_seconds(backoff.delay(1, full)), 0.2, 1e-6);
  EXPECT_NEAR(to_seconds(backoff.delay(3, full)), 0.8, 1e-6);
  EXPECT_NEAR(to_seconds(backoff.delay(4, full)), 1.0, 1e-6);
  EXPECT_NEAR(to_seconds(backoff.delay(1'000'000, full)), 1.0, 1e-6);
}

TEST(Backoff, IsSpreadOverTheUpperHalf) {
  const Backoff backoff{100ms, 1s};
  EXPECT_EQ(backoff.delay(0, 0), 50ms);
  EXPECT_EQ(backoff.delay(0, 0.5), 75ms);
}

TEST(Backoff, TakesNoOffenceAtANegativeCount) { EXPECT_EQ(Backoff{}.delay(-3, 0), Backoff{}.delay(0, 0)); }

}  // namespace
}  // namespace gopacer
