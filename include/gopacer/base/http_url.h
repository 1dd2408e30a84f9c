#pragma once

#include <string>
#include <string_view>

#include "gopacer/base/result.h"

namespace gopacer {

/// Where a server and a place on it are: an http:// or https:// URL, taken apart.
struct HttpUrl {
  bool tls = false;
  std::string host;  ///< a name or an IP address, IPv6 without brackets
  int port = 80;
  std::string path;  ///< begins with "/", without an end of "/"; empty for the root

  /// "host:port", for people.
  std::string place() const;
  bool operator==(const HttpUrl&) const = default;
};

/// Query, fragment and user are refused. The error's message is a clause without a subject: "names no host".
Result<HttpUrl> parse_http_url(std::string_view text);

}  // namespace gopacer
