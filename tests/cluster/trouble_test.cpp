// What must not go wrong when something else does. None of these needs a quiet machine.
#include <gmock/gmock.h>

#include <iostream>
#include <set>
#include <vector>

#include "cluster/trial_test.h"

namespace gopacer::cluster {
namespace {

using testing::HasSubstr;

class Trouble : public TrialTest {};

TEST_F(Trouble, RollsAPersonsBadSettingsBackAndSaysWhyItDoesNotTryThemAgain) {
  Workload checkout;
  checkout.arguments = {"--live-heap=32MiB", "--extra-alloc=512KiB", "--drain=0s"};
  deploy(checkout);
  send_load(checkout, 100);
  const std::string generation_before = generation("checkout");
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 10}}}}}});

  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/status/verdict"), "RollBack");
  std::cout << text(trial, "/status/reason") << ": " << text(trial, "/status/message") << std::endl;
  EXPECT_EQ(text(trial, "/spec/requestedBy"), "user");
  EXPECT_EQ(generation("checkout"), generation_before) << "the target was never touched";
  expect_no_leftovers();

  eventually("the profile tells why the settings are not tried again",
             [&] { return text(condition(profile(), "Ready"), "/reason") == "SettingsBanned"; });
  const json seen = profile();
  EXPECT_EQ(text(seen, "/status/bannedRegions/0/gogc"), "10");
  EXPECT_THAT(text(condition(seen, "Ready"), "/message"), HasSubstr("not tried again"));
  EXPECT_EQ(text(seen, "/status/phase"), "Blocked");

  change_profile("checkout", {{"objective", {{"settings", {{"gogc", 11}}}}}});
  change_profile("checkout", {{"objective", {{"settings", {{"gogc", 10}}}}}});
  eventually("the profile was looked at again", [&] {
    const json now = profile();
    return text(now, "/status/observedGeneration") == text(now, "/metadata/generation") &&
           text(condition(now, "Ready"), "/reason") == "SettingsBanned";
  });
  EXPECT_EQ(generation("checkout"), generation_before);
}

TEST_F(Trouble, RollsBackWhenTheKernelKillsTheCanary) {
  Workload checkout;
  // Go's limit leaves no room for what is not Go's: the heap may grow to 150 MiB, and 64 MiB lie outside of it.
  checkout.arguments = {"--live-heap=16MiB", "--off-heap=64MiB", "--extra-alloc=256KiB", "--drain=0s"};
  checkout.memory_limit = "176Mi";
  deploy(checkout);
  send_load(checkout, 40);
  const std::string generation_before = generation("checkout");
  tune("checkout", {{"objective", fixed(2000, "150MiB")}});
  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/status/verdict"), "RollBack");
  EXPECT_THAT(text(trial, "/status/reason"), testing::AnyOf("OOMKilled", "MemoryNearLimit"));
  std::cout << text(trial, "/status/reason") << ": " << text(trial, "/status/message") << std::endl;
  EXPECT_EQ(generation("checkout"), generation_before);
  expect_no_leftovers();
  for (const json& pod : list("pods", "app=checkout")) {
    EXPECT_EQ(number(pod, "/status/containerStatuses/0/restartCount"), 0) << "the target's pods are well";
  }
}

TEST_F(Trouble, GivesWayToWhoeverChangesTheTargetDuringATrial) {
  const Workload image = named("image"), gogc = named("gogc"), gone = named("gone");
  for (const Workload& workload : {image, gogc, gone}) {
    deploy(workload);
    send_load(workload, 60);
  }
  for (const Workload& workload : {image, gogc, gone}) start_endless_trial(workload);
  const std::string generation_of_gone = generation("gone");

  kubectl({"set", "env", "deployment/image", "OTHER=1"});
  kubectl({"set", "env", "deployment/gogc", "GOGC=70"});
  kubectl({"delete", "grp", "gone"});

  const json other = trial_ended("image-1");
  EXPECT_EQ(text(other, "/status/verdict"), "Superseded");
  EXPECT_EQ(text(other, "/status/reason"), "TemplateChanged");
  // The new template may be on trial by now; the old one's pods are not.
  eventually("the pods of trial image-1 are gone", [&] { return list("pods", "gopacer.dev/trial=image-1").empty(); });
  EXPECT_EQ(env_of(deployment("image"), "GOGC"), "");

  const json theirs = trial_ended("gogc-1");
  EXPECT_EQ(text(theirs, "/status/verdict"), "Superseded");
  expect_no_leftovers("gogc");
  eventually("the conflict names its owner", [&] {
    const json conflict = condition(profile("gogc"), "FieldConflict");
    return text(conflict, "/status") == "True" && text(conflict, "/message").find("kubectl-set") != std::string::npos;
  });
  EXPECT_EQ(env_of(deployment("gogc"), "GOGC"), "70");
  EXPECT_EQ(env_of(deployment("gogc"), "GOMEMLIMIT"), "");

  const json aborted = trial_ended("gone-1");
  EXPECT_EQ(text(aborted, "/status/verdict"), "Aborted");
  EXPECT_EQ(text(aborted, "/status/reason"), "ProfileDeleted");
  expect_no_leftovers("gone");
  EXPECT_EQ(generation("gone"), generation_of_gone);
}

