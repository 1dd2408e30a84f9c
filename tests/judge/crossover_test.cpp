#include "gopacer/judge/crossover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <numbers>
#include <random>

#include "gopacer/judge/sequential.h"
#include "judge/trial_pods.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kStart;
using testing::metric;
using testing::observe;

constexpr Duration kBlock = std::chrono::seconds(60);
constexpr Duration kPeriod = 2 * kBlock;

Crossover plan_of(int old_gogc = 100, int new_gogc = 200) {
  return {{Gogc(old_gogc), std::nullopt}, {Gogc(new_gogc), mib(430)}, kStart, kBlock};
}

/// How a pod runs under one arm's settings.
struct Behaviour {
  double cycle = 4;            ///< seconds between two collections
  double cost = 0.2;           ///< CPU seconds of a collection
  double request_cpu = 0.010;  ///< seconds of CPU that a request needs besides
  double median = 0.010;       ///< seconds that it takes
  int carry_over = 2;          ///< collections after a switch that are still as before
};

/// A pod whose settings are changed while it runs.
struct LivePod {
  PodSeries series;
  Behaviour behaviours[2];  ///< under the old settings and the new ones
  double factor = 1;        ///< of all that it does, for as long as it lives
  double requests_per_second = 40;
  double noise = 0.05;  ///< of the CPU that requests need, from reading to reading
  Histogram latency = testing::empty_histogram(1.25, 0.003, 15);
  bool tells_classes = true;
  bool obeys = true;
  Duration step = std::chrono::seconds(5);

  double cpu = 0, gc_cpu = 0, allocated = 0;
  std::uint32_t collections = 0;
  double to_next = 1;
  int left_over = 0;
  bool fresh = false;
  bool acts_fresh = false;
  std::vector<GcPause> pauses;

  explicit LivePod(const std::string& name, std::uint64_t seed = 1) : random_(seed) {
    series.pod = series.uid = name;
    series.ready = true;
    series.created = series.started = kStart - std::chrono::hours(5);
    series.memory_limit = mib(512);
    series.cpu_limit = 2;
  }

  /// The pod lives on for a step, under these settings, and is read then. `drift`: factor of all that it does.
  void go_on(const Crossover& plan, Time now, bool new_settings, double drift = 1) {
    if (new_settings != fresh) {
      fresh = new_settings;
      left_over = behaviours[fresh].carry_over;
    }
    const double seconds = to_seconds(step);
    std::normal_distribution<double> gauss;
    for (double done = 0; done < seconds;) {
      if (left_over == 0) acts_fresh = fresh;
      const Behaviour& acts = behaviours[acts_fresh];
      const double slice = std::min(to_next, seconds - done);
      work(acts, slice, drift * factor, std::max(0.1, 1 + noise * gauss(random_)));
      done += slice;
      to_next -= slice;
      if (to_next > 0) continue;
      ++collections;
      cpu += acts.cost * drift * factor;
      gc_cpu += acts.cost * drift * factor;
      pauses.push_back({now - step + std::chrono::milliseconds(static_cast<int>(done * 1000)),
                        std::chrono::microseconds(acts_fresh ? 80 : 50)});
      if (pauses.size() > 16) pauses.erase(pauses.begin());
      if (left_over > 0) --left_over;
      to_next = behaviours[left_over == 0 ? fresh : acts_fresh].cycle * (1 + 0.1 * std::tanh(gauss(random_)));
    }
    read(plan, now);
    if (series.samples.size() > 80) series.samples.pop_front();
  }

 private:
  void work(const Behaviour& acts, double seconds, double times, double noisy) {
    const double requests = requests_per_second * seconds;
    cpu += requests * acts.request_cpu * times * noisy;
    allocated += 20e6 * seconds;
    double below = 0;
    double up_to = 0;
    for (std::size_t i = 0; i < latency.counts.size(); ++i) {
      const double z = std::log((*latency.bounds)[i] / (acts.median * times)) / 0.4;
      const double share = 0.5 * std::erfc(-z / std::numbers::sqrt2);
      up_to += drawn(requests * (share - below));
      latency.counts[i] += up_to;
      below = share;
    }
  }

