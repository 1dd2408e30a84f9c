#include "act/documents.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "fakes/builders.h"
#include "fakes/objects.h"

namespace gopacer {
namespace {

using builders::settings;
using nlohmann::json;
using objects::env_value;
using testing::HasSubstr;
using testing::Not;

json containers_of(const json& document) { return document["spec"]["template"]["spec"]["containers"]; }

struct Tracks {
  Trial trial = builders::trial(TrialPhase::kPending);
  json target = objects::deployment_object();

  json make(Track track) const {
    const Result<json> document = act::arm_deployment(target, trial, track);
    EXPECT_TRUE(document) << document.error().message;
    return document.value_or(json());
  }
  json canary() const { return make(Track::kCanary); }
  json baseline() const { return make(Track::kBaseline); }
};

/// The affinity of an arm whose target has none: twice the wish for a node of the other arm's pods, and one against its
/// own.
json wishes(const char* own, const char* other) {
  const auto term = [](int weight, const char* of) {
    return json{{"weight", weight},
                {"podAffinityTerm",
                 {{"labelSelector", {{"matchLabels", {{kTrialLabel, "checkout-1"}, {kTrackLabel, of}}}}},
                  {"topologyKey", "kubernetes.io/hostname"}}}};
  };
  const char* const wish = "preferredDuringSchedulingIgnoredDuringExecution";
  return json{{"podAffinity", {{wish, {term(100, other), term(100, other)}}}},
              {"podAntiAffinity", {{wish, {term(50, own)}}}}};
}

TEST(Canary, DiffersFromTheBaselineInTwoEntriesTheTrackAndItsEndOnly) {
  const Tracks tracks;
  const json canary = tracks.canary();
  json expected = tracks.baseline();
  expected["metadata"]["name"] = "checkout-gopacer-canary";
  expected["metadata"]["annotations"][kExpiresAnnotation] = "2024-05-01T10:37:00Z";
  expected["metadata"]["labels"][kTrackLabel] = "canary";
  expected["spec"]["selector"]["matchLabels"][kTrackLabel] = "canary";
  expected["spec"]["template"]["metadata"]["labels"][kTrackLabel] = "canary";
  expected["spec"]["template"]["spec"]["affinity"] = wishes("canary", "baseline");
  json& env = expected["spec"]["template"]["spec"]["containers"][0]["env"];
  env.push_back({{"name", "GOGC"}, {"value", "200"}});
  env.push_back({{"name", "GOMEMLIMIT"}, {"value", "430MiB"}});
  EXPECT_EQ(canary, expected);
}

TEST(Baseline, RunsTheTargetsTemplateWithTwoLabelsMore) {
  const Tracks tracks;
  json expected = tracks.target["spec"]["template"];
  expected["metadata"]["labels"][kTrialLabel] = "checkout-1";
  expected["metadata"]["labels"][kTrackLabel] = "baseline";
  json made = tracks.baseline()["spec"]["template"];
  made["spec"].erase("affinity");
  EXPECT_EQ(made, expected);
}

TEST(Arms, WishToRunInPairsOnEachNode) {
  const Tracks tracks;
  EXPECT_EQ(tracks.canary()["spec"]["template"]["spec"]["affinity"], wishes("canary", "baseline"));
  EXPECT_EQ(tracks.baseline()["spec"]["template"]["spec"]["affinity"], wishes("baseline", "canary"));
}

TEST(Arms, KeepWhatTheTargetAsksOfNodes) {
  Tracks tracks;
  const json own = json::parse(R"({
    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
      {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]}},
    "podAntiAffinity": {
      "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "checkout"}}}],
      "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": {"topologyKey": "zone"}}]}})");
  tracks.target["spec"]["template"]["spec"]["affinity"] = own;
  const json made = tracks.canary()["spec"]["template"]["spec"]["affinity"];
  EXPECT_EQ(made["nodeAffinity"], own["nodeAffinity"]);
  const char* const needs = "requiredDuringSchedulingIgnoredDuringExecution";
  const char* const wishes = "preferredDuringSchedulingIgnoredDuringExecution";
  EXPECT_EQ(made["podAntiAffinity"][needs], own["podAntiAffinity"][needs]);
  EXPECT_EQ(made["podAntiAffinity"][wishes].size(), 2U);
  EXPECT_EQ(made["podAntiAffinity"][wishes][0], own["podAntiAffinity"][wishes][0]);
}

TEST(Canary, KeepsVariablesThatComeFromElsewhere) {
  const json env = containers_of(Tracks().canary())[0]["env"];
  EXPECT_EQ(env[1]["name"], "POD_IP");
  EXPECT_EQ(env[1]["valueFrom"]["fieldRef"]["fieldPath"], "status.podIP");
}

