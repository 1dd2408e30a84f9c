#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "decide/go_service.h"
#include "decide/guards.h"
#include "decide/physics.h"
#include "decide/strategies.h"
#include "gopacer/decide/decision.h"

namespace gopacer {
namespace {

using testing::GoService;
using ::testing::HasSubstr;
using testing::kNow;
using Kind = Decision::Kind;

Decision decide(const GoService& service, Objective objective = Objective::kBalanced) {
  DecideInput input = service.input(kNow);
  input.spec.objective = objective;
  return gopacer::decide(input, kNow);
}

TEST(MemoryLimit, KeepsLessDistanceWhereTheContainersMemoryIsRead) {
  Estimate estimate;
  estimate.memory_source = "container";
  // 0.95·64 = 60.8, less 8.
  EXPECT_EQ(deciding::safe_limit(mib(64), estimate, 95), mib(52));
  EXPECT_EQ(deciding::safe_limit(mib(1024), estimate, 95), mib(942)) << "3 %";
  estimate.spike = mib(12);
  EXPECT_EQ(deciding::safe_limit(mib(64), estimate, 95), mib(48));
  for (const char* const other : {"", "process", "working set"}) {
    estimate.memory_source = other;
    EXPECT_EQ(deciding::safe_limit(mib(64), estimate, 95), mib(28)) << other;
  }
  estimate = {};
  estimate.memory_source = "container";
  estimate.non_go = mib(100);
  EXPECT_EQ(deciding::safe_limit(mib(512), estimate, 95), mib(371)) << "92 %, where trials stop at 93, less 100";
  estimate.non_go = mib(250);
  EXPECT_EQ(deciding::safe_limit(mib(512), estimate, 95), mib(205)) << "512 − 275, less 32 that nobody bounds";
}

TEST(MemoryLimit, LeavesRoomForNonHeapMemory) {
  Estimate estimate;
  // 0.95·1024 = 972.8, less the margin of 3 % of 1024 = 30.7, so 32: 940.8.
  EXPECT_EQ(deciding::safe_limit(mib(1024), estimate, 95), mib(940));
  // 1024 − 1.1·200 = 804, less 32, is more than 92 % of 1024 less 200.
  estimate.non_go = mib(200);
  EXPECT_EQ(deciding::safe_limit(mib(1024), estimate, 95), mib(742));
  // A spike of 100 takes the place of the margin.
  estimate.spike = mib(100);
  EXPECT_EQ(deciding::safe_limit(mib(1024), estimate, 95), mib(704));
  // 3 % of 4096 is 122.88.
  estimate = {};
  EXPECT_EQ(deciding::safe_limit(mib(4096), estimate, 95), mib(3768));
}

TEST(MemoryLimit, KeepsThePersonsPercentage) { EXPECT_EQ(deciding::safe_limit(mib(1000), {}, 50), mib(500)); }

TEST(NeededMemory, IsJustEnoughForHalfTheHeapAgain) {
  Estimate estimate;
  estimate.live_heap = mib(400);
  estimate.roots = mib(10);
  estimate.non_heap = mib(20);
  estimate.non_go = mib(30);
  const Bytes container = deciding::container_needed(estimate, 90);
  const auto effective = [&](Bytes c) {
    const Bytes limit = deciding::safe_limit(c, estimate, 90);
    return 100 * ((limit - estimate.non_heap) * 0.97 - estimate.live_heap).value() /
           (estimate.live_heap + estimate.roots).value();
  };
  EXPECT_GE(effective(container), 50);
  EXPECT_LT(effective(container - mib(4)), 50);
}

TEST(NeededMemory, IsWorkedOutFromTheLimitThatIsNeeded) {
  const auto needed = [](double live, double non_heap, double non_go, double spike, int percent) {
    Estimate estimate;
    estimate.live_heap = mib(live);
    estimate.non_heap = mib(non_heap);
    estimate.non_go = mib(non_go);
    estimate.spike = mib(spike);
    return deciding::container_needed(estimate, percent);
  };
  // A goal of 15 MiB and one beside it, 5.2 outside the heap: a limit of 22. (22 + 32)/0.95 = 56.8.
  EXPECT_EQ(needed(10, 5.2, 0, 0, 95), mib(57));
  EXPECT_EQ(needed(10, 5.2, 100, 0, 95), mib(164)) << "22 + 32 + 110";
  EXPECT_EQ(needed(10, 5.2, 0, 50, 95), mib(76)) << "72/0.95, with the spike for a margin";
  EXPECT_EQ(needed(10, 5.2, 0, 0, 30), mib(74)) << "of which 30 % are 22.2";
  // 3000/0.97 = 3092.8 for the heap; the margin is 3 % of the container: 3093/0.92.
  EXPECT_EQ(needed(2000, 0, 0, 0, 95), mib(3362));
}

TEST(Model, WeighsCpuAgainstMemoryByTheSquareRootRule) {
  // V* = √(100e6 B/s · 0.03 s · 12 GiB) = 196.6 MB = 187.5 MiB; of 65 MiB scanned that is 288 %.
  const Decision decision = decide(GoService{});
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(describe(decision.settings), "GOGC=290 GOMEMLIMIT=460MiB");
  EXPECT_EQ(decision.binding, "objective");
  EXPECT_EQ(decision.reason, "Recommended");
  ASSERT_TRUE(decision.predicted);
  // Now 0.030·100e6/68.2e6 = 0.0440 cores of 0.544, and then 0.030·100e6/197.7e6 = 0.0152: no stack is of sweeping.
  EXPECT_NEAR(decision.predicted->saving, 0.0530, 0.001);
  EXPECT_NEAR(decision.predicted->gc_cpu_fraction, 0.0152 / 0.5152, 0.001);
  EXPECT_LT(decision.predicted->saving_low, decision.predicted->saving);
  EXPECT_GT(decision.predicted->saving_low, 0.03);
  EXPECT_THAT(decision.message, HasSubstr("GOGC=290 GOMEMLIMIT=460MiB instead of Go's defaults"));
}

TEST(Model, SpendsMemoryThatIsPaidForAlready) {
  DecideInput input = GoService{}.input(kNow);
  input.memory_request = mib(300);
  const Decision decision = gopacer::decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  // In use are 64 + 65 + 20 = 149 MiB. The other 151, less 15 % for overhead and margin, make V = 65 + 131 = 196 MiB.
  EXPECT_EQ(decision.settings.gogc, Gogc(300));
  EXPECT_LT(decision.predicted->peak_memory, mib(300));
  // No more than helps: two per cent of CPU in collection are few enough.
  input.memory_request = gib(4);
  EXPECT_LE(gopacer::decide(input, kNow).settings.gogc->percent(), 430);
  input.memory_request = mib(100);
  EXPECT_EQ(gopacer::decide(input, kNow).settings.gogc, Gogc(290));
}

TEST(Model, OrdersItsObjectives) {
  GoService service;
  service.gc_seconds_per_cycle = 0.012;
  service.container = mib(4096);
  const auto gogc_under = [&](Objective objective) {
    const Decision decision = decide(service, objective);
    EXPECT_NE(decision.kind, Kind::kNoData) << decision.message;
    return decision.settings.gogc.value_or(Gogc(100)).percent();
  };
  EXPECT_LE(gogc_under(Objective::kMemory), gogc_under(Objective::kBalanced));
  EXPECT_LE(gogc_under(Objective::kBalanced), gogc_under(Objective::kThroughput));
  EXPECT_LE(gogc_under(Objective::kThroughput), gogc_under(Objective::kLatency));
}

TEST(Model, StopsSpendingMemoryAtOnePercentUnderThroughput) {
  GoService service;
  service.alloc_rate = 40e6;
  service.gc_seconds_per_cycle = 0.1;
  service.live = mib(200);
  service.container = gib(8);
  service.work_cores = 0.6;
  const Decision decision = decide(service, Objective::kThroughput);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  // A·m/V = 1/99·0.6 with m = 0.1 s, of which next to nothing is sweeping → V = 658 MB = 628 MiB of 201: 310 %.
  EXPECT_EQ(decision.settings.gogc, Gogc(310));
  EXPECT_NEAR(decision.predicted->gc_cpu_fraction, 0.01, 0.0005);
}

TEST(Model, StaysWithinTheContainersMemory) {
  GoService service;
  service.container = mib(230);
  const Decision decision = decide(service, Objective::kLatency);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.binding, "memory limit");
  // 92 % of 230, less 10; (201 − 8)·0.97 − 64 = 123 of 65: 190 %.
  EXPECT_EQ(describe(decision.settings), "GOGC=190 GOMEMLIMIT=201MiB");
  EXPECT_LT(decision.predicted->peak_memory, mib(230));
}

TEST(Model, GoesUpInSteps) {
  GoService service;
  service.gc_seconds_per_cycle = 0.3;
  service.container = mib(250);
  service.live = mib(40);
  service.settings = {Gogc(50), std::nullopt};
  const Decision decision = decide(service, Objective::kThroughput);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.binding, "trust region");
  EXPECT_EQ(decision.settings.gogc, Gogc(200));  // ×4: a limit is set, and less than half of the memory is in use
  service.container = mib(150);
  EXPECT_EQ(decide(service, Objective::kThroughput).settings.gogc, Gogc(100));
}

