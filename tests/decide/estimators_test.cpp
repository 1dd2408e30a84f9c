#include "decide/estimators.h"
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "decide/go_service.h"
#include "decide/pod_estimate.h"

namespace gopacer {
namespace {

using deciding::Estimation;
using std::chrono::seconds;
using testing::GoService;
using ::testing::HasSubstr;
using testing::kNow;
using ::testing::MatchesRegex;

Estimation estimate(const DecideInput& input) { return deciding::estimate(input, kNow); }
Estimation estimate(const GoService& service) { return estimate(service.input(kNow)); }

#define EXPECT_NEAR_REL(expected, actual, rel) EXPECT_NEAR(expected, actual, std::abs(expected) * (rel))

TEST(Estimators, FindWhatTheServiceDoes) {
  GoService service;
  service.settings.gogc = Gogc(150);
  const Estimation found = estimate(service);
  ASSERT_TRUE(found.estimate) << found.message;
  const Estimate& e = *found.estimate;
  EXPECT_EQ(e.pods, 2);
  EXPECT_NEAR_REL(100e6, e.alloc_rate, 0.01);
  EXPECT_NEAR_REL(mib(64).value(), e.live_heap.value(), 0.01);
  EXPECT_NEAR_REL(service.volume(), e.cycle_volume.value(), 0.02);
  EXPECT_NEAR_REL(60 * 100e6 / service.volume(), e.cycles_per_minute, 0.02);
  EXPECT_NEAR_REL(service.gc_share(), e.gc_cpu_fraction, 0.02);
  EXPECT_NEAR_REL(0.030, e.gc_cpu_per_cycle, 0.03);
  EXPECT_NEAR_REL(service.gc_cores() + 0.5, e.cpu, 0.01);
  EXPECT_EQ(e.gc_cpu_source, "CPU profile");
  EXPECT_NEAR_REL(150.0, e.effective_gogc, 0.03);
  EXPECT_EQ(e.non_go, mib(10));
  EXPECT_EQ(e.non_heap, mib(8));
  EXPECT_EQ(e.roots, mib(1));
  EXPECT_FALSE(e.limit_rules);
  EXPECT_EQ(e.container_limit, mib(512));
  EXPECT_TRUE(found.self_tuned.empty()) << found.self_tuned;
}

TEST(Estimators, TakeTheLiveHeapFromTheVolumeWhereTheMemoryLimitRules) {
  GoService service;
  service.settings = {Gogc(400), mib(200)};
  const Estimation found = estimate(service);
  ASSERT_TRUE(found.estimate) << found.message;
  EXPECT_TRUE(found.estimate->limit_rules);
  // 200 − 8 non-heap − 3 % − 64 live.
  EXPECT_NEAR_REL(mib(192 * 0.97 - 64).value(), found.estimate->cycle_volume.value(), 0.02);
  EXPECT_NEAR_REL(mib(64).value(), found.estimate->live_heap.value(), 0.05);
}

TEST(Estimators, UnderstandGogcOff) {
  GoService service;
  service.settings = {Gogc::off(), mib(300)};
  const Estimation found = estimate(service);
  ASSERT_TRUE(found.estimate) << found.message;
  EXPECT_TRUE(found.estimate->limit_rules);
  EXPECT_NEAR_REL(mib(64).value(), found.estimate->live_heap.value(), 0.1);
}

TEST(Estimators, PreferCpuProfilesThenMetricsThenTheFraction) {
  GoService service;
  service.runtime_metrics = true;
  EXPECT_EQ(estimate(service).estimate->gc_cpu_source, "CPU profile");
  EXPECT_THAT(estimate(service).estimate->gc_cpu_others, MatchesRegex("runtime metrics .*%, GCCPUFraction .*%"));
  service.profiles = false;
  EXPECT_EQ(estimate(service).estimate->gc_cpu_source, "runtime metrics");
  EXPECT_NEAR_REL(service.gc_share(), estimate(service).estimate->gc_cpu_fraction, 0.02);
  service.runtime_metrics = false;
  EXPECT_EQ(estimate(service).estimate->gc_cpu_source, "GCCPUFraction");
  EXPECT_NEAR_REL(service.gc_share(), estimate(service).estimate->gc_cpu_fraction, 0.02);
}

TEST(Estimators, DoNotBelieveAFractionThatIsMoreThanAllOfTheCpu) {
  GoService service;
  service.profiles = false;
  // As on a node with too much to do: collections take longer by the clock than they get of the CPUs.
  service.fraction_factor = 1.1 / service.gc_share();
  EXPECT_EQ(estimate(service).estimate->gc_cpu_source, "live heap");
  EXPECT_EQ(estimate(service).estimate->gc_cpu_others, "");
  EXPECT_LT(estimate(service).estimate->gc_cpu_fraction, 1);
}

TEST(Estimators, AreLessSureWithFewerStacks) {
  GoService service;
  const double sure = estimate(service).estimate->gc_cpu_rel_error;
  service.seen_for = std::chrono::seconds(40);
  const double unsure = estimate(service).estimate->gc_cpu_rel_error;
  EXPECT_LT(sure, unsure);
  // 22 % of 2 pods · 9 profiles · 2.5 s · 0.64 cores · 100 Hz stacks.
  EXPECT_NEAR(unsure, 1.2 * std::sqrt((1 - service.gc_share()) / (service.gc_share() * 2 * 9 * 160)), 0.01);
}

TEST(Estimators, LeaveForcedCollectionsOutOfTheVolume) {
  GoService service;
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    std::uint32_t forced = 0;
    pod.samples.change_each([&](Sample& sample) {
      sample.mem->num_gc += forced;
      sample.mem->num_forced_gc = forced;
      forced += 10;
    });
  }
  const Estimation found = deciding::estimate(input, kNow);
  ASSERT_TRUE(found.estimate);
  EXPECT_EQ(found.estimate->forced, 2 * 600);
  EXPECT_NEAR_REL(service.volume(), found.estimate->cycle_volume.value(), 0.02);
}

TEST(Estimators, KnowTheHeapsLeastGoal) {
  GoService service;
  service.live = mib(1);
  service.roots = kib(200);
  const Estimation found = estimate(service);
  ASSERT_TRUE(found.estimate);
  EXPECT_NEAR_REL(mib(1).value(), found.estimate->mean_live_heap.value(), 0.05);
  EXPECT_TRUE(found.self_tuned.empty());
}

TEST(Estimators, SeeThatTheProgramReportsAnotherGogc) {
  GoService service;
  service.process_metrics = true;
  service.real_gogc = Gogc(50);
  EXPECT_EQ(estimate(service).self_tuned, "") << "a default of its own may well heed the variable";
  service.settings.gogc = Gogc(100);
  EXPECT_THAT(estimate(service).self_tuned, HasSubstr("reports GOGC=50 while its environment asks for 100"));
  DecideInput input = service.input(kNow);
  input.observed.pods.back().samples.change_each([](Sample& sample) {
    if (sample.process) sample.process->gogc.reset();
  });
  EXPECT_THAT(deciding::estimate(input, kNow).self_tuned, HasSubstr("reports GOGC=50")) << "one pod is enough";
}

TEST(Estimators, SeeFromTheGoalsThatTheProgramSetsGogc) {
  for (const int real : {40, 200, 300, 800}) {
    GoService service;
    service.real_gogc = Gogc(real);
    EXPECT_THAT(estimate(service).self_tuned, HasSubstr("or the program overrides the variable")) << real;
  }
  GoService service;
  service.pacing = 0.85;  // marking that starts early is no tuner
  EXPECT_EQ(estimate(service).self_tuned, "");
  service.pacing = 1.1;
  EXPECT_EQ(estimate(service).self_tuned, "");
}

TEST(Estimators, WaitForEnoughSamples) {
  GoService service;
  service.seen_for = std::chrono::seconds(10);
  const Estimation found = estimate(service);
  EXPECT_FALSE(found.estimate);
  EXPECT_EQ(found.reason, "CollectingSamples");
  EXPECT_THAT(found.message, HasSubstr("3 of 5 readings"));
}

TEST(Estimators, LeaveTheWarmUpOut) {
  GoService service;
  service.age = std::chrono::minutes(2) + std::chrono::seconds(10);
  service.seen_for = std::chrono::minutes(2);
  EXPECT_EQ(estimate(service).reason, "CollectingSamples");
}

TEST(Estimators, CallAServiceIdleThatDoesNotCollect) {
  GoService service;
  service.alloc_rate = 1000;
  service.seen_for = std::chrono::minutes(8);
  EXPECT_EQ(estimate(service).reason, "Idle");
}

TEST(Estimators, OutliveACountThatGrowsByAllThatItCan) {
  GoService service;
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([](Sample& sample) { sample.mem->num_gc = 0; });
    pod.samples.change_last([](Sample& sample) { sample.mem->num_gc = std::numeric_limits<std::uint32_t>::max(); });
  }
  deciding::estimate(input, kNow);  // sanitizers look where it reads
}

