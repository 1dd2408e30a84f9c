#include "codec/profile.h"

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

json profile() {
  return json::parse(R"({
    "metadata": {"namespace": "shop", "name": "checkout", "uid": "g1", "resourceVersion": "9", "generation": 2,
                 "creationTimestamp": "2024-05-01T10:00:00Z", "finalizers": ["gopacer.dev/revert"]},
    "spec": {
      "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}, "containerName": "app",
      "updatePolicy": {"updateMode": "Canary", "suspend": true, "revertOnDeletion": true},
      "objective": {"type": "Latency", "memoryPricePerGiBCores": "0.25", "strategy": "Fixed", "settings": {"gogc": 180, "goMemLimit": "430MiB"}},
      "bounds": {"minAllowed": {"gogc": 60, "goMemLimit": "100MiB"}, "maxAllowed": {"gogc": 300, "goMemLimitPercent": 80}},
      "runtimeMetrics": {"port": 6061, "path": "/pprof", "interval": "5s", "allowHostNetwork": true},
      "slos": [{"name": "p99", "podHistogram": {"port": 9090, "path": "/m", "metric": "h", "quantile": "0.95", "labels": {"method": "GET"}},
                "max": "300ms", "maxFor": "2m", "action": "Switch", "onNoData": "Ignore", "maxRegressionPercent": 7}],
      "canary": {"replicas": 2, "warmUp": "30s", "interval": "10s", "maxDuration": "5m", "minSamples": 100},
      "rollback": {"watchFor": "1m", "coolDown": "2m", "guard": true},
      "history": {"successfulTrialsLimit": 1, "unsuccessfulTrialsLimit": 2}},
    "status": {"trialCount": 3, "activeTrial": "checkout-3", "applied": {"gogc": "180"}, "coolDownUntil": "2024-05-01T11:00:00Z",
      "bannedRegions": [{"gogc": "10", "templateHash": "abc", "reason": "SloBreach", "at": "2024-05-01T10:30:00Z"},
                        {"gogc": "20", "templateHash": "abc", "reason": "NoBenefit", "at": "2024-05-01T10:30:00Z", "trials": 2}],
      "missedTemplate": "abc", "missedPredictions": 1, "retried": "checkout-2",
      "marking": {"nanosecondsPerByte": "0.75", "relativeError": "0.125", "templateHash": "abc"},
      "conditions": [{"type": "Ready", "status": "True", "reason": "AsExpected", "message": "all is well", "lastTransitionTime": "2024-05-01T10:00:00Z"}]}})");
}

TEST(DecodeProfile, ReadsTheWholeSpec) {
  const Profile got = codec::decode_profile(profile()).value();
  const ProfileSpec& spec = got.spec;
  EXPECT_EQ(got.generation, 2);
  EXPECT_THAT(got.finalizers, ElementsAre("gopacer.dev/revert"));
  EXPECT_EQ(spec.target, "checkout");
  EXPECT_EQ(spec.container, "app");
  EXPECT_EQ(spec.update_mode, UpdateMode::kCanary);
  EXPECT_TRUE(spec.suspend && spec.revert_on_deletion);
  EXPECT_EQ(spec.objective, Objective::kLatency);
  EXPECT_EQ(spec.memory_price, 0.25);
  EXPECT_EQ(spec.strategy, Strategy::kFixed);
  EXPECT_EQ(spec.fixed, (Settings{Gogc(180), mib(430)}));
  EXPECT_EQ(spec.bounds.min_gogc, 60);
  EXPECT_EQ(spec.bounds.max_gogc, 300);
  EXPECT_EQ(spec.bounds.min_go_mem_limit, mib(100));
  EXPECT_EQ(spec.bounds.max_go_mem_limit_percent, 80);
  EXPECT_EQ(spec.metrics.port, 6061);
  EXPECT_EQ(spec.metrics.path, "/pprof");
  EXPECT_EQ(spec.metrics.interval, std::chrono::seconds(5));
  EXPECT_TRUE(spec.metrics.allow_host_network);
  ASSERT_EQ(spec.slos.size(), 1);
  EXPECT_EQ(spec.slos[0].histogram().quantile, 0.95);
  EXPECT_THAT(spec.slos[0].histogram().labels, ElementsAre(Pair("method", "GET")));
  EXPECT_EQ(spec.slos[0].max, 0.3);
  EXPECT_EQ(spec.slos[0].max_for, std::chrono::minutes(2));
  EXPECT_EQ(spec.slos[0].action, BreachAction::kSwitch);
  EXPECT_EQ(spec.slos[0].on_no_data, NoDataAction::kIgnore);
  EXPECT_EQ(spec.slos[0].max_regression_percent, 7);
  EXPECT_EQ(spec.canary.replicas, 2);
  EXPECT_EQ(spec.canary.warm_up, std::chrono::seconds(30));
  EXPECT_EQ(spec.canary.max_duration, std::chrono::minutes(5));
  EXPECT_EQ(spec.canary.min_samples, 100);
  EXPECT_EQ(spec.rollback.watch_for, std::chrono::minutes(1));
  EXPECT_TRUE(spec.rollback.guard);
  EXPECT_EQ(spec.history.unsuccessful, 2);
}

