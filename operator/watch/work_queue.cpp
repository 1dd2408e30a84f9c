#include "watch/work_queue.h"

#include <algorithm>

namespace gopacer {
namespace {

/// So that the exponent of the backoff stays small.
constexpr int kMostFailures = 30;

}  // namespace

WorkQueue::WorkQueue(const SteadyClock& clock, Backoff backoff) : clock_(clock), backoff_(backoff) {}

void WorkQueue::add_after(const ObjectKey& key, Duration delay) {
  {
    const std::lock_guard lock(mutex_);
    add_locked(key, delay);
  }
  changed_.notify_one();
}

void WorkQueue::add_failed(const ObjectKey& key) {
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[key];
    const double jitter = std::uniform_real_distribution<double>(0, 1)(random_);
    const Duration delay = backoff_.delay(entry.failures, jitter);
    entry.failures = std::min(entry.failures + 1, kMostFailures);
    add_locked(key, delay);
  }
  changed_.notify_one();
}

void WorkQueue::add_locked(const ObjectKey& key, Duration delay) {
  if (down_) return;
  Entry& entry = entries_[key];
  const Duration due = clock_.now() + std::max(delay, Duration(0));
  if (entry.due && *entry.due <= due) return;
  unschedule(key, entry);
  entry.due = due;
  entry.order = next_order_++;
  if (!entry.working) schedule(key, entry);
  ++version_;
}

void WorkQueue::schedule(const ObjectKey& key, Entry& entry) {
  later_.emplace(*entry.due, entry.order, key);
  entry.scheduled = true;
}

void WorkQueue::unschedule(const ObjectKey& key, Entry& entry) {
  if (entry.scheduled) later_.erase({*entry.due, entry.order, key});
  entry.scheduled = false;
}

void WorkQueue::drop_if_idle(const ObjectKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const Entry& entry = found->second;
  if (!entry.due && !entry.working && entry.failures == 0) entries_.erase(found);
}

void WorkQueue::forget(const ObjectKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  found->second.failures = 0;
  drop_if_idle(key);
}

std::optional<ObjectKey> WorkQueue::take_locked() {
  if (down_) return std::nullopt;
  while (!later_.empty() && std::get<0>(*later_.begin()) <= clock_.now()) {
    const ObjectKey key = std::get<2>(*later_.begin());
    unschedule(key, entries_[key]);
    due_.push(key.ns, key);
  }
  std::optional<ObjectKey> key = due_.pop([this](const std::string& ns) {
    const auto found = working_.find(ns);
    return found == working_.end() ? 0 : found->second;
  });
  if (!key) return std::nullopt;
  ++working_[key->ns];
  Entry& entry = entries_[*key];
  entry.due.reset();
  entry.working = true;
  entry.taken = clock_.now();
  return key;
}

std::optional<ObjectKey> WorkQueue::try_take() {
  const std::lock_guard lock(mutex_);
  return take_locked();
}

std::optional<ObjectKey> WorkQueue::take(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested() && !down_) {
    if (auto key = take_locked()) {
      // Others may be due as well, and this thread has eaten the notification.
      changed_.notify_one();
      return key;
    }
    const std::uint64_t seen = version_;
    const auto is_news = [&] { return version_ != seen || down_; };
    if (later_.empty()) {
      changed_.wait(lock, stop, is_news);
    } else {
      changed_.wait_for(lock, stop, std::get<0>(*later_.begin()) - clock_.now(), is_news);
    }
  }
  return std::nullopt;
}

void WorkQueue::done(const ObjectKey& key) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    found->second.working = false;
    if (--working_[key.ns] == 0) working_.erase(key.ns);
    if (found->second.due) schedule(key, found->second);
    drop_if_idle(key);
    ++version_;
  }
  changed_.notify_one();
}

void WorkQueue::shut_down() {
  {
    const std::lock_guard lock(mutex_);
    down_ = true;
    later_.clear();
    due_.clear();
    for (auto& [key, entry] : entries_) {
      entry.scheduled = false;
      entry.due.reset();
    }
  }
  changed_.notify_all();
}

std::optional<std::pair<ObjectKey, Duration>> WorkQueue::longest_work() const {
  const std::lock_guard lock(mutex_);
  std::optional<std::pair<ObjectKey, Duration>> longest;
  for (const auto& [key, entry] : entries_) {
    const Duration time = clock_.now() - entry.taken;
    if (entry.working && (!longest || time > longest->second)) longest = {key, time};
  }
  return longest;
}

std::size_t WorkQueue::size() const {
  const std::lock_guard lock(mutex_);
  return later_.size() + due_.size();
}

}  // namespace gopacer
