#pragma once

#include <optional>

#include "gopacer/rollout/advance.h"

namespace gopacer {

/// What a person's wish for another trial asks for: that neither the cool-down, nor what was learned of the settings
/// that the named trial had tried, nor missed predictions stand in the way. None when there is no such wish, or it was
/// fulfilled. Without a running trial only.
std::optional<Step> retry(const Facts& facts);

}  // namespace gopacer
