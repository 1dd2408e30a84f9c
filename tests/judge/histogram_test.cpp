#include "gopacer/domain/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "judge/measure.h"
#include "judge/metrics.h"
#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using testing::empty_histogram;
using ::testing::HasSubstr;
using testing::observe;

constexpr double kInf = std::numeric_limits<double>::infinity();

Histogram of(const std::map<double, double>& cumulative) { return Histogram(cumulative); }

TEST(Quantile, IsInterpolatedWithinItsBucket) {
  const Histogram histogram = of({{0.1, 50}, {0.2, 90}, {0.4, 100}, {kInf, 100}});
  EXPECT_DOUBLE_EQ(quantile(histogram, 0.5)->value, 0.1);
  EXPECT_DOUBLE_EQ(quantile(histogram, 0.7)->value, 0.15);
  EXPECT_DOUBLE_EQ(quantile(histogram, 0.95)->value, 0.3);
  EXPECT_DOUBLE_EQ(quantile(histogram, 0.25)->value, 0.05);
}

TEST(Quantile, AboveTheLastBoundIsThatBound) {
  const Histogram histogram = of({{0.1, 50}, {kInf, 100}});
  const auto found = quantile(histogram, 0.99);
  EXPECT_DOUBLE_EQ(found->value, 0.1);
  EXPECT_TRUE(std::isinf(found->bucket_high));
}

TEST(Quantile, OfNothingIsNone) {
  EXPECT_FALSE(quantile(Histogram{}, 0.99));
  EXPECT_FALSE(quantile(of({{0.1, 0}, {kInf, 0}}), 0.99));
}

TEST(Difference, IsWhatHappenedBetweenTwoReadings) {
  const auto delta = difference(of({{0.1, 7}, {kInf, 10}}), of({{0.1, 5}, {kInf, 6}}));
  ASSERT_TRUE(delta);
  EXPECT_EQ(count_up_to(*delta, 0.1), 2);
  EXPECT_EQ(delta->count(), 4);
}

TEST(Difference, RefusesResetsAndOtherBuckets) {
  EXPECT_FALSE(difference(of({{0.1, 1}, {kInf, 2}}), of({{0.1, 5}, {kInf, 6}})));
  EXPECT_FALSE(difference(of({{0.2, 7}, {kInf, 10}}), of({{0.1, 5}, {kInf, 6}})));
  EXPECT_FALSE(difference(of({{0.1, 7}, {0.2, 8}, {kInf, 10}}), of({{0.1, 5}, {kInf, 6}})));
  EXPECT_FALSE(difference(of({{0.1, std::nan("")}, {kInf, 10}}), of({{0.1, 5}, {kInf, 6}})));
}

TEST(Merge, AddsPodsUp) {
  Histogram sum;
  EXPECT_TRUE(merge(sum, of({{0.1, 1}, {kInf, 2}})));
  EXPECT_TRUE(merge(sum, of({{0.1, 3}, {kInf, 5}})));
  EXPECT_EQ(count_up_to(sum, 0.1), 4);
  EXPECT_EQ(sum.count(), 7);
  EXPECT_FALSE(merge(sum, of({{0.3, 3}, {kInf, 5}})));
  EXPECT_EQ(sum.count(), 7);
}

TEST(ShareSlower, IsInterpolatedInNarrowBucketsOnly) {
  const Histogram histogram = of({{0.1, 50}, {0.15, 90}, {0.4, 100}, {kInf, 100}});
  EXPECT_NEAR(judging::share_surely_slower(histogram, 0.15), 0.1, 1e-12);
  EXPECT_NEAR(judging::share_surely_slower(histogram, 0.125), 0.3, 1e-12);
  EXPECT_EQ(judging::share_surely_slower(histogram, 0.3), 0) << "those between 0.15 and 0.4 may all be below 0.3";
  EXPECT_NEAR(judging::share_surely_slower(histogram, 0.05), 0.5, 1e-12);
  EXPECT_EQ(judging::share_surely_slower(histogram, 1), 0);
  EXPECT_NEAR(judging::share_surely_slower(of({{0.1, 50}, {kInf, 100}}), 0.1), 0.5, 1e-12);
  EXPECT_EQ(judging::share_surely_slower(of({{0.1, 0}, {kInf, 1}}), 0.1), 1) << "the only one";
}

