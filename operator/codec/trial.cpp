#include "codec/trial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "codec/complaints.h"
#include "codec/fields.h"
#include "codec/resources.h"
#include "codec/settings.h"
#include "codec/slo_source.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestMessage = 1000;
constexpr std::size_t kMostSlos = 8;
constexpr std::size_t kMostMetrics = 16;
constexpr int kHighestNumber = 1'000'000'000;
/// The longest measuring, five steps with the longest warm-up and pause, and room to start and for a clock that is
/// late.
constexpr Duration kLongestBeforePromotion = std::chrono::hours(37);
/// Steps of one size are one.
constexpr SpecField kPause{"", "0s", FieldKind::kDuration, 0, kMostCanarySteps* detail::kHour};
/// From what a few collections take up to a slow service's.
constexpr SpecField kBlock{"", "6s", FieldKind::kDuration, detail::kSecond, 10 * detail::kMinute};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kGreatest = std::numeric_limits<double>::max();

int count(Complaints& complaints, const json& object, const char* member) {
  return static_cast<int>(complaints.integer(object, member, 0, 0, INT32_MAX));
}

std::int64_t long_count(Complaints& complaints, const json& object, const char* member) {
  return complaints.integer(object, member, 0, 0, INT64_MAX);
}

/// The list; an empty one, and a complaint, when it is longer than the API server lets it be.
const json& bounded_list(Complaints& complaints, const json& object, const char* member, std::size_t most) {
  static const json kNone = json::array();
  const json& list = child(object, member);
  if (!list.is_array()) return kNone;
  if (list.size() <= most) return list;
  complaints.add(std::string(member) + " has " + std::to_string(list.size()) + " items, and may have " +
                 std::to_string(most));
  return kNone;
}

std::string clipped(const std::string& message) { return codec::clipped(message, kLongestMessage); }

/// Leaves out what says nothing, so that a reader sees only what is there.
void put(json& object, const char* member, const std::string& value) {
  if (!value.empty()) object[member] = value;
}

void put(json& object, const char* member, const std::optional<Time>& value) {
  if (value) object[member] = format_micro_time(*value);
}

template <typename Enum, std::size_t N>
const char* name_of(const std::array<std::pair<const char*, Enum>, N>& names, Enum value) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& name) { return name.second == value; });
  return found == names.end() ? "" : found->first;
}

/// The first of them where it is left out.
template <typename Enum, std::size_t N>
Enum named(const json& object, const char* member, const std::array<std::pair<const char*, Enum>, N>& names,
           Complaints& complaints) {
  const std::string word = text(object, member);
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& name) { return word == name.first; });
  if (found != names.end()) return found->second;
  if (!word.empty()) complaints.add(std::string(member) + " is '" + strange(object, member, kLongestName) + "'");
  return names.front().second;
}

constexpr double kMillisecond = 1e-3;

json encode(const Slo& slo) {
  json object{{"name", slo.name}};
  if (slo.max_for > Duration(0)) object["maxFor"] = format_duration(slo.max_for);
  object["action"] = name_of(kBreachActionNames, slo.action);
  object["onNoData"] = name_of(kNoDataActionNames, slo.on_no_data);
  json source{{"port", slo.port}, {"path", slo.path}};
  if (const auto* const ratio = std::get_if<PodRatio>(&slo.source)) {
    source["bad"] = codec::encode(ratio->bad);
    source["total"] = codec::encode(ratio->total);
    source["maxIncrease"] = format_percent(ratio->max_increase);
    if (slo.max) source["max"] = format_percent(*slo.max);
    object["podRatio"] = std::move(source);
    return object;
  }
  object["maxRegressionPercent"] = slo.max_regression_percent;
  if (slo.is_of_runtime()) {
    object["runtime"] = codec::encode_runtime(slo);
    return object;
  }
  if (!slo.counts_requests()) {
    const PrometheusQuery* const query = slo.query();
    if (query != nullptr) {
      source = codec::encode(*query);
    } else {
      source.update(codec::encode(std::get<PodGauge>(slo.source).gauge));
    }
    if (slo.max) source["max"] = exact(*slo.max);
    object[query != nullptr ? "prometheus" : "podGauge"] = std::move(source);
    return object;
  }
  const PodHistogram& histogram = slo.histogram();
  source["metric"] = histogram.metric;
  source["quantile"] = exact(histogram.quantile);
  source["unit"] = histogram.unit == kMillisecond ? "Milliseconds" : "Seconds";
  if (!histogram.labels.empty()) source["labels"] = histogram.labels;
  object["podHistogram"] = std::move(source);
  object["quantile"] = exact(histogram.quantile);
  if (slo.max) {
    object["max"] = format_duration(std::chrono::round<Duration>(std::chrono::duration<double>(*slo.max)));
  }
  return object;
}

