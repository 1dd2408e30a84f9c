// What a platform team's cluster does to trials of services that nobody told gopacer about.
#include <gmock/gmock.h>

#include <algorithm>

#include "cluster/trial_test.h"

namespace gopacer::cluster {
namespace {

using testing::HasSubstr;

class Strangers : public TrialTest {
 protected:
  /// Settings that pass, and a watch that does not end while the test runs.
  static json promoted_and_watched() {
    return {{"objective", fixed(400, "200MiB")}, {"rollback", {{"watchFor", "1h"}}}};
  }
  bool is_told(const json& trial, const std::string& words) {
    for (const json& step : trial["status"].value("steps", json::array())) {
      if (step.value("message", "").find(words) != std::string::npos) return true;
    }
    return false;
  }
};

/// Those that have to pass a trial first, on which statistics decide.
class StrangersTuned : public Strangers {
 protected:
  /// Until checkout's trial watches settings that passed.
  void promote_and_watch() {
    Workload checkout;
    checkout.arguments = {"--live-heap=32MiB", "--extra-alloc=512KiB", "--drain=0s"};
    deploy(checkout);
    send_load(checkout, 150);
    tune("checkout", promoted_and_watched());
    eventually_trial(
        "checkout-1", "watches", [](const json& trial) { return text(trial, "/status/phase") == "Watching"; },
        seconds(200));
  }
};

TEST_F(Strangers, ATargetScaledToZeroTakesTheTrialsPodsWithIt) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  start_endless_trial(checkout);
  kubectl({"scale", "deployment/checkout", "--replicas=0"});
  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/status/verdict"), "Superseded");
  EXPECT_EQ(text(trial, "/status/reason"), "ScaledToZero");
  expect_no_leftovers();
  eventually("no pod of it is left", [&] { return list("pods", "app=checkout").empty(); });
}

TEST_F(Strangers, WhatMustNotRunTwiceIsOnlyRunTwiceOnAPersonsWord) {
  const Workload checkout;
  deploy(checkout);
  kubectl({"patch", "deployment", "checkout", "--type=merge", "-p",
           R"({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}})"});
  send_load(checkout, 40);
  tune("checkout", endless_trial());
  eventually("the profile says why it starts nothing",
             [&] { return text(condition(profile(), "ConfigUnsupported"), "/reason") == "StrategyRecreate"; });
  EXPECT_THAT(text(condition(profile(), "ConfigUnsupported"), "/message"), HasSubstr("allowDuplicates"));
  eventually("it recommends all the same",
             [&] { return text(condition(profile(), "RecommendationProvided"), "/status") == "True"; });
  EXPECT_TRUE(list("grt").empty());

  change_profile("checkout", {{"canary", {{"allowDuplicates", true}}}});
  eventually_trial("checkout-1", "is under way with its pods",
                   [&](const json&) { return list("pods", "gopacer.dev/track,app=checkout").size() == 2; });
  change_profile("checkout", {{"canary", {{"allowDuplicates", false}}}});
  EXPECT_EQ(text(trial_ended("checkout-1"), "/status/reason"), "StrategyRecreate");
  expect_no_leftovers();

  change_profile("checkout", {{"history", {{"unsuccessfulTrialsLimit", 0}}}});
  eventually("the ended trial is beyond what is kept", [&] { return trial("checkout-1").is_null(); });
}

TEST_F(StrangersTuned, ADeletedTrialTakesItsUnconfirmedSettingsBack) {
  promote_and_watch();
  EXPECT_EQ(env_of(deployment(), "GOGC"), "400");
  kubectl({"delete", "grt", "checkout-1", "--wait=false"});
  eventually("the old settings are back", [&] { return env_of(deployment(), "GOGC").empty(); });
  eventually("the trial is gone", [&] { return trial("checkout-1").is_null(); });
  eventually("the profile has forgotten it", [&] {
    const std::string active = text(profile(), "/status/activeTrial");
    return active != "checkout-1";
  });
  EXPECT_EQ(env_of(deployment(), "GOMEMLIMIT"), "");
}

TEST_F(StrangersTuned, AnUndoneRolloutIsThePersonsDecision) {
  promote_and_watch();
  kubectl({"rollout", "undo", "deployment/checkout"});
  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/status/reason"), "SettingsChanged") << text(trial, "/status/message");
  eventually("the profile keeps off these settings",
             [&] { return text(profile(), "/status/bannedRegions/0/reason") == "SettingsChanged"; });
  EXPECT_EQ(env_of(deployment(), "GOGC"), "");
  EXPECT_EQ(env_of(deployment(), "GOMEMLIMIT"), "");
  expect_no_leftovers();

  // And the other way: they may have the trial's settings after all, without another trial.
  kubectl({"annotate", "grp", "checkout", "gopacer.dev/undo-to=checkout-1"});
  eventually("the trial's settings are there", [&] { return env_of(deployment(), "GOGC") == "400"; });
  eventually("that is noted", [&] { return text(profile(), "/status/undoneTo") == "checkout-1"; });
  EXPECT_EQ(env_of(deployment(), "GOMEMLIMIT"), "200MiB");
  EXPECT_EQ(owner_of_env("checkout", "GOGC"), "gopacer");
  kubectl({"annotate", "grp", "checkout", "gopacer.dev/undo-to-"});

  // What kubectl now owns on the Deployment is no obstacle: a trial begins with a rehearsal of its promotion.
  change_profile("checkout", {{"objective", fixed(250, "200MiB")}});
  eventually("other settings are tried", [&] { return !TrialTest::trial("checkout-2").is_null(); });
}

TEST_F(Strangers, AQuotaThatIsTooSmallIsTheTrialsReason) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  apply(json::parse(R"({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"},
                        "spec": {"hard": {"pods": "2"}}})"));
  tune("checkout", endless_trial());
  const json trial = trial_ended("checkout-1");
  EXPECT_EQ(text(trial, "/status/verdict"), "Inconclusive");
  EXPECT_EQ(text(trial, "/status/reason"), "Refused");
  EXPECT_THAT(text(trial, "/status/message"), HasSubstr("exceeded quota: small"));
  expect_no_leftovers();
}

