#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "gopacer/base/result.h"
#include "kube/transport.h"
#include "ports/api_server.h"

namespace gopacer::kube {

/// "/apis/apps/v1/namespaces/shop/deployments", without a namespace where `ns` is empty.
std::string collection_path(const ResourceType& type, const std::string& ns);
/// "…/deployments/checkout" or "…/deployments/checkout/status".
std::string object_path(const ObjectPath& object, const std::string& subresource);
/// "apps/v1", or "v1" for the core group.
std::string api_version(const ResourceType& type);
/// All but RFC 3986's unreserved characters as %XX.
std::string percent_encode(std::string_view text);

/// For messages: "Deployment shop/checkout".
std::string describe(const ObjectPath& object);
/// For messages: "Deployments in shop", "Deployments in all namespaces".
std::string describe(const ResourceType& type, const std::string& ns);

/// The error that a response of status 400 or more stands for. `what` is the attempt, "apply Deployment shop/checkout".
Error error_of(const HttpResponse& response, const std::string& what, const ResourceType& type);
/// The same for a Status object that came as an event of a watch.
Error error_of_status(const nlohmann::json& status, const std::string& what);

/// JSON from bytes, or an error; never throws.
std::optional<nlohmann::json> parse_json(std::string_view text);
/// Bytes of JSON; invalid UTF-8 is replaced, never thrown at.
std::string to_text(const nlohmann::json& document);

/// Cuts a stream into lines. Not thread-safe.
class LineReader {
 public:
  explicit LineReader(std::size_t most) : most_(most) {}
  /// Calls `on_line` for each complete line, without its end and never empty; an error of it ends the feeding.
  /// Fails as terminal when a line is longer than allowed.
  Result<void> feed(std::string_view data, const std::function<Result<void>(std::string_view)>& on_line);

 private:
  std::size_t most_;
  std::string rest_;
};

}  // namespace gopacer::kube
