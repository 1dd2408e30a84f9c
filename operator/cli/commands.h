#pragma once

#include <string>
#include <vector>

namespace gopacer {

/// Runs the subcommand that the arguments name; gives the process's exit status.
int run(int argc, char** argv);

/// What `gopacer operator` is told on its command line.
struct OperatorOptions {
  std::string kubeconfig;  ///< empty: $KUBECONFIG, the pod's own service account, ~/.kube/config
  std::string context;
  std::string watch_namespace;  ///< empty: all
  int metrics_port = 8080;
  int health_port = 8081;
  std::string log_level = "info";
  int workers = 2;
  bool leader_elect = true;
  std::string lease_namespace = "gopacer";
  std::string
      kubelet_account;  ///< ServiceAccount in the lease's namespace whose tokens kubelets see; empty: none is read
  std::string lease_name = "gopacer";
  std::string agent;  ///< DaemonSet of the node agents, in the lease's namespace; empty: there are none
  int agent_port = 8082;
  std::string kubelet_ca_file;
  bool kubelet_insecure = false;
  std::vector<std::string> prometheus;  ///< URLs of the servers that may be asked; the first where an SLO names none
  bool captures = false;                ///< profiles are taken of pods whose collections stand out
  std::string prometheus_ca_file;       ///< PEM bundle; empty: the system's
  std::string notifications_file;       ///< names the receivers of notifications; empty: there are none
  std::string notifications_ca_file;    ///< PEM bundle; empty: the system's
};

/// Runs the operator until SIGTERM or SIGINT (0), or until it loses its lease or can't start (1).
int run_operator(const OperatorOptions& options);

}  // namespace gopacer
