#include "codec/workload.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "codec/container.h"
#include "codec/fields.h"
#include "codec/resources.h"
#include "gopacer/base/text.h"
#include "gopacer/domain/trial.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr const char* kRestartedAt = "kubectl.kubernetes.io/restartedAt";

/// The name inside a key of fieldsV1, k:{"name":"app"}.
std::string keyed_name(const std::string& key) {
  if (!key.starts_with("k:")) return {};
  const json parsed = json::parse(key.substr(2), nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() ? text(parsed, "name") : std::string();
}

std::vector<EnvOwner> env_owners_of(const json& metadata) {
  std::vector<EnvOwner> owners;
  for (const json& entry : elements(metadata, "managedFields")) {
    const json& list =
        child(child(child(child(child(entry, "fieldsV1"), "f:spec"), "f:template"), "f:spec"), "f:containers");
    if (!list.is_object()) continue;
    for (const auto& [container_key, fields] : list.items()) {
      const std::string container = keyed_name(container_key);
      const json& env = child(fields, "f:env");
      if (container.empty() || !env.is_object()) continue;
      for (const auto& [env_key, parts] : env.items()) {
        const std::string variable = keyed_name(env_key);
        if (!is_ours(variable) || owners.size() == kMostKept) continue;
        owners.push_back({shown(container, kLongestName), variable, strange(entry, "manager", kLongestName),
                          parts.contains("f:value") || parts.contains("f:valueFrom")});
      }
    }
  }
  return owners;
}

/// kubectl apply sends only what it has to change: of an entry that we have set already it owns nothing, though the
/// manifest has it, too; and one that is gone by now comes back with the next apply. What it applied last stands in an
/// annotation.
void add_owners_by_manifest(const json& metadata, Workload& out) {
  const std::string manifest = text(child(metadata, "annotations"), kLastApplied);
  const auto speaks_of = [&](const char* variable) { return manifest.find(variable) != std::string::npos; };
  if (!speaks_of(kGogcVariable) && !speaks_of(kGoMemLimitVariable)) return;
  const json object = json::parse(manifest, nullptr, /*allow_exceptions=*/false);
  for (const json& declared : elements(child(child(child(object, "spec"), "template"), "spec"), "containers")) {
    const ContainerSpec* const container = container_named(out.containers, text(declared, "name"));
    if (container == nullptr) continue;
    for (const json& entry : elements(declared, "env")) {
      const std::string variable = text(entry, "name");
      if (!is_ours(variable) || set_by_another(out, container->name, variable.c_str())) continue;
      if (out.env_owners.size() < kMostKept)
        out.env_owners.push_back({container->name, variable, "kubectl apply", false});
    }
  }
}

std::vector<std::string> change_cause_owners_of(const json& metadata) {
  std::vector<std::string> owners;
  for (const json& entry : elements(metadata, "managedFields")) {
    const json& annotations = child(child(child(entry, "fieldsV1"), "f:metadata"), "f:annotations");
    if (owners.size() == kMostKept) break;
    if (annotations.contains(std::string("f:") + kChangeCauseAnnotation)) {
      owners.push_back(strange(entry, "manager", kLongestName));
    }
  }
  return owners;
}

/// `seen`: the controller has looked at the present template; until then its words are about an earlier one.
Rollout rollout_of(const json& spec, const json& status, bool seen) {
  Rollout rollout;
  rollout.paused = boolean(spec, "paused");
  for (const json& condition : elements(status, "conditions")) {
    const std::string type = text(condition, "type");
    if (type == "Progressing" && seen) {
      rollout.last_progress = time(condition, "lastUpdateTime");
      rollout.gave_up = text(condition, "reason") == "ProgressDeadlineExceeded";
      rollout.complete = text(condition, "reason") == "NewReplicaSetAvailable";
    }
    if (type == "ReplicaFailure" && text(condition, "status") == "True") {
      rollout.refusal = strange(condition, "message", kLongestSentence);
      rollout.refused_since = time(condition, "lastTransitionTime");
    }
  }
  return rollout;
}

/// Drivers whose inline volumes are made for the pod alone. Others may mount a share that all have.
bool is_private_driver(const std::string& driver) {
  static const std::set<std::string> kPrivate{"secrets-store.csi.k8s.io", "csi.cert-manager.io", "csi.spiffe.io"};
  return kPrivate.contains(driver);
}

/// There is never an old and a new pod at once, and never more than one.
bool is_alone(const json& spec) {
  const json& strategy = child(spec, "strategy");
  if (text(strategy, "type") == "Recreate") return true;
  const json& surge = child(child(strategy, "rollingUpdate"), "maxSurge");
  const bool no_surge = surge == 0 || surge == "0" || surge == "0%";
  return no_surge && small(spec, "replicas", 1) == 1;
}

/// Replicas that may be missing in a rollout, as the Deployment's controller counts them: a share is rounded down.
int max_unavailable_of(const json& spec, int replicas) {
  const json& rolling = child(child(spec, "strategy"), "rollingUpdate");
  const std::string share = text(rolling, "maxUnavailable");
  if (share.empty()) return std::clamp(small(rolling, "maxUnavailable"), 0, replicas);
  int percent = 0;
  std::from_chars(share.data(), share.data() + share.size(), percent);
  return static_cast<int>(std::int64_t{replicas} * std::clamp(percent, 0, 100) / 100);
}

/// Kinds of volumes that each pod has for itself, or that nobody writes.
bool is_private(const std::string& kind) {
  static const std::set<std::string> kPrivate{"emptyDir",  "configMap", "secret", "downwardAPI",
                                              "projected", "ephemeral", "image"};
  return kPrivate.contains(kind);
}

/// Names of the volumes that a container of the pod mounts for writing.
std::set<std::string> written_volumes(const json& pod_spec) {
  std::set<std::string> written;
  for (const char* const list : {"containers", "initContainers"}) {
    for (const json& container : elements(pod_spec, list)) {
      for (const json& mount : elements(container, "volumeMounts")) {
        if (!boolean(mount, "readOnly")) written.insert(text(mount, "name"));
      }
      for (const json& device : elements(container, "volumeDevices")) written.insert(text(device, "name"));
    }
  }
  return written;
}

std::vector<SingleUse> single_use_of(const json& pod_spec) {
  std::vector<SingleUse> out;
  const auto add = [&](const char* reason, const std::string& what) {
    const auto is_same = [&](const SingleUse& known) { return known.reason == reason; };
    if (std::none_of(out.begin(), out.end(), is_same)) out.push_back({reason, shown(what, kLongestSentence)});
  };
  if (boolean(pod_spec, "hostNetwork")) {
    add("HostNetwork", "it uses its node's network (hostNetwork), where a port can be taken only once");
  }
  for (const char* const list : {"containers", "initContainers"}) {
    for (const json& container : elements(pod_spec, list)) {
      for (const json& port : elements(container, "ports")) {
        const std::int64_t taken = integer(port, "hostPort");
        if (taken > 0) add("HostPort", "it takes port " + std::to_string(taken) + " of its node");
      }
    }
  }
  for (const json& claim : elements(pod_spec, "resourceClaims")) {
    // Of a template each pod gets one of its own.
    const std::string named = text(claim, "resourceClaimName");
    if (!named.empty()) add("DeviceClaim", "it uses the devices of the claim '" + named + "'");
  }
  const std::set<std::string> written = written_volumes(pod_spec);
  for (const json& volume : elements(pod_spec, "volumes")) {
    const std::string name = text(volume, "name");
    if (!written.contains(name) || !volume.is_object()) continue;
    for (const auto& [kind, source] : volume.items()) {
      if (kind == "name" || is_private(kind) || boolean(source, "readOnly")) continue;
      if (kind == "csi" && is_private_driver(text(source, "driver"))) continue;
      if (kind == "hostPath") {
        add("HostPath", "it writes to " + text(source, "path") + " of its node (volume '" + name + "')");
      } else if (kind == "persistentVolumeClaim") {
        add("WritableVolume", "it writes to the claim '" + text(source, "claimName") + "'");
      } else {
        add("WritableVolume", "it writes to the volume '" + name + "' (" + kind + ")");
      }
    }
  }
  return out;
}

/// The owner reference that controls the object, of which there is one at most; an empty object where there is none.
const json& controlling_owner(const json& metadata) {
  static const json kNone = json::object();
  for (const json& owner : elements(metadata, "ownerReferences")) {
    if (boolean(owner, "controller")) return owner;
  }
  return kNone;
}

void drop_our_variables(json& pod_spec, const char* list) {
  const auto containers = pod_spec.find(list);
  if (containers == pod_spec.end() || !containers->is_array()) return;
  for (json& container : *containers) {
    if (!container.is_object() || !container.contains("env")) continue;
    json& env = container["env"];
    if (!env.is_array()) continue;
    auto& entries = env.get_ref<json::array_t&>();
    std::erase_if(entries, [](const json& entry) { return is_ours(text(entry, "name")); });
    if (entries.empty()) container.erase("env");
  }
}

}  // namespace

