#include "gopacer/domain/long_row.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Time kStart{seconds(1'800'000'000)};

LongPoint point(int number, double memory) {
  LongPoint out;
  out.at = kStart + number * LongRow::kEvery;
  out.pods = 3;
  out.memory = memory;
  return out;
}

TEST(LongRow, HoldsAWeekAndForgetsWhatIsOlder) {
  LongRow row;
  for (int i = 0; i < 1500; ++i) row.add(point(i, 1e6 + i));
  ASSERT_EQ(row.size(), 1008U);
  EXPECT_EQ(row[0].at, kStart + (1500 - 1008) * LongRow::kEvery);
  EXPECT_EQ(row[1007].at, kStart + 1499 * LongRow::kEvery);
  EXPECT_EQ(row[1007].at - row[0].at, std::chrono::hours(24 * 7) - LongRow::kEvery);
}

TEST(LongRow, KeepsFiguresToATenthOfAPerCentWhateverTheirSize) {
  for (int i = 0; i < 40; ++i) {
    const double value = 2e-3 * std::pow(3.7, i);
    LongRow row;
    row.add(point(0, value));
    EXPECT_NEAR(*row[0].memory / value, 1, 0.001) << value;
  }
}

TEST(LongRow, TellsNothingFromNoFigure) {
  LongRow row;
  LongPoint one = point(0, 0);
  row.add(one);
  EXPECT_EQ(row[0].memory, 0);
  EXPECT_EQ(row[0].cores, std::nullopt);
  EXPECT_EQ(row[0].pods, 3);
}

TEST(LongRow, IsDueEveryTenMinutes) {
  LongRow row;
  EXPECT_TRUE(row.is_due(kStart));
  row.add(point(0, 1));
  EXPECT_FALSE(row.is_due(kStart + minutes(9)));
  EXPECT_TRUE(row.is_due(kStart + minutes(10)));
}

Sample sample(Duration after, double allocated, double cpu) {
  Sample out;
  out.at = kStart + after;
  out.mem.emplace();
  out.mem->sys = mib(100);
  out.mem->heap_released = mib(20);
  out.mem->next_gc = mib(64);
  out.mem->total_alloc = Bytes::of(allocated);
  out.process.emplace();
  out.process->cpu_seconds = cpu;
  out.usage.emplace();
  out.usage->anonymous = mib(90);
  out.usage->kernel = mib(2);
  return out;
}

TEST(LongPoint, IsTheMeanOfThePodsThatAreNotOfATrial) {
  Observation observed;
  observed.at = kStart + seconds(100);
  for (const double factor : {1.0, 3.0}) {
    PodSeries pod;
    pod.samples = {sample(seconds(0), 0, 0), sample(seconds(100), 1e8 * factor, 10 * factor)};
    observed.pods.push_back(pod);
  }
  observed.pods.push_back(observed.pods.back());
  observed.pods.back().track = Track::kCanary;
  const auto found = long_point(observed);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->at, observed.at);
  EXPECT_EQ(found->pods, 2);
  EXPECT_EQ(found->memory, mib(92).value());
  EXPECT_EQ(found->mapped, mib(80).value());
  EXPECT_EQ(found->heap_goal, mib(64).value());
  EXPECT_DOUBLE_EQ(*found->alloc_rate, 2e6);
  EXPECT_DOUBLE_EQ(*found->cores, 0.2);
}

TEST(LongPoint, IsNoneWhenNothingWasReadForLong) {
  Observation observed;
  observed.at = kStart + minutes(11);
  EXPECT_FALSE(long_point(observed));
  PodSeries pod;
  pod.samples = {sample(seconds(0), 0, 0)};
  observed.pods = {pod};
  EXPECT_FALSE(long_point(observed));
  observed.at = kStart + minutes(10);
  EXPECT_TRUE(long_point(observed));
}

}  // namespace
}  // namespace gopacer