TEST(Model, SaysWhereItsStepsLead) {
  GoService service;
  service.gc_seconds_per_cycle = 0.3;
  service.live = mib(40);
  service.settings = {Gogc(50), std::nullopt};
  const Decision decision = decide(service, Objective::kThroughput);
  ASSERT_EQ(decision.binding, "trust region") << decision.message;
  ASSERT_TRUE(decision.destination);
  EXPECT_EQ(describe(decision.destination->settings), "GOGC=400 GOMEMLIMIT=460MiB");
  EXPECT_GT(decision.destination->predicted.saving, decision.predicted->saving);
  EXPECT_THAT(decision.message, HasSubstr("Steps like this one lead to GOGC=400 GOMEMLIMIT=460MiB."));
  EXPECT_FALSE(decide(GoService{}).destination) << "one step is enough";
}

TEST(Model, DrawsTheTradeOff) {
  const GoService service;
  const std::vector<Outlook> choices = decide(service).tradeoff;
  ASSERT_EQ(choices.size(), 5U);
  std::vector<int> gogc;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    gogc.push_back(choices[i].settings.gogc->percent());
    if (i == 0) continue;
    EXPECT_LT(choices[i].predicted.gc_cpu_fraction, choices[i - 1].predicted.gc_cpu_fraction);
    EXPECT_GT(choices[i].predicted.peak_memory, choices[i - 1].predicted.peak_memory);
  }
  EXPECT_EQ(gogc, (std::vector{50, 85, 140, 240, 400}));
  // What GOMEMLIMIT would make the same is not offered twice.
  GoService small;
  small.container = mib(160);
  EXPECT_LT(decide(small).tradeoff.back().settings.gogc->percent(), 200);
  GoService without;
  without.container.reset();
  EXPECT_LT(decide(without).tradeoff.back().settings.gogc->percent(), 200);
}

TEST(Model, WeighsByThePriceThatItIsGiven) {
  DecideInput input = GoService{}.input(kNow);
  input.spec.memory_price = 2 * kUsualMemoryPrice;
  const Decision dear = gopacer::decide(input, kNow);
  input.spec.memory_price = kUsualMemoryPrice / 2;
  const Decision cheap = gopacer::decide(input, kNow);
  // The usual V* of 196.6 MB by √2: 132.6 MiB of 65.
  EXPECT_EQ(dear.settings.gogc, Gogc(205)) << dear.message;
  EXPECT_EQ(cheap.settings.gogc, Gogc(400));
}

