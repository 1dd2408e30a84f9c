#include "control/desired.h"

#include <algorithm>
#include <optional>
#include <tuple>

namespace gopacer {
namespace {

const char* kReady = "Ready";
const char* kConfigUnsupported = "ConfigUnsupported";

std::string deployment_text(const ObjectKey& key) { return "Deployment " + key.text(); }

/// Of several profiles for one target the oldest counts; by name when they are of the same age.
std::shared_ptr<const Profile> rival(const ClusterView& cluster, const Profile& profile) {
  for (const auto& other : cluster.profiles(profile.key.ns)) {
    if (other->key == profile.key || other->spec.target != profile.spec.target || other->deleting) continue;
    if (std::tie(other->created, other->key) < std::tie(profile.created, profile.key)) return other;
  }
  return nullptr;
}

std::string names_of(const std::vector<ContainerSpec>& containers) {
  std::string names;
  for (const ContainerSpec& container : containers) names += (names.empty() ? "" : ", ") + container.name;
  return names;
}

const ContainerSpec* find_container(const Profile& profile, const Deployment& target, std::vector<Problem>& problems) {
  const auto& containers = target.containers;
  if (profile.spec.container.empty()) {
    if (containers.size() == 1) return &containers.front();
    problems.push_back({kConfigUnsupported, "ContainerAmbiguous",
                        deployment_text(target.key) + " has several containers (" + names_of(containers) +
                            "): set spec.containerName to the one that runs the Go program."});
    return nullptr;
  }
  for (const ContainerSpec& container : containers) {
    if (container.name == profile.spec.container) return &container;
  }
  problems.push_back({kConfigUnsupported, "ContainerNotFound",
                      deployment_text(target.key) + " has no container '" + profile.spec.container +
                          "': set spec.containerName to one of " + names_of(containers) + "."});
  return nullptr;
}

void read_settings(const ContainerSpec& container, Desired& desired) {
  EnvText env;
  const std::string where = "container " + container.name + " of " + deployment_text(desired.target->key);
  for (const char* const variable : {kGogcVariable, kGoMemLimitVariable}) {
    const auto is_it = [variable](const EnvEntry& entry) { return entry.name == variable; };
    const auto found = std::find_if(container.env.begin(), container.env.end(), is_it);
    if (found == container.env.end()) continue;
    if (found->from_source) {
      desired.problems.push_back({kConfigUnsupported, "EnvFromSource",
                                  std::string(variable) + " of " + where +
                                      " comes from valueFrom, which gopacer can't change: remove the entry, or give it "
                                      "a plain value and leave it to gopacer."});
      continue;
    }
    if (std::count_if(container.env.begin(), container.env.end(), is_it) > 1) {
      desired.problems.push_back(
          {kConfigUnsupported, "EnvDuplicated",
           std::string(variable) + " is set twice in " + where + ": remove one of the entries."});
      continue;
    }
    (variable == kGogcVariable ? env.gogc : env.go_mem_limit) = found->value;
  }
  const Result<Settings> settings = parse_settings(env);
  if (settings) {
    desired.current = *settings;
  } else {
    desired.problems.push_back(
        {kConfigUnsupported, "EnvInvalid", where + ": " + settings.error().message + ". Go would not start with it."});
  }
}

std::string find_conflict(const Deployment& target, const std::string& container) {
  for (const EnvOwner& owner : target.env_owners) {
    if (owner.container != container || owner.manager == kFieldManager) continue;
    return owner.variable + " of container " + container + " in " + deployment_text(target.key) + " is set by '" +
           owner.manager +
           "', and gopacer never takes a field over: remove the entry there to let gopacer tune it, or "
           "set updateMode Off.";
  }
  return {};
}

/// A sentence when an autoscaler goes by the memory of the tuned container. For a horizontal one its figure means
/// nothing once GOMEMLIMIT makes a plateau; a vertical one moves the limit away under GOMEMLIMIT.
std::string memory_autoscaler(const ClusterView& cluster, const Desired& desired) {
  for (const auto& autoscaler : cluster.autoscalers(desired.key.ns)) {
    if (autoscaler->target_kind != "Deployment" || autoscaler->target_name != desired.target->key.name) continue;
    if (!autoscaler->goes_by_memory_of(desired.container)) continue;
    if (autoscaler->vertical) {
      return "VerticalPodAutoscaler " + autoscaler->key.text() + " sets the memory of container " + desired.container +
             ": its limit would move, and GOMEMLIMIT would not follow. Set its updatePolicy.updateMode to Off, or the "
             "container's controlledResources to [cpu].";
    }
    return "HorizontalPodAutoscaler " + autoscaler->key.text() + " scales " + deployment_text(desired.target->key) +
           " on memory: the heap's size would change the number of pods. Scale on CPU or on requests instead.";
  }
  return {};
}

void read_trials(const ClusterView& cluster, Desired& desired) {
  std::vector<std::shared_ptr<const Trial>> ours;
  for (const auto& trial : cluster.trials(desired.key.ns)) {
    if (trial->spec.profile == desired.key.name && !trial->deleting) ours.push_back(trial);
  }
  std::sort(ours.begin(), ours.end(), [](const auto& a, const auto& b) {
    return std::tie(a->created, a->spec.number) < std::tie(b->created, b->spec.number);
  });
  for (const auto& trial : ours) {
    if (!trial->running()) {
      desired.ended_trials.push_back(trial);
    } else if (!desired.trial) {
      desired.trial = trial;
    }
  }
}

std::shared_ptr<const Deployment> track_of(const ClusterView& cluster, const Trial& trial, Track track) {
  auto deployment = cluster.deployment({trial.key.ns, track_deployment_name(trial.spec.target, track)});
  if (!deployment || deployment->deleting) return nullptr;
  const auto label = deployment->labels.find(kTrialLabel);
  const bool ours = label != deployment->labels.end() && label->second == label_value(trial.key.name);
  return ours ? deployment : nullptr;
}

}  // namespace

Desired read_desired(const ClusterView& cluster, const ObjectKey& key) {
  Desired desired;
  desired.key = key;
  desired.profile = cluster.profile(key);
  read_trials(cluster, desired);

  const std::string target_name = desired.profile ? desired.profile->spec.target
                                  : desired.trial ? desired.trial->spec.target
                                                  : std::string();
  if (target_name.empty()) return desired;
  desired.target = cluster.deployment({key.ns, target_name});
  if (desired.target && desired.target->deleting) desired.target = nullptr;
  if (desired.trial) {
    desired.canary = track_of(cluster, *desired.trial, Track::kCanary);
    desired.baseline = track_of(cluster, *desired.trial, Track::kBaseline);
  }
  if (!desired.target) {
    desired.problems.push_back({kReady, "TargetNotFound",
                                deployment_text({key.ns, target_name}) +
                                    " does not exist: create it, or delete this profile and make one for the right "
                                    "name (targetRef can't be changed)."});
    return desired;
  }

  for (const auto& pod : cluster.pods(key.ns)) {
    const auto trial = pod->labels.find(kTrialLabel);
    const bool of_trial = trial != pod->labels.end();
    const bool wanted = of_trial ? desired.trial && trial->second == label_value(desired.trial->key.name)
                                 : selects(desired.target->match_labels, pod->labels);
    if (wanted) desired.pods.push_back(pod);
  }

  if (desired.profile) {
    if (const auto other = rival(cluster, *desired.profile)) {
      desired.problems.push_back({kConfigUnsupported, "TargetTaken",
                                  deployment_text(desired.target->key) + " is already tuned by profile '" +
                                      other->key.name + "': delete one of the two profiles."});
    }
    if (const ContainerSpec* const container = find_container(*desired.profile, *desired.target, desired.problems)) {
      desired.container = container->name;
    }
    if (std::string found = memory_autoscaler(cluster, desired); !found.empty()) {
      desired.problems.push_back({kConfigUnsupported, "MemoryAutoscaler", std::move(found)});
    }
  }
  // A trial goes on with the container that it began with, whatever the profile says by now.
  if (desired.trial) desired.container = desired.trial->spec.container;
  for (const ContainerSpec& container : desired.target->containers) {
    if (container.name == desired.container) read_settings(container, desired);
  }
  if (desired.profile && desired.target->paused) {
    desired.problems.push_back({kReady, "TargetPaused",
                                deployment_text(desired.target->key) +
                                    " is paused, and nothing can be rolled out: run kubectl rollout resume."});
  }
  if (!desired.container.empty()) desired.conflict = find_conflict(*desired.target, desired.container);
  return desired;
}

}  // namespace gopacer
