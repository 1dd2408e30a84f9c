#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/workload.h"

namespace gopacer {
class ApiServer;
class HttpFetcher;
}  // namespace gopacer

namespace gopacer::plugin {

/// Exit statuses of `kubectl gopacer`.
enum class Exit {
  kOk = 0,
  kFailed = 1,    ///< what was asked for did not happen; of `status`: rolled back, or blocked
  kUsage = 2,     ///< the command line is of no use
  kTimedOut = 3,  ///< of `status`: it is still under way
};

/// Where a command writes, and how it waits; tests give their own.
struct Surface {
  std::ostream& out;
  std::ostream& err;
  const Clock& clock;
  std::function<void(Duration)> sleep;
  std::size_t width = 0;  ///< of the terminal; 0: it is none
  /// Whether a command that runs until it is interrupted should go on.
  std::function<bool()> goes_on = [] { return true; };
};

/// What a kubeconfig leads to.
struct Cluster {
  ApiServer* api = nullptr;  ///< null: `trouble` says why
  std::string ns;            ///< the context's
  std::string trouble;
  HttpFetcher* pods = nullptr;  ///< pages of pods
  /// Told which pod an address is of, before it is asked.
  std::function<void(const std::string& address, const ObjectKey& pod)> know = nullptr;
  /// Why the API server does not let pods be asked; empty while it does.
  std::function<std::string()> refusal = nullptr;
};
using OpenCluster = std::function<Cluster(const std::string& kubeconfig, const std::string& context)>;

/// Runs `kubectl gopacer ARGUMENTS`.
Exit run_plugin(const std::vector<std::string>& arguments, const OpenCluster& open, const Surface& surface);

/// The same on the terminal and the cluster that the kubeconfig names.
int run_plugin(int argc, char** argv);

/// Whether the program was started under a name that kubectl calls its plugins by.
bool is_plugin_name(const std::string& program);
/// Whether that is the one by which it asks what may follow in a command line.
bool is_completion_name(const std::string& program);

}  // namespace gopacer::plugin