TEST(Model, KeepsThePersonsBounds) {
  GoService service;
  DecideInput input = service.input(kNow);
  input.spec.bounds.max_gogc = 173;
  Decision decision = gopacer::decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.gogc, Gogc(173));
  EXPECT_EQ(decision.binding, "bounds.maxAllowed.gogc");

  input = service.input(kNow);
  input.spec.bounds.max_go_mem_limit_percent = 50;
  decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.settings.go_mem_limit, mib(256));
}

TEST(Model, HoldsABurstNearToWhatIsTakenNowWhereTheContainerHasNoLimit) {
  GoService service;
  service.container.reset();
  const Decision decision = decide(service, Objective::kThroughput);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.binding, "no memory limit on the container");
  EXPECT_GT(decision.settings.gogc->percent(), 100);
  // Twice the live heap of 64 MiB at GOGC=50, with roots and what is beside the heap: 128 + 64.5 + 8.
  EXPECT_EQ(decision.settings.go_mem_limit, mib(201));

  // What the container has requested may be taken, too.
  DecideInput input = service.input(kNow);
  input.spec.objective = Objective::kThroughput;
  input.memory_request = mib(400);
  const Decision with_request = gopacer::decide(input, kNow);
  EXPECT_EQ(with_request.settings.go_mem_limit, mib(400) - with_request.estimate->non_go);
  EXPECT_GT(with_request.destination.value_or(Outlook{with_request.settings, {}, ""}).settings.gogc->percent(),
            decision.settings.gogc->percent());
}

TEST(Model, GoesOnFromItsOwnLimitWhereTheContainerHasNone) {
  GoService service;
  service.container.reset();
  service.settings = {Gogc(190), mib(201)};
  service.gc_seconds_per_cycle = 0.1;
  DecideInput input = service.input(kNow);
  input.spec.objective = Objective::kThroughput;
  input.memory.applied = service.settings;
  const Decision decision = gopacer::decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_NEAR(decision.settings.go_mem_limit->value(), 1.2 * decision.estimate->mapped.value(), mib(1).value());
}

TEST(Model, StaysAtOneHundredWithoutALimitWhereNobodyWouldRaiseIt) {
  GoService service;
  service.container.reset();
  DecideInput input = service.input(kNow);
  input.no_trial_follows = true;
  const Decision decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "NoMemoryLimit");
  EXPECT_EQ(decision.binding, "no memory limit on the container");
  EXPECT_THAT(decision.message, HasSubstr("set resources.limits.memory"));
}

TEST(Model, GivesNoLimitWhereALowerGogcNeedsNone) {
  GoService service;
  service.container.reset();
  service.settings.gogc = Gogc(30);
  DecideInput input = service.input(kNow);
  input.spec.bounds.max_gogc = 60;
  const Decision decision = gopacer::decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings, (Settings{Gogc(60), std::nullopt}));
}

TEST(Model, LeavesAPersonsGogcThatNothingStops) {
  GoService service;
  service.container.reset();
  service.settings.gogc = Gogc(300);
  const Decision decision = decide(service);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.message,
            "Nothing is behind GOGC=300 that would stop the heap: set resources.limits.memory. Until then nothing is "
            "changed.");
}

TEST(Model, KeepsAPersonsGomemlimitWhereTheContainerHasNoLimit) {
  GoService service;
  service.container.reset();
  service.settings = {Gogc(100), gib(2)};
  Decision decision = decide(service, Objective::kThroughput);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.go_mem_limit, gib(2));
  EXPECT_GT(decision.settings.gogc->percent(), 150);

  // One that is too small, too.
  service.settings = {Gogc(100), mib(90)};
  decision = decide(service);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "NeedsMemory");
  EXPECT_THAT(decision.message, HasSubstr("gopacer did not set it, so it stays"));
}

TEST(Model, RaisesItsOwnLimitAtOnceWhereTheProgramOutgrowsIt) {
  GoService service;
  service.container.reset();
  service.live = mib(75);
  service.settings = {Gogc(200), mib(100)};
  DecideInput input = service.input(kNow);
  input.memory.applied = service.settings;
  const Decision decision = gopacer::decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_TRUE(decision.urgent);
  EXPECT_THAT(decision.message, HasSubstr("GOMEMLIMIT leaves too little to a live heap that has grown"));
  EXPECT_GT(*decision.settings.go_mem_limit, mib(200));
  EXPECT_LT(decision.predicted->gc_cpu_fraction, decision.estimate->gc_cpu_fraction);
}

TEST(Model, PricesWhatAUsualPodTakesMoreAndNotTheHighest) {
  GoService large;
  large.live = mib(96);
  large.pods = 1;
  large.gc_seconds_per_cycle = 0.1;
  GoService small = large;
  small.live = mib(32);
  small.pods = 3;
  DecideInput input = large.input(kNow);
  const DecideInput others = small.input(kNow);
  for (PodSeries pod : others.observed.pods) {
    pod.pod += "-small";
    input.observed.pods.push_back(pod);
  }
  const Decision decision = gopacer::decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  const Bytes growth = decision.predicted->peak_memory - decision.estimate->peak_memory;
  ASSERT_GT(growth, Bytes(0));
  const double of_the_highest =
      growth.value() / deciding::bytes_per_core(input.spec.memory_price) / decision.estimate->cpu;
  EXPECT_NEAR(decision.predicted->memory_cost, of_the_highest * (48.0 + 1) / (96 + 1), 0.03 * of_the_highest);
}

