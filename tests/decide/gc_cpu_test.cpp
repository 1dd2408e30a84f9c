#include "decide/gc_cpu.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gopacer::deciding {
namespace {

/// A live heap of 100 MB, collected twice a second.
PodEstimate collecting() {
  PodEstimate pod;
  pod.live = 100e6;
  pod.cycles = 120;
  pod.seconds = 60;
  return pod;
}

/// A quarter of its stacks are collection's.
ProfiledGc profile(std::int64_t stacks) {
  GcProfile profile;
  profile.length = std::chrono::seconds(4);
  profile.total_cpu_seconds = 4;
  profile.gc_cpu_seconds = 1;
  profile.stacks = stacks;
  ProfiledGc out;
  out.add(profile, std::nullopt);
  return out;
}

/// Of as many seconds as it holds of CPU.
GcProfile counted(int seconds, double gc, std::int64_t stacks, int collections) {
  GcProfile profile{std::chrono::seconds(seconds), static_cast<double>(seconds), gc, stacks};
  profile.collections = collections;
  return profile;
}

TEST(GcCpu, IsGuessedFromTheLiveHeapWhereNothingElseTells) {
  const GcCpu gc = gc_cpu_of({collecting()}, 0.5).front();
  // 0.4 ns · 10⁸ bytes · 2 a second.
  EXPECT_NEAR(gc.cores, 0.08, 1e-12);
  EXPECT_EQ(gc.rel_error, 0.5);
  EXPECT_EQ(gc.source, "live heap");
  PodEstimate idle = collecting();
  idle.cycles = 0;
  EXPECT_NEAR(gc_cpu_of({collecting(), idle}, 0.5).front().cores, 0.04, 1e-12) << "the mean of the two";
  EXPECT_EQ(gc_cpu_of({collecting()}, 0.05).front().cores, 0.05) << "never more than there is";
}

TEST(GcCpu, OfAProfileHasTheErrorOfItsStacks) {
  PodEstimate pod = collecting();
  pod.profiled = profile(400);
  const GcCpu gc = gc_cpu_of({pod}, 0.6).front();
  EXPECT_NEAR(gc.cores, 0.15, 1e-12);
  // Of a hundred stacks, with what no number of them takes away, and one of eight collections more or less.
  EXPECT_NEAR(gc.rel_error, std::hypot(0.6 / 10, 0.06, 0.4 / 8), 1e-9);
  EXPECT_EQ(gc.source, "CPU profile");
  EXPECT_NEAR(gc_cpu_of({pod, pod}, 0.6).front().rel_error,
              std::hypot(0.6 / std::sqrt(200), 0.06, 0.4 * std::sqrt(2) / 16), 1e-9);
}

TEST(GcCpu, OfProfilesWhoseCollectionsAreCountedIsTheirNumberTimesWhatEachCosts) {
  PodEstimate pod = collecting();
  const GcProfile three_of_eight = counted(4, 0.25, 1600, 3);
  for (int i = 0; i < 2; ++i) pod.profiled.add(three_of_eight, std::nullopt);
  const GcCpu gc = gc_cpu_of({pod}, 0.6).front();
  EXPECT_NEAR(gc.cores, 2 * 0.5 / 6, 1e-12) << "two a second, though the profiles happen to hold fewer";
  EXPECT_NEAR(gc.rel_error, std::hypot(0.6 / std::sqrt(200), 0.06, 0.4 * std::sqrt(2) / 6), 1e-9)
      << "marking takes much of the time: edges cut collections in two";
  pod.max_procs = 16;
  const double duty = gc.cores / 4;
  EXPECT_NEAR(gc_cpu_of({pod}, 0.6).front().rel_error,
              std::hypot(0.6 / std::sqrt(200), 0.06, std::sqrt(2 * (duty / 3 - duty * duty / 4)) * std::sqrt(2) / 6),
              1e-9);
  EXPECT_EQ(gc_cpu_of({pod}, 0.1).front().cores, 0.1) << "never more than there is";
}

TEST(GcCpu, OfEarlierProfilesOfTheProcessNeedsNoneOfTheLatestMinutes) {
  PodEstimate pod = collecting();
  pod.earlier.add(counted(4, 0.4, 1600, 8), std::nullopt);
  const GcCpu gc = gc_cpu_of({pod}, 0.6).front();
  EXPECT_EQ(gc.source, "CPU profile");
  EXPECT_NEAR(gc.cores, 2 * 0.05, 1e-12);
}

TEST(GcCpu, PoolsEarlierProfilesOnlyWhereTheyTellTheSame) {
  PodEstimate pod = collecting();
  pod.profiled.add(counted(10, 2, 1000, 40), std::nullopt);
  pod.earlier.add(counted(10, 2.2, 1000, 40), std::nullopt);
  EXPECT_NEAR(gc_cpu_of({pod}, 0.6).front().cores, 2 * 4.2 / 80, 1e-12);
  pod.earlier = {};
  pod.earlier.add(counted(10, 0.7, 1000, 40), std::nullopt);
  EXPECT_NEAR(gc_cpu_of({pod}, 0.6).front().cores, 2 * 2.0 / 40, 1e-12) << "its objects are more scattered by now";
}

TEST(GcCpu, GoesByTheWindowWhereItHasTooFewCollectionsToCompareEarlierOnesWith) {
  PodEstimate pod = collecting();
  pod.profiled.add(counted(10, 4, 1000, 4), std::nullopt);
  const double alone = gc_cpu_of({pod}, 0.6).front().cores;
  pod.earlier.add(counted(10, 0.7, 1000, 40), std::nullopt);
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().cores, alone);
}

