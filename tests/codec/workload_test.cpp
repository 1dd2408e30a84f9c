#include "codec/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "gopacer/domain/trial.h"

namespace gopacer {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

json deployment() {
  return json::parse(R"({
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {
      "namespace": "shop", "name": "checkout", "uid": "u1", "resourceVersion": "7", "generation": 3,
      "labels": {"team": "pay"}, "annotations": {"kubernetes.io/change-cause": "gopacer: GOGC=180"},
      "managedFields": [
        {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {
          "f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}, "f:env": {".": {}, "k:{\"name\":\"PORT\"}": {"f:value": {}}}}}}}}}},
        {"manager": "gopacer", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {
          "f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:name": {}, "f:env": {"k:{\"name\":\"GOGC\"}": {".": {}, "f:value": {}}}}}}}}}},
        {"manager": "kubectl-set", "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {
          "f:containers": {"k:{\"name\":\"side\"}": {"f:env": {"k:{\"name\":\"GOMEMLIMIT\"}": {"f:value": {}}}}}}}}}}
      ]},
    "spec": {
      "replicas": 4, "paused": true, "selector": {"matchLabels": {"app": "checkout"}},
      "template": {
        "metadata": {"labels": {"app": "checkout", "v": "1"}, "creationTimestamp": null},
        "spec": {"containers": [
          {"name": "app", "image": "checkout:1", "env": [
             {"name": "PORT", "value": "8080"}, {"name": "GOGC", "value": "180"},
             {"name": "GOMEMLIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}, {"name": "GOGC", "value": "50"}],
           "resources": {"limits": {"memory": "512Mi", "cpu": "500m"}, "requests": {"memory": "256Mi"}}},
          {"name": "side", "image": "side:1"}]}}},
    "status": {"observedGeneration": 3, "replicas": 4, "updatedReplicas": 4, "availableReplicas": 4}})");
}

TEST(DecodeDeployment, ReadsWhatGopacerNeeds) {
  const Workload got = codec::decode_deployment(deployment()).value();
  EXPECT_EQ(got.key.text(), "shop/checkout");
  EXPECT_EQ(got.uid, "u1");
  EXPECT_EQ(got.resource_version, "7");
  EXPECT_EQ(got.generation, 3);
  EXPECT_EQ(got.replicas, 4);
  EXPECT_TRUE(got.rollout.paused);
  EXPECT_FALSE(got.deleting);
  EXPECT_TRUE(got.settled());
  EXPECT_EQ(got.change_cause, "gopacer: GOGC=180");
}

TEST(DecodeDeployment, WorksOutWhatAFieldOfTheContainersMemoryComesTo) {
  const auto comes_to = [](const json& field) {
    json object = deployment();
    json& app = object["spec"]["template"]["spec"]["containers"][0];
    app["env"] = {{{"name", "GOMEMLIMIT"}, {"valueFrom", {{"resourceFieldRef", field}}}}};
    const EnvEntry entry = codec::decode_deployment(object)->containers.at(0).env.at(0);
    EXPECT_TRUE(entry.from_source);
    return entry.value;
  };
  EXPECT_EQ(comes_to({{"resource", "limits.memory"}, {"divisor", "0"}}), "536870912");
  EXPECT_EQ(comes_to({{"resource", "limits.memory"}, {"divisor", "1Mi"}}), "512") << "bytes, to Go";
  EXPECT_EQ(comes_to({{"resource", "limits.memory"}, {"divisor", "1M"}}), "537") << "rounded up";
  EXPECT_EQ(comes_to({{"resource", "requests.memory"}, {"containerName", "app"}}), "268435456");
  EXPECT_EQ(comes_to({{"resource", "limits.memory"}, {"containerName", "side"}}), "") << "of another container";
  EXPECT_EQ(comes_to({{"resource", "limits.cpu"}}), "");
  EXPECT_EQ(comes_to({{"resource", 7}}), "");
}