TEST(Model, SaysHowMuchMemoryIsNeeded) {
  GoService service;
  service.live = mib(180);
  service.container = mib(256);
  const Decision decision = decide(service);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "NeedsMemory");
  ASSERT_TRUE(decision.needs_memory);
  EXPECT_GT(*decision.needs_memory, mib(300));
  EXPECT_LT(*decision.needs_memory, mib(380));
  EXPECT_THAT(decision.message, HasSubstr(format_bytes(*decision.needs_memory)));
}

TEST(Model, LeavesAServiceAloneThatHasNothingToGain) {
  GoService service;
  service.gc_seconds_per_cycle = 0.001;
  const Decision decision = decide(service);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.settings, service.settings);
}

TEST(Model, DoesNotActOnAGainThatIsWithinItsError) {
  GoService service;
  service.gc_seconds_per_cycle = 0.02;
  service.profiles = false;
  service.process_metrics = false;
  service.container = mib(512);
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) pod.cpu_limit.reset();  // no GOMAXPROCS either: only the live heap is left
  const Decision decision = gopacer::decide(input, kNow);
  ASSERT_TRUE(decision.estimate);
  EXPECT_EQ(decision.estimate->gc_cpu_source, "live heap");
  EXPECT_EQ(decision.kind, Kind::kKeep) << decision.message;
  EXPECT_EQ(decision.reason, "NotWorthIt");
}

TEST(Model, FreesMemoryUnderTheObjectiveMemory) {
  GoService service;
  service.settings = {Gogc(400), mib(900)};
  service.container = gib(1);
  service.gc_seconds_per_cycle = 0.004;
  const Decision decision = decide(service, Objective::kMemory);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_LT(decision.settings.gogc->percent(), 100);
  EXPECT_LT(decision.predicted->peak_memory, decision.estimate->peak_memory);
  EXPECT_LT(decision.predicted->saving, 0);
  EXPECT_THAT(decision.message, HasSubstr("It frees"));
}

TEST(Model, RelievesAContainerThatIsNearlyFull) {
  GoService service;
  service.settings = {Gogc(150), std::nullopt};
  service.live = mib(85);
  service.container = mib(245);
  const Decision decision = decide(service, Objective::kThroughput);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_THAT(decision.message, HasSubstr("close to its memory limit"));
  EXPECT_TRUE(decision.urgent);
  EXPECT_LT(decision.predicted->peak_memory, decision.estimate->peak_memory);
}

TEST(Model, HurriesWhenTheContainersLimitWasLoweredUnderTheSettings) {
  GoService service;
  service.settings = {Gogc(290), mib(900)};  // of a container of 1 GiB, which has 512 MiB by now
  const Decision decision = decide(service);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_TRUE(decision.urgent);
  EXPECT_LE(*decision.settings.go_mem_limit, mib(460));
  EXPECT_THAT(decision.message, HasSubstr("GOMEMLIMIT=900MiB is more than the container's"));
}

TEST(Model, HurriesWhenNothingStopsTheHeapThoughTheLimitIsBelowTheContainers) {
  GoService service;
  service.settings = {Gogc(290), mib(490)};  // 460 are safe, and 95 % are 486
  const Decision decision = decide(service);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_TRUE(decision.urgent);
  EXPECT_EQ(decision.settings.go_mem_limit, mib(460));
  EXPECT_THAT(decision.message, HasSubstr("GOMEMLIMIT=490MiB is more than the container's 512.0MiB leave to Go"));
  service.settings.go_mem_limit = mib(470);
  EXPECT_EQ(decide(service).reason, "AlreadyBest") << "that is in the margin";
}

TEST(Model, DoesNotHurryForAPersonsBound) {
  GoService service;
  service.settings = {Gogc(290), mib(460)};
  DecideInput input = service.input(kNow);
  input.spec.bounds.max_go_mem_limit_percent = 50;
  EXPECT_FALSE(gopacer::decide(input, kNow).urgent) << "the container can hold it";
}

TEST(Model, LoosensALimitThatIsFarTooTight) {
  GoService service;
  service.settings = {Gogc(100), mib(90)};
  const Decision decision = decide(service);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.go_mem_limit, mib(460));
  EXPECT_GT(decision.predicted->saving, 0.05);
}

TEST(Model, KeepsWhatAnIdleServiceHas) {
  GoService service;
  service.alloc_rate = 1000;
  service.seen_for = std::chrono::minutes(8);
  const Decision decision = decide(service);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "Idle");
  service.seen_for = std::chrono::minutes(4);
  EXPECT_EQ(decide(service).kind, Kind::kNoData) << "four minutes are too few to say so";
}

TEST(Model, WaitsWhileTheTargetRolls) {
  DecideInput input = GoService{}.input(kNow);
  input.under_way = "It is being scaled.";
  const Decision decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kNoData);
  EXPECT_EQ(decision.reason, "TargetNotSettled");
}

TEST(Model, NamesABallast) {
  GoService service;
  service.container = mib(3072);
  service.live = mib(1064);
  service.ballast = mib(1024);
  const Decision decision = decide(service);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.reason, "Ballast");
  EXPECT_THAT(decision.message, HasSubstr("Remove it and use GOMEMLIMIT"));
  EXPECT_FALSE(decision.needs_memory);
  service.ballast = Bytes(0);
  EXPECT_NE(decide(service).reason, "Ballast");
}

TEST(Model, LeavesRoomForFilesInMemory) {
  GoService service;
  const Settings usual = decide(service).settings;
  service.shared = mib(200);
  const Decision decision = decide(service);
  EXPECT_GE(decision.estimate->non_go, mib(210));
  EXPECT_GT(decision.estimate->peak_memory, mib(330));
  EXPECT_LE(*decision.settings.go_mem_limit + mib(210), mib(512));
  EXPECT_LT(decision.settings.gogc->percent(), usual.gogc->percent());
}

