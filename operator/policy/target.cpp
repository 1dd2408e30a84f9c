#include <algorithm>

#include "policy/sentences.h"

namespace gopacer::policy {
namespace {

std::string names_of(const std::vector<ContainerSpec>& containers) {
  std::string names;
  for (const ContainerSpec& container : containers) names += (names.empty() ? "" : ", ") + container.name;
  return names;
}

/// The container that is tuned, in the target's pod template.
const ContainerSpec* tuned(const Facts& facts) {
  const Desired& desired = facts.desired;
  return desired.target ? container_named(desired.target->containers, desired.container) : nullptr;
}

std::string place_of(const ContainerSpec& container, const Facts& facts) {
  return "container " + container.name + " of " + describe(*facts.desired.target);
}

long times_set(const ContainerSpec& container, const char* variable) {
  return std::count_if(container.env.begin(), container.env.end(),
                       [&](const EnvEntry& entry) { return entry.name == variable; });
}

constexpr const char* kVariables[] = {kGogcVariable, kGoMemLimitVariable};

/// A trial whose arms are gone runs nothing twice.
bool runs_nothing_twice(const Facts& facts) {
  return facts.desired.trial && !before_promotion(facts.desired.trial->status.phase);
}

/// Of what the target's template has only once. Two instances of it are run only when a person says so.
Answer single_use(const Facts& facts, const char* reason) {
  if (!facts.desired.target || !facts.desired.profile) return std::nullopt;
  if (facts.desired.profile->spec.canary.allow_duplicates || runs_nothing_twice(facts)) return std::nullopt;
  for (const SingleUse& found : facts.desired.target->single_use) {
    if (found.reason != reason) continue;
    return describe(*facts.desired.target) + " is not run twice: " + found.what +
           ". A trial would start a second and a third instance beside it. Set spec.canary.allowDuplicates: true if "
           "several instances may run at once; until then only the recommendation is shown.";
  }
  return std::nullopt;
}

}  // namespace

Answer profile_unreadable(const Facts& facts) {
  if (!facts.desired.profile || facts.desired.profile->unreadable.empty()) return std::nullopt;
  return facts.desired.profile->unreadable;
}

Answer target_unreadable(const Facts& facts) {
  const Desired& desired = facts.desired;
  if (desired.target_unreadable.empty()) return std::nullopt;
  return "Deployment " + ObjectKey{desired.key.ns, desired.target_name}.text() +
         " is there, but can't be read: " + desired.target_unreadable + ". Nothing is done until it can.";
}

Answer target_not_found(const Facts& facts) {
  const Desired& desired = facts.desired;
  if (desired.target || desired.target_name.empty() || !desired.target_unreadable.empty()) return std::nullopt;
  return "Deployment " + ObjectKey{desired.key.ns, desired.target_name}.text() +
         " does not exist: create it, or delete this profile and make one for the right name (targetRef can't be "
         "changed).";
}

Answer target_taken(const Facts& facts) {
  const Desired& desired = facts.desired;
  if (!desired.rival || !desired.target) return std::nullopt;
  return describe(*desired.target) + " is already tuned by profile '" + desired.rival->key.name +
         "': delete one of the two profiles.";
}

Answer container_ambiguous(const Facts& facts) {
  const Desired& desired = facts.desired;
  if (!desired.profile || !desired.target || !desired.container.empty() || !desired.profile->spec.container.empty()) {
    return std::nullopt;
  }
  return describe(*desired.target) + " has several containers (" + names_of(desired.target->containers) +
         "): set spec.containerName to the one that runs the Go program.";
}

Answer container_not_found(const Facts& facts) {
  const Desired& desired = facts.desired;
  if (!desired.profile || !desired.target || !desired.container.empty() || desired.profile->spec.container.empty()) {
    return std::nullopt;
  }
  return describe(*desired.target) + " has no container '" + desired.profile->spec.container +
         "': set spec.containerName to one of " + names_of(desired.target->containers) + ".";
}

Answer env_from_source(const Facts& facts) {
  const ContainerSpec* const container = tuned(facts);
  if (container == nullptr) return std::nullopt;
  for (const EnvEntry& entry : container->env) {
    if (!entry.from_source) continue;
    return entry.name + " of " + place_of(*container, facts) +
           " comes from valueFrom, which gopacer can't change: remove the entry, or give it a plain value and leave "
           "it to gopacer.";
  }
  return std::nullopt;
}

Answer env_duplicated(const Facts& facts) {
  const ContainerSpec* const container = tuned(facts);
  if (container == nullptr) return std::nullopt;
  for (const char* const variable : kVariables) {
    if (times_set(*container, variable) < 2) continue;
    return std::string(variable) + " is set twice in " + place_of(*container, facts) + ": remove one of the entries.";
  }
  return std::nullopt;
}

Answer env_invalid(const Facts& facts) {
  const ContainerSpec* const container = tuned(facts);
  if (container == nullptr) return std::nullopt;
  const Result<Settings> settings = parse_settings(env_of(*container));
  if (settings) return std::nullopt;
  return place_of(*container, facts) + ": " + settings.error().message +
         ". Go takes such a GOGC for 100, and does not start with such a GOMEMLIMIT.";
}

/// For a horizontal one its figure means nothing once GOMEMLIMIT makes a plateau; a vertical one moves the limit away
/// under GOMEMLIMIT.
Answer memory_autoscaler(const Facts& facts) {
  const Desired& desired = facts.desired;
  if (!desired.target) return std::nullopt;
  for (const auto& autoscaler : desired.autoscalers) {
    if (!autoscaler->goes_by_memory_of(desired.container)) continue;
    if (autoscaler->vertical) {
      return "VerticalPodAutoscaler " + autoscaler->key.text() + " sets the memory of container " + desired.container +
             ": its limit would move, and GOMEMLIMIT would not follow. Set its updatePolicy.updateMode to Off, or the "
             "container's controlledResources to [cpu].";
    }
    return "HorizontalPodAutoscaler " + autoscaler->key.text() + " scales " + describe(*desired.target) +
           " on memory: the heap's size would change the number of pods. Scale on CPU or on requests instead.";
  }
  return std::nullopt;
}

Answer target_paused(const Facts& facts) {
  if (!facts.desired.target || !facts.desired.target->rollout.paused) return std::nullopt;
  return describe(*facts.desired.target) +
         " is paused, and nothing can be rolled out: run kubectl rollout resume deployment/" +
         facts.desired.target->key.name + ".";
}

Answer field_conflict(const Facts& facts) {
  const ContainerSpec* const container = tuned(facts);
  if (container == nullptr) return std::nullopt;
  for (const EnvOwner& owner : facts.desired.target->env_owners) {
    if (owner.container != container->name || owner.manager == kFieldManager) continue;
    const bool off = facts.desired.profile && facts.desired.profile->spec.update_mode == UpdateMode::kOff;
    return owner.variable + " of " + place_of(*container, facts) +
           (owner.of_value ? " is set by '" : " is declared in what it was given last by '") + owner.manager +
           "', and gopacer never takes a field over: remove the entry there to let gopacer tune it" +
           (off ? "." : ", or set updateMode Off.");
  }
  return std::nullopt;
}

Answer target_owned(const Facts& facts) {
  if (!facts.desired.target || !facts.desired.target->controller.exists()) return std::nullopt;
  const OwnerRef& owner = facts.desired.target->controller;
  return describe(*facts.desired.target) + " is controlled by " + owner.kind + " '" + owner.name +
         "', which would put its own env back: set GOGC and GOMEMLIMIT there, as the recommendation says.";
}

Answer recreates(const Facts& facts) {
  if (!facts.desired.target || !facts.desired.profile || !facts.desired.target->recreates) return std::nullopt;
  if (facts.desired.profile->spec.canary.allow_duplicates || runs_nothing_twice(facts)) return std::nullopt;
  return describe(*facts.desired.target) +
         " has strategy Recreate, or one replica and maxSurge 0: there must never be two of its pods at once, and a "
         "trial would start two more. Set "
         "spec.canary.allowDuplicates: true if several instances may run at once; until then only the recommendation "
         "is shown.";
}

Answer host_network(const Facts& facts) { return single_use(facts, "HostNetwork"); }
Answer host_port(const Facts& facts) { return single_use(facts, "HostPort"); }
Answer host_path(const Facts& facts) { return single_use(facts, "HostPath"); }
Answer writable_volume(const Facts& facts) { return single_use(facts, "WritableVolume"); }
Answer device_claim(const Facts& facts) { return single_use(facts, "DeviceClaim"); }

Answer scaled_to_zero(const Facts& facts) {
  if (!facts.desired.target || facts.desired.target->replicas > 0) return std::nullopt;
  return describe(*facts.desired.target) + " is scaled to zero, so nothing of it may run.";
}

Answer target_rolling(const Facts& facts) {
  if (!facts.desired.target || facts.desired.target->settled()) return std::nullopt;
  return "Waiting for the rollout or the scaling of " + describe(*facts.desired.target) + " to finish.";
}

Answer template_rolling(const Facts& facts) {
  // Pods that are not ready, or an autoscaler that adds some, may be what the promise is broken by.
  if (!facts.desired.target || facts.desired.target->has_one_template()) return std::nullopt;
  return "Waiting for the rollout of " + describe(*facts.desired.target) + " to finish.";
}

}  // namespace gopacer::policy
