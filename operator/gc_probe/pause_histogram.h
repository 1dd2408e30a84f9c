#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "gc_probe/pause_record.h"

namespace gopacer {

/// How long a program's world stood still, in buckets of a quarter octave from 1 µs to 34 s.
struct PauseHistogram {
  std::array<std::uint64_t, kPauseBuckets> buckets{};
  std::chrono::nanoseconds sum{0};
  std::chrono::nanoseconds longest{0};

  std::uint64_t count() const;
  /// The pause that a share `q` (0 to 1) of all is at most as long as: within a bucket in proportion, so up to 25 %
  /// off, and never longer than the longest. None without pauses.
  std::optional<std::chrono::nanoseconds> quantile(double q) const;

  PauseHistogram& operator+=(const PauseHistogram& other);
  bool operator==(const PauseHistogram&) const = default;
};

/// How many were shorter than 2^octave ns, which is a bucket's edge.
std::uint64_t below_octave(const PauseHistogram& pauses, unsigned octave);

/// The shortest pause of a bucket, or of the one behind the last: nothing for the first.
std::chrono::nanoseconds lower_edge(std::size_t bucket);

/// What came since an earlier reading of the same program. Its longest pause is exact when it is the longest of all,
/// and else the upper edge of the bucket that it is in.
PauseHistogram since(const PauseHistogram& now, const PauseHistogram& earlier);

/// A program's pauses by what they were for.
struct Pauses {
  PauseHistogram sweep_termination;  ///< one at the beginning of each collection
  PauseHistogram mark_termination;   ///< at least one at its end; more when some marking was found to be left
  PauseHistogram other;              ///< profiles, traces, heap dumps, ReadMemStats, new settings
  /// No pauses: for how long each collection marked beside the running program, between the two.
  PauseHistogram marking = {};

  /// Collections that began.
  std::uint64_t collections() const { return sweep_termination.count(); }
  /// Those for the collector.
  PauseHistogram of_collector() const;
};

Pauses since(const Pauses& now, const Pauses& earlier);

/// For how long one collection has stopped the world, in both of its stops.
struct CyclePause {
  std::chrono::steady_clock::time_point end;
  std::chrono::nanoseconds pause{0};
};

}  // namespace gopacer
