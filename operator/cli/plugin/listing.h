#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/plugin/story.h"
#include "ports/api_server.h"

namespace gopacer::plugin {

/// More objects than anybody looks at; lists end there.
inline constexpr std::size_t kMostListed = 200'000;

/// Calls `take` for each object that is selected. Error: as the server said, and what is needed.
template <typename Take>
Result<void> each_of(ApiServer& api, const Selection& selection, const Take& take) {
  std::string token;
  std::size_t count = 0;
  do {
    const Result<ListPage> page = api.list(selection, token);
    if (!page) return tl::unexpected(explained(page.error(), "list", selection.type.plural, selection.ns));
    for (const nlohmann::json& object : page->items) take(object);
    count += page->items.size();
    token = page->continue_token;
  } while (!token.empty() && count < kMostListed);
  return {};
}

}  // namespace gopacer::plugin
