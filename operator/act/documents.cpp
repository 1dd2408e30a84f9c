#include "act/documents.h"

#include <nlohmann/json.hpp>
#include <set>

#include "codec/fields.h"
#include "codec/resources.h"

namespace gopacer::act {

using nlohmann::json;

namespace {

/// Sets, replaces or drops one variable of a container. It keeps its place: what comes after may refer to it.
void set_env(json& container, const char* variable, const std::optional<std::string>& value) {
  if (!value && !container.contains("env")) return;
  json& env = container["env"];
  if (!env.is_array()) env = json::array();
  bool found = false;
  for (auto entry = env.begin(); entry != env.end();) {
    if (codec::text(*entry, "name") != variable) {
      ++entry;
    } else if (value && !found) {
      *entry = {{"name", variable}, {"value", *value}};
      found = true;
      ++entry;
    } else {
      entry = env.erase(entry);
    }
  }
  if (value && !found) env.push_back({{"name", variable}, {"value", *value}});
}

/// Labels and annotations by which other tools know what is theirs: on a copy they would adopt it, or delete it.
bool marks_ownership(const std::string& key) {
  static const std::set<std::string> kMarks{
      "app.kubernetes.io/managed-by",   "app.kubernetes.io/instance",
      kChangeCauseAnnotation,           "deployment.kubernetes.io/revision",
      "applyset.kubernetes.io/part-of", "kubectl.kubernetes.io/last-applied-configuration"};
  if (kMarks.contains(key)) return true;
  const std::string domain = key.substr(0, key.find('/'));
  for (const char* const tool :
       {"helm.sh", "argoproj.io", "fluxcd.io", "gopacer.dev", "cattle.io", "kapp.k14s.io", "config.k8s.io",
        "cnrm.cloud.google.com", "pulumi.com", "keel.sh", "stakater.com", "flagger.app"}) {
    if (domain == tool || domain.ends_with("." + std::string(tool))) return true;
  }
  return false;
}

/// What policies of the cluster may ask for of every object, such as a team's name.
json harmless(const json& entries) {
  json out = json::object();
  if (!entries.is_object()) return out;
  for (const auto& [key, value] : entries.items()) {
    if (!marks_ownership(key)) out[key] = value;
  }
  return out;
}

const char* track_name(Track track) { return track == Track::kBaseline ? "baseline" : "canary"; }

/// Wishes of the arm's pods for their node, besides the target's own ones: nodes are faster and slower than each other
/// by more than settings make of it, so each pod of one arm is to run beside one of the other. Wishes only: where they
/// can't be granted the judge knows of it.
void wish_for_pairs(json& pod_spec, const json& trial_label, Track track) {
  constexpr int kHeaviest = 100;
  const auto pods_of = [&](Track arm) {
    json labels = trial_label;
    labels[kTrackLabel] = track_name(arm);
    return json{{"labelSelector", {{"matchLabels", std::move(labels)}}}, {"topologyKey", "kubernetes.io/hostname"}};
  };
  const auto wish = [&](const char* what, int weight, Track arm) {
    json& wishes = pod_spec["affinity"][what]["preferredDuringSchedulingIgnoredDuringExecution"];
    wishes.push_back({{"weight", weight}, {"podAffinityTerm", pods_of(arm)}});
  };
  const Track other = track == Track::kCanary ? Track::kBaseline : Track::kCanary;
  // Said twice, for many templates ask as strongly for the opposite: no two pods of the service on a node.
  wish("podAffinity", kHeaviest, other);
  wish("podAffinity", kHeaviest, other);
  // Of several pairs each has a node of its own.
  wish("podAntiAffinity", kHeaviest / 2, track);
}

/// The latest time at which a running trial may still need the arm. The baseline stays for the watch, which lasts twice
/// as long as it should where there is little data.
Time needed_until(const Trial& trial, Track track) {
  constexpr Duration kRollout = std::chrono::hours(1);
  if (track == Track::kCanary) return trial.spec.deadline;
  return trial.spec.deadline + kRollout + 2 * trial.spec.watch_for;
}

}  // namespace

Result<json> arm_deployment(json target, const Trial& trial, Track track) {
  // It may be large: it is not copied.
  json pod_template = std::move(target["spec"]["template"]);
  const json& target_spec = codec::child(target, "spec");
  const json track_labels{{kTrialLabel, label_value(trial.key.name)}, {kTrackLabel, track_name(track)}};
  pod_template["metadata"]["labels"].update(track_labels);
  wish_for_pairs(pod_template["spec"], {{kTrialLabel, label_value(trial.key.name)}}, track);

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
    return invalid("Deployment " + trial.key.ns + "/" + trial.spec.target.name + " has no container '" +
                   trial.spec.container + "' any more: set spec.containerName of profile " + trial.spec.profile);
  }

  const json& metadata = codec::child(target, "metadata");
  json labels = harmless(codec::child(metadata, "labels"));
  labels.update(track_labels);
  labels[kProfileLabel] = label_value(trial.spec.profile);
  labels["app.kubernetes.io/managed-by"] = "gopacer";
  json annotations = harmless(codec::child(metadata, "annotations"));
  annotations[kExpiresAnnotation] = format_time(needed_until(trial, track));
  json spec{{"replicas", trial.arm_replicas()},
            {"revisionHistoryLimit", 0},
            {"selector", {{"matchLabels", track_labels}}},
            {"template", std::move(pod_template)}};
  // Not minReadySeconds: the trial has a warm-up of its own.
  const json& patience = codec::child(target_spec, "progressDeadlineSeconds");
  if (patience.is_number()) spec["progressDeadlineSeconds"] = patience;
  return json{{"apiVersion", api_version(resources::kDeployments)},
              {"kind", resources::kDeployments.kind},
              {"metadata",
               {{"namespace", trial.key.ns},
                {"name", track_deployment_name(trial.spec.target.name, track)},
                {"labels", std::move(labels)},
                {"annotations", std::move(annotations)},
                {"ownerReferences", json::array({{{"apiVersion", api_version(resources::kTrials)},
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

std::string put_back_cause(const Step& step) {
  return "gopacer: back to " + describe(*step.settings) + " (" + step.cause + ")";
}

std::string rollback_cause(const Trial& trial, const Settings& settings) {
  return "gopacer: back to " + describe(settings) + " from " + describe(trial.spec.to) + " (trial " + trial.key.name +
         ": " + trial.status.reason + ")";
}

}  // namespace gopacer::act