TEST_F(Trouble, NeverPromotesWithoutTraffic) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 100);
  const std::string generation_before = generation("checkout");
  json spec = endless_trial();
  spec["canary"] = {{"maxDuration", "30s"}, {"minSamples", 3000}};
  tune("checkout", spec);
  eventually_trial("checkout-1", "measures",
                   [](const json& trial) { return text(trial, "/status/phase") == "Measuring"; });
  stop_load(checkout);
  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/status/verdict"), "Inconclusive");
  std::cout << text(trial, "/status/reason") << ": " << text(trial, "/status/message") << std::endl;
  EXPECT_THAT(text(trial, "/status/reason"), testing::AnyOf("NoData", "TimeOut"));
  EXPECT_EQ(generation("checkout"), generation_before);
  expect_no_leftovers();
}

TEST_F(Trouble, AHostilePodHurtsOnlyItsOwnProfile) {
  const Workload good = named("good");
  const std::vector<std::pair<std::string, std::string>> modes = {
      {"html", "/debug/pprof"}, {"404", "404"},          {"500", "500"},
      {"endless", "/endless/"}, {"drip", "/drip/"},      {"truncated", "/truncated/"},
      {"nan", "/nan/"},         {"redirect", "redirect"}};
  deploy(good);
  send_load(good, 40);
  tune("good", {{"updatePolicy", {{"updateMode", "Off"}}}});
  for (const auto& [mode, words] : modes) {
    Workload hostile = named("hostile-" + mode);
    hostile.image = "hostile";
    hostile.arguments = {};
    hostile.port = 6060;
    hostile.memory_limit = "64Mi";
    apply(hostile.document());
    tune(hostile.name, {{"runtimeMetrics", {{"path", "/" + mode + "/debug/pprof"}}}});
  }
  for (const auto& [mode, words] : modes) {
    json told;
    eventually("the profile of mode " + mode + " says that its pod cannot be read", [&] {
      told = condition(profile("hostile-" + mode), "MetricsAvailable");
      return text(told, "/status") == "False" && text(told, "/reason") == "ScrapeFailed";
    });
    std::cout << mode << ": " << text(told, "/message") << std::endl;
    EXPECT_THAT(text(told, "/message"), HasSubstr(words));
    EXPECT_THAT(text(told, "/message"), HasSubstr("port 6060"));
  }
  const json seen = profile("good");
  EXPECT_EQ(number(seen, "/status/observed/podsScraped"), 1);
  EXPECT_EQ(text(condition(seen, "MetricsAvailable"), "/status"), "True");
  eventually("the good service is estimated all the same", [&] {
    const json now = profile("good");
    return !text(now, "/status/observed/liveHeap").empty() && number(now, "/status/observed/podsScraped") == 1;
  });
  EXPECT_TRUE(list("grt").empty());
  for (const json& pod : json::parse(cluster().kubectl(
           {"get", "pods", "-n", kOperatorNamespace, "-l", "app.kubernetes.io/name=gopacer", "-o", "json"}))["items"]) {
    EXPECT_EQ(number(pod, "/status/containerStatuses/0/restartCount"), 0) << "the operator took it without harm";
  }
}

