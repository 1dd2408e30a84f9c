#include "codec/profile.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "codec/fields.h"
#include "codec/settings.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

/// Collects what is wrong with a profile, so that one message tells it all.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  Duration duration(const json& object, const char* member, Duration otherwise, const char* path) {
    const std::string value = text(object, member);
    if (value.empty()) return otherwise;
    const Result<Duration> parsed = parse_duration(value);
    if (parsed) return *parsed;
    complain(std::string(path) + ": " + parsed.error().message);
    return otherwise;
  }

  template <typename Enum, std::size_t N>
  Enum choice(const json& object, const char* member, const std::array<std::pair<const char*, Enum>, N>& choices,
              Enum otherwise, const char* path) {
    const std::string value = text(object, member);
    if (value.empty()) return otherwise;
    std::string known;
    for (const auto& [word, meaning] : choices) {
      if (value == word) return meaning;
      known += (known.empty() ? "" : ", ") + std::string(word);
    }
    complain(std::string(path) + " '" + value + "' is not known to this version of gopacer: use one of " + known);
    return otherwise;
  }

  void complain(const std::string& what) { complaints_ += (complaints_.empty() ? "" : "; ") + what; }

  /// All complaints as a sentence; empty without one.
  std::string complaint() const {
    if (complaints_.empty()) return {};
    return "GoRuntimeProfile " + where_ + " can't be used: " + complaints_ + ".";
  }

 private:
  const std::string where_;
  std::string complaints_;
};

/// One more than these still has a number that a trial may have.
constexpr int kMostTrials = 999'999'999;

constexpr std::array<std::pair<const char*, UpdateMode>, 2> kUpdateModes{
    {{"Off", UpdateMode::kOff}, {"Canary", UpdateMode::kCanary}}};

Slo decode_slo(const json& object, Reader& reader) {
  Slo slo;
  slo.name = text(object, "name");
  const json& histogram = child(object, "podHistogram");
  slo.histogram.port = small(histogram, "port", slo.histogram.port);
  if (std::string path = text(histogram, "path"); !path.empty()) slo.histogram.path = std::move(path);
  slo.histogram.metric = text(histogram, "metric");
  if (!text(histogram, "quantile").empty()) {
    slo.histogram.quantile = number(histogram, "quantile", -1);
    if (!(slo.histogram.quantile > 0 && slo.histogram.quantile < 1)) {
      reader.complain("spec.slos[" + slo.name + "].podHistogram.quantile must be between 0 and 1, such as \"0.99\"");
    }
  }
  Result<Labels> labels = series_labels(histogram);
  if (!labels) reader.complain("spec.slos[" + slo.name + "]: " + labels.error().message);
  slo.histogram.labels = labels ? std::move(*labels) : Labels();
  if (!text(object, "max").empty()) slo.max = reader.duration(object, "max", Duration(0), "spec.slos[].max");
  slo.max_regression_percent = small(object, "maxRegressionPercent", slo.max_regression_percent);
  return slo;
}

Settings decode_fixed(const json& object, Reader& reader) {
  Settings settings;
  if (child(object, "gogc").is_number_integer()) settings.gogc = Gogc(small(object, "gogc"));
  if (const std::string limit = text(object, "goMemLimit"); !limit.empty()) {
    const Result<Bytes> bytes = parse_go_size(limit);
    if (bytes) {
      settings.go_mem_limit = *bytes;
    } else {
      reader.complain("spec.objective.settings.goMemLimit: " + bytes.error().message);
    }
  }
  return settings;
}

Bounds decode_bounds(const json& object, Reader& reader) {
  Bounds bounds;
  const json& least = child(object, "minAllowed");
  const json& most = child(object, "maxAllowed");
  bounds.min_gogc = small(least, "gogc", bounds.min_gogc);
  bounds.max_gogc = small(most, "gogc", bounds.max_gogc);
  bounds.max_go_mem_limit_percent = small(most, "goMemLimitPercent", bounds.max_go_mem_limit_percent);
  if (const std::string limit = text(least, "goMemLimit"); !limit.empty()) {
    const Result<Bytes> bytes = parse_go_size(limit);
    if (bytes) {
      bounds.min_go_mem_limit = *bytes;
    } else {
      reader.complain("spec.bounds.minAllowed.goMemLimit: " + bytes.error().message);
    }
  }
  return bounds;
}