TEST(DecodeDeployment, CountsThePodsThatMayBeMissingAsTheControllerDoes) {
  const auto with = [](const json& most, int replicas) {
    json object = deployment();
    object["spec"]["replicas"] = replicas;
    object["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = most;
    return codec::decode_deployment(object)->max_unavailable;
  };
  EXPECT_EQ(with("25%", 4), 1);
  EXPECT_EQ(with("25%", 7), 1) << "rounded down";
  EXPECT_EQ(with("25%", 3), 0);
  EXPECT_EQ(with("300%", 3), 3);
  EXPECT_EQ(with(2, 10), 2);
  EXPECT_EQ(with(20, 10), 10);
  EXPECT_EQ(with(-1, 10), 0);
  EXPECT_EQ(with("many", 10), 0);
  EXPECT_EQ(with(nullptr, 10), 0) << "strategy Recreate has none";
}

TEST(DecodeDeployment, KeepsOnlyOurVariablesInOrderWithDuplicates) {
  const Workload got = codec::decode_deployment(deployment()).value();
  ASSERT_EQ(got.containers.size(), 2);
  const ContainerSpec& app = got.containers[0];
  ASSERT_EQ(app.env.size(), 3);
  EXPECT_EQ(app.env[0].value, "180");
  EXPECT_EQ(app.env[1].name, "GOMEMLIMIT");
  EXPECT_TRUE(app.env[1].from_source);
  EXPECT_EQ(app.env[1].value, "536870912") << "as the kubelet works it out";
  EXPECT_EQ(app.env[2].value, "50");
  EXPECT_EQ(app.memory_limit, mib(512));
  EXPECT_EQ(app.memory_request, mib(256));
  EXPECT_EQ(app.cpu_limit, 0.5);
  EXPECT_EQ(got.containers[1].memory_limit, std::nullopt);
}

TEST(DecodeDeployment, KeepsOfItsLabelsThoseOfTrialsOnly) {
  json object = deployment();
  for (int i = 0; i < 1000; ++i) object["metadata"]["labels"]["gopacer.dev/" + std::to_string(i)] = "x";
  EXPECT_THAT(codec::decode_deployment(object)->labels, IsEmpty());
  object["metadata"]["labels"][kTrialLabel] = "checkout-1";
  object["metadata"]["labels"][kProfileLabel] = "checkout";
  EXPECT_THAT(codec::decode_deployment(object)->labels,
              ElementsAre(Pair(kProfileLabel, "checkout"), Pair(kTrialLabel, "checkout-1")));
}

TEST(DecodeDeployment, KeepsSoMuchOfEachListHoweverLongItIs) {
  json object = deployment();
  json& spec = object["spec"]["template"]["spec"];
  json& fields = object["metadata"]["managedFields"];
  const json owner = fields[1];
  for (int i = 0; i < 1000; ++i) {
    spec["containers"][0]["env"].push_back({{"name", "GOGC"}, {"value", std::to_string(i)}});
    spec["containers"].push_back({{"name", "c" + std::to_string(i)}, {"ports", {{{"hostPort", i + 1}}}}});
    fields.push_back(owner);
    fields.push_back(json::parse(
        R"({"manager": "m", "fieldsV1": {"f:metadata": {"f:annotations": {"f:kubernetes.io/change-cause": {}}}}})"));
  }
  const Workload got = codec::decode_deployment(object).value();
  EXPECT_EQ(got.containers.size(), codec::kMostKept);
  EXPECT_EQ(got.single_use.size(), 1U);
  EXPECT_EQ(got.env_owners.size(), codec::kMostKept);
  EXPECT_EQ(got.change_cause_owners.size(), codec::kMostKept);
  std::vector<std::string> entries;
  for (const EnvEntry& entry : got.containers[0].env) entries.push_back(entry.name + "=" + entry.value);
  EXPECT_THAT(entries, ElementsAre("GOGC=180", "GOMEMLIMIT=536870912", "GOGC=999"))
      << "a duplicate shows, and the last counts";
}

TEST(DecodeDeployment, KeepsStrangersTextsShortAndWithoutControlCharacters) {
  json object = deployment();
  const std::string bad = "\n\x1b[31m" + std::string(100'000, 'x');
  json& spec = object["spec"]["template"]["spec"];
  spec["containers"][0]["env"][1]["value"] = bad;
  spec["volumes"] = {{{"name", "v"}, {"hostPath", {{"path", bad}}}},
                     {{"name", "w"}, {"persistentVolumeClaim", {{"claimName", bad}}}}};
  spec["containers"][0]["volumeMounts"] = {{{"name", "v"}}, {{"name", "w"}}};
  object["metadata"]["annotations"]["kubernetes.io/change-cause"] = bad;
  object["metadata"]["ownerReferences"] = {{{"kind", bad}, {"name", bad}, {"uid", bad}, {"controller", true}}};
  object["metadata"]["managedFields"][1]["manager"] = bad;
  object["status"]["conditions"] = {{{"type", "ReplicaFailure"}, {"status", "True"}, {"message", bad}}};
  const Workload got = codec::decode_deployment(object).value();
  ASSERT_EQ(got.single_use.size(), 2U);
  for (const std::string& kept :
       {got.containers[0].env[0].value, got.single_use[0].what, got.single_use[1].what, got.change_cause,
        got.controller.kind, got.controller.name, got.controller.uid, got.env_owners[0].manager, got.rollout.refusal}) {
    EXPECT_THAT(kept, testing::AllOf(HasSubstr("..[31mxxx"), testing::EndsWith("x..."), testing::Not(HasSubstr("\n"))));
    EXPECT_LE(kept.size(), codec::kLongestSentence + 3);
  }
}

TEST(DecodeDeployment, AValueThatIsCutOrHasControlCharactersIsNoSetting) {
  json object = deployment();
  for (const std::string& value : {std::string(100, '0') + "80", std::string("80\n"), std::string("\t80")}) {
    object["spec"]["template"]["spec"]["containers"][0]["env"] = {{{"name", "GOGC"}, {"value", value}}};
    const Workload got = codec::decode_deployment(object).value();
    EXPECT_FALSE(parse_settings(env_of(got.containers[0]))) << value;
  }
}

TEST(DecodeDeployment, NamesTheOwnersOfOurVariables) {
  const Workload got = codec::decode_deployment(deployment()).value();
  std::vector<std::string> owners;
  for (const EnvOwner& owner : got.env_owners) {
    owners.push_back(owner.container + "." + owner.variable + " " + owner.manager);
  }
  EXPECT_THAT(owners, ElementsAre("app.GOGC gopacer", "side.GOMEMLIMIT kubectl-set"));
}

TEST(DecodeDeployment, TellsHowFarItsRolloutCame) {
  json object = deployment();
  object["status"]["conditions"] = json::parse(R"([
    {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
    {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "lastUpdateTime": "2024-05-01T10:00:00Z"},
    {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: small",
     "lastTransitionTime": "2024-05-01T10:01:00Z"}])");
  const Workload rolling = codec::decode_deployment(object).value();
  const Rollout& rollout = rolling.rollout;
  EXPECT_EQ(format_time(rollout.last_progress.value()), "2024-05-01T10:00:00Z");
  EXPECT_FALSE(rollout.gave_up);
  EXPECT_EQ(rollout.refusal, "exceeded quota: small");
  EXPECT_EQ(format_time(rollout.refused_since.value()), "2024-05-01T10:01:00Z");
  EXPECT_FALSE(rollout.complete);
  object["status"]["conditions"][1]["reason"] = "ProgressDeadlineExceeded";
  object["status"]["conditions"][2]["status"] = "False";
  const Workload stuck = codec::decode_deployment(object).value();
  EXPECT_TRUE(stuck.rollout.gave_up);
  EXPECT_EQ(stuck.rollout.refusal, "");
  object["status"]["conditions"][1]["reason"] = "NewReplicaSetAvailable";
  EXPECT_TRUE(codec::decode_deployment(object)->rollout.complete);
}

TEST(Deployment, SaysHowLongAPodHasToBeReady) {
  json object = deployment();
  EXPECT_EQ(codec::decode_deployment(object)->min_ready, std::chrono::seconds(0));
  object["spec"]["minReadySeconds"] = 5;
  EXPECT_EQ(codec::decode_deployment(object)->min_ready, std::chrono::seconds(5));
}

/// As kubectl apply leaves it when the manifest has the values that gopacer has put there.
json with_manifest(const std::string& env) {
  json object = deployment();
  object["metadata"].erase("managedFields");
  object["spec"]["template"]["spec"]["containers"][0]["env"] =
      json::parse(R"([{"name": "GOGC", "value": "200"}, {"name": "GOMEMLIMIT", "value": "430MiB"}])");
  object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
      R"({"spec": {"template": {"spec": {"containers": [{"name": "app", "env": )" + env + "}]}}}}";
  return object;
}

TEST(Deployment, IsOwnedByAManifestThatHasTheVariables) {
  const auto owners = [](const json& object) {
    std::map<std::string, std::string> out;
    const Workload workload = codec::decode_deployment(object).value();
    for (const EnvOwner& owner : workload.env_owners) out[owner.variable] = owner.manager;
    return out;
  };
  using Owners = std::map<std::string, std::string>;
  EXPECT_EQ(owners(with_manifest(R"([{"name": "GOGC", "value": "200"}])")), (Owners{{"GOGC", "kubectl apply"}}));
  EXPECT_EQ(owners(with_manifest(R"([{"name": "GOGC", "value": "100"}])")), (Owners{{"GOGC", "kubectl apply"}}))
      << "the next apply brings it";
  json removed = with_manifest(R"([{"name": "GOGC", "value": "100"}])");
  removed["spec"]["template"]["spec"]["containers"][0].erase("env");
  EXPECT_EQ(owners(removed), (Owners{{"GOGC", "kubectl apply"}})) << "the next apply brings it";
  EXPECT_EQ(owners(with_manifest(R"([{"name": "PATH", "value": "GOGC"}])")), Owners{});
  EXPECT_EQ(owners(with_manifest("GOGC")), Owners{}) << "no JSON";
  EXPECT_EQ(owners(with_manifest(std::string(100'000, '[') + "\"GOGC\"")), Owners{});
}

TEST(Deployment, HasOwnersOfAnEntryAndOfItsValue) {
  const auto owner = [](const std::string& fields) {
    json object = deployment();
    object["metadata"]["managedFields"] = json::parse(
        R"([{"manager": "m", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}":
           {"f:env": {"k:{\"name\":\"GOGC\"}": )" +
        fields + "}}}}}}}}]");
    return codec::decode_deployment(object)->env_owners.at(0).of_value;
  };
  EXPECT_TRUE(owner(R"({".": {}, "f:name": {}, "f:value": {}})"));
  EXPECT_TRUE(owner(R"({"f:valueFrom": {"f:configMapKeyRef": {}}})"));
  EXPECT_FALSE(owner(R"({".": {}, "f:name": {}})"));
}

TEST(Deployment, KeepsNothingOfWhatItsControllerSaidOfAnEarlierTemplate) {
  json object = deployment();
  object["metadata"]["generation"] = 5;
  object["status"]["observedGeneration"] = 4;
  object["status"]["conditions"] = json::parse(
      R"([{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": "2024-05-01T10:00:00Z"}])");
  EXPECT_FALSE(codec::decode_deployment(object)->rollout.gave_up);
  EXPECT_FALSE(codec::decode_deployment(object)->rollout.last_progress);
  object["status"]["observedGeneration"] = 5;
  EXPECT_TRUE(codec::decode_deployment(object)->rollout.gave_up);
  EXPECT_TRUE(codec::decode_deployment(object)->rollout.last_progress);
}

/// Reasons for which the pod template must not run twice.
std::vector<std::string> single_use(const json& pod_spec) {
  json object = deployment();
  json& spec = object["spec"]["template"]["spec"];
  spec.update(pod_spec);
  const Workload workload = codec::decode_deployment(object).value();
  std::vector<std::string> reasons;
  for (const SingleUse& found : workload.single_use) reasons.push_back(found.reason);
  return reasons;
}

TEST(Deployment, OfManyVolumesAndMountsIsReadInOneGo) {
  // Were each mount looked at for each volume, it would take minutes.
  json spec = json::parse(R"({"containers": [{"name": "app"}]})");
  for (int i = 0; i < 50'000; ++i) {
    spec["volumes"].push_back({{"name", "v" + std::to_string(i)}, {"hostPath", {{"path", "/data"}}}});
    spec["containers"][0]["volumeMounts"].push_back({{"name", "v0"}, {"readOnly", true}});
  }
  EXPECT_THAT(single_use(spec), testing::IsEmpty());
  spec["containers"][0]["volumeMounts"].push_back({{"name", "v49999"}});
  EXPECT_THAT(single_use(spec), ElementsAre("HostPath"));
}

json with_volume(const char* source, const char* mount) {
  json spec = json::parse(R"({"containers": [{"name": "app"}]})");
  spec["volumes"] = json::array({json::parse(source)});
  spec["containers"][0]["volumeMounts"] = json::array({json::parse(mount)});
  return spec;
}

TEST(SingleUse, IsWhatOnePodOfANodeOrOneWriterCanHave) {
  EXPECT_THAT(single_use(json::object()), IsEmpty());
  EXPECT_THAT(single_use({{"hostNetwork", true}}), ElementsAre("HostNetwork"));
  EXPECT_THAT(single_use(json::parse(R"({"containers": [{"name": "app", "ports": [{"hostPort": 8080}]}]})")),
              ElementsAre("HostPort"));
  const char* const mount = R"({"name": "v", "mountPath": "/data"})";
  const char* const read_only = R"({"name": "v", "mountPath": "/data", "readOnly": true})";
  for (const char* const claim : {R"({"name": "v", "persistentVolumeClaim": {"claimName": "data"}})",
                                  R"({"name": "v", "nfs": {"server": "s", "path": "/"}})",
                                  R"({"name": "v", "awsElasticBlockStore": {"volumeID": "x"}})"}) {
    EXPECT_THAT(single_use(with_volume(claim, mount)), ElementsAre("WritableVolume"));
    EXPECT_THAT(single_use(with_volume(claim, read_only)), IsEmpty());
  }
  EXPECT_THAT(
      single_use(with_volume(R"({"name": "v", "persistentVolumeClaim": {"claimName": "d", "readOnly": true}})", mount)),
      IsEmpty());
  const char* const host = R"({"name": "v", "hostPath": {"path": "/var/lib/x"}})";
  EXPECT_THAT(single_use(with_volume(host, mount)), ElementsAre("HostPath"));
  EXPECT_THAT(single_use(with_volume(host, read_only)), IsEmpty());
}

TEST(SingleUse, IsADeviceClaimThatTheTemplateNames) {
  EXPECT_THAT(
      single_use(json::parse(R"({"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}]})")),
      IsEmpty())
      << "each pod gets its own";
  json object = deployment();
  object["spec"]["template"]["spec"]["resourceClaims"] = json::parse(
      R"([{"name": "nic", "resourceClaimTemplateName": "one-nic"}, {"name": "gpu", "resourceClaimName": "shared-gpu"}])");
  const Workload workload = codec::decode_deployment(object).value();
  ASSERT_EQ(workload.single_use.size(), 1U);
  EXPECT_EQ(workload.single_use[0].reason, "DeviceClaim");
  EXPECT_EQ(workload.single_use[0].what, "it uses the devices of the claim 'shared-gpu'");
}

TEST(SingleUse, IsNoneOfVolumesThatEachPodHasForItself) {
  const char* const mount = R"({"name": "v", "mountPath": "/data"})";
  for (const char* const source : {R"({"name": "v", "emptyDir": {}})", R"({"name": "v", "configMap": {"name": "c"}})",
                                   R"({"name": "v", "ephemeral": {"volumeClaimTemplate": {}}})",
                                   R"({"name": "v", "projected": {"sources": []}})"}) {
    EXPECT_THAT(single_use(with_volume(source, mount)), IsEmpty()) << source;
  }
}

TEST(SingleUse, SeesInitContainersAndBlockDevices) {
  json spec = json::parse(R"({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
    "initContainers": [{"name": "migrate", "volumeMounts": [{"name": "v", "mountPath": "/data"}]}]})");
  EXPECT_THAT(single_use(spec), ElementsAre("WritableVolume"));
  spec["initContainers"][0] = json::parse(R"({"name": "raw", "volumeDevices": [{"name": "v", "devicePath": "/d"}]})");
  EXPECT_THAT(single_use(spec), ElementsAre("WritableVolume"));
}

TEST(DecodeDeployment, TakesAnInlineVolumeOfADriverForSharedUnlessItIsKnown) {
  json spec = json::parse(R"({"volumes": [{"name": "v", "csi": {"driver": "gcsfuse.csi.storage.gke.io"}}]})");
  spec["containers"] = json::parse(R"([{"name": "app", "volumeMounts": [{"name": "v", "mountPath": "/data"}]}])");
  EXPECT_THAT(single_use(spec), ElementsAre("WritableVolume"));
  spec["volumes"][0]["csi"]["readOnly"] = true;
  EXPECT_THAT(single_use(spec), IsEmpty());
  spec["volumes"][0]["csi"] = json{{"driver", "csi.spiffe.io"}};
  EXPECT_THAT(single_use(spec), IsEmpty());
}

TEST(DecodeDeployment, KnowsOnePodWithoutSurgeForOneThatMustBeAlone) {
  json object = deployment();
  const auto alone = [&](int replicas, const json& surge) {
    object["spec"]["replicas"] = replicas;
    object["spec"]["strategy"] = {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", surge}}}};
    return codec::decode_deployment(object).value().recreates;
  };
  EXPECT_TRUE(alone(1, 0));
  EXPECT_TRUE(alone(1, "0%"));
  EXPECT_FALSE(alone(1, 1));
  EXPECT_FALSE(alone(2, 0)) << "several at once are what it is used to";
}

TEST(DecodeDeployment, KnowsTheArmOfATrialByAllThatAnArmHas) {
  EXPECT_EQ(codec::arm_of(deployment()), "");
  json arm = deployment();
  arm["metadata"] = json::parse(R"({"namespace": "shop", "name": "checkout-gopacer-canary", "uid": "d1",
      "labels": {"gopacer.dev/trial": "checkout-1", "gopacer.dev/track": "canary", "app.kubernetes.io/managed-by": "gopacer"},
      "ownerReferences": [{"apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeTrial", "name": "checkout-1", "uid": "t1",
                           "controller": true}]})");
  EXPECT_EQ(codec::arm_of(arm), "t1");
  for (const char* const pointer :
       {"/labels/gopacer.dev~1trial", "/labels/gopacer.dev~1track", "/ownerReferences/0/kind",
        "/ownerReferences/0/apiVersion", "/ownerReferences/0/controller", "/name"}) {
    json other = arm;
    other["metadata"][json::json_pointer(pointer)] = "other";
    const bool still = std::string(pointer) == "/labels/gopacer.dev~1trial";
    EXPECT_EQ(codec::arm_of(other), still ? "t1" : "") << pointer;
  }
}

TEST(DecodeDeployment, KnowsAnArmThatAnotherControllerHasTouched) {
  json arm = deployment();
  arm["metadata"] = json::parse(R"({"namespace": "shop", "name": "checkout-gopacer-canary", "uid": "d1",
      "labels": {"gopacer.dev/trial": "checkout-1", "gopacer.dev/track": "canary", "app.kubernetes.io/managed-by": "Helm"},
      "ownerReferences": [
        {"apiVersion": "app.k8s.io/v1beta1", "kind": "Application", "name": "shop", "uid": "a1"},
        {"apiVersion": "gopacer.dev/v1alpha1", "kind": "GoRuntimeTrial", "name": "checkout-1", "uid": "t1",
         "controller": true}]})");
  EXPECT_EQ(codec::arm_of(arm), "t1");
  arm["metadata"]["ownerReferences"][0]["controller"] = true;
  arm["metadata"]["ownerReferences"][1].erase("controller");
  EXPECT_EQ(codec::arm_of(arm), "") << "it is the other one's";
}

TEST(DecodeDeployment, TellsWhoControlsItAndWhoWroteItsChangeCause) {
  json object = deployment();
  object["spec"]["strategy"]["type"] = "Recreate";
  object["metadata"]["ownerReferences"] = json::parse(R"([{"kind": "Other", "name": "x", "uid": "1"},
                      {"kind": "Rollout", "name": "checkout", "uid": "2", "controller": true}])");
  object["metadata"]["managedFields"].push_back(json::parse(
      R"({"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:annotations": {"f:kubernetes.io/change-cause": {}}}}})"));
  const Workload got = codec::decode_deployment(object).value();
  EXPECT_TRUE(got.recreates);
  EXPECT_EQ(got.controller.kind, "Rollout");
  EXPECT_EQ(got.controller.uid, "2");
  EXPECT_THAT(got.change_cause_owners, ElementsAre("kubectl"));
}

TEST(DecodeReplicaSet, KnowsItsDeployment) {
  const json object = json::parse(R"({"metadata": {"namespace": "shop", "name": "checkout-5d", "uid": "r",
      "ownerReferences": [{"kind": "Deployment", "name": "checkout", "uid": "d", "controller": true}]}})");
  const ReplicaSet got = codec::decode_replica_set(object).value();
  EXPECT_EQ(got.uid, "r");
  EXPECT_EQ(got.controller.uid, "d");
  EXPECT_FALSE(codec::decode_replica_set(json::object()));
}

