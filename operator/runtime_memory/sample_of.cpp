#include "runtime_memory/sample_of.h"

#include <algorithm>

#include "gopacer/decide/go_pacer.h"

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

Sample sample_of(const GcState& state, const CycleCounter& counter, Time at) {
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
  mem.num_gc = counter.cycles();
  mem.counts_forced = false;
  ProcessMetrics& process = sample.process.emplace();
  const Settings settings = state.settings();
  process.gogc = settings.gogc;
  process.go_mem_limit = settings.go_mem_limit;
  process.gc_cpu_seconds = counter.mark_seconds();
  process.heap_live = bytes(state.heap_marked);
  process.scanned_roots = bytes(state.last_stack_scan + state.globals_scan);
  return sample;
}

}  // namespace gopacer