  /// About Poisson's distribution.
  double drawn(double mean) {
    if (mean < 1e-6) return 0;
    if (mean < 10) return std::poisson_distribution<int>(mean)(random_);
    return std::max(0.0, std::round(mean + std::sqrt(mean) * std::normal_distribution<double>()(random_)));
  }

  void read(const Crossover& plan, Time now) {
    Sample sample;
    sample.at = now;
    MemStats mem;
    mem.total_alloc = Bytes::of(allocated);
    mem.num_gc = collections;
    mem.next_gc = mib(200);
    mem.pauses = pauses;
    if (!pauses.empty()) {
      mem.gc_cpu_fraction = gc_cpu / (2 * to_seconds(pauses.back().end - series.started));
    }
    sample.mem = mem;
    ProcessMetrics process;
    const Settings& runs = fresh && obeys ? plan.to : plan.from;
    process.gogc = runs.gogc;
    process.go_mem_limit = runs.go_mem_limit;
    process.cpu_seconds = cpu;
    if (tells_classes) process.gc_cpu_seconds = gc_cpu;
    sample.process = process;
    ContainerUsage usage;
    usage.at = now;
    usage.anonymous = fresh ? mib(300) : mib(200);
    usage.working_set = *usage.anonymous;
    usage.cpu_seconds = cpu;
    usage.throttled_seconds = 1;
    sample.usage = usage;
    sample.latency["p90"] = latency;
    series.samples.push_back(sample);
  }

  std::mt19937_64 random_;
};

/// Pods that take turns, and the judge called after each period.
struct CrossoverTrial {
  explicit CrossoverTrial(int number = 4, std::uint64_t seed = 1) : name("trial-" + std::to_string(seed)) {
    Slo slo;
    slo.name = "p90";
    slo.histogram().quantile = 0.9;
    slo.max_regression_percent = 10;
    rules.slos = {slo};
    rules.measuring_since = kStart;
    rules.interval = kPeriod;
    rules.min_saving = 0.01;
    rules.pairs = number;
    rules.within_pods = true;
    for (int i = 0; i < number; ++i) {
      const std::string uid = "checkout-" + std::to_string(i);
      processes.emplace(uid, 0);
      pods.emplace_back(uid, seed * 100 + static_cast<std::uint64_t>(i));
    }
    each([](Behaviour&, Behaviour& fresh) { fresh.cycle = 8; });
  }

  void each(const std::function<void(Behaviour&, Behaviour&)>& set) {
    for (LivePod& pod : pods) set(pod.behaviours[0], pod.behaviours[1]);
  }

  void live_for(Duration time) {
    for (const Time until = now + time; now < until;) {
      const std::int64_t block = (now - kStart) / kBlock;
      now += pods.front().step;
      for (std::size_t i = 0; i < pods.size(); ++i) {
        pods[i].go_on(plan, now, runs_new(name, i, block), drift(to_seconds(now - kStart) / to_seconds(kPeriod)));
      }
    }
  }

  Observation observed() const {
    Observation observed;
    observed.at = now;
    for (const LivePod& pod : pods) observed.pods.push_back(pod.series);
    return observed;
  }
  Observation crossed() const { return crossed_over(plan, processes, observed()); }

  Verdict period() {
    live_for(kPeriod);
    const Verdict verdict = judge(rules, evidence, crossed(), now);
    evidence = verdict.evidence;
    return verdict;
  }
  Verdict run(int most) {
    Verdict verdict;
    for (int i = 0; i < most; ++i) {
      verdict = period();
      if (verdict.outcome == Outcome::kBetter || verdict.outcome == Outcome::kWorse) break;
    }
    return verdict;
  }

  std::string name;
  Crossover plan = plan_of();
  JudgePlan rules;
  std::map<std::string, int> processes;
  std::vector<LivePod> pods;
  std::function<double(double)> drift = [](double) { return 1; };
  Time now = kStart;
  Evidence evidence;
};

