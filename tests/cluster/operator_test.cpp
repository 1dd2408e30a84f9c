// The operator itself: killed, upgraded, removed. These run alone, because all tests share it.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "cluster/beside.h"
#include "cluster/cluster.h"

namespace gopacer::cluster {
namespace {

using testing::HasSubstr;
using testing::Not;

class Operator : public ClusterTest {
 protected:
  void SetUp() override {
    if (cluster().operator_is_given()) GTEST_SKIP() << "the operator of this cluster is not ours to kill or remove";
    ClusterTest::SetUp();
    checkout_.arguments = {"--live-heap=32MiB", "--extra-alloc=512KiB", "--drain=0s"};
    deploy(checkout_);
    send_load(checkout_, 80);
  }

  std::vector<json> pods_of_operator() {
    return json::parse(cluster().kubectl(
        {"get", "pods", "-n", kOperatorNamespace, "-l", "app.kubernetes.io/name=gopacer", "-o", "json"}))["items"]
        .get<std::vector<json>>();
  }
  /// As a node that dies would; the name of the pod that was.
  std::string kill_operator() {
    const std::string killed = text(pods_of_operator().at(0), "/metadata/name");
    cluster().kubectl({"delete", "pod", killed, "-n", kOperatorNamespace, "--grace-period=0", "--force"});
    return killed;
  }
  /// Names and starts of all containers that the test's trial has to do with.
  std::string pods_and_restarts() {
    std::vector<std::string> all;
    for (const json& pod : list("pods", "app=checkout")) {
      all.push_back(text(pod, "/metadata/uid") + "/" + text(pod, "/status/containerStatuses/0/restartCount"));
    }
    std::sort(all.begin(), all.end());
    std::string joined;
    for (const std::string& one : all) joined += one + " ";
    return joined;
  }

  Workload checkout_;
};

TEST_F(Operator, ASuccessorEndsTheTrialOfOneThatWasKilled) {
  const std::string generation = text(deployment(), "/metadata/generation");
  tune("checkout",
       {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 10}}}}}, {"canary", {{"warmUp", "20s"}}}});
  const json begun = eventually_trial("checkout-1", "warms up",
                                      [](const json& trial) { return text(trial, "/status/phase") == "WarmUp"; });
  const std::string killed = kill_operator();

  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/metadata/uid"), text(begun, "/metadata/uid"));
  EXPECT_EQ(text(trial, "/status/verdict"), "RollBack") << text(trial, "/status/message");
  expect_no_leftovers();
  EXPECT_EQ(list("grt").size(), 1U);
  EXPECT_EQ(text(deployment(), "/metadata/generation"), generation);
  for (const json& pod : pods_of_operator()) EXPECT_NE(text(pod, "/metadata/name"), killed);
}

TEST_F(Operator, ASuccessorGoesOnWithAPromotionAndWithARollback) {
  // So that rollouts take long enough for an operator to die in them.
  kubectl({"patch", "deployment", "checkout", "--type=merge", "-p", R"({"spec": {"minReadySeconds": 15}})"});
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 400}, {"goMemLimit", "200MiB"}}}}},
                    {"rollback", {{"watchFor", "1h"}}}});
  const json promoting = eventually_trial(
      "checkout-1", "promotes",
      [&](const json& trial) {
        return text(trial, "/status/phase") == "Promoting" && env_of(deployment(), "GOGC") == "400";
      },
      seconds(150));
  kill_operator();
  const json watched = eventually_trial("checkout-1", "watches under the successor",
                                        [](const json& trial) { return text(trial, "/status/phase") == "Watching"; });
  EXPECT_EQ(text(watched, "/metadata/uid"), text(promoting, "/metadata/uid"));
  EXPECT_EQ(env_of(deployment(), "GOMEMLIMIT"), "200MiB");

  kubectl({"delete", "grt", "checkout-1", "--wait=false"});
  eventually("the old settings are put back", [&] { return env_of(deployment(), "GOGC").empty(); });
  const std::string killed = kill_operator();
  eventually("the trial is gone", [&] { return trial("checkout-1").is_null(); });
  EXPECT_EQ(env_of(deployment(), "GOMEMLIMIT"), "");
  EXPECT_EQ(text(deployment(), "/metadata/annotations/deployment.kubernetes.io~1revision"), "3") << "there and back";
  expect_no_leftovers();
  for (const json& pod : pods_of_operator()) EXPECT_NE(text(pod, "/metadata/name"), killed);
}

