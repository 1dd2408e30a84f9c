#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "gopacer/base/clock.h"

namespace gopacer {

/// One GET of a page that somebody we need not trust serves.
struct HttpRequest {
  /// An IP address, IPv4 or IPv6 without brackets. A name, which is then resolved, only where the fetcher was told to
  /// take names.
  std::string address;
  int port = 80;
  /// Path and query: "/debug/pprof/heap?debug=1". At most 16384 characters.
  std::string target = "/";
  /// Of the header Accept.
  std::string accept = "text/plain;version=0.0.4, */*;q=0.5";
  /// Over TLS; the certificate has to be good for `address`.
  bool tls = false;
  /// Value of the header Authorization, sent only over TLS: without it the request fails. Empty: none.
  std::string authorization;
  /// More headers; names and values are checked. A name is an HTTP token of at most 64 characters, and not Host,
  /// Authorization, Connection, Content-Length, Transfer-Encoding or Accept-Encoding; a value is printable ASCII of at
  /// most 256.
  std::map<std::string, std::string> headers;
  /// From the connection's start to the body's last byte, however the bytes drip in.
  Duration timeout = std::chrono::seconds(5);
  /// A longer body is an error.
  std::size_t most_bytes = 1 << 20;
};

struct HttpAnswer {
  int status = 0;  ///< 2xx when the sink was given a body
  std::string content_type;
  std::size_t bytes = 0;  ///< of the body, as far as it was read
};

enum class FetchFailure {
  kRefused,      ///< nothing listens on the port
  kUnreachable,  ///< no route, the address is none, or the request can't be written
  kTimedOut,
  kTooLong,
  kRedirected,  ///< redirects are never followed
  kNotHttp,     ///< something else than HTTP answered
  kNoAnswer,    ///< the connection ended before the answer's first byte
  kCutOff,      ///< the connection ended in the middle of the answer
  kTls,         ///< handshake or certificate, or a secret without TLS
  kStopped,     ///< the fetcher is being destroyed
};

struct FetchError {
  FetchFailure failure = FetchFailure::kUnreachable;
  std::string detail;  ///< what happened, without saying to whom
  std::size_t bytes = 0;
};

/// Takes a body piece by piece. Returns false when it needs no more of it: the fetch then ends well at once.
using BodySink = std::function<bool(std::string_view)>;
using FetchDone = std::function<void(tl::expected<HttpAnswer, FetchError>)>;

/// Fetches pages. Thread-safe.
///
/// `sink` gets the body of a 2xx answer, and only that; `done` is called exactly once, after the last call of `sink`.
/// Neither is ever called from within fetch(), and both are called one at a time over all fetches: they must not block.
class HttpFetcher {
 public:
  virtual ~HttpFetcher() = default;
  virtual void fetch(HttpRequest request, BodySink sink, FetchDone done) = 0;
};

}  // namespace gopacer
