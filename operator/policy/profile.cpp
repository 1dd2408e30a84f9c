#include "gopacer/judge/sources.h"
#include "policy/sentences.h"

namespace gopacer::policy {
namespace {

/// What becomes of settings that stand, where a person may take it for something else.
std::string what_stays(const Profile& profile) {
  if (!profile.memory.applied) return {};
  const std::string applied = describe(*profile.memory.applied);
  if (profile.memory.applied_beside) {
    return " " + applied + " was in running processes only: they have their own settings again once the agents are " +
           "gone, and the pod template needs no change. Agents that are installed again put it in force unless the " +
           "template's GOGC or GOMEMLIMIT has changed; to prevent that delete the profile or set apply: Restart.";
  }
  if (!profile.spec.revert_on_deletion) return {};
  return " The target keeps " + applied +
         " although revertOnDeletion is set, as nobody takes it back meanwhile; to do so: kubectl -n " +
         profile.key.ns + " set env deployment/" + profile.spec.target + " GOGC- GOMEMLIMIT-";
}

}  // namespace

Answer uninstalling(const Facts& facts) {
  if (!facts.desired.uninstalling) return std::nullopt;
  const auto& profile = facts.desired.profile;
  return "gopacer was uninstalled: nothing is tuned here until it is installed again." +
         (profile ? what_stays(*profile) : std::string());
}

Answer suspended(const Facts& facts) {
  if (!facts.desired.profile || !facts.desired.profile->spec.suspend) return std::nullopt;
  return "spec.updatePolicy.suspend is true.";
}

Answer recommend_only(const Facts& facts) {
  if (!facts.desired.profile || facts.desired.profile->spec.update_mode != UpdateMode::kOff) return std::nullopt;
  return "updateMode is Off: the recommendation is shown and nothing is applied.";
}

Answer sources_unread(const Facts& facts) {
  if (!facts.desired.profile) return std::nullopt;
  const std::vector<std::string> notes = unread_sources(facts.observed, facts.desired.profile->spec.slos);
  if (notes.empty()) return std::nullopt;
  return "No trial starts before everything that its verdict needs was read once. " + notes.front();
}

Answer picture_old(const Facts& facts) {
  if (facts.desired.picture_age <= kLongestSilence) return std::nullopt;
  return "A watch of the API server has been silent for " +
         format_duration(std::chrono::floor<std::chrono::seconds>(facts.desired.picture_age)) +
         ": nothing is begun on so old a picture. The operator's readiness and gopacer_watch_age_seconds say of which "
         "kind.";
}

const Trial* kept_trial(const std::string& name, const Facts& facts) {
  for (const auto& trial : facts.desired.ended_trials) {
    const bool of_this =
        trial->spec.target.name == facts.desired.target_name && trial->spec.container == facts.desired.container;
    if (of_this && trial->key.name == name) return trial.get();
  }
  return nullptr;
}

const Trial* wanted_back(const Facts& facts) {
  const auto& profile = facts.desired.profile;
  if (!profile || profile->wishes.undo_to.empty() || profile->wishes.undo_to == profile->memory.undone_to) {
    return nullptr;
  }
  return kept_trial(profile->wishes.undo_to, facts);
}

Answer promise_broken(const Facts& facts) {
  if (facts.guarded.outcome != Outcome::kWorse || !facts.desired.trial ||
      !before_promotion(facts.desired.trial->status.phase))
    return std::nullopt;
  return facts.guarded.message;
}

std::optional<Bytes> limit_exceeded_by(const Settings& settings, const Facts& facts) {
  const ContainerSpec* const container = container_named(facts.desired.target->containers, facts.desired.container);
  const auto limit = container != nullptr ? container->memory_limit : std::nullopt;
  return settings.go_mem_limit && limit && *settings.go_mem_limit >= *limit ? limit : std::nullopt;
}

std::string beyond_bounds(const Settings& settings, const std::optional<Settings>& own, const Facts& facts) {
  const Desired& desired = facts.desired;
  auto container = roomiest_container(desired);
  if (!container || !desired.profile) return {};
  if (own) container->own = own;
  if (desired.profile->spec.apply != ApplyMode::kLive) {
    // Pods will be as the template has them, whatever the present ones were resized to.
    container->memory_limit = container_named(desired.target->containers, desired.container)->memory_limit;
    // A limit that stops nothing may be taken out of a template; to a process that runs it would be no limit at all.
    if (!settings.go_mem_limit) container->environment.go_mem_limit.reset();
  }
  return out_of_bounds(*container, desired.profile->spec, settings);
}

std::string danger_of_undo(const Trial& trial, const Facts& facts) {
  if (const auto limit = limit_exceeded_by(trial.spec.to, facts)) {
    return "do not fit into the container's memory limit of " + format_bytes(*limit) + " any more: raise it";
  }
  if (facts.desired.profile->spec.apply == ApplyMode::kLive) {
    // The agents would not keep them in force, and the wish would be carried out again and again.
    const auto own = trial.spec.live ? trial.spec.live->own : std::nullopt;
    if (std::string beyond = beyond_bounds(trial.spec.to, own, facts); !beyond.empty()) {
      beyond.pop_back();  // its full stop
      return "are not within the profile's bounds (" + beyond + "): widen them";
    }
  }
  const std::string advice = "): name the trial whose settings you want, not the one to be undone";
  const bool same_program = trial.spec.template_hash == facts.desired.target->template_hash;
  if (same_program && trial.status.verdict == TrialVerdict::kRollBack) {
    return "were rolled back with this pod template (" + trial.status.reason + advice;
  }
  for (const BannedRegion& region : facts.desired.profile->memory.banned) {
    // What a person has taken away a person may want back.
    const bool found_bad = region.reason != "Undone" && !is_a_persons(region.reason);
    const bool is_this =
        region.settings == trial.spec.to && region.template_hash == facts.desired.target->template_hash;
    if (!found_bad || !is_this) continue;
    return "were taken away from this pod template (" + region.reason + ", " + format_time(region.at) + advice;
  }
  return {};
}

Answer undo_asked(const Facts& facts) {
  const Trial* const wanted = wanted_back(facts);
  // One that is going to be refused is no reason to give up what is under way.
  if (wanted == nullptr || !facts.desired.target || !danger_of_undo(*wanted, facts).empty()) return std::nullopt;
  return "The annotation " + std::string(kUndoAnnotation) + " asks for the settings of trial " + wanted->key.name + ".";
}

}  // namespace gopacer::policy
