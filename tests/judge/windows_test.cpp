#include "judge/windows.h"

#include <gtest/gtest.h>

#include <cmath>

#include "gopacer/domain/idle_marking.h"
#include "trial_pods.h"

namespace gopacer::judging {
namespace {

using std::chrono::seconds;
using testing::kStart;

/// A pod that serves 20 requests a second with half a core, and whose container the kernel is asked about at `asked`.
Sample sample_at(Duration at, Duration asked, double requests) {
  Sample sample;
  sample.at = kStart + at;
  ContainerUsage usage;
  usage.at = kStart + asked;
  usage.cpu_seconds = 100 + 0.5 * to_seconds(asked);
  sample.usage = usage;
  Histogram latency = testing::empty_histogram();
  testing::observe(latency, 0.01, requests);
  sample.latency["p99"] = latency;
  return sample;
}

TEST(Windows, TakeTheKernelsCounterOverTheTimesAtWhichTheKernelWasAsked) {
  PodSeries pod;
  pod.samples = {sample_at(seconds(0), seconds(-14), 0), sample_at(seconds(10), seconds(-1), 200)};
  const auto cost = work_in({&pod}, {kStart, kStart + seconds(10)}, "p99");
  ASSERT_TRUE(cost);
  // 6.5 CPU seconds between readings that are 13 s apart, and not in the window's 10 s.
  EXPECT_NEAR(cost->cpu / cost->requests, 0.025, 1e-9);
}

TEST(Windows, SayNothingOfCpuBetweenTwoSamplesWithTheSameReading) {
  PodSeries pod;
  pod.samples = {sample_at(seconds(0), seconds(-4), 0), sample_at(seconds(10), seconds(-4), 200)};
  EXPECT_FALSE(work_in({&pod}, {kStart, kStart + seconds(10)}, "p99"));
}

TEST(Windows, SayNothingOfCpuThatStoodStillOrThatTookNoTime) {
  PodSeries still;
  still.samples = {sample_at(seconds(0), seconds(-4), 0), sample_at(seconds(10), seconds(-4), 200)};
  still.samples.change(1, [](Sample& sample) { sample.usage->at = kStart + seconds(6); });
  EXPECT_FALSE(work_in({&still}, {kStart, kStart + seconds(10)}, "p99")) << "no request is answered without any";
  PodSeries jumped;
  jumped.samples = {sample_at(seconds(0), seconds(-4), 0), sample_at(seconds(10), seconds(6), 200)};
  jumped.samples.change(1, [](Sample& sample) { sample.usage->at = kStart - seconds(4); });
  EXPECT_FALSE(work_in({&jumped}, {kStart, kStart + seconds(10)}, "p99"));
}

TEST(Windows, TakeTheKernelsCounterForOneOfTheSamplesOwnTimeWhereItHasNone) {
  PodSeries pod;
  pod.samples = {sample_at(seconds(-2), seconds(-2), 0), sample_at(seconds(10), seconds(10), 200)};
  pod.samples.change_each([](Sample& sample) { sample.usage->at = {}; });
  // Half a core over 12 s.
  EXPECT_NEAR(work_in({&pod}, {kStart, kStart + seconds(10)}, "p99")->cpu, 6, 1e-9);
}

TEST(Windows, NeverMixTheProcesssCounterWithTheKernels) {
  PodSeries pod;
  pod.samples = {sample_at(seconds(0), seconds(0), 0), sample_at(seconds(10), seconds(10), 200)};
  const auto with_process = [](Sample& sample) {
    sample.process.emplace();
    sample.process->cpu_seconds = 1000;
  };
  for (const std::size_t only : {0U, 1U}) {
    PodSeries once = pod;
    once.samples.change(only, with_process);
    EXPECT_NEAR(work_in({&once}, {kStart, kStart + seconds(10)}, "p99")->cpu, 5, 1e-9) << "the kernel told both times";
    once.samples.change(only, [](Sample& sample) { sample.usage.reset(); });
    EXPECT_FALSE(work_in({&once}, {kStart, kStart + seconds(10)}, "p99"));
  }
}

/// A pod with one reading every ten seconds, of which `fill` makes the rest.
template <typename Fill>
PodSeries read_every_ten_seconds(int readings, const Fill& fill) {
  PodSeries pod;
  pod.started = kStart - seconds(100);
  for (int i = 0; i < readings; ++i) {
    Sample sample;
    sample.at = kStart + i * seconds(10);
    fill(sample, i);
    pod.samples.push_back(sample);
  }
  return pod;
}

Window window(int from, int to) { return {kStart + seconds(from), kStart + seconds(to)}; }

PodSeries answering(double requests_per_reading, int readings = 7) {
  return read_every_ten_seconds(readings, [&](Sample& sample, int i) {
    sample.latency["p99"] = Histogram(std::map<double, double>{{0.1, requests_per_reading * i}});
    sample.process.emplace();
    sample.process->cpu_seconds = 5.0 * i;
  });
}

TEST(DueWindows, FollowEachOtherWithoutAGap) {
  const PodSeries pod = answering(10);
  const Arm arm{&pod};
  Evidence evidence;
  const auto first = take_due_windows(evidence, kStart, seconds(10), kStart + seconds(25), {&arm});
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].from, kStart);
  EXPECT_EQ(first[0].to, kStart + seconds(10));
  EXPECT_EQ(first[1].from, kStart + seconds(10));
  EXPECT_EQ(evidence.until, kStart + seconds(20));
  EXPECT_TRUE(take_due_windows(evidence, kStart, seconds(10), kStart + seconds(29), {&arm}).empty());
  EXPECT_EQ(take_due_windows(evidence, kStart, seconds(10), kStart + seconds(30), {&arm}).size(), 1U);
  EXPECT_TRUE(take_due_windows(evidence, kStart, Duration(0), kStart + seconds(90), {&arm}).empty());
}

