#pragma once

#include <mutex>
#include <optional>

#include "base/steady_clock.h"

namespace gopacer {

/// So that nobody fills the log who can make something be logged: so many lines a minute and no more. Thread-safe.
class LogLimit {
 public:
  LogLimit(const SteadyClock& clock, int lines_a_minute) : clock_(clock), most_(lines_a_minute) {}

  /// Whether the line may be logged; then how many were left out before it.
  std::optional<int> may_log();

 private:
  const SteadyClock& clock_;
  const int most_;
  std::mutex mutex_;
  std::optional<Duration> minute_;  ///< when the present one began
  int lines_ = 0;                   ///< in it
  int left_out_ = 0;                ///< since the last line
};

}  // namespace gopacer
