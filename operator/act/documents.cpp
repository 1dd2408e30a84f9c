#include "act/documents.h"

#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "codec/resources.h"

namespace gopacer::act {

using nlohmann::json;

namespace {

constexpr const char* kChangeCause = "kubernetes.io/change-cause";

json base_document(const Deployment& target) {
  return {{"apiVersion", resources::api_version(resources::kDeployments)},
          {"kind", resources::kDeployments.kind},
          {"metadata",
           {{"namespace", target.key.ns},
            {"name", target.key.name},
            // Makes the apply fail if the target is another object by now.
            {"uid", target.uid}}}};
}

json env_entries(const Settings& settings) {
  const EnvText env = to_env(settings);
  json entries = json::array();
  if (env.gogc) entries.push_back({{"name", kGogcVariable}, {"value", *env.gogc}});
  if (env.go_mem_limit) entries.push_back({{"name", kGoMemLimitVariable}, {"value", *env.go_mem_limit}});
  return entries;
}

/// Sets, replaces or drops one variable of a container.
void set_env(json& container, const char* variable, const std::optional<std::string>& value) {
  json& env = container["env"];
  if (!env.is_array()) env = json::array();
  for (auto entry = env.begin(); entry != env.end();) {
    entry = codec::text(*entry, "name") == variable ? env.erase(entry) : std::next(entry);
  }
  if (value) env.push_back({{"name", variable}, {"value", *value}});
}

const char* track_name(Track track) { return track == Track::kBaseline ? "baseline" : "canary"; }

}  // namespace

json settings_document(const Deployment& target, const std::string& container, const Settings& settings,
                       const std::string& change_cause) {
  json document = base_document(target);
  if (!change_cause.empty()) document["metadata"]["annotations"] = {{kChangeCause, change_cause}};
  json entries = env_entries(settings);
  if (!entries.empty()) {
    document["spec"]["template"]["spec"]["containers"] =
        json::array({{{"name", container}, {"env", std::move(entries)}}});
  }
  return document;
}

json release_document(const Deployment& target) { return base_document(target); }

Result<json> track_deployment(const json& target, const Trial& trial, Track track) {
  const json& target_spec = codec::child(target, "spec");
  json pod_template = codec::child(target_spec, "template");
  const json track_labels{{kTrialLabel, label_value(trial.key.name)}, {kTrackLabel, track_name(track)}};
  pod_template["metadata"]["labels"].update(track_labels);

  bool found = false;
  for (json& container : pod_template["spec"]["containers"]) {
    if (codec::text(container, "name") != trial.spec.container) continue;
    found = true;
    if (track == Track::kBaseline) continue;
    const EnvText env = to_env(trial.spec.to);
    set_env(container, kGogcVariable, env.gogc);
    set_env(container, kGoMemLimitVariable, env.go_mem_limit);
  }
  if (!found) {
    return invalid("Deployment " + trial.key.ns + "/" + trial.spec.target + " has no container '" +
                   trial.spec.container + "' any more: set spec.containerName of profile " + trial.spec.profile);
  }

  json labels = track_labels;
  labels[kProfileLabel] = label_value(trial.spec.profile);
  labels["app.kubernetes.io/managed-by"] = "gopacer";
  json spec{{"replicas", trial.spec.canary.replicas},
            {"revisionHistoryLimit", 0},
            {"selector", {{"matchLabels", track_labels}}},
            {"template", std::move(pod_template)}};
  for (const char* const kept : {"minReadySeconds", "progressDeadlineSeconds"}) {
    if (target_spec.contains(kept)) spec[kept] = target_spec[kept];
  }
  return json{{"apiVersion", resources::api_version(resources::kDeployments)},
              {"kind", resources::kDeployments.kind},
              {"metadata",
               {{"namespace", trial.key.ns},
                {"name", track_deployment_name(trial.spec.target, track)},
                {"labels", std::move(labels)},
                {"annotations", {{kExpiresAnnotation, format_time(trial.spec.deadline)}}},
                {"ownerReferences", json::array({{{"apiVersion", resources::api_version(resources::kTrials)},
                                                  {"kind", resources::kTrials.kind},
                                                  {"name", trial.key.name},
                                                  {"uid", trial.uid},
                                                  {"controller", true},
                                                  {"blockOwnerDeletion", true}}})}}},
              {"spec", std::move(spec)}};
}

std::string promotion_cause(const Trial& trial) {
  std::string cause =
      "gopacer: " + describe(trial.spec.to) + " instead of " + describe(trial.spec.from) + " (trial " + trial.key.name;
  if (!trial.spec.predicted.saving_percent.empty() && trial.spec.strategy != Strategy::kFixed) {
    cause += ", expected saving " + trial.spec.predicted.saving_percent + "% of CPU";
  }
  return cause + ")";
}

std::string rollback_cause(const Trial& trial) {
  return "gopacer: back to " + describe(trial.spec.from) + " from " + describe(trial.spec.to) + " (trial " +
         trial.key.name + ": " + trial.status.reason + ")";
}

}  // namespace gopacer::act
