#include "cli/plugin/owners.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/plugin/story.h"
#include "codec/fields.h"
#include "codec/pod.h"
#include "codec/resources.h"
#include "codec/settings.h"
#include "codec/workload.h"
#include "gopacer/domain/trial.h"
#include "ports/api_server.h"

namespace gopacer::plugin {
namespace {

using codec::child;
using codec::elements;
using codec::text;
using nlohmann::json;

/// What a pod belongs to.
struct Surroundings {
  std::optional<Workload> workload;
  json managed_fields = json::array();
  std::optional<ProfileStory> profile;
};

std::optional<json> look_up(ApiServer& api, const ResourceType& type, const std::string& ns, const std::string& name) {
  if (name.empty()) return std::nullopt;
  const auto object = api.get({type, ns, name});
  return object ? std::optional(*object) : std::nullopt;
}

/// Of an arm the one that its trial is of, else the one whose target it is.
std::string profile_about(ApiServer& api, const Workload& workload) {
  if (!workload.arm_of.empty()) {
    const auto of = workload.labels.find(kProfileLabel);
    return of == workload.labels.end() ? "" : of->second;
  }
  const auto all = read_profiles(api, workload.key.ns);
  if (!all) return {};
  const auto ours = std::find_if(all->begin(), all->end(), [&](const ProfileStory& story) {
    return story.target == "Deployment/" + workload.key.name;
  });
  return ours == all->end() ? "" : ours->key.name;
}

Surroundings surroundings_of(ApiServer& api, const Pod& pod) {
  Surroundings found;
  if (pod.controller.kind != "ReplicaSet") return found;
  const auto set = look_up(api, resources::kReplicaSets, pod.key.ns, pod.controller.name);
  if (!set) return found;
  const OwnerRef owner = codec::controller_of(*set);
  if (owner.kind != "Deployment") return found;
  const auto deployment = look_up(api, resources::kDeployments, pod.key.ns, owner.name);
  if (!deployment) return found;
  auto workload = codec::decode_deployment(*deployment);
  if (!workload) return found;
  found.workload = std::move(*workload);
  found.managed_fields = elements(child(*deployment, "metadata"), "managedFields");
  if (const std::string name = profile_about(api, *found.workload); !name.empty()) {
    if (auto profile = read_profile(api, {pod.key.ns, name})) found.profile = std::move(*profile);
  }
  return found;
}

std::optional<Time> latest_write(const json& managed_fields, const std::string& manager) {
  std::optional<Time> latest;
  for (const json& entry : managed_fields) {
    if (text(entry, "manager") != manager) continue;
    const auto at = codec::time(entry, "time");
    if (at && (!latest || *at > *latest)) latest = at;
  }
  return latest;
}

std::optional<std::string> value_in(const ContainerSpec& container, const std::string& variable) {
  const EnvText env = env_of(container);
  return variable == kGogcVariable ? env.gogc : env.go_mem_limit;
}

/// The latest trial that left these settings in the target.
std::string why_of(const ProfileStory& profile, const Settings& settings) {
  const auto brought = std::find_if(profile.trials.rbegin(), profile.trials.rend(), [&](const TrialStory& trial) {
    return trial.verdict == to_string(TrialVerdict::kPromote) && trial.tried == settings;
  });
  if (brought != profile.trials.rend()) return "trial " + brought->name + ": " + brought->why;
  const auto change = std::find_if(profile.changes.rbegin(), profile.changes.rend(),
                                   [&](const ChangeStory& one) { return one.to == describe(settings); });
  return change != profile.changes.rend() ? change->why : "";
}

std::string live_value(const Surroundings& around, const std::string& container, const std::string& variable) {
  if (!around.profile || !around.profile->applied_live || around.profile->applied_container != container) return {};
  const EnvText env = to_env(around.profile->applied);
  return (variable == kGogcVariable ? env.gogc : env.go_mem_limit).value_or("");
}

/// Why the target, or the arm, has what it has.
std::string why_here(const Surroundings& around) {
  const ProfileStory& profile = *around.profile;
  if (around.workload->arm_of.empty()) return why_of(profile, profile.applied);
  const TrialStory* const trial = profile.running_trial();
  const bool tries = trial != nullptr && around.workload->key.name.ends_with("-canary");
  return tries ? "trial " + trial->name + ": " + trial->why : std::string();
}

SettingStory story_of(const ContainerSpec& container, const std::string& variable, const Surroundings& around) {
  SettingStory story;
  story.container = container.name;
  story.variable = variable;
  const std::optional<std::string> value = value_in(container, variable);
  story.value = value.value_or("");
  story.in_force = live_value(around, container.name, variable);
  const auto entry = std::find_if(container.env.rbegin(), container.env.rend(),
                                  [&](const EnvEntry& one) { return one.name == variable; });
  if (entry == container.env.rend() && !container.env_from.empty()) story.from = container.env_from + " may bring it";
  if (entry != container.env.rend())
    story.from = entry->from_source ? "a valueFrom of the pod's spec" : "the pod's spec";
  if (!around.workload) return story;
  const Workload& workload = *around.workload;
  if (entry != container.env.rend()) story.from = "the pod template of " + describe(workload);
  const ContainerSpec* const now = container_named(workload.containers, container.name);
  if (now != nullptr && value_in(*now, variable) != value) {
    // Who has set that is another question than who has set what this pod has.
    story.differs = "the template has " + value_in(*now, variable).value_or("no such entry") + " now";
    return story;
  }
  for (const EnvOwner& owner : workload.env_owners) {
    if (owner.container != container.name || owner.variable != variable) continue;
    story.managers.push_back(owner.manager);
    const auto at = latest_write(around.managed_fields, owner.manager);
    if (at && (!story.since || *at > *story.since)) story.since = at;
  }
  const bool ours = std::find(story.managers.begin(), story.managers.end(), kFieldManager) != story.managers.end();
  if (around.profile && (ours || !story.in_force.empty())) story.why = why_here(around);
  return story;
}

std::string line_of(const SettingStory& story) {
  std::string line = "  " + story.variable + "  ";
  line += story.value.empty() ? "not set" : story.value;
  if (!story.in_force.empty()) line += ", and node agents keep " + story.in_force + " in force";
  if (!story.from.empty()) line += "; from " + story.from;
  std::string managers;
  for (const std::string& manager : story.managers) managers += (managers.empty() ? "" : ", ") + manager;
  if (!managers.empty()) line += "; set by " + managers;
  if (story.since) line += " (latest write " + format_time(*story.since) + ")";
  if (!story.differs.empty()) line += "; " + story.differs;
  line += "\n";
  if (!story.why.empty()) line += "    " + story.why + "\n";
  return line;
}

}  // namespace

Result<PodTrace> trace_pod(ApiServer& api, const ObjectKey& key) {
  const auto object = api.get({resources::kPods, key.ns, key.name});
  if (!object && object.error().kind == ErrorKind::kNotFound) {
    return fail(ErrorKind::kNotFound, "there is no pod " + key.name + " in namespace " + key.ns);
  }
  if (!object) return tl::unexpected(explained(object.error(), "get", "pods", key.ns));
  const Result<Pod> pod = codec::decode_pod(*object);
  if (!pod) return tl::unexpected(pod.error());
  const Surroundings around = surroundings_of(api, *pod);
  PodTrace trace;
  trace.pod = key;
  if (around.workload) trace.workload = describe(*around.workload);
  if (around.profile) trace.profile = around.profile->key.text();
  trace.track = text(child(child(*object, "metadata"), "labels"), kTrackLabel);
  const std::string tuned = around.profile ? around.profile->container : "";
  std::vector<const ContainerSpec*> told;
  for (const ContainerSpec& container : pod->containers) {
    if (container.name == tuned || !container.env.empty() || !container.env_from.empty()) told.push_back(&container);
  }
  if (told.empty()) {
    for (const ContainerSpec& container : pod->containers) told.push_back(&container);
  }
  for (const ContainerSpec* const container : told) {
    for (const char* const variable : {kGogcVariable, kGoMemLimitVariable}) {
      trace.settings.push_back(story_of(*container, variable, around));
    }
  }
  return trace;
}

std::string text_of(const PodTrace& trace) {
  std::string head = "Pod " + trace.pod.text();
  if (!trace.track.empty()) head += ", " + trace.track + " of a trial";
  head += trace.workload.empty() ? ", of no Deployment that can be read" : ", of " + trace.workload;
  head += trace.profile.empty() ? "; no profile tunes it" : "; profile " + trace.profile;
  std::string text = head + "\n";
  std::string container;
  for (const SettingStory& setting : trace.settings) {
    if (setting.container != container) text += "container " + setting.container + "\n";
    container = setting.container;
    text += line_of(setting);
  }
  return text;
}

json to_json(const PodTrace& trace) {
  json settings = json::array();
  for (const SettingStory& one : trace.settings) {
    settings.push_back({{"container", one.container},
                        {"variable", one.variable},
                        {"value", one.value.empty() ? json(nullptr) : json(one.value)},
                        {"inForce", one.in_force.empty() ? json(nullptr) : json(one.in_force)},
                        {"from", one.from},
                        {"managers", one.managers},
                        {"since", one.since ? json(format_time(*one.since)) : json(nullptr)},
                        {"why", one.why},
                        {"differs", one.differs}});
  }
  return {{"namespace", trace.pod.ns}, {"pod", trace.pod.name}, {"workload", trace.workload},
          {"profile", trace.profile},  {"track", trace.track},  {"settings", std::move(settings)}};
}

}  // namespace gopacer::plugin
