#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "codec/fields.h"
#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"
#include "watch/mirror.h"

namespace gopacer {

/// The latest decoded state of all objects of one kind. Values are immutable, so what was read stays valid while the
/// cluster goes on. An object that cannot be decoded, or not even be read, is kept out, and nobody else suffers: its
/// last known state goes too, because nothing may be decided on what it was before.
///
/// Readers may be on any thread. The listeners are called without a lock held, on the thread that fills the store.
template <typename T>
class Store final : public Mirror {
 public:
  using Value = std::shared_ptr<const T>;
  using Decode = std::function<Result<T>(const nlohmann::json&)>;
  /// Before and after; null where the object was not there, or is no longer.
  using OnChange = std::function<void(const ObjectKey&, const Value&, const Value&)>;
  using OnRejected = std::function<void(const ObjectKey&, const Error&)>;

  explicit Store(Decode decode, OnChange on_change = nullptr, OnRejected on_rejected = nullptr)
      : decode_(std::move(decode)), on_change_(std::move(on_change)), on_rejected_(std::move(on_rejected)) {}

  Value find(const ObjectKey& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second.value;
  }

  std::vector<Value> list() const {
    const std::lock_guard lock(mutex_);
    std::vector<Value> values;
    for (const auto& [key, entry] : entries_) {
      if (entry.value) values.push_back(entry.value);
    }
    return values;
  }

  std::vector<Value> list(const std::string& ns) const {
    const std::lock_guard lock(mutex_);
    std::vector<Value> values;
    for (auto at = entries_.lower_bound(ObjectKey{ns, ""}); at != entries_.end() && at->first.ns == ns; ++at) {
      if (at->second.value) values.push_back(at->second.value);
    }
    return values;
  }

  /// Why the object, which is there, was kept out.
  std::optional<Error> rejection(const ObjectKey& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? std::nullopt : found->second.rejection;
  }

  /// True once a whole list was taken in.
  bool synced() const {
    const std::lock_guard lock(mutex_);
    return synced_;
  }

  /// Waits for it; false when the time is up or at `stop`.
  bool wait_until_synced(Duration most, std::stop_token stop) const {
    std::unique_lock lock(mutex_);
    return became_synced_.wait_for(lock, std::move(stop), most, [&] { return synced_; });
  }

  void begin() override { listed_.clear(); }

  void add(const nlohmann::json& object) override { listed_.insert_or_assign(codec::key_of(object), decode(object)); }

  void commit() override {
    std::vector<Change> changes;
    {
      const std::lock_guard lock(mutex_);
      for (auto& [key, entry] : listed_) {
        const auto old = entries_.find(key);
        if (old == entries_.end()) {
          changes.push_back({key, {}, entry});
        } else if (old->second.resource_version != entry.resource_version) {
          changes.push_back({key, old->second, entry});
        } else {
          entry = old->second;
        }
      }
      for (const auto& [key, entry] : entries_) {
        if (!listed_.contains(key)) changes.push_back({key, entry, {}});
      }
      entries_ = std::exchange(listed_, {});
      synced_ = true;
    }
    became_synced_.notify_all();
    for (const Change& change : changes) tell(change);
  }

  void put(const nlohmann::json& object) override { put(codec::key_of(object), decode(object)); }

  void add_unreadable(const nlohmann::json& outline) override {
    listed_.insert_or_assign(codec::key_of(outline), unreadable(outline));
  }

  void put_unreadable(const nlohmann::json& outline) override { put(codec::key_of(outline), unreadable(outline)); }

  void remove(const nlohmann::json& object) override {
    Change change{codec::key_of(object), {}, {}};
    {
      const std::lock_guard lock(mutex_);
      const auto found = entries_.find(change.key);
      if (found == entries_.end()) return;
      change.before = found->second;
      entries_.erase(found);
    }
    tell(change);
  }

 private:
  struct Entry {
    std::string resource_version;
    Value value;
    std::optional<Error> rejection;
  };
  struct Change {
    ObjectKey key;
    Entry before;
    Entry after;
  };

  void put(const ObjectKey& key, Entry entry) {
    Change change{key, {}, std::move(entry)};
    {
      const std::lock_guard lock(mutex_);
      const auto [at, is_new] = entries_.try_emplace(change.key);
      if (!is_new && at->second.resource_version == change.after.resource_version) return;
      change.before = std::exchange(at->second, change.after);
    }
    tell(change);
  }

  Entry decode(const nlohmann::json& object) const {
    Entry entry{codec::resource_version_of(object), nullptr, std::nullopt};
    try {
      if (Result<T> value = decode_(object)) {
        entry.value = std::make_shared<const T>(std::move(*value));
      } else {
        entry.rejection = value.error();
      }
    } catch (const std::exception& error) {
      // One object must not end the watch of all.
      entry.rejection = Error{ErrorKind::kTerminal, std::string("it can't be decoded: ") + error.what()};
    }
    return entry;
  }

  static Entry unreadable(const nlohmann::json& outline) {
    return {codec::resource_version_of(outline), nullptr, Error{ErrorKind::kTerminal, message_of(outline)}};
  }

  void tell(const Change& change) const {
    if (on_change_ && (change.before.value || change.after.value)) {
      on_change_(change.key, change.before.value, change.after.value);
    }
    if (on_rejected_ && change.after.rejection) on_rejected_(change.key, *change.after.rejection);
  }

  const Decode decode_;
  const OnChange on_change_;
  const OnRejected on_rejected_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any became_synced_;
  std::map<ObjectKey, Entry> entries_;
  std::map<ObjectKey, Entry> listed_;  ///< of the thread that fills the store
  bool synced_ = false;
};

}  // namespace gopacer
