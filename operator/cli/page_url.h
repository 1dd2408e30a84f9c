#pragma once

#include <string>
#include <string_view>

#include "gopacer/base/result.h"

namespace gopacer {

/// Where a page is: an http:// URL, taken apart.
struct PageUrl {
  std::string host;  ///< a name or an IP address, IPv6 without brackets
  int port = 80;
  std::string path;  ///< begins with "/", without an end of "/"; empty for the root

  /// "host:port", for people.
  std::string place() const;
};

/// `option` names the option in errors. Query and fragment are refused: the pages' own are added later.
Result<PageUrl> parse_page_url(std::string_view option, std::string_view text);

/// The first IP address of a host; names are looked up.
Result<std::string> resolve(const PageUrl& url);

}  // namespace gopacer