TEST(DecodeProfile, ReadsItsMemory) {
  const Profile got = codec::decode_profile(profile()).value();
  EXPECT_EQ(got.memory.trial_count, 3);
  EXPECT_EQ(got.memory.active_trial, "checkout-3");
  EXPECT_EQ(got.memory.applied, (Settings{Gogc(180), std::nullopt}));
  EXPECT_EQ(got.memory.cool_down_until, parse_time("2024-05-01T11:00:00Z").value());
  ASSERT_EQ(got.memory.banned.size(), 2);
  EXPECT_EQ(got.memory.banned[0].trials, 2) << "what an older version banned, it banned for good";
  EXPECT_EQ(got.memory.banned[1].trials, 2);
  EXPECT_EQ(got.memory.missed_template, "abc");
  EXPECT_EQ(got.memory.banned[0].settings, (Settings{Gogc(10), std::nullopt}));
  EXPECT_EQ(got.memory.banned[0].template_hash, "abc");
  EXPECT_EQ(got.memory.missed_predictions, 1);
  EXPECT_EQ(got.memory.retried, "checkout-2");
  EXPECT_EQ(got.memory.marking, (MarkingCost{0.75, 0.125, "abc"}));
  ASSERT_EQ(got.conditions.size(), 1);
  EXPECT_TRUE(got.conditions[0].status);
}

TEST(DecodeProfile, ReadsWhatAPersonWantsDone) {
  json object = profile();
  object["metadata"]["annotations"] = {
      {kUndoAnnotation, "checkout-1"}, {kPromoteAnnotation, "checkout-2"}, {kRetryAnnotation, "checkout-3"}};
  EXPECT_EQ(codec::decode_profile(object)->wishes, (Wishes{"checkout-1", "checkout-2", "checkout-3"}));
}

TEST(DecodeProfile, LeavesACostThatCantBeOut) {
  for (const char* const bad :
       {R"({"nanosecondsPerByte": "0", "relativeError": "0.1"})", R"({"nanosecondsPerByte": "1"})",
        R"({"nanosecondsPerByte": "2000", "relativeError": "0.1"})", R"(7)",
        R"({"nanosecondsPerByte": "nan", "relativeError": "0.1"})",
        R"({"nanosecondsPerByte": 1, "relativeError": "0.1"})"}) {
    json object = profile();
    object["status"]["marking"] = json::parse(bad);
    EXPECT_FALSE(codec::decode_profile(object)->memory.marking) << bad;
  }
}

TEST(DecodeProfile, ReadsStepsAndRefusesThoseThatDoNotGrow) {
  json object = profile();
  object["spec"]["canary"] = json::parse(R"({"steps": [{"percent": 5, "pause": "5m"}, {"percent": 25}]})");
  const Profile got = codec::decode_profile(object).value();
  EXPECT_EQ(got.unreadable, "");
  EXPECT_THAT(got.spec.canary.steps,
              ElementsAre(CanaryStep{5, std::chrono::minutes(5)}, CanaryStep{25, std::chrono::seconds(0)}));
  object["spec"]["canary"]["steps"][1]["percent"] = 5;
  EXPECT_THAT(codec::decode_profile(object)->unreadable, HasSubstr("each step must have a larger percent"));
}

