#include "record/profile_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "codec/fields.h"
#include "codec/settings.h"
#include "record/figures.h"

namespace gopacer::record {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestMessage = 2000;
constexpr std::size_t kLongestWhy = 512;

std::string percent(double share) { return format_fixed(share * 100, 1) + "%"; }

const PodSeries* first_failing(const Observation& observed) {
  for (const PodSeries& pod : observed.pods) {
    if (!pod.error.empty()) return &pod;
  }
  return nullptr;
}

int scraped_pods(const Observation& observed) {
  return static_cast<int>(std::count_if(observed.pods.begin(), observed.pods.end(), [](const PodSeries& pod) {
    return pod.error.empty() && !pod.samples.empty();
  }));
}

int stable_pods(const Observation& observed) {
  return static_cast<int>(std::count_if(observed.pods.begin(), observed.pods.end(),
                                        [](const PodSeries& pod) { return pod.track == Track::kStable; }));
}

/// Whether the target is another profile's. Nothing is told of it then: else each of its changes would be written once
/// for every profile that waits for it.
bool waits_for_rival(const Pass& pass) { return pass.facts.desired.rival != nullptr; }

/// Whether it is known what there is to look at. Without it "nothing stands against it" would be no more than a guess.
bool knows_container(const Pass& pass) {
  const Desired& desired = pass.facts.desired;
  return desired.target && container_named(desired.target->containers, desired.container) != nullptr;
}

constexpr const char* kNoContainer = "The container to tune is not there, so nothing is known of it.";

struct Verdicts {
  bool status;
  std::string reason;
  std::string message;
};

Verdicts told_as(const policy::Objection& against) { return {false, against.reason(), against.message}; }

bool wants_changes(const Pass& pass) {
  const ProfileSpec& spec = pass.facts.desired.profile->spec;
  return spec.update_mode != UpdateMode::kOff && !spec.suspend;
}

/// What stands against a trial and is told by this condition.
std::optional<policy::Objection> objection_told_by(const Pass& pass, std::string_view condition) {
  for (policy::Objection& against : policy::objections(policy::may_start(), pass.facts)) {
    if (against.rule->condition == condition) return against;
  }
  return std::nullopt;
}

Verdicts ready(const Pass& pass) {
  if (const auto against = policy::first_objection(policy::may_be_tuned(), pass.facts)) return told_as(*against);
  if (pass.error) return {false, "WriteFailed", pass.error->message};
  const auto keeps_trials_away = [&](const char* condition) {
    return wants_changes(pass) ? objection_told_by(pass, condition) : std::nullopt;
  };
  for (const char* const lasting : {"ConfigUnsupported", "FieldConflict"}) {
    if (const auto against = keeps_trials_away(lasting)) return told_as(*against);
  }
  if (pass.facts.decision.kind == Decision::Kind::kRefuse)
    return {false, pass.facts.decision.reason, pass.facts.decision.message};
  if (stable_pods(pass.facts.observed) > 0 && scraped_pods(pass.facts.observed) == 0) {
    const PodSeries* const failing = first_failing(pass.facts.observed);
    return {false, failing != nullptr ? "MetricsUnavailable" : "WaitingForSamples",
            failing != nullptr ? failing->error : "No pod of the target has been read yet."};
  }
  if (const auto against = keeps_trials_away("MetricsAvailable")) return told_as(*against);
  if (pass.step.refused) return {false, pass.step.reason, pass.step.message};
  if (pass.step.reason.empty()) return {true, "Observing", "Observing."};
  return {true, pass.step.reason, pass.step.message};
}

Verdicts metrics_available(const Pass& pass) {
  const int scraped = scraped_pods(pass.facts.observed);
  const int all = static_cast<int>(pass.facts.observed.pods.size());
  if (all == 0 && !knows_container(pass)) return {false, "NoContainer", kNoContainer};
  if (waits_for_rival(pass)) return {false, "TargetTaken", "The target's pods are read for the profile that tunes it."};
  if (all == 0) return {false, "NoPods", "The target has no running pods."};
  const PodSeries* const failing = first_failing(pass.facts.observed);
  const std::string share = std::to_string(scraped) + " of " + std::to_string(all) + " pods were read.";
  if (scraped == 0) {
    return failing != nullptr ? Verdicts{false, "ScrapeFailed", failing->error}
                              : Verdicts{false, "WaitingForSamples", "No pod of the target has been read yet."};
  }
  if (const auto against = objection_told_by(pass, "MetricsAvailable")) return told_as(*against);
  return {true, failing != nullptr ? "SomePodsFail" : "PodsRead",
          failing != nullptr ? share + " " + failing->error : share};
}

Verdicts progressing(const Pass& pass) {
  if (!pass.facts.desired.trial || !pass.step.trial || pass.step.trial->phase == TrialPhase::kEnded) {
    return {false, "NoTrial", "No trial is running."};
  }
  return {true, to_string(pass.step.trial->phase),
          "Trial " + pass.facts.desired.trial->key.name + ": " + pass.step.message};
}

Verdicts recommendation_provided(const Pass& pass) {
  if (recommended(pass.facts.decision) != nullptr) return {true, "Recommended", pass.facts.decision.message};
  if (pass.facts.decision.kind == Decision::Kind::kKeep)
    return {true, pass.facts.decision.reason, pass.facts.decision.message};
  return {false, pass.facts.decision.reason.empty() ? "NoData" : pass.facts.decision.reason,
          pass.facts.decision.message};
}

Verdicts config_unsupported(const Pass& pass) {
  for (const auto& rules : {policy::may_be_tuned(), policy::may_start()}) {
    for (const policy::Objection& against : policy::objections(rules, pass.facts)) {
      if (against.rule->condition == std::string_view("ConfigUnsupported")) {
        return {true, against.reason(), against.message};
      }
    }
  }
  if (!knows_container(pass)) return {false, "NoContainer", kNoContainer};
  return {false, "Supported", "The target can be tuned."};
}

Verdicts field_conflict(const Pass& pass) {
  if (waits_for_rival(pass)) return {false, "NoConflict", "It is not looked for: another profile tunes the target."};
  if (const auto against = objection_told_by(pass, "FieldConflict")) return {true, "OtherManager", against->message};
  if (!knows_container(pass)) return {false, "NoContainer", kNoContainer};
  return {false, "NoConflict", "Nobody else sets GOGC or GOMEMLIMIT on the target."};
}

/// What people's own alarms on MemStats look for. It stands against nothing: the recommendation says what to do.
Verdicts heap_pressure(const Pass& pass) {
  // The heap fills up before each collection: the moment of a reading says little.
  constexpr Duration kLately = std::chrono::minutes(2);
  constexpr double kNearLimit = 0.8;
  constexpr double kOften = 8;
  if (waits_for_rival(pass)) return {false, "Unknown", "It is not looked at: another profile tunes the target."};
  const auto fullest = fullest_heap(pass.facts.observed, kLately);
  if (fullest && *fullest > kNearLimit) {
    return {true, "HeapNearLimit",
            "In the latest two minutes the heap in use was " + percent(*fullest) +
                " of GOMEMLIMIT in the pod where it was highest. Nearer to it Go collects more often: see the "
                "recommendation, or raise the container's memory limit."};
  }
  const auto& seen = pass.facts.decision.estimate;
  if (!seen) return {false, "Unknown", "Too little is known of the target's pods."};
  const std::string rate = format_fixed(seen->cycles_per_minute, 1) + " collections a minute in each pod";
  if (seen->cycles_per_minute > kOften) {
    return {true, "CollectsOften", rate + ", more than 8: what they cost is under observed.gcCpuPercent."};
  }
  return {false, "EnoughRoom",
          rate + (fullest ? ", and the heap in use is " + percent(*fullest) + " of GOMEMLIMIT at most." : ".")};
}

/// Where a figure comes from and its relative standard error; null where it is not known.
json sourced(const std::string& source, double rel_error) {
  if (source.empty()) return nullptr;
  return source + " ± " + format_fixed(100 * rel_error, rel_error < 0.1 ? 1 : 0) + "%";
}

/// "GOGC=200 GOMEMLIMIT=348MiB: collection takes 12.4% of the CPU, peak memory 234.3MiB".
std::string in_a_line(const Outlook& choice) {
  return describe(choice.settings) + ": collection takes " + percent(choice.predicted.gc_cpu_fraction) +
         " of the CPU, peak memory " + format_bytes(choice.predicted.peak_memory);
}

json observed_part(const Pass& pass) {
  json part{{"pods", stable_pods(pass.facts.observed)}, {"podsScraped", scraped_pods(pass.facts.observed)}};
  // Merge patches keep members that are not named: what is not known any more must not stay.
  for (const char* const member : {"containerSource", "allocRate", "liveHeap", "gcCpuPercent", "gcCyclesPerMinute",
                                   "peakMemory", "memoryLimit", "sources", "cpuUses", "tradeoff"}) {
    part[member] = nullptr;
  }
  if (!pass.facts.observed.container_source.empty()) part["containerSource"] = pass.facts.observed.container_source;
  if (!pass.facts.decision.estimate) return part;
  const Estimate& estimate = *pass.facts.decision.estimate;
  part["allocRate"] = format_bytes(Bytes::of(estimate.alloc_rate)) + "/s";
  part["liveHeap"] = format_bytes(estimate.live_heap);
  part["gcCpuPercent"] = percent(estimate.gc_cpu_fraction);
  part["gcCyclesPerMinute"] = format_fixed(estimate.cycles_per_minute, 1);
  part["peakMemory"] = format_bytes(estimate.peak_memory);
  part["memoryLimit"] = estimate.container_limit ? json(format_bytes(*estimate.container_limit)) : json(nullptr);
  part["sources"] = {{"allocRate", sourced("memstats", estimate.alloc_rate_rel_error)},
                     {"cycleVolume", sourced(estimate.cycle_volume_source, estimate.cycle_volume_rel_error)},
                     {"liveHeap", sourced(estimate.live_heap_source, estimate.live_heap_rel_error)},
                     {"cpu", sourced(estimate.cpu_source, estimate.cpu_rel_error)},
                     {"gcCpu", sourced(estimate.gc_cpu_source, estimate.gc_cpu_rel_error)}};
  part["sources"]["gcCpuOthers"] = estimate.gc_cpu_others.empty() ? json(nullptr) : json(estimate.gc_cpu_others);
  if (!estimate.memory_source.empty()) part["sources"]["memory"] = estimate.memory_source;
  if (estimate.cpu_uses) {
    for (std::size_t i = 0; i < kCpuUseNames.size(); ++i) {
      part["cpuUses"][kCpuUseNames[i]] = percent(estimate.cpu_uses->values[i]);
    }
  }
  for (const Outlook& choice : pass.facts.decision.tradeoff) part["tradeoff"].push_back(in_a_line(choice));
  return part;
}

json recommendation_part(const Pass& pass) {
  const Decision& decision = pass.facts.decision;
  const Settings* const settings = recommended(decision);
  if (settings == nullptr) return nullptr;
  json part{{"reason", codec::clipped(decision.message, kLongestMessage)}, {"binding", decision.binding}};
  part["gogc"] = settings->gogc && !settings->gogc->is_off() ? json(settings->gogc->percent()) : json(nullptr);
  part["goMemLimit"] = settings->go_mem_limit ? json(format_go_size(*settings->go_mem_limit)) : json(nullptr);
  part["destination"] = decision.destination ? json(describe(decision.destination->settings)) : json(nullptr);
  part["expectedSavingPercent"] = nullptr;
  part["predicted"] = nullptr;
  if (decision.predicted) {
    part["expectedSavingPercent"] = percent(decision.predicted->saving);
    part["predicted"] = {{"gcCpuPercent", percent(decision.predicted->gc_cpu_fraction)},
                         {"peakMemory", format_bytes(decision.predicted->peak_memory)}};
  }
  return part;
}

json settings_or_null(const std::optional<Settings>& settings) {
  if (!settings) return nullptr;
  // Merge patches keep members that are not named: name both.
  json object = codec::encode(*settings);
  for (const char* const member : {"gogc", "goMemLimit"}) {
    if (!object.contains(member)) object[member] = nullptr;
  }
  return object;
}

json applied_or_null(const ProfileMemory& memory) {
  json object = settings_or_null(memory.applied);
  if (!object.is_object()) return object;
  const auto text_or_null = [](const std::string& text) { return text.empty() ? json(nullptr) : json(text); };
  object["targetUid"] = text_or_null(memory.applied_uid);
  object["container"] = text_or_null(memory.applied_container);
  object["over"] = settings_or_null(memory.applied_over);
  object["beside"] = settings_or_null(memory.applied_beside);
  return object;
}

json putting_back_or_null(const std::optional<PutBack>& put_back) {
  if (!put_back) return nullptr;
  json object = settings_or_null(put_back->settings);
  object["over"] = settings_or_null(put_back->over);
  object["reason"] = put_back->reason;
  object["message"] = codec::clipped(put_back->message, kLongestMessage);
  object["slo"] = put_back->slo;
  object["templateHash"] = put_back->template_hash;
  object["at"] = format_time(put_back->at);
  object["banReason"] = put_back->ban_reason;
  return object;
}

}  // namespace

