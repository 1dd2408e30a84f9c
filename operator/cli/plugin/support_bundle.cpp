#include "cli/plugin/support_bundle.h"

#include <nlohmann/json.hpp>
#include <set>

#include "cli/plugin/listing.h"
#include "codec/fields.h"
#include "codec/resources.h"
#include "gopacer/domain/workload.h"
#include "ports/api_server.h"

namespace gopacer::plugin {
namespace {

using codec::child;
using codec::elements;
using codec::text;
using nlohmann::json;

const ResourceType kEvents{"", "v1", "events", "Event", true};
constexpr std::size_t kMostTargets = 200;
constexpr std::size_t kMostEvents = 500;
constexpr const char* kWithheld = "(withheld)";

/// The members of `names` that the object has.
json chosen(const json& object, std::initializer_list<const char*> names) {
  json out = json::object();
  for (const char* const name : names) {
    if (object.contains(name)) out[name] = object[name];
  }
  return out;
}

json metadata_of(const json& object) {
  json out = chosen(child(object, "metadata"), {"name", "namespace", "uid", "generation", "creationTimestamp",
                                                "deletionTimestamp", "finalizers", "labels"});
  json owners = json::array();
  for (const json& owner : elements(child(object, "metadata"), "ownerReferences")) {
    owners.push_back(chosen(owner, {"apiVersion", "kind", "name", "controller"}));
  }
  out["ownerReferences"] = owners;
  // Who wrote what, as far as it is about the two variables.
  json managers = json::array();
  for (const json& entry : elements(child(object, "metadata"), "managedFields")) {
    const std::string fields = child(entry, "fieldsV1").dump();
    const bool ours = fields.find("GOGC") != std::string::npos || fields.find("GOMEMLIMIT") != std::string::npos;
    if (ours) managers.push_back(chosen(entry, {"manager", "operation", "time"}));
  }
  if (!managers.empty()) out["setGOGCorGOMEMLIMIT"] = managers;
  return out;
}

json container_of(const json& from) {
  json out = chosen(from, {"name", "image", "resources", "ports"});
  json env = json::array();
  for (const json& entry : elements(from, "env")) {
    const std::string name = text(entry, "name");
    const bool is_told = name == "GOGC" || name == "GOMEMLIMIT" || name == "GODEBUG";
    env.push_back(is_told ? entry : json{{"name", name}, {"value", kWithheld}});
  }
  out["env"] = env;
  out["envFrom"] = elements(from, "envFrom").size();
  return out;
}

json containers_of(const json& pod_spec) {
  json out = json::array();
  for (const json& container : elements(pod_spec, "containers")) out.push_back(container_of(container));
  return out;
}

json deployment_of(const json& object) {
  const json& spec = child(object, "spec");
  json out{{"metadata", metadata_of(object)},
           {"spec", chosen(spec, {"replicas", "paused", "strategy", "minReadySeconds", "selector"})},
           {"status", child(object, "status")}};
  out["spec"]["containers"] = containers_of(child(child(spec, "template"), "spec"));
  return out;
}

/// Without messages: Kubernetes may put the end of a container's log there.
json state_of(const json& from) {
  json out = json::object();
  for (const char* const kind : {"waiting", "running", "terminated"}) {
    if (!from.contains(kind)) continue;
    out[kind] = chosen(from[kind], {"reason", "exitCode", "signal", "startedAt", "finishedAt"});
  }
  return out;
}

json pod_of(const json& object) {
  json out{{"metadata", metadata_of(object)},
           {"spec", chosen(child(object, "spec"), {"nodeName", "hostNetwork", "priorityClassName"})}};
  out["spec"]["containers"] = containers_of(child(object, "spec"));
  const json& status = child(object, "status");
  out["status"] = chosen(status, {"phase", "conditions", "startTime", "reason"});
  json containers = json::array();
  for (const json& from : elements(status, "containerStatuses")) {
    json container = chosen(from, {"name", "ready", "restartCount", "resources"});
    container["state"] = state_of(child(from, "state"));
    container["lastState"] = state_of(child(from, "lastState"));
    containers.push_back(std::move(container));
  }
  out["status"]["containerStatuses"] = containers;
  return out;
}

/// Whole, but for what may open another door.
json profile_of(const json& object) {
  json out{{"metadata", metadata_of(object)}, {"spec", child(object, "spec")}, {"status", child(object, "status")}};
  json wishes = json::object();
  for (const auto& [name, value] : child(child(object, "metadata"), "annotations").items()) {
    if (name.starts_with("gopacer.dev/")) wishes[name] = value;
  }
  out["metadata"]["annotations"] = wishes;
  return out;
}

/// Of profiles and trials alike.
void withhold_credentials(json& object) {
  if (!child(object, "spec").contains("slos") || !object["spec"]["slos"].is_array()) return;
  for (json& slo : object["spec"]["slos"]) {
    if (!slo.is_object() || !slo.contains("prometheus") || !slo["prometheus"].is_object()) continue;
    json& query = slo["prometheus"];
    if (text(query, "address").find('@') != std::string::npos) query["address"] = kWithheld;
    if (!query.contains("headers") || !query["headers"].is_object()) continue;
    for (auto& [name, value] : query["headers"].items()) value = kWithheld;
  }
}

std::string selector_of(const json& deployment) {
  std::string selector;
  for (const auto& [name, value] : child(child(child(deployment, "spec"), "selector"), "matchLabels").items()) {
    if (!value.is_string()) continue;
    selector += (selector.empty() ? "" : ",") + name + "=" + value.get<std::string>();
  }
  return selector;
}

/// Reads a cluster into one object.
class Bundler {
 public:
  explicit Bundler(ApiServer& api) : api_(api) {}

