// What else acts on the same Deployments: autoscalers, progressive delivery, GitOps tools, admission. The controllers
// are the real ones, run beside the test for its namespace alone.
#include <gmock/gmock.h>

#include <filesystem>
#include <iostream>
#include <memory>

#include "cluster/beside.h"
#include "cluster/trial_test.h"
#include "source_dir.h"

namespace gopacer::cluster {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Neighbours : public TrialTest {
 protected:
  void SetUp() override {
    if (!cluster().is_local()) GTEST_SKIP() << "the controllers beside this test want the local cluster";
    TrialTest::SetUp();
    beside_ = std::make_unique<Beside>();
  }
  void TearDown() override {
    if (beside_ == nullptr) return;
    // First who would put things back.
    beside_->stop();
    if (HasFailure()) std::cout << beside_->said() << std::endl;
    for (const std::string& name : webhooks_) {
      cluster().try_kubectl({"delete", "mutatingwebhookconfiguration", name});
    }
    TrialTest::TearDown();
  }

  void run_beside(const std::string& program, const std::vector<std::string>& arguments) {
    beside_->run(cluster().neighbours() + "/" + program, arguments);
  }
  std::string kubeconfig() { return "--kubeconfig=" + cluster().kubeconfig(); }
  std::string certificate() { return beside_->certificate(); }

  /// From now on admission changes what is made of this kind in the test's namespace by a JSON patch.
  void change_new(const std::string& name, const std::string& group, const std::string& resource, const json& patch,
                  const json& labels = json::object()) {
    const std::string port = std::to_string(free_port());
    beside_->run(in_source("tests/cluster/webhook.py"), {port, certificate(), beside_->key()});
    const std::string address = "https://" + std::string(kHere) + ":" + port;
    eventually("the webhook answers", [&] { return run({"curl", "-sk", "-m", "2", address}).exit_code == 0; });
    std::string path = must_run({"base64", "-w0"}, patch.dump());
    for (char& letter : path) letter = letter == '+' ? '-' : letter == '/' ? '_' : letter;
    const std::string bundle = must_run({"base64", "-w0", certificate()});
    const std::string known_as = ns() + "-" + name;
    webhooks_.push_back(known_as);
    apply({{"apiVersion", "admissionregistration.k8s.io/v1"},
           {"kind", "MutatingWebhookConfiguration"},
           {"metadata", {{"name", known_as}}},
           {"webhooks", json::array({{{"name", name + ".test.gopacer.dev"},
                                      {"admissionReviewVersions", json::array({"v1"})},
                                      {"sideEffects", "None"},
                                      {"failurePolicy", "Fail"},
                                      {"timeoutSeconds", 5},
                                      {"namespaceSelector", {{"matchLabels", {{"kubernetes.io/metadata.name", ns()}}}}},
                                      {"objectSelector", labels},
                                      {"clientConfig", {{"url", address + "/" + path}, {"caBundle", bundle}}},
                                      {"rules", json::array({{{"apiGroups", json::array({group})},
                                                              {"apiVersions", json::array({"v1"})},
                                                              {"operations", json::array({"CREATE", "UPDATE"})},
                                                              {"resources", json::array({resource})}}})}}})}});
    if (group.empty()) {
      eventually("the webhook is asked", [&] {
        const json probe{{"apiVersion", "v1"},
                         {"kind", "Pod"},
                         {"metadata", {{"name", "probe"}, {"labels", labels.value("matchLabels", json::object())}}},
                         {"spec", {{"containers", json::array({{{"name", "app"}, {"image", "x"}}})}}}};
        const json made = json::parse(kubectl({"create", "--dry-run=server", "-o", "json", "-f", "-"}, probe.dump()));
        return made["spec"].contains("initContainers") || made["spec"].contains("schedulingGates") ||
               made["spec"]["containers"][0].contains("env");
      });
    }
  }

