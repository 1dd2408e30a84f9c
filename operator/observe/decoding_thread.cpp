#include "observe/decoding_thread.h"

#include <utility>

namespace gopacer {

void DecodingThread::start() {
  const std::lock_guard lock(mutex_);
  state_ = State::kRunning;
  thread_ = std::thread([this] { run(); });
}

void DecodingThread::stop() {
  std::map<std::string, std::deque<Job>> dropped;
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kStopped;
    dropped.swap(jobs_);
    turns_.clear();
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void DecodingThread::post(const std::string& ns, std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kStopped) return;
    if (state_ == State::kRunning) {
      std::deque<Job>& waiting = jobs_[ns];
      if (waiting.empty()) turns_.push_back(ns);
      waiting.push_back(std::move(job));
      changed_.notify_all();
      return;
    }
  }
  job();
}

void DecodingThread::run() {
  std::unique_lock lock(mutex_);
  while (state_ == State::kRunning) {
    if (turns_.empty()) {
      changed_.wait(lock);
      continue;
    }
    {
      const auto waiting = jobs_.find(turns_.front());
      turns_.pop_front();
      const Job job = std::move(waiting->second.front());
      waiting->second.pop_front();
      if (waiting->second.empty()) {
        jobs_.erase(waiting);
      } else {
        turns_.push_back(waiting->first);
      }
      lock.unlock();
      job();
    }
    lock.lock();
  }
}

}  // namespace gopacer