  /// The list of what `take` makes of the selection's objects.
  template <typename Take>
  json list(const Selection& selection, const Take& take) {
    json out = json::array();
    const auto read = each_of(api_, selection, [&](const json& object) {
      json taken = take(object);
      if (!taken.is_null()) out.push_back(std::move(taken));
    });
    if (!read) missing_.push_back(read.error().message);
    return out;
  }

  /// The target with its pods.
  json target(const ObjectKey& key) {
    const auto found = api_.get({resources::kDeployments, key.ns, key.name});
    if (!found) {
      missing_.push_back(explained(found.error(), "get", resources::kDeployments.plural, key.ns).message);
      return {{"metadata", {{"namespace", key.ns}, {"name", key.name}}}};
    }
    json out = deployment_of(*found);
    // Without a label all pods of the namespace would be meant.
    const std::string selector = selector_of(*found);
    if (!selector.empty()) out["pods"] = list({resources::kPods, key.ns, selector, ""}, pod_of);
    return out;
  }

  void miss(std::string sentence) { missing_.push_back(std::move(sentence)); }
  const json& missing() const { return missing_; }

 private:
  ApiServer& api_;
  json missing_ = json::array();
};

json event_of(const json& object) {
  const json& about = child(object, "involvedObject");
  if (!text(about, "apiVersion").starts_with("gopacer.dev/")) return nullptr;
  json out = chosen(object, {"type", "reason", "message", "count", "firstTimestamp", "lastTimestamp", "eventTime"});
  out["about"] = chosen(about, {"kind", "namespace", "name"});
  return out;
}

}  // namespace

Result<json> support_bundle(ApiServer& api, const std::string& ns, Time now) {
  json profiles = json::array();
  std::set<std::pair<std::string, std::string>> targets;
  const auto listed = each_of(api, {resources::kProfiles, ns, "", ""}, [&](const json& object) {
    json profile = profile_of(object);
    withhold_credentials(profile);
    profiles.push_back(std::move(profile));
    targets.emplace(codec::key_of(object).ns, text(child(child(object, "spec"), "targetRef"), "name"));
  });
  if (!listed) return tl::unexpected(listed.error());
  Bundler bundler(api);
  json bundle{{"version", GOPACER_VERSION},
              {"at", format_time(now)},
              {"namespace", ns.empty() ? json(nullptr) : json(ns)},
              {"profiles", std::move(profiles)}};
  bundle["trials"] = bundler.list({resources::kTrials, ns, "", ""}, [](const json& object) {
    json trial = profile_of(object);
    withhold_credentials(trial);
    return trial;
  });
  bundle["targets"] = json::array();
  for (const auto& [target_ns, name] : targets) {
    if (bundle["targets"].size() == kMostTargets) {
      bundler.miss("Of " + std::to_string(targets.size()) + " targets the first " + std::to_string(kMostTargets) +
                   " are here: take a namespace by -n.");
      break;
    }
    bundle["targets"].push_back(bundler.target({target_ns, name}));
  }
  json events = bundler.list({kEvents, ns, "", ""}, event_of);
  if (events.size() > kMostEvents)
    events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(kMostEvents));
  bundle["events"] = std::move(events);
  bundle["missing"] = bundler.missing();
  return bundle;
}

}  // namespace gopacer::plugin