TEST_F(Operator, HoldsATrialToWhatAPrometheusTellsThatAsksForCredentials) {
  if (!cluster().is_local()) GTEST_SKIP() << "the server beside this test wants the local cluster";
  if (!Cluster::is_long_run()) GTEST_SKIP() << "takes minutes: set GOPACER_LONG=1";
  Beside beside;
  const std::string port = std::to_string(free_port());
  const std::string address = "https://" + std::string(kHere) + ":" + port;
  const auto write = [&](const std::string& name, const std::string& content) {
    const std::string file = beside.directory() / name;
    must_run({"tee", file}, content);
    return file;
  };
  const std::string config = write("prometheus.yml", R"(
global: {scrape_interval: 1s}
scrape_configs:
- job_name: pods
  file_sd_configs: [{files: [targets.json]}]
)");
  // Of "gopacer" and "secret".
  const std::string web =
      write("web.yml", "tls_server_config: {cert_file: " + beside.certificate() + ", key_file: " + beside.key() + R"(}
basic_auth_users: {gopacer: "$2b$04$bZ7jZot.DUcjWs9vpB32relUGTrWIlywp74x67mH40Mn/2nMKWm1G"}
)");
  beside.run("prometheus", {"--config.file=" + config, "--web.config.file=" + web, "--web.listen-address=:" + port,
                            "--storage.tsdb.path=" + (beside.directory() / "data").string()});
  cluster().try_kubectl({"delete", "configmap", "prometheus-ca", "-n", kOperatorNamespace});
  cluster().kubectl(
      {"create", "configmap", "prometheus-ca", "-n", kOperatorNamespace, "--from-file=ca.crt=" + beside.certificate()});
  cluster().install({"prometheus.addresses[0]=" + address, "prometheus.ca.configMap=prometheus-ca"});

  // Debian's server looks for no pods by itself.
  const auto discover = [&] {
    json found = json::array();
    for (const json& pod : list("pods", "app=checkout")) {
      const std::string ip = text(pod, "/status/podIP");
      if (ip.empty()) continue;
      found.push_back({{"targets", json::array({ip + ":8080"})}, {"labels", {{"pod", text(pod, "/metadata/name")}}}});
    }
    write("targets.new", found.dump());
    std::filesystem::rename(beside.directory() / "targets.new", beside.directory() / "targets.json");
  };
  discover();

  const json gateway{{"name", "gateway-p50"},
                     {"prometheus",
                      {{"address", address},
                       {"authorization", {{"secretName", "reader"}}},
                       {"query",
                        "histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket{"
                        "handler=\"/checkout\",pod=~\"{{ pods }}\"}[{{ window }}])))"},
                       {"window", "15s"},
                       {"max", "0.2"}}},
                     {"maxRegressionPercent", 100}};
  kubectl({"create", "secret", "generic", "reader",
           "--from-literal=authorization=Basic Z29wYWNlcjpzZWNyZXQ=", "--from-literal=address=" + address});
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 150}, {"goMemLimit", "200MiB"}}}}},
                    {"canary", {{"maxDuration", "1h"}, {"minSamples", 100000000}}},
                    {"slos", json::array({gateway})}});
  eventually("the profile says that the Secret can't be read", [&] {
    const json told = condition(profile(), "MetricsAvailable");
    return text(told, "/reason") == "SourcesUnread" &&
           text(told, "/message").find("can't be read") != std::string::npos;
  });
  EXPECT_TRUE(list("grt").empty());

  kubectl({"create", "role", "gopacer-reads-reader", "--verb=get", "--resource=secrets", "--resource-name=reader"});
  kubectl({"create", "rolebinding", "gopacer-reads-reader", "--role=gopacer-reads-reader",
           "--serviceaccount=" + std::string(kOperatorNamespace) + ":gopacer"});
  eventually_trial("checkout-1", "has compared what the server says", [&](const json& trial) {
    discover();
    const json metric = trial.value("/status/metrics/0"_json_pointer, json::object());
    return metric.value("name", "") == "gateway-p50" && number(metric, "/canary") > 0;
  });
  cluster().install();
}

// Here, because a node that is cordoned is so for all tests.
TEST_F(Operator, ATrialOutlivesADrainOfItsNode) {
  if (!Cluster::is_long_run()) GTEST_SKIP() << "takes minutes: set GOPACER_LONG=1";
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 150}, {"goMemLimit", "200MiB"}}}}},
                    {"canary", {{"maxDuration", "1h"}, {"minSamples", 100000000}}}});
  const auto measures = [](const json& trial) { return text(trial, "/status/phase") == "Measuring"; };
  eventually_trial("checkout-1", "measures", measures);
  const std::string node = text(list("pods", "gopacer.dev/track=canary").at(0), "/spec/nodeName");
  class Cordon {
   public:
    Cordon(Cluster& cluster, std::string node) : cluster_(cluster), node_(std::move(node)) {}
    ~Cordon() { cluster_.try_kubectl({"uncordon", node_}); }

   private:
    Cluster& cluster_;
    std::string node_;
  };
  {
    const Cordon cordon(cluster(), node);
    cluster().kubectl({"drain", node, "--pod-selector=app=checkout", "--ignore-daemonsets", "--timeout=50s"});
    eventually_trial("checkout-1", "has begun anew",
                     [](const json& trial) { return text(trial, "/status/phase") == "Pending"; });
    eventually("the profile says what it waits for", [&] {
      return text(condition(profile(), "Progressing"), "/message").find("unschedulable") != std::string::npos;
    });
  }
  const json again = eventually_trial("checkout-1", "measures again", measures);
  EXPECT_EQ(text(again, "/status/verdict"), "");
}