TEST(GcCpu, GoesByWhatMarkingCostEarlierProcessesUntilThereIsAProfile) {
  const MarkingCost known{0.8, 0.1, "hash"};
  const GcCpuContext same{.known = known, .template_hash = "hash"};
  const GcCpu gc = gc_cpu_of({collecting()}, 0.5, same).front();
  EXPECT_EQ(gc.source, "earlier CPU profiles");
  EXPECT_NEAR(gc.cores, 0.16, 1e-12) << "0.8 ns · 10⁸ bytes · 2 a second";
  EXPECT_NEAR(gc.rel_error, std::hypot(0.1, 0.3), 1e-12);
  const GcCpuContext other{.known = known, .template_hash = "another"};
  EXPECT_NEAR(gc_cpu_of({collecting()}, 0.5, other).front().rel_error, std::hypot(0.1, 0.4), 1e-12);
  EXPECT_EQ(gc_cpu_of({collecting()}, 0.1, same).front().cores, 0.1) << "never more than there is";
  PodEstimate profiled_well = collecting();
  profiled_well.profiled = profile(4000);
  EXPECT_EQ(gc_cpu_of({profiled_well}, 0.6, same).front().source, "CPU profile");
}

TEST(MarkingCost, IsRememberedWhereProfilesTellItWell) {
  Estimate seen;
  seen.gc_cpu_per_cycle = 0.08;
  seen.mean_live_heap = Bytes(100'000'000);
  seen.gc_cpu_source = "CPU profile";
  seen.gc_cpu_rel_error = 0.1;
  EXPECT_NEAR(marking_cost(seen, "hash")->nanoseconds_per_byte, 0.8, 1e-9);
  EXPECT_EQ(marking_cost(seen, "hash")->template_hash, "hash");
  seen.gc_cpu_rel_error = 0.3;
  EXPECT_FALSE(marking_cost(seen, "hash"));
  seen.gc_cpu_rel_error = 0.1;
  seen.gc_cpu_source = "earlier CPU profiles";
  EXPECT_FALSE(marking_cost(seen, "hash")) << "it must not confirm itself";
}

