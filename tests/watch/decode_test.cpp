#include "watch/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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
  const Deployment got = decode_deployment(deployment()).value();
  EXPECT_EQ(got.key.text(), "shop/checkout");
  EXPECT_EQ(got.uid, "u1");
  EXPECT_EQ(got.resource_version, "7");
  EXPECT_EQ(got.generation, 3);
  EXPECT_EQ(got.replicas, 4);
  EXPECT_TRUE(got.paused);
  EXPECT_FALSE(got.deleting);
  EXPECT_TRUE(got.settled());
  EXPECT_THAT(got.match_labels, ElementsAre(Pair("app", "checkout")));
  EXPECT_THAT(got.template_labels, ElementsAre(Pair("app", "checkout"), Pair("v", "1")));
  EXPECT_EQ(got.change_cause, "gopacer: GOGC=180");
}

TEST(DecodeDeployment, KeepsOnlyOurVariablesInOrderWithDuplicates) {
  const Deployment got = decode_deployment(deployment()).value();
  ASSERT_EQ(got.containers.size(), 2);
  const ContainerSpec& app = got.containers[0];
  ASSERT_EQ(app.env.size(), 3);
  EXPECT_EQ(app.env[0].value, "180");
  EXPECT_EQ(app.env[1].name, "GOMEMLIMIT");
  EXPECT_TRUE(app.env[1].from_source);
  EXPECT_EQ(app.env[2].value, "50");
  EXPECT_EQ(app.memory_limit, mib(512));
  EXPECT_EQ(app.memory_request, mib(256));
  EXPECT_EQ(app.cpu_limit, 0.5);
  EXPECT_EQ(got.containers[1].memory_limit, std::nullopt);
}

TEST(DecodeDeployment, NamesTheOwnersOfOurVariables) {
  const Deployment got = decode_deployment(deployment()).value();
  std::vector<std::string> owners;
  for (const EnvOwner& owner : got.env_owners) {
    owners.push_back(owner.container + "." + owner.variable + " " + owner.manager);
  }
  EXPECT_THAT(owners, ElementsAre("app.GOGC gopacer", "side.GOMEMLIMIT kubectl-set"));
}

TEST(DecodeDeployment, TakesTheDefaultsOfTheApi) {
  const Deployment got =
      decode_deployment({{"metadata", {{"name", "x"}, {"deletionTimestamp", "2024-05-01T10:00:00Z"}}}}).value();
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
      const auto got = decode_deployment(object);
      ASSERT_TRUE(got) << pointer;
      EXPECT_EQ(got->key.name, "checkout");
    }
  }
}

TEST(DecodeDeployment, RefusesAnObjectWithoutAName) { EXPECT_FALSE(decode_deployment(json::object())); }

class TemplateHash : public testing::Test {
 protected:
  json template_ = deployment()["spec"]["template"];
  std::string before_ = template_hash(template_);
  json& app() { return template_["spec"]["containers"][0]; }
};

TEST_F(TemplateHash, IsBlindToOurTwoVariables) {
  app()["env"] = json::array({{{"name", "PORT"}, {"value", "8080"}}});
  EXPECT_EQ(template_hash(template_), before_);
  app()["env"].push_back({{"name", "GOMEMLIMIT"}, {"value", "430MiB"}});
  EXPECT_EQ(template_hash(template_), before_);
}

TEST_F(TemplateHash, IsBlindToAnEnvListThatWouldBeEmptyWithoutThem) {
  template_["spec"]["containers"][1]["env"] = json::array({{{"name", "GOGC"}, {"value", "50"}}});
  EXPECT_EQ(template_hash(template_), before_);
}

TEST_F(TemplateHash, IsBlindToARestart) {
  template_["metadata"]["annotations"] = {{"kubectl.kubernetes.io/restartedAt", "2024-05-01T10:00:00Z"}};
  EXPECT_EQ(template_hash(template_), before_);
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
    EXPECT_NE(template_hash(changed), before_) << pointer;
  }
}

TEST_F(TemplateHash, IsSixteenHexadecimalDigitsThatNeverChange) {
  // Kept in the cluster: another value for the same template would lift all bans after an upgrade.
  EXPECT_EQ(template_hash(json{{"spec", {{"containers", json::array()}}}}), "f00de3f067f25bf7");
}

