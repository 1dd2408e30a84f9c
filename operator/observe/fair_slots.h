#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>

#include "gopacer/domain/workload.h"

namespace gopacer {

/// A bounded number of places for work, of which one owner can have only so many; owners that wait take turns.
/// Not thread-safe.
class FairSlots {
 public:
  /// Begins the work; false when there is nothing to do any more, and the place stays free.
  using Start = std::function<bool()>;

  FairSlots(int places, int places_per_owner) : places_(places), places_per_owner_(places_per_owner) {}

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

  void fill();

  int places_;
  int places_per_owner_;
  int running_ = 0;
  std::size_t waiting_ = 0;
  std::map<ObjectKey, Owner> owners_;
  std::deque<ObjectKey> turns_;  ///< the owners that wait, each once, the next first
};

}  // namespace gopacer