const Settings* recommended(const Decision& decision) {
  if (decision.recommended) return &*decision.recommended;
  return decision.kind == Decision::Kind::kChange ? &decision.settings : nullptr;
}

std::string phase(const Pass& pass) {
  const bool trial_goes_on =
      pass.facts.desired.trial && pass.step.trial && pass.step.trial->phase != TrialPhase::kEnded;
  if (trial_goes_on) return pass.step.trial->phase == TrialPhase::kWatching ? "Watching" : "Trial";
  if (pass.facts.desired.profile->spec.suspend) return "Suspended";
  if (policy::first_objection(policy::may_be_tuned(), pass.facts) ||
      pass.facts.decision.kind == Decision::Kind::kRefuse)
    return "Blocked";
  if (recommended(pass.facts.decision) != nullptr) return "Recommended";
  if (pass.facts.decision.kind == Decision::Kind::kNoData) return "Observing";
  return "Tuned";
}

std::vector<Condition> conditions(const Pass& pass) {
  std::vector<Condition> all;
  const auto add = [&](const char* type, const Verdicts& verdict) {
    Condition condition{type, verdict.status, verdict.reason.empty() ? "Unknown" : verdict.reason,
                        codec::clipped(verdict.message, kLongestMessage), pass.facts.now};
    for (const Condition& known : pass.facts.desired.profile->conditions) {
      if (known.type == type && known.status == verdict.status) condition.since = known.since;
    }
    all.push_back(std::move(condition));
  };
  add("Ready", ready(pass));
  add("Progressing", progressing(pass));
  add("MetricsAvailable", metrics_available(pass));
  add("RecommendationProvided", recommendation_provided(pass));
  add("FieldConflict", field_conflict(pass));
  add("ConfigUnsupported", config_unsupported(pass));
  add("HeapPressure", heap_pressure(pass));
  return all;
}

