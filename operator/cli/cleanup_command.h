#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "base/steady_clock.h"
#include "gopacer/base/clock.h"

namespace CLI {
class App;
}

namespace gopacer {

class ApiServer;

/// What `gopacer cleanup` is told on its command line.
struct CleanupOptions {
  std::string kubeconfig;  ///< empty: $KUBECONFIG, the pod's own service account, ~/.kube/config
  std::string context;
  std::string ns;  ///< empty: all
  std::string lease_namespace = "gopacer";
  std::string lease_name = "gopacer";
  std::string timeout = "2m";
};

void describe_cleanup(CLI::App& app, CleanupOptions& options);

/// Stops the operator by taking its lease, cleans up, and prints what was done to which object: what it did to `out`,
/// what it could not do to `err`. Gives the process's exit status: 0, 1 when something is left that should not be, 2
/// when the command line is of no use.
int run_cleanup(const CleanupOptions& options, std::ostream& out, std::ostream& err);

/// The same on a given API server; `sleep` waits.
int run_cleanup(ApiServer& api, const CleanupOptions& options, const Clock& clock, const SteadyClock& steady,
                const std::function<void(Duration)>& sleep, std::ostream& out, std::ostream& err);

}  // namespace gopacer
