#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace gopacer {

/// A program of tests/workloads, or of the system by its path, that runs on ports of the loopback interface until this
/// is destroyed.
class GoProcess {
 public:
  /// Builds the program of tests/workloads unless it is built already, starts it, and reads its log until it says that
  /// it is ready.
  GoProcess(const std::string& program, const std::vector<std::string>& arguments, const std::string& ready);
  ~GoProcess();
  GoProcess(const GoProcess&) = delete;
  GoProcess& operator=(const GoProcess&) = delete;

  /// The port in "NAME listens on 127.0.0.1:PORT" of its log.
  int port(const std::string& name) const;
  pid_t pid() const { return pid_; }
  /// Sends the signal, and waits for the line that it prints then; it has to begin with `prefix` and to end with " .".
  std::string answer_to(int signal, const std::string& prefix);
  /// Waits until it ends by itself; its exit code.
  int wait();
  /// What it printed to stdout and stderr; whole after wait().
  const std::string& log() const { return log_; }

 private:
  bool read_more();

  pid_t pid_ = -1;
  int output_ = -1;
  std::string log_;
};

}  // namespace gopacer
