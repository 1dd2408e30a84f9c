#include "rollout/put_back.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "rollout/continuous.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

/// What was announced is carried out for so long only: later it answers a question that nobody asks any more.
constexpr Duration kAnnounced = std::chrono::minutes(10);
/// By then the watch has shown the announced patch if there was one.
constexpr Duration kForgotten = std::chrono::hours(1);

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

bool is_banned_here(const Settings& settings, const Facts& facts) {
  return is_banned(facts.desired.profile->memory.banned, settings, facts.desired.target->template_hash, facts.now);
}

/// Whatever the program was: who switches to settings knows nothing of them but what trials say.
bool is_banned_anywhere(const Settings& settings, const Facts& facts) {
  const auto& regions = facts.desired.profile->memory.banned;
  return std::any_of(regions.begin(), regions.end(), [&](const BannedRegion& region) {
    return is_banned(regions, settings, region.template_hash, facts.now);
  });
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

/// What is taken away is banned by the same write that forgets the announcement: once, whoever writes it, and not where
/// nothing was put back in the end.
Step done(const PutBack& wanted, const Facts& facts) {
  Step step = forget(facts, wanted.reason, wanted.message);
  note_applied(*step.memory, wanted.settings, wanted.over, facts.desired.target->uid, facts.desired.container, facts);
  step.memory->cool_down_until = facts.now + facts.desired.profile->spec.rollback.cool_down;
  const auto& replaced = facts.desired.profile->memory.applied;
  if (!replaced || *replaced == wanted.settings) return step;
  // A definition of an older version does not keep it.
  const std::string reason = wanted.ban_reason.empty() ? "SloViolated" : wanted.ban_reason;
  ban(*step.memory, {*replaced, wanted.template_hash, reason, wanted.at});
  if (facts.desired.profile->spec.update_mode == UpdateMode::kContinuous) {
    note_change(*step.memory, {facts.now, *replaced, wanted.settings, wanted.message});
  }
  return step;
}

Step announce(const PutBack& wanted, const Facts& facts) {
  Step step = hold(wanted.reason, wanted.message, std::chrono::milliseconds(50));
  step.memory = facts.desired.profile->memory;
  step.memory->putting_back = wanted;
  return step;
}

/// None where nothing stands against it.
std::optional<Step> waiting(const PutBack& wanted, const Facts& facts) {
  const auto against = policy::first_objection(policy::may_put_back(), facts);
  if (!against) return std::nullopt;
  Step step = hold(against->reason(), wanted.message + " That waits: " + against->message, kIdlePass);
  step.refused = true;
  return step;
}

/// It is what the program had before anything of ours, by itself: it has that again once its environment's settings are
/// to be in force. Noted as ours it would look as if we had never let go.
bool is_programs_own(const Settings& settings, const Facts& facts) {
  return facts.desired.profile->spec.update_mode == UpdateMode::kContinuous && facts.desired.own == settings;
}

/// Still what this program's owner asks for.
bool holds(const PutBack& wanted, const Facts& facts) {
  const ProfileSpec& spec = facts.desired.profile->spec;
  const Slo* const slo = slo_named(spec.slos, wanted.slo);
  // A hard stop is about no SLO.
  const bool is_promised = wanted.slo.empty() || (slo != nullptr && slo->max);
  return spec.guards() && is_promised && facts.now - wanted.at < kAnnounced &&
         wanted.template_hash == facts.desired.target->template_hash;
}

/// What was announced. None where it is to be looked for only: the watch may be late with a patch of ours.
std::optional<Step> go_on(const PutBack& wanted, const Facts& facts) {
  const ProfileMemory& memory = facts.desired.profile->memory;
  if (!is_the_same_target(facts)) {
    return forget(facts, "TargetRecreated",
                  "Nothing is put back: the target or the container that is tuned is another one.");
  }
  const Settings& current = facts.desired.current;
  if (current == wanted.settings) return done(wanted, facts);
  // Whose change it is, is for the rest of the pass to say.
  if (!memory.applied || current != *memory.applied) {
    return forget(facts, "SettingsChanged", "Nothing is put back: somebody else has changed the settings.");
  }
  if (facts.now - wanted.at >= kForgotten) return forget(facts, "Observing", "What was to be put back is out of date.");
  if (!holds(wanted, facts)) return std::nullopt;
  if (auto step = waiting(wanted, facts)) return step;
  Step step = hold(wanted.reason, wanted.message, kIdlePass);
  // What the agents go by is the note itself.
  if (is_applied_live(facts)) step = done(wanted, facts);
  step.kind = StepKind::kPutBack;
  step.settings = wanted.settings;
  step.cause = wanted.reason + " from " + describe(*memory.applied);
  return step;
}

}  // namespace

Duration guarded_interval(const Profile& profile) {
  return std::max(profile.spec.canary.interval, profile.spec.metrics.interval);
}

bool is_applied_live(const Facts& facts) { return facts.desired.profile->spec.apply == ApplyMode::kLive; }