std::string template_hash(const json& pod_template) {
  json canonical = pod_template;
  if (canonical.is_object()) {
    if (const auto spec = canonical.find("spec"); spec != canonical.end() && spec->is_object()) {
      drop_our_variables(*spec, "containers");
      drop_our_variables(*spec, "initContainers");
    }
    if (const auto metadata = canonical.find("metadata"); metadata != canonical.end() && metadata->is_object()) {
      metadata->erase("creationTimestamp");
      if (const auto annotations = metadata->find("annotations");
          annotations != metadata->end() && annotations->is_object()) {
        // A restart changes when pods began, not what they are.
        annotations->erase(kRestartedAt);
        if (annotations->empty()) metadata->erase("annotations");
      }
    }
  }
  // Members of objects are kept sorted, so equal templates have equal text.
  const std::string bytes = canonical.dump(-1, ' ', false, json::error_handler_t::replace);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) out += {kDigits[digest.at(i) >> 4U], kDigits[digest.at(i) & 15U]};
  return out;
}

std::string arm_of(const json& deployment) {
  const json& metadata = child(deployment, "metadata");
  const json& labels = child(metadata, "labels");
  const std::string track = text(labels, kTrackLabel);
  // An arm has most of its target's labels, so that others may add themselves to its owners, or write labels of theirs.
  const json& owner = controlling_owner(metadata);
  const bool is_arm = labels.contains(kTrialLabel) && (track == "canary" || track == "baseline") &&
                      text(metadata, "name").ends_with("-gopacer-" + track) &&
                      text(owner, "apiVersion").starts_with(resources::kTrials.group + "/") &&
                      text(owner, "kind") == resources::kTrials.kind;
  return is_arm ? text(owner, "uid") : std::string();
}

