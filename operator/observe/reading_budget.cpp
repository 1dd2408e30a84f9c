#include "observe/reading_budget.h"

namespace gopacer {

bool ReadingBudget::Account::keep(std::size_t bytes) {
  if (bytes == bytes_) return true;
  ReadingBudget& budget = *budget_;
  const std::lock_guard lock(budget.mutex_);
  const auto entry = budget.namespaces_.try_emplace(ns_, 0).first;
  const std::size_t of_all = budget.bytes_ - bytes_ + bytes;
  const std::size_t of_namespace = entry->second - bytes_ + bytes;
  const bool room = bytes < bytes_ || of_all + of_namespace <= budget.limit_;
  if (room) {
    budget.bytes_ = of_all;
    entry->second = of_namespace;
    bytes_ = bytes;
  }
  if (entry->second == 0) budget.namespaces_.erase(entry);
  return room;
}

std::size_t ReadingBudget::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace gopacer
