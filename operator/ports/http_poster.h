#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "ports/http_fetcher.h"

namespace gopacer {

/// One POST to a server that a person has named.
struct HttpPost {
  /// To whom, as whom, and how long it may take. The body of the answer is not read, so `most_bytes` means nothing.
  HttpRequest to;
  /// Printable ASCII of at most 256 characters.
  std::string content_type = "application/json";
  /// At most 64 KiB.
  std::string body;
};

struct PostAnswer {
  int status = 0;
  /// How long the server asks us to wait before the next one (Retry-After in seconds, cut at an hour); none when it
  /// does not say, or says a date.
  std::optional<std::chrono::seconds> retry_after = std::nullopt;
};

using PostDone = std::function<void(tl::expected<PostAnswer, FetchError>)>;

/// Sends things to servers. Apart from HttpFetcher, so that nobody who reads pods can write to them. Thread-safe.
///
/// Each call sends at most once. `done` is called exactly once, never from within post(), and one at a time over all
/// posts: it must not block.
class HttpPoster {
 public:
  virtual ~HttpPoster() = default;
  virtual void post(HttpPost what, PostDone done) = 0;
};

}  // namespace gopacer
