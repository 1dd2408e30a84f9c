#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cluster/command.h"

namespace gopacer::cluster {

using nlohmann::json;
using std::chrono::seconds;

/// A real Kubernetes with the operator in it, installed by helm from the image that the build made.
///   GOPACER_KUBECONFIG          another cluster than the local one of ./dev cluster up; its nodes must have the images
///   GOPACER_CLUSTER_OPERATOR    "present": take the operator that runs there as it is
/// Functions throw std::runtime_error, which fails the test and shows command and output.
class Cluster {
 public:
  /// The first call in a process makes sure that the images are loaded and the operator is installed and ready.
  static Cluster& get();

  std::string kubectl(std::vector<std::string> arguments, const std::string& input = "",
                      seconds patience = seconds(60));
  /// May fail; the caller looks at the exit code.
  CommandResult try_kubectl(std::vector<std::string> arguments, const std::string& input = "",
                            seconds patience = seconds(60));
  std::string helm(std::vector<std::string> arguments);

  /// Installs or upgrades; `values` are those of helm's --set. Waits until the operator is ready.
  void install(const std::vector<std::string>& values = {});
  bool operator_is_given() const { return given_; }
  /// The cluster of ./dev cluster up, whose API server reaches this machine.
  bool is_local() const { return local_; }
  /// GOPACER_LONG asks for the tests, too, that take minutes and need controllers of others.
  static bool is_long_run();
  const std::string& kubeconfig() const { return kubeconfig_; }
  /// Where build.sh has put the controllers that others run in their clusters.
  std::string neighbours() const { return bin_ + "/neighbours"; }

 private:
  Cluster();
  void install_once();
  void define_kinds_of_neighbours();

  std::string kubeconfig_;
  std::string bin_;
  std::string stamp_;
  bool local_ = false;
  bool given_ = false;
};

inline constexpr const char* kOperatorNamespace = "gopacer";

/// Value at a JSON pointer as text, "" where there is nothing.
std::string text(const json& object, const std::string& pointer);
/// Number at a JSON pointer, also when it is written as text; -1 where there is nothing.
double number(const json& object, const std::string& pointer);
/// The condition of a profile; null when it has none of this type.
json condition(const json& profile, const std::string& type);

/// What runs in the cluster to be tuned, and what sends it requests.
struct Workload {
  std::string name = "checkout";
  std::string image = "checkout";
  std::vector<std::string> arguments = {"--live-heap=32MiB", "--drain=0s"};
  std::vector<std::pair<std::string, std::string>> env;
  std::string memory_limit = "256Mi";
  int replicas = 1;
  int port = 8080;
  std::string ready_path = "/readyz";
  json document() const;
};

/// One namespace for each test, deleted afterwards with all that is in it.
class ClusterTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  Cluster& cluster() { return Cluster::get(); }
  const std::string& ns() const { return namespace_; }

  /// kubectl in the test's namespace.
  std::string kubectl(std::vector<std::string> arguments, const std::string& input = "");
  void apply(const json& object);
  /// The object, or null when there is none. `what` is kind and name: {"deployment", "checkout"}.
  json get(const std::string& kind, const std::string& name);
  json profile(const std::string& name = "checkout") { return get("grp", name); }
  json trial(const std::string& name) { return get("grt", name); }
  json deployment(const std::string& name = "checkout") { return get("deployment", name); }
  std::vector<json> list(const std::string& kind, const std::string& selector = "");

  /// Creates the workload and its Service and waits until all pods are ready.
  void deploy(const Workload& workload);
  /// Likewise, of a Deployment that is there already.
  void deploy_service(const Workload& workload);
  /// Sends requests to the workload for as long as the test runs. `path` starts with /.
  void send_load(const Workload& workload, int per_second, const std::string& path = "/checkout");
  void stop_load(const Workload& workload);
  /// Posts `what`, as /control/slow?by=300ms, to the example service in every pod of the selector. Waits for those that
  /// go to be gone: they answer nobody.
  void tell_pods(const std::string& selector, const std::string& what);
  /// Creates a profile of short intervals; `spec` is merged over it.
  void tune(const std::string& name, const json& spec);
  void change_profile(const std::string& name, const json& spec);

  /// Polls until it holds. When the time is up, the test ends with all that is known of the namespace.
  void eventually(const std::string& what, const std::function<bool()>& holds, seconds patience = seconds(120));
  /// Likewise for the trial of this name; returns it. Fails at once if it ends in another way than `holds` wants.
  json eventually_trial(const std::string& name, const std::string& what, const std::function<bool(const json&)>& holds,
                        seconds patience = seconds(120));
  json trial_ended(const std::string& name, seconds patience = seconds(200));
  /// No canary or baseline is left, neither Deployment nor pod.
  void expect_no_leftovers(const std::string& workload = "checkout");
  /// GOGC or GOMEMLIMIT in the Deployment's template: the value, or "" when it is not set.
  std::string env_of(const json& deployment, const std::string& variable);
  /// Who owns it according to the API server; "" for nobody.
  std::string owner_of_env(const std::string& workload, const std::string& variable);

  /// Profiles, trials, Deployments, pods, events and the operator's last words.
  std::string state();

 private:
  std::string namespace_;
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace gopacer::cluster
