#include "notify/bodies.h"

#include <nlohmann/json.hpp>
#include <string_view>

namespace gopacer {
namespace {

using nlohmann::json;

std::string told_of(const Notification& what) { return what.ns + "/" + what.profile; }

/// What happened, as the end of a sentence whose subject is the profile.
std::string happened(const Notification& what) {
  const std::string reason = what.reason == to_string(what.kind) ? "" : " (" + what.reason + ")";
  switch (what.kind) {
    case NotificationKind::kPromoted:
      return "has new settings" + reason;
    case NotificationKind::kRolledBack:
      return "was rolled back" + reason;
    case NotificationKind::kNeedsMemory:
      return "needs memory" + reason;
    case NotificationKind::kBlocked:
      break;
  }
  return "is blocked" + reason;
}

/// Slack takes '<' for the beginning of a link or of a call to everybody in a channel.
std::string without_markup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

json for_slack(const Notification& what, std::uint64_t left_out) {
  std::string text =
      "*" + without_markup(told_of(what)) + "* " + without_markup(happened(what)) + ": " + without_markup(what.message);
  if (left_out > 0) text += " (" + std::to_string(left_out) + " more were not sent.)";
  return {{"text", text}};
}

json for_webhook(const Notification& what, std::uint64_t left_out, const std::string& version) {
  return {{"version", "1"},          {"kind", to_string(what.kind)},
          {"reason", what.reason},   {"namespace", what.ns},
          {"profile", what.profile}, {"trial", what.trial.empty() ? json(nullptr) : json(what.trial)},
          {"message", what.message}, {"time", format_time(what.at)},
          {"notSent", left_out},     {"gopacer", version}};
}

json for_alertmanager(const Notification& what, std::uint64_t left_out) {
  json labels{{"alertname", "Gopacer" + to_string(what.kind)},
              {"namespace", what.ns},
              {"profile", what.profile},
              {"severity", what.kind == NotificationKind::kPromoted ? "info" : "warning"}};
  json annotations{
      {"summary", told_of(what) + " " + happened(what)}, {"description", what.message}, {"reason", what.reason}};
  if (!what.trial.empty()) annotations["trial"] = what.trial;
  if (left_out > 0) annotations["notSent"] = std::to_string(left_out);
  json alert{{"labels", std::move(labels)},
             {"annotations", std::move(annotations)},
             {"startsAt", format_time(what.at)},
             {"endsAt", format_time(what.at + kAlertStands)}};
  json alerts = json::array();
  alerts.push_back(std::move(alert));
  return alerts;
}

json json_for(ReceiverType type, const Notification& what, std::uint64_t left_out, const std::string& version) {
  switch (type) {
    case ReceiverType::kSlack:
      return for_slack(what, left_out);
    case ReceiverType::kAlertmanager:
      return for_alertmanager(what, left_out);
    case ReceiverType::kWebhook:
      break;
  }
  return for_webhook(what, left_out, version);
}

}  // namespace

std::string body_for(ReceiverType type, const Notification& what, std::uint64_t left_out, const std::string& version) {
  return json_for(type, what, left_out, version).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace gopacer
