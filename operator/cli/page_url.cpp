#include "cli/page_url.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <memory>

namespace gopacer {

std::string PageUrl::place() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<PageUrl> parse_page_url(std::string_view option, std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return invalid(std::string(option) + " '" + std::string(text) + "' " + why +
                   ": give something like http://127.0.0.1:6060/debug/pprof");
  };
  constexpr std::string_view kScheme = "http://";
  if (text.starts_with("https://")) {
    return bad("needs TLS, which pprof hardly ever has: use kubectl port-forward and http://");
  }
  std::string_view rest = text;
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
  } else if (rest.find("://") != std::string_view::npos) {
    return bad("is not an http:// URL");
  }
  if (rest.find_first_of("?#@ ") != std::string_view::npos) return bad("has more than host, port and path");
  PageUrl url;
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();

  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad("has no ']'");
    url.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    if (!authority.empty() && !authority.starts_with(':')) return bad("has no port after the address");
    if (!authority.empty()) port = authority.substr(1);
  } else {
    const std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
    if (colon != std::string_view::npos && port.empty()) return bad("has no port after the ':'");
  }
  if (url.host.empty()) return bad("names no host");
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port < 1 || url.port > 65535) {
      return bad("has a port that is not a number from 1 to 65535");
    }
  }
  return url;
}

Result<std::string> resolve(const PageUrl& url) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(url.host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return retriable("host '" + url.host + "' has no address (" + ::gai_strerror(error) + "): check its name");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
  // localhost is ::1 first on many machines while servers listen at 127.0.0.1.
  const addrinfo* best = all.get();
  for (const addrinfo* entry = all.get(); entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET) {
      best = entry;
      break;
    }
  }
  std::array<char, NI_MAXHOST> text{};
  if (best == nullptr ||
      ::getnameinfo(best->ai_addr, best->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return retriable("host '" + url.host + "' has no address that can be used: give an IP address");
  }
  return std::string(text.data());
}

}  // namespace gopacer
