#include "cli/cleanup_command.h"

#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <ostream>
#include <thread>

#include "cli/own_name.h"
#include "control/cleanup.h"
#include "kube/client.h"
#include "kube/config.h"
#include "kube/leader_elector.h"
#include "kube/transport.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr int kLeftOver = 1;
constexpr int kUsageError = 2;
constexpr Duration kLongestTimeout = minutes(20);
constexpr Duration kBetweenRounds = std::chrono::milliseconds(500);
/// After success, for whoever removes the operator next. Not longer, because a new one would have to wait for it, too.
constexpr Duration kKeptAway = seconds(60);
constexpr Duration kGivenBack = seconds(1);

int fail_with(const std::string& message, std::ostream& err) {
  err << "gopacer cleanup: " << message << "\n";
  return kLeftOver;
}

/// Takes the lease for `duration` and waits until nobody else acts.
Result<void> stop_operator(ApiServer& api, kube::LeaseOptions lease, Duration duration, const Clock& clock,
                           const std::function<void(Duration)>& sleep, std::ostream& out) {
  const Duration longest_reign = lease.lease_duration;
  lease.lease_duration = duration;
  const Result<std::string> holder = kube::seize_lease(api, lease, clock);
  if (!holder) {
    // An operator whose lease would be there can't lead either.
    if (holder.error().kind == ErrorKind::kNotFound) return {};
    return fail(holder.error().kind, "the operator can't be stopped, because its lease " + lease.ns + "/" + lease.name +
                                         " can't be taken: " + holder.error().message +
                                         ". Needed are get, update and create on leases in that namespace; nothing "
                                         "was changed");
  }
  if (holder->empty() || *holder == lease.identity) return {};
  out << "Took lease " << lease.ns << "/" << lease.name << " from " << *holder << "; waiting "
      << format_duration(longest_reign) << " until it has surely stopped.\n"
      << std::flush;
  sleep(longest_reign);
  return {};
}

}  // namespace

void describe_cleanup(CLI::App& app, CleanupOptions& options) {
  app.add_option("--kubeconfig", options.kubeconfig, "Kubeconfig file; default: the pod's own account");
  app.add_option("--context", options.context, "Context of the kubeconfig");
  app.add_option("--namespace", options.ns, "Only this namespace, as the operator's --watch-namespace; default: all");
  app.add_option("--lease-namespace", options.lease_namespace, "Namespace of the operator's lease")
      ->capture_default_str();
  app.add_option("--lease-name", options.lease_name, "Name of the operator's lease, which is taken from it")
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "Give up after this time, at most 20m")->capture_default_str();
}

int run_cleanup(ApiServer& api, const CleanupOptions& options, const Clock& clock, const SteadyClock& steady,
                const std::function<void(Duration)>& sleep, std::ostream& out, std::ostream& err) {
  const Result<Duration> timeout = parse_duration(options.timeout);
  if (!timeout || *timeout > kLongestTimeout) {
    err << "gopacer cleanup: --timeout " << options.timeout << " is no time up to 20m: give one like 90s or 2m\n";
    return kUsageError;
  }
  kube::LeaseOptions lease{.ns = options.lease_namespace, .name = options.lease_name, .identity = own_name()};
  // Twice the time, because the last request of a round may hang.
  const Duration away = lease.lease_duration + 2 * *timeout;
  if (auto stopped = stop_operator(api, lease, away, clock, sleep, out); !stopped) {
    return fail_with(stopped.error().message, err);
  }
  const Duration end = steady.now() + *timeout;
  const CleanupReport report = clean_up(api, options.ns, clock, [&] {
    if (steady.now() >= end) return false;
    sleep(kBetweenRounds);
    return true;
  });
  for (const std::string& what : report.done) out << what << "\n";
  for (const std::string& what : report.left) out << "Note: " << what << "\n";
  if (report.done.empty() && report.failed.empty()) out << "There was nothing to clean up.\n";
  for (const std::string& what : report.failed) err << "gopacer cleanup: " << what << "\n";

  // What is left over is better off with an operator than without one.
  lease.lease_duration = report.failed.empty() ? kKeptAway : kGivenBack;
  // If it fails, a remaining operator waits for longer: nothing more to do about it here.
  static_cast<void>(kube::seize_lease(api, lease, clock));
  return report.failed.empty() ? 0 : kLeftOver;
}

int run_cleanup(const CleanupOptions& options, std::ostream& out, std::ostream& err) {
  kube::prepare_process();
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  // Conflicts and errors that pass by are tried again; those that stay are in the report.
  spdlog::set_level(spdlog::level::err);
  const Result<kube::ClusterConfig> config = kube::find_config(options.kubeconfig, options.context);
  if (!config) return fail_with(config.error().message, err);
  const auto api = kube::Client::open(*config, kube::make_token_source(*config), {});
  if (!api) return fail_with(api.error().message, err);
  const SystemClock clock;
  const SystemSteadyClock steady;
  return run_cleanup(**api, options, clock, steady, [](Duration time) { std::this_thread::sleep_for(time); }, out, err);
}

}  // namespace gopacer
