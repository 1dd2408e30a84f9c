#include "codec/trial.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

#include "fakes/builders.h"

namespace gopacer {
namespace {

using builders::after;
using nlohmann::json;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;

const ObjectKey kKey{"shop", "checkout-1"};

Slo latency_slo() {
  Slo slo;
  slo.name = "latency-p99";
  slo.histogram().metric = "http_request_duration_seconds";
  slo.histogram().quantile = 0.95;
  slo.histogram().labels = {{"route", "/cart"}};
  slo.max = 0.3;
  slo.max_for = minutes(2);
  slo.action = BreachAction::kStepDown;
  slo.on_no_data = NoDataAction::kRollBack;
  slo.max_regression_percent = 7;
  return slo;
}

Slo errors_slo() {
  Slo slo;
  slo.name = "errors";
  slo.port = 9000;
  slo.path = "/internal/metrics";
  slo.source = PodRatio{{"requests_total", {{"route", "/a"}}, {{"code", "5"}}}, {"requests_total", {}, {}}, 0.0025};
  slo.max = 0.015;
  return slo;
}

Slo queue_slo() {
  Slo slo;
  slo.name = "queue";
  slo.source = PodGauge{{"queue_depth", {}, {{"queue", "mail-"}}}};
  slo.max = 1e-7;
  slo.max_regression_percent = 20;
  return slo;
}

std::vector<Slo> other_slos() {
  std::vector<Slo> slos(4);
  slos[0].name = "asked";
  slos[0].source = PrometheusQuery{"https://prom", "x{{ pods }}", minutes(5), {{"X-A", "b"}}, SecretKey{"s", "k"}};
  slos[0].max = 0.3;
  slos[1].name = "pauses";
  slos[1].source = RuntimePauses{0.95};
  slos[1].max = 0.05;
  slos[2].name = "collected";
  slos[2].source = RuntimeShare{RuntimePart::kMarkAssist};
  slos[2].max_regression_percent = 50;
  slos[3].name = "throttled";
  slos[3].source = RuntimeShare{RuntimePart::kThrottling};
  slos[3].max = 0.65;
  return slos;
}

/// As the API server would return it.
json stored(const TrialSpec& spec, const json& status) {
  json object = codec::trial_object(kKey, spec);
  object["metadata"]["uid"] = "trial-uid";
  object["metadata"]["resourceVersion"] = "42";
  object["metadata"]["creationTimestamp"] = "2024-05-01T10:00:00Z";
  if (!status.is_null()) object["status"] = status;
  return object;
}

TrialStatus come_back(const TrialStatus& status) {
  return codec::decode_trial(stored(builders::trial(TrialPhase::kPending).spec, codec::encode(status)))->status;
}

TEST(TrialObject, HasNoStatusWhenItIsMade) {
  const json object = codec::trial_object(kKey, builders::trial(TrialPhase::kPending).spec);
  EXPECT_FALSE(object.contains("status"));
  EXPECT_EQ(object["apiVersion"], "gopacer.dev/v1alpha1");
  EXPECT_EQ(object["kind"], "GoRuntimeTrial");
  EXPECT_EQ(object["metadata"]["labels"][kProfileLabel], "checkout");
}

TEST(TrialObject, TellsPeopleTheSettingsInOnePhrase) {
  const json object = codec::trial_object(kKey, builders::trial(TrialPhase::kPending).spec);
  EXPECT_EQ(object["spec"]["fromText"], "Go's defaults");
  EXPECT_EQ(object["spec"]["toText"], "GOGC=200 GOMEMLIMIT=430MiB");
}

TEST(TrialObject, WithoutStatusIsPending) {
  const Result<Trial> trial = codec::decode_trial(stored(builders::trial(TrialPhase::kPending).spec, nullptr));
  ASSERT_TRUE(trial) << trial.error().message;
  EXPECT_EQ(trial->status.phase, TrialPhase::kPending);
  EXPECT_EQ(trial->status.verdict, TrialVerdict::kNone);
  EXPECT_TRUE(trial->running());
  EXPECT_FALSE(trial->status.started);
  EXPECT_EQ(trial->uid, "trial-uid");
  EXPECT_EQ(trial->resource_version, "42");
  EXPECT_EQ(trial->created, builders::kStart);
}

TEST(TrialObject, SpecComesBackAsItWas) {
  TrialSpec spec = builders::trial(TrialPhase::kPending).spec;
  spec.number = 12;
  spec.from = builders::settings(150);
  spec.strategy = Strategy::kFixed;
  spec.reason = "Because a person asked.";
  spec.predicted = {"3.2", "5.1", "410.0MiB", "120MiB", "GOGC=400 GOMEMLIMIT=900MiB"};
  spec.slos = {latency_slo(), errors_slo(), queue_slo()};
  for (Slo& slo : other_slos()) spec.slos.push_back(std::move(slo));
  spec.slos[0].histogram().unit = 1e-3;
  spec.canary = {3, {}, seconds(90), milliseconds(1500), minutes(7), 12345};
  spec.steps = {{1, minutes(5)}, {3, Duration(0)}};
  spec.watch_for = minutes(9);
  spec.min_saving = 0.0125;
  const Result<Trial> trial = codec::decode_trial(stored(spec, nullptr));
  ASSERT_TRUE(trial);
  const TrialSpec& back = trial->spec;
  EXPECT_EQ(back.steps, spec.steps);
  EXPECT_EQ(back.profile, spec.profile);
  EXPECT_EQ(back.profile_uid, spec.profile_uid);
  EXPECT_EQ(back.target, spec.target);
  EXPECT_EQ(back.container, spec.container);
  EXPECT_EQ(back.number, spec.number);
  EXPECT_EQ(back.from, spec.from);
  EXPECT_EQ(back.to, spec.to);
  EXPECT_EQ(back.strategy, spec.strategy);
  EXPECT_EQ(back.reason, spec.reason);
  EXPECT_EQ(back.predicted.gc_cpu_percent, "3.2");
  EXPECT_EQ(back.predicted.saving_percent, "5.1");
  EXPECT_EQ(back.predicted.peak_memory, "410.0MiB");
  EXPECT_EQ(back.predicted.cycle_volume, "120MiB");
  EXPECT_EQ(back.predicted.destination, "GOGC=400 GOMEMLIMIT=900MiB");
  EXPECT_EQ(back.template_hash, spec.template_hash);
  EXPECT_EQ(back.slos, spec.slos);
  EXPECT_EQ(back.canary.replicas, 3);
  EXPECT_EQ(back.canary.warm_up, seconds(90));
  EXPECT_EQ(back.canary.interval, milliseconds(1500));
  EXPECT_EQ(back.canary.max_duration, minutes(7));
  EXPECT_EQ(back.canary.min_samples, 12345);
  EXPECT_EQ(back.watch_for, minutes(9));
  EXPECT_DOUBLE_EQ(back.min_saving, 0.0125);
  EXPECT_EQ(back.deadline, spec.deadline);
}

TEST(TrialObject, ThatSomebodyElseMadeIsRefusedWithWhatToDo) {
  for (const char* const missing : {"profileRef", "targetRef", "container", "deadline"}) {
    json object = stored(builders::trial(TrialPhase::kPending).spec, nullptr);
    object["spec"].erase(missing);
    const Result<Trial> trial = codec::decode_trial(object);
    ASSERT_FALSE(trial) << missing;
    EXPECT_THAT(trial.error().message, HasSubstr("shop/checkout-1"));
    EXPECT_THAT(trial.error().message, HasSubstr("delete it"));
  }
}

TEST(TrialObject, OfNamesThatNoObjectCanHaveIsRefused) {
  for (const char* const name : {"x%\n2026-01-01 info all is well", "Checkout", "-checkout", "a/b", "a."}) {
    for (const char* const ref : {"profileRef", "targetRef"}) {
      json object = stored(builders::trial(TrialPhase::kPending).spec, nullptr);
      object["spec"][ref]["name"] = name;
      const Result<Trial> trial = codec::decode_trial(object);
      ASSERT_FALSE(trial) << ref << ' ' << name;
      EXPECT_THAT(trial.error().message, HasSubstr("delete it"));
    }
  }
}

json measuring_trial() {
  const Trial trial = builders::trial(TrialPhase::kMeasuring);
  MetricEvidence metric;
  metric.name = kGcCpuMetric;
  for (const double x : {0.01, -0.02, 0.03}) metric.stats.add(x);
  TrialStatus told = trial.status;
  told.evidence.metrics = {metric};
  TrialSpec spec = trial.spec;
  spec.slos = {latency_slo()};
  return stored(spec, codec::encode(told));
}

TEST(TrialObject, OutsideOfTheBoundsOfAProfileIsNotUsed) {
  ASSERT_EQ(codec::decode_trial(measuring_trial())->unreadable, "");
  const std::vector<std::tuple<const char*, json, const char*>> cases{
      {"/spec/canary/replicas", 2147483647, "replicas is 2147483647, and must be from 1 to 40"},
      {"/spec/canary/replicas", 0, "replicas is 0"},
      {"/spec/canary/replicas", -1, "replicas is -1"},
      {"/spec/canary/replicas", 1e300, "replicas is 1e+300"},
      {"/spec/canary/replicas", 18446744073709551615U, "replicas is 18446744073709551615"},
      {"/spec/canary/interval", "0s", "interval is \"0s\", and must be from 1s to 5m"},
      {"/spec/canary/interval", "soon", "interval is \"soon\""},
      {"/spec/canary/warmUp", "2h", "warmUp is \"2h\", and must be from 0s to 1h"},
      {"/spec/canary/maxDuration", "25h", "maxDuration is \"25h\", and must be from 10s to 24h"},
      {"/spec/canary/watchFor", "9000h", "watchFor is \"9000h\", and must be from 0s to 24h"},
      {"/spec/canary/minSamples", 0, "minSamples is 0, and must be from 1 to 100000000"},
      {"/spec/number", 4294967297, "number is 4294967297, and must be from 1 to 1000000000"},
      {"/spec/number", 0, "number is 0"},
      {"/spec/minSavingPercent", "nan", "minSavingPercent"},
      {"/spec/minSavingPercent", "-1e9", "minSavingPercent"},
      {"/spec/deadline", "2034-05-01T10:00:00Z", "the deadline is more than 37h after the trial was made"},
      {"/spec/slos/0/maxRegressionPercent", 1000000, "maxRegressionPercent"},
      {"/spec/slos/0/max", "0s", "max is \"0s\""},
      {"/spec/slos/0/podHistogram/port", 70000, "port is 70000"},
      {"/spec/slos/0/podHistogram/quantile", "7", "a quantile must be between 0 and 1"},
      {"/spec/slos", json(std::vector<json>(9, json{{"name", "x"}})), "slos has 9 items, and may have 8"},
      {"/spec/live", {{"block", "999ms"}}, "block is \"999ms\", and must be from 1s to 10m"},
      {"/spec/live", {{"block", "11m"}}, "block is \"11m\""},
      {"/spec/live", {{"block", "soon"}}, "block is \"soon\""},
      {"/status/live/block", -1, "block is -1"},
      {"/status/live/pods", json(std::vector<json>(81, json("p"))), "pods has 81 items, and may have 80"},
      {"/status/phase", "Promoted", "phase 'Promoted' is not known"},
      {"/status/verdict", "Fine", "verdict 'Fine' is not known"},
      {"/status/windows", -1, "windows is -1"},
      {"/status/windows", 4294967297, "windows is 4294967297"},
      {"/status/emptyWindows", -7, "emptyWindows is -7"},
      {"/status/samples/canary", -5, "canary is -5"},
      {"/status/metrics/0/violations", 4294967297, "violations"},
      {"/status/metrics/0/low", "nan", "low is \"nan\""},
      {"/status/metrics/0/statistics/n", -3, "n is -3"},
      {"/status/metrics/0/statistics/mean", "inf", "mean is \"inf\""},
      {"/status/metrics/0/statistics/m2", "-0.5", "m2 is \"-0.5\""},
      {"/status/metrics/0/statistics/last", "nan", "last is \"nan\""},
      {"/status/metrics", json(std::vector<json>(17, json{{"name", "x"}})), "metrics has 17 items"},
      {"/status/steps", json(std::vector<json>(31, json{{"message", "x"}})), "steps has 31 items"},
  };
  for (const auto& [place, value, expected] : cases) {
    json object = measuring_trial();
    object["status"]["live"] = {{"since", "2024-05-01T10:00:00Z"}, {"renewedAt", "2024-05-01T10:00:00Z"}};
    object[json::json_pointer(place)] = value;
    const Result<Trial> trial = codec::decode_trial(object);
    ASSERT_TRUE(trial) << place << ": " << value;
    EXPECT_THAT(trial->unreadable, HasSubstr(expected)) << place;
    EXPECT_THAT(trial->unreadable, HasSubstr("GoRuntimeTrial shop/checkout-1 can't be used")) << place;
  }
}

TEST(TrialObject, WithSettingsThatAreNoneIsRefused) {
  for (const auto& [member, value, expected] : std::vector<std::tuple<const char*, json, const char*>>{
           {"to", {{"gogc", "a lot"}}, "to: GOGC='a lot'"}, {"from", {{"goMemLimit", "440Mi"}}, "from: GOMEMLIMIT"}}) {
    json object = measuring_trial();
    object["spec"][member] = value;
    const Result<Trial> trial = codec::decode_trial(object);
    ASSERT_FALSE(trial) << member;
    EXPECT_THAT(trial.error().message, HasSubstr(expected));
    EXPECT_THAT(trial.error().message, HasSubstr("delete it"));
  }
}

TEST(TrialObject, OfAPhaseThatIsNotKnownHasPromotedOrNot) {
  json object = measuring_trial();
  object["status"]["phase"] = "CrossingOver";
  EXPECT_EQ(codec::decode_trial(object)->status.phase, TrialPhase::kPending);
  object["status"]["promotedAt"] = "2034-05-01T10:00:00.000000Z";
  EXPECT_EQ(codec::decode_trial(object)->status.phase, TrialPhase::kWatching);
}

TEST(TrialObject, AtTheEdgesOfTheBoundsIsUsed) {
  for (const auto& [place, value] : std::vector<std::pair<const char*, json>>{{"/spec/canary/replicas", 10},
                                                                              {"/spec/canary/interval", "5m"},
                                                                              {"/spec/canary/warmUp", "0s"},
                                                                              {"/spec/canary/maxDuration", "24h"},
                                                                              {"/spec/canary/watchFor", "24h"},
                                                                              {"/spec/number", 1000000000},
                                                                              {"/spec/live", {{"block", "1s"}}},
                                                                              {"/spec/live", {{"block", "10m"}}},
                                                                              {"/spec/minSavingPercent", "-100"}}) {
    json object = measuring_trial();
    object[json::json_pointer(place)] = value;
    const Result<Trial> trial = codec::decode_trial(object);
    EXPECT_EQ(trial->unreadable, "") << place;
  }
}

TEST(TrialObject, TellsAllThatIsWrongInOneMessageOfBoundedLength) {
  json object = measuring_trial();
  object["spec"]["canary"]["replicas"] = 99;
  object["spec"]["number"] = -1;
  object["status"]["phase"] = std::string(5000, 'x');
  const Result<Trial> trial = codec::decode_trial(object);
  ASSERT_TRUE(trial);
  EXPECT_THAT(trial->unreadable, HasSubstr("replicas is 99"));
  EXPECT_THAT(trial->unreadable, HasSubstr("number is -1"));
  EXPECT_LE(trial->unreadable.size(), 1500U);
}

TEST(TrialObject, MayHaveMembersThatANewerVersionAdded) {
  json object = stored(builders::trial(TrialPhase::kMeasuring).spec,
                       codec::encode(builders::trial(TrialPhase::kMeasuring).status));
  object["spec"]["colour"] = "blue";
  object["status"]["colour"] = {{"deep", true}};
  object["status"]["metrics"].push_back({{"name", "new"}, {"colour", 1}});
  const Result<Trial> trial = codec::decode_trial(object);
  ASSERT_TRUE(trial);
  EXPECT_EQ(trial->status.phase, TrialPhase::kMeasuring);
}

TEST(TrialObject, OfAnyShapeIsNoReasonToCrash) {
  for (const json& odd : {json(nullptr), json(1), json("x"), json::array({1, 2}), json{{"metadata", 1}},
                          json{{"spec", json::array()}}, json{{"status", "x"}}}) {
    EXPECT_FALSE(codec::decode_trial(odd)) << odd;
  }
  json object = stored(builders::trial(TrialPhase::kPending).spec, nullptr);
  object["status"] = {{"metrics", "none"},
                      {"steps", 5},
                      {"samples", 1},
                      {"watch", true},
                      {"phase", 3},
                      {"startedAt", "yesterday"},
                      {"p99ChangePercent", "a lot"}};
  EXPECT_TRUE(codec::decode_trial(object));
  for (const char* const percent : {"", "%", "+", "+%", "%%", "-"}) {
    object["status"] = {{"p99ChangePercent", percent}, {"gcChangePercent", percent}};
    EXPECT_TRUE(codec::decode_trial(object)) << percent;
  }
}

TEST(TrialStatus, KeepsWhatASuccessorNeedsToGoOnWithTheTest) {
  TrialStatus status = builders::trial(TrialPhase::kMeasuring).status;
  MetricEvidence metric;
  metric.name = kGcCpuMetric;
  for (const double x : {0.01, -0.02, 1.0 / 3}) metric.stats.add(x);
  for (const double x : {0.03, 0.05}) metric.peers.add(x);
  metric.canary = 0.1;
  metric.baseline = 0.2;
  metric.low = -0.3;
  metric.high = 1e-9;
  metric.threshold = -0.015;
  metric.relative = true;
  metric.violations = 2;
  metric.state = MetricState::kPass;
  metric.source = "CPU profile";
  metric.missing = 3;
  metric.unresolved = 5;
  metric.pending_since = after(minutes(4));
  metric.summary = "gc-cpu 10.0 % → 5.0 % of CPU";
  status.evidence = {{metric}, 17, 2, 12345678901, 2345, 0.875, 3, after(minutes(5) + microseconds(123456))};
  const Evidence back = come_back(status).evidence;
  EXPECT_EQ(back.windows, 17);
  EXPECT_EQ(back.empty_windows, 2);
  EXPECT_EQ(back.canary_requests, 12345678901);
  EXPECT_EQ(back.baseline_requests, 2345);
  EXPECT_EQ(back.baseline_memory, 0.875);
  EXPECT_EQ(back.restarts, 3);
  EXPECT_EQ(back.until, status.evidence.until);
  ASSERT_THAT(back.metrics, SizeIs(1));
  const MetricEvidence& same = back.metrics.front();
  EXPECT_EQ(same.name, metric.name);
  EXPECT_EQ(same.stats, metric.stats);
  EXPECT_EQ(same.peers, metric.peers);
  EXPECT_EQ(same.canary, metric.canary);
  EXPECT_EQ(same.baseline, metric.baseline);
  EXPECT_EQ(same.low, metric.low);
  EXPECT_EQ(same.high, metric.high);
  EXPECT_EQ(same.threshold, metric.threshold);
  EXPECT_EQ(same.relative, metric.relative);
  EXPECT_EQ(same.violations, metric.violations);
  EXPECT_EQ(same.state, metric.state);
  EXPECT_EQ(same.source, metric.source);
  EXPECT_EQ(same.missing, metric.missing);
  EXPECT_EQ(same.unresolved, metric.unresolved);
  EXPECT_EQ(same.pending_since, metric.pending_since);
  EXPECT_EQ(same.summary, metric.summary);
}

TEST(TrialObject, OfTurnsComesBackAsItWas) {
  TrialSpec spec = builders::trial(TrialPhase::kPending).spec;
  EXPECT_FALSE(codec::decode_trial(stored(spec, nullptr))->spec.live);
  spec.live = LivePlan{milliseconds(12500)};
  spec.canary.interval = seconds(25);
  const Result<Trial> trial = codec::decode_trial(stored(spec, nullptr));
  EXPECT_EQ(trial->unreadable, "");
  EXPECT_EQ(trial->spec.live, spec.live);
}

TEST(TrialStatus, KeepsWhoseTurnItIs) {
  TrialStatus status = builders::trial(TrialPhase::kMeasuring).status;
  EXPECT_FALSE(come_back(status).live);
  status.live = LiveTurn{after(minutes(3) + microseconds(250)), 1234567890123, {"uid-1", "uid-2"}, after(minutes(5))};
  EXPECT_EQ(come_back(status).live, status.live);
  status.live = LiveTurn{after(minutes(3)), 0, {}, after(minutes(3))};
  EXPECT_EQ(come_back(status).live, status.live) << "nobody's, in a pod of one";
}

TEST(TrialStatus, OfAnyShapeGivesNobodyATurn) {
  json object = stored(builders::trial(TrialPhase::kMeasuring).spec, nullptr);
  for (const json& odd : {json(nullptr), json(1), json("x"), json::array({1}), json::object(), json{{"pods", {"uid"}}},
                          json{{"since", "yesterday"}, {"renewedAt", 5}, {"pods", {"uid"}}},
                          json{{"since", "2024-05-01T10:00:00Z"}, {"pods", {"uid"}}}}) {
    object["status"] = {{"live", odd}};
    const Result<Trial> trial = codec::decode_trial(object);
    ASSERT_TRUE(trial) << odd;
    EXPECT_FALSE(trial->status.live) << odd;
  }
  object["status"] = {{"live",
                       {{"since", "2024-05-01T10:00:00Z"},
                        {"renewedAt", "2024-05-01T10:00:00Z"},
                        {"block", "many"},
                        {"pods", {1, nullptr, json::object(), "uid"}}}}};
  const auto live = codec::decode_trial(object)->status.live;
  ASSERT_TRUE(live);
  EXPECT_EQ(live->pods, std::vector<std::string>{"uid"});
  EXPECT_EQ(live->block, 0);
  object["status"]["live"]["pods"] = {{"uid", 1}};
  EXPECT_TRUE(codec::decode_trial(object)->status.live->pods.empty());
}

TEST(TrialStatus, KeepsTheEvidenceOfTheWatchApart) {
  TrialStatus status = builders::trial(TrialPhase::kWatching).status;
  status.evidence.windows = 40;
  status.watch_evidence.windows = 3;
  status.watch_evidence.until = after(minutes(12));
  const TrialStatus back = come_back(status);
  EXPECT_EQ(back.evidence.windows, 40);
  EXPECT_EQ(back.watch_evidence.windows, 3);
  EXPECT_EQ(back.watch_evidence.until, after(minutes(12)));
}

TEST(TrialStatus, TellsChangesWithTheirSign) {
  TrialStatus status;
  status.latency_change = 0.031;
  status.gc_change = -0.12;
  const nlohmann::json object = codec::encode(status);
  EXPECT_EQ(object["p99ChangePercent"], "+3.1%");
  EXPECT_EQ(object["gcChangePercent"], "-12.0%");
  EXPECT_DOUBLE_EQ(*come_back(status).latency_change, 0.031);
  EXPECT_DOUBLE_EQ(*come_back(status).gc_change, -0.12);
}

TEST(TrialStatus, TellsHowLongItTookAndWhoseDecisionItsEndWas) {
  TrialStatus status = builders::trial(TrialPhase::kEnded).status;
  status.started = after(minutes(1));
  status.ended = after(minutes(31) + milliseconds(400));
  status.verdict = TrialVerdict::kRollBack;
  EXPECT_EQ(codec::encode(status)["duration"], "30m");
  EXPECT_EQ(codec::encode(status)["decidedBy"], "gopacer");
  status.verdict = TrialVerdict::kSuperseded;
  EXPECT_EQ(codec::encode(status)["decidedBy"], "others");
  status.reason = "TrialUnreadable";
  EXPECT_EQ(codec::encode(status)["decidedBy"], "gopacer");
  status.started = after(minutes(99));
  EXPECT_FALSE(codec::encode(status).contains("duration")) << "a clock went back";
  status.ended.reset();
  EXPECT_FALSE(codec::encode(status).contains("decidedBy"));
}

TEST(TrialStatus, OfALongMessageIsTheSameWhenItComesBack) {
  // Or it would be written again in each pass.
  TrialStatus status = builders::trial(TrialPhase::kEnded).status;
  for (int i = 0; i < 400; ++i) status.message += "→ ";
  status.message = "x" + status.message;
  status.steps.back().message = status.message;
  const json once = codec::encode(status);
  EXPECT_LE(once.at("message").get<std::string>().size(), 1000U);
  EXPECT_NO_THROW(once.dump());
  EXPECT_EQ(codec::encode(come_back(status)), once);
}

std::optional<Time> maybe_a_time() {
  if (*rc::gen::arbitrary<bool>()) return std::nullopt;
  return after(microseconds(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000)));
}

std::string any_text() { return *rc::gen::container<std::string>(rc::gen::inRange<char>('!', '~')); }

Evidence any_evidence() {
  Evidence evidence;
  evidence.windows = *rc::gen::inRange(0, 1000);
  evidence.empty_windows = *rc::gen::inRange(0, 1000);
  evidence.canary_requests = *rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 40);
  evidence.baseline_memory = *rc::gen::inRange(0, 1000) / 1000.0;
  evidence.baseline_requests = *rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 40);
  evidence.restarts = *rc::gen::inRange(0, 5);
  evidence.until = maybe_a_time();
  evidence.pairs = *rc::gen::inRange(1, 10);
  evidence.nodes_apart = *rc::gen::inRange(0, 10);
  if (*rc::gen::arbitrary<bool>()) evidence.earlier = {*rc::gen::inRange(1, 9), 77, 1.0 / 3, 2.0 / 3};
  const int metrics = *rc::gen::inRange(0, 4);
  for (int i = 0; i < metrics; ++i) {
    MetricEvidence metric;
    metric.name = "metric-" + std::to_string(i);
    const int windows = *rc::gen::inRange(0, 5);
    for (int j = 0; j < windows; ++j) metric.stats.add(*rc::gen::arbitrary<double>());
    metric.canary = *rc::gen::arbitrary<double>();
    metric.baseline = *rc::gen::arbitrary<double>();
    metric.low = *rc::gen::arbitrary<double>();
    metric.high = *rc::gen::arbitrary<double>();
    metric.threshold = *rc::gen::arbitrary<double>();
    metric.relative = *rc::gen::arbitrary<bool>();
    metric.violations = *rc::gen::inRange(0, 10);
    metric.state =
        *rc::gen::element(MetricState::kUndecided, MetricState::kPass, MetricState::kFail, MetricState::kNoData);
    metric.source = any_text();
    metric.missing = *rc::gen::inRange(0, 10);
    metric.unresolved = *rc::gen::inRange(0, 10);
    for (MeasuredSpread* spread : {&metric.pod_spread, &metric.neighbour_spread}) {
      spread->freedom = *rc::gen::inRange(0, 10);
      if (spread->freedom > 0) spread->spread = std::abs(*rc::gen::arbitrary<double>());
    }
    metric.canary_bursts = *rc::gen::inRange(0, 10);
    metric.other_bursts = *rc::gen::inRange(0, 10);
    if (metric.other_bursts > 0) metric.baseline_bursts = *rc::gen::inRange(0, metric.other_bursts + 1);
    if (metric.canary_bursts + metric.other_bursts > 0) metric.burst_odds = *rc::gen::arbitrary<double>();
    metric.pending_since = maybe_a_time();
    evidence.metrics.push_back(metric);
  }
  return evidence;
}