  void eventually_told(const std::string& type, const std::string& reason, const std::string& name = "checkout") {
    eventually("profile " + name + " has " + type + " by " + reason,
               [&] { return text(condition(profile(name), type), "/reason") == reason; });
  }
  std::string told(const std::string& type, const std::string& name = "checkout") {
    return text(condition(profile(name), type), "/message");
  }
  void eventually_recommended(const std::string& name = "checkout") {
    eventually("profile " + name + " has a recommendation",
               [&] { return text(condition(profile(name), "RecommendationProvided"), "/status") == "True"; });
  }
  void eventually_measures(const std::string& trial) {
    eventually_trial(trial, "measures", [](const json& seen) { return text(seen, "/status/phase") == "Measuring"; });
  }
  std::string memory_limit_of_target() {
    for (const json& pod : list("pods", "app=checkout,!gopacer.dev/track")) {
      if (pod["metadata"].contains("deletionTimestamp")) continue;
      return text(pod, "/spec/containers/0/resources/limits/memory");
    }
    return "";
  }
  std::string memory_request_of_target() {
    for (const json& pod : list("pods", "app=checkout,!gopacer.dev/track")) {
      if (pod["metadata"].contains("deletionTimestamp")) continue;
      return text(pod, "/spec/containers/0/resources/requests/memory");
    }
    return "";
  }

 protected:
  std::unique_ptr<Beside> beside_;
  std::vector<std::string> webhooks_;
};

/// Those that take minutes all together, or want tests/cluster/build.sh neighbours.
class LongNeighbours : public Neighbours {
 protected:
  void SetUp() override {
    if (!Cluster::is_long_run()) GTEST_SKIP() << "set GOPACER_LONG=1";
    Neighbours::SetUp();
  }
};

TEST_F(LongNeighbours, LeavesTheMemoryToAVerticalPodAutoscalerThatMovesItsLimit) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  const std::string port = std::to_string(free_port());
  const std::string namespace_only = "--vpa-object-namespace=" + ns();
  const auto own_port = [] { return "--address=127.0.0.1:" + std::to_string(free_port()); };
  run_beside("vpa-recommender", {kubeconfig(), namespace_only, "--recommender-interval=2s", own_port()});
  run_beside("vpa-updater", {kubeconfig(), namespace_only, "--updater-interval=3s", "--min-replicas=1",
                             "--use-admission-controller-status=false", own_port()});
  run_beside("vpa-admission-controller",
             {kubeconfig(), namespace_only, "--port=" + port, "--client-ca-file=" + certificate(),
              "--tls-cert-file=" + certificate(), "--tls-private-key=" + beside_->key(), "--register-by-url",
              "--webhook-address=https://" + std::string(kHere), "--webhook-port=" + port, own_port()});
  const auto autoscale = [&](const std::string& mode, const std::string& values, const std::string& memory) {
    apply({{"apiVersion", "autoscaling.k8s.io/v1"},
           {"kind", "VerticalPodAutoscaler"},
           {"metadata", {{"name", "tall"}}},
           {"spec",
            {{"targetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "checkout"}}},
             {"updatePolicy", {{"updateMode", mode}}},
             {"resourcePolicy",
              {{"containerPolicies", json::array({{{"containerName", "app"},
                                                   {"controlledResources", json::array({"memory"})},
                                                   {"controlledValues", values},
                                                   {"minAllowed", {{"memory", memory}}},
                                                   {"maxAllowed", {{"memory", memory}}}}})}}}}}});
  };
  autoscale("Auto", "RequestsAndLimits", "300Mi");
  tune("checkout", endless_trial());
  eventually_told("ConfigUnsupported", "MemoryAutoscaler");
  EXPECT_THAT(told("ConfigUnsupported"), AllOf(HasSubstr("VerticalPodAutoscaler " + ns() + "/tall sets the memory of"),
                                               HasSubstr("RequestsOnly")));
  EXPECT_EQ(text(profile(), "/status/phase"), "Blocked");
  eventually("it has moved the limit of the pod", [&] { return memory_limit_of_target() == "300Mi"; });
  EXPECT_TRUE(list("grt").empty());

  autoscale("Auto", "RequestsOnly", "200Mi");
  eventually("it moves the request only",
             [&] { return memory_request_of_target() == "200Mi" && memory_limit_of_target() == "256Mi"; });
  eventually_measures("checkout-1");
  EXPECT_EQ(text(condition(profile(), "ConfigUnsupported"), "/status"), "False");
  for (const json& pod : list("pods", "app=checkout,gopacer.dev/track")) {
    EXPECT_EQ(text(pod, "/spec/containers/0/resources/requests/memory"), "256Mi") << "the arms are nobody's";
  }

  autoscale("Auto", "RequestsAndLimits", "300Mi");
  EXPECT_EQ(text(trial_ended("checkout-1"), "/status/reason"), "MemoryAutoscaler");
  autoscale("Off", "RequestsAndLimits", "300Mi");
  eventually("its recommendations alone are no obstacle",
             [&] { return text(condition(profile(), "ConfigUnsupported"), "/status") == "False"; });
}

TEST_F(LongNeighbours, OnlyRecommendsWhereArgoRolloutsRollsTheTargetOut) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  run_beside("rollouts-controller",
             {kubeconfig(), "--namespaced", "--namespace=" + ns(), "--leader-elect=false",
              "--metricsPort=" + std::to_string(free_port()), "--healthzPort=" + std::to_string(free_port())});
  start_endless_trial(checkout);
  const std::string generation_before = generation("checkout");
  const auto roll_out = [&](const std::string& scale_down) {
    apply({{"apiVersion", "argoproj.io/v1alpha1"},
           {"kind", "Rollout"},
           {"metadata", {{"name", "front"}}},
           {"spec",
            {{"replicas", 1},
             {"selector", {{"matchLabels", {{"app", "checkout"}}}}},
             {"workloadRef",
              {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "checkout"}, {"scaleDown", scale_down}}},
             {"strategy", {{"canary", {{"steps", json::array({{{"setWeight", 50}}})}}}}}}}});
  };
  roll_out("never");
  const json ended = trial_ended("checkout-1");
  EXPECT_EQ(text(ended, "/status/verdict"), "Superseded");
  EXPECT_EQ(text(ended, "/status/reason"), "TargetSteered");
  expect_no_leftovers();
  eventually("the Rollout's own pods are there",
             [&] { return text(get("rollout.argoproj.io", "front"), "/status/phase") == "Healthy"; });
  eventually_told("ConfigUnsupported", "TargetSteered");
  EXPECT_THAT(told("ConfigUnsupported"), HasSubstr("is steered by Rollout " + ns() + "/front of Argo Rollouts"));
  eventually_recommended();
  EXPECT_EQ(generation("checkout"), generation_before) << "the target was never touched";

  roll_out("onsuccess");
  eventually("Argo Rollouts has scaled the Deployment down",
             [&] { return text(deployment(), "/spec/replicas") == "0"; });
  eventually_told("ConfigUnsupported", "TargetSteered");
  EXPECT_EQ(list("grt").size(), 1U);

  kubectl({"delete", "rollout.argoproj.io", "front"});
  kubectl({"scale", "deployment/checkout", "--replicas=1"});
  eventually("it is tuned again", [&] { return !trial("checkout-2").is_null(); });
}

