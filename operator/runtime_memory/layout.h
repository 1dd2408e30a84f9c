#pragma once

#include <cstdint>
#include <string_view>

#include "gopacer/base/result.h"

namespace gopacer {

/// Where the fields are in the variable runtime.gcController of a program, in bytes from its beginning. The same on
/// amd64 and arm64.
struct Layout {
  int minor;  ///< of Go 1
  std::uint32_t gc_percent;
  std::uint32_t memory_limit;
  std::uint32_t heap_minimum;
  std::uint32_t gc_percent_heap_goal;
  std::uint32_t triggered;
  std::uint32_t last_heap_goal;
  std::uint32_t heap_live;
  std::uint32_t last_stack_scan;
  std::uint32_t globals_scan;
  std::uint32_t heap_marked;
  std::uint32_t assist_time;
  std::uint32_t dedicated_mark_time;
  std::uint32_t fractional_mark_time;
  std::uint32_t idle_mark_time;
  std::uint32_t mark_start_time;
  std::uint32_t heap_in_use;
  std::uint32_t heap_released;
  std::uint32_t heap_free;
  std::uint32_t total_alloc;
  std::uint32_t total_free;
  std::uint32_t mapped_ready;

  /// Bytes from its beginning to behind the last field that is named here.
  std::uint32_t size() const { return mapped_ready + 8; }
};

/// That of a released version: "go1.22.3", or with what a distributor or an experiment appended after a space or a
/// dash. The error says why another one is refused: only what was read from a tool chain's own debug information is
/// known.
Result<Layout> layout_of(std::string_view go_version);

}  // namespace gopacer
