#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace gopacer::cluster {

struct CommandResult {
  int exit_code = 0;
  std::string out;
  std::string error;  ///< what the command wrote to stderr
};

/// Runs a program with its arguments (no shell) and gives it `input`. Ends it when `patience` is over.
/// Throws std::runtime_error, which shows command and output, when it cannot be run or does not end in time.
CommandResult run(const std::vector<std::string>& command, const std::string& input = "",
                  std::chrono::seconds patience = std::chrono::seconds(60));

/// Likewise, but throws also when the exit code is not 0. Returns what it wrote to stdout.
std::string must_run(const std::vector<std::string>& command, const std::string& input = "",
                     std::chrono::seconds patience = std::chrono::seconds(60));

/// A program that runs beside the test, and ends with it.
class Background {
 public:
  /// What it writes goes into the file `log`.
  Background(const std::vector<std::string>& command, const std::string& log);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

 private:
  int process_;
};

/// A port that nobody listened at a moment ago.
int free_port();

}  // namespace gopacer::cluster
