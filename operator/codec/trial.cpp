#include "codec/trial.h"

#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "codec/resources.h"
#include "codec/settings.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestMessage = 1000;

std::string clipped(const std::string& message) { return codec::clipped(message, kLongestMessage); }

/// Drops members that say nothing, so that a reader sees only what is there.
void put(json& object, const char* member, const std::string& value) {
  if (!value.empty()) object[member] = value;
}

void put(json& object, const char* member, const std::optional<Time>& value) {
  if (value) object[member] = format_micro_time(*value);
}

json encode(const Slo& slo) {
  json object{{"name", slo.name},
              {"quantile", exact(slo.histogram.quantile)},
              {"maxRegressionPercent", slo.max_regression_percent},
              {"podHistogram",
               {{"port", slo.histogram.port},
                {"path", slo.histogram.path},
                {"metric", slo.histogram.metric},
                {"quantile", exact(slo.histogram.quantile)}}}};
  if (slo.max) object["max"] = format_duration(*slo.max);
  if (!slo.histogram.labels.empty()) object["podHistogram"]["labels"] = slo.histogram.labels;
  return object;
}

Slo decode_slo(const json& object) {
  Slo slo;
  slo.name = text(object, "name");
  slo.max_regression_percent = static_cast<int>(integer(object, "maxRegressionPercent", slo.max_regression_percent));
  if (const Result<Duration> max = parse_duration(text(object, "max"))) slo.max = *max;
  const json& histogram = child(object, "podHistogram");
  slo.histogram.port = static_cast<int>(integer(histogram, "port", slo.histogram.port));
  slo.histogram.path = text(histogram, "path");
  slo.histogram.metric = text(histogram, "metric");
  slo.histogram.quantile = number(histogram, "quantile", slo.histogram.quantile);
  for (const auto& [label, value] : child(histogram, "labels").items()) {
    if (value.is_string()) slo.histogram.labels[label] = value.get<std::string>();
  }
  return slo;
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

RunningStats decode_stats(const json& object) {
  RunningStats stats;
  stats.n = integer(object, "n");
  stats.mean = number(object, "mean");
  stats.m2 = number(object, "m2");
  stats.pairs = integer(object, "pairs");
  stats.steps2 = number(object, "steps2");
  if (!text(object, "last").empty()) stats.last = number(object, "last");
  return stats;
}

json encode(const MetricEvidence& metric) {
  json object{{"name", metric.name},
              {"canary", exact(metric.canary)},
              {"baseline", exact(metric.baseline)},
              {"low", exact(metric.low)},
              {"high", exact(metric.high)},
              {"threshold", exact(metric.threshold)},
              {"changePercent", signed_percent(metric.stats.mean)},
              {"verdict", in_words(metric.state)},
              {"ratio", metric.ratio},
              {"violations", metric.violations},
              {"missing", metric.missing},
              {"unresolved", metric.unresolved},
              {"windows", metric.stats.n},
              {"statistics", encode(metric.stats)}};
  put(object, "source", metric.source);
  put(object, "pendingSince", metric.pending_since);
  return object;
}

MetricEvidence decode_metric(const json& object) {
  MetricEvidence metric;
  metric.name = text(object, "name");
  metric.canary = number(object, "canary");
  metric.baseline = number(object, "baseline");
  metric.low = number(object, "low");
  metric.high = number(object, "high");
  metric.threshold = number(object, "threshold");
  metric.ratio = boolean(object, "ratio");
  metric.violations = static_cast<int>(integer(object, "violations"));
  metric.state = decode_state(text(object, "verdict"));
  metric.source = text(object, "source");
  metric.missing = static_cast<int>(integer(object, "missing"));
  metric.unresolved = static_cast<int>(integer(object, "unresolved"));
  metric.pending_since = time(object, "pendingSince");
  metric.stats = decode_stats(child(object, "statistics"));
  return metric;
}

/// Puts the evidence's members into `object`: the trial's own status, or its "watch" part.
void put(json& object, const Evidence& evidence) {
  object["windows"] = evidence.windows;
  object["emptyWindows"] = evidence.empty_windows;
  object["samples"] = {{"canary", evidence.canary_requests}, {"baseline", evidence.baseline_requests}};
  put(object, "measuredUntil", evidence.until);
  json metrics = json::array();
  for (const MetricEvidence& metric : evidence.metrics) metrics.push_back(encode(metric));
  object["metrics"] = std::move(metrics);
}

Evidence decode_evidence(const json& object) {
  Evidence evidence;
  evidence.windows = static_cast<int>(integer(object, "windows"));
  evidence.empty_windows = static_cast<int>(integer(object, "emptyWindows"));
  evidence.canary_requests = integer(child(object, "samples"), "canary");
  evidence.baseline_requests = integer(child(object, "samples"), "baseline");
  evidence.until = time(object, "measuredUntil");
  for (const json& metric : child(object, "metrics")) evidence.metrics.push_back(decode_metric(metric));
  return evidence;
}

}  // namespace

std::string signed_percent(double share) {
  const std::string figure = format_fixed(share * 100, 1) + "%";
  return share > 0 && figure != "0.0%" ? "+" + figure : figure;
}

namespace {

Strategy strategy_named(const std::string& name) {
  for (const auto& [known, strategy] : kStrategyNames) {
    if (name == known) return strategy;
  }
  return Strategy::kModel;
}

}  // namespace

