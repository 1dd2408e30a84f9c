#include "kube/requested_token.h"

#include <algorithm>
#include <utility>

namespace gopacer::kube {
namespace {

/// Between two requests, whatever is wrong.
constexpr Duration kRetry = std::chrono::seconds(15);

}  // namespace

RequestedToken::RequestedToken(Issue issue, const SteadyClock& clock) : issue_(std::move(issue)), clock_(clock) {}

void RequestedToken::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    const Duration wait = step();
    std::unique_lock lock(mutex_);
    const Duration planned = due_;
    changed_.wait_for(lock, stop, wait, [&] { return due_ != planned; });
  }
}

Duration RequestedToken::step() {
  {
    const std::lock_guard lock(mutex_);
    const Duration wait = std::max(due_, earliest_) - clock_.now();
    if (wait > Duration(0)) return wait;
  }
  // Its life is counted from before the request: whenever it began, it was not earlier.
  const Duration now = clock_.now();
  Result<IssuedToken> issued = issue_();
  const std::lock_guard lock(mutex_);
  earliest_ = now + kRetry;
  if (issued) {
    due_ = now + issued->life / 2;
    asked_ = now;
    issued_ = std::move(*issued);
  } else {
    due_ = earliest_;
    error_ = issued.error();
  }
  return std::max(due_, earliest_) - now;
}

Result<std::string> RequestedToken::token() {
  const std::lock_guard lock(mutex_);
  if (issued_ && clock_.now() < asked_ + issued_->life) return issued_->token;
  return tl::unexpected(error_);
}

void RequestedToken::refused() {
  {
    const std::lock_guard lock(mutex_);
    due_ = Duration(0);
  }
  changed_.notify_all();
}

}  // namespace gopacer::kube
