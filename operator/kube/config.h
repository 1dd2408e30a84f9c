#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/steady_clock.h"
#include "gopacer/base/result.h"
#include "ports/token_source.h"

namespace gopacer::kube {

/// Where the API server is and how to present oneself there. Certificates and keys are PEM text.
struct ClusterConfig {
  std::string server;   ///< "https://10.0.0.1:6443", without a trailing slash
  std::string ca;       ///< empty: the system's certificate authorities
  std::string ca_file;  ///< where `ca` came from; read again when it changes. Empty: it was given inline
  bool skip_tls_verify = false;
  std::string tls_server_name;  ///< empty: the host of `server`
  std::string client_certificate;
  std::string client_key;
  std::string token;
  std::string token_file;  ///< wins over `token`; read again when it changes
  std::string ns;          ///< the context's, or the pod's own; "default" when neither says
};

/// The files that every pod with a service account has.
struct ServiceAccountFiles {
  std::string token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
  std::string ca = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
  std::string ns = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
};

/// `files` are merged as kubectl merges them: the first that defines something wins. An empty `context` means the
/// files' current one. Certificates named by path are read now, relative to the file that names them.
Result<ClusterConfig> read_kubeconfig(const std::vector<std::string>& files, const std::string& context);

/// The configuration of a pod: host and port as in KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT.
Result<ClusterConfig> in_cluster_config(const std::string& host, const std::string& port,
                                        const ServiceAccountFiles& files);

/// A look at one environment variable.
using Environment = std::function<std::optional<std::string>(const char*)>;

/// Finds the configuration: `kubeconfig` when given, else $KUBECONFIG, else the pod's own, else ~/.kube/config.
Result<ClusterConfig> find_config(const std::string& kubeconfig, const std::string& context, const Environment& env);
Result<ClusterConfig> find_config(const std::string& kubeconfig, const std::string& context);

/// The content of a file with certificates, a key or a token. Error: it can't be read, or is no such thing by its size.
Result<std::string> read_credential(const std::string& path);

/// The token of `config`: fixed, or from a file that is read again once a minute and whenever it was refused.
std::shared_ptr<TokenSource> make_token_source(const ClusterConfig& config, std::shared_ptr<const SteadyClock> clock);
std::shared_ptr<TokenSource> make_token_source(const ClusterConfig& config);

}  // namespace gopacer::kube
