#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gopacer/base/http_url.h"
#include "gopacer/base/result.h"
#include "notify/notification.h"

namespace gopacer {

/// What a receiver takes: see operator/notify/bodies.h.
enum class ReceiverType { kSlack, kWebhook, kAlertmanager };

/// Who is told, and of what.
struct Receiver {
  std::string name;  ///< at most 63 letters, digits, '-', '_' and '.'
  ReceiverType type = ReceiverType::kWebhook;
  HttpUrl server;             ///< without its path
  std::string target;         ///< path and query, which often are the secret: never logged
  std::string authorization;  ///< value of that header; empty: none
  std::set<NotificationKind> on{kNotificationKinds.begin(), kNotificationKinds.end()};
  std::set<std::string> namespaces;  ///< empty: all

  bool wants(const Notification& what) const;
  bool operator==(const Receiver&) const = default;
};

inline constexpr std::size_t kMostReceivers = 16;
inline constexpr std::size_t kMostReceiversBytes = std::size_t{64} * 1024;

/// Reads {"receivers": [{"name", "type", "url", "token", "on", "namespaces"}]}: docs/notifications.md. Error: a clause
/// that names the receiver and says what to do; it has no value that may be secret.
Result<std::vector<Receiver>> parse_receivers(std::string_view text);

/// The file that names the receivers, mounted from a Secret whose changes appear in it. For one thread.
class ReceiversFile {
 public:
  /// Error: it can't be read, or parse_receivers() refuses it.
  static Result<ReceiversFile> open(std::string path);

  const std::vector<Receiver>& receivers() const { return receivers_; }
  /// Reads it again. True when it has changed; then receivers() are new. On an error they stay as they are.
  Result<bool> refresh();

 private:
  explicit ReceiversFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::string text_;
  std::vector<Receiver> receivers_;
};

}  // namespace gopacer
