#include "judge/metrics.h"
#include "judge/measure.h"

#include <gmock/gmock.h>

#include "gopacer/domain/histogram.h"
#include "judge/trial_pods.h"

namespace gopacer::judging {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Histogram counts(const std::map<double, double>& cumulative, double times = 1) {
  Histogram histogram(cumulative);
  for (double& count : histogram.counts) count *= times;
  return histogram;
}

TEST(FewestRequests, AreTwoBeyondTheQuantileAndFiftyAtLeast) {
  EXPECT_NEAR(fewest_requests(0.99), 200, 1e-9);
  EXPECT_NEAR(fewest_requests(0.999), 2000, 1e-6);
  EXPECT_EQ(fewest_requests(0.5), 50);
}

// The figures of these are worked out apart from the code, from the two histograms by the formula in metrics.h.

TEST(LogSlowdown, IsTheRatioOfTheQuantilesWhereBucketsAreNarrow) {
  // p50 in (10 ms, 15 ms]. Above 10 ms 75 and 90 %, above 15 ms 25 and 40 %.
  const Histogram baseline = counts({{0.010, 250}, {0.015, 750}, {kInfinity, 1000}});
  const Histogram canary = counts({{0.010, 100}, {0.015, 600}, {kInfinity, 1000}});
  const double far = std::log(0.90 / 0.5) / std::log(0.90 / 0.40) - std::log(0.75 / 0.5) / std::log(0.75 / 0.25);
  EXPECT_NEAR(*log_slowdown(canary, baseline, 0.5), far * std::log(1.5), 1e-12);
}

/// Requests of a log-normal service time with σ = 0.5, as many as it takes for no chance to be left.
Histogram log_normal(double median, double first_bound) {
  std::map<double, double> cumulative;
  for (int i = 0; first_bound * std::pow(1.6, i) < 1; ++i) {
    const double bound = first_bound * std::pow(1.6, i);
    cumulative[bound] = 1e9 * 0.5 * std::erfc(-std::log(bound / median) / 0.5 / std::sqrt(2));
  }
  cumulative[kInfinity] = 1e9;
  return Histogram(cumulative);
}

TEST(LogSlowdown, IsTheSameWhereverTheQuantileLiesInItsBucket) {
  for (const double change : {1.06, 1.15, 1.2}) {
    for (int step = 0; step < 100; ++step) {
      const double first = 0.001 * std::pow(1.6, step / 100.0);
      const double seen = *log_slowdown(log_normal(0.010 * change, first), log_normal(0.010, first), 0.99);
      EXPECT_NEAR(seen, std::log(change), 0.2 * std::log(change)) << change << " from " << first;
    }
  }
}

TEST(LogSlowdown, BearsATailThatEndsWithinTheBucket) {
  const Histogram baseline = counts({{0.010, 9890}, {0.015, 10000}, {kInfinity, 10000}});
  const Histogram canary = counts({{0.010, 9890}, {0.015, 9999}, {kInfinity, 10000}});
  EXPECT_EQ(*log_slowdown(baseline, baseline, 0.99), 0);
  EXPECT_NEAR(*log_slowdown(canary, baseline, 0.99), 0, 0.01);
}

TEST(LogSlowdown, ComparesSharesWhereOnlyOneOfTheQuantilesLiesInANarrowBucket) {
  const Histogram baseline = counts({{0.010, 300}, {0.015, 700}, {0.1, 1000}, {kInfinity, 1000}});
  const Histogram canary = counts({{0.010, 300}, {0.015, 450}, {0.1, 1000}, {kInfinity, 1000}});
  // Above 15 ms are 55 and 30 %, of both together 42.5 %; above 10 ms 70 %.
  const double slope = std::log(0.7 / 0.425) / std::log(0.015 / 0.010);
  EXPECT_NEAR(*log_slowdown(canary, baseline, 0.5), 0.25 / 0.425 / slope, 1e-9);
  EXPECT_NEAR(*log_slowdown(baseline, canary, 0.5), -0.25 / 0.425 / slope, 1e-9);
}

TEST(LogSlowdown, GoesByTheBoundWhoseShareIsNearest) {
  // p99 between 50 and 200 ms. Above 50 ms 5 % on either side; above 200 ms 1.0 and 0.8 %, which is nearer to 1 %.
  const Histogram canary = counts({{0.05, 9500}, {0.2, 9900}, {kInfinity, 10000}});
  const Histogram baseline = counts({{0.05, 9500}, {0.2, 9920}, {kInfinity, 10000}});
  const double slope = std::log(0.05 / 0.009) / std::log(4.0);
  EXPECT_NEAR(*log_slowdown(canary, baseline, 0.99), 0.002 / 0.009 / slope, 1e-9);
  // Above 50 ms 1.3 and 1.1 %; above 200 ms 0.1 % on either side.
  const Histogram slower = counts({{0.05, 9870}, {0.2, 9990}, {kInfinity, 10000}});
  const Histogram faster = counts({{0.05, 9890}, {0.2, 9990}, {kInfinity, 10000}});
  const double steeper = std::log(0.012 / 0.001) / std::log(4.0);
  EXPECT_NEAR(*log_slowdown(slower, faster, 0.99), 0.002 / 0.012 / steeper, 1e-9);
}

TEST(LogSlowdown, TakesTheUsualSlopeWhereTheBucketsShowNone) {
  // p99 in the first bucket: 0.9 and 0.1 % are above 100 ms.
  for (const double first : {-1.0, 0.0, 0.1}) {
    std::map<double, double> canary{{0.1, 9910}, {kInfinity, 10000}};
    std::map<double, double> baseline{{0.1, 9990}, {kInfinity, 10000}};
    if (first < 0.1) canary[first] = baseline[first] = 0;
    EXPECT_NEAR(*log_slowdown(counts(canary), counts(baseline), 0.99), std::log(90.5 / 10.5) / 4, 1e-9) << first;
  }
  // Nothing is above the quantile's bucket.
  const Histogram fast = counts({{5, 1000}, {10, 1000}, {kInfinity, 1000}});
  const Histogram slow = counts({{5, 0}, {10, 1000}, {kInfinity, 1000}});
  EXPECT_NEAR(*log_slowdown(slow, fast, 0.99), std::log(1000.5 / 0.5) / 4, 1e-9);
}

TEST(LogSlowdown, GrowsWithTheSlowdownHoweverWideTheBucketsAre) {
  // A target of four pods beside one baseline: above 100 ms 1 % of the baseline's requests, and ever more of theirs.
  const Histogram baseline = counts({{0.05, 8000}, {0.1, 9900}, {kInfinity, 10000}});
  double last = 0;
  for (const double above : {400.0, 800.0, 1600.0, 6400.0, 12800.0}) {
    const Histogram target = counts({{0.05, 20000}, {0.1, 40000 - above}, {kInfinity, 40000}});
    const double found = *log_slowdown(target, baseline, 0.99);
    EXPECT_GE(found, last + (above > 400 ? 0.1 : 0)) << above;
    last = found;
  }
}

TEST(LogSlowdown, IsNotKnownFromABoundWhoseOddsAreEightTimesTheQuantiles) {
  // 7.5 % have 8.03 times the odds of 1 %.
  const Histogram near = counts({{0.005, 9260}, {5, 10000}, {kInfinity, 10000}});
  const Histogram far = counts({{0.005, 9250}, {5, 10000}, {kInfinity, 10000}});
  EXPECT_TRUE(log_slowdown(near, near, 0.99));
  EXPECT_FALSE(log_slowdown(far, far, 0.99));
}

TEST(LogSlowdown, IsNotKnownFromFewerThanFiveBeyondTheBoundInEitherArm) {
  const auto arm = [](double requests) { return counts({{0.1, 0.75}, {1, 1}, {kInfinity, 1}}, requests); };
  EXPECT_EQ(log_slowdown(arm(20), arm(20), 0.5), 0);
  EXPECT_EQ(log_slowdown(arm(20), arm(2000), 0.5), 0);
  EXPECT_FALSE(log_slowdown(arm(19), arm(2000), 0.5));
  EXPECT_FALSE(log_slowdown(arm(2000), arm(19), 0.5));
}

TEST(LogSlowdown, IsNotKnownOfAQuantileOfNoTimeAtAll) {
  const Histogram none = counts({{0, 995}, {0.1, 1000}, {kInfinity, 1000}}, 10);
  EXPECT_FALSE(log_slowdown(none, none, 0.99));
}

TEST(RequestsNeeded, AreThoseOfWhichFiveAreOnTheRarerSideOfTheBound) {
  // p10 above 5 ms, as are 95 %: five of a hundred are not.
  const Histogram slow = counts({{0.005, 50}, {1, 1000}, {kInfinity, 1000}});
  EXPECT_NEAR(requests_needed(slow, slow, 0.1), 100, 1e-9);
  const Histogram half = counts({{0.005, 500}, {1, 1000}, {kInfinity, 1000}});
  EXPECT_EQ(requests_needed(half, half, 0.4), 50) << "never fewer than any comparison wants";
}

TEST(RequestsNeeded, AreInfiniteWhereNothingCanBeCompared) {
  const Histogram some = counts({{0.1, 600}, {1, 1000}});
  EXPECT_TRUE(std::isinf(requests_needed({}, some, 0.5)));
  EXPECT_TRUE(std::isinf(requests_needed(some, {}, 0.5)));
  EXPECT_TRUE(std::isinf(requests_needed(some, counts({{0.2, 600}, {1, 1000}}), 0.5)));
}

TEST(LogSlowdown, IsNotKnownWithoutDataOrWithOtherBuckets) {
  const Histogram some = counts({{0.1, 600}, {1, 1000}});
  EXPECT_FALSE(log_slowdown(some, counts({{0.1, 0}, {1, 0}}), 0.5));
  EXPECT_FALSE(log_slowdown({}, some, 0.5));
  EXPECT_FALSE(log_slowdown(some, counts({{0.2, 600}, {1, 1000}}), 0.5));
}

Slo promise(milliseconds most, double quantile = 0.9) {
  Slo slo;
  slo.histogram().quantile = quantile;
  slo.max = to_seconds(most);
  slo.max_regression_percent = 5;
  return slo;
}

/// `slow` requests of `all` take up to 200 ms, the rest up to 100 ms.
Histogram with_slow(double slow, double all) { return counts({{0.1, all - slow}, {0.2, all}, {kInfinity, all}}); }

TEST(OnlyTheCanaryViolates, WhenItIsSlowAndTheBaselineIsNot) {
  const Slo slo = promise(milliseconds(100));
  EXPECT_TRUE(only_canary_violates(with_slow(200, 1000), with_slow(50, 1000), slo));
  EXPECT_FALSE(only_canary_violates(with_slow(50, 1000), with_slow(50, 1000), slo));
  EXPECT_FALSE(only_canary_violates(with_slow(200, 1000), with_slow(200, 1000), slo)) << "both are slow";
  EXPECT_FALSE(only_canary_violates(with_slow(50, 1000), with_slow(200, 1000), slo));
  EXPECT_FALSE(only_canary_violates(with_slow(200, 1000), {}, slo));
  EXPECT_FALSE(only_canary_violates({}, with_slow(50, 1000), slo));
}

TEST(OnlyTheCanaryViolates, ByMoreThanChance) {
  const Slo slo = promise(milliseconds(100));
  // 16 against 8 of 100: pooled 0.12 ± 0.046, so 8 points are 1.74 standard errors; 15 are 1.56.
  EXPECT_TRUE(only_canary_violates(with_slow(16, 100), with_slow(8, 100), slo));
  EXPECT_FALSE(only_canary_violates(with_slow(15, 100), with_slow(8, 100), slo));
}

TEST(OnlyTheCanaryViolates, ByMoreThanChanceHasItWithArmsOfUnequalSize) {
  const Slo slo = promise(milliseconds(100));
  // Of 93 in 1100 the error is 2.92 points, of 92 2.90 points; 1.645 of them are 4.80 and 4.78.
  EXPECT_TRUE(only_canary_violates(with_slow(13, 100), with_slow(80, 1000), slo)) << "5 points";
  EXPECT_FALSE(only_canary_violates(with_slow(12, 100), with_slow(80, 1000), slo)) << "4 points";
}

TEST(OnlyTheCanaryViolates, WhereMoreIsSlowThanTheQuantileAllowsAndNotWhereAsMuchIs) {
  const Slo slo = promise(milliseconds(100), 0.75);
  EXPECT_FALSE(only_canary_violates(with_slow(250, 1000), with_slow(0, 1000), slo));
  EXPECT_TRUE(only_canary_violates(with_slow(251, 1000), with_slow(0, 1000), slo));
  EXPECT_TRUE(only_canary_violates(with_slow(500, 1000), with_slow(250, 1000), slo)) << "the baseline just keeps it";
  EXPECT_FALSE(only_canary_violates(with_slow(500, 1000), with_slow(251, 1000), slo));
}

TEST(OnlyTheCanaryViolates, ByMoreThanTheRegressionThatIsAllowed) {
  // p90 at 102.9 ms and at 98.8 ms: 4.1 % more, and far beyond chance.
  const Histogram canary = counts({{0.095, 6000}, {0.105, 9800}, {kInfinity, 10000}}, 100);
  const Histogram baseline = counts({{0.095, 8500}, {0.105, 9800}, {kInfinity, 10000}}, 100);
  Slo slo = promise(milliseconds(100));
  const double ratio = quantile(canary, 0.9)->value / quantile(baseline, 0.9)->value;
  ASSERT_GT(ratio, 1.02);
  ASSERT_LT(ratio, 1.05);
  EXPECT_FALSE(only_canary_violates(canary, baseline, slo));
  slo.max_regression_percent = 2;
  EXPECT_TRUE(only_canary_violates(canary, baseline, slo));
}

TEST(OnlyTheCanaryViolates, NothingWhereNothingIsPromised) {
  Slo slo = promise(milliseconds(100));
  slo.max.reset();
  EXPECT_FALSE(only_canary_violates(with_slow(500, 1000), with_slow(0, 1000), slo));
  EXPECT_FALSE(violates(with_slow(500, 1000), slo));
}

TEST(Violates, WhenMoreIsSlowThanTheQuantileAllowsAndChanceExplains) {
  const Slo slo = promise(milliseconds(100));
  // 10 % are allowed; of 1000 that is 10 ± 0.95 %, and 1.645 of those are 1.56.
  EXPECT_TRUE(violates(with_slow(116, 1000), slo));
  EXPECT_FALSE(violates(with_slow(115, 1000), slo));
  EXPECT_FALSE(violates(with_slow(90, 1000), slo));
  EXPECT_FALSE(violates({}, slo));
}

TEST(Count, FollowsTheArithmeticMeanOfShares) {
  MetricEvidence metric;
  count(metric, 0.1, 0.2, 0.1);
  count(metric, 0.3, 0.8, 0.5);
  EXPECT_DOUBLE_EQ(metric.stats.mean, 0.2);
  EXPECT_DOUBLE_EQ(metric.canary, 0.5);
  EXPECT_DOUBLE_EQ(metric.baseline, 0.3);
}

TEST(Count, FollowsTheGeometricMeanOfRatios) {
  MetricEvidence metric;
  metric.relative = true;
  count(metric, 0, 0.2, 0.1);
  count(metric, 0, 0.8, 0.1);
  EXPECT_DOUBLE_EQ(metric.canary, 0.4);
  EXPECT_DOUBLE_EQ(metric.baseline, 0.1);
}

TEST(Count, GoesOnAfterAWindowWhoseQuantileIsBelowAllThatIsKnown) {
  MetricEvidence metric;
  metric.relative = true;
  count(metric, 0, 0.2, 0.1);
  count(metric, 0, 0, 0.1);
  EXPECT_GT(metric.canary, 0) << "a geometric mean would stay at nothing for ever";
  EXPECT_LT(metric.canary, 0.2);
}

MetricEvidence seen(int windows, double mean, double spread) {
  MetricEvidence metric;
  metric.name = "p99";
  metric.relative = true;
  metric.threshold = 0;
  for (int i = 0; i < windows; ++i) metric.stats.add(mean + (i % 2 == 0 ? spread : -spread));
  return metric;
}

TEST(Weigh, FailsAndPassesByTheWholeInterval) {
  MetricEvidence worse = seen(40, 1, 0.1);
  weigh(worse, 0.05);
  EXPECT_EQ(worse.state, MetricState::kFail);
  EXPECT_GT(worse.low, 0.5);
  EXPECT_NEAR((worse.low + worse.high) / 2, 1, 1e-12);
  MetricEvidence better = seen(40, -1, 0.1);
  weigh(better, 0.05);
  EXPECT_EQ(better.state, MetricState::kPass);
  EXPECT_LT(better.high, -0.5);
  EXPECT_LT(better.low, better.high);
  MetricEvidence open = seen(40, 0.01, 0.5);
  weigh(open, 0.05);
  EXPECT_EQ(open.state, MetricState::kUndecided);
}

TEST(Weigh, AddsWhatNoNumberOfWindowsShowsOnBothSides) {
  MetricEvidence metric = seen(4000, 0.1, 0.01);
  weigh(metric, 0.05, 0.08);
  EXPECT_EQ(metric.state, MetricState::kFail);
  weigh(metric, 0.05, 0.12);
  EXPECT_EQ(metric.state, MetricState::kUndecided);
  EXPECT_NEAR(metric.low, -0.02, 0.002);
  EXPECT_NEAR(metric.high, 0.22, 0.002);
  metric.threshold = 0.25;
  weigh(metric, 0.05, 0.12);
  EXPECT_EQ(metric.state, MetricState::kPass);
}

TEST(Weigh, IsUndecidedExactlyAtTheThreshold) {
  MetricEvidence metric = seen(40, 0.5, 0);
  metric.threshold = 0.5;
  weigh(metric, 0.05);
  EXPECT_EQ(metric.low, 0.5);
  EXPECT_EQ(metric.high, 0.5);
  EXPECT_EQ(metric.state, MetricState::kUndecided);
}

TEST(Weigh, SaysNothingWhereMoreWindowsAreUnresolvedThanResolved) {
  MetricEvidence metric = seen(30, 1, 0);
  metric.unresolved = 30;
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kFail);
  metric.unresolved = 31;
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kUndecided);
  EXPECT_EQ(metric.low, 0) << "and what it said before is no longer so";
  EXPECT_EQ(metric.high, 0);
}

