#pragma once

#include <string>

namespace gopacer {

/// Where a file of this checkout is: "docs/reasons.md" → "/…/docs/reasons.md".
std::string in_source(const std::string& path);

}  // namespace gopacer
