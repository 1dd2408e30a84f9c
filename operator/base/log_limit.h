#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/steady_clock.h"

namespace gopacer {

/// So that nobody fills the log who can make something be logged: so many lines a minute and no more, and a part of
/// them about one namespace. Thread-safe.
class LogLimit {
 public:
  LogLimit(const SteadyClock& clock, int lines_a_minute, int of_a_namespace)
      : clock_(clock), most_(lines_a_minute), most_of_one_(of_a_namespace) {}

  /// Whether the line may be logged; then how many were left out before it.
  std::optional<int> may_log(const std::string& ns);

 private:
  const SteadyClock& clock_;
  const int most_;
  const int most_of_one_;
  std::mutex mutex_;
  std::optional<Duration> minute_;  ///< when the present one began
  int lines_ = 0;                   ///< in it
  std::map<std::string, int> of_;   ///< of them, by namespace
  int left_out_ = 0;                ///< since the last line
};

}  // namespace gopacer
