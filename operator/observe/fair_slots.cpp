#include "observe/fair_slots.h"

#include <utility>

namespace gopacer {

void FairSlots::submit(const ObjectKey& owner, Start start) {
  Namespace& ns = namespaces_[owner.ns];
  Owner& entry = ns.owners[owner.name];
  if (ns.turns.empty()) turns_.push_back(owner.ns);
  if (entry.waiting.empty()) ns.turns.push_back(owner.name);
  entry.waiting.push_back(std::move(start));
  ++waiting_;
  fill();
}

bool FairSlots::try_start(const ObjectKey& owner, const Start& start) {
  Namespace& ns = namespaces_[owner.ns];
  Owner& entry = ns.owners[owner.name];
  const bool started = has_place(ns) && entry.running < limits_.per_owner && start();
  if (started) {
    take_place(ns, entry);
  } else {
    forget_idle(owner);
  }
  return started;
}

void FairSlots::release(const ObjectKey& owner) {
  const auto ns = namespaces_.find(owner.ns);
  if (ns == namespaces_.end()) return;
  const auto entry = ns->second.owners.find(owner.name);
  if (entry == ns->second.owners.end() || entry->second.running == 0) return;
  --running_;
  --ns->second.running;
  --entry->second.running;
  forget_idle(owner);
  fill();
}

void FairSlots::take_place(Namespace& ns, Owner& owner) {
  ++running_;
  ++ns.running;
  ++owner.running;
}

void FairSlots::forget_idle(const ObjectKey& owner) {
  const auto ns = namespaces_.find(owner.ns);
  const auto entry = ns->second.owners.find(owner.name);
  if (entry->second.running == 0 && entry->second.waiting.empty()) ns->second.owners.erase(entry);
  if (ns->second.owners.empty()) namespaces_.erase(ns);
}

void FairSlots::fill() {
  bool progress = true;
  while (progress) {
    progress = false;
    // Each namespace that waits is looked at once; whichever gets a place goes to the end of the row.
    for (std::size_t left = turns_.size(); left > 0 && running_ < limits_.places; --left) {
      const std::string name = std::move(turns_.front());
      turns_.pop_front();
      Namespace& ns = namespaces_[name];
      progress = start_one(name, ns) || progress;
      const auto still = namespaces_.find(name);
      if (still != namespaces_.end() && !still->second.turns.empty()) turns_.push_back(name);
    }
  }
}

/// Gives a place to the owner whose turn it is. False when no owner of the namespace may have one.
bool FairSlots::start_one(const std::string& name, Namespace& ns) {
  for (std::size_t left = ns.turns.size(); left > 0 && has_place(ns); --left) {
    const std::string owner = std::move(ns.turns.front());
    ns.turns.pop_front();
    Owner& entry = ns.owners[owner];
    if (entry.running == limits_.per_owner) {
      ns.turns.push_back(owner);
      continue;
    }
    const Start start = std::move(entry.waiting.front());
    entry.waiting.pop_front();
    --waiting_;
    if (start()) take_place(ns, entry);
    if (!entry.waiting.empty()) {
      ns.turns.push_back(owner);
    } else {
      forget_idle({name, owner});
    }
    return true;
  }
  return false;
}

}  // namespace gopacer
