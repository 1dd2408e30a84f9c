#pragma once

#include <memory>
#include <string>

#include "kube/client.h"

namespace gopacer::kube {

/// A real etcd and kube-apiserver for all tests of one program: $GOPACER_TEST_KUBECONFIG if it is set, else one that is
/// started with the first use and ends with the program.
class RealApiServer {
 public:
  static const std::string& kubeconfig();
  static ClusterConfig config();
  /// A client as the cluster's admin.
  static std::unique_ptr<Client> client(const ClientOptions& options = {});
  static std::unique_ptr<Client> client(const ClusterConfig& config, const ClientOptions& options = {});
  /// A namespace of its own for a test.
  static std::string make_namespace(Client& client);
  /// Runs kubectl against it and gives its output. Throws when kubectl fails.
  static std::string kubectl(const std::string& arguments, const std::string& input = "");
};

}  // namespace gopacer::kube