PodHistogram decode_histogram(const json& from, Complaints& complaints) {
  PodHistogram histogram;
  histogram.metric = text(from, "metric");
  histogram.quantile = number(from, "quantile", histogram.quantile);
  if (!(histogram.quantile > 0 && histogram.quantile < 1)) complaints.add("a quantile must be between 0 and 1");
  histogram.unit = text(from, "unit") == "Milliseconds" ? kMillisecond : 1;
  Result<Labels> labels = series_labels(from, "labels");
  if (!labels) complaints.add(labels.error().message);
  histogram.labels = labels ? std::move(*labels) : Labels();
  return histogram;
}

double decode_share(const json& from, const char* member, Complaints& complaints) {
  const Result<double> share = parse_percent(text(from, member));
  if (!share) complaints.add(std::string(member) + ": " + share.error().message);
  return share.value_or(0);
}

/// What was read, or nothing of it and a complaint.
template <typename Source>
Source accept(Result<Source> read, Complaints& complaints) {
  if (read) return std::move(*read);
  complaints.add(read.error().message);
  return {};
}

PodRatio decode_ratio(const json& from, Complaints& complaints) {
  PodRatio ratio;
  for (const auto& [member, into] : {std::pair{"bad", &ratio.bad}, std::pair{"total", &ratio.total}}) {
    *into = accept(decode_metric_sum(child(from, member)), complaints);
  }
  ratio.max_increase = decode_share(from, "maxIncrease", complaints);
  return ratio;
}

Slo decode_slo(const json& object, Complaints& complaints) {
  Slo slo;
  slo.name = text(object, "name");
  if (!text(object, "maxFor").empty()) {
    slo.max_for = complaints.duration(object, "maxFor", Duration(0), spec_field("slos[].maxFor"));
  }
  slo.action = named(object, "action", kBreachActionNames, complaints);
  slo.on_no_data = named(object, "onNoData", kNoDataActionNames, complaints);
  const json& ratio = child(object, "podRatio");
  const json& gauge = child(object, "podGauge");
  const json& query = child(object, "prometheus");
  const json& source = !ratio.empty() ? ratio : !gauge.empty() ? gauge : child(object, "podHistogram");
  slo.port = complaints.integer(source, "port", slo.port, spec_field("slos[].podHistogram.port"));
  if (!source.empty()) slo.path = text(source, "path");
  if (!ratio.empty()) {
    slo.source = decode_ratio(ratio, complaints);
    if (!text(ratio, "max").empty()) slo.max = decode_share(ratio, "max", complaints);
    return slo;
  }
  slo.max_regression_percent = complaints.integer(object, "maxRegressionPercent", slo.max_regression_percent,
                                                  spec_field("slos[].maxRegressionPercent"));
  if (const json& runtime = child(object, "runtime"); !runtime.empty()) {
    const Result<void> read = decode_runtime(runtime, slo);
    if (!read) complaints.add(read.error().message);
    return slo;
  }
  const json& number = !gauge.empty() ? gauge : query;
  if (!number.empty()) {
    if (!text(number, "max").empty()) slo.max = complaints.number(number, "max", 0, 0, kGreatest);
    if (!gauge.empty()) {
      slo.source = PodGauge{accept(decode_metric_sum(gauge), complaints)};
    } else {
      slo.source = accept(decode_query(query), complaints);
    }
    return slo;
  }
  slo.source = decode_histogram(source, complaints);
  if (!text(object, "max").empty()) {
    slo.max = to_seconds(complaints.duration(object, "max", Duration(0), spec_field("slos[].max")));
  }
  return slo;
}

/// Whoever deletes, suspends, deploys, scales or sets something ends a trial so.
bool decided_by_others(const TrialStatus& status) {
  const bool from_outside = status.verdict == TrialVerdict::kSuperseded || status.verdict == TrialVerdict::kAborted;
  return from_outside && status.reason != "TrialUnreadable";
}

