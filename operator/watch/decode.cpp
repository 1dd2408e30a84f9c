#include "watch/decode.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "codec/settings.h"
#include "watch/mirror.h"

namespace gopacer {
namespace {

using codec::boolean;
using codec::child;
using codec::integer;
using codec::text;
using nlohmann::json;

constexpr const char* kRestartedAt = "kubectl.kubernetes.io/restartedAt";
/// One more than these still has a number that a trial may have.
constexpr int kMostTrials = 999'999'999;
constexpr const char* kChangeCause = "kubernetes.io/change-cause";

bool is_ours(const std::string& variable) { return variable == kGogcVariable || variable == kGoMemLimitVariable; }

int small(const json& object, const char* member, int otherwise = 0) {
  return static_cast<int>(std::clamp<std::int64_t>(integer(object, member, otherwise), INT32_MIN, INT32_MAX));
}

/// The elements of a list, or none.
const json::array_t& elements(const json& object, const char* member) {
  static const json::array_t kNone;
  const json& list = child(object, member);
  return list.is_array() ? list.get_ref<const json::array_t&>() : kNone;
}

std::map<std::string, std::string> texts(const json& object, const char* member) {
  std::map<std::string, std::string> out;
  const json& from = child(object, member);
  if (!from.is_object()) return out;
  for (const auto& [key, value] : from.items()) {
    if (value.is_string()) out.emplace(key, value.get<std::string>());
  }
  return out;
}

std::optional<Bytes> memory(const json& resources, const char* list) {
  const std::string quantity = text(child(resources, list), "memory");
  if (quantity.empty()) return std::nullopt;
  const Result<Bytes> bytes = parse_quantity(quantity);
  return bytes ? std::optional<Bytes>(*bytes) : std::nullopt;
}

std::optional<double> cpu_limit(const json& resources) {
  const std::string quantity = text(child(resources, "limits"), "cpu");
  if (quantity.empty()) return std::nullopt;
  const Result<double> cores = parse_cpu_quantity(quantity);
  return cores ? std::optional<double>(*cores) : std::nullopt;
}

void read_resources(const json& resources, ContainerSpec& container) {
  container.memory_limit = memory(resources, "limits");
  container.memory_request = memory(resources, "requests");
  container.cpu_limit = cpu_limit(resources);
}

std::vector<ContainerSpec> containers_of(const json& pod_spec) {
  std::vector<ContainerSpec> out;
  for (const json& from : elements(pod_spec, "containers")) {
    ContainerSpec container;
    container.name = text(from, "name");
    container.image = text(from, "image");
    read_resources(child(from, "resources"), container);
    for (const json& entry : elements(from, "env")) {
      const std::string name = text(entry, "name");
      if (is_ours(name)) container.env.push_back({name, text(entry, "value"), entry.contains("valueFrom")});
    }
    out.push_back(std::move(container));
  }
  return out;
}

/// The name inside a key of fieldsV1, k:{"name":"app"}.
std::string keyed_name(const std::string& key) {
  if (!key.starts_with("k:")) return {};
  const json parsed = json::parse(key.substr(2), nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() ? text(parsed, "name") : std::string();
}

std::vector<EnvOwner> env_owners_of(const json& metadata) {
  std::vector<EnvOwner> owners;
  for (const json& entry : elements(metadata, "managedFields")) {
    const json& list =
        child(child(child(child(child(entry, "fieldsV1"), "f:spec"), "f:template"), "f:spec"), "f:containers");
    if (!list.is_object()) continue;
    for (const auto& [container_key, fields] : list.items()) {
      const std::string container = keyed_name(container_key);
      const json& env = child(fields, "f:env");
      if (container.empty() || !env.is_object()) continue;
      for (const auto& [env_key, ignored] : env.items()) {
        const std::string variable = keyed_name(env_key);
        if (is_ours(variable)) owners.push_back({container, variable, text(entry, "manager")});
      }
    }
  }
  return owners;
}

Result<ObjectKey> named(const json& object) {
  ObjectKey key = key_of(object);
  if (key.name.empty()) return invalid("an object without metadata.name cannot be read");
  return key;
}

bool deleting(const json& metadata) { return !text(metadata, "deletionTimestamp").empty(); }

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

  std::optional<Error> error() const {
    if (complaints_.empty()) return std::nullopt;
    return Error{ErrorKind::kTerminal, "cannot use GoRuntimeProfile " + where_ + ": " + complaints_};
  }

 private:
  const std::string where_;
  std::string complaints_;
};

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
    slo.histogram.quantile = codec::number(histogram, "quantile", -1);
    if (!(slo.histogram.quantile > 0 && slo.histogram.quantile < 1)) {
      reader.complain("spec.slos[" + slo.name + "].podHistogram.quantile must be between 0 and 1, such as \"0.99\"");
    }
  }
  slo.histogram.labels = texts(histogram, "labels");
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
    memory.applied = codec::decode_settings(child(status, "applied"));
  }
  memory.cool_down_until = codec::time(status, "coolDownUntil");
  for (const json& region : elements(status, "bannedRegions")) {
    memory.banned.push_back({codec::decode_settings(region), text(region, "templateHash"), text(region, "reason"),
                             codec::time(region, "at").value_or(Time())});
  }
  memory.missed_predictions = small(status, "missedPredictions");
  return memory;
}

