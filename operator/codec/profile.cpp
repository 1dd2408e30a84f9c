#include "codec/profile.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "codec/complaints.h"
#include "codec/fields.h"
#include "codec/settings.h"
#include "codec/slo_source.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

/// Reads fields of the spec by their rows of kSpecFields, and collects what is wrong, so that one message tells it all.
/// `object` is the spec, or the element of the list that the field's path goes through. What is missing, or of another
/// type, is what the row says.
class Reader {
 public:
  std::string text(const json& object, const SpecField& field) {
    const json& value = member(object, field);
    return value.is_string() && value != "" ? value.get<std::string>() : std::string(field.otherwise);
  }

  bool boolean(const json& object, const SpecField& field) {
    const json& value = member(object, field);
    return value.is_boolean() ? value.get<bool>() : field.otherwise == "true";
  }

  /// None when it is left out and has no default.
  std::optional<int> optional_integer(const json& object, const SpecField& field) {
    const json& value = member(object, field);
    if (!value.is_number_integer()) {
      return field.otherwise.empty() ? std::nullopt : std::optional(std::stoi(std::string(field.otherwise)));
    }
    if (value < field.least || value > field.most) {
      complain(out_of_bounds(name_of(field), value, std::to_string(field.least), std::to_string(field.most)));
    }
    return static_cast<int>(std::clamp<double>(value.get<double>(), INT32_MIN, INT32_MAX));
  }
  int integer(const json& object, const SpecField& field) { return optional_integer(object, field).value_or(0); }

  std::optional<Duration> optional_duration(const json& object, const SpecField& field) {
    const std::string value = text(object, field);
    if (value.empty()) return std::nullopt;
    const Result<Duration> read = parse_duration(value);
    const std::chrono::milliseconds least(field.least);
    const std::chrono::milliseconds most(field.most);
    if (read && *read >= least && *read <= most) return *read;
    complain(read ? out_of_bounds(name_of(field), value, format_duration(least), format_duration(most))
                  : name_of(field) + ": " + read.error().message);
    return parse_duration(field.otherwise).value_or(Duration(0));
  }
  Duration duration(const json& object, const SpecField& field) {
    return optional_duration(object, field).value_or(Duration(0));
  }

  /// A share above 0; none when it is left out and has no default.
  std::optional<double> percent(const json& object, const SpecField& field) {
    const std::string value = text(object, field);
    if (value.empty()) return std::nullopt;
    const Result<double> read = parse_percent(value);
    if (read && *read > 0) return *read;
    complain(name_of(field) + ": " + (read ? "must be more than 0%" : read.error().message));
    return std::nullopt;
  }

  /// A number from 0 on, in quotes.
  std::optional<double> decimal(const json& object, const SpecField& field) {
    const std::string value = text(object, field);
    if (value.empty()) return std::nullopt;
    const double read = number(json{{"text", value}}, "text", -1);
    if (read >= 0) return read;
    complain(name_of(field) + ": '" + value + "' is not a number from 0 on, such as \"1000\"");
    return std::nullopt;
  }

  std::optional<Bytes> size(const json& object, const SpecField& field) {
    const std::string value = text(object, field);
    if (value.empty()) return std::nullopt;
    const Result<Bytes> read = parse_go_size(value);
    if (read) return *read;
    complain(name_of(field) + ": " + read.error().message);
    return std::nullopt;
  }

  template <typename Enum, std::size_t N>
  Enum choice(const json& object, const SpecField& field, const std::array<std::pair<const char*, Enum>, N>& choices) {
    const std::string value = text(object, field);
    std::string known;
    Enum otherwise{};
    for (const auto& [word, meaning] : choices) {
      if (value == word) return meaning;
      if (field.otherwise == word) otherwise = meaning;
      known += (known.empty() ? "" : ", ") + std::string(word);
    }
    complain(name_of(field) + " '" + value + "' is not known to this version of gopacer: use one of " + known);
    return otherwise;
  }

  void complain(const std::string& what) { complaints_.add(what); }
  const Complaints& complaints() const { return complaints_; }

 private:
  static std::string name_of(const SpecField& field) { return "spec." + std::string(field.path); }

  static const json& member(const json& object, const SpecField& field) {
    constexpr std::string_view kElement = "[].";
    std::string_view path = field.path;
    if (const auto list = path.find(kElement); list != path.npos) path.remove_prefix(list + kElement.size());
    const json* at = &object;
    while (true) {
      const auto dot = path.find('.');
      at = &child(*at, std::string(path.substr(0, dot)).c_str());
      if (dot == path.npos) return *at;
      path.remove_prefix(dot + 1);
    }
  }

