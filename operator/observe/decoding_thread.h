#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace gopacer {

/// A thread for decoding that takes long, so that the thread which reads all connections goes on meanwhile. Namespaces
/// take turns: slow pages of one of them delay another's by one job. Thread-safe.
class DecodingThread {
 public:
  /// Before it, jobs are done by whoever brings them.
  void start();
  /// Waits for the job that is under way. Those that wait, and all that come later, are dropped.
  void stop();
  /// Jobs are done one after the other, those of a namespace in the order in which they come.
  void post(const std::string& ns, std::function<void()> job);

 private:
  enum class State { kNotStarted, kRunning, kStopped };
  using Job = std::function<void()>;

  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kNotStarted;
  std::map<std::string, std::deque<Job>> jobs_;  ///< of the namespaces that have some
  std::deque<std::string> turns_;                ///< these namespaces, each once, the next first
  std::thread thread_;
};

}  // namespace gopacer
