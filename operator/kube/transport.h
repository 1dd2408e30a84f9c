#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "kube/config.h"

namespace gopacer::kube {

/// Prepares this process for the HTTP library: few threads, and no reading of the system's certificate authorities for
/// each connection. Changes the environment, so call it first in main(), before other threads; later calls do nothing.
void prepare_process();

struct ApiRequest {
  std::string method;
  std::string target;  ///< path and query, percent-encoded
  std::string content_type;
  std::string body;
  std::string accept = "application/json";
};

struct ApiResponse {
  int status = 0;
  std::optional<std::chrono::milliseconds> retry_after;
  std::string body;
  bool too_large = false;  ///< the body was longer than allowed and reading it was given up
};

/// What one exchange may cost.
struct HttpLimits {
  Duration total = std::chrono::seconds(30);  ///< of a send; of a stream until its headers
  Duration idle = std::chrono::seconds(310);  ///< of a stream: longest silence
  std::size_t most_bytes = 8U << 20U;         ///< of a body that is kept
};

/// HTTP to one server: the only class behind which cpprestsdk is. Redirects are not followed. Thread-safe; each call
/// blocks its caller and nobody else, and connections are kept for later calls.
class Transport {
 public:
  /// Fails when the certificates or the key cannot be used.
  static Result<std::unique_ptr<Transport>> open(const ClusterConfig& config, std::shared_ptr<TokenSource> token,
                                                 const std::string& user_agent);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// One request and its whole response, whatever its status. Errors are those of the connection, all kRetriable.
  Result<ApiResponse> send(const ApiRequest& request, const HttpLimits& limits, std::stop_token stop = {});

  /// Hands the body of a 2xx response to `on_data` piece by piece, on the calling thread; an error of `on_data` ends
  /// the stream and is returned. Other responses come back as from send(). Ends well when the server ends the body or
  /// at `stop`.
  Result<ApiResponse> stream(const ApiRequest& request, const HttpLimits& limits,
                             const std::function<Result<void>(std::string_view)>& on_data, std::stop_token stop);

 private:
  struct Impl;
  explicit Transport(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer::kube