TEST(Estimators, SayWhyAPodCannotBeRead) {
  GoService service;
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.clear();
    pod.error = "shop/checkout-0: port 6060 refused the connection";
  }
  const Estimation found = deciding::estimate(input, kNow);
  EXPECT_EQ(found.reason, "MetricsUnavailable");
  EXPECT_EQ(found.message, "shop/checkout-0: port 6060 refused the connection");
  input.observed.pods.back().error = "";
  EXPECT_EQ(deciding::estimate(input, kNow).message, found.message) << "not every pod has to fail";
}

TEST(Estimators, LookOnlyAtStablePodsWithTheCurrentSettings) {
  GoService service;
  DecideInput input = service.input(kNow);
  input.observed.pods[0].track = Track::kCanary;
  input.observed.pods[1].settings.gogc = Gogc(10);
  EXPECT_EQ(deciding::estimate(input, kNow).reason, "NoPods");
}

TEST(Estimators, LookAtPodsThatWereResizedWhileTheAgentsKeepSettingsInForce) {
  GoService service;
  service.settings = {Gogc(100), mib(300)};
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) pod.settings.go_mem_limit = mib(200);
  EXPECT_EQ(deciding::estimate(input, kNow).reason, "NoPods");
  input.spec.apply = ApplyMode::kLive;
  EXPECT_NE(deciding::estimate(input, kNow).reason, "NoPods");
  for (PodSeries& pod : input.observed.pods) pod.settings.gogc = Gogc(150);
  EXPECT_EQ(deciding::estimate(input, kNow).reason, "NoPods");
}

