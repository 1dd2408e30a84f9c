// Rollouts around which much goes wrong. What has to hold whatever happens is in operator/simulate/invariants.cpp.
#include <gmock/gmock.h>

#include <cstdlib>
#include <string>

#include "gopacer/simulate/rollout.h"

namespace gopacer {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// Short trials of a small service, one after the other for two hours.
RolloutWorld short_trials() {
  RolloutWorld world;
  world.placement = Placement::kSameNode;
  world.replicas = 2;
  world.requests_per_second = 200;
  world.canary.replicas = 2;
  world.canary.warm_up = minutes(1);
  world.canary.interval = seconds(20);
  world.canary.max_duration = minutes(15);
  world.watch_for = minutes(8);
  world.length = hours(2);
  return world;
}

constexpr int kSimulations = 6;

/// The same in each run, unless GOPACER_SEED asks for others.
std::uint64_t first_seed() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs.
  const char* const seed = std::getenv("GOPACER_SEED");
  return std::strtoull(seed != nullptr && *seed != '\0' ? seed : "1", nullptr, 10);
}

/// Trials that there were in all.
int trials_of(const RolloutWorld& world) {
  int trials = 0;
  for (int i = 0; i < kSimulations; ++i) {
    const std::uint64_t seed = first_seed() + static_cast<std::uint64_t>(i);
    const RolloutResult result = simulate_rollout(world, seed);
    EXPECT_EQ(result.broken, "") << "seed " << seed;
    EXPECT_GT(result.accidents, 0) << "seed " << seed;
    trials += result.trials;
  }
  return trials;
}

TEST(FaultyRollout, LosesNothingWithTheAnswersOfTheApiServer) {
  RolloutWorld world = short_trials();
  world.faults.calls = 0.1;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyRollout, GoesOnWhereAnotherOperatorDied) {
  RolloutWorld world = short_trials();
  world.faults.deaths = 6;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyRollout, IsNotMisledByOldPictures) {
  RolloutWorld world = short_trials();
  world.faults.pictures = 0.2;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyRollout, OutlivesPodsThatComeAndGo) {
  RolloutWorld world = short_trials();
  world.faults.pods = 8;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyRollout, EndsWhenTheClockIsSet) {
  RolloutWorld world = short_trials();
  world.faults.clock = 3;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyRollout, LeavesToPeopleWhatTheyChange) {
  RolloutWorld world = short_trials();
  world.faults.people = 6;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyRollout, FindsItsWayBackWhateverHappensAtOnce) {
  RolloutWorld world = short_trials();
  world.faults = {0.05, 0.1, 2, 2, 0.5, 4};
  world.ooms_from = 0.2;
  trials_of(world);
}

TEST(FaultyRollout, KnowsWhatItHasPatchedWhenNearlyNothingWorks) {
  RolloutWorld world = short_trials();
  world.faults = {0.3, 0.5, 2, 2, 0.5, 15};
  trials_of(world);
}

TEST(FaultyRollout, KeepsNoSettingsThatRunOutOfMemory) {
  RolloutWorld world = short_trials();
  world.faults = {0.1, 0.1, 2, 0, 0, 0};
  world.ooms_from = 0.2;
  for (int i = 0; i < kSimulations; ++i) {
    const std::uint64_t seed = first_seed() + static_cast<std::uint64_t>(i);
    const RolloutResult result = simulate_rollout(world, seed);
    EXPECT_EQ(result.broken, "") << "seed " << seed;
    EXPECT_FALSE(result.in_force) << "seed " << seed << ": " << result.reason;
  }
}

/// The same by turns in running processes; the statuses that are written at each turn may go wrong as well.
RolloutWorld short_live_trials() {
  RolloutWorld world = short_trials();
  world.placement = Placement::kWithinPods;
  world.canary.interval = seconds(15);
  return world;
}

TEST(FaultyLiveRollout, LosesNothingWithTheAnswersOfTheApiServer) {
  RolloutWorld world = short_live_trials();
  world.faults.calls = 0.02;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyLiveRollout, LeavesNothingBehindWhereTheOperatorDied) {
  RolloutWorld world = short_live_trials();
  world.faults.deaths = 6;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyLiveRollout, IsNotMisledByOldPictures) {
  RolloutWorld world = short_live_trials();
  world.faults.pictures = 0.2;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyLiveRollout, OutlivesPodsAndAgentsThatComeAndGo) {
  RolloutWorld world = short_live_trials();
  world.faults.pods = 8;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyLiveRollout, EndsWhenTheClockIsSet) {
  RolloutWorld world = short_live_trials();
  world.faults.clock = 3;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyLiveRollout, LeavesToPeopleWhatTheyChange) {
  RolloutWorld world = short_live_trials();
  world.faults.people = 6;
  EXPECT_GE(trials_of(world), kSimulations);
}

TEST(FaultyLiveRollout, FindsItsWayBackWhateverHappensAtOnce) {
  RolloutWorld world = short_live_trials();
  world.faults = {0.02, 0.1, 2, 2, 0.5, 4};
  world.ooms_from = 0.2;
  trials_of(world);
}

TEST(FaultyLiveRollout, KnowsWhatIsInForceWhenNearlyNothingWorks) {
  RolloutWorld world = short_live_trials();
  world.faults = {0.1, 0.5, 2, 2, 0.5, 15};
  trials_of(world);
}

}  // namespace
}  // namespace gopacer
