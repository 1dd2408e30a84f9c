#pragma once

#include <optional>

#include "gopacer/rollout/advance.h"

namespace gopacer {

/// What a person's wish for the settings of an earlier trial asks for; none when there is no such wish, or it was
/// fulfilled. Without a running trial only.
std::optional<Step> undo(const Facts& facts);

}  // namespace gopacer
