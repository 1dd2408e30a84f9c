#pragma once

#include <string>

#include "gopacer/rollout/advance.h"

namespace gopacer {

// What steps are made of, with a running trial and without one.

/// Between passes when nothing is going on; changes in the cluster wake the key earlier.
inline constexpr Duration kIdlePass = std::chrono::seconds(15);

/// A step that leaves the cluster as it is.
Step hold(std::string reason, std::string message, Duration requeue);

/// Adds the region to those that are not tried again. It is banned once, with what was learned last.
void ban(ProfileMemory& memory, BannedRegion region);

/// Whether the profile lets gopacer change its target at all.
bool wants_changes(const Profile& profile);

}  // namespace gopacer