TEST_F(Trouble, SaysWhatIsWrongWithATarget) {
  struct Case {
    std::string name, condition, reason, words;
  };
  const std::vector<Case> cases = {
      {"missing", "Ready", "TargetNotFound", "does not exist"},
      {"paused", "Ready", "TargetPaused", "kubectl rollout resume"},
      {"two", "ConfigUnsupported", "ContainerAmbiguous", "spec.containerName"},
      {"wrong", "ConfigUnsupported", "ContainerNotFound", "app, sidecar"},
      {"source", "ConfigUnsupported", "EnvFromSource", "valueFrom"},
      {"twice", "ConfigUnsupported", "EnvDuplicated", "set twice"},
      {"invalid", "ConfigUnsupported", "EnvInvalid", "does not start with such a GOMEMLIMIT"},
      {"wide", "ConfigUnsupported", "MemoryAutoscaler", "HorizontalPodAutoscaler"},
      {"tall", "ConfigUnsupported", "MemoryAutoscaler", "VerticalPodAutoscaler"},
  };
  const auto deployment_named = [](const std::string& name) {
    return json{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", name}};
  };
  const json memory{{"name", "memory"}, {"target", {{"type", "Utilization"}, {"averageUtilization", 80}}}};
  apply({{"apiVersion", "autoscaling/v2"},
         {"kind", "HorizontalPodAutoscaler"},
         {"metadata", {{"name", "wide"}}},
         {"spec",
          {{"scaleTargetRef", deployment_named("wide")},
           {"maxReplicas", 3},
           {"metrics", json::array({{{"type", "Resource"}, {"resource", memory}}})}}}});
  apply({{"apiVersion", "autoscaling.k8s.io/v1"},
         {"kind", "VerticalPodAutoscaler"},
         {"metadata", {{"name", "tall"}}},
         {"spec", {{"targetRef", deployment_named("tall")}}}});
  for (const Case& one : cases) {
    Workload workload = named(one.name);
    workload.replicas = 0;
    if (one.name == "twice") workload.env = {{"GOGC", "100"}, {"GOGC", "200"}};
    if (one.name == "invalid") workload.env = {{"GOMEMLIMIT", "440Mi"}};
    json document = workload.document();
    json& containers = document["spec"]["template"]["spec"]["containers"];
    if (one.name == "two" || one.name == "wrong") {
      containers.push_back({{"name", "sidecar"}, {"image", "localhost/hostile:dev"}});
    }
    if (one.name == "source") {
      containers[0]["env"] = {{{"name", "GOGC"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.name"}}}}}}};
    }
    if (one.name == "paused") document["spec"]["paused"] = true;
    if (one.name != "missing") kubectl({"create", "-f", "-"}, document.dump());
    tune(one.name, one.name == "wrong" ? json{{"containerName", "main"}} : json::object());
  }
  json second{{"apiVersion", "gopacer.dev/v1alpha1"},
              {"kind", "GoRuntimeProfile"},
              {"metadata", {{"name", "zz-second"}}},
              {"spec", {{"targetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "invalid"}}}}}};
  apply(second);

  auto all = cases;
  all.push_back({"zz-second", "ConfigUnsupported", "TargetTaken", "'invalid'"});
  for (const Case& one : all) {
    // It keeps trials away, and no recommendation.
    const std::string phase = one.reason == "MemoryAutoscaler" ? "Observing" : "Blocked";
    json told;
    eventually(
        "profile " + one.name + " has the reason " + one.reason,
        [&] {
          const json seen = profile(one.name);
          told = condition(seen, one.condition);
          return text(told, "/reason") == one.reason && text(seen, "/status/phase") == phase;
        },
        seconds(40));
    EXPECT_EQ(text(told, "/status"), one.condition == "Ready" ? "False" : "True") << one.name;
    EXPECT_THAT(text(told, "/message"), HasSubstr(one.words)) << one.name;
    EXPECT_EQ(text(condition(profile(one.name), "Ready"), "/status"), "False") << one.name;
  }
}

class Captured : public ClusterTest {
 protected:
  /// A page of the operator's health port.
  std::string page(const std::string& path) {
    const json pods = json::parse(cluster().kubectl(
        {"get", "pods", "-n", "gopacer", "-l", "app.kubernetes.io/name=gopacer", "-o", "json"}))["items"];
    return cluster().kubectl(
        {"get", "--raw",
         "/api/v1/namespaces/gopacer/pods/" + text(pods.at(0), "/metadata/name") + ":8081/proxy" + path});
  }
  /// What is captured of this namespace's service.
  std::vector<json> captured() {
    std::vector<json> found;
    for (const json& entry : json::parse(page("/captures"))) {
      if (text(entry, "/profile") == ns() + "/checkout") found.push_back(entry);
    }
    return found;
  }
};

TEST_F(Captured, IsWhatAServiceDoesWhenItsCollectionsFollowOneAnother) {
  Workload checkout;
  checkout.arguments = {"--live-heap=2MiB", "--drain=0s"};
  deploy(checkout);
  send_load(checkout, 2);
  tune("checkout", {{"updatePolicy", {{"updateMode", "Off"}}}});
  eventually("it is read", [&] { return number(profile(), "/status/observed/gcCyclesPerMinute") >= 0; });
  EXPECT_THAT(captured(), testing::IsEmpty());
  send_load(checkout, 300);
  eventually("it is captured", [&] { return captured().size() == 2; });
  // On a busy machine a collection may lose its CPU before the storm is seen: then the pause is what stands out.
  const std::string reason = text(captured().front(), "/reason");
  EXPECT_THAT(reason, testing::AnyOf("AllocationStorm", "LongPause"));
  eventually("and told of for the same reason",
             [&] { return kubectl({"get", "events"}).find(reason) != std::string::npos; });
  std::set<std::string> kinds;
  for (const json& entry : captured()) {
    kinds.insert(text(entry, "/kind"));
    const std::string body = page("/captures/" + text(entry, "/name"));
    EXPECT_TRUE(body.starts_with("\x1f\x8b")) << entry << ": " << body.substr(0, 200);
    EXPECT_GT(body.size(), 500U) << entry;
  }
  EXPECT_THAT(kinds, testing::ElementsAre("cpu", "heap"));
}

}  // namespace
}  // namespace gopacer::cluster