TEST(DecodeProfile, KnowsWhatTheGuardWasAboutToDo) {
  json object = profile();
  object["status"]["applied"]["over"] = {{"gogc", "100"}};
  object["status"]["puttingBack"] = {
      {"gogc", "140"}, {"over", {{"gogc", "100"}}}, {"reason", "SteppedDown"}, {"message", "It was slow."}};
  object["status"]["puttingBack"].update({{"slo", "p99"}, {"templateHash", "abc"}, {"at", "2024-05-01T11:00:00Z"}});
  object["status"]["puttingBack"]["banReason"] = "SloViolated";
  const Profile got = codec::decode_profile(object).value();
  const Settings before{Gogc(100), std::nullopt};
  EXPECT_EQ(got.memory.applied_over, before);
  EXPECT_EQ(got.memory.putting_back,
            (PutBack{Settings{Gogc(140), std::nullopt}, before, "SteppedDown", "It was slow.", "p99", "abc",
                     parse_time("2024-05-01T11:00:00Z").value(), "SloViolated"}));
  object["status"]["puttingBack"] = json::object();
  EXPECT_EQ(codec::decode_profile(object)->memory.putting_back->settings, Settings{}) << "Go's defaults";
}

TEST(DecodeProfile, KnowsWhatTheTemplateHadBesideWhatTheAgentsKeep) {
  json object = profile();
  EXPECT_FALSE(codec::decode_profile(object)->memory.applied_beside);
  object["status"]["applied"]["beside"] = {{"gogc", "80"}};
  EXPECT_EQ(codec::decode_profile(object)->memory.applied_beside, (Settings{Gogc(80), std::nullopt}));
  object["status"]["applied"]["beside"] = json::object();
  EXPECT_EQ(codec::decode_profile(object)->memory.applied_beside, Settings{}) << "Go's defaults, and not nothing";
  object["status"].erase("applied");
  EXPECT_FALSE(codec::decode_profile(object)->memory.applied_beside);
}

TEST(DecodeProfile, SetsInRunningProcessesOnlyWhenItSaysSo) {
  json object = profile();
  EXPECT_EQ(codec::decode_profile(object)->spec.apply, ApplyMode::kRestart);
  EXPECT_EQ(codec::decode_profile(object)->spec.metrics.source, RuntimeSource::kPages);
  object["spec"]["updatePolicy"]["apply"] = "Live";
  object["spec"]["runtimeMetrics"]["source"] = "Agent";
  EXPECT_EQ(codec::decode_profile(object)->spec.apply, ApplyMode::kLive);
  EXPECT_EQ(codec::decode_profile(object)->spec.metrics.source, RuntimeSource::kAgent);
  EXPECT_EQ(codec::decode_profile(object)->unreadable, "");
  object["spec"]["updatePolicy"]["apply"] = "Sometime";
  EXPECT_THAT(codec::decode_profile(object)->unreadable, HasSubstr("updatePolicy.apply"));
}

TEST(DecodeProfile, AppliedWithoutMembersIsGosDefaultsAndNotNothing) {
  json object = profile();
  object["status"]["applied"] = json::object();
  EXPECT_EQ(codec::decode_profile(object)->memory.applied, Settings{});
  object["status"].erase("applied");
  EXPECT_EQ(codec::decode_profile(object)->memory.applied, std::nullopt);
}

TEST(DecodeProfile, TakesTheDefaultsOfTheCrd) {
  const json object = {{"metadata", {{"name", "x"}}},
                       {"spec", {{"targetRef", {{"kind", "Deployment"}, {"name", "d"}}}}}};
  const ProfileSpec spec = codec::decode_profile(object)->spec;
  EXPECT_EQ(spec.update_mode, UpdateMode::kOff);
  EXPECT_EQ(spec.strategy, Strategy::kModel);
  EXPECT_EQ(spec.bounds.min_gogc, 50);
  EXPECT_EQ(spec.canary.warm_up, std::chrono::minutes(2));
  EXPECT_EQ(spec.rollback.cool_down, std::chrono::hours(6));
  EXPECT_EQ(spec.metrics.path, "/debug/pprof");
}

