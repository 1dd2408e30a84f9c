#pragma once

// What the program in the kernel and the one out here agree on. Both compile this, so it is C.

#include <linux/types.h>

enum {
  kMostPrograms = 1024,
  kPauseKinds = 3,
  kPauseFirstOctave = 10,  // about 1 µs: shorter pauses are in the first bucket
  kPauseLastOctave = 34,   // about 34 s: longer ones are in the last
  kPausesPerOctave = 4,    // a bucket's upper edge is 14 to 25 % above its lower one, as in Go's own histogram
  kPauseBuckets = (kPauseLastOctave - kPauseFirstOctave + 1) * kPausesPerOctave,
  kLatestCycles = 256,  // as many as the runtime keeps; a power of two
};

// The reasons of Go's runtime (stwReason in proc.go), the same in Go 1.21 to 1.27; they are in the format of its
// traces.
enum { kStopForMarkTermination = 1, kStopForSweepTermination = 2 };

// Places in PauseRecord.kinds.
enum { kSweepTermination = 0, kMarkTermination = 1, kOtherStop = 2 };

// Also of times in which the world runs.
struct PauseCounts {
  __u64 sum_ns;
  __u64 longest_ns;
  __u64 buckets[kPauseBuckets];
};

// One collection, by both of its stops.
struct CyclePauses {
  __u64 ended_at;  // by the monotonic clock, ns; 0 in a place that no collection has had yet
  __u64 ns;
};

// Of one program.
struct PauseRecord {
  __u64 stopped_at;  // by the monotonic clock, ns; 0 while its world runs
  __u64 reason;      // of that stop
  struct PauseCounts kinds[kPauseKinds];
  __u64 cycles;                              // that began
  __u64 cycle_ns;                            // stopped so far in the latest of them
  __u64 marks_since;                         // it began to mark beside the program then, ns; 0 while it does not
  struct PauseCounts marking;                // how long it did
  struct CyclePauses latest[kLatestCycles];  // that ended; number n is at n modulo kLatestCycles
};

// The bucket that a pause of that many nanoseconds is counted in.
static inline __u32 pause_bucket(__u64 ns) {
  if (ns < (1ULL << kPauseFirstOctave)) return 0;
  const __u32 octave = 63U - (__u32)__builtin_clzll(ns);
  if (octave > kPauseLastOctave) return kPauseBuckets - 1;
  // The two bits behind the highest one.
  const __u32 quarter = (__u32)(ns >> (octave - 2)) & (kPausesPerOctave - 1);
  return (octave - kPauseFirstOctave) * kPausesPerOctave + quarter;
}
