#pragma once

#include <array>
#include <optional>
#include <string>

#include "gopacer/base/clock.h"
#include "ports/event_sink.h"

namespace gopacer {

/// What people outside of the cluster may want to hear of.
enum class NotificationKind {
  kPromoted,     ///< the target's pods run new settings
  kRolledBack,   ///< settings were found bad, and are not or no longer in force
  kNeedsMemory,  ///< the container is too small to collect at ease
  kBlocked,      ///< something stands in the way that a person has to change
};
inline constexpr std::array kNotificationKinds{NotificationKind::kPromoted, NotificationKind::kRolledBack,
                                               NotificationKind::kNeedsMemory, NotificationKind::kBlocked};

/// "Promoted", "RolledBack", "NeedsMemory", "Blocked".
std::string to_string(NotificationKind kind);
/// Inverse of to_string; none for an unknown word.
std::optional<NotificationKind> parse_notification_kind(const std::string& text);

/// One thing to tell. Its texts are fit to be shown: see shown() in gopacer/base/text.h.
struct Notification {
  NotificationKind kind = NotificationKind::kBlocked;
  std::string reason;  ///< of the event, CamelCase
  std::string ns;
  std::string profile;
  std::string trial;    ///< empty where it is about none
  std::string message;  ///< a sentence, or a few; at most kLongestNotification bytes, and three points
  Time at;
};
inline constexpr std::size_t kLongestNotification = 1024;

/// What is told of an event; none for one that is not about a profile, or that is of none of the kinds.
std::optional<Notification> notification_of(const Event& event, Time now);

}  // namespace gopacer