TEST(ShareSlower, IsNothingOfNothing) {
  EXPECT_EQ(judging::share_surely_slower({}, 0.1), 0);
  EXPECT_EQ(judging::share_surely_slower(of({{0.1, 0}, {kInf, 0}}), 0.1), 0);
  EXPECT_EQ(judging::share_surely_slower(of({{0.1, 50}}), 1), 0) << "a histogram without an end";
}

TEST(Violation, IsCertainOrNone) {
  Slo slo;
  slo.max = 0.3;
  const Histogram below = of({{5, 1000}, {10, 1000}, {kInf, 1000}});
  const Histogram above = of({{5, 900}, {10, 1000}, {kInf, 1000}});
  EXPECT_FALSE(judging::violates(below, slo)) << "all may be faster than 300 ms";
  EXPECT_TRUE(judging::violates(above, slo));
  EXPECT_FALSE(judging::only_canary_violates(below, below, slo));
  EXPECT_TRUE(judging::only_canary_violates(above, below, slo));
  EXPECT_FALSE(judging::only_canary_violates(above, above, slo));
}

/// Observations of an exponential tail, as many as it takes for sampling not to matter.
Histogram exponential(double mean, Histogram histogram) {
  for (int i = 0; i < 20000; ++i) observe(histogram, -mean * std::log((i + 0.5) / 20000));
  return histogram;
}

TEST(Slowdown, IsSeenThroughNarrowBuckets) {
  const auto slowdown =
      judging::log_slowdown(exponential(0.0110, empty_histogram()), exponential(0.0100, empty_histogram()), 0.99);
  ASSERT_TRUE(slowdown);
  EXPECT_NEAR(*slowdown, std::log(1.1), 0.02);
}

TEST(Slowdown, IsSeenThroughWideBucketsByTheShareAboveThem) {
  // Prometheus' default buckets: p99 = 46 ms lies between 25 and 50 ms.
  std::map<double, double> none;
  for (const double bound : {.005, .01, .025, .05, .1, .25, .5, 1., 2.5, 5., 10., kInf}) none[bound] = 0;
  const Histogram buckets = of(none);
  for (const double factor : {0.8, 0.9, 1.0, 1.1, 1.3}) {
    const auto slowdown =
        judging::log_slowdown(exponential(0.010 * factor, buckets), exponential(0.010, buckets), 0.99);
    ASSERT_TRUE(slowdown);
    // Exact near the tolerances that people set; far from them only the direction and the size matter.
    EXPECT_NEAR(*slowdown, std::log(factor), 0.01 + 0.4 * std::abs(std::log(factor))) << factor;
  }
}

TEST(Slowdown, IsUnknownWhereNoBoundIsNear) {
  const Histogram last = of({{kInf, 1000}});
  EXPECT_FALSE(judging::log_slowdown(last, last, 0.99));
  EXPECT_FALSE(judging::log_slowdown(Histogram{}, last, 0.99));
  // 90 % lie in the wide bucket above 5 ms: the share above 5 ms says nothing of p99.
  const Histogram wide = of({{0.005, 100}, {5, 1000}, {kInf, 1000}});
  EXPECT_FALSE(judging::log_slowdown(wide, wide, 0.99));
  EXPECT_TRUE(std::isinf(judging::requests_needed(wide, wide, 0.99)));
}

TEST(Slowdown, IsSeenWhereABoundLiesBetweenTheTwo) {
  const Histogram fast = of({{5, 1000}, {10, 1000}, {kInf, 1000}});
  const Histogram slow = of({{5, 0}, {10, 1000}, {kInf, 1000}});
  EXPECT_GT(*judging::log_slowdown(slow, fast, 0.99), 0.3);
  EXPECT_LT(*judging::log_slowdown(fast, slow, 0.99), -0.3);
}