TEST(Weigh, TakesAWindowThatIsNotResolvedForDataAllTheSame) {
  MetricEvidence metric;
  metric.unresolved = 1;
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kUndecided);
  metric.stats.add(0);
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kUndecided);
  metric.unresolved = 0;
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kUndecided);
}

TEST(Weigh, SaysNothingBeforeTwentyWindows) {
  MetricEvidence metric = seen(19, 1, 0.001);
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kUndecided);
  EXPECT_EQ(metric.low, 0);
  metric.stats.add(1);
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kFail);
}

TEST(Weigh, FindsNoDataAfterFourWindowsWithoutAny) {
  MetricEvidence metric;
  metric.missing = 3;
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kUndecided);
  metric.missing = 4;
  weigh(metric, 0.05);
  EXPECT_EQ(metric.state, MetricState::kNoData);
}

TEST(Tell, SaysWhatAMetricShowedInItsOwnUnit) {
  MetricEvidence metric = seen(20, std::log(1.2), 0);
  metric.baseline = 0.010;
  metric.canary = 0.012;
  metric.low = std::log(1.1);
  metric.high = std::log(1.3);
  metric.threshold = std::log(1.05);
  metric.state = MetricState::kFail;
  EXPECT_EQ(tell(metric), "p99 10.0ms → 12.0ms, +20.0 % (+10.0 % … +30.0 %, has to be below +5.0 %)");
  metric.baseline = 0.0005;
  metric.canary = 1.5;
  EXPECT_THAT(tell(metric), HasSubstr("p99 500µs → 1.50s,"));
  metric.baseline = 0.25;
  EXPECT_THAT(tell(metric), HasSubstr("p99 250ms → 1.50s,"));
  metric.baseline = 0.001;
  metric.canary = 1;
  EXPECT_THAT(tell(metric), HasSubstr("p99 1.0ms → 1.00s,"));
}

