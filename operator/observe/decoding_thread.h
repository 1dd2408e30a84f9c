#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/steady_clock.h"

namespace gopacer {

/// A thread for decoding that takes long, so that the thread which reads all connections goes on meanwhile. The next
/// job is of the namespace whose jobs have taken the least time so far (start-time fair queueing): slow pages of one
/// namespace cost another no more than one job, and then that much of its own turns. Thread-safe.
class DecodingThread {
 public:
  explicit DecodingThread(const SteadyClock& clock) : clock_(clock) {}

  /// Before it, jobs are done by whoever brings them.
  void start();
  /// Waits for the job that is under way. Those that wait, and all that come later, are dropped.
  void stop();
  /// Jobs are done one after the other, those of a namespace in the order in which they come.
  void post(const std::string& ns, std::function<void()> job);

 private:
  enum class State { kNotStarted, kRunning, kStopped };
  using Job = std::function<void()>;
  struct Turns {
    std::deque<Job> jobs;
    Duration taken{0};
  };

  void run();
  /// The namespace that comes next; none when no job waits. Forgets those that have none and took no more than others.
  std::map<std::string, Turns>::iterator next();

  const SteadyClock& clock_;

  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kNotStarted;
  std::map<std::string, Turns> turns_;  ///< of namespaces
  Duration least_{0};  ///< what the namespace had taken that came last; whoever comes anew begins there
  std::thread thread_;
};

}  // namespace gopacer
