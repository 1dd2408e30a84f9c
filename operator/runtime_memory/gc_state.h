#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "gopacer/domain/settings.h"
#include "runtime_memory/layout.h"

namespace gopacer {

/// What Go's collector goes by at a moment, as the program's own memory has it. Its names are the runtime's.
struct GcState {
  std::int32_t gc_percent = 0;             ///< -1: off
  std::int64_t memory_limit = 0;           ///< bytes; the largest number: none
  std::uint64_t heap_minimum = 0;          ///< bytes: 4 MiB·GOGC/100
  std::uint64_t gc_percent_heap_goal = 0;  ///< bytes, by GOGC alone; until the collection ends that runs or comes next
  std::uint64_t triggered = 0;        ///< bytes of heap at which the running collection began; the largest number: none
  std::uint64_t heap_live = 0;        ///< bytes, now
  std::uint64_t last_stack_scan = 0;  ///< bytes of stacks that the last collection scanned
  std::uint64_t globals_scan = 0;     ///< bytes of global variables that may hold pointers
  std::uint64_t heap_marked = 0;      ///< bytes that the last collection left
  /// Nanoseconds on the runtime's processors that marking took, in the collection that runs or else the last one.
  std::int64_t assist_time = 0;
  std::int64_t dedicated_mark_time = 0;
  std::int64_t fractional_mark_time = 0;
  std::int64_t idle_mark_time = 0;
  std::int64_t mark_start_time = 0;  ///< nanoseconds; another one with each collection
  std::uint64_t heap_in_use = 0;     ///< bytes of spans that are in use
  std::uint64_t heap_released = 0;   ///< bytes given back to the system
  std::uint64_t heap_free = 0;       ///< bytes that are free and not given back
  std::uint64_t total_alloc = 0;     ///< bytes since the program began
  std::uint64_t total_free = 0;
  std::uint64_t mapped_ready = 0;  ///< bytes that GOMEMLIMIT counts

  /// In force, whatever the environment says.
  Settings settings() const;
  /// A collection is marking. Settings that are made smaller then make the program itself hurry to mark.
  bool is_marking() const { return triggered != ~std::uint64_t{0}; }
  std::int64_t mark_time() const { return assist_time + dedicated_mark_time + fractional_mark_time + idle_mark_time; }
};

/// GOMEMLIMIT=off, which is also its default.
inline constexpr std::int64_t kNoMemoryLimit = INT64_MAX;

/// A smaller one is not taken for a limit when a program is looked at, so none is written.
inline constexpr std::int64_t kLeastMemoryLimit = std::int64_t{1} << 20;

/// 4 MiB·GOGC/100 in the runtime's own arithmetic, in which "off" wraps around.
std::uint64_t heap_minimum_of(std::int32_t gc_percent);

/// What GOGC alone makes of the last collection's outcome: the goal that a collection's end computes (gcController's
/// commit), max(heapMinimum, heapMarked + (heapMarked + lastStackScan + globalsScan)·GOGC/100). The largest number
/// when GOGC is off.
std::uint64_t heap_goal_of(const GcState& state, std::int32_t gc_percent);

/// From layout.size() bytes that begin at the variable.
GcState decode_gc_state(std::span<const std::byte> variable, const Layout& layout);

/// Why these numbers can't be those of a program that runs; empty when they can.
std::string implausible(const GcState& state);

}  // namespace gopacer