Result<Workload> decode_deployment(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& metadata = child(object, "metadata");
  const json& spec = child(object, "spec");
  const json& status = child(object, "status");
  const json& pod_template = child(spec, "template");
  Workload out;
  out.key = *key;
  out.uid = text(metadata, "uid");
  out.resource_version = text(metadata, "resourceVersion");
  out.generation = integer(metadata, "generation");
  out.observed_generation = integer(status, "observedGeneration");
  out.deleting = codec::deleting(object);
  out.min_ready = std::chrono::seconds(small(spec, "minReadySeconds", 0));
  out.replicas = small(spec, "replicas", 1);
  out.updated_replicas = small(status, "updatedReplicas");
  out.available_replicas = small(status, "availableReplicas");
  out.total_replicas = small(status, "replicas");
  out.max_unavailable = max_unavailable_of(spec, out.replicas);
  out.rollout = rollout_of(spec, status, out.observed_generation >= out.generation);
  for (const char* const label : {kTrialLabel, kProfileLabel}) {
    if (child(metadata, "labels").contains(label)) out.labels[label] = text(child(metadata, "labels"), label);
  }
  out.controller = controller_of(object);
  out.recreates = is_alone(spec);
  out.single_use = single_use_of(child(pod_template, "spec"));
  out.containers = containers_of(child(pod_template, "spec"));
  out.template_hash = template_hash(pod_template);
  out.env_owners = env_owners_of(metadata);
  add_owners_by_manifest(metadata, out);
  out.change_cause = strange(child(metadata, "annotations"), kChangeCauseAnnotation, kLongestSentence);
  out.change_cause_owners = change_cause_owners_of(metadata);
  out.arm_of = arm_of(object);
  out.expires = time(child(metadata, "annotations"), kExpiresAnnotation);
  return out;
}

Result<ReplicaSet> decode_replica_set(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  return ReplicaSet{*key, text(child(object, "metadata"), "uid"), controller_of(object)};
}

}  // namespace gopacer::codec