TEST_F(LongNeighbours, OnlyRecommendsWhereFlaggerRollsTheTargetOut) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  run_beside("flagger", {kubeconfig(), "--namespace=" + ns()});
  apply({{"apiVersion", "flagger.app/v1beta1"},
         {"kind", "Canary"},
         {"metadata", {{"name", "front"}}},
         {"spec",
          {{"provider", "kubernetes"},
           {"targetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "checkout"}}},
           {"service", {{"port", 80}, {"targetPort", 8080}}},
           {"analysis", {{"interval", "2s"}, {"threshold", 2}, {"iterations", 1}}}}}});
  tune("checkout", endless_trial());
  eventually_told("ConfigUnsupported", "TargetSteered");
  EXPECT_THAT(told("ConfigUnsupported"), HasSubstr("is steered by Canary " + ns() + "/front of Flagger"));
  eventually("Flagger has made its copy and scaled the Deployment down", [&] {
    return text(get("canary.flagger.app", "front"), "/status/phase") == "Initialized" &&
           text(deployment(), "/spec/replicas") == "0";
  });
  tune("checkout-primary", endless_trial());
  eventually_told("ConfigUnsupported", "TargetOwned", "checkout-primary");
  EXPECT_THAT(told("ConfigUnsupported", "checkout-primary"), HasSubstr("is controlled by Canary 'front'"));
  eventually_recommended("checkout-primary");
  EXPECT_TRUE(list("grt").empty());
  EXPECT_EQ(env_of(deployment("checkout-primary"), "GOGC"), "");
}

