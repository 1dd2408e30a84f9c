#pragma once

#include <algorithm>
#include <initializer_list>

#include "gc_probe/pause_histogram.h"

namespace gopacer::testing {

/// As the kernel counts them.
inline PauseHistogram pauses_of(std::initializer_list<std::chrono::nanoseconds> pauses) {
  PauseHistogram histogram;
  for (const std::chrono::nanoseconds pause : pauses) {
    ++histogram.buckets[pause_bucket(static_cast<__u64>(pause.count()))];
    histogram.sum += pause;
    histogram.longest = std::max(histogram.longest, pause);
  }
  return histogram;
}

}  // namespace gopacer::testing