void expect_same(const Evidence& a, const Evidence& b) {
  RC_ASSERT(a.windows == b.windows);
  RC_ASSERT(a.empty_windows == b.empty_windows);
  RC_ASSERT(a.canary_requests == b.canary_requests);
  RC_ASSERT(a.baseline_requests == b.baseline_requests);
  RC_ASSERT(std::abs(a.baseline_memory - b.baseline_memory) < 1e-12);
  RC_ASSERT(a.restarts == b.restarts);
  RC_ASSERT(a.until == b.until);
  RC_ASSERT(a.pairs == b.pairs);
  RC_ASSERT(a.nodes_apart == b.nodes_apart);
  RC_ASSERT(a.earlier == b.earlier);
  RC_ASSERT(a.metrics.size() == b.metrics.size());
  for (std::size_t i = 0; i < a.metrics.size(); ++i) {
    const MetricEvidence& x = a.metrics[i];
    const MetricEvidence& y = b.metrics[i];
    RC_ASSERT(x.name == y.name);
    RC_ASSERT(x.stats == y.stats);
    RC_ASSERT(x.peers == y.peers);
    RC_ASSERT(x.pod_spread == y.pod_spread);
    RC_ASSERT(x.neighbour_spread == y.neighbour_spread);
    RC_ASSERT(x.canary_bursts == y.canary_bursts);
    RC_ASSERT(x.other_bursts == y.other_bursts);
    RC_ASSERT(x.baseline_bursts == y.baseline_bursts);
    RC_ASSERT(x.burst_odds == y.burst_odds);
    RC_ASSERT(x.canary == y.canary);
    RC_ASSERT(x.baseline == y.baseline);
    RC_ASSERT(x.low == y.low);
    RC_ASSERT(x.high == y.high);
    RC_ASSERT(x.threshold == y.threshold);
    RC_ASSERT(x.relative == y.relative);
    RC_ASSERT(x.violations == y.violations);
    RC_ASSERT(x.state == y.state);
    RC_ASSERT(x.source == y.source);
    RC_ASSERT(x.missing == y.missing);
    RC_ASSERT(x.unresolved == y.unresolved);
    RC_ASSERT(x.pending_since == y.pending_since);
  }
}

