#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gopacer/base/result.h"
#include "gopacer/domain/sample.h"
#include "observe/lines.h"

namespace gopacer {

/// More bytes than a process ever had, and a longer pause than any: sums and differences of some of them still fit.
inline constexpr std::int64_t kMostMemory = std::int64_t{1} << 60;
inline constexpr std::int64_t kLongestPause = std::int64_t{1} << 50;  // nanoseconds: 13 days

/// Reads runtime.MemStats from the end of /debug/pprof/heap?debug=1, piece by piece and in the memory of one line.
///
/// The body is that of Go's runtime/pprof since 1.18: stacks of allocations, then "# runtime.MemStats", then lines
/// "# Name = value". Errors say what came instead and what to do; they don't say from whom.
class HeapTrailer {
 public:
  HeapTrailer();

  /// False when no more of the body is needed.
  bool feed(std::string_view piece);
  /// After the body's end.
  Result<MemStats> finish();
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return lines_.rest().size(); }

 private:
  bool check_beginning(std::string_view line);
  bool take_line(std::string_view line, bool complete);
  bool take_field(std::string_view name, std::string_view value);
  bool reject(std::string message);

  Lines lines_;
  bool first_ = true;
  bool in_trailer_ = false;
  std::size_t after_ = 0;    ///< bytes behind the trailer's beginning
  std::uint32_t found_ = 0;  ///< one bit for each field
  MemStats stats_;
  std::vector<Duration> pauses_;
  std::vector<Time> ends_;
  std::string error_;
};

/// The two rings of MemStats, in ring order, as the cycles they stand for, oldest first. Entries that were never
/// written are left out. The newest entry is at (num_gc + 255) % 256 (runtime.MemStats).
std::vector<GcPause> unroll_pauses(const std::vector<Duration>& pauses, const std::vector<Time>& ends,
                                   std::uint32_t num_gc);

}  // namespace gopacer