/// Readings of a pod that does nothing but what is said.
struct Readings {
  Readings() {
    pod.pod = pod.uid = "checkout-0";
    pod.created = pod.started = kStart - std::chrono::hours(5);
  }
  /// Until `seconds` after the begin it has ended `collections` in all and used `cpu` seconds.
  Sample& at(int seconds, bool fresh, std::uint32_t collections, double cpu) {
    Sample sample;
    sample.at = kStart + std::chrono::seconds(seconds);
    sample.mem.emplace().num_gc = collections;
    sample.process.emplace().cpu_seconds = cpu;
    sample.process->gogc = fresh ? plan.to.gogc : plan.from.gogc;
    sample.process->go_mem_limit = fresh ? plan.to.go_mem_limit : plan.from.go_mem_limit;
    samples.push_back(sample);
    return samples.back();
  }
  PodSeries arm(Track track) {
    pod.samples.clear();
    for (const Sample& sample : samples) pod.samples.push_back(sample);
    const Observation crossed = crossed_over(plan, {{pod.uid, 0}}, {samples.back().at, {pod}, {}, {}});
    EXPECT_EQ(crossed.pods.size(), 2u);
    return *judging::arm_of(crossed, track).at(0);
  }
  double cpu(Track track) {
    const Sample last = arm(track).samples.back();
    return last.process ? last.process->cpu_seconds.value_or(0) : 0;
  }

  Crossover plan = plan_of();
  PodSeries pod;
  std::vector<Sample> samples;
};

/// A block of 60 s from `begin` with a collection each ten seconds, and so many CPU seconds in ten.
void block_of(Readings& readings, int begin, bool fresh, std::uint32_t& collections, double& cpu, double rate) {
  for (int second = begin; second < begin + 60; second += 10) {
    readings.at(second, fresh, ++collections, cpu += rate);
  }
}

TEST(Crossover, IsDrawnForEachPeriodAndIsTheSameEachTime) {
  int new_first = 0;
  for (std::int64_t block = 0; block < 2000; block += 2) {
    EXPECT_NE(runs_new("a-b-c", 0, block), runs_new("a-b-c", 0, block + 1));
    new_first += runs_new("a-b-c", 0, block) ? 1 : 0;
    EXPECT_EQ(runs_new("a-b-c", 0, block), runs_new(std::string("a-b-") + "c", 0, block));
  }
  EXPECT_NEAR(new_first, 500, 60);
  std::string order;
  for (std::int64_t block = 0; block < 16; ++block) order += runs_new("a-b-c", 0, block) ? 'B' : 'A';
  EXPECT_EQ(order, "ABBABABAABBABAAB") << "a successor of another version has to go on with it";
}

TEST(Crossover, DiffersFromTrialToTrial) {
  int differ = 0;
  for (std::int64_t block = 0; block < 200; block += 2) {
    differ += runs_new("one", 0, block) != runs_new("other", 0, block) ? 1 : 0;
  }
  EXPECT_NEAR(differ, 50, 20);
}

TEST(Crossover, HasHalfOfThePodsUnderEachAtAnyMoment) {
  for (const std::size_t pods : {1u, 2u, 7u, 20u}) {
    for (std::int64_t block = 0; block < 50; ++block) {
      std::size_t fresh = 0;
      for (std::size_t rank = 0; rank < pods; ++rank) fresh += runs_new("uid", rank, block) ? 1 : 0;
      EXPECT_TRUE(fresh == pods / 2 || fresh == (pods + 1) / 2);
    }
  }
}

TEST(Crossover, GivesEachPodASeriesOfEachArmWithItsOwnAccount) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  block_of(readings, 0, false, collections, cpu, 5);
  block_of(readings, 60, true, collections, cpu, 3);
  readings.at(120, false, ++collections, cpu += 5);
  readings.samples.back().usage.emplace();
  const PodSeries old = readings.arm(Track::kBaseline);
  const PodSeries fresh = readings.arm(Track::kCanary);
  ASSERT_EQ(old.samples.size(), 2u);
  EXPECT_EQ(old.samples[0].at, kStart);
  EXPECT_EQ(old.samples[1].at, kStart + kPeriod);
  EXPECT_EQ(old.samples[0].process->cpu_seconds, 0);
  // From the reading with the second collection after the first one, at 20 s, up to that at 50 s.
  EXPECT_DOUBLE_EQ(*old.samples[1].process->cpu_seconds, 15);
  EXPECT_DOUBLE_EQ(*fresh.samples[1].process->cpu_seconds, 9);
  EXPECT_EQ(old.samples[1].mem->num_gc, 3u);
  EXPECT_EQ(fresh.settings, readings.plan.to);
  EXPECT_EQ(old.settings, readings.plan.from);
  EXPECT_EQ(old.uid, readings.pod.uid);
}