ProfileSpec decode_spec(const json& from, Reader& reader) {
  ProfileSpec spec;
  const json& target = child(from, "targetRef");
  spec.target = text(target, "name");
  if (text(target, "kind") != "Deployment") reader.complain("spec.targetRef.kind must be Deployment");
  if (spec.target.empty()) reader.complain("spec.targetRef.name is missing");
  spec.container = text(from, "containerName");

  const json& policy = child(from, "updatePolicy");
  spec.update_mode =
      reader.choice(policy, "updateMode", kUpdateModes, spec.update_mode, "spec.updatePolicy.updateMode");
  spec.suspend = boolean(policy, "suspend", spec.suspend);
  spec.revert_on_deletion = boolean(policy, "revertOnDeletion", spec.revert_on_deletion);

  const json& objective = child(from, "objective");
  spec.objective = reader.choice(objective, "type", kObjectiveNames, spec.objective, "spec.objective.type");
  spec.strategy = reader.choice(objective, "strategy", kStrategyNames, spec.strategy, "spec.objective.strategy");
  spec.fixed = decode_fixed(child(objective, "settings"), reader);
  spec.bounds = decode_bounds(child(from, "bounds"), reader);

  const json& metrics = child(from, "runtimeMetrics");
  spec.metrics.port = small(metrics, "port", spec.metrics.port);
  if (std::string path = text(metrics, "path"); !path.empty()) spec.metrics.path = std::move(path);
  spec.metrics.interval = reader.duration(metrics, "interval", spec.metrics.interval, "spec.runtimeMetrics.interval");

  for (const json& slo : elements(from, "slos")) spec.slos.push_back(decode_slo(slo, reader));

  const json& canary = child(from, "canary");
  spec.canary.replicas = small(canary, "replicas", spec.canary.replicas);
  spec.canary.warm_up = reader.duration(canary, "warmUp", spec.canary.warm_up, "spec.canary.warmUp");
  spec.canary.interval = reader.duration(canary, "interval", spec.canary.interval, "spec.canary.interval");
  spec.canary.max_duration =
      reader.duration(canary, "maxDuration", spec.canary.max_duration, "spec.canary.maxDuration");
  spec.canary.min_samples = small(canary, "minSamples", spec.canary.min_samples);
  spec.canary.allow_duplicates = boolean(canary, "allowDuplicates", spec.canary.allow_duplicates);

  const json& rollback = child(from, "rollback");
  spec.rollback.watch_for = reader.duration(rollback, "watchFor", spec.rollback.watch_for, "spec.rollback.watchFor");
  spec.rollback.cool_down = reader.duration(rollback, "coolDown", spec.rollback.cool_down, "spec.rollback.coolDown");

  const json& history = child(from, "history");
  spec.history.successful = small(history, "successfulTrialsLimit", spec.history.successful);
  spec.history.unsuccessful = small(history, "unsuccessfulTrialsLimit", spec.history.unsuccessful);
  return spec;
}

ProfileMemory decode_memory(const json& status) {
  ProfileMemory memory;
  memory.trial_count = std::clamp(small(status, "trialCount"), 0, kMostTrials);
  memory.active_trial = text(status, "activeTrial");
  if (child(status, "applied").is_object() && status.contains("applied")) {
    memory.applied = decode_settings(child(status, "applied"));
    memory.applied_uid = text(child(status, "applied"), "targetUid");
  }
  memory.cool_down_until = time(status, "coolDownUntil");
  for (const json& region : elements(status, "bannedRegions")) {
    memory.banned.push_back({decode_settings(region), text(region, "templateHash"), text(region, "reason"),
                             time(region, "at").value_or(Time())});
  }
  memory.missed_predictions = small(status, "missedPredictions");
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
  Reader reader(key->text());
  out.spec = decode_spec(child(object, "spec"), reader);
  out.unreadable = reader.complaint();
  out.memory = decode_memory(status);
  out.conditions = conditions_of(status);
  return out;
}

}  // namespace gopacer::codec