const char* in_words(MetricState state) {
  switch (state) {
    case MetricState::kPass:
      return "better";
    case MetricState::kFail:
      return "worse";
    case MetricState::kNoData:
      return "no data";
    case MetricState::kUndecided:
      break;
  }
  return "undecided";
}

MetricState decode_state(const std::string& word) {
  for (const MetricState state : {MetricState::kPass, MetricState::kFail, MetricState::kNoData}) {
    if (word == in_words(state)) return state;
  }
  return MetricState::kUndecided;
}

json encode(const RunningStats& stats) {
  json object{{"n", stats.n},
              {"mean", exact(stats.mean)},
              {"m2", exact(stats.m2)},
              {"pairs", stats.pairs},
              {"steps2", exact(stats.steps2)}};
  if (stats.last) object["last"] = exact(*stats.last);
  return object;
}

RunningStats decode_stats(const json& object, Complaints& complaints) {
  RunningStats stats;
  stats.n = long_count(complaints, object, "n");
  stats.mean = complaints.number(object, "mean", 0, -kGreatest, kGreatest);
  stats.m2 = complaints.number(object, "m2", 0, 0, kGreatest);
  stats.pairs = long_count(complaints, object, "pairs");
  stats.steps2 = complaints.number(object, "steps2", 0, 0, kGreatest);
  if (!text(object, "last").empty()) stats.last = complaints.number(object, "last", 0, -kGreatest, kGreatest);
  return stats;
}

json encode(const MeasuredSpread& measured) {
  return {{"spread", exact(measured.spread)}, {"freedom", measured.freedom}};
}

MeasuredSpread decode_spread(const json& object, Complaints& complaints) {
  return {complaints.number(object, "spread", 0, 0, kGreatest), count(complaints, object, "freedom")};
}

json encode(const EarlierTrials& earlier) {
  return {{"trials", earlier.trials},
          {"windows", earlier.windows},
          {"nodes", exact(earlier.nodes)},
          {"pods", exact(earlier.pods)}};
}

EarlierTrials decode_earlier(const json& object, Complaints& complaints) {
  return {count(complaints, object, "trials"), count(complaints, object, "windows"),
          complaints.number(object, "nodes", 0, 0, kGreatest), complaints.number(object, "pods", 0, 0, kGreatest)};
}

json encode(const MetricEvidence& metric) {
  json object{{"name", metric.name},
              {"canary", exact(metric.canary)},
              {"baseline", exact(metric.baseline)},
              {"low", exact(metric.low)},
              {"high", exact(metric.high)},
              {"threshold", exact(metric.threshold)},
              {"changePercent", metric.relative ? signed_percent(std::expm1(metric.stats.mean), "%")
                                                : signed_percent(metric.stats.mean, " points")},
              {"verdict", in_words(metric.state)},
              {"ratio", metric.relative},
              {"violations", metric.violations},
              {"missing", metric.missing},
              {"unresolved", metric.unresolved},
              {"windows", metric.stats.n},
              {"statistics", encode(metric.stats)}};
  if (metric.peers.n > 0) object["peers"] = encode(metric.peers);
  if (metric.pod_spread.freedom > 0) object["podSpread"] = encode(metric.pod_spread);
  if (metric.neighbour_spread.freedom > 0) object["neighbourSpread"] = encode(metric.neighbour_spread);
  if (metric.canary_bursts + metric.other_bursts > 0) {
    object["bursts"] = {{"canary", metric.canary_bursts},
                        {"others", metric.other_bursts},
                        {"baseline", metric.baseline_bursts},
                        {"odds", exact(metric.burst_odds)}};
  }
  if (metric.counted > 0) object["counted"] = exact(metric.counted);
  put(object, "summary", clipped(metric.summary));
  put(object, "source", metric.source);
  put(object, "pendingSince", metric.pending_since);
  return object;
}

