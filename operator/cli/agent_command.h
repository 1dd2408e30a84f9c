#pragma once

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace gopacer {

/// What `gopacer agent` is told on its command line.
struct AgentCommandOptions {
  std::string kubeconfig;  ///< empty: $KUBECONFIG, the pod's own service account, ~/.kube/config
  std::string context;
  std::string node;
  std::string watch_namespace;  ///< empty: all
  std::string state;            ///< directory; empty: nothing survives the agent
  std::string proc = "/proc";
  int port = 8082;
  bool pauses = false;
  std::string log_level = "info";
};

void describe_agent(CLI::App& app, AgentCommandOptions& options);

/// Runs a node's agent until SIGTERM or SIGINT (0), or ends at once when it can't start (1).
int run_agent(const AgentCommandOptions& options);

}  // namespace gopacer
