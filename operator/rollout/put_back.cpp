#include "rollout/put_back.h"

#include <algorithm>
#include <utility>

#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

/// The latest trial of this target and container that ended well and fits; null when none is kept.
template <typename Fits>
const Trial* latest_confirmed(const Facts& facts, const Fits& fits) {
  const auto& trials = facts.desired.ended_trials;
  const auto found = std::find_if(trials.rbegin(), trials.rend(), [&](const auto& trial) {
    return trial->status.verdict == TrialVerdict::kPromote && trial->spec.target.uid == facts.desired.target->uid &&
           trial->spec.container == facts.desired.container && fits(*trial);
  });
  return found == trials.rend() ? nullptr : found->get();
}

bool is_banned(const Settings& settings, const Facts& facts) {
  const auto& banned = facts.desired.profile->memory.banned;
  return std::any_of(banned.begin(), banned.end(), [&](const BannedRegion& region) {
    return about_equal(region.settings, settings) && region.template_hash == facts.desired.target->template_hash;
  });
}

const Slo* slo_named(const ProfileSpec& spec, const std::string& name) {
  const auto found = std::find_if(spec.slos.begin(), spec.slos.end(), [&](const Slo& slo) { return slo.name == name; });
  return found == spec.slos.end() ? nullptr : &*found;
}

bool is_the_same_target(const Facts& facts) {
  const ProfileMemory& memory = facts.desired.profile->memory;
  return memory.applied_uid == facts.desired.target->uid && memory.applied_container == facts.desired.container;
}

/// What was announced is not to be done any more, or is done.
Step forget(const Facts& facts, std::string reason, std::string message) {
  Step step = hold(std::move(reason), std::move(message), seconds(1));
  step.memory = facts.desired.profile->memory;
  step.memory->putting_back.reset();
  return step;
}

Step done(const PutBack& wanted, const Facts& facts) {
  Step step = forget(facts, wanted.reason, wanted.message);
  note_applied(*step.memory, wanted.settings, wanted.over, facts.desired.target->uid, facts.desired.container);
  step.memory->cool_down_until = facts.now + facts.desired.profile->spec.rollback.cool_down;
  return step;
}

Step announce(const PutBack& wanted, const Facts& facts) {
  Step step = hold(wanted.reason, wanted.message, std::chrono::milliseconds(50));
  step.memory = facts.desired.profile->memory;
  step.memory->putting_back = wanted;
  ban(*step.memory, {facts.desired.current, facts.desired.target->template_hash, facts.guarded.reason, facts.now});
  return step;
}

/// None where nothing stands against it.
std::optional<Step> waiting(const PutBack& wanted, const Facts& facts) {
  const auto because = [&](std::string reason, const std::string& words) {
    Step step = hold(std::move(reason), wanted.message + " That waits: " + words, kIdlePass);
    step.refused = true;
    return step;
  };
  if (const auto against = policy::first_objection(policy::may_put_back(), facts)) {
    return because(against->reason(), against->message);
  }
  if (const auto limit = limit_exceeded_by(wanted.settings, facts)) {
    return because("PutBackUnsafe", "its GOMEMLIMIT does not fit into the container's memory limit of " +
                                        format_bytes(*limit) + " any more. Raise that, or set GOMEMLIMIT yourself.");
  }
  return std::nullopt;
}

/// What was announced.
Step go_on(const PutBack& wanted, const Facts& facts) {
  const ProfileMemory& memory = facts.desired.profile->memory;
  if (!is_the_same_target(facts)) {
    return forget(facts, "TargetRecreated",
                  "Nothing is put back: the target or the container that is tuned is another one.");
  }
  const Settings& current = facts.desired.current;
  if (current == wanted.settings) return done(wanted, facts);
  if (!facts.desired.profile->spec.rollback.guard) {
    return forget(facts, "Observing", "Nothing is put back: rollback.guard is off.");
  }
  // Whose change it is, is for the rest of the pass to say.
  if (!memory.applied || current != *memory.applied) {
    return forget(facts, "SettingsChanged", "Nothing is put back: somebody else has changed the settings.");
  }
  if (auto step = waiting(wanted, facts)) return *step;
  Step step = hold(wanted.reason, wanted.message, kIdlePass);
  step.kind = StepKind::kPutBack;
  step.settings = wanted.settings;
  step.cause = wanted.reason + " from " + describe(*memory.applied);
  return step;
}

}  // namespace

void note_applied(ProfileMemory& memory, const Settings& settings, const std::optional<Settings>& over,
                  const std::string& target_uid, const std::string& container) {
  memory.forget_applied();
  if (settings == Settings{}) return;
  memory.applied = settings;
  memory.applied_over = over;
  memory.applied_uid = target_uid;
  memory.applied_container = container;
}

std::optional<Settings> settings_before(const Settings& settings, const Facts& facts) {
  const Trial* const trial =
      latest_confirmed(facts, [&](const Trial& candidate) { return candidate.spec.to == settings; });
  return trial == nullptr ? std::nullopt : std::optional(trial->spec.from);
}

PutBack answer_to_breach(BreachAction action, const Settings& settings, const Settings& before, const Facts& facts) {
  if (action == BreachAction::kStepDown) {
    const Settings next = halfway(before, settings);
    if (next != before) return {next, before, "SteppedDown", {}};
  }
  if (action == BreachAction::kSwitch) {
    const Trial* const other = latest_confirmed(facts, [&](const Trial& candidate) {
      return candidate.spec.to != settings && !is_banned(candidate.spec.to, facts);
    });
    if (other != nullptr) return {other->spec.to, settings_before(other->spec.to, facts), "Switched", {}};
  }
  return {before, settings_before(before, facts), "RolledBack", {}};
}

std::optional<Step> put_back(const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  if (profile.memory.putting_back) return go_on(*profile.memory.putting_back, facts);
  if (facts.guarded.outcome != Outcome::kWorse || !is_the_same_target(facts)) return std::nullopt;
  const Slo* const slo = slo_named(profile.spec, facts.guarded.broken);
  if (slo == nullptr) return std::nullopt;
  PutBack wanted = answer_to_breach(slo->action, facts.desired.current, *profile.memory.applied_over, facts);
  wanted.message = facts.guarded.message + " " + describe(wanted.settings) + " is put back.";
  if (auto step = waiting(wanted, facts)) return *step;
  return announce(wanted, facts);
}

}  // namespace gopacer