TEST(Slowdown, WaitsForEnoughObservationsBeyondTheBound) {
  const Histogram few = of({{0.05, 298}, {0.2, 300}, {kInf, 300}});
  EXPECT_NEAR(judging::requests_needed(few, few, 0.99), 750, 1e-6);
  EXPECT_FALSE(judging::log_slowdown(few, few, 0.99));
  const Histogram many = of({{0.05, 2980}, {0.2, 3000}, {kInf, 3000}});
  EXPECT_EQ(judging::log_slowdown(many, many, 0.99), 0);
}

TEST(Buckets, ThatLackAreNamed) {
  EXPECT_THAT(judging::where_buckets_lack(Histogram{{{5, 100}, {kInf, 100}}, 2}, 0.99),
              HasSubstr("below the first one, 5.00s: add finer buckets near 20.0ms, the mean, and above"));
  EXPECT_THAT(judging::where_buckets_lack(of({{0.005, 10}, {2, 100}, {kInf, 100}}), 0.99),
              HasSubstr("between 5.0ms and 2.00s: add finer buckets there"));
  EXPECT_THAT(judging::where_buckets_lack(of({{0.1, 10}, {kInf, 100}}), 0.995),
              HasSubstr("the 99.5 % quantile, which lies above the last one, 100ms: add buckets above that"));
  EXPECT_EQ(judging::where_buckets_lack(Histogram{}, 0.99), "");
}

TEST(Buckets, ThatLackAreNamedWithoutAMeanThatIsNone) {
  for (const double sum : {0.0, 500.0, 900.0}) {  // of 100 in the bucket up to 5 s
    EXPECT_THAT(judging::where_buckets_lack(Histogram{{{5, 100}, {kInf, 100}}, sum}, 0.99),
                ::testing::EndsWith("below the first one, 5.00s: add finer buckets below that"))
        << sum;
  }
}

Histogram any_histogram() {
  std::map<double, double> cumulative;
  double count = 0;
  for (const double bound : {.005, .01, .025, .05, .06, .1, .25, 5., kInf}) {
    count += *rc::gen::inRange(0, 3000);
    cumulative[bound] = count;
  }
  return of(cumulative);
}

RC_GTEST_PROP(SlowdownProperty, IsNoneBetweenArmsThatDifferInTheNumberOfRequestsOnly, ()) {
  const Histogram baseline = any_histogram();
  const double factor = *rc::gen::element(0.1, 0.25, 0.5, 2.0, 4.0, 10.0);
  Histogram canary = baseline;
  for (double& count : canary.counts) count *= factor;
  const double q = *rc::gen::element(0.5, 0.9, 0.95, 0.99, 0.999);
  RC_ASSERT(std::abs(judging::log_slowdown(canary, baseline, q).value_or(0)) < 1e-9);
}

RC_GTEST_PROP(SlowdownProperty, OfASlowerCanaryIsNeverBelowZero, ()) {
  const Histogram baseline = any_histogram();
  Histogram canary = baseline;
  double before = 0;
  for (std::size_t i = 0; i < canary.counts.size(); ++i) {
    double& count = canary.counts[i];
    const double slowed =
        std::isinf((*canary.bounds)[i]) ? count : before + (count - before) * *rc::gen::inRange(0, 101) / 100;
    before = count;
    count = slowed;
  }
  const double q = *rc::gen::element(0.5, 0.9, 0.95, 0.99, 0.999);
  RC_ASSERT(judging::log_slowdown(canary, baseline, q).value_or(0) > -1e-9);
}

RC_GTEST_PROP(QuantileProperty, NeverFallsWithQ, ()) {
  Histogram histogram = empty_histogram(1.5, 0.001, 12);
  const auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 200'000)));
  for (const int micros : values) observe(histogram, micros * 1e-6);
  const double low = *rc::gen::inRange(1, 99) / 100.0;
  const double high = low + *rc::gen::inRange(0, static_cast<int>(99 - low * 100)) / 100.0;
  const auto first = quantile(histogram, low);
  const auto second = quantile(histogram, high);
  RC_ASSERT(first.has_value() && second.has_value());
  RC_ASSERT(first->value <= second->value + 1e-12);
  RC_ASSERT(first->value >= first->bucket_low && first->value <= first->bucket_high);
}

}  // namespace
}  // namespace gopacer