  Complaints complaints_;
};

/// One more than these still has a number that a trial may have.
constexpr int kMostTrials = 999'999'999;

/// Milliseconds where the metric's name says so and the person nothing.
constexpr std::array<std::pair<const char*, double>, 3> kUnits{{{"", 1}, {"Seconds", 1}, {"Milliseconds", 1e-3}}};

PodHistogram decode_histogram(const json& from, const std::string& slo, Reader& reader) {
  PodHistogram histogram;
  histogram.metric = reader.text(from, spec_field("slos[].podHistogram.metric"));
  const json quantile{{"text", reader.text(from, spec_field("slos[].podHistogram.quantile"))}};
  histogram.quantile = number(quantile, "text", -1);
  if (!(histogram.quantile > 0 && histogram.quantile < 1)) {
    reader.complain("spec.slos[" + slo + "].podHistogram.quantile must be between 0 and 1, such as \"0.99\"");
  }
  Result<Labels> labels = series_labels(child(from, "podHistogram"), "labels");
  if (!labels) reader.complain("spec.slos[" + slo + "].podHistogram: " + labels.error().message);
  histogram.labels = labels ? std::move(*labels) : Labels();
  const bool by_name = histogram.metric.ends_with("_milliseconds") || histogram.metric.ends_with("_ms");
  const SpecField& unit = spec_field("slos[].podHistogram.unit");
  histogram.unit = by_name && reader.text(from, unit).empty() ? 1e-3 : reader.choice(from, unit, kUnits);
  return histogram;
}

/// What was read, or nothing of it and a complaint.
template <typename Source>
Source accept(Result<Source> read, const std::string& slo, const char* member, Reader& reader) {
  if (read) return std::move(*read);
  reader.complain("spec.slos[" + slo + "]." + member + ": " + read.error().message);
  return {};
}

PodRatio decode_ratio(const json& from, const std::string& slo, Reader& reader) {
  PodRatio ratio;
  for (const auto& [member, into] : {std::pair{"bad", &ratio.bad}, std::pair{"total", &ratio.total}}) {
    const std::string place = "podRatio." + std::string(member);
    *into = accept(decode_metric_sum(child(child(from, "podRatio"), member)), slo, place.c_str(), reader);
  }
  ratio.max_increase = reader.percent(from, spec_field("slos[].podRatio.maxIncrease")).value_or(0);
  return ratio;
}

Slo decode_slo(const json& from, Reader& reader) {
  Slo slo;
  slo.name = reader.text(from, spec_field("slos[].name"));
  slo.max_for = reader.duration(from, spec_field("slos[].maxFor"));
  slo.action = reader.choice(from, spec_field("slos[].action"), kBreachActionNames);
  slo.on_no_data = reader.choice(from, spec_field("slos[].onNoData"), kNoDataActionNames);
  if (!child(from, "podRatio").empty()) {
    slo.source = decode_ratio(from, slo.name, reader);
    slo.port = reader.integer(from, spec_field("slos[].podRatio.port"));
    slo.path = reader.text(from, spec_field("slos[].podRatio.path"));
    slo.max = reader.percent(from, spec_field("slos[].podRatio.max"));
    return slo;
  }
  slo.max_regression_percent = reader.integer(from, spec_field("slos[].maxRegressionPercent"));
  if (!child(from, "podGauge").empty()) {
    slo.source = PodGauge{accept(decode_metric_sum(child(from, "podGauge")), slo.name, "podGauge", reader)};
    slo.port = reader.integer(from, spec_field("slos[].podGauge.port"));
    slo.path = reader.text(from, spec_field("slos[].podGauge.path"));
    slo.max = reader.decimal(from, spec_field("slos[].podGauge.max"));
  } else if (!child(from, "runtime").empty()) {
    const Result<void> read = decode_runtime(child(from, "runtime"), slo);
    if (!read) reader.complain("spec.slos[" + slo.name + "].runtime: " + read.error().message);
  } else if (!child(from, "prometheus").empty()) {
    slo.source = accept(decode_query(child(from, "prometheus")), slo.name, "prometheus", reader);
    slo.max = reader.decimal(from, spec_field("slos[].prometheus.max"));
  } else {
    slo.source = decode_histogram(from, slo.name, reader);
    slo.port = reader.integer(from, spec_field("slos[].podHistogram.port"));
    slo.path = reader.text(from, spec_field("slos[].podHistogram.path"));
    if (const auto max = reader.optional_duration(from, spec_field("slos[].max"))) slo.max = to_seconds(*max);
  }
  return slo;
}