void note_applied(ProfileMemory& memory, const Settings& settings, const std::optional<Settings>& over,
                  const std::string& target_uid, const std::string& container, const Facts& facts) {
  memory.forget_applied();
  // A trial's settings are where it put them, whatever the profile asks for by now.
  const bool live = leaves_the_template(facts.desired);
  // Go's defaults are nothing of ours, unless the agents have to keep them in force against the template.
  if (settings == Settings{} && (!live || facts.desired.environment == Settings{})) return;
  memory.applied = settings;
  memory.applied_over = over;
  memory.applied_uid = target_uid;
  memory.applied_container = container;
  if (live) memory.applied_beside = facts.desired.environment;
}

std::optional<Settings> settings_before(const Settings& settings, const Facts& facts) {
  const Trial* const trial =
      latest_confirmed(facts, [&](const Trial& candidate) { return candidate.spec.to == settings; });
  if (trial == nullptr || is_banned_here(trial->spec.from, facts)) return std::nullopt;
  return trial->spec.from;
}

std::optional<Settings> guard_goes_back_to(const Facts& facts) {
  const ProfileMemory& memory = facts.desired.profile->memory;
  if (!memory.applied || *memory.applied != facts.desired.current) return std::nullopt;
  // An earlier version of gopacer did not note it.
  return memory.applied_over ? memory.applied_over : settings_before(*memory.applied, facts);
}

bool is_guarded(const Facts& facts) {
  const Desired& desired = facts.desired;
  return desired.profile && desired.target && desired.profile->spec.guards() && guard_goes_back_to(facts);
}

std::vector<Slo> kept_promises(const Facts& facts) {
  std::vector<Slo> slos = facts.desired.profile->spec.slos;
  const Trial* const trial = latest_confirmed(facts, [](const Trial&) { return true; });
  if (trial != nullptr) {
    std::erase_if(slos, [&](const Slo& slo) {
      const Slo* const judged = slo_named(trial->spec.slos, slo.name);
      return judged != nullptr && judged->reads_the_same_as(slo) && baseline_broke(slo, trial->status.evidence);
    });
  }
  if (facts.desired.trial) {
    // The pods are read for the trial's.
    std::erase_if(slos, [&](const Slo& slo) {
      const Slo* const read = slo_named(facts.desired.trial->spec.slos, slo.name);
      return read == nullptr || !read->reads_the_same_as(slo);
    });
  }
  return slos;
}

std::optional<PutBack> answer_to_breach(BreachAction action, const Settings& settings, const Settings& before,
                                        const Facts& facts) {
  std::vector<PutBack> answers;
  if (action == BreachAction::kStepDown) answers.push_back({halfway(before, settings), before, "SteppedDown"});
  if (action == BreachAction::kSwitch) {
    const Trial* const other = latest_confirmed(facts, [&](const Trial& candidate) {
      return candidate.spec.to != settings && !is_banned_anywhere(candidate.spec.to, facts);
    });
    if (other != nullptr) {
      answers.push_back({other->spec.to, settings_before(other->spec.to, facts), "Switched"});
    }
  }
  answers.push_back({before, settings_before(before, facts), "RolledBack"});
  const auto answer = std::find_if(answers.begin(), answers.end(), [&](const PutBack& one) {
    // A step down that leads all the way is a rollback.
    const bool is_itself = one.settings != before || one.reason == "RolledBack";
    return is_itself && !is_banned_here(one.settings, facts) && !policy::limit_exceeded_by(one.settings, facts);
  });
  if (answer == answers.end()) return std::nullopt;
  // It is about to be found bad.
  if (answer->over == settings) answer->over.reset();
  return *answer;
}

std::optional<Step> put_back(const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  if (profile.memory.putting_back) {
    if (auto step = go_on(*profile.memory.putting_back, facts)) return step;
  }
  if (facts.guarded.outcome != Outcome::kWorse || !is_the_same_target(facts)) return std::nullopt;
  const Slo* const slo = slo_named(profile.spec.slos, facts.guarded.broken);
  const auto before = guard_goes_back_to(facts);
  if ((slo == nullptr && !facts.guarded.hard_stop) || !before) return std::nullopt;
  const BreachAction action = slo != nullptr ? slo->action : BreachAction::kRollBack;
  auto wanted = answer_to_breach(action, facts.desired.current, *before, facts);
  if (!wanted) {
    Step step =
        hold("PutBackUnsafe",
             facts.guarded.message + " " + describe(*before) +
                 " from before is not put back: it was found bad with this pod template, or its GOMEMLIMIT does "
                 "not fit into the container any more. Set GOGC and GOMEMLIMIT yourself.",
             kIdlePass);
    step.refused = true;
    return step;
  }
  wanted->message = facts.guarded.message + " " + describe(wanted->settings) + " is put back.";
  if (is_programs_own(wanted->settings, facts)) wanted->settings = facts.desired.environment;
  wanted->slo = facts.guarded.broken;
  wanted->ban_reason = facts.guarded.reason;
  wanted->template_hash = facts.desired.target->template_hash;
  wanted->at = facts.now;
  if (auto step = waiting(*wanted, facts)) return step;
  return announce(*wanted, facts);
}

}  // namespace gopacer