TEST(GcCpu, KnowsThePartOfSweepingAsFarAsStacksTell) {
  PodEstimate pod = collecting();
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().sweep_part, 0) << "no other source counts it";
  pod.profiled = profile(4);
  EXPECT_NEAR(gc_cpu_of({pod}, 0.6).back().sweep_part + gc_cpu_of({pod}, 0.6).front().sweep_part, 0.1 * 30 / 31, 1e-9);
  GcProfile swept;
  swept.length = std::chrono::seconds(4);
  swept.total_cpu_seconds = 4;
  swept.gc_cpu_seconds = 1;
  swept.uses[CpuUse::kSweeping] = 0.3;
  swept.stacks = 1080;
  pod.profiled = {};
  pod.profiled.add(swept, std::nullopt);
  EXPECT_NEAR(gc_cpu_of({pod}, 0.6).front().sweep_part, (0.3 * 270 + 0.1 * 30) / 300, 1e-9);
}

TEST(GcCpu, ComesFromTheSourceWithTheLeastError) {
  PodEstimate pod = collecting();
  pod.gc_by_fraction = 0.1;
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().source, "GCCPUFraction");
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().rel_error, 0.3);
  pod.gc_by_metrics = 0.2;
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().source, "runtime metrics");
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().rel_error, 0.25);
  pod.profiled = profile(20);  // five stacks: 0.6/√5 = 0.268
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().source, "runtime metrics");
  pod.profiled = profile(40);
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().source, "CPU profile");
}

TEST(GcCpu, OfAnAgentIsWithoutSweepingAsTheTrialMeasuresIt) {
  PodEstimate pod = collecting();
  pod.gc_by_metrics = 0.2;
  EXPECT_EQ(gc_cpu_of({pod}, 0.6, {.by_agent = true}).front().cores, 0.2);
  EXPECT_EQ(gc_cpu_of({pod}, 0.6, {.by_agent = true}).front().sweep_part, 0);
  EXPECT_NEAR(gc_cpu_of({pod}, 0.6).front().cores, 0.2 / 0.9, 1e-12);
}

TEST(GcCpu, IsTheMeanOfThePodsWhichAllHaveToTell) {
  PodEstimate one = collecting();
  PodEstimate other = collecting();
  one.gc_by_metrics = 0.1;
  one.gc_by_fraction = 0.1;
  other.gc_by_fraction = 0.3;
  EXPECT_EQ(gc_cpu_of({one, other}, 0.6).front().source, "GCCPUFraction");
  EXPECT_NEAR(gc_cpu_of({one, other}, 0.6).front().cores, 0.2, 1e-12);
  other.gc_by_metrics = 0.5;
  EXPECT_NEAR(gc_cpu_of({one, other}, 0.6).front().cores, 0.3 / 0.9, 1e-12) << "and the usual sweeping";
  other.gc_by_fraction.reset();
  other.gc_by_metrics.reset();
  EXPECT_EQ(gc_cpu_of({one, other}, 0.6).front().source, "live heap");
}

TEST(GcCpu, IsNotBelievedWhereItIsAllOfTheCpu) {
  PodEstimate pod = collecting();
  pod.gc_by_metrics = 0.6;
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().source, "live heap");
  EXPECT_EQ(gc_cpu_of({pod}, 0.7).front().source, "runtime metrics");
  pod.gc_by_metrics.reset();
  pod.gc_by_fraction = 0.6;
  EXPECT_EQ(gc_cpu_of({pod}, 0.6).front().source, "live heap");
  EXPECT_EQ(gc_cpu_of({pod}, 0.7).front().source, "GCCPUFraction");
}

TEST(GcCpu, IsWhatAnAgentCountsWhereATrialGoesByThat) {
  PodEstimate pod = collecting();
  pod.gc_by_metrics = 0.01;
  pod.profiled = profile(400);
  const std::vector<GcCpu> found = gc_cpu_of({pod}, 0.5, {.by_agent = true});
  ASSERT_GE(found.size(), 2U);
  EXPECT_EQ(found[0].source, "runtime metrics");
  EXPECT_EQ(found[1].source, gc_cpu_of({pod}, 0.5).front().source) << "and the others are shown beside it";
  pod.gc_by_metrics.reset();
  EXPECT_EQ(gc_cpu_of({pod}, 0.5, {.by_agent = true}).front().source, gc_cpu_of({pod}, 0.5).front().source);
}

}  // namespace
}  // namespace gopacer::deciding