TEST(Model, CountsTheWholeWorkingSetWhereFilesInMemoryAreNotTold) {
  GoService service;
  service.shared.reset();
  service.files_in_memory = mib(200);
  const Decision decision = decide(service);
  EXPECT_EQ(decision.estimate->memory_source, "working set");
  EXPECT_LE(*decision.settings.go_mem_limit + mib(210), mib(512));
}

TEST(Model, TriesAProgramThatHasADefaultOfItsOwn) {
  GoService service;
  service.process_metrics = true;
  service.real_gogc = Gogc(75);
  const Decision decision = decide(service);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_THAT(decision.message, HasSubstr("instead of GOGC=75"));
  EXPECT_THAT(decision.message, HasSubstr("a default of its own"));
  EXPECT_THAT(decision.message, HasSubstr("A trial tells which"));
}

TEST(Model, SaysOfAnInferredGogcOnlyWhatIsKnown) {
  GoService service;
  service.real_gogc = Gogc(40);
  EXPECT_THAT(decide(service).message, HasSubstr("a default of its own, or the program overrides"));
  service.settings.gogc = Gogc(100);
  EXPECT_THAT(decide(service).message, HasSubstr("the program sets it itself"));
}

/// A service of whose settings the env list shows nothing.
DecideInput from_config_map(GoService service) {
  DecideInput input = service.input(kNow);
  input.current = {};
  for (PodSeries& pod : input.observed.pods) pod.settings = {};
  input.env_from = "ConfigMap checkout-env";
  return input;
}

TEST(EnvFrom, IsWhatEverythingIsComparedWithWhereTheProcessTells) {
  GoService service;
  service.process_metrics = true;
  service.settings = {Gogc(60), mib(440)};
  const Decision decision = gopacer::decide(from_config_map(service), kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_THAT(decision.message, HasSubstr("instead of GOGC=60 GOMEMLIMIT=440MiB"));
  EXPECT_THAT(decision.message, HasSubstr("from envFrom (ConfigMap checkout-env)"));
  EXPECT_EQ(decision.estimate->settings, service.settings);
}

TEST(EnvFrom, IsNotRepeatedInTheListWhereItIsBestAlready) {
  GoService service;
  service.process_metrics = true;
  service.settings = {Gogc(290), mib(460)};
  const Decision decision = gopacer::decide(from_config_map(service), kNow);
  EXPECT_EQ(decision.reason, "AlreadyBest") << decision.message;
  EXPECT_THAT(decision.message, HasSubstr("GOGC=290 GOMEMLIMIT=460MiB is what the model would set"));
  EXPECT_EQ(decision.settings, Settings{});
}

TEST(EnvFrom, IsNotBelievedToSayNothingWhereTheCollectionsContradict) {
  GoService service;
  service.settings = {Gogc(40), std::nullopt};
  DecideInput input = from_config_map(service);
  const Decision decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.reason, "SettingsUnknown");
  EXPECT_THAT(decision.message, HasSubstr("as if GOGC were about"));
  EXPECT_THAT(decision.message, HasSubstr("envFrom (ConfigMap checkout-env)"));
  EXPECT_THAT(decision.message, HasSubstr("Let it serve go_gc_gogc_percent"));
  // A person's own settings go before envFrom, and are tried beside what the pods run.
  input.spec.strategy = Strategy::kFixed;
  input.spec.fixed = {Gogc(80), std::nullopt};
  const Decision fixed = gopacer::decide(input, kNow);
  EXPECT_EQ(fixed.kind, Kind::kChange);
  EXPECT_THAT(fixed.message, HasSubstr("as if GOGC were about"));
}

TEST(EnvFrom, IsDoubtedThoughOnlyOneOfThePodsContradicts) {
  GoService other;
  other.settings = {Gogc(40), std::nullopt};
  const DecideInput plain = from_config_map(GoService());
  for (const std::size_t odd : {0U, 1U}) {
    DecideInput input = plain;
    input.observed.pods[odd] = from_config_map(other).observed.pods[odd];
    EXPECT_EQ(gopacer::decide(input, kNow).reason, "SettingsUnknown") << odd;
  }
}

TEST(EnvFrom, IsSaidToBeAssumedEmptyWhereNothingContradicts) {
  const Decision decision = gopacer::decide(from_config_map(GoService{}), kNow);
  EXPECT_EQ(describe(decision.settings), "GOGC=290 GOMEMLIMIT=460MiB");
  EXPECT_THAT(decision.message, HasSubstr("The figures assume that they do not"));
}

TEST(InForce, IsWhatNeitherTheOldNorTheNewListSets) {
  const Settings seen{Gogc(60), mib(440)};
  EXPECT_EQ(deciding::in_force({}, {}, seen), seen);
  EXPECT_EQ(deciding::in_force({Gogc(200), std::nullopt}, {}, seen), (Settings{Gogc(200), mib(440)}));
  EXPECT_EQ(deciding::in_force({}, seen, seen), Settings{}) << "what is taken out of the list is gone";
  EXPECT_EQ(deciding::in_force({}, {}, {Gogc(100), std::nullopt}), Settings{}) << "that is Go's own";
}

TEST(Model, RefusesAProgramThatTunesItself) {
  GoService service;
  service.settings.gogc = Gogc(100);
  service.process_metrics = true;
  service.real_gogc = Gogc(70);
  const Decision decision = decide(service);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.reason, "SelfTuned");
}

