#include "gopacer/simulate/rollout.h"

#include <gmock/gmock.h>

#include <map>
#include <string>

namespace gopacer {
namespace {

/// What became of some rollouts of one world.
struct Ends {
  int promoted = 0;
  int in_force = 0;
  int rolled_back = 0;
  int taken_back = 0;
  std::map<std::string, int> reasons;
};

Ends ends_of(const RolloutWorld& world, int count) {
  Ends ends;
  for (int seed = 1; seed <= count; ++seed) {
    const RolloutResult result = simulate_rollout(world, static_cast<std::uint64_t>(seed));
    EXPECT_EQ(result.broken, "") << "seed " << seed;
    ends.promoted += result.promoted ? 1 : 0;
    ends.in_force += result.in_force ? 1 : 0;
    if (result.verdict == TrialVerdict::kRollBack) ++(result.promoted ? ends.taken_back : ends.rolled_back);
    ++ends.reasons[result.reason];
  }
  return ends;
}

RolloutWorld on_one_node() {
  RolloutWorld world;
  world.placement = Placement::kSameNode;
  return world;
}

constexpr int kRollouts = 30;

TEST(SimulatedRollout, IsTheSameForTheSameSeed) {
  const RolloutResult one = simulate_rollout(on_one_node(), 7);
  const RolloutResult two = simulate_rollout(on_one_node(), 7);
  EXPECT_EQ(one.reason, two.reason);
  EXPECT_EQ(one.until_decided, two.until_decided);
  EXPECT_GT(one.until_decided, std::chrono::minutes(7)) << "a warm-up of two minutes and twenty windows";
}

TEST(SimulatedRollout, TriesNothingWhereThereIsNothingToGain) {
  RolloutWorld world = on_one_node();
  world.gc_share_before = 0.01;
  const RolloutResult result = simulate_rollout(world, 1);
  EXPECT_EQ(result.trials, 0);
  EXPECT_THAT(result.broken, ::testing::HasSubstr("no trial began"));
}

TEST(SimulatedRollout, TakesBackWhatRunsOutOfMemoryInTheWatch) {
  RolloutWorld world = on_one_node();
  world.ooms_from = 0.5;
  const Ends ends = ends_of(world, kRollouts / 3);
  EXPECT_EQ(ends.in_force, 0);
  EXPECT_EQ(ends.taken_back, ends.reasons.at("OOMKilled"));
}

TEST(SimulatedRollout, PromotesWhatIsBetter) {
  const Ends ends = ends_of(on_one_node(), kRollouts);
  EXPECT_EQ(ends.rolled_back + ends.taken_back, 0);
  EXPECT_GE(ends.in_force, kRollouts * 9 / 10);
}

TEST(SimulatedRollout, NeverPromotesWhatIsTwiceAsSlowAsIsTolerated) {
  RolloutWorld world = on_one_node();
  world.slowdown = 1.2;
  const Ends ends = ends_of(world, kRollouts);
  EXPECT_EQ(ends.promoted, 0);
  EXPECT_GE(ends.rolled_back, kRollouts / 2);
  EXPECT_GE(ends.reasons.at("LatencyRegression"), kRollouts / 2);
}

TEST(SimulatedRollout, RollsBackWhatCostsMoreThanWasPromised) {
  RolloutWorld world = on_one_node();
  world.promise_kept = -1;
  const Ends ends = ends_of(world, kRollouts / 3);
  EXPECT_EQ(ends.promoted, 0);
  EXPECT_EQ(ends.reasons.at("NoBenefit"), kRollouts / 3);
}

TEST(SimulatedRollout, TakesNothingBackForLoadOrDrift) {
  for (const auto& [load, drift] : {std::pair{2.0, 0.0}, {0.5, 0.0}, {1.0, 0.2}}) {
    RolloutWorld world = on_one_node();
    world.load_after = load;
    world.drift = drift;
    EXPECT_LE(ends_of(world, kRollouts).taken_back, 1) << load << " " << drift;
  }
}

TEST(SimulatedRollout, DoesNotTakeANodesSlownessForTheSettings) {
  RolloutWorld world;
  world.placement = Placement::kAnywhere;
  EXPECT_LE(ends_of(world, kRollouts).rolled_back, 1);
  world.slowdown = 1.2;
  EXPECT_LE(ends_of(world, kRollouts).in_force, 1);
}

TEST(SimulatedRollout, DecidesWithMorePairsWhereOneIsTooFew) {
  RolloutWorld world;
  world.placement = Placement::kAnywhere;
  world.replicas = 16;
  world.requests_per_second = 1600;
  world.canary.replicas = 1;
  const int with_one = ends_of(world, 10).in_force;
  world.canary.replicas = 4;
  EXPECT_GT(ends_of(world, 10).in_force, with_one);
}

RolloutWorld within_pods() {
  RolloutWorld world;
  world.placement = Placement::kWithinPods;
  return world;
}

TEST(SimulatedLiveRollout, IsTheSameForTheSameSeed) {
  const RolloutResult one = simulate_rollout(within_pods(), 7);
  const RolloutResult two = simulate_rollout(within_pods(), 7);
  EXPECT_EQ(one.reason, two.reason);
  EXPECT_EQ(one.until_decided, two.until_decided);
  EXPECT_LT(one.until_decided, std::chrono::minutes(7)) << "pods are warm already";
}

TEST(SimulatedLiveRollout, PromotesWhatIsBetter) {
  const Ends ends = ends_of(within_pods(), kRollouts);
  EXPECT_EQ(ends.rolled_back + ends.taken_back, 0);
  EXPECT_GE(ends.in_force, kRollouts * 9 / 10);
}

TEST(SimulatedLiveRollout, NeverPromotesWhatIsTwiceAsSlowAsIsTolerated) {
  RolloutWorld world = within_pods();
  world.slowdown = 1.2;
  const Ends ends = ends_of(world, kRollouts);
  EXPECT_EQ(ends.promoted, 0);
  EXPECT_GE(ends.reasons.at("LatencyRegression"), kRollouts * 9 / 10);
}

TEST(SimulatedLiveRollout, RollsBackWhatCostsMoreThanWasPromised) {
  RolloutWorld world = within_pods();
  world.promise_kept = -1;
  const Ends ends = ends_of(world, kRollouts / 3);
  EXPECT_EQ(ends.promoted, 0);
  EXPECT_EQ(ends.rolled_back, kRollouts / 3);
}

TEST(SimulatedLiveRollout, DecidesInATargetOfOnePod) {
  RolloutWorld world = within_pods();
  world.replicas = 1;
  world.requests_per_second = 100;
  EXPECT_GE(ends_of(world, kRollouts / 3).in_force, kRollouts / 3 - 1);
  world.slowdown = 1.2;
  EXPECT_EQ(ends_of(world, kRollouts / 3).promoted, 0);
}

TEST(SimulatedLiveRollout, IsNotMisledByPodsThatDiffer) {
  RolloutWorld world = within_pods();
  world.pod_spread = 0.2;
  world.node_part = 0.2;
  EXPECT_EQ(ends_of(world, kRollouts / 3).rolled_back, 0);
  world.slowdown = 1.2;
  EXPECT_EQ(ends_of(world, kRollouts / 3).promoted, 0);
}

TEST(SimulatedLiveRollout, TakesBackWhatRunsOutOfMemoryInTheWatch) {
  RolloutWorld world = within_pods();
  world.ooms_from = 0.5;
  const Ends ends = ends_of(world, kRollouts / 3);
  EXPECT_EQ(ends.in_force, 0);
  EXPECT_EQ(ends.taken_back, ends.reasons.at("OOMKilled"));
}

TEST(SimulatedLiveRollout, ShowsASmallDifferenceOfCpuForEachRequest) {
  RolloutWorld world = within_pods();
  world.fixed = Settings{Gogc(300), mib(400)};
  world.saving = 0.03;
  world.cpu_disturbance = 0.03;
  world.slowdown = 1;
  world.canary.min_samples = 1'000'000'000;  // compares for its whole time
  const RolloutResult result = simulate_rollout(world, 1);
  EXPECT_EQ(result.reason, "TimeOut");
  for (const MetricEvidence& metric : result.evidence.metrics) {
    if (metric.name != "cpu-per-request") continue;
    EXPECT_LT(metric.high, -0.01);
    EXPECT_GT(metric.low, -0.05);
    return;
  }
  FAIL() << "CPU for each request was not compared";
}

}  // namespace
}  // namespace gopacer
