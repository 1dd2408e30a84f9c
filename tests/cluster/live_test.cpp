// Profiles with apply: Live on a real node: real kubelet, real containers, real Go programs that serve no page of the
// runtime.
#include <gmock/gmock.h>

#include <iostream>
#include <set>

#include "cluster/trial_test.h"

namespace gopacer::cluster {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kOperatorNamespace = "gopacer";

class LiveTuned : public TrialTest {
 protected:
  /// A service without pprof whose heap is small, so that its collections are many.
  static Workload quick(int replicas) {
    Workload checkout;
    checkout.replicas = replicas;
    checkout.arguments = {"--live-heap=2MiB", "--drain=0s", "--pprof-listen="};
    return checkout;
  }

  static json live(int gogc, const std::string& limit) {
    return {{"updatePolicy", {{"updateMode", "Canary"}, {"apply", "Live"}}},
            {"objective", fixed(gogc, limit)},
            {"canary", {{"maxDuration", "10m"}}},
            {"slos",
             {{{"name", "latency-p50"},
               {"podHistogram", {{"metric", "http_request_duration_seconds"}, {"quantile", "0.5"}}},
               {"maxRegressionPercent", 100}}}}};
  }

  /// The processes of the workload: pods with their restarts.
  std::set<std::string> processes(const std::string& workload = "checkout") {
    std::set<std::string> found;
    for (const json& pod : list("pods", "app=" + workload)) {
      found.insert(text(pod, "/metadata/uid") + "#" + text(pod, "/status/containerStatuses/0/restartCount"));
    }
    return found;
  }

  /// What the agent says of the pod's process; null while it says nothing.
  json told_of(const json& pod) {
    for (const json& agent : agents()) {
      const std::string name = text(agent, "/metadata/name");
      const auto page = cluster().try_kubectl({"get", "--raw",
                                               std::string("/api/v1/namespaces/") + kOperatorNamespace + "/pods/" +
                                                   name + ":8082/proxy/pods/" + text(pod, "/metadata/uid") + "/app"});
      if (page.exit_code != 0) continue;
      json said = json::parse(page.out, nullptr, false);
      if (said.is_object() && said.contains("settings")) return said;
    }
    return nullptr;
  }
  /// "GOGC/GOMEMLIMIT"; empty while nobody reads it.
  std::string in_force(const json& pod) {
    const json said = told_of(pod);
    if (said.is_null()) return "";
    return said["settings"].value("gogc", "") + "/" + said["settings"].value("goMemLimit", "");
  }
  std::vector<json> agents() {
    const std::string out = cluster().kubectl(
        {"get", "pods", "-n", kOperatorNamespace, "-l", "app.kubernetes.io/name=gopacer-agent", "-o", "json"});
    return json::parse(out)["items"].get<std::vector<json>>();
  }

  bool all_run(const std::string& settings, const std::string& workload = "checkout") {
    const std::vector<json> pods = list("pods", "app=" + workload);
    return !pods.empty() &&
           std::all_of(pods.begin(), pods.end(), [&](const json& pod) { return in_force(pod) == settings; });
  }
  bool one_runs(const std::string& settings) {
    const std::vector<json> pods = list("pods", "app=checkout");
    return std::any_of(pods.begin(), pods.end(), [&](const json& pod) { return in_force(pod) == settings; });
  }
  void eventually_turns(const std::string& settings) {
    eventually("a pod has its turn", [&] { return one_runs(settings); });
  }