TEST(DecodePod, ReadsStateAndLimits) {
  const json object = json::parse(R"({
    "metadata": {"namespace": "shop", "name": "checkout-1", "uid": "p1", "creationTimestamp": "2024-05-01T09:59:00Z",
                 "labels": {"app": "checkout"}},
    "spec": {"nodeName": "node1", "containers": [{"name": "app", "env": [{"name": "GOGC", "value": "80"}],
             "resources": {"limits": {"memory": "512Mi"}}}]},
    "status": {"podIP": "10.0.0.5", "phase": "Running", "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
      "containerStatuses": [{"name": "app", "ready": true, "restartCount": 2, "state": {"running": {"startedAt": "2024-05-01T10:00:00Z"}},
        "lastState": {"terminated": {"reason": "OOMKilled"}}, "resources": {"limits": {"memory": "768Mi", "cpu": "2"}}}]}})");
  const Pod pod = decode_pod(object).value();
  EXPECT_EQ(pod.created, parse_time("2024-05-01T09:59:00Z").value());
  EXPECT_EQ(pod.ip, "10.0.0.5");
  EXPECT_EQ(pod.node, "node1");
  EXPECT_TRUE(pod.ready);
  ASSERT_EQ(pod.states.size(), 1);
  EXPECT_EQ(pod.states[0].restarts, 2);
  EXPECT_EQ(pod.states[0].last_termination_reason, "OOMKilled");
  EXPECT_EQ(pod.states[0].started, parse_time("2024-05-01T10:00:00Z").value());
  EXPECT_EQ(pod.containers[0].memory_limit, mib(768)) << "a resize in place that is in force counts";
  EXPECT_EQ(pod.containers[0].cpu_limit, 2);
  EXPECT_EQ(pod.containers[0].env[0].value, "80");
}

TEST(DecodePod, AContainerThatEndedJustNowSaysWhy) {
  const json object = json::parse(R"({"metadata": {"name": "x"}, "status": {"containerStatuses": [
    {"name": "app", "state": {"terminated": {"reason": "OOMKilled"}}, "lastState": {"terminated": {"reason": "Error"}}}]}})");
  const Pod pod = decode_pod(object).value();
  EXPECT_EQ(pod.states[0].last_termination_reason, "OOMKilled");
  EXPECT_EQ(pod.states[0].started, std::nullopt);
  EXPECT_FALSE(pod.ready);
}

TEST(DecodeAutoscaler, SeesMemoryMetricsOfPodsAndContainers) {
  const auto with = [](const char* metric) {
    json object = json::parse(
        R"({"metadata": {"namespace": "shop", "name": "h"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "checkout"}}})");
    object["spec"]["metrics"] = json::array({json::parse(metric)});
    return decode_autoscaler(object).value();
  };
  EXPECT_TRUE(with(R"({"type": "Resource", "resource": {"name": "memory"}})").goes_by_memory_of("app"));
  const Autoscaler of_one =
      with(R"({"type": "ContainerResource", "containerResource": {"name": "memory", "container": "app"}})");
  EXPECT_TRUE(of_one.goes_by_memory_of("app"));
  EXPECT_FALSE(of_one.goes_by_memory_of("sidecar"));
  EXPECT_FALSE(with(R"({"type": "Resource", "resource": {"name": "cpu"}})").goes_by_memory_of("app"));
  EXPECT_EQ(with("{}").target_name, "checkout");
}

TEST(DecodeVerticalAutoscaler, SeesWhoseMemoryItSets) {
  const auto with = [](const char* mode, const char* policies) {
    json object = json::parse(
        R"({"metadata": {"namespace": "shop", "name": "v"}, "spec": {"targetRef": {"kind": "Deployment", "name": "checkout"}}})");
    if (*mode != '\0') object["spec"]["updatePolicy"] = {{"updateMode", mode}};
    object["spec"]["resourcePolicy"] = {{"containerPolicies", json::parse(policies)}};
    return decode_vertical_autoscaler(object).value();
  };
  const Autoscaler plain = with("", "[]");
  EXPECT_TRUE(plain.vertical);
  EXPECT_EQ(plain.target_name, "checkout");
  EXPECT_TRUE(plain.goes_by_memory_of("app")) << "it acts unless it is told not to";
  EXPECT_FALSE(with("Off", "[]").goes_by_memory_of("app"));
  EXPECT_FALSE(
      with("Recreate", R"([{"containerName": "*", "controlledResources": ["cpu"]}])").goes_by_memory_of("app"));
  const Autoscaler spared = with("Initial", R"([{"containerName": "app", "mode": "Off"}])");
  EXPECT_FALSE(spared.goes_by_memory_of("app"));
  EXPECT_TRUE(spared.goes_by_memory_of("sidecar"));
  const Autoscaler only_app =
      with("Auto",
           R"([{"containerName": "*", "mode": "Off"}, {"containerName": "app", "controlledResources": ["memory"]}])");
  EXPECT_TRUE(only_app.goes_by_memory_of("app"));
  EXPECT_FALSE(only_app.goes_by_memory_of("sidecar"));
}

