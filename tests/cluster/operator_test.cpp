// The operator itself: killed, upgraded, removed. These run alone, because all tests share it.
#include <gmock/gmock.h>

#include <algorithm>

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
