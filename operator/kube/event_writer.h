#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "base/steady_clock.h"
#include "base/turns.h"
#include "gopacer/base/clock.h"
#include "ports/api_server.h"
#include "ports/event_sink.h"

namespace gopacer::kube {

struct EventWriterOptions {
  std::string instance;  ///< who reports: the pod's name
  /// When more wait, the latest of the namespace that has most is dropped.
  std::size_t most_pending = 256;
  std::size_t most_series = 1024;
  /// The same event again within this time is counted on the first one instead of written anew.
  Duration series_gap = std::chrono::minutes(6);
  /// Least time between two writes of a count.
  Duration series_period = std::chrono::seconds(30);
  /// Of all objects together, and of one object: events at once, and the time in which one more is allowed.
  int burst = 50;
  Duration refill = std::chrono::seconds(1);
  int object_burst = 15;
  Duration object_refill = std::chrono::seconds(10);
  int attempts = 3;
  Duration retry = std::chrono::seconds(2);
};

/// Writes events to events.k8s.io/v1, in the namespace of what they are about ("default" for cluster-scoped objects).
/// Namespaces take turns, so that one with much to tell delays its own events only. post() may be called from any
/// thread; run() or write_due() from one.
class EventWriter final : public EventSink {
 public:
  EventWriter(ApiServer& api, const Clock& clock, const SteadyClock& steady, EventWriterOptions options);

  void post(const Event& event) override;

  /// Writes what is posted until `stop`, then what is left, each once.
  void run(std::stop_token stop);
  /// Writes all that may be written now. Gives the wait until there may be more, at most a minute.
  Duration write_due();

  /// Events that were not written: too many, or the API server refused them.
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Pending {
    Event event;
    Time at;
    int attempts = 0;
  };
  struct Series {
    std::string ns;
    std::string name;
    int count = 1;
    int written_count = 1;
    Duration last_seen{0};
    Duration written{0};
    Time last_at;
  };
  /// Tokens, kept as the moment from which on the bucket is full.
  struct Bucket {
    Duration full_at{0};
  };

  bool allow(Bucket& bucket, int burst, Duration refill) const;
  bool has_room(const Bucket& bucket, int burst, Duration refill) const;
  Result<void> write(const Pending& pending);
  Result<void> create(const std::string& key, const Pending& pending);
  Result<void> update(Series& series);
  void forget_old();
  void drop() { ++dropped_; }

  ApiServer& api_;
  const Clock& clock_;
  const SteadyClock& steady_;
  const EventWriterOptions options_;
  std::mutex mutex_;
  std::condition_variable_any posted_;
  Turns<Pending> pending_;  ///< by namespace
  std::uint64_t posts_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;

  // Of the thread that writes.
  std::map<std::string, Series> series_;
  std::map<std::string, Bucket> buckets_;
  Bucket bucket_;
  Duration not_before_{0};
  std::uint64_t next_name_ = 0;
};

}  // namespace gopacer::kube
