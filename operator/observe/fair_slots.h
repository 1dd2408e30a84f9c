#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "gopacer/domain/workload.h"

namespace gopacer {

/// How many places there are, and how many of them one namespace, and one owner in it, can have.
struct SlotLimits {
  int places = 1;
  int per_namespace = 1;
  int per_owner = 1;
};

/// A bounded number of places for work. Whoever waits takes turns: first the namespaces, then, in each, its owners.
/// Not thread-safe.
class FairSlots {
 public:
  /// Begins the work; false when there is nothing to do any more, and the place stays free.
  using Start = std::function<bool()>;

  explicit FairSlots(SlotLimits limits) : limits_(limits) {}

  /// Begins the work now, or when its turn comes.
  void submit(const ObjectKey& owner, Start start);
  /// Begins the work now, or never: false when no place is free.
  bool try_start(const ObjectKey& owner, const Start& start);
  /// The work that took a place is done.
  void release(const ObjectKey& owner);

  std::size_t running() const { return static_cast<std::size_t>(running_); }
  std::size_t waiting() const { return waiting_; }

 private:
  struct Owner {
    int running = 0;
    std::deque<Start> waiting;
  };
  struct Namespace {
    int running = 0;
    std::map<std::string, Owner> owners;
    std::deque<std::string> turns;  ///< the owners that wait, each once, the next first
  };

  bool has_place(const Namespace& ns) const { return running_ < limits_.places && ns.running < limits_.per_namespace; }
  void take_place(Namespace& ns, Owner& owner);
  void forget_idle(const ObjectKey& owner);
  void fill();
  bool start_one(const std::string& name, Namespace& ns);

  SlotLimits limits_;
  int running_ = 0;
  std::size_t waiting_ = 0;
  std::map<std::string, Namespace> namespaces_;
  std::deque<std::string> turns_;  ///< the namespaces that wait, each once, the next first
};

}  // namespace gopacer
