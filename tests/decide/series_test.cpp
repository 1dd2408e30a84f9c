#include "decide/series.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "decide/go_service.h"

namespace gopacer::deciding {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::kNow;

std::vector<Moment> moments(std::initializer_list<std::pair<int, double>> values) {
  std::vector<Moment> out;
  for (const auto& [second, value] : values) out.push_back({kNow + seconds(second), value});
  return out;
}

TEST(Upper, IsTheQuantileByNearestRank) {
  EXPECT_EQ(mean({1, 2, 6}), 3);
  EXPECT_EQ(upper({5, 1, 4, 2, 3}, 0.5), 3);
  EXPECT_EQ(upper({5, 1, 4, 2, 3}, 0.6), 3);
  EXPECT_EQ(upper({5, 1, 4, 2, 3}, 0.61), 4);
  EXPECT_EQ(upper({5, 1, 4, 2, 3}, 0.99), 5);
  EXPECT_EQ(upper({5, 1, 4, 2, 3}, 0), 1);
}

TEST(RelativeError, IsThatOfTheMean) {
  // Squares of 1 + 0 + 1, of two degrees of freedom, over three: √(1/3); of a mean of 2.
  EXPECT_NEAR(relative_error({1, 2, 3}), std::sqrt(1.0 / 3) / 2, 1e-12);
  EXPECT_EQ(relative_error({1, 3}), 0) << "two say nothing of their spread";
  EXPECT_EQ(relative_error({-1, 0, 1}), 0);
  EXPECT_EQ(relative_error({2, 2, 2}), 0);
}

/// `count` values, `apart` from each other, on a line that rises by 3 a second and goes up and down by `scatter`.
std::vector<Moment> line(int count, Duration apart, double scatter = 0) {
  std::vector<Moment> out;
  for (int i = 0; i < count; ++i) {
    out.push_back({kNow + i * apart, 1000 + 3 * to_seconds(i * apart) + (i % 2 == 0 ? scatter : -scatter)});
  }
  return out;
}

TEST(SteadySlope, IsThatOfAStraightLine) {
  EXPECT_NEAR(steady_slope(line(31, seconds(10))), 3, 1e-9);
  EXPECT_NEAR(steady_slope(line(31, seconds(10), 50)), 3, 0.1);
}

TEST(SteadySlope, IsNoneWhereItIsNotStraightOrNotLongEnough) {
  // The line's own variance is 9·100·(31² − 1)/12 = 72000; scatter of 80² = 6400 leaves 92 % of all, 100² 88 %.
  EXPECT_GT(steady_slope(line(31, seconds(10), 80)), 0);
  EXPECT_EQ(steady_slope(line(31, seconds(10), 100)), 0);
  EXPECT_EQ(steady_slope(line(30, seconds(10))), 0) << "290 s";
  EXPECT_GT(steady_slope(line(10, seconds(60))), 0);
  EXPECT_EQ(steady_slope(line(9, seconds(60))), 0);
  std::vector<Moment> flat = line(31, seconds(10));
  for (Moment& moment : flat) moment.value = 7;
  EXPECT_EQ(steady_slope(flat), 0);
}

TEST(Rise, IsFromTheFirstReadingToTheLast) {
  const auto rise = rise_of(moments({{0, 5}, {10, 5}, {20, 25}}));
  ASSERT_TRUE(rise);
  EXPECT_EQ(rise->by, 20);
  EXPECT_EQ(rise->seconds, 20);
  EXPECT_EQ(rise->rate(), 1);
}

TEST(Rise, IsNoneOfOneReadingOrOfACounterThatWentBack) {
  EXPECT_FALSE(rise_of(moments({{0, 5}})));
  EXPECT_FALSE(rise_of({}));
  EXPECT_FALSE(rise_of(moments({{0, 5}, {10, 4}, {20, 25}})));
  EXPECT_FALSE(rise_of(moments({{0, 5}, {10, 15}, {20, 14}})));
  EXPECT_FALSE(rise_of(moments({{0, 5}, {10, std::numeric_limits<double>::quiet_NaN()}, {20, 14}})));
}

TEST(RateOver, IsBetweenTheReadingsAroundTheTime) {
  const auto readings = moments({{0, 0}, {10, 10}, {20, 40}, {30, 100}});
  const auto rate = [&](int from, int to) { return rate_over(readings, kNow + seconds(from), kNow + seconds(to)); };
  EXPECT_EQ(rate(10, 20), 3);
  EXPECT_EQ(rate(12, 18), 3);
  EXPECT_EQ(rate(9, 21), 100.0 / 30) << "from the one at 0 s to the one at 30 s";
  EXPECT_EQ(rate(10, 21), 90.0 / 20);
  EXPECT_EQ(rate(-50, 10), 1);
  EXPECT_EQ(rate(22, 90), 6);
  EXPECT_FALSE(rate(30, 40)) << "nothing was read after its begin";
  EXPECT_FALSE(rate(-20, 0)) << "nor before its end";
  EXPECT_FALSE(rate_over(moments({{0, 0}}), kNow, kNow + seconds(10)));
}

TEST(Readings, CountOnceWhereSeveralSamplesCarryTheSame) {
  std::vector<Sample> samples(4);
  Samples row;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i].at = kNow + seconds(10 * static_cast<int>(i / 2));
    row.push_back(&samples[i]);
  }
  const auto found = readings_of(row, [&](const Sample& sample) -> std::optional<Moment> {
    if (&sample == &samples[0]) return std::nullopt;
    return Moment{sample.at, static_cast<double>(&sample - samples.data())};
  });
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].value, 1);
  EXPECT_EQ(found[1].value, 2);
}

Break break_of(const std::vector<int>& at) {
  std::vector<Sample> samples(at.size());
  Samples row;
  for (std::size_t i = 0; i < at.size(); ++i) {
    samples[i].at = kNow + seconds(at[i]);
    row.push_back(&samples[i]);
  }
  return last_break(row);
}

TEST(Break, IsWhereTheClockWasSetBackOrStoodStill) {
  const Break back = break_of({0, 10, 20, 15, 25});
  EXPECT_EQ(back.after, 3U);
  EXPECT_EQ(back.what, "The clock was set back by 5s between two readings");
  EXPECT_EQ(break_of({0, 10, 20, 20, 25}).after, 3U);
  EXPECT_EQ(break_of({0, 10, 5, 15, 12, 22}).after, 4U) << "the last one counts";
}

TEST(Break, IsAGapOfMoreThanThreeMinutesAndTenUsualOnes) {
  EXPECT_EQ(break_of({0, 10, 20, 201, 211}).after, 3U);
  EXPECT_THAT(break_of({0, 10, 20, 201, 211}).what, HasSubstr("the clock went ahead by 3m1s, or nothing was read"));
  EXPECT_EQ(break_of({0, 10, 20, 200, 210}).after, 0U) << "three minutes may pass";
  EXPECT_EQ(break_of({0, 20, 40, 240, 260}).after, 0U) << "ten times as long as usual";
  EXPECT_EQ(break_of({0, 20, 40, 241, 261}).after, 3U);
  EXPECT_EQ(break_of({}).after, 0U);
  EXPECT_EQ(break_of({0, 10, 20}).what, "");
}

}  // namespace
}  // namespace gopacer::deciding