TEST(DecodeProfile, TakesTheSameDefaultsAsASpecThatNobodyRead) {
  const json object = {
      {"metadata", {{"name", "x"}}},
      {"spec", {{"targetRef", {{"kind", "Deployment"}, {"name", "d"}}}, {"slos", json::array({json::object()})}}}};
  const ProfileSpec got = codec::decode_profile(object)->spec;
  const ProfileSpec spec;
  EXPECT_EQ(got.update_mode, spec.update_mode);
  EXPECT_EQ(got.suspend, spec.suspend);
  EXPECT_EQ(got.revert_on_deletion, spec.revert_on_deletion);
  EXPECT_EQ(got.objective, spec.objective);
  EXPECT_EQ(got.strategy, spec.strategy);
  EXPECT_EQ(got.fixed, spec.fixed);
  EXPECT_EQ(got.bounds.min_gogc, spec.bounds.min_gogc);
  EXPECT_EQ(got.bounds.max_gogc, spec.bounds.max_gogc);
  EXPECT_EQ(got.bounds.min_go_mem_limit, spec.bounds.min_go_mem_limit);
  EXPECT_EQ(got.bounds.max_go_mem_limit_percent, spec.bounds.max_go_mem_limit_percent);
  EXPECT_EQ(got.metrics.port, spec.metrics.port);
  EXPECT_EQ(got.metrics.path, spec.metrics.path);
  EXPECT_EQ(got.metrics.interval, spec.metrics.interval);
  EXPECT_EQ(got.metrics.allow_host_network, spec.metrics.allow_host_network);
  ASSERT_EQ(got.slos.size(), 1U);
  EXPECT_EQ(got.slos[0].port, Slo{}.port);
  EXPECT_EQ(got.slos[0].path, Slo{}.path);
  EXPECT_EQ(got.slos[0].histogram().quantile, Slo{}.histogram().quantile);
  EXPECT_EQ(got.slos[0].max, Slo{}.max);
  EXPECT_EQ(got.slos[0].max_regression_percent, Slo{}.max_regression_percent);
  EXPECT_EQ(got.canary.replicas, spec.canary.replicas);
  EXPECT_EQ(got.canary.warm_up, spec.canary.warm_up);
  EXPECT_EQ(got.canary.interval, spec.canary.interval);
  EXPECT_EQ(got.canary.max_duration, spec.canary.max_duration);
  EXPECT_EQ(got.canary.min_samples, spec.canary.min_samples);
  EXPECT_EQ(got.canary.allow_duplicates, spec.canary.allow_duplicates);
  EXPECT_EQ(got.rollback.watch_for, spec.rollback.watch_for);
  EXPECT_EQ(got.rollback.cool_down, spec.rollback.cool_down);
  EXPECT_EQ(got.history.successful, spec.history.successful);
  EXPECT_EQ(got.history.unsuccessful, spec.history.unsuccessful);
}

TEST(DecodeProfile, NamesWhatIsOutOfItsBounds) {
  json object = profile();
  object["spec"]["canary"]["replicas"] = 70;
  object["spec"]["canary"]["interval"] = "1h";
  object["spec"]["objective"]["settings"]["gogc"] = 0;
  const Profile got = *codec::decode_profile(object);
  EXPECT_THAT(got.unreadable, HasSubstr("spec.canary.replicas is 70, and must be from 1 to 10"));
  EXPECT_THAT(got.unreadable, HasSubstr("spec.canary.interval is \"1h\", and must be from 1s to 5m"));
  EXPECT_THAT(got.unreadable, HasSubstr("spec.objective.settings.gogc is 0, and must be from 1 to 10000"));
  EXPECT_EQ(got.spec.canary.interval, std::chrono::seconds(15));
}

TEST(DecodeProfile, SaysAllThatIsWrongInOneMessageAndReadsTheRest) {
  json object = profile();
  object["spec"]["objective"]["memoryPricePerGiBCores"] = "0";
  object["spec"]["objective"]["strategy"] = "Voodoo";
  object["spec"]["canary"]["warmUp"] = "soon";
  object["spec"]["objective"]["settings"]["goMemLimit"] = "440Mi";
  const auto got = codec::decode_profile(object);
  ASSERT_TRUE(got) << "what runs for it must still be brought to an end";
  EXPECT_EQ(got->spec.target, "checkout");
  EXPECT_THAT(got->unreadable, HasSubstr("GoRuntimeProfile shop/checkout"));
  EXPECT_THAT(got->unreadable, HasSubstr("spec.objective.memoryPricePerGiBCores must be from 0.001 to 10"));
  EXPECT_THAT(got->unreadable, HasSubstr("spec.objective.strategy 'Voodoo'"));
  EXPECT_THAT(got->unreadable, HasSubstr("use one of Model, Fixed"));
  EXPECT_THAT(got->unreadable, HasSubstr("spec.canary.warmUp"));
  EXPECT_THAT(got->unreadable, HasSubstr("440MiB"));
}

