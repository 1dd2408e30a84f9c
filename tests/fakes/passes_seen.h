#pragma once

#include <condition_variable>
#include <map>
#include <mutex>

#include "control/reconciler.h"

namespace gopacer {

/// Sees each pass, as it asks for its pods, and has nothing to show. Thread-safe.
class PassesSeen final : public Observations {
 public:
  void follow(const Desired& desired) override {
    std::unique_lock lock(mutex_);
    count(desired.key);
    picture_ages_[desired.key] = desired.picture_age;
    changed_.wait(lock, [&] { return held_ != desired.key; });
  }
  Observation snapshot(const ObjectKey&, Time now) const override {
    Observation nothing;
    nothing.at = now;
    return nothing;
  }
  void forget(const ObjectKey& profile) override {
    const std::lock_guard lock(mutex_);
    count(profile);
  }

  int of(const ObjectKey& profile) const {
    const std::lock_guard lock(mutex_);
    const auto found = passes_.find(profile);
    return found == passes_.end() ? 0 : found->second;
  }
  std::map<ObjectKey, int> all() const {
    const std::lock_guard lock(mutex_);
    return passes_;
  }
  /// How old the cluster's picture was in the latest pass over the profile.
  Duration picture_age(const ObjectKey& profile) const {
    const std::lock_guard lock(mutex_);
    return picture_ages_.at(profile);
  }
  bool wait_for_one_after(const ObjectKey& profile, int passes, Duration patience = std::chrono::seconds(30)) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] {
      const auto found = passes_.find(profile);
      return found != passes_.end() && found->second > passes;
    });
  }

  /// Passes over the profile do not come back until release().
  void hold(const ObjectKey& profile) {
    const std::lock_guard lock(mutex_);
    held_ = profile;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = {};
    changed_.notify_all();
  }

 private:
  void count(const ObjectKey& profile) {
    ++passes_[profile];
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<ObjectKey, int> passes_;
  std::map<ObjectKey, Duration> picture_ages_;
  ObjectKey held_;
};

}  // namespace gopacer
