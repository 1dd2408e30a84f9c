#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/settings.h"

namespace gopacer {

struct ObjectKey {
  std::string ns;
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
  std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

using Labels = std::map<std::string, std::string>;

/// One of our two entries in a container's env list.
struct EnvEntry {
  std::string name;
  std::string value;         ///< of a valueFrom: what it comes to where that is known here, else empty
  bool from_source = false;  ///< valueFrom
  /// One valueFrom may come to other values in pods that were resized.
  bool operator==(const EnvEntry& other) const {
    return name == other.name && from_source == other.from_source && (from_source || value == other.value);
  }
};

struct ContainerSpec {
  std::string name;
  std::vector<EnvEntry> env;  ///< only GOGC and GOMEMLIMIT, in the order of the list, each twice at most
  /// What of envFrom may bring one of the two that the list lacks: "ConfigMap checkout-env, Secret s". An entry of the
  /// list goes before it. Empty: nothing does.
  std::string env_from;
  std::optional<Bytes> memory_limit;
  std::optional<Bytes> memory_request;
  std::optional<double> cpu_limit;  ///< cores
};

/// Ours, for server-side apply.
inline constexpr const char* kFieldManager = "gopacer";

/// Who has a part in one of our env entries.
struct EnvOwner {
  std::string container;
  std::string variable;
  std::string manager;
  /// Of its value, or its valueFrom, by server-side apply; else of no more than its being there.
  bool of_value = true;
};

/// The workload that a trial speaks of, within the trial's namespace.
struct WorkloadRef {
  std::string kind = "Deployment";
  std::string name;
  std::string uid;
  bool operator==(const WorkloadRef&) const = default;
};

/// The controller in an object's owner references; empty when nothing controls the object.
struct OwnerRef {
  std::string kind;
  std::string name;
  std::string uid;
  bool exists() const { return !uid.empty(); }
};

/// Something in a pod template of which there can be only one instance, or which two instances would spoil.
struct SingleUse {
  std::string reason;  ///< CamelCase: "HostNetwork"
  std::string what;    ///< "it mounts the claim 'data' for writing"
};

/// How far the workload's controller came with the present pod template.
struct Rollout {
  bool paused = false;
  /// Kubernetes itself says that progressDeadlineSeconds went by without progress.
  bool gave_up = false;
  /// Kubernetes itself says that all pods of the present template were available at one time, and has not begun anew.
  bool complete = false;
  std::optional<Time> last_progress;
  /// Why pods can't be created, in the server's words; empty while they can.
  std::string refusal;
  std::optional<Time> refused_since;
};

/// What gopacer needs of a workload: the controller of the pods that run the program, today a Deployment.
struct Workload {
  ObjectKey key;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  std::int64_t observed_generation = 0;
  bool deleting = false;
  Duration min_ready{0};  ///< a pod has to be ready for so long before it counts as available
  int replicas = 1;
  int updated_replicas = 0;
  int available_replicas = 0;
  int total_replicas = 0;
  int max_unavailable = 0;  ///< replicas that may be missing in a rollout
  Rollout rollout;
  Labels labels;  ///< of trials' arms, kTrialLabel and kProfileLabel only
  OwnerRef controller;
  /// `strategy: Recreate`, or one replica and no surge: there must never be an old and a new pod at once.
  bool recreates = false;
  std::vector<SingleUse> single_use;  ///< of the pod template, one for each reason
  std::vector<ContainerSpec> containers;
  /// Of the pod template without our two env entries and without what changes on each restart: a person's change shows.
  std::string template_hash;
  std::vector<EnvOwner> env_owners;
  std::string change_cause;
  std::vector<std::string> change_cause_owners;  ///< field managers
  std::string arm_of;                            ///< uid of the trial whose arm it is; empty: it is none
  std::optional<Time> expires;                   ///< of a trial's arm: whoever runs then removes it

  /// All replicas run the current template and are available.
  bool settled() const { return runs_one_template() && available_replicas == replicas; }
  /// All replicas run the current template, and were available at some time since: of many pods one is always missing.
  bool rolled_out() const { return settled() || (runs_one_template() && rollout.complete); }
  /// Likewise, and no more of them are missing now than the target lets be missing in a rollout.
  bool steady() const { return rolled_out() && available_replicas >= replicas - max_unavailable; }
  /// No pod of another template is left, however many there are.
  bool has_one_template() const { return observed_generation >= generation && updated_replicas == total_replicas; }

 private:
  bool runs_one_template() const {
    return observed_generation >= generation && updated_replicas == replicas && total_replicas == replicas;
  }
};

/// What joins a Deployment's pods to it.
struct ReplicaSet {
  ObjectKey key;
  std::string uid;
  OwnerRef controller;
};

struct ContainerState {
  std::string name;
  bool ready = false;
  int restarts = 0;
  std::optional<Time> started;
  std::string last_termination_reason;  ///< "OOMKilled", "Error", …; empty when it never ended
};

/// What gopacer needs of a pod.
struct Pod {
  ObjectKey key;
  std::string uid;
  OwnerRef controller;
  std::optional<Time> created;
  std::string ip;
  bool host_network = false;  ///< `ip` is its node's
  std::string node;
  std::string phase;
  std::string reason;   ///< of the phase: "Evicted"
  std::string message;  ///< of the phase, in the kubelet's words
  /// What keeps the pod from starting, in the words of the scheduler or the kubelet; empty when nothing does.
  std::string trouble;
  bool unschedulable = false;  ///< the scheduler finds no node for it
  bool ready = false;
  bool deleting = false;
  std::vector<ContainerSpec> containers;
  std::vector<ContainerState> states;

  /// It has not ended and is not on its way out.
  bool lives() const { return !deleting && phase != "Failed" && phase != "Succeeded"; }
};

/// What gopacer needs of a HorizontalPodAutoscaler or a VerticalPodAutoscaler.
struct Autoscaler {
  ObjectKey key;
  bool vertical = false;
  std::string target_kind;
  std::string target_name;
  /// Whether it goes by the memory of a container: of those that are named, and of all others.
  std::map<std::string, bool> by_memory_of;
  bool by_memory = false;

  bool goes_by_memory_of(const std::string& container) const {
    const auto named = by_memory_of.find(container);
    return named == by_memory_of.end() ? by_memory : named->second;
  }
};

/// What rolls a workload out in a way of its own without owning it: a Rollout by its workloadRef, a Canary by its
/// targetRef.
struct Steerer {
  ObjectKey key;
  std::string kind;     ///< "Rollout"
  std::string product;  ///< "Argo Rollouts"
  std::string target_kind;
  std::string target_name;
};

/// A node, as far as its kubelet is to be asked. Its key has no namespace.
struct Node {
  ObjectKey key;
  std::string address;  ///< InternalIP; empty when it has none
  int kubelet_port = 10250;
};

/// The container of that name; null when there is none.
const ContainerSpec* container_named(const std::vector<ContainerSpec>& containers, const std::string& name);

/// Somebody else has set the variable (kGogcVariable or kGoMemLimitVariable) in that container.
bool set_by_another(const Workload& workload, const std::string& container, const char* variable);

/// The text of our two variables as a process of the container gets it: the last of equal names, nothing for a
/// valueFrom that is not known here.
EnvText env_of(const ContainerSpec& container);

/// "Deployment shop/checkout".
std::string describe(const Workload& workload);
/// "Rollout shop/checkout of Argo Rollouts".
std::string describe(const Steerer& steerer);

}  // namespace gopacer