TEST(DueWindows, WaitForEachPodOfEachArmOrForOneInterval) {
  const PodSeries quick = answering(10, 2);
  const PodSeries slow = answering(10, 1);
  const PodSeries deaf;
  for (const Arm& late : {Arm{&quick, &slow}, Arm{&quick, &deaf}, Arm{&slow, &quick}}) {
    const Arm on_time{&quick};
    Evidence evidence;
    EXPECT_TRUE(take_due_windows(evidence, kStart, seconds(10), kStart + seconds(19), {&on_time, &late}).empty());
    EXPECT_FALSE(evidence.until) << "a window that is not there yet leaves no trace";
    EXPECT_EQ(take_due_windows(evidence, kStart, seconds(10), kStart + seconds(20), {&on_time, &late}).size(), 1U);
  }
}

TEST(DueWindows, OfManyYearsAreCountedAsAMillion) {
  Evidence evidence;
  const Arm nobody;
  take_due_windows(evidence, kStart, std::chrono::milliseconds(1), kStart + std::chrono::hours(24), {&nobody});
  EXPECT_EQ(evidence.empty_windows, 1'000'000) << "of 86 million";
}

TEST(DueWindows, BeforeTheLatestThousandAreOnlyCounted) {
  const PodSeries pod = answering(10);
  const Arm arm{&pod};
  Evidence evidence;
  const auto due = take_due_windows(evidence, kStart, seconds(10), kStart + 1500 * seconds(10), {&arm});
  EXPECT_GE(due.size(), 999U);
  EXPECT_LE(due.size(), 1000U);
  EXPECT_EQ(evidence.empty_windows, 500);
  EXPECT_EQ(due.front().from, kStart + 500 * seconds(10));
  EXPECT_EQ(evidence.until, due.back().to);
}

TEST(Windows, AddUpThePodsOfAnArm) {
  const PodSeries one = answering(10);
  const PodSeries other = answering(30);
  EXPECT_EQ(latency_in({&one, &other}, window(10, 20), "p99")->count(), 40);
  EXPECT_EQ(latency_in({&one, &other}, window(10, 30), "p99")->count(), 80);
  EXPECT_FALSE(latency_in({&one}, window(10, 20), "p50"));
  EXPECT_FALSE(latency_in({}, window(10, 20), "p99"));
}

