#pragma once

#include <iosfwd>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/domain/profile.h"

namespace CLI {
class App;
}

namespace gopacer {

/// What `gopacer advise` is told on its command line.
struct AdviseOptions {
  std::string url;          ///< of the pprof index
  std::string metrics_url;  ///< of client_golang's page; empty: none
  int pid = 0;              ///< of a process on this machine; 0: none
  std::string samples;      ///< directory of a recording, in place of a process; empty: none
  std::string record;       ///< directory to record into; empty: none
  std::string limit;        ///< the container's memory limit as a Kubernetes quantity; empty: unknown
  std::string cpu_limit;    ///< a Kubernetes quantity; empty: unknown
  std::string memory_request;
  std::string duration = "60s";
  std::string interval;  ///< empty: a twelfth of the duration
  std::string objective = "Balanced";
  double memory_price = kUsualMemoryPrice;  ///< of a GiB, in cores
  std::string strategy = "Model";
  Bounds bounds;
  std::string latency_metric;  ///< a histogram on the metrics page; empty: none
  std::string current_gogc;    ///< empty: as the process says
  std::string current_go_mem_limit;
  std::string name = "my-service";  ///< of the profile and of its Deployment, for -o yaml
  std::string output = "text";
  bool progress = false;
};

/// The exit statuses of `gopacer advise`; its --help and docs/advise.md have them too.
enum class AdviseExit {
  kFine = 0,      ///< what is in force should stay, perhaps only for want of a memory limit
  kChange = 1,    ///< other settings are recommended
  kUsage = 2,     ///< the command line, or a recording, is of no use
  kNoData = 3,    ///< nothing could be read, or too little
  kActFirst = 4,  ///< something stands against tuning; a person has to change it first
};

void describe_advise(CLI::App& app, AdviseOptions& options);
/// Reads, decides and prints: the advice to `out`, errors and progress to `err`. Gives the process's exit status.
AdviseExit run_advise(const AdviseOptions& options, std::ostream& out, std::ostream& err);

}  // namespace gopacer
