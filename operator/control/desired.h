#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gopacer/domain/desired.h"

namespace gopacer {

/// What the cluster says, as the watches last saw it. Implemented by the stores, and by maps in tests. Thread-safe.
class ClusterView {
 public:
  virtual ~ClusterView() = default;
  virtual std::shared_ptr<const Profile> profile(const ObjectKey& key) const = 0;
  virtual std::vector<std::shared_ptr<const Profile>> profiles(const std::string& ns) const = 0;
  virtual std::shared_ptr<const Workload> deployment(const ObjectKey& key) const = 0;
  /// Why a Deployment that is there can't be read; empty otherwise.
  virtual std::string unreadable_deployment(const ObjectKey&) const { return {}; }
  virtual std::vector<std::shared_ptr<const Workload>> deployments(const std::string& ns) const = 0;
  virtual std::shared_ptr<const ReplicaSet> replica_set(const ObjectKey& key) const = 0;
  virtual std::vector<std::shared_ptr<const Trial>> trials(const std::string& ns) const = 0;
  virtual std::vector<std::shared_ptr<const Pod>> pods(const std::string& ns) const = 0;
  virtual std::vector<std::shared_ptr<const Autoscaler>> autoscalers(const std::string& ns) const = 0;
  virtual std::vector<std::shared_ptr<const Steerer>> steerers(const std::string&) const { return {}; }
  /// gopacer is being taken away from the cluster.
  virtual bool uninstalling() const { return false; }
  /// Since the API server last said anything of the kind that is silent for the longest time.
  virtual Duration age() const = 0;
};

/// The Deployment is an arm of some trial.
bool is_arm(const Workload& workload);

/// What the target's container is to run with in a pod, trials apart. What the profile notes of another target, or of
/// another container, says nothing of this one.
Settings in_force(const Desired& desired, const ContainerSpec& container);

/// Gathers all that bears on one profile, and concludes nothing.
Desired read_desired(const ClusterView& cluster, const ObjectKey& key);

}  // namespace gopacer