TEST(Windows, TakeTheLatestReadingsAtOrBeforeTheirEnds) {
  const PodSeries pod = answering(10);
  EXPECT_EQ(latency_in({&pod}, window(14, 39), "p99")->count(), 20) << "from the one at 10 s to the one at 30 s";
  EXPECT_FALSE(latency_in({&pod}, window(11, 19), "p99")) << "nothing was read within";
  EXPECT_FALSE(latency_in({&pod}, window(10, 19), "p99")) << "what was read at its begin is of the one before";
  EXPECT_FALSE(latency_in({&pod}, window(-10, 9), "p99")) << "nothing was read before";
}

TEST(Windows, DoNotReachBackFurtherThanTwoOfTheirLengths) {
  PodSeries pod = answering(10);
  pod.samples.erase_if([](const Sample& sample) { return sample.at > kStart && sample.at < kStart + seconds(40); });
  EXPECT_TRUE(latency_in({&pod}, window(20, 40), "p99")) << "the one at 0 s is one length old";
  EXPECT_TRUE(latency_in({&pod}, window(26, 40), "p99"));
  EXPECT_FALSE(latency_in({&pod}, window(27, 40), "p99")) << "27 s are more than twice 13 s";
  pod.samples.erase_if([](const Sample& sample) { return sample.at == kStart + seconds(40); });
  pod.samples.change(1, [](Sample& sample) { sample.at = kStart + seconds(30); });
  EXPECT_TRUE(latency_in({&pod}, window(20, 30), "p99")) << "20 s are twice 10 s";
  EXPECT_FALSE(latency_in({&pod}, window(21, 30), "p99"));
}

double cpu_per_request(const Arm& arm, const Window& within, const std::string& slo) {
  const Work work = work_in(arm, within, slo).value();
  return work.cpu / work.requests;
}

TEST(CpuPerRequest, WantsFiftyRequestsOverAllPods) {
  const PodSeries few = answering(24);
  const PodSeries enough = answering(26);
  EXPECT_FALSE(work_in({&few, &few}, window(10, 20), "p99"));
  EXPECT_DOUBLE_EQ(cpu_per_request({&few, &enough}, window(10, 20), "p99"), 10.0 / 50);
  EXPECT_DOUBLE_EQ(cpu_per_request({&enough}, window(10, 30), "p99"), 10.0 / 52);
}

TEST(CpuPerRequest, LeavesOutAPodWhoseCountersWentBack) {
  const PodSeries well = answering(60);
  PodSeries restarted = answering(60);
  restarted.samples.change(2, [](Sample& sample) { sample.process->cpu_seconds = 1; });
  PodSeries forgetful = answering(60);
  forgetful.samples.change(
      2, [](Sample& sample) { sample.latency["p99"] = Histogram(std::map<double, double>{{0.1, 5}}); });
  EXPECT_DOUBLE_EQ(cpu_per_request({&well, &restarted, &forgetful}, window(10, 20), "p99"), 5.0 / 60);
  EXPECT_FALSE(work_in({&restarted}, window(10, 20), "p99"));
}

TEST(GcShare, OfTheRuntimesMetricsIsTheirDifferenceOverTheCpuInUse) {
  const PodSeries pod = read_every_ten_seconds(4, [](Sample& sample, int i) {
    sample.process.emplace();
    sample.process->cpu_seconds = 5.0 * i;
    sample.process->gc_cpu_seconds = 100 + 0.5 * i;
  });
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 20), GcSource::kRuntimeMetrics)->share, 0.1, 1e-12);
  EXPECT_FALSE(gc_share_in({&pod}, window(0, 20), GcSource::kFraction));
  EXPECT_FALSE(gc_share_in({&pod}, window(0, 20), GcSource::kProfile));
}

