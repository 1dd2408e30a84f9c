#include "base/backoff.h"

#include <algorithm>
#include <cmath>

namespace gopacer {

Duration Backoff::delay(int failures, double jitter) const {
  const double doublings = std::clamp(failures, 0, 30);
  const double full = std::min(to_seconds(first) * std::exp2(doublings), to_seconds(most));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(full * (0.5 + 0.5 * jitter)));
}

}  // namespace gopacer