TEST(Crossover, SaysNothingWithoutPodsReadingsBlocksOrABegin) {
  CrossoverTrial trial(1);
  trial.live_for(kPeriod);
  EXPECT_TRUE(crossed_over(trial.plan, {}, trial.observed()).pods.empty());
  EXPECT_TRUE(crossed_over(trial.plan, {{"another", 0}}, trial.observed()).pods.empty());
  const auto is_empty = [&](const Crossover& plan, const Observation& observed) {
    const Observation crossed = crossed_over(plan, trial.processes, observed);
    return crossed.pods.size() == 2 && crossed.pods[0].samples.empty() && crossed.pods[1].samples.empty();
  };
  Observation unread = trial.observed();
  unread.pods[0].samples.clear();
  EXPECT_TRUE(is_empty(trial.plan, unread));
  for (const Duration block : {Duration(0), Duration(-1), Duration::min(), Duration::max()}) {
    Crossover plan = trial.plan;
    plan.block = block;
    EXPECT_TRUE(is_empty(plan, trial.observed()));
  }
  for (const Time since : {kStart + std::chrono::hours(1), Time::max(), Time::min()}) {
    Crossover plan = trial.plan;
    plan.since = since;
    EXPECT_TRUE(is_empty(plan, trial.observed()));
  }
}

TEST(Crossover, TakesNoMoreTimeForShorterBlocks) {
  CrossoverTrial trial(1);
  trial.live_for(kPeriod);
  trial.plan.block = Duration(1);
  EXPECT_LE(trial.crossed().pods.at(0).samples.size(), 2 * trial.pods[0].series.samples.size());
}

TEST(Crossover, DropsWhatTheOldSettingsLeft) {
  Readings readings;
  // The first two collections after each switch cost what they cost before.
  std::uint32_t collections = 0;
  double cpu = 0;
  for (int period = 0; period < 2; ++period) {
    for (const bool fresh : {false, true}) {
      for (int i = 0; i < 6; ++i) {
        cpu += (i <= 2) != fresh ? 5 : 1;
        readings.at(period * 120 + (fresh ? 60 : 0) + i * 10, fresh, ++collections, cpu);
      }
    }
  }
  readings.at(240, false, ++collections, cpu);
  EXPECT_DOUBLE_EQ(readings.cpu(Track::kBaseline), 2 * 3);
  EXPECT_DOUBLE_EQ(readings.cpu(Track::kCanary), 2 * 15);
}

TEST(Crossover, CountsWholeCyclesOnly) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  block_of(readings, 0, false, collections, cpu, 5);
  for (const int second : {60, 70, 80, 90, 100, 110}) {
    // A collection each twenty seconds: the last one ends before the reading at 100 s.
    if (second % 20 == 0) ++collections;
    readings.at(second, true, collections, cpu += 4);
  }
  const int ends = 110;
  readings.at(120, false, collections, cpu);
  EXPECT_DOUBLE_EQ(readings.cpu(Track::kCanary), 0) << "two collections after that at 60 s, and none after them";
  readings.samples[static_cast<std::size_t>(ends / 10)].mem->num_gc += 1;
  EXPECT_DOUBLE_EQ(readings.cpu(Track::kCanary), 4) << "from 100 s to 110 s";
}

TEST(Crossover, LetsTheLongerStretchCountForNoMoreThanTheShorterOne) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  double requests = 0;
  const auto read = [&](int second, bool fresh) {
    Sample& sample = readings.at(second, fresh, collections, cpu += 5);
    sample.latency["p90"] = testing::empty_histogram();
    observe(sample.latency["p90"], 0.010, requests += 1000);
  };
  for (int i = 0; i < 6; ++i) ++collections, read(i * 10, false);
  for (int i = 6; i < 12; ++i) collections += i == 7 ? 0 : 1, read(i * 10, true);
  read(120, false);
  const Sample old = readings.arm(Track::kBaseline).samples.back();
  const Sample fresh = readings.arm(Track::kCanary).samples.back();
  EXPECT_DOUBLE_EQ(*old.process->cpu_seconds, 10) << "15 s of CPU in 30 s, as of 20 s";
  EXPECT_DOUBLE_EQ(*fresh.process->cpu_seconds, 10);
  EXPECT_NEAR(old.latency.at("p90").count(), 2000, 1e-3);
  EXPECT_NEAR(fresh.latency.at("p90").count(), 2000, 1e-3);
  EXPECT_EQ(old.mem->num_gc, 3u) << "as many as there were";
}

