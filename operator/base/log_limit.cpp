#include "base/log_limit.h"

#include <chrono>
#include <utility>

namespace gopacer {

std::optional<int> LogLimit::may_log(const std::string& ns) {
  const std::lock_guard lock(mutex_);
  const Duration now = clock_.now();
  if (!minute_ || now - *minute_ >= std::chrono::minutes(1)) {
    minute_ = now;
    lines_ = 0;
    of_.clear();
  }
  const auto of_one = of_.find(ns);
  if (lines_ == most_ || (of_one != of_.end() && of_one->second == most_of_one_)) {
    ++left_out_;
    return std::nullopt;
  }
  ++lines_;
  ++of_[ns];
  return std::exchange(left_out_, 0);
}

}  // namespace gopacer
