#include "decide/physics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gopacer::deciding {
namespace {

/// A live heap of 90 MiB and 10 MiB of roots, all scanned at each collection for 0.1 CPU seconds, and 100 MiB allocated
/// in each second and between two collections. Sweeping the 190 MiB that it has then is 7.6 % of a collection: 4 ms for
/// each 100 MiB. The figures of these tests are worked out by hand from that.
Estimate service() {
  Estimate estimate;
  estimate.alloc_rate = mib(100).value();
  estimate.cycle_volume = mib(100);
  estimate.live_heap = estimate.mean_live_heap = mib(90);
  estimate.roots = mib(10);
  estimate.heap_goal = mib(190);
  estimate.non_heap = mib(10);
  estimate.non_go = mib(20);
  estimate.spike = mib(5);
  estimate.peak_memory = mib(250);
  estimate.cycles = 100;
  estimate.cycles_per_minute = 60;
  estimate.cpu = 1;
  estimate.gc_cpu = estimate.gc_cpu_per_cycle = 0.1;
  estimate.sweep_part = 0.076;
  estimate.max_procs = 4;
  return estimate;
}

double in_mib(double bytes) { return bytes / mib(1).value(); }
double volume(const Estimate& estimate, int gogc) { return in_mib(Physics(estimate).volume({Gogc(gogc), {}})); }
double gc_cpu(const Estimate& estimate, double volume) { return Physics(estimate).gc_cpu(mib(volume).value()); }

TEST(Physics, AllocatesBetweenCollectionsWhatTheGoalLeaves) {
  EXPECT_NEAR(volume(service(), 50), 50, 1e-6);
  EXPECT_NEAR(volume(service(), 200), 200, 1e-6);
  // (300 − 10) less 3 % is 281.3, of which 90 live.
  EXPECT_NEAR(in_mib(Physics(service()).volume({Gogc(400), mib(300)})), 191.3, 1e-6);
}

TEST(Physics, KeepsTheBytesByWhichMarkingBeginsTooEarlyInALargerHeapAndTheirShareInASmaller) {
  Estimate estimate = service();
  estimate.cycle_volume = mib(80);
  EXPECT_NEAR(volume(estimate, 50), 40, 1e-6);
  EXPECT_NEAR(volume(estimate, 100), 80, 1e-6);
  EXPECT_NEAR(volume(estimate, 200), 180, 1e-6);
  estimate.cycle_volume = mib(50);
  EXPECT_NEAR(volume(estimate, 50), 35, 1e-6) << "0.7 at the least";
  estimate.cycle_volume = mib(150);
  EXPECT_NEAR(volume(estimate, 50), 57.5, 1e-6) << "1.15 at the most";
}

TEST(Physics, LimitsTheVolumeByThePodWithTheLargestHeap) {
  Estimate estimate = service();
  estimate.cycle_volume = mib(80);
  estimate.live_heap = mib(110);
  EXPECT_NEAR(in_mib(Physics(estimate).volume_at(mib(310))), 180, 1e-6);
  EXPECT_NEAR(in_mib(Physics(estimate).volume_at(mib(160))), 40, 1e-6);
  EXPECT_EQ(Physics(estimate).volume_at(mib(100)), 0);
}

TEST(Physics, FindsTheGogcThatGivesAVolume) {
  Estimate estimate = service();
  estimate.cycle_volume = mib(80);
  for (const auto& [volume, gogc] : {std::pair{40, 50}, {80, 100}, {81, 101}, {180, 200}}) {
    EXPECT_NEAR(Physics(estimate).gogc_for(mib(volume).value()), gogc, 1e-6) << volume;
  }
  // A live heap of 1 MiB grows to 4 MiB·γ: 8 MiB with 200.
  Estimate small = service();
  small.mean_live_heap = mib(1);
  small.roots = Bytes(0);
  small.cycle_volume = mib(3);
  EXPECT_NEAR(Physics(small).gogc_for(mib(7).value()), 200, 1e-6);
}

TEST(Physics, CollectsForLessInALargerHeapButHasMoreToSweep) {
  EXPECT_NEAR(gc_cpu(service(), 100), 0.1, 1e-9);
  EXPECT_NEAR(gc_cpu(service(), 50), 2 * 0.098, 1e-9);
  EXPECT_NEAR(gc_cpu(service(), 200), 0.104 / 2, 1e-9);
  EXPECT_NEAR(gc_cpu(service(), 1000), (0.096 + 0.032) / 10, 1e-9) << "beyond eight times the heap it is not known";
  EXPECT_TRUE(std::isinf(gc_cpu(service(), 0)));
  Estimate large = service();
  large.settings.gogc = Gogc(1600);
  large.cycle_volume = mib(1600);
  EXPECT_NEAR(gc_cpu(large, 1600), 0.1 / 16, 1e-9);
  // Of the growth eight times what is scanned counts: sweeping is of 890 MiB, 700 of which are spared.
  EXPECT_NEAR(gc_cpu(large, 100), 0.1 - 0.0076 * 700 / 890, 1e-9);
  Estimate marked_only = service();
  marked_only.sweep_part = 0;
  EXPECT_NEAR(gc_cpu(marked_only, 1000), 0.1 / 10, 1e-9) << "a source that leaves sweeping out";
}

TEST(Physics, CollectsAsOftenAsTheProgramAsksForBesides) {
  Estimate estimate = service();
  estimate.forced = 25;
  EXPECT_NEAR(gc_cpu(estimate, 100), 0.125, 1e-9);
  EXPECT_NEAR(gc_cpu(estimate, 200), 0.104 * 0.75, 1e-9);
}

TEST(Physics, CollectsOnceInTwoMinutesAtLeast) {
  EXPECT_NEAR(gc_cpu(service(), 12'000), 0.128 / 120, 1e-9);
  EXPECT_NEAR(gc_cpu(service(), 1e6), 0.128 / 120, 1e-9);
  // At three collections in four minutes it may be the timer that asks for them, which gives way.
  Estimate rare = service();
  rare.forced = rare.cycles;
  rare.cycles_per_minute = 0.75;
  EXPECT_NEAR(gc_cpu(rare, 100), 0.1, 1e-9);
  rare.cycles_per_minute = 0.81;
  EXPECT_NEAR(gc_cpu(rare, 100), 0.1 * (1 + 0.0135), 1e-9);
}

TEST(Physics, FindsTheVolumeAtWhichCollectionTakesAShare) {
  // 2/98 of 0.9 cores; 96 ms of a collection do not depend on V, and sweeping what is allocated stays.
  EXPECT_NEAR(in_mib(Physics(service()).volume_for_share(0.02)), 100 * 0.096 / (0.9 * 0.02 / 0.98), 1e-6);
  Estimate estimate = service();
  estimate.forced = 5;
  EXPECT_NEAR(in_mib(Physics(estimate).volume_for_share(0.02)), 100 * 0.096 / (0.9 * 0.02 / 0.98 - 0.005), 1e-6);
  estimate.forced = 25;
  EXPECT_TRUE(std::isinf(Physics(estimate).volume_for_share(0.02))) << "those alone take more";
}

TEST(Physics, FindsTheVolumeAtWhichMarkingTakesAShareOfTheTime) {
  // A quarter of four processors marks for 0.096 s.
  EXPECT_NEAR(in_mib(Physics(service()).volume_for_duty(0.01)), 960, 1e-6);
  Estimate estimate = service();
  estimate.max_procs = 8;
  EXPECT_NEAR(in_mib(Physics(estimate).volume_for_duty(0.01)), 480, 1e-6);
  estimate.max_procs = 0;
  EXPECT_NEAR(in_mib(Physics(estimate).volume_for_duty(0.01)), 1920, 1e-6) << "two where it is not known";
  estimate.max_procs = 1;
  EXPECT_NEAR(in_mib(Physics(estimate).volume_for_duty(0.01)), 3840, 1e-6);
}

TEST(Physics, FindsTheVolumeThatStaysWithinAMemory) {
  // 115 MiB more than peak and spike, of which 15 are overhead and margin.
  EXPECT_NEAR(in_mib(Physics(service()).volume_within(mib(370))), 200, 1e-6);
  EXPECT_EQ(Physics(service()).volume_within(mib(255)), 0);
  EXPECT_EQ(Physics(service()).volume_within(mib(100)), 0);
}

TEST(Physics, PredictsWithTheErrorsOfTheEstimateAndOfTheLaw) {
  Estimate estimate = service();
  estimate.gc_cpu_rel_error = 0.04;
  estimate.alloc_rate_rel_error = 0.12;
  const Prediction predicted = Physics(estimate).predict({Gogc(200), {}});
  const double error = std::hypot(0.04, 0.03 + 0.06);  // V doubles once
  EXPECT_NEAR(in_mib(predicted.cycle_volume.value()), 200, 1e-3);
  EXPECT_NEAR(predicted.saving, 0.048, 1e-9);
  // 4 % of what is saved, and 9 % of what is left.
  EXPECT_NEAR(predicted.saving_low, 0.048 - 2 * std::hypot(0.04 * 0.048, 0.09 * 0.052), 1e-9);
  EXPECT_NEAR(predicted.gc_cpu_fraction, 0.052 / 0.952, 1e-9);
  const double low = 0.052 * (1 - 2 * error);
  const double high = 0.052 * (1 + 2 * error);
  EXPECT_NEAR(predicted.gc_cpu_fraction_low, low / (0.9 + low), 1e-9);
  EXPECT_NEAR(predicted.gc_cpu_fraction_high, high / (0.9 + high), 1e-9);
  EXPECT_NEAR(predicted.cycles_per_minute, 30, 1e-9);
  EXPECT_NEAR(predicted.cycles_per_minute_low, 21, 1e-9) << "±15 %, twice";
  EXPECT_NEAR(predicted.cycles_per_minute_high, 39, 1e-9);
}

TEST(Physics, PredictsACostAsItDoesASaving) {
  const Prediction predicted = Physics(service()).predict({Gogc(50), {}});
  EXPECT_NEAR(predicted.saving, 0.1 - 0.196, 1e-9);
  EXPECT_NEAR(predicted.saving_low, -0.096 - 2 * 0.09 * 0.196, 1e-9);
}

TEST(Physics, PredictsNoShareOfNoCpu) {
  Estimate estimate = service();
  estimate.cpu = estimate.gc_cpu = estimate.gc_cpu_per_cycle = 0;
  const Prediction predicted = Physics(estimate).predict({Gogc(200), {}});
  EXPECT_EQ(predicted.gc_cpu_fraction, 0);
  EXPECT_EQ(predicted.saving, 0);
}

struct Peak {
  double low, expected, high;
};

Peak peak(const Estimate& estimate, const Settings& settings) {
  const Prediction predicted = Physics(estimate).predict(settings);
  return {in_mib(predicted.peak_memory_low.value()), in_mib(predicted.peak_memory.value()),
          in_mib(predicted.peak_memory_high.value())};
}

TEST(PredictedMemory, GrowsWithTheGoalAndALittleMore) {
  const auto [low, expected, high] = peak(service(), {Gogc(200), {}});
  EXPECT_NEAR(expected, 250 + 1.05 * 100, 1e-3);
  EXPECT_NEAR(low, 355 - 10, 1e-3) << "a tenth of the growth";
  EXPECT_NEAR(high, 355 + 10 + 5, 1e-3) << "and the spike that was seen";
}

TEST(PredictedMemory, StaysWithinTheLimitAndWhatIsOutsideGo) {
  const auto [low, expected, high] = peak(service(), {Gogc(200), mib(300)});  // to a goal of 281.3
  EXPECT_NEAR(expected, 300 + 20, 1e-3);
  EXPECT_NEAR(low, 320 - 9.13, 1e-3);
  EXPECT_NEAR(high, 320 + 9.13 + 5, 1e-3);
  EXPECT_NEAR(peak(service(), {Gogc(200), mib(600)}).expected, 355, 1e-3);
}

TEST(PredictedMemory, ShrinksWithTheGoalButNotBelowWhatLives) {
  const auto [low, expected, high] = peak(service(), {Gogc(50), {}});
  EXPECT_NEAR(expected, 200, 1e-3);
  EXPECT_NEAR(low, 195, 1e-3);
  EXPECT_NEAR(high, 205, 1e-3) << "no more than that and a spike";
  Estimate estimate = service();
  estimate.peak_memory = mib(150);
  EXPECT_NEAR(peak(estimate, {Gogc(10), {}}).expected, 90 + 10 + 20, 1e-3);
  EXPECT_NEAR(peak(service(), {Gogc(200), mib(50)}).expected, 120, 1e-3) << "a limit returns nothing that lives";
}

TEST(Physics, LooksAtNoLimitThatTheProgramsGoDoesNotKnow) {
  Estimate estimate = service();
  estimate.go_version = "go1.18.4";
  const Settings settings{Gogc(200), mib(150)};
  EXPECT_NEAR(in_mib(Physics(estimate).volume(settings)), 200, 1e-6);
  EXPECT_NEAR(peak(estimate, settings).expected, 355, 1e-3);
  estimate.go_version = "go1.19";
  EXPECT_LT(in_mib(Physics(estimate).volume(settings)), 100);
}

}  // namespace
}  // namespace gopacer::deciding
