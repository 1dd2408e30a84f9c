#include "decide/pod_estimate.h"

#include <gmock/gmock.h>

#include <cmath>

#include "decide/go_service.h"

namespace gopacer::deciding {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::kNow;

/// A pod that was read every ten seconds for five minutes. It allocates 10 MiB a second and collects every ten seconds,
/// one second before it is read; 100 MiB live, and 10 MiB of roots are scanned besides, so that GOGC=100 makes a goal
/// of 210 MiB. Of 260 MiB that Go has, 230 are mapped; the container has 20 more and uses half a core.
PodSeries pod() {
  PodSeries out;
  out.pod = "checkout-1";
  out.started = kNow - minutes(60);
  out.memory_limit = mib(512);
  out.cpu_limit = 1;
  for (int i = 0; i <= 30; ++i) {
    Sample sample;
    sample.at = kNow - seconds(300 - 10 * i);
    MemStats& mem = sample.mem.emplace();
    mem.total_alloc = mib(1000) + mib(100) * i;
    mem.num_gc = 100 + static_cast<std::uint32_t>(i);
    mem.next_gc = mib(210);
    mem.heap_alloc = mib(150);
    mem.sys = mib(260);
    mem.heap_idle = mib(100);
    mem.heap_released = mib(30);
    mem.stack_in_use = mib(40);
    for (int ago = 391; ago > 0; ago -= 10) mem.pauses.push_back({sample.at - seconds(ago), milliseconds(1)});
    ContainerUsage& usage = sample.usage.emplace();
    usage.anonymous = mib(250);
    usage.shared = Bytes(0);
    usage.working_set = mib(300);
    usage.cpu_seconds = 5.0 * i;
    out.samples.push_back(sample);
  }
  return out;
}

/// `change` is given each sample and its number.
template <typename Change>
PodSeries changed(PodSeries pod, const Change& change) {
  for (std::size_t i = 0; i < pod.samples.size(); ++i) {
    pod.samples.change(i, [&](Sample& sample) { change(sample, static_cast<int>(i)); });
  }
  return pod;
}
template <typename Change>
PodSeries changed(const Change& change) {
  return changed(pod(), change);
}

const DecideInput kPlain;

SeriesReader reader_of(const PodSeries& pod) { return {pod, kPlain, kNow}; }
PodEstimate read(const PodSeries& pod) { return reader_of(pod).read(); }
double in_mib(double bytes) { return bytes / mib(1).value(); }

TEST(PodEstimate, SaysWhatOnePodDoes) {
  const PodEstimate found = read(pod());
  EXPECT_EQ(found.seconds, 300);
  EXPECT_EQ(found.cycles, 30U);
  EXPECT_EQ(found.forced, 0U);
  EXPECT_NEAR(in_mib(found.alloc_rate), 10, 1e-9);
  EXPECT_NEAR(found.alloc_rate_error, 0.01, 1e-12);
  EXPECT_NEAR(in_mib(found.volume), 100, 1e-6);
  EXPECT_NEAR(in_mib(found.live), 100, 1e-6);
  EXPECT_NEAR(in_mib(found.highest_live), 100, 1e-6);
  EXPECT_NEAR(found.live_error, 0.02, 1e-12);
  EXPECT_NEAR(in_mib(found.goal), 210, 1e-6);
  EXPECT_NEAR(in_mib(found.roots), 10, 1e-6) << "a quarter of what stacks have";
  EXPECT_NEAR(in_mib(found.non_heap), 260 - 100 - 150, 1e-6);
  EXPECT_NEAR(in_mib(found.mapped), 260 - 30, 1e-6);
  EXPECT_NEAR(in_mib(found.peak), 250, 1e-6);
  EXPECT_NEAR(in_mib(*found.non_go), 20, 1e-6);
  EXPECT_EQ(found.memory_source, "container");
  EXPECT_NEAR(*found.cpu, 0.5, 1e-9);
  EXPECT_EQ(found.cpu_source, "container");
  EXPECT_NEAR(found.cpu_error, 0.02, 1e-12);
  EXPECT_EQ(found.max_procs, 2) << "as Go derives it from a limit of one core";
  EXPECT_EQ(found.limit, mib(512));
  EXPECT_EQ(found.growth, 0);
  EXPECT_EQ(found.spike, 0);
  EXPECT_EQ(found.ballast, 0);
  EXPECT_FALSE(found.limit_rules);
}

TEST(PodEstimate, LeavesOutWhatAProcessDidWithOtherSettings) {
  const auto told_by = [](int since) {
    return changed([since](Sample& sample, int i) {
      ProcessMetrics& process = sample.process.emplace();
      process.gogc = Gogc(i < since ? 400 : 100);
      // With the larger heap it allocated and collected quite otherwise.
      if (i < since) sample.mem->next_gc = mib(900);
    });
  };
  const auto samples_of = [](const PodSeries& pod) { return reader_of(pod).samples(); };
  EXPECT_EQ(samples_of(told_by(12)), 19U);
  EXPECT_EQ(samples_of(told_by(0)), 31U);
  EXPECT_EQ(samples_of(told_by(30)), 1U);
  const PodSeries silent = changed([](Sample& sample, int i) {
    if (i % 2 == 0) sample.process.emplace().gogc = Gogc(100);
  });
  EXPECT_EQ(samples_of(silent), 31U) << "a reading that tells nothing speaks for nothing";
}

TEST(PodEstimate, LeavesTheWarmUpAndWhatIsOlderThanTenMinutesOut) {
  PodSeries young = pod();
  young.started = kNow - seconds(300);
  DecideInput input;
  input.spec.canary.warm_up = seconds(120);
  EXPECT_EQ(SeriesReader(young, input, kNow).seconds(), 180);
  EXPECT_EQ(SeriesReader(pod(), kPlain, kNow + seconds(400)).seconds(), 200);
  EXPECT_EQ(SeriesReader(pod(), kPlain, kNow - seconds(100)).seconds(), 200) << "what is yet to come";
  EXPECT_EQ(SeriesReader(pod(), kPlain, kNow + seconds(600)).seconds(), 0);
}

TEST(PodEstimate, CountsNoCollectionsOverTwoProcesses) {
  EXPECT_EQ(reader_of(pod()).cycles(), 30U);
  const auto last = [](const auto& change) {
    PodSeries series = pod();
    series.samples.change(0, [](Sample& sample) { sample.mem->num_forced_gc = 3; });
    series.samples.change_last([](Sample& sample) { sample.mem->num_forced_gc = 3; });
    series.samples.change_last(change);
    return reader_of(series).cycles();
  };
  EXPECT_EQ(last([](Sample&) {}), 30U);
  EXPECT_EQ(last([](Sample& sample) { sample.mem->num_gc = 99; }), 0U);
  EXPECT_EQ(last([](Sample& sample) { sample.mem->num_forced_gc = 2; }), 0U);
  EXPECT_EQ(last([](Sample& sample) { sample.mem->total_alloc = mib(999); }), 0U);
  PodSeries once = pod();
  once.samples.erase_if([](const Sample& sample) { return sample.at < kNow; });
  EXPECT_EQ(reader_of(once).cycles(), 0U);
}

TEST(PodEstimate, TakesTheVolumeFromTheTimesOfCollectionsWhereTheRingHoldsThemAll) {
  EXPECT_EQ(read(pod()).volume_source, "GC times");
  EXPECT_NEAR(read(pod()).volume_error, 0.01, 1e-12);
  const auto with_ring = [](int entries) {
    return read(changed([&](Sample& sample, int) {
      auto& ring = sample.mem->pauses;
      ring.erase(ring.begin(), ring.end() - entries);
    }));
  };
  EXPECT_EQ(with_ring(32).volume_source, "GC times");
  EXPECT_EQ(with_ring(31).volume_source, "GC count") << "the oldest entry may be of before";
  EXPECT_NEAR(with_ring(31).volume_error, 1.0 / 30, 1e-12);
  EXPECT_NEAR(in_mib(with_ring(31).volume), 100, 1e-6);
}

TEST(PodEstimate, TakesTheVolumeFromTheirNumberWhereTheLoadChanges) {
  // Two readings with nothing, then two with twice as much.
  const PodEstimate found = read(changed([](Sample& sample, int i) {
    const int doubled = i / 4 * 4 + std::max(0, i % 4 - 2) * 2;
    sample.mem->total_alloc = mib(1000) + mib(100) * doubled;
  }));
  EXPECT_EQ(found.volume_source, "GC count");
  EXPECT_GT(found.alloc_rate_error, 0.1);
}

TEST(PodEstimate, KnowsTheTimersCollectionsByTheirDistance) {
  const auto with_gap_of = [](Duration gap) {
    return read(changed([&](Sample& sample, int i) {
      if (i < 30) return;
      sample.mem->pauses = {{kNow - seconds(500), {}}, {kNow - seconds(400), {}}};
      for (const Duration ago : {gap + seconds(1), Duration(seconds(1))})
        sample.mem->pauses.push_back({kNow - ago, {}});
    }));
  };
  EXPECT_EQ(with_gap_of(seconds(118)).forced, 2U);
  EXPECT_EQ(with_gap_of(seconds(117)).forced, 1U) << "the other one came 282 s after the one before";
  EXPECT_EQ(with_gap_of(seconds(299)).forced, 1U) << "what ended before the window is not counted";
}

TEST(PodEstimate, CountsNoMoreForcedCollectionsThanThereWere) {
  const PodEstimate found = read(changed([](Sample& sample, int i) {
    sample.mem->num_gc = 100 + static_cast<std::uint32_t>(i / 10);
    sample.mem->num_forced_gc = static_cast<std::uint32_t>(i);
  }));
  EXPECT_EQ(found.cycles, 3U);
  EXPECT_EQ(found.forced, 3U);
}

TEST(PodEstimate, TakesTheVolumeFromTheGoalWhereTheProgramAsksForCollections) {
  const PodEstimate found = read(changed([](Sample& sample, int i) {
    sample.mem->num_gc += static_cast<std::uint32_t>(i);
    sample.mem->num_forced_gc = static_cast<std::uint32_t>(i);
  }));
  EXPECT_EQ(found.volume_source, "heap goal");
  EXPECT_NEAR(in_mib(found.volume), 110, 1e-6) << "and not the 50 MiB between two collections";
  EXPECT_NEAR(found.volume_error, std::hypot(0.15, 0.02), 1e-12);
}

TEST(PodEstimate, TakesAFewForcedCollectionsForAnError) {
  const PodEstimate found = read(changed([](Sample& sample, int i) {
    sample.mem->num_gc = 100 + static_cast<std::uint32_t>(2 * i);
    sample.mem->num_forced_gc = static_cast<std::uint32_t>(i / 10);
  }));
  EXPECT_EQ(found.volume_source, "GC count");
  EXPECT_GE(found.volume_error, 3.0 / 60);
}

TEST(PodEstimate, SeesForcedCollectionsThatNobodyCounts) {
  const auto collected = [](std::uint32_t each) {
    return read(changed([&](Sample& sample, int i) {
      sample.mem->num_gc = 100 + each * static_cast<std::uint32_t>(i);
      sample.mem->counts_forced = false;
      sample.mem->pauses.clear();
    }));
  };
  const PodEstimate usual = collected(1);
  EXPECT_EQ(usual.forced, 0U);
  const PodEstimate often = collected(4);
  EXPECT_GT(often.forced, often.cycles / 2);
  EXPECT_EQ(often.volume_source, "heap goal");
  EXPECT_NEAR(in_mib(often.volume), 110, 1e-6);
}

PodSeries limited(PodSeries pod) {
  pod.settings = {Gogc(400), mib(210)};
  // 200 of 210 MiB for the heap, less 3 %: a goal of 194 MiB.
  return changed(std::move(pod), [](Sample& sample, int) {
    sample.mem->next_gc = mib(194);
    sample.mem->sys = mib(240);
  });
}

TEST(PodEstimate, TakesTheLiveHeapFromTheVolumeWhereTheLimitRules) {
  PodSeries series = limited(pod());
  // 260 − 100 − 150 were 10 MiB beside the heap; now 240 − 80 − 150.
  series = changed(std::move(series), [](Sample& sample, int) { sample.mem->heap_idle = mib(80); });
  const PodEstimate found = read(series);
  EXPECT_TRUE(found.limit_rules);
  EXPECT_NEAR(in_mib(found.live), 94, 1e-6);
  EXPECT_NEAR(in_mib(found.volume), 100, 1e-6);
  EXPECT_EQ(found.live_source, "heap goal and GC volume");
  EXPECT_NEAR(found.live_error, 0.10, 1e-12);
  const PodEstimate fuller =
      read(changed(series, [](Sample& sample, int i) { sample.mem->heap_alloc = mib(i == 7 ? 80 : 150); }));
  EXPECT_NEAR(in_mib(fuller.live), 80, 1e-6) << "what lives was never more than the heap was seen to hold";
  EXPECT_NEAR(in_mib(fuller.highest_live), 80, 1e-6);
}

TEST(PodEstimate, SeesByMostOfTheGoalsWhetherTheLimitRules) {
  const auto with_goals_at_the_limit = [](int count) {
    PodSeries series = limited(pod());
    return read(changed(std::move(series), [&](Sample& sample, int i) {
      sample.mem->heap_idle = mib(80);
      if (i >= count) sample.mem->next_gc = mib(150);
    }));
  };
  EXPECT_TRUE(with_goals_at_the_limit(16).limit_rules) << "of 31";
  EXPECT_FALSE(with_goals_at_the_limit(15).limit_rules);
}

TEST(PodEstimate, TakesTheRuntimesOwnWordForTheLiveHeap) {
  const auto told = [](int times) {
    return read(changed([&](Sample& sample, int i) {
      sample.process.emplace();
      if (i < times) sample.process->heap_live = mib(i % 2 == 0 ? 90 : 70);
    }));
  };
  EXPECT_EQ(told(16).live_source, "runtime metrics");
  EXPECT_NEAR(in_mib(told(16).live), 80, 1e-6);
  EXPECT_NEAR(in_mib(told(16).highest_live), 90, 1e-6);
  // Sixteen of 80 ± 10: √(1600/15/16)/80.
  EXPECT_NEAR(told(16).live_error, std::hypot(0.01, std::sqrt(1600.0 / 15 / 16) / 80), 1e-9);
  EXPECT_EQ(told(15).live_source, "heap goal") << "less than half of the time";
}

TEST(PodEstimate, TakesWhatTheProcessSaysForWhatIsInForce) {
  PodSeries series = pod();
  series.settings = {Gogc(100), mib(400)};
  const PodEstimate found = read(changed(series, [](Sample& sample, int) {
    sample.process.emplace();
    sample.process->gogc = Gogc(150);
    sample.process->go_mem_limit = mib(300);
    sample.process->go_version = "go1.22.3";
    sample.process->max_procs = 7;
  }));
  EXPECT_EQ(found.settings, (Settings{Gogc(150), mib(300)}));
  EXPECT_EQ(found.go_version, "go1.22.3");
  EXPECT_EQ(found.max_procs, 7);
  const PodEstimate silent = read(changed(series, [](Sample& sample, int) { sample.process.emplace(); }));
  EXPECT_EQ(silent.settings, series.settings);
  const PodEstimate old = read(changed(series, [](Sample& sample, int) {
    sample.process.emplace();
    sample.process->go_version = "go1.18";
  }));
  EXPECT_EQ(old.settings, (Settings{Gogc(100), {}}));
}

TEST(PodEstimate, SeesTheLimiterWhereItsLastCycleMoves) {
  const auto limiter = [](std::optional<double> first, std::optional<double> last) {
    return read(changed([&](Sample& sample, int i) {
             sample.process.emplace();
             sample.process->limited_cycle = i == 0 ? first : last;
           }))
        .limiter_active;
  };
  EXPECT_TRUE(limiter(3, 4));
  EXPECT_FALSE(limiter(4, 4));
  EXPECT_FALSE(limiter(std::nullopt, 4));
  EXPECT_FALSE(limiter(3, std::nullopt));
}

TEST(PodEstimate, PrefersTheProcesssCpuAndKnowsTheErrorOfEachSource) {
  const auto with = [](double cpu, double busy, bool usage, bool profile) {
    return read(changed([=](Sample& sample, int i) {
      sample.process.emplace();
      if (cpu > 0) sample.process->cpu_seconds = cpu * 10 * i;
      if (busy > 0) sample.process->busy_cpu_seconds = busy * 10 * i;
      if (!usage) sample.usage.reset();
      if (!profile) return;
      sample.profile.emplace();
      sample.profile->length = seconds(5);
      sample.profile->total_cpu_seconds = 2;
      sample.profile->gc_cpu_seconds = 0.5;
      sample.profile->stacks = 100;
    }));
  };
  EXPECT_NEAR(*with(0.7, 0.9, true, true).cpu, 0.7, 1e-9);
  EXPECT_EQ(with(0.7, 0.9, true, true).cpu_source, "process");
  EXPECT_EQ(with(0.7, 0.9, true, true).cpu_error, 0.01);
  EXPECT_EQ(with(0, 0.9, true, true).cpu_source, "container");
  EXPECT_EQ(with(0, 0.9, false, true).cpu_source, "CPU profile");
  EXPECT_NEAR(*with(0, 0.9, false, true).cpu, 0.4, 1e-9) << "2 s of 5";
  EXPECT_NEAR(with(0, 0.9, false, true).cpu_error, 1 / std::sqrt(3100), 1e-9);
  EXPECT_EQ(with(0, 0.9, false, false).cpu_source, "runtime metrics");
  EXPECT_NEAR(*with(0, 0.9, false, false).cpu, 0.9, 1e-9);
  EXPECT_EQ(with(0, 0.9, false, false).cpu_error, 0.25);
  EXPECT_FALSE(with(0, 0, false, false).cpu);
}

TEST(PodEstimate, SetsAProfileAgainstTheCpuOfItsTime) {
  // A whole core in the first half, none later; a profile at the end of the first half, of 0.25 s in 5.
  const PodEstimate found = read(changed([](Sample& sample, int i) {
    sample.usage->cpu_seconds = std::min(10.0 * i, 150.0);
    if (i != 15) return;
    sample.profile.emplace();
    sample.profile->length = seconds(5);
    sample.profile->total_cpu_seconds = 4;
    sample.profile->gc_cpu_seconds = 0.5;
    sample.profile->stacks = 400;
  }));
  EXPECT_NEAR(found.profiled.share(), 0.5 / 5, 1e-9);
}

TEST(PodEstimate, TakesTheFractionOfTheTimeThatTheProcessHasRun) {
  const auto by_fraction = [](const PodSeries& series) { return read(series).gc_by_fraction; };
  // 3 % of two processors over all of the time.
  const PodSeries series = changed([](Sample& sample, int) { sample.mem->gc_cpu_fraction = 0.03; });
  EXPECT_NEAR(by_fraction(series).value(), 0.06, 1e-9);
  PodSeries restarted = changed(series, [](Sample& sample, int) {
    sample.process.emplace();
    sample.process->started = kNow - minutes(20);
  });
  EXPECT_NEAR(by_fraction(restarted).value(), 0.06, 1e-9);
  restarted.samples.change_last([](Sample& sample) { sample.mem->gc_cpu_fraction = 0.04; });
  // 0.04·1199 − 0.03·899 over 300 s.
  EXPECT_NEAR(by_fraction(restarted).value(), 2 * (0.04 * 1199 - 0.03 * 899) / 300, 1e-9);
  PodSeries unknown = series;
  unknown.cpu_limit.reset();
  EXPECT_FALSE(by_fraction(unknown)) << "of how many processors is not known";
  unknown = series;
  unknown.started = {};
  EXPECT_FALSE(by_fraction(unknown)) << "nor since when";
  EXPECT_FALSE(by_fraction(changed(series, [](Sample& sample, int) { sample.mem->pauses.clear(); })));
}

TEST(PodEstimate, SeesWhatIsOutsideGo) {
  const PodEstimate found = read(changed([](Sample& sample, int i) {
    sample.usage->anonymous = mib(i == 12 ? 290 : i == 13 ? 270 : 240);
    sample.usage->limit = mib(300);
  }));
  EXPECT_NEAR(in_mib(*found.non_go), 60, 1e-6);
  EXPECT_NEAR(in_mib(found.spike), 50, 1e-6) << "from 10 to 60 MiB";
  EXPECT_NEAR(in_mib(found.peak), 290, 1e-6);
  EXPECT_EQ(found.limit, mib(300)) << "as the container really has it";
  const PodEstimate less = read(changed([](Sample& sample, int) { sample.usage->anonymous = mib(200); }));
  EXPECT_EQ(less.non_go, 0) << "pages that are mapped and not yet touched";
}

TEST(PodEstimate, SetsTheContainersReadingAgainstTheHeapOfThatTime) {
  // Each reading is 11 s old, and so the heap's of one sample before; the heap has given memory back since.
  const PodEstimate found = read(changed([](Sample& sample, int i) {
    sample.usage->at = sample.at - seconds(11);
    sample.usage->anonymous = mib(i == 16 ? 250 : 260);
    sample.mem->heap_released = mib(i >= 15 ? 30 : 20);
  }));
  EXPECT_NEAR(in_mib(*found.non_go), 30, 1e-6)
      << "260 of the 250 and 240 that were mapped, not of what was a moment later";
  const PodEstimate steady = read(changed([](Sample& sample, int i) {
    sample.usage->at = sample.at - seconds(11);
    sample.usage->anonymous = mib(i >= 16 ? 250 : 260);
    sample.mem->heap_released = mib(i >= 15 ? 30 : 20);
  }));
  EXPECT_NEAR(in_mib(*steady.non_go), 20, 1e-6);
  EXPECT_NEAR(in_mib(steady.spike), 0, 1e-6) << "nothing outside of Go has changed";
}

TEST(PodEstimate, KnowsFromWhichGoOnGomaxprocsFollowsTheLimit) {
  const auto procs_of = [](const char* version) {
    return read(changed([&](Sample& sample, int) { sample.process.emplace().go_version = version; })).max_procs;
  };
  EXPECT_EQ(procs_of("go1.25.0"), 2);
  EXPECT_EQ(procs_of("devel"), 2) << "as a new one";
  EXPECT_EQ(procs_of("go1.24.7"), 0) << "the node's number of CPUs, which nobody tells";
}

GcProfile counted_profile(double gc_cpu_seconds, std::optional<int> collections) {
  GcProfile profile;
  profile.length = seconds(30);
  profile.total_cpu_seconds = 15;
  profile.gc_cpu_seconds = gc_cpu_seconds;
  profile.stacks = 1500;
  profile.collections = collections;
  return profile;
}

TEST(PodEstimate, KeepsEarlierProfilesApartFromThoseOfTheWindow) {
  PodSeries pod = changed([](Sample& sample, int i) {
    if (i == 12) sample.profile = counted_profile(1.5, 3);
    if (i == 15) sample.profile = counted_profile(9, std::nullopt);
  });
  EXPECT_EQ(read(pod).profiled.profiles(), 2);
  EXPECT_EQ(read(pod).profiled.collections(), 3);
  EXPECT_TRUE(read(pod).earlier.empty());
  GcProfile warm = counted_profile(2.5, 5);
  warm.began = pod.started + std::chrono::hours(1);
  GcProfile cold = counted_profile(20, 5);
  cold.began = pod.started + seconds(1);
  pod.earlier_profiles = {cold, warm};
  EXPECT_NEAR(*read(pod).earlier.per_collection(), 2.5 / 5, 1e-9) << "but for what was taken in the warm-up";
  pod.started = kNow - std::chrono::hours(9);
  pod.earlier_profiles[0].began = kNow - std::chrono::hours(2);
  EXPECT_NEAR(*read(pod).earlier.per_collection(), 2.5 / 5, 1e-9) << "nor what is older than an hour";
  EXPECT_EQ(read(pod).profiled.profiles(), 2) << "how the CPU is shared is of now";
}

TEST(PodEstimate, SeesWhatGrowsOutsideGo) {
  const auto growing = [](double mib_a_second) {
    return read(changed([&](Sample& sample, int i) { sample.usage->anonymous = mib(250 + mib_a_second * 10 * i); }));
  };
  EXPECT_NEAR(in_mib(growing(0.1).non_go_growth), 0.1, 1e-6);
  EXPECT_EQ(growing(-0.05).non_go_growth, 0) << "what shrinks needs no room";
}

TEST(PodEstimate, TakesTheProcesssMemoryElseItsMappingsWhereNoContainerIsRead) {
  const PodSeries bare = changed([](Sample& sample, int) {
    sample.usage.reset();
    sample.process.emplace();
  });
  EXPECT_EQ(read(bare).memory_source, "");
  EXPECT_FALSE(read(bare).non_go);
  EXPECT_NEAR(in_mib(read(bare).peak), 230, 1e-6);
  const PodEstimate resident = read(changed(bare, [](Sample& sample, int) { sample.process->resident = mib(255); }));
  EXPECT_EQ(resident.memory_source, "process");
  EXPECT_NEAR(in_mib(*resident.non_go), 25, 1e-6);
}

TEST(PodEstimate, SeesABallastByWhatTheHeapHoldsBeyondTheContainersMemory) {
  const auto ballast = [](double heap, double whole) {
    return in_mib(read(changed([&](Sample& sample, int) {
                    sample.mem->heap_alloc = mib(heap);
                    sample.usage->anonymous = mib(whole);
                  })).ballast);
  };
  EXPECT_NEAR(ballast(200, 150), 50, 1e-6);
  EXPECT_NEAR(ballast(182, 150), 32, 1e-6);
  EXPECT_EQ(ballast(181, 150), 0) << "of readings at different times";
  EXPECT_NEAR(ballast(260, 150), 100, 1e-6) << "no more than what lives";
  const PodEstimate large = read(changed([](Sample& sample, int) {
    sample.mem->next_gc = mib(810);  // 400 MiB live, of which a fifth are 80
    sample.mem->heap_alloc = mib(500);
    sample.usage->anonymous = mib(421);
  }));
  EXPECT_EQ(large.ballast, 0);
}

TEST(PodEstimate, SeesALiveHeapThatGrows) {
  const PodEstimate found = read(changed([](Sample& sample, int i) { sample.mem->next_gc = mib(200 + i); }));
  EXPECT_NEAR(found.growth, 30.0 / 215, 1e-6) << "30 MiB of a mean goal of 215";
}

TEST(SelfTuned, IsAPaceThatGogcDoesNotExplain) {
  // The volume over goal − M, which is 110 MiB.
  const auto told = [](double mib_a_cycle) {
    const PodSeries series = changed([&](Sample& sample, int i) { sample.mem->total_alloc = mib(mib_a_cycle * i); });
    SeriesReader reader = reader_of(series);
    reader.read();
    return reader.self_tuned();
  };
  EXPECT_EQ(told(67), "") << "0.61";
  EXPECT_NE(told(65), "") << "0.59";
  EXPECT_EQ(told(153), "") << "1.39";
  EXPECT_NE(told(155), "") << "1.41";
  // 100·60/(210 − 60 + 10) = 37.5.
  EXPECT_THAT(told(60), HasSubstr("Pod checkout-1 collects as if GOGC were about 37 although"));
}

TEST(SelfTuned, IsAHeapThatIsOftenSmallerThanWhatGogcSaysLives) {
  const auto told = [](int times, double heap) {
    const PodSeries series =
        changed([&](Sample& sample, int i) { sample.mem->heap_alloc = mib(i < times ? heap : 150); });
    SeriesReader reader = reader_of(series);
    reader.read();
    return !reader.self_tuned().empty();
  };
  EXPECT_TRUE(told(4, 84)) << "of 100 MiB, 4 of 31 times";
  EXPECT_FALSE(told(3, 84));
  EXPECT_FALSE(told(4, 86));
}

TEST(SelfTuned, IsNotSaidWhereTheGoalsTellNothing) {
  const PodSeries tuned = changed([](Sample& sample, int i) { sample.mem->total_alloc = mib(50 * i); });
  const auto told = [](const PodSeries& series) {
    SeriesReader reader = reader_of(series);
    reader.read();
    return !reader.self_tuned().empty();
  };
  ASSERT_TRUE(told(tuned));
  // Of which GOGC=30 makes 159 MiB live: far more than the heap holds.
  PodSeries extreme = changed(tuned, [](Sample& sample, int) { sample.mem->heap_alloc = mib(120); });
  extreme.settings.gogc = Gogc(29);
  EXPECT_FALSE(told(extreme)) << "assists and the limiter decide";
  extreme.settings.gogc = Gogc(30);
  EXPECT_TRUE(told(extreme));
  extreme.settings.gogc = Gogc::off();
  EXPECT_FALSE(told(extreme));
  const PodSeries small = changed(tuned, [](Sample& sample, int) { sample.mem->heap_alloc = mib(80); });
  EXPECT_TRUE(told(small));
  EXPECT_FALSE(told(changed(small, [](Sample& sample, int i) { sample.mem->num_forced_gc = i == 30 ? 1 : 0; })))
      << "one that the program asked for may come at any time";
  const auto with_cycles = [&](std::uint32_t cycles) {
    return told(changed(tuned, [&](Sample& sample, int i) {
      sample.mem->num_gc = 100 + cycles * static_cast<std::uint32_t>(i) / 30;
      sample.mem->total_alloc = mib(50.0 * cycles * i / 30);
    }));
  };
  EXPECT_FALSE(with_cycles(9));
  EXPECT_TRUE(with_cycles(10));
  // A live heap of 31 MiB, and of 33.
  const auto with_goal = [&](double goal) {
    return told(changed(tuned, [&](Sample& sample, int i) {
      sample.mem->next_gc = mib(goal);
      sample.mem->total_alloc = mib(5 * i);
    }));
  };
  EXPECT_FALSE(with_goal(72));
  EXPECT_TRUE(with_goal(76));
}

}  // namespace
}  // namespace gopacer::deciding