TEST(Crossover, GivesNoDataWhereABlockHasTooFewCollections) {
  CrossoverTrial trial;
  trial.each([](Behaviour&, Behaviour& fresh) { fresh.cycle = 45, fresh.carry_over = 0; });
  const Verdict verdict = trial.run(8);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_EQ(verdict.evidence.windows, 0);
  EXPECT_EQ(verdict.evidence.canary_requests + verdict.evidence.baseline_requests, 0);
}

TEST(Crossover, TakesSettingsThatNeverCameInForceForNoDataAndNotForEquality) {
  CrossoverTrial trial;
  for (LivePod& pod : trial.pods) pod.obeys = false;
  const Verdict verdict = trial.run(25);
  EXPECT_EQ(verdict.outcome, Outcome::kNoData);
  EXPECT_EQ(verdict.evidence.windows, 0);
}

TEST(Crossover, CannotTellApartWhatIsAboutEqual) {
  CrossoverTrial trial;
  trial.plan.to = {Gogc(103), std::nullopt};
  EXPECT_EQ(trial.run(6).outcome, Outcome::kNoData);
}

TEST(Crossover, TakesAnUnsetGogcForGosDefault) {
  CrossoverTrial trial;
  trial.plan.from = {};
  trial.period();
  EXPECT_EQ(trial.evidence.windows, 1);
}

TEST(Crossover, LeavesOutAPeriodThatHasOneArmOnly) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  block_of(readings, 0, false, collections, cpu, 5);
  block_of(readings, 60, false, collections, cpu, 5);
  block_of(readings, 120, true, collections, cpu, 3);
  block_of(readings, 180, false, collections, cpu, 5);
  readings.at(240, false, ++collections, cpu);
  const PodSeries old = readings.arm(Track::kBaseline);
  ASSERT_EQ(old.samples.size(), 3u);
  EXPECT_EQ(old.samples[1].process->cpu_seconds, 0);
  EXPECT_EQ(old.samples[1].mem->num_gc, 0u);
  EXPECT_DOUBLE_EQ(*old.samples[2].process->cpu_seconds, 15);
}

TEST(Crossover, LeavesOutAPeriodInWhichOneCounterIsMissing) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  for (const int begin : {0, 120}) {
    block_of(readings, begin, false, collections, cpu, 5);
    block_of(readings, begin + 60, true, collections, cpu, 3);
  }
  readings.at(240, false, ++collections, cpu);
  double gc = 0;
  for (Sample& sample : readings.samples) sample.process->gc_cpu_seconds = gc += 1;
  readings.samples[5].process->gc_cpu_seconds.reset();  // at the end of the first block's stretch
  const Sample last = readings.arm(Track::kCanary).samples.back();
  EXPECT_DOUBLE_EQ(*last.process->cpu_seconds, 9) << "or collection's share of it would be too low";
  EXPECT_DOUBLE_EQ(*last.process->gc_cpu_seconds, 3);
}

TEST(Crossover, CountsTheLongestStretchWhereTheSettingsWereChangedInBetween) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  for (int second = 0; second < 60; second += 5) {
    Sample& sample = readings.at(second, false, ++collections, cpu += 1);
    if (second == 15) sample.process->gogc = Gogc(50);
  }
  for (int second = 60; second < 120; second += 5) readings.at(second, true, ++collections, cpu += 1);
  readings.at(120, false, ++collections, cpu);
  EXPECT_EQ(readings.arm(Track::kBaseline).samples.back().mem->num_gc, 5u) << "from 30 s to 55 s";
}