TEST(Estimators, DoNotTrustCountersThatWentBack) {
  GoService service;
  service.pods = 1;
  DecideInput input = service.input(kNow);
  input.observed.pods[0].samples.change_last([](Sample& sample) { sample.mem->num_gc = 0; });
  EXPECT_FALSE(deciding::estimate(input, kNow).estimate);
}

TEST(Estimators, TakeTheHighestPodForMemory) {
  GoService service;
  DecideInput input = service.input(kNow);
  GoService large = service;
  large.live = mib(100);
  large.non_go = mib(30);
  input.observed.pods.push_back(large.pod(kNow, "large"));
  const Estimation found = deciding::estimate(input, kNow);
  ASSERT_TRUE(found.estimate);
  EXPECT_EQ(found.estimate->live_heap, mib(100));
  EXPECT_EQ(found.estimate->non_go, mib(30));
  EXPECT_NEAR_REL(mib(76).value(), found.estimate->mean_live_heap.value(), 0.01);
}

TEST(Estimators, TakeMeansForBenefitsAndTheHighestPodForMemory) {
  GoService small;
  GoService large = small;
  large.live = mib(100);
  large.roots = mib(2);
  large.non_heap = mib(12);
  large.alloc_rate = 60e6;
  large.container = mib(400);
  large.age = std::chrono::minutes(40);
  large.seen_for = std::chrono::minutes(6);
  for (const bool large_first : {true, false}) {
    DecideInput input = small.input(kNow);
    input.observed.pods = {(large_first ? large : small).pod(kNow, "one"),
                           (large_first ? small : large).pod(kNow, "two")};
    const Estimate e = *estimate(input).estimate;
    EXPECT_EQ(e.pods, 2);
    EXPECT_NEAR_REL(80e6, e.alloc_rate, 0.01);
    EXPECT_NEAR_REL(mib((65 + 102) / 2.0).value(), e.cycle_volume.value(), 0.02);
    EXPECT_NEAR_REL(60 * (100e6 / mib(65).value() + 60e6 / mib(102).value()) / 2, e.cycles_per_minute, 0.02);
    EXPECT_NEAR_REL(100 * 83.5 / (82 + 2), e.effective_gogc, 0.02);
    EXPECT_NEAR_REL(300 * 100e6 / mib(65).value() + 360 * 60e6 / mib(102).value(), static_cast<double>(e.cycles), 0.02);
    EXPECT_EQ(e.roots, mib(2));
    EXPECT_EQ(e.heap_goal, mib(100 + 102));
    EXPECT_EQ(e.non_heap, mib(12));
    EXPECT_EQ(e.mapped, mib(202 + 2 + 12));
    EXPECT_EQ(e.peak_memory, mib(216 + 10));
    EXPECT_EQ(e.container_limit, mib(400)) << "the smallest of them";
    EXPECT_EQ(e.window, std::chrono::minutes(6));
    EXPECT_EQ(e.max_procs, 4);
    EXPECT_TRUE(e.non_go_known);
    EXPECT_EQ(e.memory_source, "container");
  }
}

