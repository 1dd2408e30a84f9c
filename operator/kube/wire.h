#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gopacer/base/result.h"
#include "kube/skimmer.h"
#include "kube/transport.h"
#include "ports/api_server.h"

namespace gopacer::kube {

/// "/apis/apps/v1/namespaces/shop/deployments", without a namespace where `ns` is empty.
std::string collection_path(const ResourceType& type, const std::string& ns);
/// "…/deployments/checkout" or "…/deployments/checkout/status".
std::string object_path(const ObjectPath& object, const std::string& subresource);
/// All but RFC 3986's unreserved characters as %XX.
std::string percent_encode(std::string_view text);

/// For messages: "Deployment shop/checkout".
std::string describe(const ObjectPath& object);
/// For messages: "Deployments in shop", "Deployments in all namespaces".
std::string describe(const ResourceType& type, const std::string& ns);

/// The error that a response of status 400 or more stands for. `what` is the attempt, "apply Deployment shop/checkout".
Error error_of(const ApiResponse& response, const std::string& what, const ResourceType& type);
/// The same for a Status object that came as an event of a watch.
Error error_of_status(const nlohmann::json& status, const std::string& what);

/// JSON from bytes; none when it is broken, or nested deeper than 100 levels, which no object of Kubernetes is and
/// later work on it could not bear. Never throws.
std::optional<nlohmann::json> parse_json(std::string_view text);
/// Bytes of JSON; invalid UTF-8 is replaced, never thrown at.
std::string to_text(const nlohmann::json& document);

/// Cuts a stream into lines. Not thread-safe.
class LineReader {
 public:
  /// Of a line longer than `most` bytes only what `outline` asks for is kept, see Skimmer.
  LineReader(std::size_t most, std::vector<std::string> outline) : most_(most), outline_(std::move(outline)) {}
  /// Calls `on_line` for each complete line, without its end and never empty, and `on_long` for each that was too long
  /// to be kept; an error of these ends the feeding. Fails when a line is eight times as long as allowed: it has no
  /// end.
  Result<void> feed(std::string_view data, const std::function<Result<void>(std::string_view)>& on_line,
                    const std::function<Result<void>(const Skimmer&)>& on_long);

 private:
  const std::size_t most_;
  const std::vector<std::string> outline_;
  std::string rest_;
  std::optional<Skimmer> skimmer_;  ///< of a line that is too long
  std::size_t skimmed_ = 0;         ///< bytes of that line
};

}  // namespace gopacer::kube