TEST(Crossover, KeepsThePausesOfItsOwnStretches) {
  CrossoverTrial trial(1);
  trial.live_for(2 * kPeriod);
  const Observation crossed = trial.crossed();
  for (const auto& [track, pause] : {std::pair{Track::kBaseline, 50}, std::pair{Track::kCanary, 80}}) {
    const PodSeries& pod = *judging::arm_of(crossed, track).at(0);
    Time latest;
    std::size_t found = 0;
    for (std::size_t i = 1; i < pod.samples.size() && pod.samples[i].mem; ++i) {
      for (const GcPause& each : pod.samples[i].mem->pauses) {
        if (each.end <= pod.samples[i - 1].mem->pauses.back().end) continue;
        EXPECT_GT(each.end, latest);
        EXPECT_EQ(each.pause, std::chrono::microseconds(pause));
        latest = each.end;
        ++found;
      }
    }
    EXPECT_EQ(found, pod.samples[2].mem->num_gc);
  }
}

TEST(Crossover, KeepsProfilesThatLieWithinTheStretches) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  block_of(readings, 0, false, collections, cpu, 5);
  block_of(readings, 60, true, collections, cpu, 3);
  readings.at(120, false, ++collections, cpu);
  const auto profile = [&](std::size_t i, double gc) {
    readings.samples[i].profile = GcProfile{std::chrono::seconds(8), 2, gc, 0, 100};
  };
  profile(2, 1);  // reaches back before the stretch that begins at 20 s
  profile(4, 0.5);
  EXPECT_FALSE(readings.arm(Track::kBaseline).samples.back().profile) << "the other arm has none";
  profile(10, 0.25);
  profile(11, 0.35);
  const Observation crossed{kStart, {readings.arm(Track::kBaseline), readings.arm(Track::kCanary)}, {}, {}};
  const judging::Window window{kStart, kStart + kPeriod};
  const auto share = [&](Track track) {
    return judging::gc_share_in(judging::arm_of(crossed, track), window, judging::GcSource::kProfile)->share;
  };
  // Of 0.5 and of 0.3 cores in use by the kernel's account, over the eight seconds.
  EXPECT_NEAR(share(Track::kBaseline), 0.5 / 4, 1e-9);
  EXPECT_NEAR(share(Track::kCanary), 0.3 / 2.4, 1e-9);
}

/// What is known of an arm's memory, in MiB: the most, and the latest.
std::pair<double, double> memory_of(const Observation& crossed, Track track) {
  std::pair<double, double> memory{0, 0};
  for (const Sample& sample : judging::arm_of(crossed, track).at(0)->samples) {
    if (!sample.usage) continue;
    EXPECT_FALSE(sample.usage->cpu_seconds);
    EXPECT_FALSE(sample.usage->throttled_seconds);
    memory.second = sample.usage->anonymous->value() / mib(1).value();
    memory.first = std::max(memory.first, memory.second);
  }
  return memory;
}

TEST(Crossover, GivesTheContainersMemoryAndNoCountersOfTheKernels) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  const auto uses = [&](int begin, double memory) {
    for (std::size_t i = static_cast<std::size_t>(begin) / 10; i < readings.samples.size(); ++i) {
      ContainerUsage& usage = readings.samples[i].usage.emplace();
      usage.at = readings.samples[i].at;
      usage.anonymous = mib(memory);
      usage.cpu_seconds = usage.throttled_seconds = cpu;
    }
  };
  const auto memory = [&](Track track) {
    return memory_of({kStart, {readings.arm(Track::kBaseline), readings.arm(Track::kCanary)}, {}, {}}, track);
  };
  block_of(readings, 0, false, collections, cpu, 5);
  uses(0, 200);
  EXPECT_EQ(memory(Track::kCanary), std::pair(0.0, 0.0)) << "it had no turn yet";
  block_of(readings, 60, true, collections, cpu, 3);
  uses(60, 300);
  EXPECT_EQ(memory(Track::kCanary).second, 300);
  block_of(readings, 120, false, collections, cpu, 5);
  uses(120, 290);
  EXPECT_EQ(memory(Track::kBaseline), std::pair(200.0, 200.0)) << "what the larger heap left is not the old settings'";
  EXPECT_EQ(memory(Track::kCanary).second, 290) << "and may still be the container's end";
}