TEST_F(LongNeighbours, WaitsWhileAHorizontalAutoscalerMovesReplicasAndGoesOn) {
  Workload checkout;
  json document = checkout.document();
  document["spec"]["minReadySeconds"] = 60;  // the profile sees it before then, on a busy machine as well
  apply(document);
  deploy_service(checkout);
  send_load(checkout, 150);
  const auto autoscale = [&](int most) {
    apply({{"apiVersion", "autoscaling/v2"},
           {"kind", "HorizontalPodAutoscaler"},
           {"metadata", {{"name", "wide"}}},
           {"spec",
            {{"scaleTargetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "checkout"}}},
             {"minReplicas", 1},
             {"maxReplicas", most},
             {"metrics", json::array({{{"type", "Resource"},
                                       {"resource",
                                        {{"name", "cpu"},
                                         {"target", {{"type", "Utilization"}, {"averageUtilization", 10}}}}}}})}}}});
  };
  autoscale(2);
  eventually("it adds a replica for the CPU", [&] { return text(deployment(), "/spec/replicas") == "2"; });
  tune("checkout", endless_trial());
  eventually("the profile waits, and says since when", [&] {
    return testing::Value(told("Ready"),
                          testing::ContainsRegex("Waiting for the rollout or the scaling of .* to finish, "
                                                 "since 20.*Z: of 2 replicas 2 run its present template"));
  });
  EXPECT_TRUE(list("grt").empty());
  eventually_measures("checkout-1");
  autoscale(3);
  eventually("it adds another one", [&] { return text(deployment(), "/spec/replicas") == "3"; });
  const double windows = number(trial("checkout-1"), "/status/windows");
  eventually_trial("checkout-1", "goes on with the arms that it has",
                   [&](const json& seen) { return number(seen, "/status/windows") >= windows + 5; });
  EXPECT_EQ(list("pods", "app=checkout,gopacer.dev/track").size(), 2U);
}

TEST_F(LongNeighbours, BearsAMissingPodAsTheTargetItselfDoes) {
  Workload checkout;
  checkout.replicas = 4;
  checkout.memory_limit = "96Mi";
  checkout.arguments = {"--live-heap=8MiB", "--drain=0s"};
  deploy(checkout);
  send_load(checkout, 40);
  json spec = endless_trial();
  spec["objective"] = fixed(150, "80MiB");
  // One that finds no node: its kind is Pending, whatever the reason.
  const json gate = json::parse(
      R"([{"op": "add", "path": "/spec/schedulingGates", "value": [{"name": "test.gopacer.dev/no-room"}]}])");
  const json of_target = json::parse(
      R"({"matchLabels": {"app": "checkout"}, "matchExpressions": [{"key": "gopacer.dev/track", "operator": "DoesNotExist"}]})");
  change_new("gate", "", "pods", gate, of_target);
  const std::string victim = text(list("pods", "app=checkout")[0], "/metadata/name");
  kubectl({"delete", "pod", victim, "--wait=false"});
  eventually("one of four pods is missing", [&] {
    const json now = deployment();
    return number(now, "/status/availableReplicas") == 3 && number(now, "/status/replicas") == 4;
  });
  tune("checkout", spec);
  eventually_measures("checkout-1");
  EXPECT_EQ(text(deployment(), "/status/availableReplicas"), "3");
}

TEST_F(Neighbours, TellsHowLargeAQuotaHasToBe) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  apply(json::parse(R"({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"},
                        "spec": {"hard": {"limits.memory": "600Mi"}}})"));
  apply(json::parse(R"({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "usual"},
                        "spec": {"limits": [{"type": "Container", "default": {"memory": "64Mi"}}]}})"));
  tune("checkout", endless_trial());
  const json ended = trial_ended("checkout-1");
  EXPECT_EQ(text(ended, "/status/reason"), "Refused");
  EXPECT_THAT(text(ended, "/status/message"),
              AllOf(HasSubstr("exceeded quota: small"), HasSubstr("ResourceQuota small has to allow limits.memory=")));
  std::cout << text(ended, "/status/message") << std::endl;
  const std::string words = text(ended, "/status/message");
  const std::size_t from = words.find("limits.memory=", words.find("has to allow")) + 14;
  const std::string needed = words.substr(from, words.find_first_of(" ,", from) - from);
  kubectl({"patch", "resourcequota", "small", "--type=merge", "-p",
           json{{"spec", {{"hard", {{"limits.memory", needed}}}}}}.dump()});
  eventually_measures("checkout-2");
}

