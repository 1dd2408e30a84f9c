#include "cli/plugin/story.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "cli/plugin/listing.h"
#include "codec/fields.h"
#include "codec/resources.h"
#include "codec/settings.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/trial.h"
#include "ports/api_server.h"

namespace gopacer::plugin {
namespace {

using codec::child;
using codec::elements;
using codec::text;
using nlohmann::json;

/// Of status.observed, in the order in which they are shown.
constexpr std::array kFigures{"gcCpuPercent", "gcCyclesPerMinute", "allocRate",      "liveHeap",
                              "peakMemory",   "memoryLimit",       "containerSource"};

std::vector<std::pair<std::string, std::string>> texts_of(const json& object) {
  std::vector<std::pair<std::string, std::string>> texts;
  if (!object.is_object()) return texts;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) texts.emplace_back(name, value.get<std::string>());
  }
  return texts;
}

std::vector<ConditionStory> conditions_of(const json& status) {
  std::vector<ConditionStory> all;
  for (const json& from : elements(status, "conditions")) {
    all.push_back({text(from, "type"), text(from, "status") == "True", text(from, "reason"), text(from, "message"),
                   codec::time(from, "lastTransitionTime")});
  }
  return all;
}

std::vector<ChangeStory> changes_of(const json& status) {
  std::vector<ChangeStory> all;
  for (const json& from : elements(status, "changes")) {
    all.push_back({codec::time(from, "at").value_or(Time()), describe(codec::decode_settings(child(from, "from"))),
                   describe(codec::decode_settings(child(from, "to"))), text(from, "why")});
  }
  return all;
}

void read_recommendation(const json& status, ProfileStory& story) {
  const json& from = child(status, "recommendation");
  story.recommends = from.is_object() && !from.empty();
  if (!story.recommends) return;
  // The status has a number or nothing: a GOGC that is off stays so.
  const bool stays_off = story.current.gogc && story.current.gogc->is_off();
  if (from.contains("gogc") || stays_off) {
    story.recommended.gogc = from.contains("gogc") ? Gogc(codec::small(from, "gogc")) : Gogc::off();
  }
  if (const auto limit = parse_go_size(text(from, "goMemLimit"))) story.recommended.go_mem_limit = *limit;
  story.recommendation_why = text(from, "reason");
  story.binding = text(from, "binding");
  story.destination = text(from, "destination");
  story.saving = text(from, "expectedSavingPercent");
  story.predicted_gc = text(child(from, "predicted"), "gcCpuPercent");
  story.predicted_peak = text(child(from, "predicted"), "peakMemory");
}

void read_observed(const json& status, ProfileStory& story) {
  const json& from = child(status, "observed");
  if (from.contains("pods")) {
    story.observed.emplace_back("pods", std::to_string(codec::small(from, "pods")));
    story.observed.emplace_back("podsScraped", std::to_string(codec::small(from, "podsScraped")));
  }
  for (const char* const figure : kFigures) {
    if (const std::string value = text(from, figure); !value.empty()) story.observed.emplace_back(figure, value);
  }
  story.sources = texts_of(child(from, "sources"));
  for (const json& line : elements(from, "tradeoff")) {
    if (line.is_string()) story.tradeoff.push_back(line.get<std::string>());
  }
}

ProfileStory profile_of(const json& object) {
  ProfileStory story;
  story.key = codec::key_of(object);
  const json& metadata = child(object, "metadata");
  const json& spec = child(object, "spec");
  const json& status = child(object, "status");
  const json& policy = child(spec, "updatePolicy");
  story.target = text(child(spec, "targetRef"), "kind") + "/" + text(child(spec, "targetRef"), "name");
  story.container = text(status, "targetContainer");
  story.mode = text(policy, "updateMode");
  story.suspended = codec::boolean(policy, "suspend");
  story.apply = text(policy, "apply");
  story.objective = text(child(spec, "objective"), "type");
  story.strategy = text(child(spec, "objective"), "strategy");
  story.phase = text(status, "phase");
  story.up_to_date = codec::integer(status, "observedGeneration", -1) == codec::integer(metadata, "generation");
  story.conditions = conditions_of(status);
  story.current = codec::decode_settings(child(status, "current"));
  const json& applied = child(status, "applied");
  story.applied = codec::decode_settings(applied);
  story.applied_container = text(applied, "container");
  story.applied_live = applied.contains("beside");
  story.cool_down_until = codec::time(status, "coolDownUntil");
  story.undone_to = text(status, "undoneTo");
  story.undo_wanted = text(child(metadata, "annotations"), kUndoAnnotation);
  const std::string retry = text(child(metadata, "annotations"), kRetryAnnotation);
  story.retried = text(status, "retried");
  story.waits_for_retry = !retry.empty() && retry != story.retried;
  story.changes = changes_of(status);
  read_recommendation(status, story);
  read_observed(status, story);
  return story;
}

std::vector<MetricStory> metrics_of(const json& evidence) {
  std::vector<MetricStory> all;
  for (const json& from : elements(evidence, "metrics")) {
    all.push_back({text(from, "name"), text(from, "changePercent"), text(from, "verdict"), text(from, "summary")});
  }
  return all;
}

