#include "gopacer/base/http_url.h"

#include <charconv>

namespace gopacer {

std::string HttpUrl::place() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kTls = "https://";
  HttpUrl url;
  url.tls = text.starts_with(kTls);
  if (!url.tls && !text.starts_with(kPlain)) return invalid("is not an http:// or https:// URL");
  const std::string_view rest = text.substr((url.tls ? kTls : kPlain).size());
  if (rest.find_first_of("?#@ ") != std::string_view::npos) return invalid("has more than host, port and path");
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();

  url.port = url.tls ? 443 : 80;
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return invalid("has no ']'");
    url.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    if (!authority.empty() && !authority.starts_with(':')) return invalid("has no port after the address");
    if (!authority.empty()) port = authority.substr(1);
  } else {
    const std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
    if (colon != std::string_view::npos && port.empty()) return invalid("has no port after the ':'");
  }
  if (url.host.empty()) return invalid("names no host");
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port < 1 || url.port > 65535) {
      return invalid("has a port that is not a number from 1 to 65535");
    }
  }
  return url;
}

}  // namespace gopacer