MetricEvidence decode_metric(const json& object, Complaints& complaints) {
  MetricEvidence metric;
  metric.name = text(object, "name");
  metric.canary = complaints.number(object, "canary", 0, -kInfinity, kInfinity);
  metric.baseline = complaints.number(object, "baseline", 0, -kInfinity, kInfinity);
  metric.low = complaints.number(object, "low", 0, -kInfinity, kInfinity);
  metric.high = complaints.number(object, "high", 0, -kInfinity, kInfinity);
  metric.threshold = complaints.number(object, "threshold", 0, -kInfinity, kInfinity);
  metric.relative = boolean(object, "ratio");
  metric.counted = complaints.number(object, "counted", 0, 0, kGreatest);
  metric.violations = count(complaints, object, "violations");
  metric.state = decode_state(text(object, "verdict"));
  metric.source = text(object, "source");
  metric.summary = text(object, "summary");
  metric.missing = count(complaints, object, "missing");
  metric.unresolved = count(complaints, object, "unresolved");
  metric.pending_since = time(object, "pendingSince");
  metric.stats = decode_stats(child(object, "statistics"), complaints);
  metric.peers = decode_stats(child(object, "peers"), complaints);
  metric.pod_spread = decode_spread(child(object, "podSpread"), complaints);
  metric.neighbour_spread = decode_spread(child(object, "neighbourSpread"), complaints);
  const json& bursts = child(object, "bursts");
  metric.canary_bursts = count(complaints, bursts, "canary");
  metric.other_bursts = count(complaints, bursts, "others");
  metric.baseline_bursts = count(complaints, bursts, "baseline");
  metric.burst_odds = complaints.number(bursts, "odds", 0, -kGreatest, kGreatest);
  return metric;
}

/// Puts the evidence's members into `object`: the trial's own status, or its "watch" part.
void put(json& object, const Evidence& evidence) {
  object["windows"] = evidence.windows;
  object["emptyWindows"] = evidence.empty_windows;
  object["samples"] = {{"canary", evidence.canary_requests}, {"baseline", evidence.baseline_requests}};
  if (evidence.baseline_memory > 0) object["baselineMemoryPercent"] = exact(evidence.baseline_memory * 100);
  if (evidence.restarts > 0) object["restarts"] = evidence.restarts;
  put(object, "measuredUntil", evidence.until);
  if (evidence.pairs > 1) object["pairs"] = evidence.pairs;
  if (evidence.nodes_apart > 0) object["nodesApart"] = evidence.nodes_apart;
  if (evidence.earlier.trials > 0) object["earlier"] = encode(evidence.earlier);
  json metrics = json::array();
  for (const MetricEvidence& metric : evidence.metrics) metrics.push_back(encode(metric));
  object["metrics"] = std::move(metrics);
}

Evidence decode_evidence(const json& object, Complaints& complaints) {
  Evidence evidence;
  evidence.windows = count(complaints, object, "windows");
  evidence.empty_windows = count(complaints, object, "emptyWindows");
  evidence.canary_requests = long_count(complaints, child(object, "samples"), "canary");
  evidence.baseline_requests = long_count(complaints, child(object, "samples"), "baseline");
  evidence.baseline_memory = complaints.number(object, "baselineMemoryPercent", 0, 0, kGreatest) / 100;
  evidence.restarts = count(complaints, object, "restarts");
  evidence.until = time(object, "measuredUntil");
  evidence.pairs = std::max(1, count(complaints, object, "pairs"));
  evidence.nodes_apart = count(complaints, object, "nodesApart");
  evidence.earlier = decode_earlier(child(object, "earlier"), complaints);
  for (const json& metric : bounded_list(complaints, object, "metrics", kMostMetrics)) {
    evidence.metrics.push_back(decode_metric(metric, complaints));
  }
  return evidence;
}

}  // namespace

namespace {

/// The settings; a complaint when they are none that Go would start with. Left out they would read as Go's defaults.
Settings decode_settings(const json& object, const char* member, Complaints& complaints) {
  const json& from = child(object, member);
  const Result<Settings> settings = parse_settings({text(from, "gogc"), text(from, "goMemLimit")});
  if (!settings) complaints.add(std::string(member) + ": " + codec::clipped(settings.error().message, 200));
  return settings.value_or(Settings{});
}

/// The word's meaning, or `otherwise` when there is none yet; a complaint when it is unknown to this version.
template <typename Enum>
Enum word(const json& object, const char* member, std::optional<Enum> (*parse)(const std::string&), Enum otherwise,
          Complaints& complaints) {
  const std::string said = text(object, member);
  if (said.empty()) return otherwise;
  const std::optional<Enum> meaning = parse(said);
  if (!meaning)
    complaints.add(std::string(member) + " '" + codec::clipped(said, 40) + "' is not known to this version of gopacer");
  return meaning.value_or(otherwise);
}

Strategy strategy_named(const std::string& name) {
  for (const auto& [known, strategy] : kStrategyNames) {
    if (name == known) return strategy;
  }
  return Strategy::kModel;
}

/// None where it is not there.
std::optional<LiveTurn> decode_turn(const json& from, Complaints& complaints) {
  const auto since = time(from, "since");
  const auto renewed = time(from, "renewedAt");
  if (!since || !renewed) return std::nullopt;
  LiveTurn turn{*since, long_count(complaints, from, "block"), {}, *renewed};
  for (const json& pod : bounded_list(complaints, from, "pods", kMostLivePods)) {
    if (pod.is_string()) turn.pods.push_back(pod.get<std::string>());
  }
  return turn;
}

}  // namespace

