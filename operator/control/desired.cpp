#include "control/desired.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace gopacer {
namespace {

/// Of several profiles for one target the oldest counts; by name when they are of the same age.
std::shared_ptr<const Profile> rival_of(const ClusterView& cluster, const Profile& profile) {
  for (const auto& other : cluster.profiles(profile.key.ns)) {
    if (other->key == profile.key || other->spec.target != profile.spec.target || other->deleting) continue;
    if (std::tie(other->created, other->key) < std::tie(profile.created, profile.key)) return other;
  }
  return nullptr;
}

/// A trial goes on with the container that it began with, whatever the profile says by now. Empty when it is not clear
/// which one is meant.
std::string container_of(const Desired& desired) {
  if (desired.trial) return desired.trial->spec.container;
  if (!desired.profile || !desired.target) return {};
  const auto& containers = desired.target->containers;
  const std::string& wanted = desired.profile->spec.container;
  if (wanted.empty()) return containers.size() == 1 ? containers.front().name : std::string();
  return container_named(containers, wanted) != nullptr ? wanted : std::string();
}

Settings environment_of(const Desired& desired) {
  const ContainerSpec* const container =
      desired.target ? container_named(desired.target->containers, desired.container) : nullptr;
  if (container == nullptr) return {};
  return readable_settings(env_of(*container));
}

/// The trial that the profile's status names goes first; one that it does not know is only to be brought to an end.
void read_trials(const ClusterView& cluster, Desired& desired) {
  std::vector<std::shared_ptr<const Trial>> ours;
  for (const auto& trial : cluster.trials(desired.key.ns)) {
    if (trial->spec.profile == desired.key.name) ours.push_back(trial);
  }
  std::sort(ours.begin(), ours.end(), [](const auto& a, const auto& b) {
    return std::tie(a->created, a->spec.number) < std::tie(b->created, b->spec.number);
  });
  const std::string known = desired.profile ? desired.profile->memory.active_trial : std::string();
  for (const auto& trial : ours) {
    if (!trial->running()) {
      desired.ended_trials.push_back(trial);
    } else if (!desired.trial || trial->key.name == known) {
      desired.trial = trial;
    }
  }
}

void read_arms(const ClusterView& cluster, Desired& desired) {
  for (const auto& workload : cluster.deployments(desired.key.ns)) {
    if (workload->deleting || !is_arm(*workload)) continue;
    if (desired.trial && workload->arm_of == desired.trial->uid) {
      const std::string& target = desired.trial->spec.target.name;
      if (workload->key.name == track_deployment_name(target, Track::kCanary)) desired.canary = workload;
      if (workload->key.name == track_deployment_name(target, Track::kBaseline)) desired.baseline = workload;
      continue;
    }
    const auto profile = workload->labels.find(kProfileLabel);
    if (profile != workload->labels.end() && profile->second == label_value(desired.key.name)) {
      desired.leftovers.push_back(workload);
    }
  }
}

/// By their controllers (pod → ReplicaSet → Deployment), never by their labels, which anybody may have.
void read_pods(const ClusterView& cluster, Desired& desired) {
  for (const auto& pod : cluster.pods(desired.key.ns)) {
    if (pod->controller.kind != "ReplicaSet") continue;
    const auto set = cluster.replica_set({desired.key.ns, pod->controller.name});
    if (!set || set->uid != pod->controller.uid) continue;
    for (const auto& [owner, track] :
         {std::pair{desired.target, Track::kStable}, std::pair{desired.canary, Track::kCanary},
          std::pair{desired.baseline, Track::kBaseline}}) {
      if (owner && owner->uid == set->controller.uid) desired.pods.push_back({pod, track});
    }
  }
}

/// What the profile notes as applied live is about this target and container.
bool is_noted_of(const Desired& desired) {
  if (!desired.profile || desired.profile->spec.apply != ApplyMode::kLive || !desired.target) return false;
  const ProfileMemory& memory = desired.profile->memory;
  return memory.applied_uid == desired.target->uid && memory.applied_container == desired.container;
}

}  // namespace

Settings in_force(const Desired& desired, const ContainerSpec& container) {
  const LocalContainer local = local_container(desired, container);
  return is_noted_of(desired) ? confirmed_for(local, *desired.profile) : local.environment;
}

bool is_arm(const Workload& workload) { return !workload.arm_of.empty() && workload.expires; }

Desired read_desired(const ClusterView& cluster, const ObjectKey& key) {
  Desired desired;
  desired.key = key;
  desired.uninstalling = cluster.uninstalling();
  desired.picture_age = cluster.age();
  desired.profile = cluster.profile(key);
  read_trials(cluster, desired);
  if (desired.profile) {
    desired.target_name = desired.profile->spec.target;
    desired.rival = rival_of(cluster, *desired.profile);
  } else if (desired.trial) {
    desired.target_name = desired.trial->spec.target.name;
  }
  if (desired.target_name.empty()) return desired;
  desired.target = cluster.deployment({key.ns, desired.target_name});
  if (!desired.target) desired.target_unreadable = cluster.unreadable_deployment({key.ns, desired.target_name});
  if (desired.target && desired.target->deleting) desired.target = nullptr;
  read_arms(cluster, desired);
  const auto is_target = [&](const auto& other) {
    return other->target_kind == "Deployment" && other->target_name == desired.target_name;
  };
  std::ranges::copy_if(cluster.autoscalers(key.ns), std::back_inserter(desired.autoscalers), is_target);
  std::ranges::copy_if(cluster.steerers(key.ns), std::back_inserter(desired.steerers), is_target);
  read_pods(cluster, desired);
  desired.container = container_of(desired);
  desired.environment = environment_of(desired);
  desired.current = is_noted_of(desired) ? in_force(desired.profile->memory, desired.environment) : desired.environment;
  desired.own = own_of_applied(desired);
  return desired;
}

}  // namespace gopacer