TEST(GcShare, IsNothingWhereNothingWasCollected) {
  const PodSeries pod = read_every_ten_seconds(2, [](Sample& sample, int i) {
    sample.process.emplace();
    sample.process->cpu_seconds = 5.0 * i;
    sample.process->gc_cpu_seconds = 3;
    sample.mem.emplace();
  });
  const auto share = gc_share_in({&pod}, window(0, 10), GcSource::kRuntimeMetrics);
  ASSERT_TRUE(share) << "that is a finding, and no lack of one";
  EXPECT_EQ(share->share, 0);
  EXPECT_EQ(share->std_error, 0);
}

TEST(GcShare, PassesOverReadingsWithoutTheCpuInUse) {
  const PodSeries pod = read_every_ten_seconds(4, [](Sample& sample, int i) {
    sample.process.emplace();
    sample.process->gc_cpu_seconds = 0.5 * i;
    sample.usage.emplace();
    if (i != 2) sample.process->cpu_seconds = 5.0 * i;
  });
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 20), GcSource::kRuntimeMetrics)->share, 0.1, 1e-12) << "up to 10 s";
  EXPECT_FALSE(gc_share_in({&pod}, window(10, 20), GcSource::kRuntimeMetrics));
  EXPECT_NEAR(gc_share_in({&pod}, window(20, 30), GcSource::kRuntimeMetrics)->share, 0.1, 1e-12) << "from 10 s";
}

TEST(GcShare, IsOfAllPodsTogether) {
  const auto pod = [](double cores, double gc_cores) {
    return read_every_ten_seconds(3, [=](Sample& sample, int i) {
      sample.process.emplace();
      sample.process->cpu_seconds = 10 * cores * i;
      sample.process->gc_cpu_seconds = 10 * gc_cores * i;
    });
  };
  const PodSeries small = pod(0.1, 0.05);
  const PodSeries large = pod(0.9, 0.05);
  PodSeries backward = pod(0.5, 0.1);
  backward.samples.change(1, [&](Sample& sample) { sample.process->gc_cpu_seconds = -1; });
  const auto share = gc_share_in({&small, &large, &backward}, window(0, 10), GcSource::kRuntimeMetrics);
  EXPECT_NEAR(share->share, 0.1, 1e-12);
  EXPECT_FALSE(gc_share_in({&backward}, window(0, 10), GcSource::kRuntimeMetrics));
}

TEST(GcShare, IsUncertainByHalfACollection) {
  const PodSeries pod = read_every_ten_seconds(3, [](Sample& sample, int i) {
    sample.process.emplace();
    sample.process->cpu_seconds = 5.0 * i;
    sample.process->gc_cpu_seconds = 1.0 * i;
    sample.mem.emplace();
    sample.mem->num_gc = static_cast<std::uint32_t>(5 * i);
  });
  const auto share = gc_share_in({&pod}, window(0, 10), GcSource::kRuntimeMetrics);
  EXPECT_NEAR(share->share, 0.2, 1e-12);
  EXPECT_NEAR(share->std_error, 0.2 * 0.5 / 5, 1e-12);
  EXPECT_NEAR(gc_share_in({&pod, &pod}, window(0, 10), GcSource::kRuntimeMetrics)->std_error, 0.01, 1e-12);
  PodSeries unseen = pod;
  unseen.samples.change_each([&](Sample& sample) { sample.mem.reset(); });
  EXPECT_TRUE(std::isinf(gc_share_in({&unseen}, window(0, 10), GcSource::kRuntimeMetrics)->std_error));
  PodSeries restarted = pod;
  restarted.samples.change(1, [&](Sample& sample) { sample.mem->num_gc = 0; });
  restarted.samples.change(0, [&](Sample& sample) { sample.mem->num_gc = 3; });
  EXPECT_TRUE(std::isinf(gc_share_in({&restarted}, window(0, 10), GcSource::kRuntimeMetrics)->std_error));
}

/// Collection took 2 % of what GOMAXPROCS made available over the first 100 s of the process, and 6 % over the next 10.
PodSeries with_fraction() {
  return read_every_ten_seconds(2, [](Sample& sample, int i) {
    sample.process.emplace();
    sample.process->cpu_seconds = 5.0 * i;
    sample.mem.emplace();
    sample.mem->pauses.push_back({sample.at, Duration(0)});
    sample.mem->gc_cpu_fraction = i == 0 ? 0.02 : (0.02 * 100 + 0.06 * 10) / 110;
  });
}