TEST(Crossover, DoesNotTakeMemoryOfEarlierTurnsForUsual) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  block_of(readings, -120, true, collections, cpu, 3);
  block_of(readings, -60, false, collections, cpu, 3);
  block_of(readings, 0, false, collections, cpu, 3);
  for (Sample& sample : readings.samples) sample.usage.emplace().anonymous = mib(300);
  const auto known = [&] { return readings.arm(Track::kBaseline).samples.front().usage.has_value(); };
  EXPECT_TRUE(known());
  readings.plan.first_turn = kStart - std::chrono::seconds(120);
  EXPECT_FALSE(known());
}

TEST(Crossover, DoesNotWaitForAPeriodsEndWhenMemoryRunsShort) {
  CrossoverTrial trial(2);
  trial.live_for(std::chrono::seconds(30));
  const auto stop = [&] { return judge(trial.rules, trial.evidence, trial.crossed(), trial.now); };
  EXPECT_FALSE(stop().hard_stop);
  for (LivePod& pod : trial.pods) {
    pod.series.samples.change_last([&](Sample& sample) { sample.usage->anonymous = pod.fresh ? mib(490) : mib(200); });
  }
  EXPECT_EQ(stop().reason, "MemoryNearLimit");
}

TEST(Crossover, HoldsAKilledProcessAgainstTheNewSettingsOnlyIfItWasKilledMeanwhile) {
  CrossoverTrial trial(2);
  trial.period();
  trial.pods[0].series.oom_killed = true;
  trial.pods[0].series.restarts = 30;
  trial.processes.at("checkout-0") = 30;
  EXPECT_FALSE(judge(trial.rules, trial.evidence, trial.crossed(), trial.now).hard_stop);
  ++trial.pods[0].series.restarts;
  EXPECT_EQ(judge(trial.rules, trial.evidence, trial.crossed(), trial.now).reason, "OOMKilled");
}

TEST(Crossover, LeavesOutWhatARestartedProcessTells) {
  CrossoverTrial trial(3);
  trial.live_for(kPeriod);
  trial.pods[0].series.restarts = 1;
  EXPECT_THAT(judging::arm_of(trial.crossed(), Track::kBaseline), ::testing::SizeIs(2));
  const Verdict verdict = judge(trial.rules, trial.evidence, trial.crossed(), trial.now);
  EXPECT_EQ(verdict.evidence.windows, 1) << "and waits for nothing of it";
  EXPECT_FALSE(verdict.hard_stop) << "any process ends once";
}

TEST(Crossover, LeavesOutRequestsThatBeganUnderTheOtherSettings) {
  Readings readings;
  std::uint32_t collections = 0;
  double cpu = 0;
  for (int second = 0; second < 120; second += 2) readings.at(second, second >= 60, ++collections, cpu += 1);
  readings.at(120, false, ++collections, cpu);
  EXPECT_DOUBLE_EQ(readings.cpu(Track::kCanary), 24) << "a sixth of a block's thirty readings is left out";
}

TEST(Crossover, ShowsThatTheLimiterCameOnUnderTheNewSettings) {
  CrossoverTrial trial(2);
  trial.live_for(kPeriod);
  double limited = 3;
  trial.pods[0].series.samples.change_each([&](Sample& sample) {
    if (sample.process->gogc == trial.plan.to.gogc) ++limited;
    sample.process->limited_cycle = limited;
  });
  EXPECT_EQ(judge(trial.rules, trial.evidence, trial.crossed(), trial.now).reason, "GcLimited");
}

TEST(Crossover, FindsHalfOfTheCollectionBetterThroughDriftAndUnequalPods) {
  CrossoverTrial trial;
  for (std::size_t i = 0; i < trial.pods.size(); ++i) trial.pods[i].factor = 0.85 + 0.1 * static_cast<double>(i);
  trial.drift = [](double period) { return 1 + 0.02 * period + 0.3 * std::sin(period / 3); };
  const Verdict verdict = trial.run(60);
  ASSERT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
  EXPECT_NEAR(*verdict.gc_change, -0.47, 0.06);
  EXPECT_NEAR(metric(verdict.evidence, "p90").stats.mean, 0, 0.02);
  EXPECT_EQ(metric(verdict.evidence, kGcCpuMetric).source, "runtime metrics");
  EXPECT_LE(verdict.evidence.windows, 30);
}