TEST(DecodeProfile, ReadsAShareOfCounters) {
  json object = profile();
  object["spec"]["slos"][0] = json::parse(R"({"name": "errors", "podRatio": {
    "port": 9090, "path": "/m", "bad": {"metric": "requests_total", "labelPrefixes": {"code": "5"}},
    "total": {"metric": "requests_total", "labels": {"route": "/a"}}, "max": "1.5%", "maxIncrease": "0.25%"}})");
  const Profile got = codec::decode_profile(object).value();
  EXPECT_EQ(got.unreadable, "");
  Slo wanted;
  wanted.name = "errors";
  wanted.port = 9090;
  wanted.path = "/m";
  wanted.source = PodRatio{{"requests_total", {}, {{"code", "5"}}}, {"requests_total", {{"route", "/a"}}, {}}, 0.0025};
  wanted.max = 0.015;
  EXPECT_EQ(got.spec.slos.at(0), wanted);

  object["spec"]["slos"][0]["podRatio"].erase("maxIncrease");
  EXPECT_EQ(std::get<PodRatio>(codec::decode_profile(object)->spec.slos.at(0).source).max_increase,
            PodRatio{}.max_increase);
  object["spec"]["slos"][0]["podRatio"]["maxIncrease"] = "0.5";
  object["spec"]["slos"][0]["podRatio"]["bad"].erase("metric");
  const std::string why = codec::decode_profile(object)->unreadable;
  EXPECT_THAT(why, HasSubstr("spec.slos[].podRatio.maxIncrease: '0.5' is not a share in percent: write it as in 0.5%"));
  EXPECT_THAT(why, HasSubstr("spec.slos[errors].podRatio.bad: the metric's name is missing"));
}

TEST(DecodeProfile, ReadsAGauge) {
  json object = profile();
  object["spec"]["slos"][0] = json::parse(R"({"name": "queue", "podGauge": {"port": 9090, "path": "/m",
    "metric": "queue_depth", "labels": {"a": "b"}, "labelPrefixes": {"queue": "mail-"}, "max": "1000.5"},
    "maxRegressionPercent": 20})");
  const Profile got = codec::decode_profile(object).value();
  EXPECT_EQ(got.unreadable, "");
  Slo wanted;
  wanted.name = "queue";
  wanted.port = 9090;
  wanted.path = "/m";
  wanted.source = PodGauge{{"queue_depth", {{"a", "b"}}, {{"queue", "mail-"}}}};
  wanted.max = 1000.5;
  wanted.max_regression_percent = 20;
  EXPECT_EQ(got.spec.slos.at(0), wanted);

  object["spec"]["slos"][0]["podGauge"] = {{"port", 1}, {"max", "many"}};
  const std::string why = codec::decode_profile(object)->unreadable;
  EXPECT_THAT(why, HasSubstr("spec.slos[].podGauge.max: 'many' is not a number from 0 on"));
  EXPECT_THAT(why, HasSubstr("spec.slos[queue].podGauge: the metric's name is missing"));
}

TEST(DecodeProfile, ReadsAQueryOfPrometheus) {
  json object = profile();
  object["spec"]["slos"][0] = json::parse(R"json({"name": "p99", "prometheus": {"address": "https://prom:9090",
    "query": "max(x{pod=~\"{{ pods }}\"})", "window": "5m", "headers": {"X-Scope-OrgID": "shop"},
    "authorization": {"secretName": "prom"}, "max": "0.3"
}
, "maxRegressionPercent" : 20
})json");
  const Profile got = codec::decode_profile(object).value();
  EXPECT_EQ(got.unreadable, "");
  Slo wanted;
  wanted.name = "p99";
  wanted.source = PrometheusQuery{"https://prom:9090",
                                  "max(x{pod=~\"{{ pods }}\"})",
                                  std::chrono::minutes(5),
                                  {{"X-Scope-OrgID", "shop"}},
                                  SecretKey{"prom", "authorization"}};
  wanted.max = 0.3;
  wanted.max_regression_percent = 20;
  EXPECT_EQ(got.spec.slos.at(0), wanted);

  object["spec"]["slos"][0]["prometheus"] = {{"query", "{{ pods }}"}, {"window", "1s"}};
  EXPECT_THAT(codec::decode_profile(object)->unreadable,
              HasSubstr("spec.slos[p99].prometheus: window must be from 15s"));
  object["spec"]["slos"][0]["prometheus"] = {{"window", "1m"}};
  EXPECT_THAT(codec::decode_profile(object)->unreadable, HasSubstr("spec.slos[p99].prometheus: the query is missing"));
}

