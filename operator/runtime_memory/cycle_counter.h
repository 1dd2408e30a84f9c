#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "runtime_memory/gc_state.h"

namespace gopacer {

/// Counts a program's collections in readings of its memory, and adds up the CPU time of their marking. A collection
/// that begins and ends between two readings is missed: read again after next().
class CycleCounter {
 public:
  void add(const GcState& state);

  /// Collections that began after the first reading.
  std::uint32_t cycles() const { return cycles_; }
  /// CPU seconds of marking, by workers and by the program's own allocations. Never falls. Counts time that a
  /// thread waited for a CPU; sweeping is not in it.
  double mark_seconds() const { return static_cast<double>(ended_ + now_) * 1e-9; }
  /// After how long to read again so as to see each collection: a quarter of the time between the latest two. Longer
  /// the longer none has come, so that a program that rests costs nothing; of those that come when it begins again some
  /// may then be missed.
  std::chrono::nanoseconds next() const { return next_; }

 private:
  static constexpr std::chrono::nanoseconds kOftenest = std::chrono::milliseconds(2);

  std::optional<std::int64_t> start_;    ///< of the latest collection
  std::optional<std::int64_t> between_;  ///< nanoseconds from one to the next, at most twice what they were before
  int quiet_ = 0;                        ///< readings without a new one
  std::chrono::nanoseconds next_ = kOftenest;
  std::uint32_t cycles_ = 0;
  std::int64_t ended_ = 0;  ///< nanoseconds of marking in collections that ended
  std::int64_t now_ = 0;    ///< likewise, of the latest one
};

}  // namespace gopacer
