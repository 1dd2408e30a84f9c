#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "gc_probe/pause_histogram.h"

namespace gopacer {

/// The collector's pauses between two readings.
struct PauseWindow {
  std::chrono::nanoseconds length{0};
  std::uint64_t collections = 0;
  PauseHistogram pauses;
};

/// It allocates so fast that it collects again and again, without much to do each time: a larger GOGC saves CPU, and
/// pauses are not its trouble.
struct AllocationStorm {
  PauseWindow window;
  std::chrono::nanoseconds p99{0};
};

/// One pause stands out from what the program is used to.
struct LongPause {
  std::chrono::nanoseconds longest{0};
  std::chrono::nanoseconds usual{0};  ///< the P95 of all before the window
};

/// Looks at a program's pauses as they come: windows of a second, of which one ends each half second. Pure; holds 41
/// readings at most.
///
/// Thread-safety: none.
class PauseWindows {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// A reading of GcProbe, to be taken every 500 ms. One that comes within 250 ms of the last is left out. One with
  /// fewer pauses than the last is of another program, and begins anew.
  void add(Time now, const Pauses& pauses);

  /// The latest second; longer when readings came late. None before there is one.
  std::optional<PauseWindow> latest() const;
  /// At least 8 collections within the last 10 s, with a P99 of their pauses below 1 ms.
  std::optional<AllocationStorm> allocation_storm() const;
  /// The longest pause of the latest second is above three times the P95 of all before, of which there are 100 at
  /// least. Where it is not the longest of all it is known to 25 %, and taken for the most that it may be.
  std::optional<LongPause> long_pause() const;

 private:
  struct Reading {
    Time at;
    std::uint64_t collections = 0;
    PauseHistogram pauses;
  };

  static PauseWindow between(const Reading& earlier, const Reading& now);
  /// The reading with which the latest second begins.
  const Reading* begin_of_latest() const;

  std::deque<Reading> readings_;  ///< the latest at the end
};

}  // namespace gopacer