TEST(DecodeProfile, ReadsFiguresOfTheRuntime) {
  const auto read = [](const char* runtime) {
    json object = profile();
    object["spec"]["slos"][0] = {{"name", "r"}, {"runtime", json::parse(runtime)}};
    return codec::decode_profile(object).value();
  };
  const Slo paused = read(R"({"figure": "GcPause", "quantile": "0.9", "max": "50ms"})").spec.slos.at(0);
  EXPECT_EQ(std::get<RuntimePauses>(paused.source).quantile, 0.9);
  EXPECT_DOUBLE_EQ(paused.max.value(), 0.05);
  const Slo throttled = read(R"({"figure": "Throttling", "max": "65%"})").spec.slos.at(0);
  EXPECT_EQ(std::get<RuntimeShare>(throttled.source).of, RuntimePart::kThrottling);
  EXPECT_DOUBLE_EQ(throttled.max.value(), 0.65);
  EXPECT_EQ(std::get<RuntimeShare>(read(R"({"figure": "GcCpu"})").spec.slos.at(0).source).of, RuntimePart::kGcCpu);
  EXPECT_THAT(read(R"({"figure": "Heap"})").unreadable, HasSubstr("spec.slos[r].runtime: 'Heap' is no figure"));
  EXPECT_THAT(read(R"({"figure": "GcPause", "max": "5%"})").unreadable, HasSubstr("spec.slos[r].runtime: max: "));
  EXPECT_THAT(read(R"({"figure": "GcCpu", "max": "5ms"})").unreadable, HasSubstr("spec.slos[r].runtime: max: "));
  EXPECT_THAT(read(R"({"figure": "GcPause", "quantile": "2"})").unreadable, HasSubstr("quantile must be between"));
}

TEST(DecodeProfile, TakesMillisecondsFromTheFieldOrTheName) {
  const auto unit_of = [](const char* metric, const char* unit) {
    json object = profile();
    object["spec"]["slos"][0]["podHistogram"]["metric"] = metric;
    if (*unit != '\0') object["spec"]["slos"][0]["podHistogram"]["unit"] = unit;
    return codec::decode_profile(object)->spec.slos.at(0).histogram().unit;
  };
  EXPECT_EQ(unit_of("took_seconds", ""), 1);
  EXPECT_EQ(unit_of("took_ms", ""), 1e-3);
  EXPECT_EQ(unit_of("took_milliseconds", ""), 1e-3);
  EXPECT_EQ(unit_of("took_ms", "Seconds"), 1);
  EXPECT_EQ(unit_of("took", "Milliseconds"), 1e-3);
}

TEST(DecodeProfile, KeepsNoLabelThatIsLongerThanTheDefinitionAllows) {
  json object = profile();
  object["spec"]["slos"][0]["podHistogram"]["labels"][std::string(1000, 'a')] = "x";
  const Profile got = codec::decode_profile(object).value();
  EXPECT_THAT(got.unreadable, HasSubstr("spec.slos[p99].podHistogram: labels may have 8 labels"));
  EXPECT_THAT(got.spec.slos.at(0).histogram().labels, IsEmpty());
}

TEST(DecodeProfile, IsReadableWhenAllOfItIsUnderstood) { EXPECT_EQ(codec::decode_profile(profile())->unreadable, ""); }

TEST(DecodeProfile, HugeNumbersAreCutInsteadOfWrapped) {
  json object = profile();
  object["spec"]["canary"]["minSamples"] = std::int64_t{1} << 40U;
  EXPECT_EQ(codec::decode_profile(object)->spec.canary.min_samples, INT32_MAX);
}

}  // namespace
}  // namespace gopacer
