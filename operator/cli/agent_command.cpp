#include "cli/agent_command.h"

#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <thread>

#include "agent/agent.h"
#include "cli/agent_metrics.h"
#include "cli/health_pages.h"
#include "cli/stop_signals.h"
#include "kube/client.h"
#include "kube/config.h"
#include "kube/transport.h"
#include "net/http_server.h"

namespace gopacer {
namespace {

int fail_start(const Error& error) {
  spdlog::error("can't start error=\"{}\"", error.message);
  return 1;
}

}  // namespace

void describe_agent(CLI::App& app, AgentCommandOptions& options) {
  app.add_option("--kubeconfig", options.kubeconfig, "Kubeconfig file; default: the pod's own account");
  app.add_option("--context", options.context, "Context of the kubeconfig");
  app.add_option("--node", options.node, "Name of the node whose pods are looked at")->required();
  app.add_option("--watch-namespace", options.watch_namespace, "Only this namespace; default: all");
  app.add_option("--state", options.state,
                 "Directory that outlives the process, for what programs had before; default: none");
  app.add_option("--proc", options.proc, "Where the processes of the node are listed")->capture_default_str();
  app.add_option("--port", options.port, "Port of the samples, /metrics and /healthz")->check(CLI::Range(0, 65535));
  app.add_flag("--pauses", options.pauses,
               "Measure by an eBPF probe for how long collections stop the programs; needs CAP_BPF and CAP_PERFMON");
  app.add_option("--log-level", options.log_level, "Least level that is logged")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
}

int run_agent(const AgentCommandOptions& options) {
  const StopSignals signals;
  kube::prepare_process();
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(options.log_level == "warn" ? "warning" : options.log_level));

  const Result<kube::ClusterConfig> config = kube::find_config(options.kubeconfig, options.context);
  if (!config) return fail_start(config.error());
  const auto api = kube::Client::open(*config, kube::make_token_source(*config), {});
  if (!api) return fail_start(api.error());

  const SystemClock clock;
  const SystemSteadyClock steady;
  std::shared_ptr<PauseProbe> pauses;
  if (options.pauses) {
    auto opened = PauseProbe::open(clock, steady);
    if (opened) pauses = std::move(*opened);
    // Whatever kernel a node has, its programs are tuned.
    if (!opened) spdlog::error("pauses are not measured on this node error=\"{}\"", opened.error().message);
  }
  Agent agent(**api, clock, steady,
              {.node = options.node,
               .watch_namespace = options.watch_namespace,
               .proc = options.proc,
               .state = options.state,
               .pauses = pauses});
  const auto metrics = [&agent] {
    return HttpServer::Answer{200, agent_metrics(agent.counts(), agent.stops()),
                              "text/plain; version=0.0.4; charset=utf-8"};
  };
  const auto server = HttpServer::listen(options.port,
                                         {{"/healthz", [&agent] { return health_page(agent); }},
                                          {"/readyz", [&agent] { return agents_ready_page(agent); }},
                                          {"/metrics", metrics}},
                                         [&agent](const std::string& path) -> std::optional<HttpServer::Answer> {
                                           auto body = agent.page(path);
                                           if (!body) return std::nullopt;
                                           return HttpServer::Answer{200, std::move(*body), "application/json"};
                                         });
  if (!server) return fail_start(server.error());
  spdlog::info("agent starts node={} port={}", options.node, (*server)->port());
  std::jthread work([&agent](const std::stop_token& stop) { agent.run(stop); });
  const int number = signals.wait();
  spdlog::info("stopping signal={}", number);
  return 0;
}

}  // namespace gopacer