  void operators(int replicas) {
    cluster().kubectl(
        {"scale", "deployment/gopacer", "-n", kOperatorNamespace, "--replicas=" + std::to_string(replicas)});
  }
};

using LiveTroubled = LiveTuned;

class LongLiveTuned : public LiveTuned {
 protected:
  void SetUp() override {
    if (!Cluster::is_long_run()) GTEST_SKIP() << "set GOPACER_LONG=1";
    LiveTuned::SetUp();
  }
};

TEST_F(LongLiveTuned, TunesAThirdPartyProgramWithItsAdminPortOff) {
  Workload caddy = named("caddy");
  caddy.image = "caddy";
  caddy.arguments = {};
  caddy.env = {{"ADMIN", "off"}};
  caddy.memory_limit = "128Mi";
  caddy.ready_path = "/healthz";
  caddy.replicas = 2;
  deploy(caddy);
  send_load(caddy, 80, "/list.json?n=200");
  const std::set<std::string> before = processes("caddy");
  json spec = live(200, "100MiB");
  spec["slos"] = json::array();
  tune("caddy", spec);
  const json trial = trial_ended("caddy-1", 255s);
  std::cout << text(trial, "/status/message") << std::endl;
  ASSERT_EQ(text(trial, "/status/verdict"), "Promote") << text(trial, "/status/message");
  EXPECT_EQ(processes("caddy"), before);
  EXPECT_TRUE(all_run("200/100MiB", "caddy"));
}

TEST_F(LiveTuned, TunesAProgramThatServesNothingWithoutARestartAndNewPodsToo) {
  const Workload checkout = quick(2);
  deploy(checkout);
  send_load(checkout, 300);
  const std::set<std::string> before = processes();
  const std::string generation_before = generation("checkout");
  tune("checkout", live(160, "200MiB"));
  const json trial = trial_ended("checkout-1", 600s);
  std::cout << text(trial, "/status/message") << std::endl;
  ASSERT_EQ(text(trial, "/status/verdict"), "Promote") << text(trial, "/status/message");
  EXPECT_EQ(processes(), before) << "nothing was restarted, and no pod was added";
  EXPECT_EQ(generation("checkout"), generation_before) << "the Deployment was left alone";
  EXPECT_TRUE(all_run("160/200MiB"));
  EXPECT_THAT(text(profile(), "/status/current/gogc"), "160");

  const std::string victim = text(list("pods", "app=checkout")[0], "/metadata/name");
  kubectl({"delete", "pod", victim, "--wait=false"});
  eventually("the pod in its place has them as well", [&] {
    return list("pods", "app=checkout").size() == 2 && processes() != before && all_run("160/200MiB");
  });

  const std::string log = cluster().kubectl({"logs", text(agents().at(0), "/metadata/name"), "-n", kOperatorNamespace});
  if (log.find("pauses are not measured on this node") == std::string::npos) {
    const json pod = list("pods", "app=checkout")[0];
    eventually("the agent tells for how long collections stop it", [&] {
      const json said = told_of(pod);
      return said.is_object() && said.contains("pauses") && said["pauses"].size() >= 3;
    });
    std::cout << "latest pauses, ns: " << told_of(pod)["pauses"].dump() << std::endl;
  } else {
    std::cout << "this kernel has no room for probes" << std::endl;
  }

  // The agent goes on reading, and lets go.
  change_profile("checkout", {{"updatePolicy", {{"updateMode", "Off"}, {"apply", "Restart"}}},
                              {"runtimeMetrics", {{"source", "Agent"}}}});
  eventually("all have their own again", [&] { return all_run("100/"); });
}

TEST_F(LiveTuned, FollowsWithoutTrialsFitsAResizedContainerAndStopsAtABrokenPromise) {
  const Workload checkout = quick(1);
  deploy(checkout);
  send_load(checkout, 150);
  const std::set<std::string> before = processes();
  json spec = live(160, "200MiB");
  spec["updatePolicy"]["updateMode"] = "Continuous";
  spec["runtimeMetrics"] = {{"interval", "1s"}};
  spec["canary"] = {{"interval", "1s"}, {"warmUp", "5s"}};
  tune("checkout", spec);
  eventually("what is recommended is in force", [&] { return all_run("160/200MiB"); }, 180s);
  change_profile("checkout", {{"objective", fixed(180, "200MiB")}});
  eventually("and what is recommended next", [&] { return all_run("180/200MiB"); });
  EXPECT_TRUE(list("grt").empty()) << "without a trial";

  const std::string pod = text(list("pods", "app=checkout")[0], "/metadata/name");
  const auto resize = [&](const std::string& limit) {
    const json memory{{"memory", limit}};
    const json container{{"name", "app"}, {"resources", {{"limits", memory}, {"requests", memory}}}};
    kubectl({"patch", "pod", pod, "--subresource=resize", "-p",
             json{{"spec", {{"containers", json::array({container})}}}}.dump()});
  };
  resize("128Mi");
  eventually("the limit fits into the smaller container", [&] { return all_run("180/115MiB"); });
  resize("256Mi");
  eventually("and is whole again in the larger one", [&] { return all_run("180/200MiB"); });

  const json water_level{{"strategy", "WaterLevel"}, {"settings", nullptr}};
  change_profile("checkout", {{"objective", water_level}, {"bounds", {{"minAllowed", {{"gogc", 30}}}}}});
  const auto has_gogc = [&](const std::string& gogc) {
    return in_force(list("pods", "app=checkout")[0]).starts_with(gogc + "/");
  };
  eventually("requests are quick", [&] { return has_gogc("100"); });
  tell_pods("app=checkout", "/control/slow?by=1s");
  eventually("the other level is reached", [&] { return has_gogc("30"); }, 120s);

  change_profile("checkout",
                 {{"slos", {{{"name", "goroutines"}, {"podGauge", {{"metric", "go_goroutines"}, {"max", "1"}}}}}}});
  const auto broken = std::chrono::steady_clock::now();
  eventually("all of it is taken back", [&] { return all_run("100/"); }, 120s);
  const std::chrono::duration<double> undone = std::chrono::steady_clock::now() - broken;
  std::cout << "from the broken promise to the old settings: " << undone.count() << " s" << std::endl;
  const json changes = profile()["status"]["changes"];
  std::cout << changes.dump(1) << std::endl;
  EXPECT_EQ(changes.size(), 5U);
  EXPECT_THAT(text(changes.back(), "/why"), HasSubstr("goroutines was above"));
  EXPECT_EQ(processes(), before) << "and nothing was restarted";
}

TEST_F(LiveTroubled, TakesATurnBackWhenTheOperatorFallsSilent) {
  const Workload checkout = quick(2);
  deploy(checkout);
  send_load(checkout, 150);
  json spec = live(160, "200MiB");
  spec["canary"]["minSamples"] = 100000000;
  tune("checkout", spec);
  eventually_turns("160/200MiB");
  operators(0);
  eventually("all have their own again, with nobody to say so", [&] { return all_run("100/"); }, 60s);
  EXPECT_EQ(text(trial("checkout-1"), "/status/phase"), "Measuring") << "nobody was there to end it";
  operators(1);
  eventually_turns("160/200MiB");
  kubectl({"delete", "grt", "checkout-1", "--wait=false"});
  eventually("a person's word ends it", [&] { return all_run("100/"); });
}

TEST_F(LiveTroubled, TakesATurnBackWhenTheAgentIsKilled) {
  const Workload checkout = quick(1);
  deploy(checkout);
  send_load(checkout, 150);
  json spec = live(160, "200MiB");
  spec["canary"]["minSamples"] = 100000000;
  tune("checkout", spec);
  eventually_turns("160/200MiB");
  // The profile goes while nobody looks: what the successor finds in the process is nobody's wish any more.
  operators(0);
  const std::string agent = text(agents().at(0), "/metadata/name");
  const std::string container = text(agents().at(0), "/status/containerStatuses/0/containerID");
  must_run(
      {"sh", "-c",
       "kill -9 $(grep -ls " + container.substr(container.rfind('/') + 1) + " /proc/[0-9]*/cgroup | cut -d/ -f3)"});
  eventually("the agent's container is there again", [&] {
    const json now = json::parse(cluster().kubectl({"get", "pod", agent, "-n", kOperatorNamespace, "-o", "json"}));
    return number(now, "/status/containerStatuses/0/restartCount") >= 1 &&
           text(now, "/status/containerStatuses/0/ready") == "true";
  });
  eventually("it has put back what its predecessor wrote", [&] { return all_run("100/"); });
  operators(1);
}

TEST_F(LiveTroubled, SaysWhatStandsAgainstIt) {
  const Workload checkout = quick(1);
  deploy(checkout);
  send_load(checkout, 60);
  json spec = live(160, "200MiB");
  spec["slos"].push_back({{"name", "pauses"}, {"runtime", {{"figure", "GcPause"}}}});
  tune("checkout", spec);
  eventually("the condition names the SLO", [&] {
    const json unsupported = condition(profile(), "ConfigUnsupported");
    return text(unsupported, "/status") == "True" && text(unsupported, "/reason") == "LiveSlo";
  });
  EXPECT_TRUE(list("grt").empty());
}

}  // namespace
}  // namespace gopacer::cluster
