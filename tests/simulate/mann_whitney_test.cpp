#include "simulate/mann_whitney.h"

#include <gtest/gtest.h>

namespace gopacer::simulating {
namespace {

TEST(MannWhitney, ComesNearTheExactDistribution) {
  // The exact shares are from counting all orders of sixteen values.
  const std::vector<double> low{1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<double> high{5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5, 12.5};
  EXPECT_NEAR(p_of_higher(high, low), 0.0023, 0.002);
  EXPECT_NEAR(p_of_higher(low, high), 0.9985, 0.002);
  EXPECT_NEAR(p_of_higher(low, low), 0.52, 0.01);
}

TEST(MannWhitney, SaysNothingOfAFewValues) { EXPECT_EQ(p_of_higher({9, 9, 9}, {1, 1, 1}), 1); }

}  // namespace
}  // namespace gopacer::simulating