json profile() {
  return json::parse(R"({
    "metadata": {"namespace": "shop", "name": "checkout", "uid": "g1", "resourceVersion": "9", "generation": 2,
                 "creationTimestamp": "2024-05-01T10:00:00Z", "finalizers": ["gopacer.dev/revert"]},
    "spec": {
      "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}, "containerName": "app",
      "updatePolicy": {"updateMode": "Canary", "suspend": true, "revertOnDeletion": true},
      "objective": {"type": "Latency", "strategy": "Fixed", "settings": {"gogc": 180, "goMemLimit": "430MiB"}},
      "bounds": {"minAllowed": {"gogc": 60, "goMemLimit": "100MiB"}, "maxAllowed": {"gogc": 300, "goMemLimitPercent": 80}},
      "runtimeMetrics": {"port": 6061, "path": "/pprof", "interval": "5s"},
      "slos": [{"name": "p99", "podHistogram": {"port": 9090, "path": "/m", "metric": "h", "quantile": "0.95", "labels": {"method": "GET"}},
                "max": "300ms", "maxRegressionPercent": 7}],
      "canary": {"replicas": 2, "warmUp": "30s", "interval": "10s", "maxDuration": "5m", "minSamples": 100},
      "rollback": {"watchFor": "1m", "coolDown": "2m"},
      "history": {"successfulTrialsLimit": 1, "unsuccessfulTrialsLimit": 2}},
    "status": {"trialCount": 3, "activeTrial": "checkout-3", "applied": {"gogc": "180"}, "coolDownUntil": "2024-05-01T11:00:00Z",
      "bannedRegions": [{"gogc": "10", "templateHash": "abc", "reason": "SloBreach", "at": "2024-05-01T10:30:00Z"}], "missedPredictions": 1,
      "conditions": [{"type": "Ready", "status": "True", "reason": "AsExpected", "message": "all is well", "lastTransitionTime": "2024-05-01T10:00:00Z"}]}})");
}

TEST(DecodeProfile, ReadsTheWholeSpec) {
  const Profile got = decode_profile(profile()).value();
  const ProfileSpec& spec = got.spec;
  EXPECT_EQ(got.generation, 2);
  EXPECT_THAT(got.finalizers, ElementsAre("gopacer.dev/revert"));
  EXPECT_EQ(spec.target, "checkout");
  EXPECT_EQ(spec.container, "app");
  EXPECT_EQ(spec.update_mode, UpdateMode::kCanary);
  EXPECT_TRUE(spec.suspend && spec.revert_on_deletion);
  EXPECT_EQ(spec.objective, Objective::kLatency);
  EXPECT_EQ(spec.strategy, Strategy::kFixed);
  EXPECT_EQ(spec.fixed, (Settings{Gogc(180), mib(430)}));
  EXPECT_EQ(spec.bounds.min_gogc, 60);
  EXPECT_EQ(spec.bounds.max_gogc, 300);
  EXPECT_EQ(spec.bounds.min_go_mem_limit, mib(100));
  EXPECT_EQ(spec.bounds.max_go_mem_limit_percent, 80);
  EXPECT_EQ(spec.metrics.port, 6061);
  EXPECT_EQ(spec.metrics.path, "/pprof");
  EXPECT_EQ(spec.metrics.interval, std::chrono::seconds(5));
  ASSERT_EQ(spec.slos.size(), 1);
  EXPECT_EQ(spec.slos[0].histogram.quantile, 0.95);
  EXPECT_THAT(spec.slos[0].histogram.labels, ElementsAre(Pair("method", "GET")));
  EXPECT_EQ(spec.slos[0].max, std::chrono::milliseconds(300));
  EXPECT_EQ(spec.slos[0].max_regression_percent, 7);
  EXPECT_EQ(spec.canary.replicas, 2);
  EXPECT_EQ(spec.canary.warm_up, std::chrono::seconds(30));
  EXPECT_EQ(spec.canary.max_duration, std::chrono::minutes(5));
  EXPECT_EQ(spec.canary.min_samples, 100);
  EXPECT_EQ(spec.rollback.watch_for, std::chrono::minutes(1));
  EXPECT_EQ(spec.history.unsuccessful, 2);
}

