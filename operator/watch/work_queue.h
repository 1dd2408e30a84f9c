#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <tuple>
#include <utility>

#include "base/backoff.h"
#include "base/steady_clock.h"
#include "base/turns.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// The keys that wait to be reconciled. A key is there at most once, at the earliest time that it was asked for, and is
/// never with two workers at once: one that is added while it is worked on comes back after done().
///
/// Of the keys that are due, the namespaces take turns, those first that have the fewest workers: however many profiles
/// one namespace has, another one waits for one pass and not for all of them. Thread-safe.
class WorkQueue {
 public:
  explicit WorkQueue(const SteadyClock& clock, Backoff backoff = {});

  void add(const ObjectKey& key) { add_after(key, Duration(0)); }
  void add_after(const ObjectKey& key, Duration delay);
  /// Adds the key after a wait that grows with each failure in a row.
  void add_failed(const ObjectKey& key);
  /// Ends the row of failures.
  void forget(const ObjectKey& key);

  /// Waits for a key that is due; none at `stop` or after shut_down(). Follow it by done().
  std::optional<ObjectKey> take(std::stop_token stop);
  /// The same without waiting.
  std::optional<ObjectKey> try_take();
  void done(const ObjectKey& key);

  /// Lets every take() return empty from now on; keys with workers stay theirs.
  void shut_down();

  /// The key that a worker has had for the longest time, and for how long; none when no worker has one.
  std::optional<std::pair<ObjectKey, Duration>> longest_work() const;

  /// Keys that wait, due or not.
  std::size_t size() const;

 private:
  struct Entry {
    std::optional<Duration> due;
    std::uint64_t order = 0;  ///< of arrival, so that nobody is overtaken for ever
    bool working = false;
    Duration taken{0};       ///< when its worker took it
    bool scheduled = false;  ///< it is in `later_`
    int failures = 0;
  };

  void schedule(const ObjectKey& key, Entry& entry);
  void unschedule(const ObjectKey& key, Entry& entry);
  void drop_if_idle(const ObjectKey& key);
  void add_locked(const ObjectKey& key, Duration delay);
  std::optional<ObjectKey> take_locked();

  const SteadyClock& clock_;
  const Backoff backoff_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<ObjectKey, Entry> entries_;
  std::set<std::tuple<Duration, std::uint64_t, ObjectKey>> later_;
  Turns<ObjectKey> due_;                ///< by namespace
  std::map<std::string, int> working_;  ///< keys with workers, by namespace
  std::minstd_rand random_{std::random_device{}()};
  std::uint64_t next_order_ = 0;
  std::uint64_t version_ = 0;
  bool down_ = false;
};

}  // namespace gopacer
