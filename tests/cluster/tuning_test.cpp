// Trials that are measured to their end. They run alone, because what else runs on the machine is in the figures.
#include <gmock/gmock.h>

#include <algorithm>
#include <iostream>

#include "cluster/cluster.h"

namespace gopacer::cluster {
namespace {

using std::chrono::steady_clock;
using testing::AllOf;
using testing::HasSubstr;

class Tuning : public ClusterTest {
 protected:
  /// Collections are dear in this one: much garbage for each request, over a heap full of pointers.
  static Workload wasteful() {
    Workload workload;
    workload.arguments = {"--live-heap=32MiB", "--extra-alloc=256KiB", "--drain=0s"};
    return workload;
  }

  static json latency_slo(const json& more) {
    json slo{
        {"name", "latency-p50"},
        {"podHistogram",
         {{"metric", "http_request_duration_seconds"}, {"quantile", "0.5"}, {"labels", {{"handler", "/checkout"}}}}},
        {"maxRegressionPercent", 100}};
    slo.merge_patch(more);
    return json::array({slo});
  }

  static json with_others(json slos) {
    slos.push_back({{"name", "errors"},
                    {"podRatio",
                     {{"bad", {{"metric", "http_requests_total"}, {"labelPrefixes", {{"code", "5"}}}}},
                      {"total", {{"metric", "http_requests_total"}}},
                      {"max", "2%"}}}});
    slos.push_back({{"name", "goroutines"},
                    {"podGauge", {{"metric", "go_goroutines"}, {"max", "10000"}}},
                    {"maxRegressionPercent", 100}});
    return slos;
  }

  /// What `kubectl gopacer` prints.
  std::string plugin(std::vector<std::string> arguments, seconds patience = seconds(60)) {
    arguments.insert(arguments.begin(), KUBECTL_GOPACER);
    arguments.insert(arguments.end(), {"-n", ns(), "--kubeconfig", cluster().kubeconfig()});
    return must_run(arguments, "", patience);
  }