/// Two pods of the same service, of which `change` is given the samples of one, in either order.
template <typename Change>
std::vector<Estimate> with_one_changed(const GoService& service, const Change& change) {
  std::vector<Estimate> found;
  for (const std::size_t which : {0U, 1U}) {
    DecideInput input = service.input(kNow);
    input.observed.pods[which].samples.change_each(change);
    found.push_back(*estimate(input).estimate);
  }
  return found;
}

TEST(Estimators, AreAsSureAsThePodThatIsLeastSure) {
  GoService service;
  service.process_metrics = true;
  service.profiles = false;
  for (const Estimate& e : with_one_changed(service, [](Sample& sample) {
         sample.mem->pauses.clear();
         sample.process->cpu_seconds.reset();
       })) {
    EXPECT_EQ(e.cycle_volume_source, "GC count");
    EXPECT_GT(e.cycle_volume_rel_error, 0.002);
    EXPECT_EQ(e.cpu_source, "container");
    EXPECT_EQ(e.cpu_rel_error, 0.02);
  }
  for (const Estimate& e :
       with_one_changed(service, [&](Sample& sample) { sample.process->heap_live = service.live; })) {
    EXPECT_EQ(e.live_heap_source, "heap goal");
    EXPECT_NEAR(e.live_heap_rel_error, 0.02, 1e-9);
  }
  bool odd = false;
  for (const Estimate& e : with_one_changed(service, [&](Sample& sample) {
         odd = !odd;
         sample.mem->total_alloc = sample.mem->total_alloc + (odd ? mib(100) : Bytes(0));
       })) {
    EXPECT_GT(e.alloc_rate_rel_error, 0.02) << "one hundredth is usual";
  }
}