/// 0.06 cores for each of GOMAXPROCS, of half a core in use, and with what was marked on idle CPUs.
double share(double procs) { return with_idle_marking(procs * 0.06, 0.5, procs) / 0.5; }

TEST(GcShare, OfTheFractionIsOfTheCpusThatTheProcessMayUse) {
  PodSeries pod = with_fraction();
  EXPECT_FALSE(gc_share_in({&pod}, window(0, 10), GcSource::kFraction)) << "of how many is not known";
  pod.cpu_limit = 0.5;
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 10), GcSource::kFraction)->share, share(2), 1e-9) << "Go takes two";
  pod.cpu_limit = 2.5;
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 10), GcSource::kFraction)->share, share(3), 1e-9);
  pod.samples.change_each([&](Sample& sample) { sample.process->max_procs = 4; });
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 10), GcSource::kFraction)->share, share(4), 1e-9);
  pod.samples.change_each([&](Sample& sample) { sample.mem->pauses.clear(); });
  EXPECT_FALSE(gc_share_in({&pod}, window(0, 10), GcSource::kFraction)) << "as of when is not known";
}

TEST(GcShare, OfTheFractionCountsFromTheProcessesOwnStart) {
  PodSeries pod = with_fraction();
  pod.cpu_limit = 2;
  // The container began long before: its process was restarted within.
  pod.started = kStart - seconds(5000);
  pod.samples.change_each([&](Sample& sample) { sample.process->started = kStart - seconds(100); });
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 10), GcSource::kFraction)->share, share(2), 1e-9);
  pod.samples.change_each([&](Sample& sample) { sample.process->started.reset(); });
  EXPECT_GT(gc_share_in({&pod}, window(0, 10), GcSource::kFraction).value_or(GcShare{9, 0}).share, 1.2 * share(2));
  pod.started = kStart + seconds(50);
  EXPECT_FALSE(gc_share_in({&pod}, window(0, 10), GcSource::kFraction)) << "a clock that runs ahead of the pod's";
}

TEST(GcShare, OfProfilesIsOfThoseWithinTheWindow) {
  PodSeries pod = read_every_ten_seconds(4, [](Sample& sample, int i) {
    sample.process.emplace();
    sample.process->cpu_seconds = 5.0 * i;
    GcProfile profile;
    profile.length = seconds(2);
    profile.total_cpu_seconds = 1;
    profile.gc_cpu_seconds = 0.1 * i;
    profile.stacks = 100;
    sample.profile = profile;
  });
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 10), GcSource::kProfile)->share, 0.1, 1e-9);
  EXPECT_NEAR(gc_share_in({&pod}, window(10, 20), GcSource::kProfile)->share, 0.2, 1e-9);
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 30), GcSource::kProfile)->share, 0.2, 1e-9);
  EXPECT_FALSE(gc_share_in({&pod}, window(30, 40), GcSource::kProfile));
  // The kernel says that a core was in use, twice of what the profile saw.
  pod.samples.change_each([&](Sample& sample) { *sample.process->cpu_seconds *= 2; });
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 10), GcSource::kProfile)->share, 0.05, 1e-9);
}

TEST(GcShare, OfProfilesHasTheErrorOfItsStacks) {
  const PodSeries pod = read_every_ten_seconds(2, [](Sample& sample, int i) {
    sample.process.emplace();
    sample.process->cpu_seconds = 5.0 * i;
    sample.mem.emplace();
    sample.mem->num_gc = 1'000'000 * static_cast<std::uint32_t>(i);
    sample.profile.emplace();
    sample.profile->length = seconds(2);
    sample.profile->total_cpu_seconds = 1;
    sample.profile->gc_cpu_seconds = 0.25;
    sample.profile->stacks = 100;
  });
  // 25 stacks of collection: one fifth.
  EXPECT_NEAR(gc_share_in({&pod}, window(0, 10), GcSource::kProfile)->std_error, 0.25 / 5, 1e-5);
}