TrialStory trial_of(const json& object) {
  TrialStory trial;
  const json& metadata = child(object, "metadata");
  const json& spec = child(object, "spec");
  const json& status = child(object, "status");
  trial.name = text(metadata, "name");
  trial.uid = text(metadata, "uid");
  trial.number = codec::small(spec, "number");
  trial.from = text(spec, "fromText");
  trial.to = text(spec, "toText");
  trial.tried = codec::decode_settings(child(spec, "to"));
  trial.live = !child(spec, "live").empty();
  trial.phase = text(status, "phase");
  if (trial.phase.empty()) trial.phase = to_string(TrialPhase::kPending);
  trial.verdict = text(status, "verdict");
  trial.reason = text(status, "reason");
  trial.message = text(status, "message");
  trial.why = text(spec, "reason");
  trial.requested_by = text(spec, "requestedBy");
  trial.decided_by = text(status, "decidedBy");
  trial.created = codec::time(metadata, "creationTimestamp");
  trial.ended = codec::time(status, "endedAt");
  trial.duration = text(status, "duration");
  trial.latency_change = text(status, "p99ChangePercent");
  trial.gc_change = text(status, "gcChangePercent");
  trial.predicted_saving_percent = text(child(spec, "predicted"), "savingPercent");
  const json& watch = child(status, "watch");
  trial.watching = codec::small(watch, "windows") > 0;
  const json& evidence = trial.watching ? watch : status;
  trial.windows = codec::small(evidence, "windows");
  trial.canary_requests = codec::integer(child(evidence, "samples"), "canary");
  trial.baseline_requests = codec::integer(child(evidence, "samples"), "baseline");
  trial.metrics = metrics_of(evidence);
  for (const json& step : elements(status, "steps")) {
    trial.steps.emplace_back(codec::time(step, "at").value_or(Time()), text(step, "message"));
  }
  return trial;
}

Result<void> read_trials(ApiServer& api, ProfileStory& story) {
  const Selection selection{resources::kTrials, story.key.ns,
                            std::string(kProfileLabel) + "=" + label_value(story.key.name), ""};
  auto read = each_of(api, selection, [&](const json& object) {
    // The label may be of another profile whose long name begins the same.
    if (text(child(child(object, "spec"), "profileRef"), "name") == story.key.name)
      story.trials.push_back(trial_of(object));
  });
  std::sort(story.trials.begin(), story.trials.end(),
            [](const TrialStory& a, const TrialStory& b) { return a.number < b.number; });
  return read;
}

/// Who may not look at Deployments is told all the rest.
void read_arms(ApiServer& api, ProfileStory& story) {
  const TrialStory* const trial = story.running_trial();
  if (trial == nullptr || trial->live) return;
  const Selection selection{resources::kDeployments, story.key.ns,
                            std::string(kTrialLabel) + "=" + label_value(trial->name) + "," + kTrackLabel, ""};
  const auto read = each_of(api, selection, [&](const json& object) {
    const json& metadata = child(object, "metadata");
    story.arms.push_back({text(child(metadata, "labels"), kTrackLabel), text(metadata, "name"),
                          codec::small(child(object, "status"), "readyReplicas"),
                          codec::small(child(object, "spec"), "replicas", 1)});
  });
  if (!read) story.arms_unknown = read.error().message;
  std::sort(story.arms.begin(), story.arms.end(),
            [](const ArmStory& a, const ArmStory& b) { return a.track > b.track; });
}

json time_or_null(const std::optional<Time>& time) { return time ? json(format_time(*time)) : json(nullptr); }

}  // namespace

