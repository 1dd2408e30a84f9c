#pragma once

#include <cstdint>
#include <string>

#include "gopacer/base/clock.h"
#include "notify/receivers.h"

namespace gopacer {

/// So long an alert stands that Alertmanager was sent, unless it is sent again.
inline constexpr Duration kAlertStands = std::chrono::hours(1);

/// The JSON that a receiver of this type takes: docs/notifications.md. `left_out`: how many notifications before it
/// were not sent. `version`: of gopacer. At most a few KiB, and always UTF-8.
std::string body_for(ReceiverType type, const Notification& what, std::uint64_t left_out, const std::string& version);

}  // namespace gopacer
