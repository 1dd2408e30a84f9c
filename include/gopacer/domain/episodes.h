#pragma once

#include <optional>
#include <string>

#include "gopacer/domain/sample.h"

namespace gopacer {

/// A program allocates so fast that it collects again and again, with little to do each time: a larger GOGC saves CPU,
/// and pauses are not its trouble.
struct AllocationStorm {
  int collections = 0;          ///< that ended `within` so long
  Duration within{0};           ///< before the latest one, or before the latest reading where no pauses are known
  std::optional<Duration> p99;  ///< of their pauses; none where nobody measures them
  bool operator==(const AllocationStorm&) const = default;
};

/// One pause stands out from what the program is used to.
struct LongPause {
  Time end;  ///< on the pod's clock
  Duration pause{0};
  Duration usual{0};  ///< the P95 of all before that are kept
  bool operator==(const LongPause&) const = default;
};

// Rules of thumb, for people to look at what happened then; no trial is decided by them. They look at the readings of
// one process, wherever its pauses come from.

/// At least 8 collections within 10 s and, where pauses are known, a P99 of them below 1 ms. It is about the time
/// before the latest reading, and none is seen where nothing was collected since the one before that.
std::optional<AllocationStorm> allocation_storm(const SampleRow& samples);
/// The same where it began between the latest two of the first `end` readings.
std::optional<AllocationStorm> storm_began(const SampleRow& samples, std::size_t end);
/// The longest pause since the last reading but one is 1 ms at least and above three times the P95 of those before, of
/// which 100 at least are kept. Of the first `end` readings.
std::optional<LongPause> long_pause(const SampleRow& samples, std::size_t end);

// As of the latest reading.
inline std::optional<AllocationStorm> storm_began(const SampleRow& samples) {
  return storm_began(samples, samples.size());
}
inline std::optional<LongPause> long_pause(const SampleRow& samples) { return long_pause(samples, samples.size()); }

/// What events and captures call them.
inline constexpr const char* kAllocationStorm = "AllocationStorm";
inline constexpr const char* kLongPause = "LongPause";
/// A sentence.
std::string describe(const AllocationStorm& storm);
std::string describe(const LongPause& pause);

}  // namespace gopacer