/// They have to grow, or nobody knows what was meant.
std::vector<CanaryStep> decode_steps(const json& from, Reader& reader) {
  std::vector<CanaryStep> steps;
  for (const json& step : elements(child(from, "canary"), "steps")) {
    const CanaryStep next{reader.integer(step, spec_field("canary.steps[].percent")),
                          reader.duration(step, spec_field("canary.steps[].pause"))};
    if (!steps.empty() && next.percent <= steps.back().percent) {
      reader.complain("spec.canary.steps: each step must have a larger percent than the one before");
    }
    steps.push_back(next);
  }
  if (steps.size() > kMostCanarySteps) reader.complain("spec.canary.steps has more than five steps");
  return steps;
}

ProfileSpec decode_spec(const json& from, Reader& reader) {
  ProfileSpec spec;
  spec.target = reader.text(from, spec_field("targetRef.name"));
  if (reader.text(from, spec_field("targetRef.kind")) != "Deployment") {
    reader.complain("spec.targetRef.kind must be Deployment");
  }
  if (spec.target.empty()) reader.complain("spec.targetRef.name is missing");
  spec.container = reader.text(from, spec_field("containerName"));

  spec.update_mode = reader.choice(from, spec_field("updatePolicy.updateMode"), kUpdateModeNames);
  spec.apply = reader.choice(from, spec_field("updatePolicy.apply"), kApplyModeNames);
  if (spec.update_mode == UpdateMode::kContinuous && spec.apply != ApplyMode::kLive) {
    reader.complain(
        "spec.updatePolicy.updateMode Continuous goes with apply: Live only: each change would restart the pods");
  }
  spec.suspend = reader.boolean(from, spec_field("updatePolicy.suspend"));
  spec.revert_on_deletion = reader.boolean(from, spec_field("updatePolicy.revertOnDeletion"));

  spec.objective = reader.choice(from, spec_field("objective.type"), kObjectiveNames);
  const double price = reader.decimal(from, spec_field("objective.memoryPricePerGiBCores")).value_or(0);
  spec.memory_price = std::clamp(price, kLeastMemoryPrice, kMostMemoryPrice);
  if (price != spec.memory_price) reader.complain("spec.objective.memoryPricePerGiBCores must be from 0.001 to 10");
  spec.strategy = reader.choice(from, spec_field("objective.strategy"), kStrategyNames);
  const std::optional<int> gogc = reader.optional_integer(from, spec_field("objective.settings.gogc"));
  if (gogc) spec.fixed.gogc = Gogc(*gogc);
  spec.fixed.go_mem_limit = reader.size(from, spec_field("objective.settings.goMemLimit"));

  spec.bounds.min_gogc = reader.integer(from, spec_field("bounds.minAllowed.gogc"));
  spec.bounds.min_go_mem_limit = reader.size(from, spec_field("bounds.minAllowed.goMemLimit"));
  spec.bounds.max_gogc = reader.integer(from, spec_field("bounds.maxAllowed.gogc"));
  spec.bounds.max_go_mem_limit_percent = reader.integer(from, spec_field("bounds.maxAllowed.goMemLimitPercent"));

  spec.metrics.source = reader.choice(from, spec_field("runtimeMetrics.source"), kRuntimeSourceNames);
  spec.metrics.port = reader.integer(from, spec_field("runtimeMetrics.port"));
  spec.metrics.path = reader.text(from, spec_field("runtimeMetrics.path"));
  spec.metrics.interval = reader.duration(from, spec_field("runtimeMetrics.interval"));
  spec.metrics.allow_host_network = reader.boolean(from, spec_field("runtimeMetrics.allowHostNetwork"));

  for (const json& slo : elements(from, "slos")) spec.slos.push_back(decode_slo(slo, reader));

  spec.canary.replicas = reader.integer(from, spec_field("canary.replicas"));
  spec.canary.steps = decode_steps(from, reader);
  spec.canary.warm_up = reader.duration(from, spec_field("canary.warmUp"));
  spec.canary.interval = reader.duration(from, spec_field("canary.interval"));
  spec.canary.max_duration = reader.duration(from, spec_field("canary.maxDuration"));
  spec.canary.min_samples = reader.integer(from, spec_field("canary.minSamples"));
  spec.canary.allow_duplicates = reader.boolean(from, spec_field("canary.allowDuplicates"));

  spec.rollback.watch_for = reader.duration(from, spec_field("rollback.watchFor"));
  spec.rollback.cool_down = reader.duration(from, spec_field("rollback.coolDown"));
  spec.rollback.guard = reader.boolean(from, spec_field("rollback.guard"));

  spec.history.successful = reader.integer(from, spec_field("history.successfulTrialsLimit"));
  spec.history.unsuccessful = reader.integer(from, spec_field("history.unsuccessfulTrialsLimit"));
  return spec;
}

