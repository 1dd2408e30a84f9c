#include "record/profile_status.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "record/pass_scene.h"

namespace gopacer {
namespace {

using builders::change;
using builders::new_settings;
using builders::settings;
using nlohmann::json;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

Condition condition(PassScene& scene, const std::string& type) {
  for (const Condition& found : record::conditions(scene.pass())) {
    if (found.type == type) return found;
  }
  ADD_FAILURE() << "no condition " << type;
  return {};
}

Decision refusal() {
  Decision decision;
  decision.kind = Decision::Kind::kRefuse;
  decision.reason = "SelfTuned";
  decision.message = "The program sets GOGC itself.";
  return decision;
}

Decision nothing_known() {
  Decision decision;
  decision.reason = "TooFewSamples";
  decision.message = "Two samples so far.";
  return decision;
}

/// One row: what happens, and the word for it.
struct PhaseCase {
  const char* name;
  void (*prepare)(PassScene&);
  const char* phase;
};

class ProfilePhase : public testing::TestWithParam<PhaseCase> {};

TEST_P(ProfilePhase, IsTheWordForWhatHappens) {
  PassScene scene;
  GetParam().prepare(scene);
  EXPECT_EQ(record::phase(scene.pass()), GetParam().phase);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ProfilePhase,
    testing::Values(
        PhaseCase{"NothingWorthARestart", [](PassScene&) {}, "Tuned"},
        PhaseCase{"TooLittleData", [](PassScene& scene) { scene.decision = nothing_known(); }, "Observing"},
        PhaseCase{"AChangeWouldHelp", [](PassScene& scene) { scene.decision = change(); }, "Recommended"},
        PhaseCase{"ACoolDownHoldsItBack", [](PassScene& scene) { scene.decision.recommended = new_settings(); },
                  "Recommended"},
        PhaseCase{"TheTargetIsUnsuitable", [](PassScene& scene) { scene.decision = refusal(); }, "Blocked"},
        PhaseCase{"SomethingStandsAgainstIt", [](PassScene& scene) { scene.target_is_there = false; }, "Blocked"},
        PhaseCase{"APersonSuspendedIt", [](PassScene& scene) { scene.profile.spec.suspend = true; }, "Suspended"},
        PhaseCase{"ATrialMeasures",
                  [](PassScene& scene) { scene.run_trial(TrialPhase::kMeasuring, TrialPhase::kMeasuring); }, "Trial"},
        PhaseCase{"ATrialRollsBack",
                  [](PassScene& scene) { scene.run_trial(TrialPhase::kRollingBack, TrialPhase::kRollingBack); },
                  "Trial"},
        PhaseCase{"ATrialWatches",
                  [](PassScene& scene) { scene.run_trial(TrialPhase::kPromoting, TrialPhase::kWatching); }, "Watching"},
        PhaseCase{"ATrialEnds", [](PassScene& scene) { scene.run_trial(TrialPhase::kWatching, TrialPhase::kEnded); },
                  "Tuned"},
        PhaseCase{"ATrialGoesOnThoughTheTargetIsPaused",
                  [](PassScene& scene) {
                    scene.run_trial(TrialPhase::kMeasuring, TrialPhase::kMeasuring);
                    scene.target.rollout.paused = true;
                  },
                  "Trial"}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Conditions, AreAlwaysAllThereAndNeverWithoutAReason) {
  PassScene scene;
  scene.decision = Decision();
  scene.step.reason.clear();
  const auto all = record::conditions(scene.pass());
  std::vector<std::string> types;
  for (const Condition& found : all) {
    types.push_back(found.type);
    EXPECT_FALSE(found.reason.empty()) << found.type;
  }
  EXPECT_THAT(types, testing::ElementsAre("Ready", "Progressing", "MetricsAvailable", "RecommendationProvided",
                                          "FieldConflict", "ConfigUnsupported", "HeapPressure"));
}

TEST(HeapPressure, IsAHeapNearItsLimitOrManyCollections) {
  PassScene scene;
  scene.decision.estimate.emplace().cycles_per_minute = 2;
  EXPECT_EQ(condition(scene, "HeapPressure").reason, "EnoughRoom");
  scene.decision.estimate->cycles_per_minute = 8.5;
  EXPECT_EQ(condition(scene, "HeapPressure").reason, "CollectsOften");
  PodSeries pod;
  pod.settings.go_mem_limit = mib(100);
  for (const int seconds_ago : {300, 60, 0}) {
    Sample sample;
    sample.at = scene.now - std::chrono::seconds(seconds_ago);
    sample.mem.emplace().heap_in_use = mib(seconds_ago == 300 ? 99 : seconds_ago == 60 ? 85 : 50);
    pod.samples.push_back(sample);
  }
  scene.observed.pods = {pod};
  const Condition near = condition(scene, "HeapPressure");
  EXPECT_TRUE(near.status);
  EXPECT_EQ(near.reason, "HeapNearLimit");
  EXPECT_THAT(near.message, HasSubstr("85.0% of GOMEMLIMIT")) << "not of five minutes ago";
  scene.decision.estimate.reset();
  scene.observed.pods.clear();
  EXPECT_FALSE(condition(scene, "HeapPressure").status) << "no data is no alarm";
}

TEST(Conditions, KeepTheirTimeUntilTheirStatusChanges) {
  PassScene scene;
  scene.profile.conditions = {{"Ready", true, "Observing", "", scene.now - minutes(9)},
                              {"FieldConflict", true, "OtherManager", "", scene.now - minutes(9)}};
  EXPECT_EQ(condition(scene, "Ready").since, scene.now - minutes(9)) << "another reason is no other status";
  EXPECT_EQ(condition(scene, "FieldConflict").since, scene.now);
}

TEST(Ready, IsTrueWhileEverythingWorksAndTellsWhatHappens) {
  PassScene scene;
  const Condition ready = condition(scene, "Ready");
  EXPECT_TRUE(ready.status);
  EXPECT_EQ(ready.reason, scene.step.reason);
  EXPECT_EQ(ready.message, scene.step.message);
}

TEST(Ready, IsFalseWithTheFirstProblem) {
  PassScene scene;
  scene.target.containers.front().env.push_back({"GOGC", "", true});
  scene.target.rollout.paused = true;
  EXPECT_FALSE(condition(scene, "Ready").status);
  EXPECT_EQ(condition(scene, "Ready").reason, "EnvFromSource");
  EXPECT_THAT(condition(scene, "Ready").message, HasSubstr("comes from valueFrom"));
}

TEST(Ready, IsFalseWhenTheStepCouldNotBeTaken) {
  PassScene scene;
  scene.error = Error{ErrorKind::kTerminal, "cannot create Deployment shop/x: forbidden"};
  EXPECT_FALSE(condition(scene, "Ready").status);
  EXPECT_EQ(condition(scene, "Ready").reason, "WriteFailed");
  EXPECT_THAT(condition(scene, "Ready").message, HasSubstr("forbidden"));
}

TEST(Ready, IsFalseOnAConflictOnlyWhereSettingsAreToBeApplied) {
  PassScene scene;
  scene.target.env_owners = {{"app", "GOGC", "kubectl-set"}};
  EXPECT_FALSE(condition(scene, "Ready").status);
  EXPECT_EQ(condition(scene, "Ready").reason, "FieldConflict");
  scene.profile.spec.update_mode = UpdateMode::kOff;
  EXPECT_TRUE(condition(scene, "Ready").status);
  EXPECT_TRUE(condition(scene, "FieldConflict").status) << "it is told all the same";
}

TEST(Ready, IsFalseWhenNoPodCanBeRead) {
  PassScene scene;
  scene.observed.pods.clear();
  scene.add_pod("checkout-a", "pod shop/checkout-a answered with HTTP 404: import net/http/pprof");
  EXPECT_FALSE(condition(scene, "Ready").status);
  EXPECT_EQ(condition(scene, "Ready").reason, "MetricsUnavailable");
  EXPECT_THAT(condition(scene, "Ready").message, HasSubstr("import net/http/pprof"));
}

TEST(MetricsAvailable, TellsOfSomePodsThatFail) {
  PassScene scene;
  scene.add_pod("checkout-c", "pod shop/checkout-c: connection refused");
  const Condition metrics = condition(scene, "MetricsAvailable");
  EXPECT_TRUE(metrics.status);
  EXPECT_EQ(metrics.reason, "SomePodsFail");
  EXPECT_THAT(metrics.message, HasSubstr("2 of 3 pods"));
  EXPECT_THAT(metrics.message, HasSubstr("connection refused"));
}

TEST(MetricsAvailable, IsFalseWithoutPods) {
  PassScene scene;
  scene.observed.pods.clear();
  EXPECT_FALSE(condition(scene, "MetricsAvailable").status);
  EXPECT_EQ(condition(scene, "MetricsAvailable").reason, "NoPods");
}

TEST(MetricsAvailable, IsFalseUntilTheFirstSample) {
  PassScene scene;
  scene.observed.pods.clear();
  scene.observed.pods.emplace_back();
  EXPECT_EQ(condition(scene, "MetricsAvailable").reason, "WaitingForSamples");
}

TEST(MetricsAvailable, IsFalseWhileAVerdictWouldLackSomething) {
  PassScene scene;
  EXPECT_TRUE(condition(scene, "MetricsAvailable").status);
  scene.profile.spec.slos.emplace_back().name = "latency";
  scene.observed.pods[0].unread["latency"] = "pod shop/checkout-a has no histogram http_seconds";
  const Condition metrics = condition(scene, "MetricsAvailable");
  EXPECT_FALSE(metrics.status);
  EXPECT_EQ(metrics.reason, "SourcesUnread");
  EXPECT_THAT(metrics.message, HasSubstr("SLO latency: pod shop/checkout-a has no histogram http_seconds"));
  scene.profile.spec.update_mode = UpdateMode::kCanary;
  EXPECT_EQ(condition(scene, "Ready").reason, "SourcesUnread") << "no trial can start";
  scene.profile.spec.update_mode = UpdateMode::kOff;
  EXPECT_TRUE(condition(scene, "Ready").status) << "none is wanted";
}

TEST(Progressing, IsTrueDuringATrialOnly) {
  PassScene scene;
  EXPECT_FALSE(condition(scene, "Progressing").status);
  scene.run_trial(TrialPhase::kMeasuring, TrialPhase::kMeasuring);
  EXPECT_TRUE(condition(scene, "Progressing").status);
  EXPECT_EQ(condition(scene, "Progressing").reason, "Measuring");
  EXPECT_THAT(condition(scene, "Progressing").message, HasSubstr("checkout-1"));
  scene.run_trial(TrialPhase::kMeasuring, TrialPhase::kEnded);
  EXPECT_FALSE(condition(scene, "Progressing").status);
}

TEST(RecommendationProvided, IsTrueWhenThereIsOneOrNothingIsWorthIt) {
  PassScene scene;
  EXPECT_TRUE(condition(scene, "RecommendationProvided").status);
  scene.decision = change();
  EXPECT_TRUE(condition(scene, "RecommendationProvided").status);
  scene.decision = nothing_known();
  EXPECT_FALSE(condition(scene, "RecommendationProvided").status);
  EXPECT_EQ(condition(scene, "RecommendationProvided").reason, "TooFewSamples");
  scene.decision = refusal();
  EXPECT_FALSE(condition(scene, "RecommendationProvided").status);
}

TEST(ConfigUnsupported, ShowsTheProblemThatIsMeantForIt) {
  PassScene scene;
  EXPECT_FALSE(condition(scene, "ConfigUnsupported").status);
  scene.target.rollout.paused = true;
  scene.target.containers.front().env = {{"GOGC", "50", false}, {"GOGC", "60", false}};
  EXPECT_TRUE(condition(scene, "ConfigUnsupported").status);
  EXPECT_EQ(condition(scene, "ConfigUnsupported").reason, "EnvDuplicated");
}

TEST(Conditions, ClaimNothingOfAContainerThatIsNotThere) {
  PassScene scene;
  scene.observed.pods.clear();
  for (const bool target_is_there : {false, true}) {
    scene.target_is_there = target_is_there;
    if (target_is_there) scene.desired.container.clear();
    for (const char* const type : {"MetricsAvailable", "FieldConflict"}) {
      EXPECT_FALSE(condition(scene, type).status);
      EXPECT_EQ(condition(scene, type).reason, "NoContainer") << type;
    }
    EXPECT_EQ(condition(scene, "ConfigUnsupported").reason, target_is_there ? "ContainerAmbiguous" : "NoContainer");
  }
}

TEST(ConfigUnsupported, ShowsWhatKeepsTrialsAwayThoughTheTargetCanBeTuned) {
  PassScene scene;
  scene.decision = change();
  scene.target.recreates = true;
  EXPECT_EQ(condition(scene, "ConfigUnsupported").reason, "StrategyRecreate");
  EXPECT_EQ(condition(scene, "Ready").reason, "StrategyRecreate");
  EXPECT_TRUE(condition(scene, "RecommendationProvided").status) << "recommendations go on";
  scene.profile.spec.canary.allow_duplicates = true;
  EXPECT_FALSE(condition(scene, "ConfigUnsupported").status);
}

TEST(Ready, IsFalseWhenTheServerRefusesWhatATrialNeeds) {
  PassScene scene;
  scene.step.refused = true;
  scene.step.reason = "Refused";
  scene.step.message = "exceeded quota";
  EXPECT_FALSE(condition(scene, "Ready").status);
  EXPECT_EQ(condition(scene, "Ready").message, "exceeded quota");
}

TEST(Conditions, CutLongMessagesWhereACharacterEnds) {
  PassScene scene;
  scene.step.message.clear();
  for (int i = 0; i < 2000; ++i) scene.step.message += "→";
  const std::string message = condition(scene, "Ready").message;
  EXPECT_LE(message.size(), 2000U);
  EXPECT_EQ(message.size() % 3, 0U);
}

TEST(Status, TellsOfWhichSpecItIs) {
  PassScene scene;
  scene.profile.generation = 7;
  const json status = record::profile_status(scene.pass());
  EXPECT_EQ(status["observedGeneration"], 7);
  for (const json& found : status["conditions"]) EXPECT_EQ(found["observedGeneration"], 7);
}

TEST(Status, ShowsTheRecommendation) {
  PassScene scene;
  scene.decision = change();
  scene.decision.predicted.emplace();
  scene.decision.predicted->saving = 0.062;
  const json part = record::profile_status(scene.pass())["recommendation"];
  EXPECT_EQ(part["gogc"], 200);
  EXPECT_EQ(part["goMemLimit"], "430MiB");
  EXPECT_EQ(part["binding"], "objective");
  EXPECT_EQ(part["expectedSavingPercent"], "6.2%");
}

TEST(Status, ShowsWhereTheStepsLeadAndWhatAPersonMayChooseFrom) {
  PassScene scene;
  scene.decision = change();
  scene.decision.estimate.emplace();
  EXPECT_EQ(record::profile_status(scene.pass())["recommendation"]["destination"], nullptr);
  scene.decision.destination = Outlook{{Gogc(400), mib(430)}, {}, "objective"};
  for (const int gogc : {50, 400}) {
    Outlook& choice = scene.decision.tradeoff.emplace_back();
    choice.settings = {Gogc(gogc), mib(430)};
    choice.predicted.gc_cpu_fraction = 8.0 / gogc;
    choice.predicted.peak_memory = mib(gogc);
  }
  const json status = record::profile_status(scene.pass());
  EXPECT_EQ(status["recommendation"]["destination"], "GOGC=400 GOMEMLIMIT=430MiB");
  EXPECT_EQ(status["observed"]["tradeoff"],
            (json{"GOGC=50 GOMEMLIMIT=430MiB: collection takes 16.0% of the CPU, peak memory 50.0MiB",
                  "GOGC=400 GOMEMLIMIT=430MiB: collection takes 2.0% of the CPU, peak memory 400.0MiB"}));
}

TEST(Status, SaysWhereEachFigureComesFromAndHowSureItIs) {
  PassScene scene;
  scene.decision = change();
  Estimate& estimate = scene.decision.estimate.emplace();
  estimate.gc_cpu_source = "CPU profile";
  estimate.gc_cpu_rel_error = 0.081;
  estimate.live_heap_source = "heap goal";
  estimate.live_heap_rel_error = 0.25;
  const json sources = record::profile_status(scene.pass())["observed"]["sources"];
  EXPECT_EQ(sources["gcCpu"], "CPU profile ± 8.1%");
  EXPECT_EQ(sources["liveHeap"], "heap goal ± 25%");
  EXPECT_EQ(sources["cpu"], nullptr);
}

TEST(Status, TakesBackWhatIsNoLongerKnown) {
  // A merge patch keeps what it does not name.
  PassScene scene;
  scene.decision = change();
  scene.decision.predicted.emplace();
  scene.decision.estimate.emplace();
  scene.decision.estimate->container_limit = mib(512);
  scene.decision.estimate->cpu_source = "process";
  scene.observed.container_source = "kubelet";
  json kept;
  kept.merge_patch(record::profile_status(scene.pass()));
  ASSERT_TRUE(kept["observed"].contains("liveHeap"));
  ASSERT_TRUE(kept["recommendation"].contains("predicted"));

  scene.decision.predicted.reset();
  scene.decision.estimate.reset();
  scene.decision.settings.go_mem_limit.reset();
  scene.observed.container_source.clear();
  kept.merge_patch(record::profile_status(scene.pass()));
  EXPECT_EQ(kept["observed"], (json{{"pods", 2}, {"podsScraped", 2}}));
  EXPECT_FALSE(kept["recommendation"].contains("predicted"));
  EXPECT_FALSE(kept["recommendation"].contains("expectedSavingPercent"));
  EXPECT_FALSE(kept["recommendation"].contains("goMemLimit"));

  scene.decision = nothing_known();
  kept.merge_patch(record::profile_status(scene.pass()));
  EXPECT_FALSE(kept.contains("recommendation"));
}

TEST(Status, KeepsTheMemoryUntilAStepChangesIt) {
  PassScene scene;
  scene.profile.memory.trial_count = 3;
  scene.profile.memory.applied = new_settings();
  scene.profile.memory.applied_over = settings(100);
  scene.profile.memory.applied_beside = settings(80);
  scene.profile.memory.putting_back = PutBack{settings(140), std::nullopt, "SteppedDown",    "It was slow.",
                                              "p99",         "hash-1",     builders::kStart, "SloViolated"};
  scene.profile.memory.applied_uid = "target-uid";
  scene.profile.memory.applied_container = "app";
  scene.profile.memory.cool_down_until = builders::after(minutes(9));
  scene.profile.memory.banned = {{settings(400), "hash-1", "GcShare", builders::kStart}};
  scene.profile.memory.missed_predictions = 1;
  scene.profile.memory.missed_template = "hash-1";
  scene.profile.memory.retried = "checkout-2";
  scene.profile.memory.marking = MarkingCost{0.75, 0.125, "hash-1"};
  const json status = record::profile_status(scene.pass());
  EXPECT_EQ(status["trialCount"], 3);
  EXPECT_EQ(status["applied"], (json{{"gogc", "200"},
                                     {"goMemLimit", "430MiB"},
                                     {"targetUid", "target-uid"},
                                     {"container", "app"},
                                     {"over", {{"gogc", "100"}, {"goMemLimit", nullptr}}},
                                     {"beside", {{"gogc", "80"}, {"goMemLimit", nullptr}}}}));
  EXPECT_EQ(status["puttingBack"], (json{{"gogc", "140"},
                                         {"goMemLimit", nullptr},
                                         {"over", nullptr},
                                         {"reason", "SteppedDown"},
                                         {"message", "It was slow."},
                                         {"slo", "p99"},
                                         {"templateHash", "hash-1"},
                                         {"at", "2024-05-01T10:00:00Z"},
                                         {"banReason", "SloViolated"}}));
  EXPECT_EQ(status["coolDownUntil"], "2024-05-01T10:09:00Z");
  EXPECT_EQ(status["bannedRegions"], json::array({json{{"gogc", "400"},
                                                       {"templateHash", "hash-1"},
                                                       {"reason", "GcShare"},
                                                       {"at", "2024-05-01T10:00:00Z"},
                                                       {"trials", 1}}}));
  EXPECT_EQ(status["missedPredictions"], 1);
  EXPECT_EQ(status["missedTemplate"], "hash-1");
  EXPECT_EQ(status["retried"], "checkout-2");
  EXPECT_EQ(status["marking"],
            (json{{"nanosecondsPerByte", "0.75"}, {"relativeError", "0.125"}, {"templateHash", "hash-1"}}));
}

TEST(Status, HasTheMemoryOfAStepThatWasTaken) {
  PassScene scene;
  scene.step.memory = scene.profile.memory;
  scene.step.memory->trial_count = 4;
  scene.step.memory->active_trial = "checkout-4";
  const json status = record::profile_status(scene.pass());
  EXPECT_EQ(status["trialCount"], 4);
  EXPECT_EQ(status["activeTrial"], "checkout-4");
}

TEST(Status, DoesNotHaveTheMemoryOfAStepThatFailed) {
  PassScene scene;
  scene.step.memory = scene.profile.memory;
  scene.step.memory->trial_count = 4;
  scene.error = Error{ErrorKind::kRetriable, "refused"};
  EXPECT_EQ(record::profile_status(scene.pass())["trialCount"], 0);
}

TEST(LastingPart, IsTheSameWhileOnlyFiguresDrift) {
  PassScene scene;
  scene.decision = change();
  scene.decision.estimate.emplace();
  scene.decision.estimate->alloc_rate = 1e6;
  scene.decision.predicted.emplace();
  scene.profile.conditions = record::conditions(scene.pass());
  const json before = record::lasting_part(record::profile_status(scene.pass()));
  scene.decision.estimate->alloc_rate = 2e6;
  scene.decision.predicted->saving = 0.03;
  scene.decision.message = "Slightly other figures.";
  scene.step.message = "Slightly other figures.";
  scene.now += seconds(3);
  EXPECT_EQ(record::lasting_part(record::profile_status(scene.pass())), before);
}

TEST(LastingPart, ChangesWithWhatPeopleAndTheNextPassRelyOn) {
  const auto lasting = [](void (*change_it)(PassScene&)) {
    PassScene scene;
    scene.decision = change();
    change_it(scene);
    return record::lasting_part(record::profile_status(scene.pass()));
  };
  const json before = lasting([](PassScene&) {});
  EXPECT_NE(lasting([](PassScene& scene) { scene.decision.settings.gogc = Gogc(300); }), before);
  EXPECT_NE(lasting([](PassScene& scene) { scene.desired.current = new_settings(); }), before);
  EXPECT_NE(lasting([](PassScene& scene) { scene.profile.memory.trial_count = 9; }), before);
  EXPECT_NE(lasting([](PassScene& scene) { scene.profile.memory.applied = new_settings(); }), before);
  EXPECT_NE(lasting([](PassScene& scene) { scene.profile.generation = 9; }), before);
  EXPECT_NE(lasting([](PassScene& scene) { scene.step.reason = "Other"; }), before);
  EXPECT_NE(lasting([](PassScene& scene) { scene.error = Error{ErrorKind::kTerminal, "forbidden"}; }), before);
  EXPECT_NE(lasting([](PassScene& scene) { scene.profile.memory.cool_down_until = scene.now; }), before);
}

}  // namespace
}  // namespace gopacer