TEST(Model, RefusesAProgramThatSetsItsMemoryLimitItself) {
  GoService service;
  service.process_metrics = true;
  service.settings = {Gogc(100), mib(400)};
  DecideInput input = service.input(kNow);
  EXPECT_NE(gopacer::decide(input, kNow).reason, "SelfTuned");
  input.observed.pods[1].samples.change_each([&](Sample& sample) { sample.process->go_mem_limit = mib(300); });
  Decision decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.reason, "SelfTuned");
  EXPECT_THAT(decision.message,
              HasSubstr("checkout-1 reports GOMEMLIMIT=300MiB while its environment asks for 400MiB"));
  // Where the environment asks for none, the program's own is its way to live in its container.
  service.settings = {};
  input = service.input(kNow);
  input.observed.pods[1].samples.change_each([&](Sample& sample) { sample.process->go_mem_limit = mib(300); });
  decision = gopacer::decide(input, kNow);
  EXPECT_NE(decision.reason, "SelfTuned") << decision.message;
}

TEST(Model, RefusesBoundsThatCannotBeKept) {
  DecideInput input = GoService{}.input(kNow);
  input.spec.bounds.min_go_mem_limit = mib(500);
  const Decision decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.reason, "BoundsUnsatisfiable");
  EXPECT_THAT(decision.message, HasSubstr("460MiB"));
}

TEST(Model, WaitsForAHeapThatStillGrows) {
  GoService service;
  service.live_growth_per_second = 0.0008;
  service.seen_for = std::chrono::minutes(10);
  const Decision decision = decide(service);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "HeapGrowing");
}

TEST(Model, ShowsWhatItWouldDoDuringTheCoolDown) {
  DecideInput input = GoService{}.input(kNow);
  input.memory.cool_down_until = kNow + std::chrono::hours(1);
  Decision decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "CoolDown");
  EXPECT_EQ(decision.settings, input.current);
  ASSERT_TRUE(decision.recommended);
  EXPECT_EQ(decision.recommended->gogc, Gogc(290));
  EXPECT_THAT(decision.message, HasSubstr("(rollback.coolDown). Next: GOGC=290 GOMEMLIMIT=460MiB instead of Go's"));
  EXPECT_THAT(decision.message, HasSubstr(format_time(*input.memory.cool_down_until)));
  input.memory.cool_down_until = kNow;
  EXPECT_EQ(gopacer::decide(input, kNow).kind, Kind::kChange);
}

TEST(Model, DoesNotPromiseToSaveCollectionsThatTheTimerAsksFor) {
  GoService service;
  service.alloc_rate = 0.7e6;  // a collection every 97 s
  service.work_cores = 0.001;
  service.seen_for = std::chrono::minutes(9);
  DecideInput input = service.input(kNow);
  input.spec.strategy = Strategy::kFixed;
  input.spec.fixed = {Gogc(400), mib(400)};
  const Decision decision = gopacer::decide(input, kNow);
  ASSERT_TRUE(decision.predicted) << decision.message;
  EXPECT_NEAR(decision.predicted->cycles_per_minute, 0.5, 0.001);
}

TEST(Model, LeavesRoomForWhatGrowsOutsideTheGoHeap) {
  GoService service;
  service.non_go = mib(60);
  service.seen_for = std::chrono::minutes(10);
  const Bytes steady = *decide(service, Objective::kThroughput).settings.go_mem_limit;
  service.non_go_growth = mib(40);
  const Decision decision = decide(service, Objective::kThroughput);
  EXPECT_NEAR(decision.estimate->non_go_growth.value(), service.non_go_growth.value(), mib(1).value());
  EXPECT_NEAR((steady - *decision.settings.go_mem_limit).value(), mib(60).value(), mib(2).value());
}

/// Its memory outside Go has grown, and GOMEMLIMIT leaves no room for it.
GoService crowded_service() {
  GoService service;
  service.live = mib(72);
  service.settings = {Gogc(400), mib(455)};
  service.process_metrics = true;
  service.non_go = mib(100);
  return service;
}

TEST(Model, HurriesBeforeWhatGrowsOutsideTheGoHeapHasTakenItsRoom) {
  GoService service = crowded_service();
  service.non_go = mib(60);
  service.settings.go_mem_limit = mib(430);  // 512 − 66 − 15.4, 3 % of it
  service.seen_for = std::chrono::minutes(10);
  EXPECT_FALSE(decide(service).urgent);
  service.non_go_growth = mib(40);
  const Decision decision = decide(service);
  EXPECT_TRUE(decision.urgent) << decision.message;
  EXPECT_THAT(decision.message, HasSubstr("Memory outside the Go heap has grown"));
}

TEST(Model, LowersALimitThatLeavesNoRoomWhateverElseHoldsItBack) {
  DecideInput input = crowded_service().input(kNow);
  input.memory.cool_down_until = kNow + std::chrono::hours(5);
  input.memory.missed_predictions = 3;
  input.memory.missed_template = input.template_hash;
  const Decision decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_TRUE(decision.urgent);
  EXPECT_EQ(decision.settings.go_mem_limit, mib(371)) << "92 % of 512, less 100";
}

TEST(Model, LetsAShortWhilePassBetweenUrgentTrials) {
  DecideInput input = crowded_service().input(kNow);
  const Time ended = kNow - std::chrono::minutes(9);
  input.memory.cool_down_until = ended + input.spec.rollback.cool_down;
  const Decision early = gopacer::decide(input, kNow);
  EXPECT_EQ(early.reason, "CoolDown") << early.message;
  EXPECT_THAT(early.message, HasSubstr(format_time(ended + std::chrono::minutes(10))));
  input.memory.cool_down_until = *input.memory.cool_down_until - std::chrono::minutes(1);
  EXPECT_EQ(gopacer::decide(input, kNow).kind, Kind::kChange);
}