json trial_object(const ObjectKey& key, const TrialSpec& spec) {
  json slos = json::array();
  for (const Slo& slo : spec.slos) slos.push_back(encode(slo));
  json body{{"profileRef", {{"name", spec.profile}, {"uid", spec.profile_uid}}},
            {"targetRef", {{"name", spec.target}, {"uid", spec.target_uid}}},
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
            {"deadline", format_time(spec.deadline)}};
  put(body["predicted"], "gcCpuPercent", spec.predicted.gc_cpu_percent);
  put(body["predicted"], "savingPercent", spec.predicted.saving_percent);
  put(body["predicted"], "peakMemory", spec.predicted.peak_memory);
  return {{"apiVersion", resources::api_version(resources::kTrials)},
          {"kind", resources::kTrials.kind},
          {"metadata",
           {{"namespace", key.ns},
            {"name", key.name},
            {"labels", {{kProfileLabel, label_value(spec.profile)}, {"app.kubernetes.io/managed-by", "gopacer"}}}}},
          {"spec", std::move(body)}};
}

json encode(const TrialStatus& status) {
  json object = json::object();
  object["phase"] = to_string(status.phase);
  // Also when it is empty: a promotion that the watch takes back takes its verdict back.
  object["verdict"] = to_string(status.verdict);
  put(object, "reason", status.reason);
  put(object, "message", clipped(status.message));
  put(object, "startedAt", status.started);
  put(object, "warmUntil", status.warm_until);
  put(object, "measuringSince", status.measuring_since);
  put(object, "promotedAt", status.promoted);
  put(object, "watchingSince", status.watching_since);
  put(object, "endedAt", status.ended);
  if (status.latency_change) object["p99ChangePercent"] = signed_percent(*status.latency_change);
  if (status.gc_change) object["gcChangePercent"] = signed_percent(*status.gc_change);
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
  trial.deleting = metadata.contains("deletionTimestamp");

  const json& spec = child(object, "spec");
  trial.spec.profile = text(child(spec, "profileRef"), "name");
  trial.spec.profile_uid = text(child(spec, "profileRef"), "uid");
  trial.spec.target = text(child(spec, "targetRef"), "name");
  trial.spec.target_uid = text(child(spec, "targetRef"), "uid");
  trial.spec.container = text(spec, "container");
  trial.spec.number = static_cast<int>(integer(spec, "number"));
  trial.spec.from = decode_settings(child(spec, "from"));
  trial.spec.to = decode_settings(child(spec, "to"));
  trial.spec.strategy = strategy_named(text(spec, "strategy"));
  trial.spec.reason = text(spec, "reason");
  const json& predicted = child(spec, "predicted");
  trial.spec.predicted = {text(predicted, "gcCpuPercent"), text(predicted, "savingPercent"),
                          text(predicted, "peakMemory")};
  trial.spec.template_hash = text(spec, "templateHash");
  for (const json& slo : child(spec, "slos")) trial.spec.slos.push_back(decode_slo(slo));
  const json& canary = child(spec, "canary");
  CanaryPlan& plan = trial.spec.canary;
  plan.replicas = static_cast<int>(integer(canary, "replicas", plan.replicas));
  plan.interval = duration(canary, "interval", plan.interval);
  plan.warm_up = duration(canary, "warmUp", plan.warm_up);
  plan.max_duration = duration(canary, "maxDuration", plan.max_duration);
  plan.min_samples = static_cast<int>(integer(canary, "minSamples", plan.min_samples));
  trial.spec.watch_for = duration(canary, "watchFor", Duration(0));
  trial.spec.min_saving = number(spec, "minSavingPercent") / 100;
  const std::optional<Time> deadline = time(spec, "deadline");
  if (trial.spec.profile.empty() || trial.spec.target.empty() || trial.spec.container.empty() || !deadline) {
    return invalid("GoRuntimeTrial " + trial.key.text() +
                   " names no profile, target, container or deadline: it was not made by gopacer; delete it");
  }
  trial.spec.deadline = *deadline;

  const json& status = child(object, "status");
  // A trial that was just created has no status yet.
  trial.status.phase = parse_trial_phase(text(status, "phase")).value_or(TrialPhase::kPending);
  trial.status.verdict = parse_trial_verdict(text(status, "verdict")).value_or(TrialVerdict::kNone);
  trial.status.reason = text(status, "reason");
  trial.status.message = text(status, "message");
  trial.status.started = time(status, "startedAt");
  trial.status.warm_until = time(status, "warmUntil");
  trial.status.measuring_since = time(status, "measuringSince");
  trial.status.promoted = time(status, "promotedAt");
  trial.status.watching_since = time(status, "watchingSince");
  trial.status.ended = time(status, "endedAt");
  trial.status.evidence = decode_evidence(status);
  trial.status.watch_evidence = decode_evidence(child(status, "watch"));
  const auto share = [&](const char* member) -> std::optional<double> {
    std::string percent = text(status, member);
    if (percent.empty()) return std::nullopt;
    if (percent.back() == '%') percent.pop_back();
    if (percent.front() == '+') percent.erase(0, 1);
    return number(json{{"percent", percent}}, "percent") / 100;
  };
  trial.status.latency_change = share("p99ChangePercent");
  trial.status.gc_change = share("gcChangePercent");
  for (const json& step : child(status, "steps")) {
    trial.status.steps.push_back({time(step, "at").value_or(Time{}),
                                  parse_trial_phase(text(step, "phase")).value_or(TrialPhase::kPending),
                                  text(step, "message")});
  }
  return trial;
}

}  // namespace gopacer::codec
