#pragma once

#include <iosfwd>
#include <string>

#include "gopacer/domain/profile.h"

namespace CLI {
class App;
}

namespace gopacer {

/// What `gopacer tune` is told on its command line.
struct TuneOptions {
  int pid = 0;
  std::string gogc;              ///< a percentage or "off"; empty: as it is
  std::string mem_limit;         ///< in GOMEMLIMIT's syntax or "off"; empty: as it is
  std::string undo_file;         ///< to write; empty: gopacer-PID.undo.json
  std::string undo;              ///< to put back; empty: none
  bool automatic = false;        ///< what `advise --pid` would recommend
  std::string duration = "30s";  ///< to read for that
  std::string limit;             ///< the process's memory limit as a Kubernetes quantity; empty: of its control group
  std::string objective = "Balanced";
  double memory_price = kUsualMemoryPrice;  ///< of a GiB, in cores
  Bounds bounds;
  bool dry_run = false;
  std::string output = "text";
};

/// The exit statuses of `gopacer tune`; docs/tune.md has them too.
enum class TuneExit {
  kDone = 0,
  kUsage = 2,    ///< the command line, or an undo file, is of no use
  kRefused = 3,  ///< the process can't be read, or must not get these settings; nothing was changed
  kFailed = 4,   ///< something was changed, and not all is as it was asked for
};

void describe_tune(CLI::App& app, TuneOptions& options);
/// Sets a local process's GOGC and GOMEMLIMIT while it runs: what became of it to `out`, errors to `err`.
TuneExit run_tune(const TuneOptions& options, std::ostream& out, std::ostream& err);

}  // namespace gopacer