TEST(Crossover, TellsTheSameByGcCpuFraction) {
  CrossoverTrial trial;
  for (LivePod& pod : trial.pods) pod.tells_classes = false;
  const Verdict verdict = trial.run(40);
  ASSERT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
  EXPECT_EQ(metric(verdict.evidence, kGcCpuMetric).source, "GCCPUFraction");
  EXPECT_NEAR(*verdict.gc_change, -0.47, 0.06);
}

TEST(Crossover, FindsSlowerRequestsWorse) {
  CrossoverTrial trial;
  trial.each([](Behaviour&, Behaviour& fresh) { fresh.median *= 1.2; });
  const Verdict verdict = trial.run(40);
  EXPECT_EQ(verdict.outcome, Outcome::kWorse) << verdict.message;
  EXPECT_EQ(verdict.reason, "LatencyRegression");
  EXPECT_NEAR(metric(verdict.evidence, "p90").stats.mean, std::log(1.2), 0.05);
}

TEST(Crossover, IsNotBiasedByHowOftenCollectionsComeInABlock) {
  // The same share of the CPU, in a quarter of the collections: five in a block, two of them carried over.
  CrossoverTrial trial(8);
  trial.rules.min_saving = 0;
  trial.each([](Behaviour& old, Behaviour& fresh) {
    old.cycle = 3, old.cost = 0.15;
    fresh.cycle = 12, fresh.cost = 0.6;
  });
  for (int i = 0; i < 40; ++i) trial.period();
  const MetricEvidence& gc = metric(trial.evidence, kGcCpuMetric);
  ASSERT_GT(gc.stats.n, 30);
  EXPECT_NEAR(gc.canary / gc.baseline, 1, 0.03);
}

TEST(Crossover, AllowsNothingForWhatPodsDifferBy) {
  CrossoverTrial trial;
  for (int i = 0; i < 24; ++i) trial.period();
  const MetricEvidence within = metric(trial.evidence, "p90");
  EXPECT_EQ(within.pod_spread.freedom, 0);
  const Interval chance = confidence_sequence(within.stats, trial.rules.alpha);
  EXPECT_NEAR(within.high - within.low, chance.high - chance.low, 1e-9);

  trial.rules.within_pods = false;
  const Verdict verdict = judge(trial.rules, trial.evidence, trial.crossed(), trial.now);
  const MetricEvidence& apart = metric(verdict.evidence, "p90");
  EXPECT_GT(apart.high - apart.low, within.high - within.low);
  EXPECT_THAT(verdict.message, HasSubstr("pods with equal settings"));
}

TEST(Crossover, KeepsWhatEarlierTrialsBetweenPodsLeaveUnknown) {
  Evidence ended;
  ended.windows = 30;
  ended.nodes_apart = 2;
  Evidence next = going_on_from(ended);
  next.windows = 30;
  next.within_pods = true;
  const EarlierTrials all = so_far(next);
  EXPECT_DOUBLE_EQ(all.nodes, 0.25 * 2);
  EXPECT_DOUBLE_EQ(all.pods, 0.25 * 2);
  next.earlier = {};
  EXPECT_EQ(so_far(next).nodes, 0);
  EXPECT_EQ(so_far(next).pods, 0);
}

TEST(Crossover, RarelyFindsADifferenceBetweenEquals) {
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CrossoverTrial trial(2, seed);
    trial.rules.min_saving = 0;
    trial.rules.slos[0].max_regression_percent = 5;
    trial.pods[1].factor = 1.3;
    trial.each([](Behaviour&, Behaviour& fresh) { fresh = Behaviour{}; });
    for (LivePod& pod : trial.pods) pod.step = std::chrono::seconds(6);
    trial.drift = [](double period) { return 1 + 0.01 * period; };
    const Verdict verdict = trial.run(24);
    EXPECT_GE(verdict.evidence.windows, 20);
    found += verdict.outcome == Outcome::kBetter || verdict.outcome == Outcome::kWorse ? 1 : 0;
  }
  RecordProperty("false_verdicts", found);
  EXPECT_LE(found, 10) << "of 200";
}

}  // namespace
}  // namespace gopacer
