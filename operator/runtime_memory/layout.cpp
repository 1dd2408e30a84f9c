#include "runtime_memory/layout.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace gopacer {
namespace {

constexpr Layout kLayouts[] = {
#include "runtime_memory/layouts.inc"
};

}  // namespace

Result<Layout> layout_of(std::string_view go_version) {
  constexpr std::string_view kPrefix = "go1.";
  int minor = 0;
  const std::string_view number = go_version.substr(std::min(go_version.size(), kPrefix.size()));
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), minor);
  const std::string_view rest = number.substr(static_cast<std::size_t>(end - number.data()));
  const bool released = rest.empty() || rest.front() == '.' || rest.front() == ' ' || rest.front() == '-';
  const bool development = rest.find("devel") != std::string_view::npos;
  if (!go_version.starts_with(kPrefix) || error != std::errc() || !released || development) {
    return invalid("Go " + std::string(go_version) +
                   " is no released version, and what its memory looks like is not known");
  }
  const auto found = std::find_if(std::begin(kLayouts), std::end(kLayouts),
                                  [&](const Layout& layout) { return layout.minor == minor; });
  if (found != std::end(kLayouts)) return *found;
  return invalid(std::string(go_version) + " is not supported: Go 1." + std::to_string(kLayouts[0].minor) + " to 1." +
                 std::to_string(std::rbegin(kLayouts)->minor) + " are");
}

}  // namespace gopacer