TEST(Estimators, SeeWhatOnlyOneOfThePodsShows) {
  GoService service;
  service.process_metrics = true;
  double cycle = 0;
  for (const Estimate& e :
       with_one_changed(service, [&](Sample& sample) { sample.process->limited_cycle = ++cycle; })) {
    EXPECT_TRUE(e.limiter_active);
  }
  int i = 0;
  for (const Estimate& e : with_one_changed(service, [&](Sample& sample) {
         if (++i % 20 == 0) sample.usage->anonymous = *sample.usage->anonymous + mib(40);
       })) {
    EXPECT_EQ(e.spike, mib(40));
    EXPECT_EQ(e.non_go, mib(50));
  }
  for (const Estimate& e : with_one_changed(service, [](Sample& sample) { sample.usage.reset(); })) {
    EXPECT_EQ(e.memory_source, "container");
    EXPECT_TRUE(e.non_go_known);
    EXPECT_EQ(e.non_go, mib(10));
  }
  for (const Estimate& e : with_one_changed(service, [](Sample& sample) { sample.process->max_procs = 2; })) {
    EXPECT_EQ(e.max_procs, 4);
  }
}

TEST(Estimators, FollowMostPodsInWhatStartsTheirCollections) {
  GoService service;
  service.settings = {Gogc(400), mib(200)};
  service.pods = 3;
  DecideInput input = service.input(kNow);
  const auto free = [&](std::size_t which) {
    input.observed.pods[which].samples.change_each([](Sample& sample) { sample.mem->next_gc = mib(90); });
  };
  free(0);
  EXPECT_TRUE(estimate(input).estimate->limit_rules);
  free(1);
  EXPECT_FALSE(estimate(input).estimate->limit_rules);
  input.observed.pods.erase(input.observed.pods.begin());
  EXPECT_FALSE(estimate(input).estimate->limit_rules) << "one of two are not most";
}

TEST(Estimators, KnowNothingOfProcessorsWhereNothingTells) {
  GoService service;
  service.profiles = false;
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) pod.cpu_limit.reset();
  const Estimate e = *estimate(input).estimate;
  EXPECT_EQ(e.max_procs, 0);
  EXPECT_EQ(e.live_heap_rel_error, 0.02) << "the goal and the volume tell it";
}

TEST(Estimators, TakeTheCpuFromThePodsThatTellIt) {
  GoService service;
  service.profiles = false;
  for (const Estimate& e : with_one_changed(service, [](Sample& sample) { sample.usage.reset(); })) {
    EXPECT_NEAR_REL(service.gc_cores() + 0.5, e.cpu, 0.01);
  }
}

TEST(Estimators, SayWhyAServiceIsIdle) {
  GoService service;
  service.alloc_rate = 1000;
  service.seen_for = std::chrono::minutes(5);
  EXPECT_EQ(estimate(service).message,
            "The service hardly collects garbage: fewer than 3 collections in 5m. There is nothing to gain.");
  service.seen_for = std::chrono::minutes(5) - seconds(5);
  EXPECT_EQ(estimate(service).reason, "CollectingSamples");
}

TEST(Estimators, GuessWhatIsOutsideGoWhereNothingTells) {
  GoService service;
  service.usage = false;
  const Estimate e = *estimate(service).estimate;
  EXPECT_FALSE(e.non_go_known);
  EXPECT_EQ(e.non_go, mib(16));
}

TEST(Estimators, NeedTwentySecondsOrFourIntervals) {
  const auto reason = [](Duration interval, Duration seen_for) {
    GoService service;
    service.interval = interval;
    service.seen_for = seen_for;
    return estimate(service).reason;
  };
  EXPECT_EQ(reason(seconds(5), seconds(20)), "");
  EXPECT_EQ(reason(seconds(4), seconds(16)), "CollectingSamples");
  EXPECT_EQ(reason(seconds(15), seconds(60)), "");
  EXPECT_EQ(reason(seconds(15), seconds(45)), "CollectingSamples");
}

TEST(Estimators, SayOnlyWhatIsWanting) {
  // What is there already would make another message each minute, and another write of the status.
  GoService service;
  service.seen_for = seconds(10);
  EXPECT_EQ(estimate(service).message, "Collecting samples: 3 of 5 readings, 10s of 20s.");
}