TEST(GcSources, AreKnownByTheirNames) {
  for (const GcSource source : kGcSources) EXPECT_EQ(gc_source_named(to_string(source)), source);
  EXPECT_EQ(to_string(GcSource::kProfile), "CPU profile");
  EXPECT_EQ(to_string(GcSource::kRuntimeMetrics), "runtime metrics");
  EXPECT_FALSE(gc_source_named(""));
  EXPECT_EQ(to_string(GcSource::kFraction), "GCCPUFraction");
}

TEST(GcSources, TellOnceOneReadingHasTold) {
  PodSeries pod = answering(10, 3);
  EXPECT_FALSE(tells_gc_cpu(pod));
  pod.samples.change(1, [](Sample& sample) { sample.process->gc_cpu_seconds = 1; });
  EXPECT_TRUE(tells_gc_cpu(pod));
}

PodSeries collecting(std::uint32_t collections, std::uint32_t forced) {
  return read_every_ten_seconds(2, [=](Sample& sample, int i) {
    sample.mem.emplace();
    sample.mem->num_gc = 20 + collections * static_cast<std::uint32_t>(i);
    sample.mem->num_forced_gc = 5 + forced * static_cast<std::uint32_t>(i);
    sample.mem->total_alloc = mib(1000) + mib(30) * i;
    sample.mem->next_gc = mib(50);
  });
}

TEST(CycleSize, IsWhatIsAllocatedBetweenCollectionsAndWhatStays) {
  const PodSeries pod = collecting(3, 0);
  const auto size = cycle_size_in(pod, window(0, 10));
  ASSERT_TRUE(size);
  EXPECT_DOUBLE_EQ(size->volume, mib(10).value());
  EXPECT_DOUBLE_EQ(size->live, mib(40).value());
}

TEST(CycleSize, IsNotSaidOfFewOrForcedCollectionsOrOfTwoProcesses) {
  EXPECT_FALSE(cycle_size_in(collecting(2, 0), window(0, 10)));
  EXPECT_FALSE(cycle_size_in(collecting(9, 1), window(0, 10)));
  PodSeries restarted = collecting(9, 0);
  restarted.samples.change(1, [&](Sample& sample) { sample.mem->num_gc = 3; });
  EXPECT_FALSE(cycle_size_in(restarted, window(0, 10)));
  PodSeries forced_before = collecting(9, 0);
  forced_before.samples.change(1, [&](Sample& sample) { sample.mem->num_forced_gc = 4; });
  EXPECT_FALSE(cycle_size_in(forced_before, window(0, 10)));
  PodSeries still = collecting(9, 0);
  still.samples.change(1, [&](Sample& sample) { sample.mem->total_alloc = still.samples[0].mem->total_alloc; });
  EXPECT_FALSE(cycle_size_in(still, window(0, 10)));
}

TEST(CycleSize, NeverLeavesLessThanNothing) {
  PodSeries pod = collecting(3, 0);
  pod.samples.change(1, [&](Sample& sample) { sample.mem->next_gc = mib(4); });
  EXPECT_EQ(cycle_size_in(pod, window(0, 10))->live, 0);
}

TEST(Limiter, WasOnWithinTheWindowWhenItsLastCycleMoved) {
  const PodSeries pod = read_every_ten_seconds(4, [](Sample& sample, int i) {
    sample.process.emplace();
    sample.process->limited_cycle = i < 2 ? 0 : 7;
  });
  EXPECT_FALSE(limited_in(pod, window(0, 10)));
  EXPECT_TRUE(limited_in(pod, window(10, 20)));
  EXPECT_FALSE(limited_in(pod, window(20, 30)));
  EXPECT_FALSE(limited_in(answering(10), window(10, 20))) << "the process does not tell";
  PodSeries once_silent = pod;
  once_silent.samples.change(3, [](Sample& sample) { sample.process->limited_cycle.reset(); });
  EXPECT_TRUE(limited_in(once_silent, window(10, 30)));
  EXPECT_FALSE(limited_in(once_silent, window(20, 30)));
}

}  // namespace
}  // namespace gopacer::judging
