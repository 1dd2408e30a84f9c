#include "runtime_memory/gc_state.h"

#include <cstring>
#include <limits>
#include <string>

namespace gopacer {
namespace {

/// More memory than any machine of today has.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 46;
/// More than any program allocates while it runs.
constexpr std::uint64_t kMostAllocated = std::uint64_t{1} << 60;
/// Nanoseconds: 36 years. Four of them can be added up.
constexpr std::int64_t kMostTime = std::int64_t{1} << 60;

template <typename Value>
void take(Value& value, std::span<const std::byte> variable, std::uint32_t offset) {
  std::memcpy(&value, variable.data() + offset, sizeof(Value));
}

}  // namespace

Settings GcState::settings() const {
  Settings settings;
  settings.gogc = gc_percent < 0 ? Gogc::off() : Gogc(gc_percent);
  if (memory_limit != kNoMemoryLimit) settings.go_mem_limit = Bytes(memory_limit);
  return settings;
}

std::uint64_t heap_minimum_of(std::int32_t gc_percent) {
  constexpr std::uint64_t kDefaultHeapMinimum = std::uint64_t{4} << 20;
  return kDefaultHeapMinimum * static_cast<std::uint64_t>(static_cast<std::int64_t>(gc_percent)) / 100;
}

std::uint64_t heap_goal_of(const GcState& state, std::int32_t gc_percent) {
  if (gc_percent < 0) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t roots = state.heap_marked + state.last_stack_scan + state.globals_scan;
  return std::max(heap_minimum_of(gc_percent),
                  state.heap_marked + roots * static_cast<std::uint64_t>(gc_percent) / 100);
}

GcState decode_gc_state(std::span<const std::byte> variable, const Layout& layout) {
  GcState state;
  take(state.gc_percent, variable, layout.gc_percent);
  take(state.memory_limit, variable, layout.memory_limit);
  take(state.heap_minimum, variable, layout.heap_minimum);
  take(state.gc_percent_heap_goal, variable, layout.gc_percent_heap_goal);
  take(state.triggered, variable, layout.triggered);
  take(state.heap_live, variable, layout.heap_live);
  take(state.last_stack_scan, variable, layout.last_stack_scan);
  take(state.globals_scan, variable, layout.globals_scan);
  take(state.heap_marked, variable, layout.heap_marked);
  take(state.assist_time, variable, layout.assist_time);
  take(state.dedicated_mark_time, variable, layout.dedicated_mark_time);
  take(state.fractional_mark_time, variable, layout.fractional_mark_time);
  take(state.idle_mark_time, variable, layout.idle_mark_time);
  take(state.mark_start_time, variable, layout.mark_start_time);
  take(state.heap_in_use, variable, layout.heap_in_use);
  take(state.heap_released, variable, layout.heap_released);
  take(state.heap_free, variable, layout.heap_free);
  take(state.total_alloc, variable, layout.total_alloc);
  take(state.total_free, variable, layout.total_free);
  take(state.mapped_ready, variable, layout.mapped_ready);
  return state;
}

std::string implausible(const GcState& state) {
  if (state.gc_percent == 0 || state.gc_percent < -1) return "GOGC is " + std::to_string(state.gc_percent);
  if (state.memory_limit <= 0) return "GOMEMLIMIT is " + std::to_string(state.memory_limit);
  if (state.heap_minimum != heap_minimum_of(state.gc_percent)) return "the least heap is not that of its GOGC";
  for (const std::uint64_t bytes : {state.heap_live, state.heap_marked, state.last_stack_scan, state.globals_scan,
                                    state.mapped_ready, state.heap_in_use, state.heap_released, state.heap_free}) {
    if (bytes > kMostBytes) return "it counts more memory than there is";
  }
  if (state.total_alloc > kMostAllocated) return "it counts more memory than there is";
  // Both are counted in pieces, so a little more may be live than was ever allocated.
  if (state.total_free > state.total_alloc) return "it freed more than it allocated";
  for (const std::int64_t time : {state.assist_time, state.dedicated_mark_time, state.fractional_mark_time,
                                  state.idle_mark_time, state.mark_start_time}) {
    if (time < 0) return "a time is below 0";
    if (time > kMostTime) return "a time is longer than machines live";
  }
  return "";
}

}  // namespace gopacer