json trial_object(const ObjectKey& key, const TrialSpec& spec) {
  json slos = json::array();
  for (const Slo& slo : spec.slos) slos.push_back(encode(slo));
  json body{{"profileRef", {{"name", spec.profile}, {"uid", spec.profile_uid}}},
            {"targetRef", {{"kind", spec.target.kind}, {"name", spec.target.name}, {"uid", spec.target.uid}}},
            {"container", spec.container},
            {"number", spec.number},
            {"from", encode(spec.from)},
            {"to", encode(spec.to)},
            {"fromText", describe(spec.from)},
            {"toText", describe(spec.to)},
            {"strategy", to_string(spec.strategy)},
            {"requestedBy", spec.strategy == Strategy::kFixed ? "user" : "model"},
            {"reason", clipped(spec.reason)},
            {"predicted", json::object()},
            {"templateHash", spec.template_hash},
            {"slos", std::move(slos)},
            {"canary",
             {{"replicas", spec.canary.replicas},
              {"interval", format_duration(spec.canary.interval)},
              {"warmUp", format_duration(spec.canary.warm_up)},
              {"maxDuration", format_duration(spec.canary.max_duration)},
              {"minSamples", spec.canary.min_samples},
              {"watchFor", format_duration(spec.watch_for)}}},
            {"minSavingPercent", exact(spec.min_saving * 100)},
            {"usualRestartsPerDay", exact(spec.usual_restarts_per_day)},
            {"deadline", format_time(spec.deadline)}};
  if (spec.live) body["live"] = {{"block", format_duration(spec.live->block)}};
  if (spec.live && spec.live->own) body["live"]["own"] = encode(*spec.live->own);
  if (!spec.steps.empty()) {
    json& steps = body["canary"]["steps"] = json::array();
    for (const ArmStep& step : spec.steps) {
      steps.push_back({{"replicas", step.replicas}, {"pause", format_duration(step.pause)}});
    }
  }
  put(body["predicted"], "gcCpuPercent", spec.predicted.gc_cpu_percent);
  put(body["predicted"], "savingPercent", spec.predicted.saving_percent);
  put(body["predicted"], "peakMemory", spec.predicted.peak_memory);
  put(body["predicted"], "cycleVolume", spec.predicted.cycle_volume);
  put(body["predicted"], "destination", spec.predicted.destination);
  return {{"apiVersion", api_version(resources::kTrials)},
          {"kind", resources::kTrials.kind},
          {"metadata",
           {{"namespace", key.ns},
            {"name", key.name},
            {"finalizers", {kTrialFinalizer}},
            {"labels", {{kProfileLabel, label_value(spec.profile)}, {"app.kubernetes.io/managed-by", "gopacer"}}}}},
          {"spec", std::move(body)}};
}

json encode(const TrialStatus& status) {
  json object = json::object();
  object["phase"] = to_string(status.phase);
  put(object, "verdict", to_string(status.verdict));
  put(object, "reason", status.reason);
  put(object, "message", clipped(status.message));
  put(object, "startedAt", status.started);
  put(object, "waitingSince", status.waiting_since);
  put(object, "warmUntil", status.warm_until);
  put(object, "measuringSince", status.measuring_since);
  if (status.step > 0) object["step"] = status.step;
  if (status.put_back) object["putBack"] = encode(*status.put_back);
  if (!status.arm_pods.empty()) object["armPods"] = status.arm_pods;
  if (const auto& live = status.live) {
    object["live"] = {{"since", format_micro_time(live->since)},
                      {"block", live->block},
                      {"pods", live->pods},
                      {"renewedAt", format_micro_time(live->renewed)}};
  }
  put(object, "promotedAt", status.promoted);
  if (status.applied_generation > 0) object["appliedGeneration"] = status.applied_generation;
  if (status.after_rollback != TrialVerdict::kNone) object["afterRollback"] = to_string(status.after_rollback);
  put(object, "unavailableSince", status.unavailable_since);
  put(object, "watchingSince", status.watching_since);
  if (status.watched_replicas > 0) object["watchedReplicas"] = status.watched_replicas;
  put(object, "endedAt", status.ended);
  if (status.ended) {
    object["decidedBy"] = decided_by_others(status) ? "others" : "gopacer";
    if (status.started && *status.started <= *status.ended) {
      object["duration"] = format_duration(std::chrono::round<std::chrono::seconds>(*status.ended - *status.started));
    }
  }
  if (status.latency_change) object["p99ChangePercent"] = signed_percent(*status.latency_change, "%");
  if (status.gc_change) object["gcChangePercent"] = signed_percent(*status.gc_change, "%");
  put(object, status.evidence);
  if (status.watching_since) put(object["watch"], status.watch_evidence);
  json steps = json::array();
  for (const TrialStep& step : status.steps) {
    steps.push_back(
        {{"at", format_time(step.at)}, {"phase", to_string(step.phase)}, {"message", clipped(step.message)}});
  }
  object["steps"] = std::move(steps);
  return object;
}