  std::string history(const std::string& workload = "checkout") {
    return kubectl({"rollout", "history", "deployment/" + workload});
  }
};

TEST_F(Tuning, PromotesBetterSettingsAndReleasesThemWithTheProfile) {
  const Workload checkout = wasteful();
  deploy(checkout);
  send_load(checkout, 150);
  const json before = deployment();
  tune("checkout", {{"updatePolicy", {{"updateMode", "Off"}, {"revertOnDeletion", true}}},
                    {"canary", {{"interval", "2s"}, {"maxDuration", "10m"}}},
                    {"slos", with_others(latency_slo(json::object()))}});
  // A recommendation that rests on a guess promises too much or too little, and a trial is held to what was promised.
  eventually("the profile recommends settings by a CPU profile", [&] {
    const json seen = profile();
    return text(seen, "/status/phase") == "Recommended" &&
           text(seen, "/status/observed/sources/gcCpu").starts_with("CPU profile");
  });
  change_profile("checkout", {{"updatePolicy", {{"updateMode", "Canary"}}}});

  eventually_trial("checkout-1", "is being measured",
                   [](const json& trial) { return number(trial, "/status/windows") > 0; });
  EXPECT_EQ(text(deployment(), "/metadata/generation"), text(before, "/metadata/generation"))
      << "a trial leaves the target alone";
  EXPECT_EQ(text(deployment("checkout-gopacer-baseline"), "/spec/replicas"), "1");
  EXPECT_FALSE(env_of(deployment("checkout-gopacer-canary"), "GOMEMLIMIT").empty());
  EXPECT_THAT(plugin({"get", "checkout"}),
              AllOf(HasSubstr("checkout-gopacer-canary  1/1 ready"), HasSubstr("latency-p")));

  const json trial = trial_ended("checkout-1", seconds(230));
  EXPECT_EQ(text(trial, "/status/verdict"), "Promote") << text(trial, "/status/message");
  EXPECT_GE(number(trial, "/status/windows"), 20);
  EXPECT_GE(number(trial, "/status/samples/canary"), 100);
  EXPECT_THAT(text(trial, "/status/message"), HasSubstr("errors 0.00 % → 0.00 %"));
  std::cout << "promoted: " << text(trial, "/spec/toText") << ": " << text(trial, "/status/message") << std::endl;

  const json after = deployment();
  EXPECT_EQ(env_of(after, "GOGC"), text(trial, "/spec/to/gogc"));
  EXPECT_EQ(env_of(after, "GOMEMLIMIT"), text(trial, "/spec/to/goMemLimit"));
  EXPECT_THAT(env_of(after, "GOMEMLIMIT"), testing::EndsWith("MiB"));
  EXPECT_EQ(owner_of_env("checkout", "GOGC"), "gopacer");
  EXPECT_EQ(owner_of_env("checkout", "GOMEMLIMIT"), "gopacer");
  EXPECT_EQ(text(after, "/spec/replicas"), text(before, "/spec/replicas"));
  EXPECT_THAT(history(), HasSubstr("gopacer: " + text(trial, "/spec/toText")));
  expect_no_leftovers();
  eventually("the change cause is off the Deployment again",
             [&] { return text(deployment(), "/metadata/annotations/kubernetes.io~1change-cause").empty(); });
  EXPECT_EQ(text(profile(), "/status/current/gogc"), text(trial, "/spec/to/gogc"));
  EXPECT_THAT(plugin({"history", "checkout"}), AllOf(HasSubstr("checkout-1"), HasSubstr("Promote")));
  EXPECT_THAT(plugin({"trace", text(list("pods", "app=checkout").front(), "/metadata/name")}),
              AllOf(HasSubstr("set by gopacer"), HasSubstr("trial checkout-1")));

  kubectl({"delete", "grp", "checkout", "--timeout=60s"});
  EXPECT_EQ(env_of(deployment(), "GOGC"), "");
  EXPECT_EQ(env_of(deployment(), "GOMEMLIMIT"), "");
  EXPECT_FALSE(trial_ended("checkout-1").is_null()) << "trials outlive their profile";
}

TEST_F(Tuning, SaysWhatItWouldSaveWhereNoProfileIs) {
  const Workload checkout = wasteful();
  deploy(checkout);
  send_load(checkout, 150);
  eventually("a scan finds the service and its histogram", [&] {
    const json found = json::parse(plugin({"scan", "--for", "0s", "-o", "json"}));
    return text(found, "/services/0/histograms/0") == "http_request_duration_seconds";
  });
  const json scanned = json::parse(plugin({"scan", "--for", "30s", "-o", "json"}, seconds(120)));
  ASSERT_EQ(scanned["services"].size(), 1U) << scanned.dump(1) << ": the load generator serves no page of Go's";
  EXPECT_EQ(text(scanned, "/services/0/deployment"), "checkout");
  EXPECT_EQ(number(scanned, "/services/0/pprof/port"), 6060);
  EXPECT_GT(number(scanned, "/services/0/observed/gcCpuFraction"), 0.01) << scanned.dump(1);
  EXPECT_THAT(plugin({"init", "checkout"}), HasSubstr("runtimeMetrics: {port: 6060"));
}

TEST_F(Tuning, PutsTheOldSettingsBackWhenTheServiceGetsSlowAfterAPromotion) {
  Workload checkout = wasteful();
  checkout.replicas = 2;
  deploy(checkout);
  send_load(checkout, 200);
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 400}, {"goMemLimit", "210MiB"}}}}},
                    {"canary", {{"interval", "2s"}, {"maxDuration", "10m"}}},
                    {"rollback", {{"watchFor", "10m"}}},
                    {"slos", latency_slo({{"max", "100ms"}})}});
  eventually_trial(
      "checkout-1", "watches a target that is well",
      [](const json& trial) {
        return text(trial, "/status/phase") == "Watching" && number(trial, "/status/watch/windows") >= 2;
      },
      seconds(220));
  EXPECT_EQ(env_of(deployment(), "GOGC"), "400");

  EXPECT_FALSE(deployment("checkout-gopacer-baseline").is_null());
  EXPECT_TRUE(deployment("checkout-gopacer-canary").is_null());
  // A slow database hits the baseline, which still has the old settings, as it does the target.
  tell_pods("app=checkout", "/control/slow?by=300ms");
  const double before = number(trial("checkout-1"), "/status/watch/windows");
  const json unmoved = eventually_trial("checkout-1", "goes on watching", [&](const json& trial) {
    return number(trial, "/status/watch/windows") >= before + 8;
  });
  EXPECT_EQ(text(unmoved, "/status/phase"), "Watching") << "what the baseline suffers, too, is nobody's fault";

  const auto onset = steady_clock::now();
  tell_pods("app=checkout,gopacer.dev/track=baseline", "/control/slow?by=0s");
  eventually("all pods run the old settings", [&] {
    const json now = deployment();
    return env_of(now, "GOGC").empty() && env_of(now, "GOMEMLIMIT").empty() &&
           number(now, "/status/observedGeneration") == number(now, "/metadata/generation") &&
           number(now, "/status/updatedReplicas") == 2 && number(now, "/status/replicas") == 2 &&
           number(now, "/status/availableReplicas") == 2;
  });
  const double took = std::chrono::duration<double>(steady_clock::now() - onset).count();
  RecordProperty("seconds_from_breach_to_old_settings", std::to_string(took));
  std::cout << "from the first window in which the target alone is slow to all pods on the old settings: " << took
            << " s" << std::endl;

  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/status/verdict"), "RollBack");
  EXPECT_THAT(text(trial, "/status/reason"), testing::AnyOf("SloViolated", "LatencyRegression"));
  EXPECT_THAT(history(), HasSubstr("gopacer: back to Go's defaults"));
  EXPECT_EQ(text(profile(), "/status/bannedRegions/0/gogc"), "400");
  expect_no_leftovers();
}