std::vector<Condition> conditions_of(const json& status) {
  std::vector<Condition> out;
  for (const json& from : elements(status, "conditions")) {
    out.push_back({text(from, "type"), text(from, "status") == "True", text(from, "reason"), text(from, "message"),
                   codec::time(from, "lastTransitionTime").value_or(Time())});
  }
  return out;
}

void drop_our_variables(json& pod_spec, const char* list) {
  const auto containers = pod_spec.find(list);
  if (containers == pod_spec.end() || !containers->is_array()) return;
  for (json& container : *containers) {
    if (!container.is_object() || !container.contains("env")) continue;
    json& env = container["env"];
    if (!env.is_array()) continue;
    auto& entries = env.get_ref<json::array_t&>();
    std::erase_if(entries, [](const json& entry) { return is_ours(text(entry, "name")); });
    if (entries.empty()) container.erase("env");
  }
}

}  // namespace

std::string template_hash(const json& pod_template) {
  json canonical = pod_template;
  if (canonical.is_object()) {
    if (const auto spec = canonical.find("spec"); spec != canonical.end() && spec->is_object()) {
      drop_our_variables(*spec, "containers");
      drop_our_variables(*spec, "initContainers");
    }
    if (const auto metadata = canonical.find("metadata"); metadata != canonical.end() && metadata->is_object()) {
      metadata->erase("creationTimestamp");
      if (const auto annotations = metadata->find("annotations");
          annotations != metadata->end() && annotations->is_object()) {
        // A restart changes when pods began, not what they are.
        annotations->erase(kRestartedAt);
        if (annotations->empty()) metadata->erase("annotations");
      }
    }
  }
  // Members of objects are kept sorted, so equal templates have equal text.
  const std::string bytes = canonical.dump(-1, ' ', false, json::error_handler_t::replace);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) out += {kDigits[digest.at(i) >> 4U], kDigits[digest.at(i) & 15U]};
  return out;
}

Result<Deployment> decode_deployment(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& metadata = child(object, "metadata");
  const json& spec = child(object, "spec");
  const json& status = child(object, "status");
  const json& pod_template = child(spec, "template");
  Deployment out;
  out.key = *key;
  out.uid = text(metadata, "uid");
  out.resource_version = text(metadata, "resourceVersion");
  out.generation = integer(metadata, "generation");
  out.observed_generation = integer(status, "observedGeneration");
  out.deleting = deleting(metadata);
  out.paused = boolean(spec, "paused");
  out.replicas = small(spec, "replicas", 1);
  out.updated_replicas = small(status, "updatedReplicas");
  out.available_replicas = small(status, "availableReplicas");
  out.total_replicas = small(status, "replicas");
  out.labels = texts(metadata, "labels");
  out.annotations = texts(metadata, "annotations");
  out.match_labels = texts(child(spec, "selector"), "matchLabels");
  out.template_labels = texts(child(pod_template, "metadata"), "labels");
  out.containers = containers_of(child(pod_template, "spec"));
  out.template_hash = template_hash(pod_template);
  out.env_owners = env_owners_of(metadata);
  out.change_cause = text(child(metadata, "annotations"), kChangeCause);
  return out;
}