RC_GTEST_PROP(TrialStatus, ComesBackAsItWas, ()) {
  TrialStatus status;
  status.phase =
      *rc::gen::element(TrialPhase::kPending, TrialPhase::kWarmUp, TrialPhase::kMeasuring, TrialPhase::kPromoting,
                        TrialPhase::kWatching, TrialPhase::kRollingBack, TrialPhase::kEnded);
  status.verdict = *rc::gen::element(TrialVerdict::kNone, TrialVerdict::kPromote, TrialVerdict::kRollBack,
                                     TrialVerdict::kInconclusive, TrialVerdict::kSuperseded, TrialVerdict::kAborted);
  status.reason = any_text();
  status.message = any_text();
  status.started = maybe_a_time();
  status.warm_until = maybe_a_time();
  status.measuring_since = maybe_a_time();
  status.promoted = maybe_a_time();
  status.watching_since = maybe_a_time();
  status.ended = maybe_a_time();
  status.evidence = any_evidence();
  if (status.watching_since) status.watch_evidence = any_evidence();
  const int steps = *rc::gen::inRange(0, 5);
  for (int i = 0; i < steps; ++i) status.steps.push_back({after(seconds(i)), status.phase, any_text()});

  const TrialStatus back = come_back(status);
  RC_ASSERT(back.phase == status.phase);
  RC_ASSERT(back.verdict == status.verdict);
  RC_ASSERT(back.reason == status.reason);
  RC_ASSERT(back.message == status.message);
  RC_ASSERT(back.started == status.started);
  RC_ASSERT(back.warm_until == status.warm_until);
  RC_ASSERT(back.measuring_since == status.measuring_since);
  RC_ASSERT(back.promoted == status.promoted);
  RC_ASSERT(back.watching_since == status.watching_since);
  RC_ASSERT(back.ended == status.ended);
  expect_same(back.evidence, status.evidence);
  expect_same(back.watch_evidence, status.watch_evidence);
  RC_ASSERT(back.steps.size() == status.steps.size());
  for (std::size_t i = 0; i < back.steps.size(); ++i) {
    RC_ASSERT(back.steps[i].at == status.steps[i].at);
    RC_ASSERT(back.steps[i].phase == status.steps[i].phase);
    RC_ASSERT(back.steps[i].message == status.steps[i].message);
  }
  RC_ASSERT(codec::encode(back) == codec::encode(status));
}

}  // namespace
}  // namespace gopacer