TEST_F(LongNeighbours, TakesTheLimitOfALimitRangeForTheContainers) {
  apply(json::parse(R"({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "usual"},
                        "spec": {"limits": [{"type": "Container", "default": {"memory": "192Mi"}}]}})"));
  Workload checkout;
  json document = checkout.document();
  document["spec"]["template"]["spec"]["containers"][0].erase("resources");
  apply(document);
  deploy_service(checkout);
  send_load(checkout, 40);
  tune("checkout", {{"updatePolicy", {{"updateMode", "Off"}}}});
  eventually_recommended();
  EXPECT_EQ(text(profile(), "/status/observed/memoryLimit"), "192.0MiB");
}

TEST_F(LongNeighbours, BeginsAnewWithATargetThatWasMadeAnew) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  start_endless_trial(checkout);
  kubectl({"delete", "deployment", "checkout", "--cascade=foreground"});
  apply(checkout.document());
  const json ended = trial_ended("checkout-1");
  EXPECT_EQ(text(ended, "/status/verdict"), "Aborted");
  EXPECT_EQ(text(ended, "/status/reason"), "TargetGone");
  eventually("no pod of its trial is left", [&] { return list("pods", "gopacer.dev/trial=checkout-1").empty(); });
  eventually_measures("checkout-2");
  EXPECT_NE(text(trial("checkout-2"), "/spec/targetRef/uid"), text(ended, "/spec/targetRef/uid"));
}

TEST_F(LongNeighbours, BearsInjectedSidecars) {
  const json patch = json::parse(R"([{"op": "add", "path": "/spec/initContainers", "value": [
      {"name": "native", "image": "localhost/hostile:dev", "imagePullPolicy": "IfNotPresent", "args": ["--listen=:16061"],
       "restartPolicy": "Always"}]},
      {"op": "add", "path": "/spec/containers/-", "value":
      {"name": "proxy", "image": "localhost/hostile:dev", "imagePullPolicy": "IfNotPresent", "args": ["--listen=:16062"]}}])");
  const Workload checkout;
  change_new("inject", "", "pods", patch, {{"matchLabels", {{"app", "checkout"}}}});
  deploy(checkout);
  send_load(checkout, 40);
  start_endless_trial(checkout);
  eventually_measures("checkout-1");
  for (const json& pod : list("pods", "app=checkout")) {
    EXPECT_EQ(text(pod, "/spec/initContainers/0/restartPolicy"), "Always");
  }
}

TEST_F(Neighbours, SeesThatAdmissionChangesTheVariables) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  const json env =
      json::parse(R"([{"op": "add", "path": "/spec/containers/0/env", "value": [{"name": "GOGC", "value": "77"}]}])");
  change_new("env", "", "pods", env, {{"matchLabels", {{"app", "checkout"}}}});
  tune("checkout", endless_trial());
  const json ended = trial_ended("checkout-1");
  EXPECT_EQ(text(ended, "/status/verdict"), "Inconclusive");
  EXPECT_EQ(text(ended, "/status/reason"), "EnvOverridden");
  EXPECT_THAT(text(ended, "/status/message"), HasSubstr(" has GOGC=77 and Deployment "));
  expect_no_leftovers();
  kubectl({"rollout", "restart", "deployment/checkout"});
  eventually_told("ConfigUnsupported", "EnvOverridden");
  EXPECT_THAT(told("ConfigUnsupported"), HasSubstr("neither GOGC nor GOMEMLIMIT: an admission webhook"));
}

