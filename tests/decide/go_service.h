#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "gopacer/decide/decision.h"

namespace gopacer::testing {

/// The heap goal in the runtime's own integers: gcControllerState's commit() and memoryLimitHeapGoal() of Go 1.19 to
/// 1.26 (src/runtime/mgcpacer.go), with what is mapped equal to the goal. Written from there, and not from gopacer's.
inline Bytes runtime_goal(Bytes live, Bytes roots, const Settings& settings, Bytes non_heap) {
  constexpr std::int64_t kHeapMinimum = 4 << 20;
  constexpr std::int64_t kHeadroom = 1 << 20;
  std::int64_t goal = std::numeric_limits<std::int64_t>::max();
  const std::int64_t marked = live.count();
  if (!settings.gogc || !settings.gogc->is_off()) {
    const std::int64_t percent = settings.gogc ? settings.gogc->percent() : 100;
    goal = marked + (marked + roots.count()) * percent / 100;
    goal = std::max(goal, kHeapMinimum * percent / 100);
  }
  if (settings.go_mem_limit) {
    std::int64_t limit_goal = marked;
    if (non_heap < *settings.go_mem_limit) {
      limit_goal = settings.go_mem_limit->count() - non_heap.count();
      const std::int64_t headroom = std::max(limit_goal / 100 * 3, kHeadroom);
      limit_goal = limit_goal < headroom || limit_goal - headroom < headroom ? headroom : limit_goal - headroom;
      limit_goal = std::max(limit_goal, marked);
    }
    goal = std::min(goal, limit_goal);
  }
  return Bytes(goal);
}

/// A Go service in steady state, as its pods' samples show it: the pacer's own formulas with a load of one's choice.
struct GoService {
  double alloc_rate = 100e6;  ///< bytes a second
  Bytes live = mib(64);
  Bytes roots = mib(1);
  Bytes non_heap = mib(8);
  Bytes non_go = mib(10);
  Bytes non_go_growth;  ///< in an hour, up to `non_go` at the end
  std::optional<Bytes> container = mib(512);
  Settings settings;              ///< as the environment has them
  std::optional<Gogc> real_gogc;  ///< set when the program overrides its environment
  double gc_seconds_per_cycle = 0.030;
  double work_cores = 0.5;
  double pacing = 1;  ///< V over goal − M at GOGC=100; the difference is the same number of bytes in larger heaps
  int pods = 2;
  Duration interval = std::chrono::seconds(5);
  Duration seen_for = std::chrono::minutes(5);
  Duration age = std::chrono::minutes(30);
  bool profiles = true;
  bool process_metrics = false;
  bool runtime_metrics = false;
  double fraction_factor = 1;  ///< how much GCCPUFraction exaggerates
  bool usage = true;
  Bytes ballast;                           ///< of `live`: allocated and never touched
  std::optional<Bytes> shared = Bytes(0);  ///< files in memory; none: the kubelet does not tell
  Bytes files_in_memory;                   ///< what they really are
  double live_growth_per_second = 0;       ///< relative

  Settings in_force() const {
    Settings real = settings;
    if (real_gogc) real.gogc = real_gogc;
    return real;
  }
  Bytes goal() const { return runtime_goal(live, roots, in_force(), non_heap); }
  double volume() const {
    const double growth = (goal() - live).value();
    const double usual = (live + roots).value();
    return growth <= usual ? pacing * growth : growth - (1 - pacing) * usual;
  }
  double gc_cores() const { return gc_seconds_per_cycle * alloc_rate / volume(); }
  /// Of four CPUs: without what is marked on those that are idle (docs/estimators.md).
  double gc_cpu_fraction() const { return gc_cores() / (1 + 2.1 * (1 - work_cores / 4)) / 4; }
  double gc_share() const { return gc_cores() / (gc_cores() + work_cores); }

  Sample sample(Time now, double t) const {
    Sample sample;
    sample.at = now;
    GoService grown = *this;
    grown.live = live * (1 + live_growth_per_second * t);
    MemStats mem;
    const double allocated = alloc_rate * t;
    mem.total_alloc = Bytes::of(allocated);
    // V grows with the live heap: the collections so far are the integral of A/V.
    const double g = live_growth_per_second;
    mem.num_gc = static_cast<std::uint32_t>(alloc_rate / volume() * (g > 0 ? std::log1p(g * t) / g : t));
    mem.next_gc = grown.goal();
    mem.heap_alloc = grown.live + Bytes::of(std::fmod(allocated, grown.volume()));
    mem.heap_in_use = mem.heap_alloc;
    mem.heap_sys = grown.goal() + mib(2);
    mem.heap_idle = mem.heap_sys - mem.heap_in_use;
    mem.stack_in_use = roots * 4;  // a quarter of it is scanned
    mem.sys = mem.heap_sys + non_heap;
    mem.gc_cpu_fraction = fraction_factor * gc_cpu_fraction();
    const double period = grown.volume() / alloc_rate;
    const double since_last = std::fmod(t, period);
    for (int k = static_cast<int>(std::min(63.0, std::floor(t / period))); k >= 0; --k) {
      const auto ago = std::chrono::duration<double>(since_last + k * period);
      mem.pauses.push_back({now - std::chrono::duration_cast<Duration>(ago), std::chrono::microseconds(100)});
    }
    sample.mem = mem;
    const double cores = gc_cores() + work_cores;
    if (profiles) {
      const double seconds = to_seconds(interval) / 2;
      GcProfile profile;
      profile.length = interval / 2;
      profile.total_cpu_seconds = cores * seconds;
      profile.gc_cpu_seconds = gc_cores() * seconds;
      profile.stacks = static_cast<std::int64_t>(cores * seconds * 100);
      sample.profile = profile;
    }
    if (process_metrics || runtime_metrics) {
      ProcessMetrics process;
      process.gogc = in_force().gogc.value_or(Gogc(100));
      process.go_mem_limit = in_force().go_mem_limit;
      process.max_procs = 4;
      process.cpu_seconds = cores * t;
      // Without sweeping.
      if (runtime_metrics) process.gc_cpu_seconds = 0.9 * gc_cores() * t;
      sample.process = process;
    }
    if (usage) {
      ContainerUsage container_usage;
      container_usage.limit = container;
      container_usage.anonymous = mem.sys + non_go - non_go_growth * ((to_seconds(age) - t) / 3600);
      container_usage.anonymous = *container_usage.anonymous - ballast;
      container_usage.shared = shared;
      container_usage.working_set = *container_usage.anonymous + shared.value_or(files_in_memory) + mib(20);
      container_usage.cpu_seconds = cores * t;
      sample.usage = container_usage;
    }
    return sample;
  }

  PodSeries pod(Time now, const std::string& name) const {
    PodSeries series;
    series.pod = name;
    series.ready = true;
    series.started = now - age;
    series.settings = settings;
    series.memory_limit = container;
    series.cpu_limit = 4;
    for (Duration ago = seen_for; ago >= Duration(0); ago -= interval) {
      series.samples.push_back(sample(now - ago, to_seconds(age - ago)));
    }
    return series;
  }

  DecideInput input(Time now) const {
    DecideInput in;
    in.spec.target = "checkout";
    in.spec.metrics.interval = interval;
    in.current = settings;
    in.template_hash = "aaaa";
    in.observed.at = now;
    in.observed.container_source = "kubelet";
    for (int i = 0; i < pods; ++i) in.observed.pods.push_back(pod(now, "checkout-" + std::to_string(i)));
    return in;
  }
};

inline constexpr Time kNow{std::chrono::hours(24 * 365 * 55)};

}  // namespace gopacer::testing
