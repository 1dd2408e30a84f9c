#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>

#include "base/backoff.h"
#include "base/steady_clock.h"
#include "gopacer/domain/workload.h"
#include "ports/api_server.h"
#include "watch/mirror.h"

namespace gopacer {

enum class ReflectorState {
  kListing,    ///< reading all objects, page by page
  kWatching,   ///< following the changes after the last known version
  kNotServed,  ///< the API server does not know the kind: its CustomResourceDefinition is missing
};

struct ReflectorOptions {
  Backoff backoff{std::chrono::milliseconds(200), std::chrono::seconds(30)};
  /// The kind need not be served: as long as it is not, there are no objects of it, and that is no trouble.
  bool optional = false;
  /// Between two looks for a kind that is not served.
  Duration not_served_wait = std::chrono::seconds(5);
  /// Told of each object that can't be read and why, and whenever it changes; it is left out.
  std::function<void(const ObjectKey&, const std::string& why)> on_unreadable = [](const auto&, const auto&) {};
  /// Held from the question for a page of a list until the page was taken in. Reflectors that share it have one page at
  /// a time: at the start all of them list, and taken apart a page is many times as large as on the way.
  std::shared_ptr<std::mutex> page_turn = std::make_shared<std::mutex>();
  /// A watch that ends sooner than this without a word counts as failed, so that it is not repeated in a tight loop.
  Duration shortest_watch = std::chrono::seconds(1);
  /// After a watch that lasted so long without even a bookmark the kind is listed again; a bookmark a minute is usual.
  Duration longest_silent_watch = std::chrono::minutes(2);
};

/// Keeps a mirror equal to what the cluster holds of one kind: list, then watch, list again when the version is too
/// old.
///
/// One thread calls run() (or step()); the rest may be called from any thread.
class Reflector {
 public:
  /// Told of each failure, of a kind that is not served (once each time it begins), and of nothing else.
  using OnTrouble = std::function<void(const Error&)>;

  Reflector(ApiServer& api, Selection selection, Mirror& mirror, const SteadyClock& clock, OnTrouble on_trouble,
            ReflectorOptions options = {});

  /// Works until `stop`.
  void run(std::stop_token stop);

  /// One action of the state machine: a whole list, or one watch until it ends. Gives the wait before the next one.
  Duration step(std::stop_token stop);

  ReflectorState state() const { return state_; }
  /// Of the latest attempt; empty when it went well.
  std::string trouble() const;
  /// Since the server last said anything of this kind: a page of a list, a change, a bookmark (one a minute is usual),
  /// the end of a watch (after about five minutes), or that the kind is not served. Before the first of these since the
  /// beginning.
  Duration silence() const { return clock_.now() - heard_.load(); }
  const ResourceType& type() const { return selection_.type; }

 private:
  Duration list(const std::stop_token& stop);
  Duration watch(const std::stop_token& stop);
  Duration not_served(const Error& error);
  Duration failed(const Error& error);
  void clear_trouble();
  void heard() { heard_ = clock_.now(); }

  ApiServer& api_;
  const Selection selection_;
  Mirror& mirror_;
  const SteadyClock& clock_;
  const OnTrouble on_trouble_;
  const ReflectorOptions options_;
  std::atomic<ReflectorState> state_{ReflectorState::kListing};
  std::atomic<Duration> heard_;
  std::string resource_version_;
  int failures_ = 0;
  std::minstd_rand random_{std::random_device{}()};
  mutable std::mutex trouble_mutex_;
  std::string trouble_;
};

}  // namespace gopacer