TEST(Tell, SaysSharesInPoints) {
  MetricEvidence metric = seen(20, -0.05, 0);
  metric.name = "gc-cpu";
  metric.relative = false;
  metric.baseline = 0.1;
  metric.canary = 0.05;
  metric.low = -0.06;
  metric.high = -0.04;
  metric.threshold = -0.02;
  metric.state = MetricState::kPass;
  EXPECT_EQ(tell(metric),
            "gc-cpu 10.0 % → 5.0 % of CPU, -5.0 points (-6.0 points … -4.0 points, has to be below -2.0 points)");
}

TEST(Tell, SaysHowManyWindowsAreWanting) {
  MetricEvidence none;
  none.name = "p99";
  EXPECT_EQ(tell(none), "p99 has no data");
  MetricEvidence metric = seen(3, 0, 0);
  metric.baseline = metric.canary = 0.01;
  EXPECT_EQ(tell(metric), "p99 10.0ms → 10.0ms, 0.0 % after 3 windows of at least 20");
  metric.stats = seen(20, 0, 0).stats;
  EXPECT_EQ(tell(metric), "p99 10.0ms → 10.0ms, 0.0 % (0.0 % … 0.0 %, has to be below 0.0 %)");
}

TEST(Tell, SaysWhatTheBucketsDoNotResolve) {
  MetricEvidence metric;
  metric.name = "p99";
  metric.unresolved = 1;
  EXPECT_EQ(tell(metric), "p99 is not resolved by its buckets");
  metric = seen(25, 0, 0);
  metric.baseline = metric.canary = 0.01;
  metric.unresolved = 75;
  EXPECT_EQ(tell(metric), "p99 10.0ms → 10.0ms, 0.0 % in the 25 windows that its buckets resolve, of 100");
}

}  // namespace
}  // namespace gopacer::judging