TEST(DecodeDeployment, TakesTheDefaultsOfTheApi) {
  const Workload got =
      codec::decode_deployment({{"metadata", {{"name", "x"}, {"deletionTimestamp", "2024-05-01T10:00:00Z"}}}}).value();
  EXPECT_EQ(got.replicas, 1);
  EXPECT_TRUE(got.deleting);
  EXPECT_FALSE(got.settled());
}

TEST(DecodeDeployment, SurvivesEveryMemberOfTheWrongType) {
  for (const json& wrong : {json(7), json("text"), json::array({1, "x", nullptr}), json(nullptr), json{{"a", 1}}}) {
    for (const char* pointer :
         {"/metadata/labels", "/metadata/managedFields", "/metadata/managedFields/0/fieldsV1", "/spec",
          "/spec/template", "/spec/template/spec/containers", "/spec/template/spec/containers/0/env", "/spec/replicas",
          "/spec/template/spec/containers/0/resources/limits", "/status",
          "/metadata/managedFields/0/fieldsV1/f:spec/f:template/f:spec/f:containers"}) {
      json object = deployment();
      object[json::json_pointer(pointer)] = wrong;
      const auto got = codec::decode_deployment(object);
      ASSERT_TRUE(got) << pointer;
      EXPECT_EQ(got->key.name, "checkout");
    }
  }
}