TEST_F(Tuning, GrowsItsArmsAndGuardsWhatItHasConfirmed) {
  Workload checkout = wasteful();
  checkout.replicas = 4;
  deploy(checkout);
  send_load(checkout, 200);
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 400}, {"goMemLimit", "210MiB"}}}}},
                    {"canary",
                     {{"interval", "2s"},
                      {"maxDuration", "10m"},
                      {"warmUp", "5s"},
                      {"steps", {{{"percent", 25}, {"pause", "6s"}}, {{"percent", 50}}}}}},
                    {"rollback", {{"watchFor", "0s"}, {"guard", true}}},
                    {"slos", latency_slo({{"max", "100ms"}, {"maxFor", "10s"}, {"action", "StepDown"}})}});
  eventually_trial(
      "checkout-1", "has two pods in each arm",
      [&](const json& trial) {
        return number(trial, "/status/step") == 1 &&
               number(deployment("checkout-gopacer-canary"), "/status/availableReplicas") == 2 &&
               number(deployment("checkout-gopacer-baseline"), "/status/availableReplicas") == 2;
      },
      seconds(120));
  const json trial = trial_ended("checkout-1", seconds(220));
  ASSERT_EQ(text(trial, "/status/verdict"), "Promote") << text(trial, "/status/message");
  EXPECT_EQ(env_of(deployment(), "GOGC"), "400");
  EXPECT_EQ(text(profile(), "/status/applied/gogc"), "400");

  tell_pods("app=checkout", "/control/slow?by=300ms");
  eventually("the guard steps down", [&] { return env_of(deployment(), "GOGC") == "200"; });
  eventually("the profile says what it did", [&] { return text(profile(), "/status/applied/gogc") == "200"; });
  const std::vector<json> events = list("events");
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const json& event) {
    return text(event, "/reason") == "SteppedDown" && text(event, "/type") == "Warning";
  }));
  const json after = profile();
  EXPECT_TRUE(text(after, "/status/puttingBack/message").empty()) << "it is done";
  EXPECT_EQ(text(after, "/status/bannedRegions/0/gogc"), "400");
  EXPECT_EQ(text(after, "/status/bannedRegions/0/reason"), "SloViolated");
  EXPECT_THAT(history(), HasSubstr("gopacer: back to GOGC=200"));
  EXPECT_FALSE(text(condition(after, "Ready"), "/reason") == "SettingsChanged") << "nobody else did it";
  std::cout << history() << std::endl;
  expect_no_leftovers();
}

TEST_F(Tuning, RollsBackWhatFailsMoreOftenThanThePromiseAllows) {
  const Workload checkout = wasteful();
  deploy(checkout);
  send_load(checkout, 200);
  tune("checkout", {{"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 150}, {"goMemLimit", "200MiB"}}}}},
                    {"canary", {{"interval", "2s"}, {"maxDuration", "10m"}, {"minSamples", 100000000}}},
                    {"slos", with_others(json::array())}});
  eventually_trial("checkout-1", "is being measured",
                   [](const json& trial) { return number(trial, "/status/windows") > 0; });
  tell_pods("app=checkout,gopacer.dev/track=canary", "/control/fail?of-thousand=300");
  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/status/verdict"), "RollBack") << text(trial, "/status/message");
  EXPECT_EQ(text(trial, "/status/reason"), "SloViolated");
  EXPECT_THAT(text(trial, "/status/message"), HasSubstr("Only the canary is above 2%"));
  std::cout << text(trial, "/status/message") << std::endl;
  expect_no_leftovers();
}

TEST_F(Tuning, TunesAServiceThatWasNotMadeForIt) {
  Workload caddy;
  caddy.name = "caddy";
  caddy.image = "caddy";
  caddy.arguments = {};
  caddy.memory_limit = "128Mi";
  caddy.ready_path = "/healthz";
  deploy(caddy);
  send_load(caddy, 60, "/list.json?n=200");
  tune("caddy", {{"updatePolicy", {{"updateMode", "Off"}}}, {"runtimeMetrics", {{"port", 2019}}}});
  eventually("caddy's profile has a recommendation",
             [&] { return text(condition(profile("caddy"), "RecommendationProvided"), "/status") == "True"; });
  const json recommended = profile("caddy");
  EXPECT_EQ(number(recommended, "/status/observed/podsScraped"), 1);
  EXPECT_FALSE(text(recommended, "/status/observed/gcCpuPercent").empty());
  std::cout << "caddy: " << condition(recommended, "RecommendationProvided").value("message", "") << std::endl;
  EXPECT_TRUE(list("grt").empty()) << "updateMode Off tries nothing";

  change_profile("caddy",
                 {{"updatePolicy", {{"updateMode", "Canary"}}},
                  {"canary", {{"interval", "2s"}}},
                  {"objective", {{"strategy", "Fixed"}, {"settings", {{"gogc", 200}, {"goMemLimit", "100MiB"}}}}}});
  const json trial = trial_ended("caddy-1", seconds(220));
  EXPECT_EQ(text(trial, "/status/verdict"), "Promote") << text(trial, "/status/message");
  EXPECT_EQ(env_of(deployment("caddy"), "GOGC"), "200");
  EXPECT_EQ(env_of(deployment("caddy"), "GOMEMLIMIT"), "100MiB");
  expect_no_leftovers("caddy");
}

}  // namespace
}  // namespace gopacer::cluster
