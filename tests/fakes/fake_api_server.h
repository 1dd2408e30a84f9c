#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gopacer/base/clock.h"
#include "ports/api_server.h"

namespace gopacer {

/// The API server in memory: resource versions, watches, merge patches, preconditions, finalizers, background deletion
/// of dependents, and server-side apply with its conflicts and managedFields. A kind has defaults and loses what its
/// schema lacks once use_schema() was called; admission and controllers are not there. Every kind is served unless
/// stop_serving() was called. What it claims to do as a real one does, fakes/api_contract.h checks on both.
/// Thread-safe.
class FakeApiServer : public ApiServer {
 public:
  Result<nlohmann::json> get(const ObjectPath& object) override;
  Result<ListPage> list(const Selection& selection, const std::string& continue_token) override;
  Result<void> watch(const Selection& selection, const std::string& resource_version,
                     const std::function<void(WatchEventType, const nlohmann::json&)>& on_event,
                     std::stop_token stop) override;
  Result<nlohmann::json> create(const ResourceType& type, const std::string& ns, const nlohmann::json& object) override;
  Result<nlohmann::json> apply(const ObjectPath& object, const nlohmann::json& document,
                               const ApplyOptions& options) override;
  Result<nlohmann::json> merge_patch(const ObjectPath& object, const nlohmann::json& patch,
                                     const std::string& subresource) override;
  Result<nlohmann::json> replace(const ObjectPath& object, const nlohmann::json& document) override;
  Result<void> remove(const ObjectPath& object, const std::string& uid) override;
  Result<bool> kind_is_served(const ResourceType& type) override;

  // What a test does to it.

  /// The next `times` calls of `verb` ("get", "list", "watch", "create", "apply", "patch", "replace", "delete") fail,
  /// before anything is done. Of one kind only when `plural` is given.
  void fail_next(const std::string& verb, const Error& error, int times = 1, const std::string& plural = "");
  /// Does what is asked, then reports `error` all the same: the answer was lost on its way.
  void lose_next_answer(const std::string& verb, Error error);
  /// Runs before each call of `verb`, without a lock held; may change the server.
  void before(const std::string& verb, std::function<void(const std::string& object)> hook);
  void stop_serving(const std::string& plural);
  void serve(const std::string& plural);
  void set_page_size(std::size_t size);
  void set_now(Time now);
  /// Forgets the history: watches and continued lists from older versions are answered with 410.
  void compact();
  /// Ends all watches that run, as a server does after some minutes.
  void end_watches();
  /// Ends them with a 410 in the stream, as a server does that has lost their place.
  void expire_watches();
  /// Sends all watches a bookmark at the present version.
  void bookmark();

  /// Applies as another field manager, forced as `kubectl apply --server-side --force-conflicts` does. Makes the object
  /// if it is not there.
  nlohmann::json apply_as(const std::string& manager, const ObjectPath& object, const nlohmann::json& document);
  /// Changes an object as another field manager does without server-side apply: kubectl edit, set or rollout undo.
  nlohmann::json update_as(const std::string& manager, const ObjectPath& object,
                           const std::function<void(nlohmann::json&)>& change);
  /// Fills in the defaults of an OpenAPI v3 schema, and drops what it does not name, in each write of the kind.
  void use_schema(const std::string& plural, nlohmann::json schema);
  /// From now on objects of the kind are only marked when they are deleted, as pods are in their grace period, each
  /// until finish_deletions().
  void delete_slowly(const std::string& plural);
  void finish_deletions();
  /// The object, or null.
  nlohmann::json peek(const ObjectPath& object) const;
  /// "create Deployment shop/checkout-canary" and so on, in order; reads are not in it.
  std::vector<std::string> writes() const;
  void forget_writes();
  std::size_t watches() const;
  /// Waits until that many watches run.
  bool wait_for_watches(std::size_t count, Duration most) const;
  /// Waits until that many watches run, and all that has happened so far was handed to each of them.
  bool wait_until_watched(std::size_t count, Duration most) const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  ///< plural, namespace, name
  using FieldPath = std::vector<std::string>;                     ///< as in managedFields
  struct Stored {
    ResourceType type;
    nlohmann::json object;
    std::map<std::string, std::set<FieldPath>> managers;
  };
  using Snapshot = std::shared_ptr<const nlohmann::json>;
  struct Change {
    std::int64_t version = 0;
    Key key;
    Snapshot before;  ///< null: it was made
    Snapshot after;   ///< as deleted when `gone`
    bool gone = false;
  };
  struct Fault {
    std::string verb;
    std::string plural;
    Error error;
    bool after = false;
  };

  Result<void> enter(const std::string& verb, const ResourceType& type, const std::string& object);
  template <typename T>
  Result<T> leave(const std::string& verb, const ResourceType& type, T value);
  static bool matches(const Selection& selection, const Key& key, const nlohmann::json& object);
  static std::optional<WatchEventType> event_of(const Selection& selection, const Change& change);
  nlohmann::json store(Stored& stored, bool gone = false);
  /// Deletes it, or marks it where something holds it.
  void delete_locked(const Key& key);
  void erase(const Key& key);
  void fit_schema(const ResourceType& type, nlohmann::json& object) const;
  /// `manager` gets what differs from `before`; nobody owns it beside them, nor what is gone.
  static void own_changes(Stored& stored, const nlohmann::json& before, const std::string& manager);
  static void count_generation(nlohmann::json& object, const nlohmann::json& before);
  Result<nlohmann::json> apply_locked(const std::string& manager, const ObjectPath& object,
                                      const nlohmann::json& document, bool force, bool dry_run, bool status);
  Stored fresh(const ResourceType& type, const std::string& ns, nlohmann::json object);

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::map<Key, Stored> objects_;
  std::deque<Change> history_;
  std::deque<Fault> faults_;
  std::map<std::string, std::function<void(const std::string&)>> hooks_;
  std::map<std::string, std::pair<std::int64_t, std::vector<nlohmann::json>>> pages_;
  std::set<std::string> not_served_;
  std::map<std::string, nlohmann::json> schemas_;
  std::set<std::string> slowly_deleted_;
  std::map<Key, Snapshot> latest_;
  std::vector<std::string> writes_;
  std::int64_t version_ = 100;
  std::int64_t compacted_ = 0;
  std::int64_t next_uid_ = 1;
  std::uint64_t watch_epoch_ = 0;
  std::uint64_t expired_epoch_ = 0;
  std::uint64_t bookmarks_ = 0;
  std::map<std::uint64_t, std::int64_t> watches_;  ///< those that run, and up to which version each was told
  std::uint64_t next_watch_ = 0;
  std::size_t page_size_ = 500;
  Time now_{std::chrono::seconds(1714557600)};
};

}  // namespace gopacer
