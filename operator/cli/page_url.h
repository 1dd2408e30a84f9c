#pragma once

#include <string>
#include <string_view>

#include "gopacer/base/http_url.h"
#include "gopacer/base/result.h"

namespace gopacer {

/// An http:// URL, whose scheme may be left out. `option` names the option in errors. Query and fragment are refused:
/// the pages' own are added later.
Result<HttpUrl> parse_page_url(std::string_view option, std::string_view text);

/// The first IP address of a host; names are looked up.
Result<std::string> resolve(const HttpUrl& url);

/// Whether it can be the name of a metric, as the profile's schema has it.
bool is_metric_name(std::string_view name);

}  // namespace gopacer
