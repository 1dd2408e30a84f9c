#pragma once

#include <optional>

#include "gopacer/rollout/advance.h"

namespace gopacer {

/// With updateMode Continuous: what is recommended gets into force at once and without a trial, by the node agents, and
/// is written down in ProfileMemory::changes. Not sooner than kBetweenChanges after the latest change, nor before the
/// agents have followed that. What stops it is the guard (put_back()).
Step follow(const Facts& facts);

inline constexpr Duration kBetweenChanges = std::chrono::seconds(5);

/// Since when settings of ours have been in force in a row, by ProfileMemory::changes: since the latest change from
/// what the program has without us, as far back as is kept. None where they are not.
std::optional<Time> following_since(const ProfileMemory& memory);

/// Writes down what gets into force without a trial; the oldest of kMostChanges goes.
void note_change(ProfileMemory& memory, AppliedChange change);

}  // namespace gopacer
