#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "control/desired.h"
#include "control/reconciler.h"

namespace gopacer {

class ApiServer;
class EventSink;
class SteadyClock;

struct ControllerOptions {
  std::string watch_namespace;  ///< empty: all
  int workers = 2;
  ObjectKey agents = {};  ///< DaemonSet of the node agents; empty: there are none
};

/// Told of each node that came, went (then there is none) or moved to another address.
using OnNode = std::function<void(const std::string& name, const Node* node)>;

/// Told of the address of the agent on each node; empty when it is gone.
using OnAgent = std::function<void(const std::string& node, const std::string& address)>;

/// What is known of one kind, and since when nothing was heard of it.
struct WatchAge {
  std::string kind;
  Duration silent;
};

/// A pass makes a few requests of at most half a minute each: one that takes longer than this does not come back.
inline constexpr Duration kLongestPass = std::chrono::minutes(10);

/// The stores with the watches that fill them, the queue with the workers that empty it, and the rules which say whose
/// pass a change asks for. Thread-safe.
class Controller {
 public:
  Controller(ApiServer& api, EventSink& events, Observations& observations, OperatorMetrics& metrics,
             const Clock& clock, const SteadyClock& steady, ControllerOptions options, OnNode on_node,
             OnAgent on_agent = {});
  ~Controller();

  /// Watches and reconciles until `stop`; finishes the passes that are under way.
  void run(const std::stop_token& stop);

  /// All kinds were listed once, so that passes see the whole picture.
  bool synced() const;
  /// What keeps the watches from working, as a sentence; empty when nothing does.
  std::string trouble() const;
  std::vector<WatchAge> watch_ages() const;
  /// Which watch was silent for longer than kLongestSilence, as a sentence; empty when none was.
  std::string silent_watch() const;
  /// Which pass has taken longer than kLongestPass, as a sentence; empty when none has.
  std::string stuck_pass() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
