#include "judge/bursts.h"

#include <gmock/gmock.h>

#include <cmath>
#include <vector>

#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using testing::ExactTrial;
using testing::kStart;

constexpr Duration kInterval = std::chrono::seconds(10);
constexpr double kUsual = 0.010;
constexpr double kSlow = 0.040;

/// One canary, one baseline and the target's pods, window by window.
struct Row {
  std::vector<PodSeries> pods;
  MetricEvidence metric;
  Time now = kStart;

  explicit Row(std::size_t count = 6) : pods(count) {
    for (PodSeries& pod : pods) {
      Sample first;
      first.at = kStart;
      first.latency["p50"] = testing::empty_histogram();
      pod.samples.push_back(first);
    }
  }

  /// The canary is the first pod.
  void window(const std::vector<std::size_t>& slow) {
    now += kInterval;
    for (std::size_t i = 0; i < pods.size(); ++i) {
      Sample sample = pods[i].samples.back();
      sample.at = now;
      const bool in_burst = std::find(slow.begin(), slow.end(), i) != slow.end();
      testing::observe(sample.latency["p50"], in_burst ? kSlow : kUsual, 100);
      pods[i].samples.push_back(sample);
    }
    judging::Arm target;
    for (std::size_t i = 2; i < pods.size(); ++i) target.push_back(&pods[i]);
    judging::count_bursts(metric, {{&pods[0]}, {&pods[1]}, target}, {now - kInterval, now}, ExactTrial::slo("p50"));
  }
};

TEST(Bursts, ThatOnlyTheCanaryHasAreHarmAtTheSixth) {
  Row row;
  row.window({});
  EXPECT_EQ(row.metric.burst_odds, 0);
  for (int i = 0; i < 2; ++i) {
    row.window({0});
    row.window({});
  }
  EXPECT_LT(row.metric.burst_odds, std::log(20));
  row.window({0});
  EXPECT_EQ(row.metric.canary_bursts, 3);
  EXPECT_GT(row.metric.burst_odds, std::log(20)) << "they are not anybody's";
  EXPECT_FALSE(judging::bursts_decide(row.metric, 0.05)) << "but may be those of fresh pods";
  for (int i = 0; i < 3; ++i) {
    row.window({});
    row.window({0});
  }
  EXPECT_TRUE(judging::bursts_decide(row.metric, 0.05));
}

TEST(Bursts, OfFreshPodsAreNotTheSettings) {
  Row row(16);
  for (int i = 0; i < 12; ++i) {
    row.window({0});
    row.window({1});
  }
  EXPECT_GT(row.metric.burst_odds, std::log(20)) << "the canary has them and fourteen old pods have none";
  EXPECT_EQ(row.metric.baseline_bursts, 12);
  EXPECT_FALSE(judging::bursts_decide(row.metric, 0.05));
}

TEST(Bursts, AreNoHarmByTwoHoweverManyPodsHaveNone) {
  Row row(30);
  for (int i = 0; i < 2; ++i) {
    row.window({0});
    row.window({});
  }
  EXPECT_GT(row.metric.burst_odds, std::log(20) / 2);
  EXPECT_FALSE(judging::bursts_decide(row.metric, 0.5));
}

TEST(Bursts, ThatComeToAnyPodSayNothing) {
  Row row;
  for (std::size_t i = 0; i < 6; ++i) {
    row.window({i});
    row.window({});
  }
  EXPECT_EQ(row.metric.canary_bursts, 1);
  EXPECT_EQ(row.metric.other_bursts, 5);
  EXPECT_LT(row.metric.burst_odds, 0);
}

TEST(Bursts, AreNotCountedBesideTwoOthersOfWhichOneIsTheMiddle) {
  Row row(3);
  for (int i = 0; i < 10; ++i) {
    row.window({0});
    row.window({});
  }
  EXPECT_EQ(row.metric.burst_odds, 0);
}

TEST(Bursts, ThatLastAreOne) {
  Row row;
  for (int i = 0; i < 10; ++i) row.window({0});
  EXPECT_EQ(row.metric.canary_bursts, 1);
}

TEST(Bursts, OfAllPodsAtOnceAreNone) {
  Row row;
  row.window({0, 1, 2, 3, 4, 5});
  EXPECT_EQ(row.metric.canary_bursts + row.metric.other_bursts, 0);
}

TEST(Bursts, AreNotToldWhereNobodyKnowsWhatIsUsual) {
  Row alone(2);
  alone.window({0});
  EXPECT_EQ(alone.metric.canary_bursts, 0);
}

TEST(Bursts, StandOutFromTheNoise) {
  Row row;
  for (const double x : {-0.5, 0.5, -0.5, 0.5}) row.metric.stats.add(x);
  row.window({0});
  EXPECT_EQ(row.metric.canary_bursts, 0) << "four times as slow, with a deviation of 0.58";
}

}  // namespace
}  // namespace gopacer
