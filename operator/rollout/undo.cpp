#include "rollout/undo.h"

#include <algorithm>

#include "rollout/put_back.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

Step refuse(std::string reason, std::string message) {
  Step step = hold(std::move(reason), std::move(message), kIdlePass);
  step.refused = true;
  return step;
}

Step unknown(const Facts& facts) {
  std::string kept;
  for (const auto& trial : facts.desired.ended_trials) kept += (kept.empty() ? "" : ", ") + trial->key.name;
  return refuse("UndoUnknown",
                "The annotation " + std::string(kUndoAnnotation) + " asks for the settings of trial '" +
                    facts.desired.profile->wishes.undo_to + "', which is not kept, or is not about container '" +
                    facts.desired.container + "' of " + describe(*facts.desired.target) + ". " +
                    (kept.empty() ? "No trial is kept: remove the annotation."
                                  : "Kept are " + kept + ": name one of these, or remove the annotation."));
}

/// Who else would put back what an undo puts there, or has set one of the variables; those are theirs.
std::optional<Step> owned_by_others(const Facts& facts) {
  for (const policy::Objection& against : policy::objections(policy::may_start(), facts)) {
    const bool of_owners = against.reason() == "TargetOwned" || against.reason() == "FieldConflict";
    if (of_owners) return refuse(against.reason(), against.message);
  }
  return std::nullopt;
}

void ban_as_undone(ProfileMemory& memory, const Settings& settings, const Facts& facts) {
  const std::string& program = facts.desired.target->template_hash;
  const bool known = std::any_of(memory.banned.begin(), memory.banned.end(), [&](const BannedRegion& region) {
    return region.settings == settings && region.template_hash == program && region.reason == "Undone";
  });
  if (!known) ban(memory, {settings, program, "Undone", facts.now});
}

/// What the wish leaves behind once the target has the settings.
Step fulfilled(const Trial& trial, const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  Step step = hold("Undone",
                   "The target has the settings of trial " + trial.key.name + " again, " + describe(trial.spec.to) +
                       ", as the annotation " + kUndoAnnotation + " asks.",
                   seconds(1));
  step.memory = profile.memory;
  // The note of what was taken away was lost where the pass that patched could not write it.
  const auto& replaced = profile.memory.applied;
  if (replaced && *replaced != trial.spec.to && profile.memory.applied_uid == facts.desired.target->uid) {
    ban_as_undone(*step.memory, *replaced, facts);
  }
  note_applied(*step.memory, trial.spec.to, trial.spec.from, facts.desired.target->uid, facts.desired.container, facts);
  step.memory->undone_to = profile.wishes.undo_to;
  step.memory->cool_down_until = facts.now + profile.spec.rollback.cool_down;
  return step;
}

/// What the wish asks for, or why it is refused.
std::optional<Step> asked_for(const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  if (profile.wishes.undo_to == profile.memory.undone_to) return std::nullopt;
  if (profile.wishes.undo_to.empty()) {
    Step step =
        hold("Observing", "The annotation of an undo is gone: the same one may be asked for again.", seconds(1));
    step.memory = profile.memory;
    step.memory->undone_to.clear();
    return step;
  }
  const Trial* const trial = policy::wanted_back(facts);
  if (trial == nullptr) return unknown(facts);
  const Settings& current = facts.desired.current;
  if (current == trial->spec.to) return fulfilled(*trial, facts);
  if (auto owned = owned_by_others(facts)) return owned;
  if (const std::string danger = policy::danger_of_undo(*trial, facts); !danger.empty()) {
    return refuse("UndoUnsafe", "The settings of trial " + trial->key.name + ", " + describe(trial->spec.to) + ", " +
                                    danger + ", or remove the annotation " + kUndoAnnotation + ".");
  }
  Step step = hold("Undone",
                   "Putting the settings of trial " + trial->key.name + " back, " + describe(trial->spec.to) +
                       " instead of " + describe(current) + ", as the annotation " + kUndoAnnotation + " asks.",
                   kIdlePass);
  step.kind = StepKind::kPutBack;
  step.cause = "as " + std::string(kUndoAnnotation) + " asks: trial " + trial->key.name;
  step.settings = trial->spec.to;
  step.memory = profile.memory;
  // What is taken away is not tried again for this program. And until the watch shows what was put there, nothing that
  // it shows is a person's change.
  if (current != Settings{}) ban_as_undone(*step.memory, current, facts);
  step.memory->forget_applied();
  step.memory->putting_back.reset();
  if (is_applied_live(facts)) {
    // What the agents go by is the note itself.
    note_applied(*step.memory, trial->spec.to, trial->spec.from, facts.desired.target->uid, facts.desired.container,
                 facts);
  }
  return step;
}

}  // namespace

std::optional<Step> undo(const Facts& facts) {
  const auto& applied = facts.desired.profile->memory.applied;
  auto step = asked_for(facts);
  // A wish that can't be fulfilled may stand for long, and a person's change is to be noted all the same.
  if (step && step->refused && applied && *applied != facts.desired.current) return std::nullopt;
  return step;
}

}  // namespace gopacer
