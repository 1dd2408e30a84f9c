#include "base/log_limit.h"

#include <chrono>
#include <utility>

namespace gopacer {

std::optional<int> LogLimit::may_log() {
  const std::lock_guard lock(mutex_);
  const Duration now = clock_.now();
  if (!minute_ || now - *minute_ >= std::chrono::minutes(1)) {
    minute_ = now;
    lines_ = 0;
  }
  if (lines_ == most_) {
    ++left_out_;
    return std::nullopt;
  }
  ++lines_;
  return std::exchange(left_out_, 0);
}

}  // namespace gopacer
