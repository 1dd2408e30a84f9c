#include <algorithm>
#include <string_view>

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

/// Where a tool that renders manifests takes patches, by the name of its field manager.
struct PatchPlace {
  std::string_view manager;  ///< begins with it
  const char* where;
  const char* before;  ///< the list of patches
  const char* after;
};
constexpr PatchPlace kPatchPlaces[] = {
    {"argocd", "the Argo CD Application", "spec: {source: {kustomize: {patches: [", "]}}}"},
    {"kustomize-controller", "the Flux Kustomization", "spec: {patches: [", "]}"},
    {"helm-controller", "the Flux HelmRelease", "spec: {postRenderers: [{kustomize: {patches: [", "]}}]}"},
    {"helm", "the kustomization.yaml of a post-renderer (helm --post-renderer)", "patches: [", "]"},
};

/// For whom the manifest is not at hand, in a chart of somebody else for example: a patch that takes the entry out of
/// what is rendered, with a space before it. Empty where the tool is none that takes patches.
std::string how_to_remove(const EnvOwner& owner, const Workload& target) {
  for (const PatchPlace& place : kPatchPlaces) {
    if (!std::string_view(owner.manager).starts_with(place.manager)) continue;
    return " Where it can't be removed in the manifest, add to " + std::string(place.where) + ": " + place.before +
           "{target: {kind: Deployment, name: " + target.key.name +
           "}, patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: " + target.key.name +
           "}, spec: {template: {spec: {containers: [{name: " + owner.container + ", env: [{name: " + owner.variable +
           ", $patch: delete}]}]}}}}'}" + place.after;
  }
  return {};
}

/// "GOGC=100 GOMEMLIMIT=valueFrom", "neither GOGC nor GOMEMLIMIT".
std::string in_words(const ContainerSpec& container) {
  std::string words;
  for (const EnvEntry& entry : container.env) {
    words += (words.empty() ? "" : " ") + entry.name + "=" + (entry.from_source ? "valueFrom" : entry.value);
  }
  return words.empty() ? "neither GOGC nor GOMEMLIMIT" : words;
}

/// When the oldest of the pods that are awaited was made; else when the rollout last got on.
std::optional<Time> rolling_since(const Facts& facts) {
  std::optional<Time> since;
  for (const OwnedPod& owned : facts.desired.pods) {
    const Pod& pod = *owned.pod;
    const bool awaited = owned.track == Track::kStable && !pod.ready && pod.lives();
    if (awaited && pod.created && (!since || *pod.created < *since)) since = pod.created;
  }
  const Rollout& rollout = facts.desired.target->rollout;
  if (!since && !rollout.complete) since = rollout.last_progress;
  return since && *since <= facts.now ? since : std::nullopt;
}

/// A trial whose arms are gone runs nothing twice, nor does one in processes that are there anyway.
bool runs_nothing_twice(const Facts& facts) {
  const Trial* const trial = facts.desired.trial.get();
  return leaves_the_template(facts.desired) || (trial != nullptr && !before_promotion(trial->status.phase));
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
    // What it comes to changes with the container, which nobody may take for a person's change.
    const bool is_known = !entry.value.empty() && !leaves_the_template(facts.desired);
    if (!entry.from_source || is_known) continue;
    return entry.name + " of " + place_of(*container, facts) +
           " comes from valueFrom, which gopacer can't change: remove the entry, or give it a plain value and leave "
           "it to gopacer.";
  }
  return std::nullopt;
}

Answer env_from_field(const Facts& facts) {
  const ContainerSpec* const container = tuned(facts);
  if (container == nullptr || leaves_the_template(facts.desired)) return std::nullopt;
  const Decision& decision = facts.decision;
  const bool recommends = decision.kind == Decision::Kind::kChange || decision.recommended;
  const EnvText advised = recommends ? to_env(decision.recommended.value_or(decision.settings)) : EnvText{};
  for (const EnvEntry& entry : container->env) {
    if (!entry.from_source || entry.value.empty()) continue;
    const auto& value = entry.name == kGogcVariable ? advised.gogc : advised.go_mem_limit;
    return entry.name + " of " + place_of(*container, facts) + " comes from valueFrom (" + entry.value +
           "), which gopacer can't change: remove the entry and leave it to gopacer" +
           (value ? ", or, to have what is recommended by hand, put {name: " + entry.name + ", value: \"" + *value +
                        "\"} in its place."
                  : ".");
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
             ": its limit would move, and GOMEMLIMIT would not follow. Set the container's controlledValues to "
             "RequestsOnly "
             "or its controlledResources to [cpu], or updatePolicy.updateMode to Off.";
    }
    return "HorizontalPodAutoscaler " + autoscaler->key.text() + " scales " + describe(*desired.target) +
           " on memory: the heap's size would change the number of pods. Scale on CPU or on requests instead.";
  }
  return std::nullopt;
}