TEST(DecodeDeployment, RefusesAnObjectWithoutAName) { EXPECT_FALSE(codec::decode_deployment(json::object())); }

class TemplateHash : public testing::Test {
 protected:
  json template_ = deployment()["spec"]["template"];
  std::string before_ = codec::template_hash(template_);
  json& app() { return template_["spec"]["containers"][0]; }
};

TEST_F(TemplateHash, IsBlindToOurTwoVariables) {
  app()["env"] = json::array({{{"name", "PORT"}, {"value", "8080"}}});
  EXPECT_EQ(codec::template_hash(template_), before_);
  app()["env"].push_back({{"name", "GOMEMLIMIT"}, {"value", "430MiB"}});
  EXPECT_EQ(codec::template_hash(template_), before_);
}

TEST_F(TemplateHash, IsBlindToAnEnvListThatWouldBeEmptyWithoutThem) {
  template_["spec"]["containers"][1]["env"] = json::array({{{"name", "GOGC"}, {"value", "50"}}});
  EXPECT_EQ(codec::template_hash(template_), before_);
}

TEST_F(TemplateHash, IsBlindToARestart) {
  template_["metadata"]["annotations"] = {{"kubectl.kubernetes.io/restartedAt", "2024-05-01T10:00:00Z"}};
  EXPECT_EQ(codec::template_hash(template_), before_);
}

TEST_F(TemplateHash, SeesEverythingElse) {
  const std::vector<std::pair<const char*, json>> changes = {
      {"/spec/containers/0/image", "checkout:2"},
      {"/spec/containers/0/env/0/value", "8081"},
      {"/spec/containers/0/resources/limits/memory", "1Gi"},
      {"/spec/containers/1/name", "other"},
      {"/metadata/labels/v", "2"},
      {"/metadata/annotations", {{"x", "y"}}},
      {"/spec/nodeName", "n1"},
  };
  for (const auto& [pointer, value] : changes) {
    json changed = template_;
    changed[json::json_pointer(pointer)] = value;
    EXPECT_NE(codec::template_hash(changed), before_) << pointer;
  }
}

TEST_F(TemplateHash, IsSixteenHexadecimalDigitsThatNeverChange) {
  // Kept in the cluster: another value for the same template would lift all bans after an upgrade.
  EXPECT_EQ(codec::template_hash(json{{"spec", {{"containers", json::array()}}}}), "f00de3f067f25bf7");
}

}  // namespace
}  // namespace gopacer
