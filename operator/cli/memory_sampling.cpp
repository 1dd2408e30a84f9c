#include "cli/memory_sampling.h"

#include <algorithm>
#include <thread>

#include "cli/local_process.h"
#include "gopacer/decide/go_pacer.h"
#include "runtime_memory/cycle_counter.h"

namespace gopacer {
namespace {

Bytes bytes(std::uint64_t count) { return Bytes(static_cast<std::int64_t>(count)); }

}  // namespace

Bytes heap_goal(const GcState& state) {
  const go_pacer::Heap heap{bytes(state.heap_marked), bytes(state.last_stack_scan + state.globals_scan)};
  const Settings settings = state.settings();
  const Bytes ready = bytes(state.mapped_ready);
  const Bytes besides = ready - bytes(state.heap_free) - bytes(state.total_alloc - state.total_free);
  const Bytes overage = settings.go_mem_limit ? std::max(Bytes(0), ready - *settings.go_mem_limit) : Bytes(0);
  return go_pacer::goal(heap, settings, std::max(Bytes(0), besides), overage);
}

Sample sample_of(const GcState& state, std::uint32_t cycles, double mark_seconds, Time at) {
  Sample sample;
  sample.at = at;
  MemStats& mem = sample.mem.emplace();
  mem.heap_alloc = bytes(state.total_alloc - state.total_free);
  mem.total_alloc = bytes(state.total_alloc);
  // As runtime.MemStats adds them up: what is mapped is either ready, or given back.
  mem.sys = bytes(state.mapped_ready + state.heap_released);
  mem.heap_idle = bytes(state.heap_free + state.heap_released);
  mem.heap_in_use = bytes(state.heap_in_use);
  mem.heap_sys = mem.heap_idle + mem.heap_in_use;
  mem.heap_released = bytes(state.heap_released);
  mem.next_gc = heap_goal(state);
  mem.num_gc = cycles;
  ProcessMetrics& process = sample.process.emplace();
  const Settings settings = state.settings();
  process.gogc = settings.gogc;
  process.go_mem_limit = settings.go_mem_limit;
  process.gc_cpu_seconds = mark_seconds;
  process.heap_live = bytes(state.heap_marked);
  process.scanned_roots = bytes(state.last_stack_scan + state.globals_scan);
  return sample;
}

Observation sample_memory(const GoRuntime& runtime, const Clock& clock, UsageFallback& usage, const LiveSampling& what,
                          const std::function<void(const SamplingProgress&)>& progress) {
  Observation observed;
  observed.container_source = usage.name();
  PodSeries& series = observed.pods.emplace_back();
  series.pod = what.target.pod.name;
  series.uid = what.target.uid;
  series.ready = true;
  series.started = what.target.started;
  series.memory_limit = what.target.memory_limit;
  series.cpu_limit = what.target.cpu_limit;
  CycleCounter counter;
  const Time began = clock.now();
  while (true) {
    const auto state = runtime.read();
    const Time now = observed.at = clock.now();
    if (!state) {
      series.error = state.error().message;
      return observed;
    }
    counter.add(*state);
    if (series.samples.empty() || now - series.samples.back().at >= what.plan.interval) {
      Sample sample = sample_of(*state, counter.cycles(), counter.mark_seconds(), now);
      if (auto used = usage.list(what.target.pod.ns); used && !used->empty()) sample.usage = used->front().usage;
      series.samples.push_back(std::move(sample));
      if (!series.first_read) series.first_read = now;
      if (progress) progress({now - began, what.duration, series});
      if (now - series.samples.front().at >= what.duration) return observed;
    }
    std::this_thread::sleep_for(counter.next());
  }
}

Result<MemorySubject> observe_memory(int pid, const GoRuntime& runtime, const Clock& clock, LiveSampling what,
                                     const std::function<void(const SamplingProgress&)>& progress) {
  what.target.pod = {"", "process-" + std::to_string(pid)};
  what.target.uid = what.target.pod.name;
  auto process = LocalProcess::open(pid, what.target.pod, {}, clock);
  if (!process) return tl::unexpected(process.error());
  what.target.started = process->started();
  if (!what.target.memory_limit) what.target.memory_limit = process->memory_limit();
  if (!what.target.cpu_limit) what.target.cpu_limit = process->cpus();
  MemorySubject subject{sample_memory(runtime, clock, *process, what, progress), process->go_version()};
  subject.observed.pods.front().samples.change_each(
      [&](Sample& sample) { sample.process->go_version = subject.go_version; });
  return subject;
}

}  // namespace gopacer
