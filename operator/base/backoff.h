#pragma once

#include "gopacer/base/clock.h"

namespace gopacer {

/// Exponential waits with jitter: a pure function of the attempt, so that each caller keeps only a counter.
struct Backoff {
  Duration first = std::chrono::milliseconds(200);
  Duration most = std::chrono::seconds(60);

  /// The wait before attempt `failures` + 1; `jitter` in [0, 1) spreads it over [½, 1) of the full wait so that
  /// many clients that failed together don't come back together.
  Duration delay(int failures, double jitter) const;
};

}  // namespace gopacer