TEST(Estimators, SayHowMuchIsStillToBeCollected) {
  GoService service;
  service.alloc_rate = 3e6;
  service.seen_for = seconds(35);
  const Estimation found = estimate(service);
  EXPECT_EQ(found.message,
            "Collecting samples: " +
                std::to_string(deciding::SeriesReader(service.pod(kNow, ""), service.input(kNow), kNow).cycles()) +
                " of 3 collections.");
}

TEST(Estimators, SayThatThePodsWarmUp) {
  GoService service;
  service.seen_for = seconds(35);
  DecideInput input = service.input(kNow);
  input.spec.canary.warm_up = std::chrono::minutes(2);
  for (PodSeries& pod : input.observed.pods) pod.started = kNow - seconds(119);
  EXPECT_EQ(deciding::estimate(input, kNow).message,
            "The pods warm up: what is read of one counts from 2m (canary.warmUp) after its start.");
  for (PodSeries& pod : input.observed.pods) pod.started = kNow - seconds(120);
  EXPECT_THAT(deciding::estimate(input, kNow).message, ::testing::StartsWith("Collecting samples: "));
}

TEST(Estimators, SayWhenNothingTellsTheCpu) {
  GoService service;
  service.profiles = false;
  service.usage = false;
  const Estimation found = estimate(service);
  EXPECT_EQ(found.reason, "NoCpuMetrics");
  EXPECT_THAT(found.message, HasSubstr("process_cpu_seconds_total"));
}

TEST(Estimators, SeeAHeapThatGrowsSteadily) {
  GoService service;
  service.live_growth_per_second = 0.0005;
  service.seen_for = std::chrono::minutes(10);
  service.age = std::chrono::minutes(30);
  const Estimation found = estimate(service);
  ASSERT_TRUE(found.estimate);
  EXPECT_GT(found.estimate->heap_growth, 0.1);
  EXPECT_EQ(estimate(GoService{}).estimate->heap_growth, 0);
}

TEST(Estimators, TakeTheContainersCpuOverTheTimesOfItsReadings) {
  GoService service;
  service.profiles = false;
  DecideInput input = service.input(kNow);
  const double cores = service.gc_cores() + service.work_cores;
  for (PodSeries& pod : input.observed.pods) {
    // The kubelet asks every 20 s; every sample carries the latest of its readings.
    ContainerUsage latest;
    int i = 0;
    pod.samples.change_each([&](Sample& sample) {
      if (i++ % 4 == 0) {
        latest = *sample.usage;
        latest.at = sample.at - seconds(7);
        *latest.cpu_seconds -= 7 * cores;
      }
      sample.usage = latest;
    });
  }
  const Estimate found = *estimate(input).estimate;
  EXPECT_EQ(found.cpu_source, "container");
  EXPECT_NEAR(found.cpu, cores, 1e-6);
}

TEST(Estimators, PreferTheProcessToItsContainerAndNeverMixTheTwo) {
  GoService service;
  service.profiles = false;
  service.process_metrics = true;
  DecideInput input = service.input(kNow);
  // A container counts since it was made; the process's page comes late.
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) { *sample.usage->cpu_seconds += 5000; });
    for (std::size_t i = 0; i < pod.samples.size() / 2; ++i) {
      pod.samples.change(i, [&](Sample& sample) { sample.process.reset(); });
    }
  }
  const Estimate found = *estimate(input).estimate;
  EXPECT_EQ(found.cpu_source, "process");
  EXPECT_NEAR(found.cpu, service.gc_cores() + service.work_cores, 1e-6);
}

TEST(Estimators, TakeTheLiveHeapAndTheRootsAsTheRuntimeTellsThem) {
  GoService service;
  service.process_metrics = true;
  service.roots = mib(8);
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) {
      sample.process->heap_live = service.live;
      sample.process->scanned_roots = service.roots;
      sample.mem->stack_in_use = mib(1);  // says nothing of globals
    });
  }
  const Estimate found = *estimate(input).estimate;
  EXPECT_EQ(found.live_heap_source, "runtime metrics");
  EXPECT_EQ(found.live_heap, service.live);
  EXPECT_EQ(found.roots, service.roots);
  EXPECT_LT(found.live_heap_rel_error, 0.02);
}

