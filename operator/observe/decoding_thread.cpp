#include "observe/decoding_thread.h"

#include <utility>

namespace gopacer {

void DecodingThread::start() {
  const std::lock_guard lock(mutex_);
  state_ = State::kRunning;
  thread_ = std::thread([this] { run(); });
}

void DecodingThread::stop() {
  std::map<std::string, Turns> dropped;
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kStopped;
    dropped.swap(turns_);
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void DecodingThread::post(const std::string& ns, std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kStopped) return;
    if (state_ == State::kRunning) {
      turns_.try_emplace(ns, Turns{{}, least_}).first->second.jobs.push_back(std::move(job));
      changed_.notify_all();
      return;
    }
  }
  job();
}

std::map<std::string, DecodingThread::Turns>::iterator DecodingThread::next() {
  std::erase_if(turns_, [&](const auto& one) { return one.second.jobs.empty() && one.second.taken <= least_; });
  auto found = turns_.end();
  for (auto one = turns_.begin(); one != turns_.end(); ++one) {
    if (one->second.jobs.empty()) continue;
    if (found == turns_.end() || one->second.taken < found->second.taken) found = one;
  }
  return found;
}

void DecodingThread::run() {
  std::unique_lock lock(mutex_);
  while (state_ == State::kRunning) {
    const auto turn = next();
    if (turn == turns_.end()) {
      changed_.wait(lock);
      continue;
    }
    const std::string ns = turn->first;
    least_ = turn->second.taken;
    Duration taken{0};
    {
      const Job job = std::move(turn->second.jobs.front());
      turn->second.jobs.pop_front();
      lock.unlock();
      const Duration began = clock_.now();
      job();
      taken = clock_.now() - began;
    }
    lock.lock();
    // Stopping may have dropped all of them.
    if (const auto known = turns_.find(ns); known != turns_.end()) known->second.taken += taken;
  }
}

}  // namespace gopacer
