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

struct ControllerOptions {
  std::string watch_namespace;  ///< empty: all
  int workers = 2;
};

/// Told when the cluster's nodes change.
using OnNodes = std::function<void(const std::vector<Node>&)>;

/// The stores with the watches that fill them, the queue with the workers that empty it, and the rules which say whose
/// pass a change asks for. Thread-safe.
class Controller {
 public:
  Controller(ApiServer& api, EventSink& events, Observations& observations, OperatorMetrics& metrics,
             const Clock& clock, ControllerOptions options, OnNodes on_nodes);
  ~Controller();

  /// Watches and reconciles until `stop`; finishes the passes that are under way.
  void run(std::stop_token stop);

  /// All kinds were listed once, so that passes see the whole picture.
  bool synced() const;
  /// What keeps the watches from working, as a sentence; empty when nothing does.
  std::string trouble() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