TEST_F(Operator, AnUpgradeEndsNoTrialAndRestartsNoWorkload) {
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 150}, {"goMemLimit", "200MiB"}}}}},
                    {"canary", {{"maxDuration", "1h"}, {"minSamples", 100000000}}},
                    {"slos",
                     {{{"name", "latency-p50"},
                       {"podHistogram", {{"metric", "http_request_duration_seconds"}, {"quantile", "0.5"}}},
                       {"maxRegressionPercent", 100}}}}});
  const json before = eventually_trial("checkout-1", "has compared windows",
                                       [](const json& trial) { return number(trial, "/status/windows") > 0; });
  const std::string pods = pods_and_restarts();
  const std::string generation = text(deployment(), "/metadata/generation");
  const std::string old_operator = text(pods_of_operator().at(0), "/metadata/uid");

  cluster().install({"podAnnotations.upgraded=" + ns()});

  const json after = eventually_trial("checkout-1", "goes on under the new operator", [&](const json& trial) {
    const bool replaced =
        pods_of_operator().size() == 1 && text(pods_of_operator()[0], "/metadata/uid") != old_operator;
    return replaced && number(trial, "/status/windows") >= number(before, "/status/windows") + 10;
  });
  EXPECT_EQ(text(after, "/metadata/uid"), text(before, "/metadata/uid"));
  EXPECT_EQ(text(after, "/status/phase"), "Measuring");
  EXPECT_EQ(pods_and_restarts(), pods) << "the same pods, none restarted";
  EXPECT_EQ(text(deployment(), "/metadata/generation"), generation);
  EXPECT_EQ(list("grt").size(), 1U);
}

TEST_F(Operator, UninstallingLeavesNothingButTheDefinitions) {
  const std::string generation = text(deployment(), "/metadata/generation");
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 150}, {"goMemLimit", "200MiB"}}}}},
                    {"canary", {{"maxDuration", "1h"}, {"minSamples", 100000000}}}});
  const json begun = eventually_trial("checkout-1", "warms up or measures", [](const json& trial) {
    return text(trial, "/status/phase") == "WarmUp" || text(trial, "/status/phase") == "Measuring";
  });
  ASSERT_THAT(begun["/metadata/finalizers"_json_pointer].dump(), HasSubstr("gopacer.dev/trial"));
  ASSERT_FALSE(deployment("checkout-gopacer-canary").is_null());
  tune("quiet", json::object());  // of a Deployment that is not there
  eventually("the quiet profile was looked at", [&] { return !text(profile("quiet"), "/status/phase").empty(); });
  // The Job that cleans up waits for fifteen seconds until the operator has surely stopped.
  cluster().helm({"uninstall", "gopacer", "--wait", "--timeout=140s"});

  const json ended = trial("checkout-1");
  EXPECT_EQ(text(ended, "/status/phase"), "Ended");
  EXPECT_EQ(text(ended, "/status/verdict"), "Aborted");
  EXPECT_EQ(text(ended, "/status/reason"), "Uninstalled") << text(ended, "/status/message");
  EXPECT_EQ(text(ended, "/metadata/finalizers"), "");
  EXPECT_EQ(text(profile(), "/metadata/finalizers"), "");
  EXPECT_EQ(text(condition(profile(), "Ready"), "/reason"), "Uninstalled");
  EXPECT_EQ(text(condition(profile("quiet"), "Ready"), "/reason"), "Uninstalled") << "told to those without a trial";
  EXPECT_EQ(text(deployment(), "/metadata/generation"), generation) << "the target was never touched";
  expect_no_leftovers();
  EXPECT_EQ(list("grt").size(), 1U) << "the operator started nothing while it was being removed";
  kubectl({"delete", "grt", "checkout-1", "--timeout=20s"});
  eventually("the operator's pods are gone", [&] { return pods_of_operator().empty(); });

  EXPECT_THAT(cluster().kubectl({"get", "clusterroles,clusterrolebindings", "-o", "name"}), Not(HasSubstr("gopacer")));
  // The operator makes the Lease itself, so helm does not know of it. It grants nothing and goes with the namespace.
  eventually(
      "the operator's namespace holds nothing but what every namespace holds, and the Lease",
      [&] {
        return cluster().kubectl({"get",
                                  "all,roles,rolebindings,serviceaccounts,configmaps,secrets,endpointslices,leases",
                                  "--namespace=" + std::string(kOperatorNamespace), "-o", "name"}) ==
               "serviceaccount/default\nconfigmap/kube-root-ca.crt\nlease.coordination.k8s.io/gopacer\n";
      },
      seconds(60));
  EXPECT_THAT(cluster().kubectl({"get", "crd", "-o", "name"}), HasSubstr("goruntimeprofiles.gopacer.dev"));
  EXPECT_FALSE(profile().is_null()) << "profiles stay for the next installation";
  change_profile("checkout", {{"updatePolicy", {{"updateMode", "Off"}}}});
  cluster().install();
  // It waits for the minute for which the lease keeps operators away.
  const std::string seen_before = text(profile(), "/metadata/resourceVersion");
  eventually("the new operator looks at the profile that was there",
             [&] { return text(profile(), "/metadata/resourceVersion") != seen_before; });
}

}  // namespace
}  // namespace gopacer::cluster