const ConditionStory* ProfileStory::condition(const std::string& type) const {
  const auto found = std::find_if(conditions.begin(), conditions.end(),
                                  [&](const ConditionStory& condition) { return condition.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

std::string ProfileStory::figure(const std::string& name) const {
  const auto found = std::find_if(observed.begin(), observed.end(), [&](const auto& one) { return one.first == name; });
  return found == observed.end() ? "" : found->second;
}

const TrialStory* ProfileStory::running_trial() const {
  const auto found = std::find_if(trials.rbegin(), trials.rend(), [](const TrialStory& one) { return one.running(); });
  return found == trials.rend() ? nullptr : &*found;
}

const TrialStory* ProfileStory::trial_named(const std::string& name) const {
  const auto found =
      std::find_if(trials.begin(), trials.end(), [&](const TrialStory& one) { return one.name == name; });
  return found == trials.end() ? nullptr : &*found;
}

const TrialStory* ProfileStory::latest_trial() const { return trials.empty() ? nullptr : &trials.back(); }

Error explained(const Error& error, const std::string& verb, const std::string& resource, const std::string& ns) {
  Error told = error;
  const std::string where = ns.empty() ? "in all namespaces" : "in namespace " + ns;
  if (error.message.find("forbidden") != std::string::npos) {
    told.message += ". Needed is the right to " + verb + " " + resource + " " + where;
  } else if (error.kind == ErrorKind::kNotFound && verb == "list") {
    told.message += ". Is gopacer installed in this cluster? `kubectl get crd` has to name " + resource;
  }
  return told;
}

Result<ProfileStory> read_profile(ApiServer& api, const ObjectKey& key) {
  const Result<json> object = api.get({resources::kProfiles, key.ns, key.name});
  if (!object && object.error().kind == ErrorKind::kNotFound) {
    return fail(ErrorKind::kNotFound, "there is no GoRuntimeProfile " + key.name + " in namespace " + key.ns +
                                          ": `kubectl gopacer get -A` lists those that there are");
  }
  if (!object) return tl::unexpected(explained(object.error(), "get", resources::kProfiles.plural, key.ns));
  ProfileStory story = profile_of(*object);
  if (auto read = read_trials(api, story); !read) return tl::unexpected(read.error());
  read_arms(api, story);
  return story;
}

Result<std::vector<ProfileStory>> read_profiles(ApiServer& api, const std::string& ns) {
  std::vector<ProfileStory> all;
  auto read =
      each_of(api, {resources::kProfiles, ns, "", ""}, [&](const json& object) { all.push_back(profile_of(object)); });
  if (!read) return tl::unexpected(read.error());
  std::sort(all.begin(), all.end(), [](const ProfileStory& a, const ProfileStory& b) { return a.key < b.key; });
  return all;
}

json to_json(const TrialStory& trial) {
  json metrics = json::array();
  for (const MetricStory& metric : trial.metrics) {
    metrics.push_back(
        {{"name", metric.name}, {"change", metric.change}, {"verdict", metric.verdict}, {"summary", metric.summary}});
  }
  json steps = json::array();
  for (const auto& [at, message] : trial.steps) steps.push_back({{"at", format_time(at)}, {"message", message}});
  return {{"name", trial.name},
          {"number", trial.number},
          {"from", trial.from},
          {"to", trial.to},
          {"apply", trial.live ? "Live" : "Restart"},
          {"phase", trial.phase},
          {"verdict", trial.verdict},
          {"reason", trial.reason},
          {"message", trial.message},
          {"why", trial.why},
          {"requestedBy", trial.requested_by},
          {"decidedBy", trial.decided_by},
          {"createdAt", time_or_null(trial.created)},
          {"endedAt", time_or_null(trial.ended)},
          {"duration", trial.duration},
          {"latencyChange", trial.latency_change},
          {"gcChange", trial.gc_change},
          {"predictedSavingPercent", trial.predicted_saving_percent},
          {"comparedIn", trial.watching ? "watch" : "trial"},
          {"windows", trial.windows},
          {"requests", {{"canary", trial.canary_requests}, {"baseline", trial.baseline_requests}}},
          {"metrics", std::move(metrics)},
          {"steps", std::move(steps)}};
}

json to_json(const ProfileStory& story) {
  json object{{"namespace", story.key.ns},
              {"name", story.key.name},
              {"target", story.target},
              {"container", story.container},
              {"updateMode", story.mode},
              {"suspended", story.suspended},
              {"apply", story.apply},
              {"objective", story.objective},
              {"strategy", story.strategy},
              {"phase", story.phase},
              {"upToDate", story.up_to_date},
              {"current", describe(story.current)},
              {"coolDownUntil", time_or_null(story.cool_down_until)},
              {"tradeoff", story.tradeoff}};
  // Lists of pairs are members here.
  for (const auto& [member, pairs] : {std::pair{"observed", &story.observed}, std::pair{"sources", &story.sources}}) {
    object[member] = json::object();
    for (const auto& [name, value] : *pairs) object[member][name] = value;
  }
  object["recommendation"] = nullptr;
  if (story.recommends) {
    object["recommendation"] = {{"settings", describe(story.recommended)},
                                {"reason", story.recommendation_why},
                                {"binding", story.binding},
                                {"destination", story.destination},
                                {"expectedSaving", story.saving},
                                {"predictedGcCpu", story.predicted_gc},
                                {"predictedPeakMemory", story.predicted_peak}};
  }
  object["conditions"] = json::array();
  for (const ConditionStory& condition : story.conditions) {
    object["conditions"].push_back({{"type", condition.type},
                                    {"status", condition.holds},
                                    {"reason", condition.reason},
                                    {"message", condition.message},
                                    {"since", time_or_null(condition.since)}});
  }
  object["changes"] = json::array();
  for (const ChangeStory& change : story.changes) {
    object["changes"].push_back(
        {{"at", format_time(change.at)}, {"from", change.from}, {"to", change.to}, {"why", change.why}});
  }
  object["trials"] = json::array();
  for (const TrialStory& trial : story.trials) object["trials"].push_back(to_json(trial));
  object["arms"] = json::array();
  for (const ArmStory& arm : story.arms) {
    object["arms"].push_back(
        {{"track", arm.track}, {"deployment", arm.deployment}, {"ready", arm.ready}, {"wanted", arm.wanted}});
  }
  return object;
}

}  // namespace gopacer::plugin
