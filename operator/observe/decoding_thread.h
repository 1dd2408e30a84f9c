#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace gopacer {

/// A thread for decoding that takes long, so that the thread which reads all connections goes on meanwhile.
/// Thread-safe.
class DecodingThread {
 public:
  /// Before it, jobs are done by whoever brings them.
  void start();
  /// Waits for the job that is under way. Those that wait, and all that come later, are dropped.
  void stop();
  /// Jobs are done one after the other, in the order in which they come.
  void post(std::function<void()> job);

 private:
  enum class State { kNotStarted, kRunning, kStopped };

  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kNotStarted;
  std::deque<std::function<void()>> jobs_;
  std::thread thread_;
};

}  // namespace gopacer