TEST_F(Strangers, AComparisonBeginsAnewWhenOneOfItsPodsIsReplaced) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  start_endless_trial(checkout);
  eventually_trial("checkout-1", "measures",
                   [](const json& trial) { return text(trial, "/status/phase") == "Measuring"; });
  kubectl({"delete", "pod", "-l", "gopacer.dev/track=baseline", "--wait=false"});
  eventually_trial("checkout-1", "has begun anew",
                   [&](const json& trial) { return is_told(trial, "the comparison begins anew"); });
  eventually_trial("checkout-1", "measures again",
                   [](const json& trial) { return text(trial, "/status/phase") == "Measuring"; });
  EXPECT_EQ(text(trial("checkout-1"), "/status/verdict"), "");
}

TEST_F(Strangers, APodWithTheTargetsLabelsIsNotThereforeTheTargets) {
  const Workload checkout;
  deploy(checkout);
  send_load(checkout, 40);
  const json target = deployment();
  json pod{{"apiVersion", "v1"},
           {"kind", "Pod"},
           {"metadata", {{"name", "of-nobody"}, {"labels", target["spec"]["template"]["metadata"]["labels"]}}},
           {"spec", target["spec"]["template"]["spec"]}};
  apply(pod);
  eventually("the stray pod runs", [&] { return text(get("pod", "of-nobody"), "/status/phase") == "Running"; });
  tune("checkout", {{"updatePolicy", {{"updateMode", "Off"}}}});
  eventually("the profile has read its pods", [&] { return number(profile(), "/status/observed/podsScraped") >= 1; });
  EXPECT_EQ(number(profile(), "/status/observed/pods"), 1);
}

}  // namespace
}  // namespace gopacer::cluster
