#include "notify/notification.h"

#include <algorithm>
#include <string_view>

#include "codec/fields.h"
#include "codec/resources.h"
#include "gopacer/base/text.h"

namespace gopacer {
namespace {

struct Told {
  std::string_view reason;
  NotificationKind kind;
};

/// The events that are told. Trials have the same as their profiles, and those of profiles also have what the guard
/// does.
constexpr Told kTold[] = {
    {"Promoted", NotificationKind::kPromoted},           {"RolledBack", NotificationKind::kRolledBack},
    {"SteppedDown", NotificationKind::kRolledBack},      {"Switched", NotificationKind::kRolledBack},
    {"NeedsMemory", NotificationKind::kNeedsMemory},     {"Ballast", NotificationKind::kBlocked},
    {"BoundsUnsatisfiable", NotificationKind::kBlocked}, {"ConfigUnsupported", NotificationKind::kBlocked},
    {"FieldConflict", NotificationKind::kBlocked},       {"FixedSettingsUnsafe", NotificationKind::kBlocked},
    {"MetricsUnavailable", NotificationKind::kBlocked},  {"SelfTuned", NotificationKind::kBlocked},
    {"SettingsBanned", NotificationKind::kBlocked},      {"SettingsUnknown", NotificationKind::kBlocked},
    {"StatusRefused", NotificationKind::kBlocked},       {"TargetNotFound", NotificationKind::kBlocked},
    {"TargetPaused", NotificationKind::kBlocked},        {"TargetUnreadable", NotificationKind::kBlocked},
};

/// The trial that an event of a profile is about: its note then begins with "Trial NAME: ".
std::string trial_of(const Event& event) {
  const std::string before = "Trial " + event.name + "-";
  if (!event.note.starts_with(before)) return {};
  const std::size_t end = event.note.find_first_not_of("0123456789", before.size());
  const bool is_name = end != std::string::npos && end > before.size() && event.note[end] == ':';
  constexpr std::size_t kName = std::string_view("Trial ").size();
  return is_name ? event.note.substr(kName, end - kName) : std::string();
}

}  // namespace

std::string to_string(NotificationKind kind) {
  switch (kind) {
    case NotificationKind::kPromoted:
      return "Promoted";
    case NotificationKind::kRolledBack:
      return "RolledBack";
    case NotificationKind::kNeedsMemory:
      return "NeedsMemory";
    case NotificationKind::kBlocked:
      break;
  }
  return "Blocked";
}

std::optional<NotificationKind> parse_notification_kind(const std::string& text) {
  for (const NotificationKind kind : kNotificationKinds) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

std::optional<Notification> notification_of(const Event& event, Time now) {
  if (event.type.kind != resources::kProfiles.kind) return std::nullopt;
  const auto* const told =
      std::find_if(std::begin(kTold), std::end(kTold), [&](const Told& one) { return one.reason == event.reason; });
  if (told == std::end(kTold)) return std::nullopt;
  return Notification{told->kind,
                      event.reason,
                      shown(event.ns, codec::kLongestName),
                      shown(event.name, codec::kLongestName),
                      shown(trial_of(event), codec::kLongestName),
                      shown(event.note, kLongestNotification),
                      now};
}

}  // namespace gopacer
