#include "observe/decoding_thread.h"

#include <utility>

namespace gopacer {

void DecodingThread::start() {
  const std::lock_guard lock(mutex_);
  state_ = State::kRunning;
  thread_ = std::thread([this] { run(); });
}

void DecodingThread::stop() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(mutex_);
    state_ = State::kStopped;
    dropped.swap(jobs_);
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void DecodingThread::post(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kStopped) return;
    if (state_ == State::kRunning) {
      jobs_.push_back(std::move(job));
      changed_.notify_all();
      return;
    }
  }
  job();
}

void DecodingThread::run() {
  std::unique_lock lock(mutex_);
  while (state_ == State::kRunning) {
    if (jobs_.empty()) {
      changed_.wait(lock);
      continue;
    }
    {
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
    }
    lock.lock();
  }
}

}  // namespace gopacer
