#include "judge/pod_spread.h"

#include <gmock/gmock.h>

#include <cmath>

#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using testing::ExactTrial;
using ::testing::HasSubstr;
using testing::kStart;

constexpr Duration kInterval = std::chrono::seconds(10);

/// A pod that was read each interval, with so many requests of one latency in each.
PodSeries pod(const std::string& uid, double seconds, int windows = 20) {
  PodSeries series;
  series.pod = series.uid = uid;
  series.ready = true;
  Sample sample;
  sample.at = kStart;
  sample.process.emplace();
  sample.process->cpu_seconds = 0;
  sample.latency["p50"] = testing::empty_histogram(1.02, 0.005, 120);
  series.samples.push_back(sample);
  for (int i = 0; i < windows; ++i) {
    sample.at += kInterval;
    *sample.process->cpu_seconds += 100 * seconds;
    testing::observe(sample.latency["p50"], seconds, 100);
    series.samples.push_back(sample);
  }
  return series;
}

MetricEvidence measured(const std::vector<PodSeries>& pods, const judging::Nodes& nodes = {}, double noise = 0) {
  judging::Arm arm;
  for (const PodSeries& each : pods) arm.push_back(&each);
  MetricEvidence metric;
  judging::measure_spread(metric, ExactTrial::slo("p50"), {{&arm, kStart}}, nodes, kInterval, noise);
  return metric;
}

const std::vector<PodSeries> kThree{pod("a", 0.010), pod("b", 0.011), pod("c", 0.0121)};

TEST(PodSpread, IsTheDeviationOfTheLogarithmsBetweenPods) {
  const MetricEvidence metric = measured(kThree);
  EXPECT_EQ(metric.pod_spread.freedom, 2);
  EXPECT_NEAR(metric.pod_spread.spread, std::log(1.1), 0.01);
  EXPECT_EQ(metric.neighbour_spread.freedom, 0);
}

TEST(PodSpread, ComparesPodsOfOneNodeWithEachOther) {
  const MetricEvidence metric = measured(kThree, {{"a", "node"}, {"b", "node"}, {"c", "other"}});
  EXPECT_EQ(metric.pod_spread.freedom, 1);
  EXPECT_EQ(metric.neighbour_spread.freedom, 1);
  EXPECT_NEAR(metric.neighbour_spread.spread, std::log(1.1) / std::sqrt(2.0), 0.02) << "to the width of a bucket";
}

TEST(PodSpread, LeavesOutWhatIsTheWindowsChance) {
  EXPECT_EQ(measured(kThree, {}, 1).pod_spread.spread, 0);
  EXPECT_LT(measured(kThree, {}, 0.04).pod_spread.spread, measured(kThree).pod_spread.spread);
}

TEST(PodSpread, IsNotMeasuredOfOnePodNorInAShortTime) {
  EXPECT_EQ(measured({pod("a", 0.01)}).pod_spread.freedom, 0);
  EXPECT_EQ(measured({pod("a", 0.01, 7), pod("b", 0.02, 7)}).pod_spread.freedom, 0);
  EXPECT_EQ(measured({pod("a", 0.01, 8), pod("b", 0.02, 8)}).pod_spread.freedom, 1);
  EXPECT_EQ(measured({}).pod_spread.freedom, 0);
}

TEST(PodSpread, OfFewerPodsDoesNotReplaceThatOfMore) {
  MetricEvidence metric = measured(kThree);
  const MeasuredSpread before = metric.pod_spread;
  const PodSeries one = pod("a", 0.01);
  const PodSeries two = pod("b", 0.05);
  const judging::Arm arm{&one, &two};
  judging::measure_spread(metric, ExactTrial::slo("p50"), {{&arm, kStart}}, {}, kInterval, 0);
  EXPECT_EQ(metric.pod_spread, before);
}

TEST(PodSpread, OfCpuIsThatOfEachRequest) {
  judging::Arm arm;
  for (const PodSeries& each : kThree) arm.push_back(&each);
  MetricEvidence metric;
  judging::measure_cpu_spread(metric, "p50", {{&arm, kStart}}, {}, kInterval, 0);
  EXPECT_NEAR(metric.pod_spread.spread, std::log(1.1), 1e-6);
}

