#include "observe/fair_slots.h"

#include <utility>

namespace gopacer {

void FairSlots::submit(const ObjectKey& owner, Start start) {
  Owner& entry = owners_[owner];
  if (entry.waiting.empty()) turns_.push_back(owner);
  entry.waiting.push_back(std::move(start));
  ++waiting_;
  fill();
}

bool FairSlots::try_start(const ObjectKey& owner, const Start& start) {
  Owner& entry = owners_[owner];
  if (running_ >= places_ || entry.running >= places_per_owner_ || !start()) {
    if (entry.running == 0 && entry.waiting.empty()) owners_.erase(owner);
    return false;
  }
  ++entry.running;
  ++running_;
  return true;
}

void FairSlots::release(const ObjectKey& owner) {
  const auto found = owners_.find(owner);
  if (found == owners_.end() || found->second.running == 0) return;
  --running_;
  if (--found->second.running == 0 && found->second.waiting.empty()) owners_.erase(found);
  fill();
}

void FairSlots::fill() {
  bool progress = true;
  while (progress) {
    progress = false;
    // Each owner that waits is looked at once; whoever gets a place goes to the end of the row.
    for (std::size_t left = turns_.size(); left > 0 && running_ < places_; --left) {
      const ObjectKey owner = std::move(turns_.front());
      turns_.pop_front();
      Owner& entry = owners_[owner];
      if (entry.running < places_per_owner_) {
        const Start start = std::move(entry.waiting.front());
        entry.waiting.pop_front();
        --waiting_;
        progress = true;
        if (start()) {
          ++entry.running;
          ++running_;
        }
      }
      if (!entry.waiting.empty()) {
        turns_.push_back(owner);
      } else if (entry.running == 0) {
        owners_.erase(owner);
      }
    }
  }
}

}  // namespace gopacer