json marking_or_null(const std::optional<MarkingCost>& marking) {
  if (!marking) return nullptr;
  return {{"nanosecondsPerByte", codec::exact(marking->nanoseconds_per_byte)},
          {"relativeError", codec::exact(marking->rel_error)},
          {"templateHash", marking->template_hash}};
}

json profile_status(const Pass& pass) {
  const Profile& profile = *pass.facts.desired.profile;
  const bool remembered = pass.step.memory.has_value() && !pass.error;
  const ProfileMemory& memory = remembered ? *pass.step.memory : profile.memory;
  const bool waits = waits_for_rival(pass);
  json status{{"observedGeneration", profile.generation},
              {"phase", phase(pass)},
              {"targetContainer", waits ? json(nullptr) : json(pass.facts.desired.container)},
              {"current", waits ? json(nullptr) : settings_or_null(pass.facts.desired.current)},
              {"recommendation", recommendation_part(pass)},
              {"observed", observed_part(pass)},
              {"activeTrial", memory.active_trial},
              {"trialCount", memory.trial_count},
              {"applied", applied_or_null(memory)},
              {"puttingBack", putting_back_or_null(memory.putting_back)},
              {"coolDownUntil", nullptr},
              {"marking", marking_or_null(memory.marking)},
              {"missedPredictions", memory.missed_predictions},
              {"missedTemplate", memory.missed_template},
              {"undoneTo", memory.undone_to},
              {"retried", memory.retried}};
  if (memory.cool_down_until) status["coolDownUntil"] = format_time(*memory.cool_down_until);
  json banned = json::array();
  for (const BannedRegion& region : memory.banned) {
    json object = codec::encode(region.settings);
    object["templateHash"] = region.template_hash;
    object["reason"] = region.reason;
    object["at"] = format_time(region.at);
    object["trials"] = region.trials;
    if (const auto until = banned_until(region)) object["until"] = format_time(*until);
    banned.push_back(std::move(object));
  }
  status["bannedRegions"] = std::move(banned);
  json changes = json::array();
  for (const AppliedChange& change : memory.changes) {
    changes.push_back({{"at", format_time(change.at)},
                       {"from", codec::encode(change.from)},
                       {"to", codec::encode(change.to)},
                       {"why", codec::clipped(change.why, kLongestWhy)}});
  }
  status["changes"] = std::move(changes);
  json list = json::array();
  for (const Condition& condition : conditions(pass)) {
    list.push_back({{"type", condition.type},
                    {"status", condition.status ? "True" : "False"},
                    {"observedGeneration", profile.generation},
                    {"lastTransitionTime", format_time(condition.since)},
                    {"reason", condition.reason},
                    {"message", condition.message}});
  }
  status["conditions"] = std::move(list);
  return status;
}

json lasting_part(const json& status) {
  json part = status;
  part.erase("observed");
  if (part["recommendation"].is_object()) {
    const json& full = status["recommendation"];
    part["recommendation"] = {{"gogc", full["gogc"]}, {"goMemLimit", full["goMemLimit"]}};
  }
  for (json& condition : part["conditions"]) condition.erase("message");
  return part;
}

json troubles_of(const json& status) {
  json troubles = json::array();
  for (const json& condition : status["conditions"]) {
    if (condition["type"] == "HeapPressure") continue;  // figures that change with each reading
    static const std::set<std::string> kTellWhenTrue{"ConfigUnsupported", "FieldConflict", "Progressing"};
    const bool tells_when_true = kTellWhenTrue.contains(condition["type"].get<std::string>());
    if (condition["status"] == (tells_when_true ? "True" : "False")) troubles.push_back(condition["message"]);
  }
  return troubles;
}

}  // namespace gopacer::record
