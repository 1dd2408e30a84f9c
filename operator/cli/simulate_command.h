#pragma once

#include <cstdint>
#include <string>

#include "gopacer/domain/profile.h"

namespace CLI {
class App;
}

namespace gopacer {

/// What `gopacer simulate` is told on its command line.
struct SimulateOptions {
  std::string file;   ///< of the trace; empty: `trace` names one
  std::string trace;  ///< a name that simulate::generate() knows
  bool all = false;   ///< every such trace, and a summary
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;  ///< so many, from `seed` on; only with `all`
  Objective objective = Objective::kBalanced;
  Strategy strategy = Strategy::kModel;
  Bounds bounds;
  std::string gogc;          ///< for strategy Fixed
  std::string go_mem_limit;  ///< for strategy Fixed
  int procs = 0;             ///< GOMAXPROCS and the CPU limit instead of the trace's; 0: as the trace has them
  std::string limit;         ///< the container's memory limit instead of the trace's
  std::string cool_down = "6h";
  std::string output = "table";
  bool write = false;  ///< print the trace instead of simulating it
};

/// The exit statuses of `gopacer simulate`; docs/simulate.md has them too.
enum class SimulateExit {
  kFine = 0,
  kKilled = 1,  ///< under the strategy the kernel would have killed the process for memory
  kUsage = 2,   ///< the command line, or the trace, is of no use
};

void describe_simulate(CLI::App& app, SimulateOptions& options);
/// Simulates and prints. Gives the process's exit status, a SimulateExit.
int run_simulate(const SimulateOptions& options);

}  // namespace gopacer