TEST(Canary, ReplacesTheSettingsThatTheTargetHas) {
  Tracks tracks;
  json& env = tracks.target["spec"]["template"]["spec"]["containers"][0]["env"];
  env.insert(env.begin(), json{{"name", "GOGC"}, {"value", "150"}});
  env.push_back({{"name", "GOMEMLIMIT"}, {"value", "300MiB"}});
  tracks.trial.spec.from = settings(150, mib(300));
  tracks.trial.spec.to = settings(250);
  EXPECT_EQ(env_value(tracks.canary(), "GOGC"), "250");
  EXPECT_EQ(env_value(tracks.canary(), "GOMEMLIMIT"), "") << "unset is a setting as well";
  EXPECT_EQ(env_value(tracks.baseline(), "GOGC"), "150");
  EXPECT_EQ(env_value(tracks.baseline(), "GOMEMLIMIT"), "300MiB");
}

TEST(Canary, WorksForAContainerWithoutAnyVariables) {
  Tracks tracks;
  tracks.target["spec"]["template"]["spec"]["containers"][0].erase("env");
  EXPECT_EQ(env_value(tracks.canary(), "GOGC"), "200");
  EXPECT_FALSE(containers_of(tracks.baseline())[0].contains("env"));
}

TEST(Canary, LeavesOtherContainersAlone) {
  Tracks tracks;
  const json sidecar{
      {"name", "proxy"}, {"image", "proxy:1"}, {"env", json::array({{{"name", "GOGC"}, {"value", "50"}}})}};
  tracks.target["spec"]["template"]["spec"]["containers"].push_back(sidecar);
  EXPECT_EQ(containers_of(tracks.canary())[1], sidecar);
  EXPECT_EQ(env_value(tracks.canary(), "GOGC", "app"), "200");
}

TEST(Canary, IsOwnedByTheTrialSoThatNothingOutlivesIt) {
  for (const json& document : {Tracks().canary(), Tracks().baseline()}) {
    const json& owners = document["metadata"]["ownerReferences"];
    ASSERT_EQ(owners.size(), 1U);
    EXPECT_EQ(owners[0]["kind"], "GoRuntimeTrial");
    EXPECT_EQ(owners[0]["name"], "checkout-1");
    EXPECT_EQ(owners[0]["uid"], "trial-uid");
    EXPECT_EQ(owners[0]["controller"], true);
  }
}

TEST(Canary, CannotBeTakenForTheTargetByItsOwnSelector) {
  // Selectors of Deployments must not overlap: ours selects by our labels only, and the target's pods have none of
  // them.
  const json canary = Tracks().canary();
  EXPECT_EQ(canary["spec"]["selector"]["matchLabels"], (json{{kTrialLabel, "checkout-1"}, {kTrackLabel, "canary"}}));
}

TEST(Canary, TakesTrafficAsTheTargetsPodsDo) {
  const json labels = Tracks().canary()["spec"]["template"]["metadata"]["labels"];
  EXPECT_EQ(labels["app"], "checkout");
  EXPECT_EQ(labels["tier"], "web");
}

TEST(Canary, HasAsManyReplicasAsTheBaselineAndTheTrialSays) {
  Tracks tracks;
  tracks.trial.spec.canary.replicas = 2;
  EXPECT_EQ(tracks.canary()["spec"]["replicas"], 2);
  EXPECT_EQ(tracks.baseline()["spec"]["replicas"], 2);
}

TEST(Canary, SaysWhenItMayBeRemovedByAnybody) {
  EXPECT_EQ(objects::annotation(Tracks().canary(), kExpiresAnnotation), "2024-05-01T10:37:00Z");
  EXPECT_EQ(objects::annotation(Tracks().baseline(), kExpiresAnnotation), "2024-05-01T12:37:00Z")
      << "it stays for the watch";
}

TEST(Canary, HasTheLabelsThatPoliciesAskForAndNoneByWhichOthersKnowWhatIsTheirs) {
  Tracks tracks;
  tracks.target["metadata"]["labels"].update({{"app.kubernetes.io/instance", "checkout"},
                                              {"argocd.argoproj.io/instance", "shop"},
                                              {"helm.sh/chart", "c-1"},
                                              {"app.kubernetes.io/managed-by", "Helm"},
                                              {"example.com/cost-center", "42"}});
  tracks.target["metadata"]["annotations"] = {{"kubernetes.io/change-cause", "a person's"},
                                              {"kubectl.kubernetes.io/last-applied-configuration", "{}"},
                                              {"meta.helm.sh/release-name", "checkout"},
                                              {"example.com/owner", "cart"}};
  tracks.target["metadata"]["resourceVersion"] = "7";
  const json canary = tracks.canary();
  EXPECT_FALSE(canary["metadata"].contains("resourceVersion"));
  EXPECT_FALSE(canary["metadata"].contains("uid"));
  EXPECT_EQ(canary["metadata"]["labels"], (json{{"team", "cart"},
                                                {"example.com/cost-center", "42"},
                                                {"app.kubernetes.io/managed-by", "gopacer"},
                                                {kProfileLabel, "checkout"},
                                                {kTrialLabel, "checkout-1"},
                                                {kTrackLabel, "canary"}}));
  EXPECT_EQ(canary["metadata"]["annotations"],
            (json{{"example.com/owner", "cart"}, {kExpiresAnnotation, "2024-05-01T10:37:00Z"}}));
  EXPECT_FALSE(canary.contains("status"));
}

