#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/http_fetcher.h"

namespace gopacer {

/// An HttpFetcher whose fetches end when a test says so, in the order in which they began. Not thread-safe.
class ScriptedFetcher final : public HttpFetcher {
 public:
  struct Reply {
    std::string body;
    int status = 200;
    std::optional<FetchFailure> failure = std::nullopt;
    std::string detail = {};                // NOLINT(readability-redundant-member-init): so that it may be left out
    std::size_t piece = std::string::npos;  ///< bytes that come at a time
  };

  /// What to answer at addresses and targets that begin so, from now on: "10.0.0.1/debug/vars". 404 where nothing is
  /// set.
  void on(const std::string& place, Reply reply) { replies_[place] = std::move(reply); }

  void fetch(HttpRequest request, BodySink sink, FetchDone done) override {
    log.push_back(request.address + request.target);
    accepted.push_back(request.accept);
    pending_.push_back({std::move(request), std::move(sink), std::move(done)});
  }

  /// How many fetches have not ended.
  std::size_t pending() const { return pending_.size(); }
  /// The oldest of them.
  const HttpRequest& next() const { return pending_.front().request; }

  /// Ends the oldest fetch.
  void answer_one() {
    Pending fetch = std::move(pending_.front());
    pending_.pop_front();
    Reply reply{"404 page not found\n", 404};
    std::size_t longest = 0;
    for (const auto& [place, known] : replies_) {
      if ((fetch.request.address + fetch.request.target).starts_with(place) && place.size() >= longest) {
        reply = known;
        longest = place.size();
      }
    }
    if (reply.failure) {
      fetch.done(tl::unexpected<FetchError>(FetchError{*reply.failure, reply.detail, 0}));
      return;
    }
    HttpAnswer answer;
    answer.status = reply.status;
    answer.bytes = reply.body.size();
    if (reply.status >= 200 && reply.status < 300) {
      for (std::string_view rest = reply.body; !rest.empty(); rest.remove_prefix(std::min(reply.piece, rest.size()))) {
        if (!fetch.sink(rest.substr(0, reply.piece))) break;
      }
      if (reply.body.empty()) fetch.sink(reply.body);
    }
    fetch.done(answer);
  }

  /// Lets the oldest fetch be overtaken by all others.
  void move_first_to_the_end() {
    pending_.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }

  /// Ends all fetches, and those that they lead to.
  void answer_all() {
    while (!pending_.empty()) answer_one();
  }

  /// Address and target of each fetch, in the order in which they began.
  std::vector<std::string> log;
  /// What each of them accepts.
  std::vector<std::string> accepted;

 private:
  struct Pending {
    HttpRequest request;
    BodySink sink;
    FetchDone done;
  };
  std::map<std::string, Reply> replies_;
  std::deque<Pending> pending_;
};

}  // namespace gopacer