TEST(PodVariance, WeighsWhatIsPresumedByFourDegreesOfFreedom) {
  MetricEvidence metric;
  EXPECT_NEAR(judging::pod_variance(metric).anywhere, 0.0049, 1e-12);
  EXPECT_NEAR(judging::pod_variance(metric).own, 0.000245, 1e-12);
  metric.pod_spread = {0.1, 4};
  EXPECT_NEAR(judging::pod_variance(metric).anywhere, (0.0049 + 0.01) / 2, 1e-12);
  metric.pod_spread = {0.001, 1000};
  EXPECT_NEAR(judging::pod_variance(metric).own, 0.00002, 0.00001) << "no more than the whole";
  metric.pod_spread = {0.1, 4};
  metric.neighbour_spread = {0.5, 100};
  EXPECT_EQ(judging::pod_variance(metric).own, judging::pod_variance(metric).anywhere) << "no more than the whole";
}

TEST(PodConfidence, IsThatOfStudentsDistribution) {
  MetricEvidence metric;
  const EarlierTrials one_node{.trials = 1};
  const EarlierTrials apart{.trials = 1, .nodes = 2};
  EXPECT_NEAR(judging::pod_confidence(metric, one_node), 2.132, 0.02);
  metric.pod_spread.freedom = 6;
  EXPECT_NEAR(judging::pod_confidence(metric, apart), 1.812, 0.003);
  EXPECT_NEAR(judging::pod_confidence(metric, one_node), 2.132, 0.02) << "nodes say nothing of two pods on one";
  metric.neighbour_spread.freedom = 1000;
  EXPECT_NEAR(judging::pod_confidence(metric, one_node), 1.645, 0.01);
}

TEST(PodConfidence, GetsWiderWithEachLook) {
  EXPECT_DOUBLE_EQ(judging::pod_confidence({}, {.trials = 0}), judging::pod_confidence({}, {.trials = 1}));
  EXPECT_NEAR(judging::pod_confidence({}, {.trials = 6}) / judging::pod_confidence({}, {.trials = 1}), 1.67, 0.01);
}

TEST(PodSpread, IsToldToPeople) {
  EXPECT_EQ(judging::told_of_pods({}), "pods with equal settings are presumed to differ by 7.0 %");
  MetricEvidence metric;
  metric.pod_spread = {0.0213, 3};
  EXPECT_EQ(judging::told_of_pods(metric), "pods with equal settings differ by 2.1 %");
}

TEST(EarlierTrials, LeaveLessOfWhatPodsDifferBy) {
  Evidence first;
  first.windows = 100;
  EXPECT_EQ(so_far(first), (EarlierTrials{1, 100, 0, 2}));
  Evidence second = going_on_from(first);
  EXPECT_EQ(so_far(second).pods, 2) << "no window of another pair yet";
  second.windows = 100;
  second.nodes_apart = 2;
  EXPECT_EQ(so_far(second), (EarlierTrials{2, 200, 0.5, 1}));
  Evidence third = going_on_from(second);
  third.windows = 100;
  EXPECT_NEAR(so_far(third).pods, 2.0 / 3, 1e-12);
  EXPECT_NEAR(judging::arms_differ({}, so_far(first)), std::sqrt(2 * 0.000245), 1e-12);
}

TEST(EarlierTrials, HandOnTheirWindowsAndNotWhatWasTheirPodsOwn) {
  Evidence ended;
  ended.windows = 30;
  ended.canary_requests = 5;
  ended.until = kStart;
  ended.baseline_memory = 0.5;
  MetricEvidence metric;
  for (const double x : {0.1, 0.2}) metric.stats.add(x);
  metric.peers.add(1);
  metric.violations = 2;
  metric.state = MetricState::kPass;
  ended.metrics = {metric};
  const Evidence next = going_on_from(ended);
  EXPECT_EQ(next.windows, 0);
  EXPECT_EQ(next.canary_requests, 0) << "each trial has to answer enough of its own, and evenly";
  EXPECT_FALSE(next.until);
  EXPECT_EQ(next.baseline_memory, 0);
  EXPECT_EQ(next.metrics[0].stats.n, 2);
  EXPECT_FALSE(next.metrics[0].stats.last);
  EXPECT_EQ(next.metrics[0].peers.n, 0);
  EXPECT_EQ(next.metrics[0].violations, 0);
  EXPECT_EQ(next.metrics[0].state, MetricState::kUndecided);
}

}  // namespace
}  // namespace gopacer