TEST(Canary, KeepsTheOrderOfItsVariablesSinceLaterOnesReferToEarlierOnes) {
  Tracks tracks;
  json& env = tracks.target["spec"]["template"]["spec"]["containers"][0]["env"];
  env = json::array({{{"name", "A"}, {"value", "1"}},
                     {{"name", "GOMEMLIMIT"}, {"value", "300MiB"}},
                     {{"name", "ARGS"}, {"value", "--limit=$(GOMEMLIMIT)"}},
                     {{"name", "GOGC"}, {"value", "150"}},
                     {{"name", "MORE"}, {"value", "$(GOGC)"}}});
  const json expected = json::array({{{"name", "A"}, {"value", "1"}},
                                     {{"name", "GOMEMLIMIT"}, {"value", "430MiB"}},
                                     {{"name", "ARGS"}, {"value", "--limit=$(GOMEMLIMIT)"}},
                                     {{"name", "GOGC"}, {"value", "200"}},
                                     {{"name", "MORE"}, {"value", "$(GOGC)"}}});
  EXPECT_EQ(containers_of(tracks.canary())[0]["env"], expected);
}

TEST(Canary, IsRefusedWhenTheContainerIsGone) {
  Tracks tracks;
  tracks.target["spec"]["template"]["spec"]["containers"][0]["name"] = "web";
  const Result<json> document = act::arm_deployment(tracks.target, tracks.trial, Track::kCanary);
  ASSERT_FALSE(document);
  EXPECT_THAT(document.error().message, HasSubstr("no container 'app'"));
  EXPECT_THAT(document.error().message, HasSubstr("spec.containerName"));
}

TEST(Canary, HasLegalNamesHoweverLongTheTargetsAre) {
  Tracks tracks;
  tracks.trial.spec.target.name = std::string(253, 't');
  tracks.trial.spec.profile = std::string(253, 'p');
  tracks.trial.key.name = trial_name(tracks.trial.spec.profile, 1234567890);
  const json canary = tracks.canary();
  EXPECT_LE(canary["metadata"]["name"].get<std::string>().size(), 63U - std::string("-76b9f8c4d5-x2x9z").size());
  for (const json& labels : {canary["metadata"]["labels"], canary["spec"]["template"]["metadata"]["labels"]}) {
    for (const auto& [name, value] : labels.items()) EXPECT_LE(value.get<std::string>().size(), 63U) << name;
  }
  EXPECT_NE(canary["metadata"]["name"], tracks.baseline()["metadata"]["name"]);
}

TEST(Canary, OfTwoLongNamesThatBeginAlikeIsNotTheSame) {
  const std::string long_name(60, 't');
  EXPECT_NE(track_deployment_name(long_name + "a", Track::kCanary),
            track_deployment_name(long_name + "b", Track::kCanary));
  EXPECT_NE(label_value(long_name + "aaaaa"), label_value(long_name + "aaaab"));
}

TEST(ChangeCause, SaysToPeopleWhatWasDoneAndWhy) {
  Trial trial = builders::trial(TrialPhase::kPromoting);
  trial.spec.predicted.saving_percent = "5.1";
  EXPECT_EQ(
      act::promotion_cause(trial),
      "gopacer: GOGC=200 GOMEMLIMIT=430MiB instead of Go's defaults (trial checkout-1, expected saving 5.1% of CPU)");
  trial.status.reason = "LatencyRegression";
  EXPECT_EQ(act::rollback_cause(trial, trial.spec.from),
            "gopacer: back to Go's defaults from GOGC=200 GOMEMLIMIT=430MiB (trial checkout-1: LatencyRegression)");
}

TEST(ChangeCause, PromisesNoSavingForAPersonsOwnSettings) {
  Trial trial = builders::trial(TrialPhase::kPromoting);
  trial.spec.predicted.saving_percent = "-5.1";
  trial.spec.strategy = Strategy::kFixed;
  EXPECT_THAT(act::promotion_cause(trial), Not(HasSubstr("saving")));
}

}  // namespace
}  // namespace gopacer
