#include "gopacer/judge/sequential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace gopacer {
namespace {

TEST(ConfidenceSequence, HasTheRadiusOfTheNormalMixture) {
  // n = 100, η = ½: √(2·26/(10⁴·¼)·ln(√26/0.05)) = √(0.0208·4.6248)
  EXPECT_NEAR(sequence_radius(100, 0.05, 0.5), 0.31015, 1e-4);
  // n = 20: √(2·6/(400·¼)·ln(√6/0.05)) = √(0.12·3.8916)
  EXPECT_NEAR(sequence_radius(20, 0.05, 0.5), 0.68337, 1e-4);
}

TEST(ConfidenceSequence, HasNoRadiusBeforeTheFirstWindow) {
  EXPECT_TRUE(std::isinf(sequence_radius(0, 0.05)));
  EXPECT_TRUE(std::isfinite(sequence_radius(1, 0.05)));
}

TEST(ConfidenceSequence, SaysNothingBeforeTwentyWindows) {
  RunningStats stats;
  for (int i = 0; i < 19; ++i) stats.add(i % 2);
  EXPECT_TRUE(std::isinf(confidence_sequence(stats, 0.05).low));
  stats.add(0);
  EXPECT_TRUE(std::isfinite(confidence_sequence(stats, 0.05).low));
}

TEST(ConfidenceSequence, NarrowsAroundTheMean) {
  RunningStats stats;
  for (int i = 0; i < 400; ++i) stats.add(i % 2 == 0 ? 0.9 : 1.1);
  const Interval interval = confidence_sequence(stats, 0.05);
  EXPECT_NEAR((interval.low + interval.high) / 2, 1.0, 1e-9);
  EXPECT_NEAR(interval.high - 1.0, 0.1 * sequence_radius(400, 0.05), 1e-3);
}

TEST(WindowsNeeded, IsWhereTheIntervalIsNarrowEnough) {
  RunningStats stats;
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0, 0.2);
  for (int i = 0; i < 50; ++i) stats.add(noise(random));
  const double needed = windows_needed(stats, 0.04, 0.05);
  const double deviation = std::sqrt(stats.m2 / 49) * correlation_factor(stats);
  EXPECT_LE(deviation * sequence_radius(needed, 0.05), 0.04);
  EXPECT_GT(deviation * sequence_radius(needed * 0.98, 0.05), 0.04);
  EXPECT_EQ(windows_needed(stats, 100, 0.05), kFewestWindows);
  EXPECT_EQ(windows_needed(stats, 0, 0.05), 1e6);
}

TEST(WindowsNeeded, AreAMillionWhereNothingTells) {
  RunningStats stats;
  EXPECT_EQ(windows_needed(stats, 1, 0.05), 1e6);
  stats.add(1);
  EXPECT_EQ(windows_needed(stats, 1, 0.05), 1e6);
  stats.add(1);
  EXPECT_EQ(windows_needed(stats, 1, 0.05), kFewestWindows);
  EXPECT_EQ(windows_needed(stats, 0, 0.05), 1e6) << "of numbers exactly at the threshold";
}

/// A variance of 1 over a hundred neighbours whose differences square to 2·(1 − ratio) on average.
RunningStats with_neighbours(std::int64_t pairs, double ratio) {
  RunningStats stats;
  stats.n = 101;
  stats.m2 = 100;
  stats.pairs = pairs;
  stats.steps2 = 2 * (1 - ratio) * static_cast<double>(pairs);
  return stats;
}

TEST(CorrelationFactor, HasOnePointThreeStandardErrorsOnTop) {
  EXPECT_NEAR(correlation_factor(with_neighbours(100, 0.3)), std::sqrt(1.43 / 0.57), 1e-9);
  EXPECT_NEAR(correlation_factor(with_neighbours(25, 0.3)), std::sqrt(1.56 / 0.44), 1e-9);
}

TEST(CorrelationFactor, IsTheUsualOneUntilTenNeighboursWereSeen) {
  EXPECT_NEAR(correlation_factor(with_neighbours(9, 0.9)), std::sqrt(1.3 / 0.7), 1e-9);
  EXPECT_NEAR(correlation_factor(with_neighbours(10, 0)), std::sqrt((1 + 0.4110961) / (1 - 0.4110961)), 1e-6);
}

TEST(CorrelationFactor, IsBounded) {
  EXPECT_NEAR(correlation_factor(with_neighbours(100, 0.99)), std::sqrt(1.98 / 0.02), 1e-9);
  RunningStats equal;
  for (int i = 0; i < 20; ++i) equal.add(3);
  EXPECT_EQ(correlation_factor(equal), 1);
}

TEST(CorrelationFactor, GrowsWithTheLikenessOfNeighbours) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> noise;
  const auto factor = [&](double rho) {
    RunningStats stats;
    double x = 0;
    for (int i = 0; i < 5000; ++i) stats.add(x = rho * x + noise(random));
    return correlation_factor(stats);
  };
  EXPECT_NEAR(factor(0), 1.0, 0.03);
  EXPECT_NEAR(factor(0.3), std::sqrt(1.3 / 0.7), 0.05);
  EXPECT_NEAR(factor(0.5), std::sqrt(3.0), 0.08);
  EXPECT_EQ(factor(-0.5), 1.0);
  EXPECT_NEAR(correlation_factor({}), std::sqrt(1.3 / 0.7), 1e-9);
}

/// Share of trials in which the interval ever misses the true mean, looked at after each of 200 windows.
double ever_wrong(double rho, bool heavy_tails) {
  constexpr int kTrials = 2000;
  constexpr int kWindows = 200;
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  std::student_t_distribution<double> student(4);
  int wrong = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    RunningStats stats;
    double x = 0;
    for (int window = 0; window < kWindows; ++window) {
      x = rho * x + (heavy_tails ? student(random) : normal(random));
      stats.add(x);
      const Interval interval = confidence_sequence(stats, 0.05);
      if (interval.low > 0 || interval.high < 0) {
        ++wrong;
        break;
      }
    }
  }
  return wrong / static_cast<double>(kTrials);
}

TEST(FalseAlarms, StayBelowAlphaHoweverOftenOneLooks) {
  EXPECT_LE(ever_wrong(0, false), 0.05);
  EXPECT_LE(ever_wrong(0, true), 0.05);
}

TEST(FalseAlarms, StayBelowAlphaWhenNeighboursAreAlike) {
  for (const double rho : {0.1, 0.3, 0.6}) {
    EXPECT_LE(ever_wrong(rho, false), 0.05) << rho;
    EXPECT_LE(ever_wrong(rho, true), 0.05) << rho;
  }
}

TEST(FalseAlarms, AreNotManyMoreWhereNeighboursAreNearlyTheSame) { EXPECT_LE(ever_wrong(0.9, false), 0.15); }

TEST(FalseAlarms, AreRareEnoughForTheTestToHaveMeaning) {
  // An interval that were always infinite would pass the tests above.
  EXPECT_GT(ever_wrong(0.2, false), 0.005);
}

TEST(RunningStats, CountAsTheTextbookDoes) {
  RunningStats stats;
  for (const double x : {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) stats.add(x);
  EXPECT_EQ(stats.n, 8);
  EXPECT_DOUBLE_EQ(stats.mean, 5);
  EXPECT_DOUBLE_EQ(stats.m2, 32);
}

}  // namespace
}  // namespace gopacer