Result<Trial> decode_trial(const json& object) {
  Trial trial;
  const json& metadata = child(object, "metadata");
  trial.key = {text(metadata, "namespace"), text(metadata, "name")};
  trial.uid = text(metadata, "uid");
  trial.resource_version = text(metadata, "resourceVersion");
  trial.created = time(metadata, "creationTimestamp").value_or(Time{});
  trial.deleting = codec::deleting(object);
  Result<std::vector<std::string>> finalizers = finalizers_of(object);
  if (!finalizers) return tl::unexpected(finalizers.error());
  trial.finalizers = std::move(*finalizers);

  Complaints complaints;
  const json& spec = child(object, "spec");
  trial.spec.profile = text(child(spec, "profileRef"), "name");
  trial.spec.profile_uid = text(child(spec, "profileRef"), "uid");
  const json& target = child(spec, "targetRef");
  if (const std::string kind = text(target, "kind"); !kind.empty()) trial.spec.target.kind = kind;
  trial.spec.target.name = text(target, "name");
  trial.spec.target.uid = text(target, "uid");
  trial.spec.container = text(spec, "container");
  trial.spec.number = static_cast<int>(complaints.integer(spec, "number", 0, 1, kHighestNumber));
  Complaints settings;
  trial.spec.from = decode_settings(spec, "from", settings);
  trial.spec.to = decode_settings(spec, "to", settings);
  if (!settings.none()) {
    return invalid("GoRuntimeTrial " + trial.key.text() + " can't be used: " + settings.text() +
                   ". gopacer did not make it so; delete it");
  }
  trial.spec.strategy = strategy_named(text(spec, "strategy"));
  trial.spec.reason = text(spec, "reason");
  const json& predicted = child(spec, "predicted");
  trial.spec.predicted = {text(predicted, "gcCpuPercent"), text(predicted, "savingPercent"),
                          text(predicted, "peakMemory"), text(predicted, "cycleVolume"),
                          text(predicted, "destination")};
  trial.spec.template_hash = text(spec, "templateHash");
  for (const json& slo : bounded_list(complaints, spec, "slos", kMostSlos)) {
    trial.spec.slos.push_back(decode_slo(slo, complaints));
  }
  const json& canary = child(spec, "canary");
  CanaryPlan& plan = trial.spec.canary;
  plan.replicas = static_cast<int>(complaints.integer(canary, "replicas", plan.replicas, 1, kMostArmReplicas));
  for (const json& step : bounded_list(complaints, canary, "steps", kMostCanarySteps)) {
    const auto replicas = complaints.integer(step, "replicas", 1, 1, kMostArmReplicas);
    trial.spec.steps.push_back({static_cast<int>(replicas), complaints.duration(step, "pause", Duration(0), kPause)});
  }
  plan.interval = complaints.duration(canary, "interval", plan.interval, spec_field("canary.interval"));
  plan.warm_up = complaints.duration(canary, "warmUp", plan.warm_up, spec_field("canary.warmUp"));
  plan.max_duration = complaints.duration(canary, "maxDuration", plan.max_duration, spec_field("canary.maxDuration"));
  plan.min_samples = complaints.integer(canary, "minSamples", plan.min_samples, spec_field("canary.minSamples"));
  if (const json& live = child(spec, "live"); !live.empty()) {
    trial.spec.live = LivePlan{complaints.duration(live, "block", std::chrono::seconds(6), kBlock)};
    if (live.contains("own")) trial.spec.live->own = decode_settings(live, "own", complaints);
  }
  trial.spec.watch_for = complaints.duration(canary, "watchFor", Duration(0), spec_field("rollback.watchFor"));
  trial.spec.min_saving = complaints.number(spec, "minSavingPercent", 0, -100, 100) / 100;
  trial.spec.usual_restarts_per_day = complaints.number(spec, "usualRestartsPerDay", 0, 0, kMostRestartsPerDay);
  const std::optional<Time> deadline = time(spec, "deadline");
  if (trial.spec.profile.empty() || trial.spec.target.name.empty() || trial.spec.container.empty() || !deadline) {
    return invalid("GoRuntimeTrial " + trial.key.text() +
                   " names no profile, target, container or deadline: it was not made by gopacer; delete it");
  }
  // Requests and lines of the log are made of them.
  if (!codec::is_object_name(trial.spec.profile) || !codec::is_object_name(trial.spec.target.name)) {
    return invalid("GoRuntimeTrial " + trial.key.text() +
                   " names a profile or target that can't exist: it was not made by gopacer; delete it");
  }
  trial.spec.deadline = *deadline;
  if (trial.spec.deadline > trial.created + kLongestBeforePromotion) {
    complaints.add("the deadline is more than " + format_duration(kLongestBeforePromotion) +
                   " after the trial was made");
  }

  const json& status = child(object, "status");
  trial.status.promoted = time(status, "promotedAt");
  // A trial that was just created has no status yet. Of a phase that only another version knows this much is clear:
  // whether the target has the new settings.
  trial.status.phase = word(status, "phase", parse_trial_phase,
                            trial.status.promoted ? TrialPhase::kWatching : TrialPhase::kPending, complaints);
  trial.status.verdict = word(status, "verdict", parse_trial_verdict, TrialVerdict::kNone, complaints);
  trial.status.reason = text(status, "reason");
  trial.status.message = text(status, "message");
  trial.status.started = time(status, "startedAt");
  trial.status.waiting_since = time(status, "waitingSince");
  trial.status.warm_until = time(status, "warmUntil");
  trial.status.measuring_since = time(status, "measuringSince");
  trial.status.step = static_cast<int>(
      complaints.integer(status, "step", 0, 0, std::max<std::int64_t>(0, std::ssize(trial.spec.steps) - 1)));
  if (status.contains("putBack")) trial.status.put_back = decode_settings(child(status, "putBack"));
  for (const json& pod : elements(status, "armPods")) {
    if (pod.is_string()) trial.status.arm_pods.push_back(pod.get<std::string>());
  }
  trial.status.live = decode_turn(child(status, "live"), complaints);
  trial.status.applied_generation = integer(status, "appliedGeneration");
  trial.status.after_rollback = parse_trial_verdict(text(status, "afterRollback")).value_or(TrialVerdict::kNone);
  trial.status.unavailable_since = time(status, "unavailableSince");
  trial.status.watching_since = time(status, "watchingSince");
  trial.status.watched_replicas = count(complaints, status, "watchedReplicas");
  trial.status.ended = time(status, "endedAt");
  trial.status.evidence = decode_evidence(status, complaints);
  trial.status.watch_evidence = decode_evidence(child(status, "watch"), complaints);
  const auto share = [&](const char* member) -> std::optional<double> {
    std::string percent = text(status, member);
    if (percent.ends_with('%')) percent.pop_back();
    if (percent.starts_with('+')) percent.erase(0, 1);
    if (percent.empty()) return std::nullopt;
    return number(json{{"percent", percent}}, "percent") / 100;
  };
  trial.status.latency_change = share("p99ChangePercent");
  trial.status.gc_change = share("gcChangePercent");
  for (const json& step : bounded_list(complaints, status, "steps", kMostTrialSteps)) {
    trial.status.steps.push_back({time(step, "at").value_or(Time{}),
                                  parse_trial_phase(text(step, "phase")).value_or(TrialPhase::kPending),
                                  text(step, "message")});
  }
  if (!complaints.none()) {
    trial.unreadable = "GoRuntimeTrial " + trial.key.text() + " can't be used: " + complaints.text() +
                       ". Another version of gopacer made it, or clocks went wrong; it is brought to an end.";
  }
  return trial;
}

}  // namespace gopacer::codec
