#include "simulate/pod.h"

#include <algorithm>
#include <cmath>

#include "gopacer/domain/profiled_gc.h"

namespace gopacer::simulate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// As the operator's scraper does it in the background.
constexpr Duration kProfileEvery = std::chrono::minutes(2);
constexpr Duration kProfileLength = seconds(10);
/// Samples of the runtime's CPU profiler for each CPU second.
constexpr double kStacksPerSecond = 100;
/// A load is taken to stay for so long.
constexpr Duration kLongestStep = seconds(5);
/// The operator looks at ten minutes.
constexpr Duration kKept = std::chrono::minutes(12);
constexpr Bytes kKernelMemory = mib(1);

}  // namespace

Duration of_seconds(double count) { return Duration(static_cast<std::int64_t>(std::llround(count * 1e9))); }

Pod::Pod(const Trace& trace, const Settings& settings, Duration started, Duration interval, std::uint64_t seed)
    : trace_(trace),
      started_(started),
      interval_(interval),
      random_(seed),
      process_(trace.service, settings, trace.cpu_limit, trace.memory_limit, random_()),
      now_(started),
      sample_due_(started + interval),
      container_due_(started + seconds(5)),
      profile_due_(started + seconds(20)) {
  series_.pod = trace.name;
  series_.ready = true;
  series_.started = kBegin + started;
  series_.settings = settings;
  series_.memory_limit = trace.memory_limit;
  series_.cpu_limit = trace.cpu_limit;
}

void Pod::was_restarted(int restarts, bool oom_killed) {
  series_.restarts = restarts;
  series_.oom_killed = oom_killed;
}

void Pod::advance(Duration to) {
  while (now_ < to && !process_.killed()) {
    const Duration next = std::min({to, now_ + kLongestStep, sample_due_, container_due_, profile_due_});
    if (next > now_) {
      process_.run(to_seconds(next - now_), trace_.at(now_ + (next - now_) / 2));
      now_ = next;
    }
    if (process_.killed()) return;
    if (now_ >= container_due_) read_container();
    if (now_ >= profile_due_) profiling_ ? end_profile() : begin_profile();
    if (now_ >= sample_due_) sample();
  }
}

/// A kubelet looks at its containers every 10 to 15 s, whenever it is asked.
void Pod::read_container() {
  ContainerUsage usage;
  usage.at = kBegin + now_;
  usage.limit = trace_.memory_limit;
  const Bytes all = Bytes::of(process_.anonymous());
  usage.kernel = std::min(kKernelMemory, trace_.service.non_go);
  usage.anonymous = all - *usage.kernel;
  usage.shared = Bytes(0);
  usage.working_set = all + trace_.service.page_cache;
  usage.cpu_seconds = process_.cpu_seconds();
  usage_ = usage;
  container_due_ = now_ + milliseconds(std::uniform_int_distribution<int>(10'000, 15'000)(random_));
}

void Pod::begin_profile() {
  profiling_ = true;
  profiled_cpu_ = process_.cpu_seconds();
  profiled_gc_ = process_.gc_cpu_seconds();
  profiled_sweep_ = process_.sweep_cpu_seconds();
  profile_due_ = now_ + kProfileLength;
}

void Pod::end_profile() {
  profiling_ = false;
  const double cpu = process_.cpu_seconds() - profiled_cpu_;
  const double gc = std::clamp(process_.gc_cpu_seconds() - profiled_gc_, 0.0, cpu);
  GcProfile profile;
  profile.length = kProfileLength;
  profile.began = kBegin + now_ - kProfileLength;
  // A sample is taken for every 10 ms of CPU time: how many hit the collector is chance.
  profile.stacks = cpu > 0 ? std::poisson_distribution<std::int64_t>(cpu * kStacksPerSecond)(random_) : 0;
  const auto hits =
      profile.stacks > 0 ? std::binomial_distribution<std::int64_t>(profile.stacks, gc / cpu)(random_) : 0;
  profile.total_cpu_seconds = static_cast<double>(profile.stacks) / kStacksPerSecond;
  profile.gc_cpu_seconds = static_cast<double>(hits) / kStacksPerSecond;
  const double swept = gc > 0 ? std::clamp((process_.sweep_cpu_seconds() - profiled_sweep_) / gc, 0.0, 1.0) : 0;
  const auto of_sweeping = hits > 0 ? std::binomial_distribution<std::int64_t>(hits, swept)(random_) : 0;
  profile.uses[CpuUse::kSweeping] = static_cast<double>(of_sweeping) / kStacksPerSecond;
  profile_ = profile;
  profile_due_ += kProfileEvery - kProfileLength;
}

void Pod::sample() {
  Sample sample;
  sample.at = kBegin + now_;
  MemStats mem;
  mem.heap_alloc = Bytes::of(process_.heap_live());
  mem.total_alloc = Bytes::of(process_.total_alloc());
  mem.heap_sys = Bytes::of(process_.reserved());
  mem.heap_in_use = Bytes::of(process_.in_use());
  mem.heap_idle = mem.heap_sys - mem.heap_in_use;
  mem.heap_released = Bytes::of(process_.reserved() - process_.retained());
  mem.sys = mem.heap_sys + Bytes::of(process_.overhead());
  mem.stack_in_use = trace_.service.stacks;
  mem.next_gc = Bytes::of(process_.goal());
  mem.num_gc = process_.cycles();
  mem.num_forced_gc = 0;  // of those, only what the program asks for: the timer's are not among them
  mem.gc_cpu_fraction = process_.gc_fraction();
  for (const double end : process_.cycle_ends()) {
    mem.pauses.push_back({kBegin + started_ + of_seconds(end), std::chrono::microseconds(100)});
  }
  sample.profile = std::exchange(profile_, std::nullopt);
  if (sample.profile) sample.profile->collections = collections_during(*sample.profile, mem);
  // As histories keep them: each collection in one sample, and the last one of each.
  if (!series_.samples.empty()) {
    series_.samples.change_last([&](Sample& old) {
      std::vector<GcPause>& known = old.mem->pauses;
      if (known.empty()) return;
      const Time newest = known.back().end;
      std::erase_if(known, [&](const GcPause& pause) { return pause.end <= known_until_ && pause.end != newest; });
      known_until_ = newest;
    });
  }
  sample.mem = std::move(mem);
  if (trace_.process_metrics) {
    ProcessMetrics process;
    process.gogc = series_.settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
    process.go_mem_limit = series_.settings.go_mem_limit;
    process.max_procs = trace_.service.max_procs;
    process.cpu_seconds = std::floor(process_.cpu_seconds() * 100) / 100;  // in clock ticks
    process.resident = Bytes::of(process_.anonymous()) + trace_.service.page_cache;
    process.started = kBegin + started_;
    sample.process = process;
  }
  sample.usage = usage_;
  series_.samples.push_back(std::move(sample));
  series_.samples.erase_if([&](const Sample& one) { return one.at < kBegin + now_ - kKept; });
  sample_due_ += interval_;
}

}  // namespace gopacer::simulate
