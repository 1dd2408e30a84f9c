#include "cli/commands.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/advise_command.h"
#include "cli/agent_command.h"
#include "cli/cleanup_command.h"
#include "cli/plugin/plugin_command.h"
#include "cli/simulate_command.h"
#include "cli/tune_command.h"

namespace gopacer {
namespace {

constexpr int kUsageError = 2;

}  // namespace

int run(int argc, char** argv) {
  if (plugin::is_plugin_name(argv[0])) return plugin::run_plugin(argc, argv);
  CLI::App app("gopacer tunes GOGC and GOMEMLIMIT of Go services on Kubernetes", "gopacer");
  app.set_version_flag("--version", GOPACER_VERSION);
  app.require_subcommand(1);

  OperatorOptions options;
  CLI::App* const operate = app.add_subcommand("operator", "Run the operator");
  operate->add_option("--kubeconfig", options.kubeconfig, "Kubeconfig file; default: the pod's own account");
  operate->add_option("--context", options.context, "Context of the kubeconfig");
  operate->add_option("--watch-namespace", options.watch_namespace, "Only this namespace; default: all");
  operate->add_option("--metrics-port", options.metrics_port, "Port of /metrics")->check(CLI::Range(0, 65535));
  operate->add_option("--health-port", options.health_port, "Port of /healthz and /readyz")
      ->check(CLI::Range(0, 65535));
  operate->add_option("--log-level", options.log_level, "Least level that is logged")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
  operate->add_option("--workers", options.workers, "Profiles worked on at the same time")->check(CLI::Range(1, 64));
  operate->add_option("--leader-elect", options.leader_elect, "Act only while holding the lease");
  operate->add_option("--lease-namespace", options.lease_namespace, "Namespace of the lease");
  operate->add_option(
      "--kubelet-account", options.kubelet_account,
      "ServiceAccount, in the lease's namespace, whose short-lived tokens kubelets see; default: kubelets "
      "are not read");
  operate->add_option("--lease-name", options.lease_name,
                      "Name of the lease, of which one operator holds it at a time");
  operate->add_option("--agent", options.agent,
                      "DaemonSet of the node agents, in the lease's namespace; default: there are none");
  operate->add_option("--agent-port", options.agent_port, "Port of the node agents")->check(CLI::Range(1, 65535));
  operate->add_option("--kubelet-ca-file", options.kubelet_ca_file,
                      "PEM bundle that kubelets' certificates are checked against; default: the cluster's CA");
  operate->add_option(
      "--prometheus", options.prometheus,
      "URL of a Prometheus server that SLOs may ask; may be given several times, the first is the default");
  operate->add_flag("--captures", options.captures,
                    "Take a CPU and a heap profile of a pod whose collections stand out, and serve them on the health "
                    "port as /captures");
  operate->add_option("--prometheus-ca-file", options.prometheus_ca_file,
                      "PEM bundle that Prometheus servers' certificates are checked against; default: the system's");
  operate->add_option("--notifications-file", options.notifications_file,
                      "JSON file with the receivers of notifications; default: nobody is told");
  operate->add_option("--notifications-ca-file", options.notifications_ca_file,
                      "PEM bundle that receivers' certificates are checked against; default: the system's");
  operate->add_option("--kubelet-insecure", options.kubelet_insecure, "Believe whoever answers at a kubelet's address");

  AdviseOptions advise_options;
  CLI::App* const advise = app.add_subcommand("advise", "Recommend GOGC and GOMEMLIMIT for one running Go process");
  describe_advise(*advise, advise_options);

  TuneOptions tune_options;
  CLI::App* const tune = app.add_subcommand("tune", "Set GOGC and GOMEMLIMIT of one running Go process");
  describe_tune(*tune, tune_options);

  AgentCommandOptions agent_options;
  CLI::App* const agent = app.add_subcommand("agent", "Run a node's agent, for profiles with apply: Live");
  describe_agent(*agent, agent_options);

  SimulateOptions simulate_options;
  CLI::App* const simulation = app.add_subcommand("simulate", "Show what a strategy would have done on a trace");
  describe_simulate(*simulation, simulate_options);

  CleanupOptions cleanup_options;
  CLI::App* const cleanup =
      app.add_subcommand("cleanup", "End what gopacer has under way in a cluster, before it is uninstalled");
  describe_cleanup(*cleanup, cleanup_options);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help is fine; everything else is the command line's fault.
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  if (advise->parsed()) return static_cast<int>(run_advise(advise_options, std::cout, std::cerr));
  if (tune->parsed()) return static_cast<int>(run_tune(tune_options, std::cout, std::cerr));
  if (agent->parsed()) return run_agent(agent_options);
  if (simulation->parsed()) return run_simulate(simulate_options);
  if (cleanup->parsed()) return run_cleanup(cleanup_options, std::cout, std::cerr);
  return run_operator(options);
}

}  // namespace gopacer