TEST(Model, OnlyObservesAfterTwoMissedPredictions) {
  DecideInput input = GoService{}.input(kNow);
  input.memory.missed_template = input.template_hash;
  input.memory.missed_predictions = 1;
  EXPECT_EQ(gopacer::decide(input, kNow).kind, Kind::kChange);
  input.memory.missed_predictions = 2;
  const Decision decision = gopacer::decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "PredictionsMissed");
  EXPECT_TRUE(decision.recommended);
  input.memory.missed_template = "the image of last week";
  EXPECT_EQ(gopacer::decide(input, kNow).kind, Kind::kChange) << "another program";
  input.memory.missed_template = input.template_hash;
  EXPECT_EQ(decision.settings, input.current);
  EXPECT_THAT(decision.message, HasSubstr("The model's last 2 predictions were off by more than a quarter"));
  EXPECT_THAT(decision.message, HasSubstr("The model would set: GOGC=290 GOMEMLIMIT=460MiB instead of"));
}

/// What the model says to a change to `gogc` of a service whose collections take `gc` of `cpu` cores, 100 MiB apart.
/// Its container has room enough.
Decision asked_for(int gogc, double gc, double cpu, Objective objective, double rel_error = 0, int replicas = 1,
                   std::optional<Bytes> request = std::nullopt) {
  Decision decision;
  Estimate& estimate = decision.estimate.emplace();
  estimate.alloc_rate = mib(100).value();
  estimate.cycle_volume = mib(100);
  estimate.live_heap = estimate.mean_live_heap = mib(90);
  estimate.roots = mib(10);
  estimate.heap_goal = mib(190);
  estimate.peak_memory = mib(250);
  estimate.cycles = 100;
  estimate.cycles_per_minute = 60;
  estimate.gc_cpu = estimate.gc_cpu_per_cycle = gc;
  estimate.gc_cpu_fraction = gc / cpu;
  estimate.gc_cpu_rel_error = rel_error;
  estimate.cpu = cpu;
  estimate.container_limit = gib(4);
  DecideInput input;
  input.replicas = replicas;
  input.memory_request = request;
  input.spec.objective = objective;
  input.spec.bounds.min_gogc = input.spec.bounds.max_gogc = gogc;
  deciding::decide_by_model(input, deciding::Physics(estimate), decision);
  return decision;
}

TEST(Worth, IsASavingThatIsSurelyOnePercent) {
  // At GOGC=200 collection takes 0.05 instead of 0.1 cores, give or take 9 %.
  EXPECT_EQ(asked_for(200, 0.1, 4.0, Objective::kThroughput).kind, Kind::kChange) << "1.25 %, and 1.025 at the least";
  const Decision less = asked_for(200, 0.1, 4.2, Objective::kThroughput);
  EXPECT_EQ(less.reason, "NotWorthIt") << "1.19 %, and 0.976";
  EXPECT_THAT(less.message, HasSubstr("Go's defaults stay: GOGC=200 GOMEMLIMIT=3686MiB would save 1.2 % of the CPU, at "
                                      "least 1.0 %; a change has to save 1 %."));
}

TEST(Worth, OfASavingIsLessByTheMemoryThatItTakes) {
  // 105 MiB more than now, at 0.083 cores for a GiB: 0.85 % of a core.
  EXPECT_EQ(asked_for(200, 0.1, 2, Objective::kBalanced).kind, Kind::kChange) << "2.05 − 0.43 %";
  const Decision dear = asked_for(200, 0.021, 0.45, Objective::kBalanced);
  EXPECT_EQ(dear.reason, "NotWorthIt") << "1.91 − 1.89 %";
  EXPECT_THAT(dear.message, HasSubstr("would save 2.3 % of the CPU, at least 1.9 %, and costs memory that is worth 1.9 "
                                      "%; a change has to save 1 % more than that."));
  EXPECT_EQ(asked_for(200, 0.021, 0.45, Objective::kThroughput).kind, Kind::kChange) << "which does not weigh it";
}

TEST(Worth, IsWhatRepaysItsRolloutWithinAWeek) {
  // A trial's two pods and the target's: three starts of 30 CPU seconds, and as much as a pod takes for 420 s. By the
  // best guess 100 µcores are saved: 90.2 s of CPU take 10.4 days.
  const Decision dear = asked_for(200, 0.0002, 0.0005, Objective::kThroughput);
  EXPECT_EQ(dear.reason, "NotWorthIt");
  EXPECT_THAT(dear.message, HasSubstr("would save 20.0 % of the CPU, which a trial and a rollout to fresh pods cost so "
                                      "much that it takes 11d to repay them; it has to be 7d at most."));
  const Decision fleet = asked_for(200, 0.0002, 0.0005, Objective::kThroughput, 0, 10);
  EXPECT_EQ(fleet.kind, Kind::kChange) << "twelve starts for ten times as much: 4.2 days";
  EXPECT_THAT(fleet.message, HasSubstr("Its rollout is repaid within 5d."));
}

TEST(Worth, SaysWhereBetterReadingsMayTellMore) {
  const Decision rough = asked_for(200, 0.1, 0.5, Objective::kThroughput, 0.4);
  EXPECT_EQ(rough.reason, "NotWorthIt");
  EXPECT_THAT(rough.message, HasSubstr("would save 10.0 % of the CPU, or only 1.8 %: the estimate is too rough to act "
                                       "on yet. More readings, and CPU profiles above all, make it better."));
}

TEST(Worth, IsASavingOfThreeStandardErrors) {
  EXPECT_EQ(asked_for(200, 0.1, 0.5, Objective::kBalanced, 0.32).kind, Kind::kChange) << "√(0.32² + 0.09²) = 0.332";
  EXPECT_EQ(asked_for(200, 0.1, 0.5, Objective::kBalanced, 0.325).reason, "NotWorthIt") << "0.337";
}