std::optional<Settings> optional_settings(const json& object, const char* member) {
  return child(object, member).is_object() && object.contains(member)
             ? std::optional(decode_settings(child(object, member)))
             : std::nullopt;
}

std::optional<PutBack> decode_put_back(const json& status) {
  const auto settings = optional_settings(status, "puttingBack");
  if (!settings) return std::nullopt;
  const json& object = child(status, "puttingBack");
  return PutBack{*settings,
                 optional_settings(object, "over"),
                 text(object, "reason"),
                 text(object, "message"),
                 text(object, "slo"),
                 text(object, "templateHash"),
                 time(object, "at").value_or(Time()),
                 text(object, "banReason")};
}

std::optional<MarkingCost> decode_marking(const json& object) {
  const MarkingCost cost{number(object, "nanosecondsPerByte", -1), number(object, "relativeError", -1),
                         text(object, "templateHash")};
  const bool known = cost.nanoseconds_per_byte > 0 && cost.nanoseconds_per_byte <= MarkingCost::kMost &&
                     cost.rel_error >= 0 && cost.rel_error <= 1;
  return known ? std::optional(cost) : std::nullopt;
}

/// Trials after which a ban lasts: what a version that did not count them had banned, it had for good.
constexpr int kLasting = 2;

ProfileMemory decode_memory(const json& status) {
  ProfileMemory memory;
  memory.trial_count = std::clamp(small(status, "trialCount"), 0, kMostTrials);
  memory.active_trial = text(status, "activeTrial");
  memory.applied = optional_settings(status, "applied");
  if (memory.applied) {
    memory.applied_over = optional_settings(child(status, "applied"), "over");
    memory.applied_uid = text(child(status, "applied"), "targetUid");
    memory.applied_container = text(child(status, "applied"), "container");
    memory.applied_beside = optional_settings(child(status, "applied"), "beside");
  }
  memory.putting_back = decode_put_back(status);
  memory.cool_down_until = time(status, "coolDownUntil");
  for (const json& region : elements(status, "bannedRegions")) {
    memory.banned.push_back({decode_settings(region), text(region, "templateHash"), text(region, "reason"),
                             time(region, "at").value_or(Time()),
                             region.contains("trials") ? std::max(1, small(region, "trials")) : kLasting});
  }
  for (const json& change : elements(status, "changes")) {
    if (memory.changes.size() == kMostChanges) break;
    memory.changes.push_back({time(change, "at").value_or(Time()), decode_settings(child(change, "from")),
                              decode_settings(child(change, "to")), text(change, "why")});
  }
  memory.marking = decode_marking(child(status, "marking"));
  memory.missed_predictions = small(status, "missedPredictions");
  memory.missed_template = text(status, "missedTemplate");
  memory.undone_to = text(status, "undoneTo");
  memory.retried = text(status, "retried");
  return memory;
}

std::vector<Condition> conditions_of(const json& status) {
  std::vector<Condition> out;
  for (const json& from : elements(status, "conditions")) {
    out.push_back({text(from, "type"), text(from, "status") == "True", text(from, "reason"), text(from, "message"),
                   time(from, "lastTransitionTime").value_or(Time())});
  }
  return out;
}

}  // namespace

Result<Profile> decode_profile(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  Result<std::vector<std::string>> finalizers = finalizers_of(object);
  if (!finalizers) return tl::unexpected(finalizers.error());
  const json& metadata = child(object, "metadata");
  const json& status = child(object, "status");
  Profile out;
  out.key = *key;
  out.uid = text(metadata, "uid");
  out.resource_version = text(metadata, "resourceVersion");
  out.generation = integer(metadata, "generation");
  out.created = time(metadata, "creationTimestamp").value_or(Time());
  out.deleting = codec::deleting(object);
  out.finalizers = std::move(*finalizers);
  const auto wish = [&](const char* annotation) {
    return strange(child(metadata, "annotations"), annotation, kLongestName);
  };
  out.wishes = {wish(kUndoAnnotation), wish(kPromoteAnnotation), wish(kRetryAnnotation)};
  Reader reader;
  out.spec = decode_spec(child(object, "spec"), reader);
  if (!reader.complaints().none()) {
    out.unreadable = "GoRuntimeProfile " + key->text() + " can't be used: " + reader.complaints().text() + ".";
  }
  out.memory = decode_memory(status);
  out.conditions = conditions_of(status);
  return out;
}

}  // namespace gopacer::codec
