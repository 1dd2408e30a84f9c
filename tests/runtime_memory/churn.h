#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "fakes/temporary_directory.h"
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

/// Why a program that is linked so can't be built or run here; empty where it can. Those of arm64 want an emulator.
std::string cannot_run(const std::string& mode);

/// What /proc would have of a program that an emulator runs in its own process: the program's file, and what it was
/// told at its start, instead of the emulator's. Their memory is the same, and so are addresses where the emulator
/// finds those free that the program is linked at; elsewhere nothing would be found in it.
class EmulatedProc {
 public:
  const std::filesystem::path& path() const { return directory_.path(); }
  /// A file that the program itself has to write: only it can ask the emulator.
  std::filesystem::path told_at_start() const { return path() / "auxv"; }
  void add(int pid, const std::string& program) const;

 private:
  TemporaryDirectory directory_;
};

/// The Go program of tests/runtime_memory/churn, which allocates until this is destroyed.
class Churn {
 public:
  /// `mode`: how it is linked, as build.sh has it; `version`: of Go, "installed" for this project's.
  explicit Churn(const std::string& mode, std::vector<std::string> arguments = {},
                 const std::string& version = "installed");

  int pid() const { return process_.pid(); }
  /// Where it is found by its number: /proc, or a directory like it.
  std::filesystem::path proc() const;
  Told tell();
  /// Lets it set the GOGC of its own command line.
  Told set_its_own();
  /// Lets it become the program of its command line.
  void become_another();
  void kill();

 private:
  Churn(const std::string& mode, const std::string& program, std::vector<std::string> arguments);

  std::unique_ptr<EmulatedProc> emulated_;  ///< none of a program that the machine itself runs
  GoProcess process_;
};

}  // namespace gopacer::testing