TEST(DecodeProfile, ReadsItsMemory) {
  const Profile got = decode_profile(profile()).value();
  EXPECT_EQ(got.memory.trial_count, 3);
  EXPECT_EQ(got.memory.active_trial, "checkout-3");
  EXPECT_EQ(got.memory.applied, (Settings{Gogc(180), std::nullopt}));
  EXPECT_EQ(got.memory.cool_down_until, parse_time("2024-05-01T11:00:00Z").value());
  ASSERT_EQ(got.memory.banned.size(), 1);
  EXPECT_EQ(got.memory.banned[0].settings, (Settings{Gogc(10), std::nullopt}));
  EXPECT_EQ(got.memory.banned[0].template_hash, "abc");
  EXPECT_EQ(got.memory.missed_predictions, 1);
  ASSERT_EQ(got.conditions.size(), 1);
  EXPECT_TRUE(got.conditions[0].status);
}

TEST(DecodeProfile, AppliedWithoutMembersIsGosDefaultsAndNotNothing) {
  json object = profile();
  object["status"]["applied"] = json::object();
  EXPECT_EQ(decode_profile(object)->memory.applied, Settings{});
  object["status"].erase("applied");
  EXPECT_EQ(decode_profile(object)->memory.applied, std::nullopt);
}

TEST(DecodeProfile, TakesTheDefaultsOfTheCrd) {
  const json object = {{"metadata", {{"name", "x"}}},
                       {"spec", {{"targetRef", {{"kind", "Deployment"}, {"name", "d"}}}}}};
  const ProfileSpec spec = decode_profile(object)->spec;
  EXPECT_EQ(spec.update_mode, UpdateMode::kOff);
  EXPECT_EQ(spec.strategy, Strategy::kModel);
  EXPECT_EQ(spec.bounds.min_gogc, 50);
  EXPECT_EQ(spec.canary.warm_up, std::chrono::minutes(2));
  EXPECT_EQ(spec.rollback.cool_down, std::chrono::hours(6));
  EXPECT_EQ(spec.metrics.path, "/debug/pprof");
}

TEST(DecodeProfile, SaysAllThatIsWrongInOneMessage) {
  json object = profile();
  object["spec"]["objective"]["strategy"] = "Voodoo";
  object["spec"]["canary"]["warmUp"] = "soon";
  object["spec"]["objective"]["settings"]["goMemLimit"] = "440Mi";
  const auto got = decode_profile(object);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kTerminal);
  EXPECT_THAT(got.error().message, HasSubstr("GoRuntimeProfile shop/checkout"));
  EXPECT_THAT(got.error().message, HasSubstr("spec.objective.strategy 'Voodoo'"));
  EXPECT_THAT(got.error().message, HasSubstr("use one of Model, Fixed"));
  EXPECT_THAT(got.error().message, HasSubstr("spec.canary.warmUp"));
  EXPECT_THAT(got.error().message, HasSubstr("440MiB"));
}

TEST(DecodeProfile, ReadsABadOneThatIsBeingDeletedSoThatItCanBeCleanedUpAfter) {
  json object = profile();
  object["spec"]["objective"]["strategy"] = "Voodoo";
  object["metadata"]["deletionTimestamp"] = "2024-05-01T12:00:00Z";
  EXPECT_TRUE(decode_profile(object)->deleting);
}

TEST(DecodeProfile, HugeNumbersAreCutInsteadOfWrapped) {
  json object = profile();
  object["spec"]["canary"]["minSamples"] = std::int64_t{1} << 40U;
  EXPECT_EQ(decode_profile(object)->spec.canary.min_samples, INT32_MAX);
}

}  // namespace
}  // namespace gopacer
