#include "record/recorder.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "codec/resources.h"
#include "codec/trial.h"
#include "gopacer/domain/episodes.h"
#include "ports/api_server.h"
#include "ports/event_sink.h"
#include "record/figures.h"
#include "record/operator_metrics.h"

namespace gopacer {
namespace {

using nlohmann::json;
using record::Pass;

/// Figures that drift are written at most this often, and only when a person would notice: each write wakes every
/// watcher of the profile, and a cluster has hundreds of them.
constexpr Duration kQuietTime = std::chrono::minutes(1);
constexpr double kNotableDrift = 0.1;

/// What pods do again and again is told of once in so long.
constexpr Duration kQuietAboutPods = std::chrono::minutes(10);

/// A merge patch that makes `before` into `after`: a member that goes has to be named for that.
json replacing(const json& before, const json& after) {
  json patch = after;
  for (const auto& [member, value] : before.items()) {
    if (!after.contains(member)) {
      patch[member] = nullptr;
    } else if (value.is_object() && after[member].is_object()) {
      patch[member] = replacing(value, after[member]);
    }
  }
  return patch;
}

Event event_about(const Profile& profile, bool warning, std::string reason, std::string note, std::string action) {
  return {resources::kProfiles, profile.key.ns,  profile.key.name, profile.uid, warning,
          std::move(reason),    std::move(note), std::move(action)};
}

Event event_about(const Trial& trial, bool warning, std::string reason, std::string note, std::string action) {
  return {resources::kTrials, trial.key.ns,    trial.key.name,   trial.uid, warning,
          std::move(reason),  std::move(note), std::move(action)};
}

/// Recommendations that differ by less than this are the same one to a person.
bool notably_different(const Settings& a, const Settings& b) {
  constexpr double kNotable = 0.1;
  const auto differs = [](double x, double y) { return std::abs(x - y) > kNotable * std::max(x, y); };
  if (a.gogc.has_value() != b.gogc.has_value() || a.go_mem_limit.has_value() != b.go_mem_limit.has_value()) return true;
  return (a.gogc && differs(a.gogc->percent(), b.gogc->percent())) ||
         (a.go_mem_limit && differs(a.go_mem_limit->value(), b.go_mem_limit->value()));
}

/// The event with which a trial's new phase is told; none for phases that are told otherwise.
std::optional<std::pair<std::string, bool>> event_of(const TrialStatus& status) {
  switch (status.phase) {
    case TrialPhase::kPending:
      return std::nullopt;
    case TrialPhase::kWarmUp:
    case TrialPhase::kMeasuring:
    case TrialPhase::kPromoting:
      return std::pair("TrialStepCompleted", false);
    case TrialPhase::kWatching:
      return std::pair("Promoted", false);
    case TrialPhase::kRollingBack:
      return std::pair("RollbackStarted", true);
    case TrialPhase::kEnded:
      break;
  }
  switch (status.verdict) {
    case TrialVerdict::kPromote:
      return std::pair("TrialSucceeded", false);
    case TrialVerdict::kRollBack:
      return std::pair("RolledBack", true);
    case TrialVerdict::kInconclusive:
      return std::pair("TrialInconclusive", true);
    case TrialVerdict::kSuperseded:
      return std::pair("TrialSuperseded", false);
    case TrialVerdict::kAborted:
      return std::pair("TrialAborted", false);
    case TrialVerdict::kNone:
      break;
  }
  return std::nullopt;
}

/// For whoever hears of nothing else: between which settings the trial chose, and why a promotion was made.
std::string settings_and_why(const Trial& trial, const TrialStatus& status) {
  const std::string from = describe(trial.spec.from);
  if (status.phase == TrialPhase::kWatching) return " It was " + from + " before. " + status.message;
  const bool rolled_back = status.phase == TrialPhase::kEnded && status.verdict == TrialVerdict::kRollBack;
  return rolled_back ? " Tried was " + describe(trial.spec.to) + " instead of " + from + "." : std::string();
}

bool notable(double before, double now) {
  return std::abs(before - now) > kNotableDrift * std::max(std::abs(before), std::abs(now));
}

/// The worst of what the pods' readings show since the last pass, by the events' reasons; of a pod that is new, the
/// latest one. `read` has the times of those that were known, by pods' uids: a reading after which something is
/// captured comes late, and the next one soon after it. Nothing in a trial, which makes pods collect in other ways.
std::map<std::string, std::string> episodes_of(const Facts& facts, std::map<std::string, Time>& read) {
  std::map<std::string, std::string> told;
  std::map<std::string, Time> read_before;
  read_before.swap(read);
  for (const PodSeries& pod : facts.observed.pods) {
    if (!pod.samples.empty()) read[pod.uid] = pod.samples.back().at;
  }
  if (facts.desired.trial) return told;
  std::optional<LongPause> longest;
  std::optional<AllocationStorm> fastest;
  for (const PodSeries& pod : facts.observed.pods) {
    const auto known = read_before.find(pod.uid);
    const bool is_new = known == read_before.end();
    for (std::size_t end = pod.samples.size(); end > 0; --end) {
      if (is_new ? end < pod.samples.size() : pod.samples[end - 1].at <= known->second) break;
      const auto pause = long_pause(pod.samples, end);
      if (pause && (!longest || pause->pause > longest->pause)) {
        longest = pause;
        told[kLongPause] = "Pod " + pod.pod + ": " + describe(*pause);
      }
      const auto storm = storm_began(pod.samples, end);
      if (storm && (!fastest || storm->collections > fastest->collections)) {
        fastest = storm;
        told[kAllocationStorm] = "Pod " + pod.pod + ": " + describe(*storm);
      }
    }
  }
  return told;
}

/// Of the figures that a profile's status shows.
bool has_drifted(const std::optional<Estimate>& before, const std::optional<Estimate>& now) {
  if (before.has_value() != now.has_value()) return true;
  if (!before) return false;
  return notable(before->alloc_rate, now->alloc_rate) || notable(before->gc_cpu_fraction, now->gc_cpu_fraction) ||
         notable(before->cycles_per_minute, now->cycles_per_minute) ||
         notable(before->live_heap.value(), now->live_heap.value()) ||
         notable(before->peak_memory.value(), now->peak_memory.value());
}

/// Null when there is none of that type yet.
const Condition* find(const std::vector<Condition>& conditions, const char* type) {
  const auto found = std::find_if(conditions.begin(), conditions.end(),
                                  [type](const Condition& condition) { return condition.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

}  // namespace

struct Recorder::Written {
  json lasting;
  json troubles;
  std::optional<Estimate> estimate;
  Time at;
  std::optional<Settings> told_recommendation;
  std::map<std::string, Time> told_episodes;  ///< by their events' reasons
  std::map<std::string, Time> read;           ///< latest readings, by uids of pods
};

Recorder::Recorder(ApiServer& api, EventSink& events, OperatorMetrics& metrics)
    : api_(api), events_(events), metrics_(metrics) {}
Recorder::~Recorder() = default;

std::shared_ptr<Recorder::Written> Recorder::written(const ObjectKey& key) {
  const std::lock_guard lock(mutex_);
  auto& entry = written_[key];
  if (!entry) entry = std::make_shared<Written>();
  return entry;
}

void Recorder::forget(const ObjectKey& key) {
  {
    const std::lock_guard lock(mutex_);
    written_.erase(key);
  }
  metrics_.forget(key);
}

Result<void> Recorder::write(const Pass& pass) {
  // The profile first: a trial that has ended is no longer looked at, so what is learned from it must be kept by then.
  if (pass.facts.desired.profile) {
    if (auto profile = write_profile(pass); !profile) {
      // Whatever is the matter with the profile, it must not keep bad settings in the target.
      const bool begins_rollback = pass.step.trial && pass.step.trial->phase == TrialPhase::kRollingBack;
      if (begins_rollback && !pass.step.memory) static_cast<void>(write_trial(pass));
      return profile;
    }
  }
  if (auto trial = write_trial(pass); !trial) return trial;
  tell(pass);
  prune(pass.facts.desired);
  return {};
}

Result<void> Recorder::write_trial(const Pass& pass) {
  if (!pass.facts.desired.trial || !pass.step.trial || pass.error) return {};
  const Trial& trial = *pass.facts.desired.trial;
  const json known = codec::encode(trial.status);
  const json status = codec::encode(*pass.step.trial);
  if (status == known) return {};
  const json patch{{"metadata", {{"resourceVersion", trial.resource_version}}}, {"status", replacing(known, status)}};
  const Result<json> patched = api_.merge_patch({resources::kTrials, trial.key.ns, trial.key.name}, patch, "status");
  if (patched || patched.error().kind == ErrorKind::kNotFound) return {};
  return tl::unexpected(patched.error());
}

Result<void> Recorder::write_profile(const Pass& pass) {
  const Profile& profile = *pass.facts.desired.profile;
  const std::shared_ptr<Written> last = written(profile.key);
  const json status = record::profile_status(pass);
  json lasting = record::lasting_part(status);
  const auto& estimate = pass.facts.decision.estimate;
  json troubles = record::troubles_of(status);
  const bool news = has_drifted(last->estimate, estimate) || troubles != last->troubles;
  const bool drifted = news && pass.facts.now - last->at >= kQuietTime;
  if (lasting == last->lasting && !drifted) return {};
  const json patch{{"metadata", {{"resourceVersion", profile.resource_version}}}, {"status", status}};
  const Result<json> patched =
      api_.merge_patch({resources::kProfiles, profile.key.ns, profile.key.name}, patch, "status");
  if (!patched) {
    if (patched.error().kind == ErrorKind::kNotFound) return {};
    // The status can't say it itself; an event can, because no policy keeps events from being written.
    if (patched.error().kind == ErrorKind::kTerminal) {
      events_.post(event_about(profile, true, "StatusRefused",
                               "The status can't be written, and what it says may be old: " + patched.error().message +
                                   ". If a policy of another gopacer refuses it, two are installed for this namespace: "
                                   "uninstall one of those that kubectl get clusterrole -l "
                                   "app.kubernetes.io/name=gopacer lists, or set watchNamespace of both.",
                               "Observe"));
    }
    // What is there now is not known; the next pass writes again.
    last->lasting = nullptr;
    return tl::unexpected(patched.error());
  }
  last->lasting = std::move(lasting);
  last->troubles = std::move(troubles);
  last->estimate = estimate;
  last->at = pass.facts.now;
  return {};
}

void Recorder::tell(const Pass& pass) {
  const std::string step = to_string(pass.step.kind);
  if (!pass.error && pass.step.kind != StepKind::kHold) metrics_.step_taken(step);

  if (pass.facts.desired.profile) {
    const Profile& profile = *pass.facts.desired.profile;
    const std::shared_ptr<Written> last = written(profile.key);
    const Decision& decision = pass.facts.decision;
    const Settings* const recommended = record::recommended(decision);
    if (recommended != nullptr &&
        (!last->told_recommendation || notably_different(*recommended, *last->told_recommendation))) {
      events_.post(event_about(profile, false, "RecommendationUpdated",
                               describe(*recommended) + ": " + decision.message, "Recommend"));
      last->told_recommendation = *recommended;
    }
    if (pass.step.kind == StepKind::kStartTrial && !pass.error) {
      events_.post(event_about(
          profile, false, "TrialStarted",
          "Trial " + trial_name(pass.step.start->profile, pass.step.start->number) + ": " + pass.step.message, step));
    }
    if (pass.step.kind == StepKind::kPutBack && !pass.error) {
      // By the annotation, or by updateMode.
      const bool as_asked = pass.step.reason == "Undone" || pass.step.reason == "Followed";
      events_.post(event_about(profile, !as_asked, pass.step.reason, pass.step.message, step));
    }
    // Before episodes_of(), which notes that all readings are known.
    const record::PauseCount pauses = record::new_pauses(pass.facts.observed, last->read);
    metrics_.pauses(profile.key, pauses.all, pauses.long_ones);
    for (const auto& [reason, note] : episodes_of(pass.facts, last->read)) {
      const auto told = last->told_episodes.find(reason);
      if (told != last->told_episodes.end() && pass.facts.now - told->second < kQuietAboutPods) continue;
      last->told_episodes[reason] = pass.facts.now;
      events_.post(event_about(profile, reason == kLongPause, reason, note, "Observe"));
    }
    const std::vector<Condition> now = record::conditions(pass);
    const auto tell_change = [&](const char* type, bool bad, bool before, const char* reason) {
      const Condition& condition = *find(now, type);
      const Condition* const known = find(profile.conditions, type);
      if (condition.status == bad && (known != nullptr ? known->status : before) != bad) {
        events_.post(event_about(profile, true, reason, condition.message, "Observe"));
      }
    };
    tell_change("FieldConflict", true, false, "FieldConflict");
    tell_change("ConfigUnsupported", true, false, "ConfigUnsupported");
    // A rule of Ready has no condition of its own that an event could follow.
    const auto against = policy::first_objection(policy::may_be_tuned(), pass.facts);
    const Condition* const ready = find(profile.conditions, "Ready");
    if (against && against->rule->condition == std::string_view("Ready") &&
        (ready == nullptr || ready->reason != against->reason())) {
      events_.post(event_about(profile, true, against->reason(), against->message, "Observe"));
    }
    // Nor has what the figures ask of a person.
    const Condition& given_now = *find(now, "RecommendationProvided");
    const Condition* const given_before = find(profile.conditions, "RecommendationProvided");
    const bool asks = decision.reason == "NeedsMemory" || decision.kind == Decision::Kind::kRefuse;
    if (asks && given_now.reason == decision.reason &&
        (given_before == nullptr || given_before->reason != given_now.reason)) {
      events_.post(event_about(profile, true, given_now.reason, given_now.message, "Observe"));
    }
    // It begins as false, while nothing was read yet: the reason tells when that turns bad.
    const Condition& read_now = *find(now, "MetricsAvailable");
    const Condition* const read_before = find(profile.conditions, "MetricsAvailable");
    if (read_now.reason == "ScrapeFailed" && (read_before == nullptr || read_before->reason != read_now.reason)) {
      events_.post(event_about(profile, true, "MetricsUnavailable", read_now.message, "Observe"));
    }

    metrics_.show(profile.key, record::figures_of(pass, now));
  }

  if (pass.facts.desired.trial && pass.step.trial && !pass.error &&
      pass.step.trial->phase != pass.facts.desired.trial->status.phase) {
    const TrialStatus& status = *pass.step.trial;
    const std::string note = status.steps.empty() ? pass.step.message : status.steps.back().message;
    if (const auto told = event_of(status)) {
      events_.post(event_about(*pass.facts.desired.trial, told->second, told->first, note, step));
      if (pass.facts.desired.profile) {
        events_.post(event_about(*pass.facts.desired.profile, told->second, told->first,
                                 "Trial " + pass.facts.desired.trial->key.name + ": " + note +
                                     settings_and_why(*pass.facts.desired.trial, status),
                                 step));
      }
    }
    if (status.phase == TrialPhase::kEnded) metrics_.trial_ended(pass.facts.desired.key, to_string(status.verdict));
    spdlog::info("trial moved on namespace={} trial={} phase={} verdict={} reason={}", pass.facts.desired.trial->key.ns,
                 pass.facts.desired.trial->key.name, to_string(status.phase), to_string(status.verdict), status.reason);
  }
}

void Recorder::prune(const Desired& desired) {
  if (!desired.profile) return;
  const auto prune_some = [&](bool successful, int limit) {
    std::vector<std::shared_ptr<const Trial>> kept;
    for (const auto& trial : desired.ended_trials) {
      if ((trial->status.verdict == TrialVerdict::kPromote) == successful) kept.push_back(trial);
    }
    // Until it is fulfilled a person's wish needs the trial that it names.
    const Profile& profile = *desired.profile;
    const auto is_needed = [&](const std::string& name) {
      return (name == profile.wishes.undo_to && name != profile.memory.undone_to) ||
             (name == profile.wishes.retry && name != profile.memory.retried);
    };
    std::erase_if(kept, [&](const auto& trial) { return is_needed(trial->key.name); });
    // While its settings are guarded, it says which promises the baseline did not keep either.
    if (successful && profile.spec.guards() && !kept.empty() && kept.back()->spec.to == profile.memory.applied) {
      kept.pop_back();
    }
    for (std::size_t i = 0; i + static_cast<std::size_t>(limit) < kept.size(); ++i) {
      const Trial& trial = *kept[i];
      const Result<void> removed = api_.remove({resources::kTrials, trial.key.ns, trial.key.name}, trial.uid);
      if (!removed) {
        spdlog::warn("trial beyond the history limit not removed namespace={} trial={} error={}", trial.key.ns,
                     trial.key.name, removed.error().message);
      }
    }
  };
  prune_some(true, desired.profile->spec.history.successful);
  prune_some(false, desired.profile->spec.history.unsuccessful);
}

}  // namespace gopacer
