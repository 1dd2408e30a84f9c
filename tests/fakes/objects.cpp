#include "fakes/objects.h"

#include "codec/resources.h"
#include "codec/trial.h"

namespace gopacer::objects {

using nlohmann::json;

ObjectPath deployment_path(const ObjectKey& key) { return {resources::kDeployments, key.ns, key.name}; }
ObjectPath profile_path(const ObjectKey& key) { return {resources::kProfiles, key.ns, key.name}; }
ObjectPath trial_path(const ObjectKey& key) { return {resources::kTrials, key.ns, key.name}; }

std::vector<json> all(FakeApiServer& api, const ResourceType& type) {
  return api.list({type, "", "", ""}, "").value().items;
}

json deployment_object() {
  return json::parse(R"({
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"namespace": "shop", "name": "checkout", "labels": {"team": "cart"}},
    "spec": {
      "replicas": 3,
      "minReadySeconds": 5,
      "selector": {"matchLabels": {"app": "checkout"}},
      "template": {
        "metadata": {"labels": {"app": "checkout", "tier": "web"}, "annotations": {"note": "kept"}},
        "spec": {
          "serviceAccountName": "checkout",
          "containers": [{
            "name": "app",
            "image": "checkout:1",
            "env": [
              {"name": "LOG_LEVEL", "value": "info"},
              {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
            ],
            "resources": {"limits": {"memory": "512Mi", "cpu": "1"}}
          }]
        }
      }
    }
  })");
}

json arm_object(const std::string& track, const std::string& trial, const std::string& trial_uid) {
  json arm = deployment_object();
  arm["metadata"] = {{"namespace", "shop"},
                     {"name", "checkout-gopacer-" + track},
                     {"labels",
                      {{kTrialLabel, trial},
                       {kTrackLabel, track},
                       {kProfileLabel, "checkout"},
                       {"app.kubernetes.io/managed-by", "gopacer"}}},
                     {"annotations", {{kExpiresAnnotation, "2034-05-01T10:00:00Z"}}},
                     {"ownerReferences", json::array({{{"apiVersion", "gopacer.dev/v1alpha1"},
                                                       {"kind", "GoRuntimeTrial"},
                                                       {"name", trial},
                                                       {"uid", trial_uid},
                                                       {"controller", true}}})}};
  return arm;
}

json profile_object() {
  return json::parse(R"({
    "apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeProfile",
    "metadata": {"namespace": "shop", "name": "checkout"},
    "spec": {
      "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
      "updatePolicy": {"updateMode": "Canary"},
      "slos": [{"name": "latency-p99", "podHistogram": {"metric": "http_request_duration_seconds"}, "maxRegressionPercent": 5}],
      "canary": {"replicas": 1, "warmUp": "20s", "interval": "5s", "maxDuration": "5m", "minSamples": 100},
      "rollback": {"watchFor": "1m", "coolDown": "1h"}
    }
  })");
}

void deploy(FakeApiServer& api, const json& object) {
  const ObjectKey key{object["metadata"]["namespace"], object["metadata"]["name"]};
  api.apply_as("kubectl", deployment_path(key), object);
  settle_deployments(api);
}

void settle_deployments(FakeApiServer& api) {
  for (const json& object : all(api, resources::kDeployments)) {
    const json& metadata = object["metadata"];
    const int replicas = object["spec"].value("replicas", 1);
    const json status{{"observedGeneration", metadata["generation"]},
                      {"replicas", replicas},
                      {"updatedReplicas", replicas},
                      {"availableReplicas", replicas}};
    if (object.value("status", json()) == status) continue;
    const ObjectPath path = deployment_path({metadata["namespace"], metadata["name"]});
    if (!api.merge_patch(path, {{"status", status}}, "status")) throw std::logic_error("the Deployment vanished");
  }
}

void put_trial(FakeApiServer& api, const Trial& trial) {
  if (!api.create(resources::kTrials, trial.key.ns, codec::trial_object(trial.key, trial.spec)) ||
      !api.merge_patch(trial_path(trial.key), {{"status", codec::encode(trial.status)}}, "status")) {
    throw std::logic_error("the trial was not made");
  }
}

void drop_trial(FakeApiServer& api, const ObjectKey& key) {
  if (!api.merge_patch(trial_path(key), {{"metadata", {{"finalizers", nullptr}}}}, "") ||
      !api.remove(trial_path(key), "")) {
    throw std::logic_error("the trial was not there");
  }
}

std::string env_value(const json& deployment, const std::string& variable, const std::string& container) {
  for (const json& candidate : deployment["spec"]["template"]["spec"]["containers"]) {
    if (candidate["name"] != container || !candidate.contains("env")) continue;
    for (const json& entry : candidate["env"]) {
      if (entry["name"] == variable) return entry.value("value", "");
    }
  }
  return {};
}

std::string annotation(const json& object, const std::string& name) {
  return object["metadata"].value("annotations", json::object()).value(name, "");
}

json lasting_state(FakeApiServer& api) {
  json state = json::array();
  for (const ResourceType& type : {resources::kDeployments, resources::kTrials, resources::kProfiles}) {
    for (json object : all(api, type)) {
      object["metadata"].erase("resourceVersion");
      object["metadata"].erase("uid");
      state.push_back(std::move(object));
    }
  }
  return state;
}

}  // namespace gopacer::objects