TEST(Worth, IsMemoryThatIsWorthMoreThanTheCpuItCosts) {
  // GOGC=50 frees 50 MiB: 0.41 % of a core, four times that for the objective Memory.
  const Decision freed = asked_for(50, 0.002, 0.1, Objective::kMemory);
  EXPECT_EQ(freed.kind, Kind::kChange) << freed.message;
  EXPECT_THAT(freed.message, HasSubstr("It frees 50.0MiB of memory. "));
  // GOGC=70 frees 30 MiB.
  EXPECT_EQ(asked_for(70, 0.0022, 0.1, Objective::kBalanced).kind, Kind::kChange) << "2.43 − 1.33 %";
  EXPECT_EQ(asked_for(70, 0.0024, 0.1, Objective::kBalanced).kind, Kind::kKeep) << "2.43 − 1.45 %";
  for (const Objective other : {Objective::kThroughput, Objective::kLatency}) {
    EXPECT_EQ(asked_for(50, 0.002, 0.1, other).kind, Kind::kKeep);
  }
}

TEST(Worth, IsNoMemoryThatIsRequestedAnyway) {
  EXPECT_EQ(asked_for(50, 0.002, 0.1, Objective::kMemory, 0, 1, mib(220)).kind, Kind::kChange) << "30 of 50 MiB";
  EXPECT_EQ(asked_for(50, 0.002, 0.1, Objective::kMemory, 0, 1, mib(240)).kind, Kind::kKeep) << "10 MiB";
  EXPECT_EQ(asked_for(200, 0.021, 0.45, Objective::kBalanced, 0, 1, mib(360)).kind, Kind::kChange)
      << "and what is taken of it costs nothing";
}

TEST(Worth, IsNoMemoryOfLessThanSixteenMebibytes) {
  EXPECT_EQ(asked_for(80, 0.002, 0.1, Objective::kMemory).kind, Kind::kChange) << "20 MiB";
  EXPECT_EQ(asked_for(85, 0.002, 0.1, Objective::kMemory).kind, Kind::kKeep) << "15 MiB";
}

TEST(Worth, IsNoMemoryThatMakesCollectionDear) {
  // Of 50 millicores collection would take 4.5 or 6 at most: 9 and 12 % and more.
  EXPECT_EQ(asked_for(50, 0.0023, 0.05, Objective::kMemory).kind, Kind::kChange);
  EXPECT_EQ(asked_for(50, 0.0031, 0.05, Objective::kMemory).kind, Kind::kKeep);
}

TEST(Bans, StopHalfWayBeforeTheHarm) {
  DecideInput input = GoService{}.input(kNow);
  input.memory.banned.push_back({{Gogc(235), mib(460)}, "aaaa", "LatencyRegression", kNow});
  const Decision decision = gopacer::decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.gogc, Gogc(155));  // √(100·235) = 153
  EXPECT_EQ(decision.binding, "banned region");
}

TEST(Bans, AreNotWalkedAroundWhenTheGainWasMissingOrAPersonSaidNo) {
  for (const char* reason : {"NoBenefit", "SettingsChanged", "CpuRegression", "RolloutStuck"}) {
    DecideInput input = GoService{}.input(kNow);
    input.memory.banned.push_back({{Gogc(235), mib(460)}, "aaaa", reason, kNow});
    const Decision decision = gopacer::decide(input, kNow);
    EXPECT_EQ(decision.kind, Kind::kKeep) << reason;
    EXPECT_EQ(decision.reason, "Banned") << reason;
  }
}

TEST(Bans, EndWithThePodTemplate) {
  DecideInput input = GoService{}.input(kNow);
  input.memory.banned.push_back({{Gogc(235), mib(460)}, "bbbb", "LatencyRegression", kNow});
  EXPECT_EQ(gopacer::decide(input, kNow).settings.gogc, Gogc(290));
}

TEST(Kind, HasAWord) {
  EXPECT_EQ(to_string(Kind::kNoData), "NoData");
  EXPECT_EQ(to_string(Kind::kKeep), "Keep");
  EXPECT_EQ(to_string(Kind::kChange), "Change");
  EXPECT_EQ(to_string(Kind::kRefuse), "Refuse");
}

TEST(Prediction, IsMissedWhenItIsOffByMoreThanAQuarter) {
  Prediction predicted;
  predicted.gc_cpu_fraction = 0.08;
  predicted.cycle_volume = mib(100);
  Estimate seen;
  seen.gc_cpu_fraction = 0.09;
  seen.cycle_volume = mib(110);
  EXPECT_FALSE(prediction_missed(predicted, seen));
  seen.gc_cpu_fraction = 0.11;
  EXPECT_TRUE(prediction_missed(predicted, seen));
  seen.gc_cpu_fraction = 0.08;
  seen.cycle_volume = mib(70);
  EXPECT_TRUE(prediction_missed(predicted, seen));
  // More than a quarter, up or down.
  seen = {};
  for (const double share : {0.061, 0.099}) {
    for (const double volume : {76, 124}) {
      seen.gc_cpu_fraction = share;
      seen.cycle_volume = mib(volume);
      EXPECT_FALSE(prediction_missed(predicted, seen)) << share << " " << volume;
    }
  }
  for (const auto& [share, volume] : {std::pair{0.059, 100}, {0.101, 100}, {0.08, 74}, {0.08, 126}}) {
    seen.gc_cpu_fraction = share;
    seen.cycle_volume = mib(volume);
    EXPECT_TRUE(prediction_missed(predicted, seen)) << share << " " << volume;
  }
  predicted.gc_cpu_fraction = 0.02;
  for (const auto& [share, missed] : {std::pair{0.0299, false}, {0.0301, true}, {0.0101, false}, {0.0099, true}}) {
    seen = {};
    seen.gc_cpu_fraction = share;
    seen.cycle_volume = mib(100);
    EXPECT_EQ(prediction_missed(predicted, seen), missed) << share;
  }
  // Half a point more is noise.
  predicted.gc_cpu_fraction = 0.01;
  seen = {};
  seen.gc_cpu_fraction = 0.015;
  seen.cycle_volume = mib(100);
  EXPECT_FALSE(prediction_missed(predicted, seen));
}

}  // namespace
}  // namespace gopacer
