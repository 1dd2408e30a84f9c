#include "decide/formulas.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace gopacer::deciding {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::array<Duration, 3> pauses(Duration pause) { return {pause, pause, pause}; }

double whole(double low, double high) { return low + (high - low) * *rc::gen::inRange(0, 10001) / 10000.0; }

TEST(LatencyMemoryRate, IsTheFormulaAsPublished) {
  struct Row {
    double growth, p99, gogc;
  };
  // 15·(1 + 0.8·r)·(1 + 0.02·p), worked out by hand.
  for (const Row row : {Row{0, 0, 15}, Row{0, 50, 30}, Row{1, 0, 27}, Row{1, 50, 54}, Row{0.5, 100, 63},
                        Row{2, 100, 100}, Row{0, 283, 99.9}, Row{0, 300, 100}, Row{-1, 50, 10}, Row{-10, 50, 10}}) {
    EXPECT_NEAR(latency_memory_rate(row.growth, row.p99), row.gogc, 1e-9) << row.growth << " " << row.p99;
  }
}

RC_GTEST_PROP(LatencyMemoryRate, StaysWithinItsRangeAndRisesWithBothInputs, ()) {
  const double growth = whole(-5, 20);
  const double p99 = whole(0, 2000);
  const double gogc = latency_memory_rate(growth, p99);
  RC_ASSERT(gogc >= 10 && gogc <= 100);
  RC_ASSERT(latency_memory_rate(growth + 1, p99) >= gogc);
  if (growth > 0) RC_ASSERT(latency_memory_rate(growth, p99 + 10) >= gogc);
}

TEST(TwoFactor, IsTheFormulaAsPublished) {
  struct Row {
    double qps, utilization, gogc;
  };
  for (const Row row : {Row{500, 0, 80}, Row{500, 0.5, 48}, Row{500, 1, 40}, Row{500, 0.625, 40}, Row{0, 0, 24},
                        Row{150, 0, 24}, Row{250, 0.25, 32}, Row{1000, 0, 160}, Row{5000, 0, 160}, Row{5000, 1, 80}}) {
    EXPECT_NEAR(two_factor(row.qps, row.utilization), row.gogc, 1e-9) << row.qps << " " << row.utilization;
  }
}

RC_GTEST_PROP(TwoFactor, RisesWithLoadAndFallsWithAFullHeap, ()) {
  const double qps = whole(0, 3000);
  const double used = whole(0, 1);
  const double gogc = two_factor(qps, used);
  RC_ASSERT(gogc >= 12 && gogc <= 160);
  RC_ASSERT(two_factor(qps + 50, used) >= gogc);
  RC_ASSERT(two_factor(qps, std::min(1.0, used + 0.1)) <= gogc);
}

TEST(WaterLevel, SetsGogcByP99AndLetsGoBelowFourFifthsOfIt) {
  struct Row {
    double gogc, p99, wanted;
  };
  for (const Row row : {Row{100, 800, 100}, Row{100, 801, 30}, Row{30, 700, 30}, Row{30, 640, 100}, Row{30, 900, 30},
                        Row{200, 10, 100}, Row{50, 700, 30}, Row{80, 700, 100}}) {
    EXPECT_EQ(water_level_gogc(row.gogc, row.p99), row.wanted) << row.gogc << " " << row.p99;
  }
}

TEST(WaterLevel, TightensTheLimitByStagesAndReleasesItByStages) {
  double part = 1;
  for (const double next : {0.9, 0.75, 0.6, 0.6}) EXPECT_EQ(part = water_level_limit(part, 0.86), next);
  for (const double next : {0.75, 0.9, 0.9}) EXPECT_EQ(part = water_level_limit(part, 0.74), next);
  for (const double share : {0.75, 0.8, 0.85}) EXPECT_EQ(water_level_limit(0.75, share), 0.75) << "between the two";
  EXPECT_EQ(water_level_limit(1, 0.5), 1) << "there is none to be released";
  EXPECT_EQ(water_level_limit(0.8, 0.9), 0.6) << "0.75 would be about the same";
  EXPECT_EQ(water_level_limit(0.7, 0.5), 0.9);
  EXPECT_EQ(water_level_limit(0.5, 0.9), 0.5) << "somebody has less than the tightest stage";
}

TEST(PauseForecast, WeighsAllocationLiveObjectsAndTheLastPause) {
  EXPECT_NEAR(pause_forecast_ms({10, 10, 1, 1}), 10, 1e-9);
  EXPECT_NEAR(pause_forecast_ms({10, 10}), 10, 1e-9) << "as always, unless somebody says otherwise";
  EXPECT_NEAR(pause_forecast_ms({10, 20, 1, 1}), 12, 1e-9);    // + 0.20·10
  EXPECT_NEAR(pause_forecast_ms({10, 10, 2, 1}), 14.5, 1e-9);  // + 0.45·10
  EXPECT_NEAR(pause_forecast_ms({10, 10, 1, 2}), 13.5, 1e-9);  // + 0.35·10
}

TEST(PauseFeedback, IsTheRuleAsPublished) {
  struct Row {
    double gogc;
    Bytes heap;
    Duration pause;
    double growth, next;
  };
  for (const Row& row : {
           Row{40, mib(15), milliseconds(50), 9, 100},    // a small heap
           Row{100, mib(16), milliseconds(5), 0, 100},    // just as long as wanted
           Row{100, mib(64), milliseconds(10), 0, 50},    // twice as long
           Row{100, mib(64), milliseconds(100), 0, 50},   // at most halved
           Row{100, mib(64), microseconds(100), 0, 200},  // at most doubled
           Row{150, mib(64), microseconds(100), 0, 200},  // at most 200
           Row{40, mib(64), milliseconds(10), 0, 25},     // at least 25
           Row{100, mib(64), milliseconds(4), 0, 125},    // 5/4
           Row{100, mib(64), milliseconds(5), 2, 100},    // growth of 2 MB/s is not yet too much
           Row{100, mib(64), milliseconds(5), 2.1, 80},   // but more is
           Row{30, mib(64), milliseconds(5), 3, 25},
       }) {
    EXPECT_NEAR(pause_feedback(row.gogc, row.heap, pauses(row.pause), row.growth), row.next, 1e-9)
        << row.gogc << " " << to_seconds(row.pause) << " " << row.growth;
  }
}

TEST(PauseFeedback, TakesTheMeanOfTheThree) {
  EXPECT_NEAR(pause_feedback(100, mib(64), {milliseconds(1), milliseconds(4), milliseconds(10)}, 0), 100, 1e-9);
}

RC_GTEST_PROP(PauseFeedback, StaysWithinItsRange, ()) {
  const double gogc = whole(1, 1000);
  const Duration pause(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000));
  const double growth = whole(-10, 10);
  const double next = pause_feedback(gogc, mib(64), pauses(pause), growth);
  RC_ASSERT(next >= 25 && next <= 200);
  RC_ASSERT(pause_feedback(gogc, mib(64), pauses(2 * pause), growth) <= next);
}

}  // namespace
}  // namespace gopacer::deciding