Answer target_paused(const Facts& facts) {
  if (!facts.desired.target || !facts.desired.target->rollout.paused || leaves_the_template(facts.desired))
    return std::nullopt;
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
           (off ? "." : ", or set updateMode Off.") + how_to_remove(owner, *facts.desired.target);
  }
  return std::nullopt;
}

Answer target_owned(const Facts& facts) {
  if (!facts.desired.target || !facts.desired.target->controller.exists()) return std::nullopt;
  if (leaves_the_template(facts.desired)) return std::nullopt;
  const OwnerRef& owner = facts.desired.target->controller;
  return describe(*facts.desired.target) + " is controlled by " + owner.kind + " '" + owner.name +
         "', which would put its own env back: set GOGC and GOMEMLIMIT there, as the recommendation says.";
}

/// What it does to the target is not in the target's owner references, and would be done to a promotion, too: a Rollout
/// and a Canary take each change of the template for a release of their own.
Answer target_steered(const Facts& facts) {
  if (!facts.desired.target || facts.desired.steerers.empty()) return std::nullopt;
  const Steerer& steerer = *facts.desired.steerers.front();
  return describe(*facts.desired.target) + " is steered by " + describe(steerer) +
         ", which scales it and rolls out each change of its template in a way of its own: set GOGC and GOMEMLIMIT in "
         "the manifest of the Deployment, as the recommendation says, and let " +
         steerer.product + " roll them out.";
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

Answer live_slo(const Facts& facts) {
  if (!facts.desired.profile || !facts.desired.profile->spec.tries_by_turns()) return std::nullopt;
  for (const Slo& slo : facts.desired.profile->spec.slos) {
    const bool told_by_pods = slo.query() == nullptr && !slo.is_of_runtime();
    if (told_by_pods) continue;
    return "SLO " + slo.name +
           " is told of a whole pod over time, and with apply: Live a pod changes its settings every " +
           "few seconds, so nobody could say which of them it speaks of: use podHistogram, podRatio or podGauge, or "
           "apply: Restart.";
  }
  return std::nullopt;
}

Answer target_rolling(const Facts& facts) {
  if (!facts.desired.target || facts.desired.target->steady()) return std::nullopt;
  const Workload& target = *facts.desired.target;
  const std::optional<Time> since = rolling_since(facts);
  return "Waiting for the rollout or the scaling of " + describe(target) + " to finish" +
         (since ? ", since " + format_time(*since) : std::string()) + ": of " + std::to_string(target.replicas) +
         " replicas " + std::to_string(target.updated_replicas) + " run its present template and " +
         std::to_string(target.available_replicas) + " are available" +
         (target.max_unavailable > 0
              ? ", and maxUnavailable lets " + std::to_string(target.max_unavailable) + " be missing."
              : std::string("."));
}

Answer template_rolling(const Facts& facts) {
  // Pods that are not ready, or an autoscaler that adds some, may be what the promise is broken by.
  if (!facts.desired.target || facts.desired.target->has_one_template()) return std::nullopt;
  // And the settings may be what keeps it from ending, where they get into new pods by another way.
  if (leaves_the_template(facts.desired)) return std::nullopt;
  return "Waiting for the rollout of " + describe(*facts.desired.target) + " to finish.";
}

Answer overridden(const Facts& facts, const Workload& workload, Track track) {
  const ContainerSpec* const asked = container_named(workload.containers, facts.desired.container);
  if (asked == nullptr) return std::nullopt;
  for (const OwnedPod& owned : facts.desired.pods) {
    const Pod& pod = *owned.pod;
    const ContainerSpec* const got = container_named(pod.containers, facts.desired.container);
    if (owned.track != track || !pod.lives() || got == nullptr || got->env == asked->env) continue;
    return "Pod " + pod.key.name + " has " + in_words(*got) + " and " + describe(workload) + " says " +
           in_words(*asked) +
           ": an admission webhook or policy changes the variables of pods. Let it leave GOGC and GOMEMLIMIT alone, or "
           "tune the service where it takes them from.";
  }
  return std::nullopt;
}

/// While all pods are of the present template; a rollout is told of by itself.
Answer env_overridden(const Facts& facts) {
  if (!facts.desired.target || !facts.desired.target->steady()) return std::nullopt;
  return overridden(facts, *facts.desired.target, Track::kStable);
}

std::string under_way(const Facts& facts) { return target_rolling(facts).value_or(""); }

}  // namespace gopacer::policy
