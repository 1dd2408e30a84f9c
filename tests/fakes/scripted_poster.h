#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ports/http_poster.h"

namespace gopacer {

/// An HttpPoster whose posts end when a test says so. Not thread-safe.
class ScriptedPoster final : public HttpPoster {
 public:
  void post(HttpPost what, PostDone done) override {
    sent.push_back(what);
    pending_.push_back({std::move(what), std::move(done)});
  }

  /// How many posts have not ended.
  std::size_t pending() const { return pending_.size(); }

  /// Ends the oldest post.
  void answer(int status, std::optional<std::chrono::seconds> retry_after = std::nullopt) {
    end_oldest(PostAnswer{status, retry_after});
  }
  void fail(FetchFailure failure) {
    end_oldest(tl::unexpected<FetchError>(FetchError{failure, "as the test says", 0}));
  }

  /// Lets the oldest post be overtaken by all others.
  void move_first_to_the_end() {
    pending_.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }

  /// All posts, in the order in which they began.
  std::vector<HttpPost> sent;

 private:
  struct Pending {
    HttpPost what;
    PostDone done;
  };

  void end_oldest(const tl::expected<PostAnswer, FetchError>& outcome) {
    const Pending oldest = std::move(pending_.front());
    pending_.pop_front();
    oldest.done(outcome);
  }

  std::deque<Pending> pending_;
};

}  // namespace gopacer
