#pragma once

#include <string>
#include <vector>

#include "observe/go_process.h"

namespace gopacer::testing {

/// What the runtime of churn says of itself, in the order in which it is printed.
struct Told {
  double gogc = 0;  ///< 2⁶⁴−1: off
  double go_mem_limit = 0;
  double live = 0;
  double goal = 0;
  double allocated = 0;
  double collections = 0;
  double assist_seconds = 0;
  double dedicated_seconds = 0;
  double idle_seconds = 0;
  double pauses = 0;         ///< stops of its world for the collector
  double pause_seconds = 0;  ///< of those that ended with a collection
  double pause_median = 0;   ///< seconds: the upper edge of its bucket, a quarter octave wide
  double pause_p99 = 0;
  double stops = 0;  ///< by -stops, which are not for the collector
};

/// Path of the program, linked in a way of build.sh by that Go; built first unless it is there.
std::string built_churn(const std::string& mode, const std::string& version = "installed");

/// The Go program of tests/runtime_memory/churn, which allocates until this is destroyed.
class Churn {
 public:
  /// `mode`: how it is linked, as build.sh has it; `version`: of Go, "installed" for this project's.
  explicit Churn(const std::string& mode, std::vector<std::string> arguments = {},
                 const std::string& version = "installed");

  int pid() const { return process_.pid(); }
  Told tell();
  /// Lets it set the GOGC of its own command line.
  Told set_its_own();
  /// Lets it become the program of its command line.
  void become_another();
  void kill();

 private:
  GoProcess process_;
};

}  // namespace gopacer::testing
