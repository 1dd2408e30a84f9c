#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"

namespace gopacer {

/// A kind of objects that the API server keeps. `group` is empty for the core group.
struct ResourceType {
  std::string group;
  std::string version;
  std::string plural;
  std::string kind;
  bool namespaced = true;
};

/// "apps/v1", or "v1" for the core group.
inline std::string api_version(const ResourceType& type) {
  return type.group.empty() ? type.version : type.group + "/" + type.version;
}

/// One object: the type, and its place.
struct ObjectPath {
  ResourceType type;
  std::string ns;  ///< empty for a cluster-scoped type
  std::string name;
};

/// Which objects a list or a watch covers. An empty namespace means all of them.
struct Selection {
  ResourceType type;
  std::string ns;
  std::string label_selector;
  std::string field_selector;
  /// Objects without their specs and statuses, which for some kinds are most of them.
  bool metadata_only = false;
};

/// One page of a list. An object that can't be read (too large, nested too deep) comes as its outline: `metadata` with
/// `name`, and `namespace` and `resourceVersion` as far as they could be told, and `message`, why it can't be read.
struct ListPage {
  std::vector<nlohmann::json> items;
  std::vector<nlohmann::json> unreadable;  ///< outlines
  std::string resource_version;
  std::string continue_token;  ///< empty on the last page
};

enum class WatchEventType {
  kAdded,
  kModified,
  kDeleted,
  kBookmark,
  kUnreadable,  ///< came or changed, and can't be read: its outline, see ListPage
};

struct ApplyOptions {
  bool dry_run = false;
  std::string subresource;  ///< "status" or empty
};

/// The Kubernetes API as watch, act and record use it. Implemented by kube/, and by a fake in tests.
///
/// All calls block the calling thread, are bounded in time, and may be made from several threads at once.
/// Errors: kNotFound for a missing object *or kind*, kConflict for a stale resourceVersion or an existing name, kOwned
/// when an apply would set a field of another manager — the message is the server's and names the manager —, kExpired
/// for 410 and for whatever else a list made anew gets out of, kRetriable for network failures, 429 and 5xx (with
/// Retry-After), else kTerminal.
class ApiServer {
 public:
  virtual ~ApiServer() = default;

  virtual Result<nlohmann::json> get(const ObjectPath& object) = 0;
  /// One page of at most 500 objects; go on with the page's token. No object, whatever its size, keeps the others from
  /// being listed.
  virtual Result<ListPage> list(const Selection& selection, const std::string& continue_token) = 0;
  /// Calls `on_event` for each change after `resource_version` until the server ends the watch (success), an error, or
  /// `stop`. Bookmarks are asked for. No event, whatever its size, ends the watch for good. Quiet watches end by
  /// themselves after about five minutes.
  virtual Result<void> watch(const Selection& selection, const std::string& resource_version,
                             const std::function<void(WatchEventType, const nlohmann::json&)>& on_event,
                             std::stop_token stop) = 0;
  /// apiVersion and kind need not be in `object`; likewise for the other writes.
  virtual Result<nlohmann::json> create(const ResourceType& type, const std::string& ns,
                                        const nlohmann::json& object) = 0;
  /// Server-side apply as field manager "gopacer"; never forced.
  virtual Result<nlohmann::json> apply(const ObjectPath& object, const nlohmann::json& document,
                                       const ApplyOptions& options) = 0;
  /// JSON merge patch. A metadata.resourceVersion in `patch` makes it conditional. `subresource` is "status" or empty.
  virtual Result<nlohmann::json> merge_patch(const ObjectPath& object, const nlohmann::json& patch,
                                             const std::string& subresource) = 0;
  /// PUT of the whole object, conditional on its metadata.resourceVersion.
  virtual Result<nlohmann::json> replace(const ObjectPath& object, const nlohmann::json& document) = 0;
  /// Background deletion; succeeds when the object is already gone. `uid`, if given, must match.
  virtual Result<void> remove(const ObjectPath& object, const std::string& uid) = 0;
  /// Whether the server knows this kind now; a CustomResourceDefinition can come and go at any time.
  virtual Result<bool> kind_is_served(const ResourceType& type) = 0;
};

}  // namespace gopacer
