#include "cli/page_url.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>

namespace gopacer {

Result<HttpUrl> parse_page_url(std::string_view option, std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return invalid(std::string(option) + " '" + std::string(text) + "' " + why +
                   ": give something like http://127.0.0.1:6060/debug/pprof");
  };
  if (text.starts_with("https://")) {
    return bad("needs TLS, which pprof hardly ever has: use kubectl port-forward and http://");
  }
  const bool has_scheme = text.find("://") != std::string_view::npos;
  Result<HttpUrl> url = parse_http_url((has_scheme ? "" : "http://") + std::string(text));
  if (!url) return bad(url.error().message);
  return url;
}

Result<std::string> resolve(const HttpUrl& url) {
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

bool is_metric_name(std::string_view name) {
  constexpr std::size_t kLongest = 200;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':'; };
  const auto fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kLongest && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), fits);
}

}  // namespace gopacer