TEST_F(Neighbours, SeesThatAdmissionWouldDropWhatItPuts) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  const json empty = json::parse(R"([{"op": "add", "path": "/spec/template/spec/containers/0/env", "value": []}])");
  change_new("drop", "apps", "deployments", empty, {{"matchLabels", {{"app", "checkout"}}}});
  tune("checkout", endless_trial());
  eventually_told("Ready", "Refused");
  EXPECT_THAT(told("Ready"), AllOf(HasSubstr("asked for GOGC=150 GOMEMLIMIT=200MiB in Deployment"),
                                   HasSubstr("an admission webhook or policy changes GOGC or GOMEMLIMIT")));
  EXPECT_TRUE(list("grt").empty());
}

TEST_F(LongNeighbours, NamesWhoOwnsAVariableAndHowToTakeItOutOfWhatTheyRender) {
  Workload checkout;
  checkout.env = {{"GOGC", "90"}};
  const json document = checkout.document();
  for (const std::string manager : {"argocd-controller", "helm-controller", "kustomize-controller"}) {
    kubectl({"apply", "--server-side", "--force-conflicts", "--field-manager=" + manager, "-f", "-"}, document.dump());
  }
  // Each of them owns it, and is told of in this order.
  const auto let_go = [&](const std::string& manager) {
    json without = document;
    without["spec"]["template"]["spec"]["containers"][0].erase("env");
    kubectl({"apply", "--server-side", "--force-conflicts", "--field-manager=" + manager, "-f", "-"}, without.dump());
  };
  deploy_service(checkout);
  send_load(checkout, 40);
  tune("checkout", endless_trial());
  const auto names = [&](const std::string& manager) {
    eventually("the conflict names " + manager,
               [&] { return told("FieldConflict").find("'" + manager + "'") != std::string::npos; });
    return told("FieldConflict");
  };
  EXPECT_THAT(names("argocd-controller"), HasSubstr("add to the Argo CD Application: spec: {source: {kustomize: "));
  let_go("argocd-controller");
  EXPECT_THAT(names("helm-controller"), HasSubstr("add to the Flux HelmRelease: spec: {postRenderers: "));
  let_go("helm-controller");
  const std::string words = names("kustomize-controller");
  const std::string mark = "add to the Flux Kustomization: spec: ";
  ASSERT_THAT(words, HasSubstr(mark));

  // The patch that it prints is what takes the entry out.
  const std::filesystem::path dir = std::filesystem::temp_directory_path() / ns();
  std::filesystem::create_directories(dir);
  must_run({"tee", dir / "deployment.json"}, document.dump());
  std::string patches = words.substr(words.find(mark) + mark.size());
  patches = patches.substr(1, patches.rfind('}') - 1);
  must_run({"tee", dir / "kustomization.yaml"}, "resources: [deployment.json]\n" + patches + "\n");
  const std::string rendered = kubectl({"kustomize", dir});
  std::filesystem::remove_all(dir);
  EXPECT_THAT(rendered, testing::Not(HasSubstr("GOGC")));
  kubectl({"apply", "--server-side", "--field-manager=kustomize-controller", "-f", "-"}, rendered);
  eventually("it is tuned now", [&] { return !trial("checkout-1").is_null(); });
}

TEST_F(LongNeighbours, GoesOnAfterAnEvictionThatItsBudgetAllows) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  apply(json::parse(R"({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "one"},
                        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "checkout"}}}})"));
  start_endless_trial(checkout);
  eventually_measures("checkout-1");
  const std::string canary = text(list("pods", "gopacer.dev/track=canary")[0], "/metadata/name");
  const json eviction{
      {"apiVersion", "policy/v1"}, {"kind", "Eviction"}, {"metadata", {{"name", canary}, {"namespace", ns()}}}};
  kubectl({"create", "--raw", "/api/v1/namespaces/" + ns() + "/pods/" + canary + "/eviction", "-f", "-"},
          eviction.dump());
  eventually_trial("checkout-1", "has begun anew", [](const json& seen) {
    for (const json& step : seen["status"].value("steps", json::array())) {
      if (step.value("message", "").find("the comparison begins anew") != std::string::npos) return true;
    }
    return false;
  });
  eventually_measures("checkout-1");
  EXPECT_EQ(text(trial("checkout-1"), "/status/verdict"), "");
}

}  // namespace
}  // namespace gopacer::cluster