TEST(Estimators, SeeThatTheRuntimeLimitsCollection) {
  GoService service;
  service.process_metrics = true;
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) { sample.process->limited_cycle = 3; });
  }
  EXPECT_FALSE(estimate(input).estimate->limiter_active);  // long ago
  input.observed.pods[0].samples.change_last([](Sample& sample) { sample.process->limited_cycle = 4000; });
  EXPECT_TRUE(estimate(input).estimate->limiter_active);
}

TEST(Estimators, AreSurerOfAVolumeThatTheRingTimes) {
  GoService few;
  few.seen_for = seconds(30);
  const Estimate timed = *estimate(few.input(kNow)).estimate;
  EXPECT_EQ(timed.cycle_volume_source, "GC times");
  DecideInput input = few.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) { sample.mem->pauses.clear(); });
  }
  const Estimate counted = *estimate(input).estimate;
  EXPECT_EQ(counted.cycle_volume_source, "GC count");
  EXPECT_GT(counted.cycle_volume_rel_error, timed.cycle_volume_rel_error);
}

TEST(Estimators, CountCollectionsWhereTheLoadChanges) {
  GoService service;
  service.seen_for = seconds(60);
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    // The load ends after 40 s: nothing is allocated and nothing collected from then on.
    const Sample last = pod.samples[pod.samples.size() - 5];
    for (std::size_t i = pod.samples.size() - 4; i < pod.samples.size(); ++i) {
      pod.samples.change(i, [&](Sample& sample) { sample.mem = last.mem; });
    }
  }
  const Estimate found = *estimate(input).estimate;
  EXPECT_EQ(found.cycle_volume_source, "GC count");
  EXPECT_NEAR(found.cycle_volume.value(), service.volume(), 0.03 * service.volume());
}

TEST(Estimators, BeginAnewWhenTheClockWasSetBack) {
  DecideInput input = GoService{}.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    for (std::size_t i = 0; i + 3 < pod.samples.size(); ++i) {
      pod.samples.change(i, [&](Sample& sample) { sample.at += seconds(240); });
    }
    pod.samples.erase_if([](const Sample& sample) { return sample.at > kNow; });
  }
  const auto found = estimate(input);
  EXPECT_FALSE(found.estimate);
  EXPECT_EQ(found.reason, "ClockJumped");
  EXPECT_THAT(found.message, HasSubstr("The clock was set back by"));
}

TEST(Estimators, BeginAnewWhenTheClockWentAhead) {
  DecideInput input = GoService{}.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    for (std::size_t i = 0; i + 4 < pod.samples.size(); ++i) {
      pod.samples.change(i, [&](Sample& sample) { sample.at -= seconds(240); });
    }
  }
  const auto found = estimate(input);
  EXPECT_FALSE(found.estimate);
  EXPECT_EQ(found.reason, "ClockJumped");
  EXPECT_THAT(found.message, HasSubstr("went ahead by 4m"));
}

TEST(Estimators, GoOnWithWhatCameAfterTheJump) {
  GoService service;
  DecideInput input = service.input(kNow);
  for (PodSeries& pod : input.observed.pods) {
    for (std::size_t i = 0; i < pod.samples.size() / 3; ++i) {
      pod.samples.change(i, [&](Sample& sample) { sample.at -= seconds(240); });
    }
  }
  const auto found = estimate(input);
  ASSERT_TRUE(found.estimate);
  EXPECT_NEAR(found.estimate->alloc_rate, service.alloc_rate, 0.01 * service.alloc_rate);
  EXPECT_LT(found.estimate->window, seconds(240));
}

}  // namespace
}  // namespace gopacer