Result<Pod> decode_pod(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& metadata = child(object, "metadata");
  const json& spec = child(object, "spec");
  const json& status = child(object, "status");
  Pod out;
  out.key = *key;
  out.uid = text(metadata, "uid");
  out.created = codec::time(metadata, "creationTimestamp");
  out.ip = text(status, "podIP");
  out.node = text(spec, "nodeName");
  out.phase = text(status, "phase");
  out.deleting = deleting(metadata);
  out.labels = texts(metadata, "labels");
  out.containers = containers_of(spec);
  for (const json& condition : elements(status, "conditions")) {
    if (text(condition, "type") == "Ready") out.ready = text(condition, "status") == "True";
  }
  for (const json& from : elements(status, "containerStatuses")) {
    ContainerState state;
    state.name = text(from, "name");
    state.ready = boolean(from, "ready");
    state.restarts = small(from, "restartCount");
    const json& now = child(from, "state");
    state.started = codec::time(child(now, "running"), "startedAt");
    state.last_termination_reason = text(child(now, "terminated"), "reason");
    if (state.last_termination_reason.empty()) {
      state.last_termination_reason = text(child(child(from, "lastState"), "terminated"), "reason");
    }
    // A resize in place shows here once it is in force; the spec only says what is wanted.
    if (const json& resources = child(from, "resources"); resources.contains("limits")) {
      for (ContainerSpec& container : out.containers) {
        if (container.name == state.name) read_resources(resources, container);
      }
    }
    out.states.push_back(std::move(state));
  }
  return out;
}

Result<Autoscaler> decode_autoscaler(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& spec = child(object, "spec");
  Autoscaler out;
  out.key = *key;
  out.target_kind = text(child(spec, "scaleTargetRef"), "kind");
  out.target_name = text(child(spec, "scaleTargetRef"), "name");
  for (const json& metric : elements(spec, "metrics")) {
    if (text(child(metric, "resource"), "name") == "memory") out.by_memory = true;
    const json& of_one = child(metric, "containerResource");
    if (text(of_one, "name") == "memory") out.by_memory_of[text(of_one, "container")] = true;
  }
  return out;
}

Result<Autoscaler> decode_vertical_autoscaler(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& spec = child(object, "spec");
  Autoscaler out;
  out.key = *key;
  out.vertical = true;
  out.target_kind = text(child(spec, "targetRef"), "kind");
  out.target_name = text(child(spec, "targetRef"), "name");
  const bool acts = text(child(spec, "updatePolicy"), "updateMode") != "Off";
  out.by_memory = acts;
  for (const json& policy : elements(child(spec, "resourcePolicy"), "containerPolicies")) {
    const auto& resources = elements(policy, "controlledResources");
    const bool memory = !policy.contains("controlledResources") ||
                        std::find(resources.begin(), resources.end(), "memory") != resources.end();
    const bool by_memory = acts && memory && text(policy, "mode") != "Off";
    const std::string container = text(policy, "containerName");
    (container == "*" ? out.by_memory : out.by_memory_of[container]) = by_memory;
  }
  return out;
}

Result<Profile> decode_profile(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& metadata = child(object, "metadata");
  const json& status = child(object, "status");
  Profile out;
  out.key = *key;
  out.uid = text(metadata, "uid");
  out.resource_version = text(metadata, "resourceVersion");
  out.generation = integer(metadata, "generation");
  out.created = codec::time(metadata, "creationTimestamp").value_or(Time());
  out.deleting = deleting(metadata);
  for (const json& finalizer : elements(metadata, "finalizers")) {
    if (finalizer.is_string()) out.finalizers.push_back(finalizer.get<std::string>());
  }
  Reader reader(key->text());
  out.spec = decode_spec(child(object, "spec"), reader);
  // One that is being deleted must still be cleaned up after, whatever it says.
  if (const auto error = reader.error(); error && !out.deleting) return tl::unexpected(*error);
  out.memory = decode_memory(status);
  out.conditions = conditions_of(status);
  return out;
}

}  // namespace gopacer
