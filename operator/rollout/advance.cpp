#include "gopacer/rollout/advance.h"

#include <algorithm>

#include "rollout/running_trial.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// Time that image pulls and scheduling of the trial's pods may take before the trial's own clock matters.
constexpr Duration kStartAllowance = minutes(5);
/// A person's settings may cost this share of the container's CPU: they asked for them, and the SLOs have the word.
constexpr double kAcceptedLossOfFixed = 0.05;

TrialPrediction in_words(const std::optional<Prediction>& predicted) {
  if (!predicted) return {};
  return {format_fixed(predicted->gc_cpu_fraction * 100, 1), format_fixed(predicted->saving * 100, 1),
          format_bytes(predicted->peak_memory)};
}

Step start_trial(const Situation& situation, const Decision& decision, Time now) {
  const Profile& profile = *situation.profile;
  TrialSpec spec;
  spec.profile = profile.key.name;
  spec.profile_uid = profile.uid;
  spec.target = situation.target->key.name;
  spec.target_uid = situation.target->uid;
  spec.container = profile.spec.container;
  // Trials outlive their profile, and a new one of the same name begins to count at 0.
  spec.number = std::max(profile.memory.trial_count, situation.last_trial_number) + 1;
  spec.from = situation.current;
  spec.to = decision.settings;
  spec.strategy = profile.spec.strategy;
  spec.reason = decision.message;
  spec.predicted = in_words(decision.predicted);
  spec.template_hash = situation.target->template_hash;
  spec.slos = profile.spec.slos;
  spec.canary = profile.spec.canary;
  spec.watch_for = profile.spec.rollback.watch_for;
  spec.min_saving = least_saving(profile.spec.strategy, decision.predicted);
  spec.deadline = now + kStartAllowance + spec.canary.warm_up + spec.canary.max_duration;

  Step step = hold("TrialStarted", "Trying " + describe(spec.to) + " beside " + describe(spec.from) + ".", seconds(1));
  step.kind = StepKind::kStartTrial;
  step.memory = profile.memory;
  step.memory->trial_count = spec.number;
  step.memory->active_trial = trial_name(spec.profile, spec.number);
  step.start = std::move(spec);
  return step;
}

/// The target has something else than we put there: a person's word, which ends our say until they change more.
Step yield_to_person(const Situation& situation, Time now) {
  const Profile& profile = *situation.profile;
  Step step = hold("SettingsChanged",
                   "Somebody changed the target from " + describe(*profile.memory.applied) + " to " +
                       describe(situation.current) +
                       "; that stands, and the old settings are not tried again for this pod "
                       "template.",
                   kIdlePass);
  step.memory = profile.memory;
  ban(*step.memory, {*profile.memory.applied, situation.target->template_hash, "SettingsChanged", now});
  step.memory->applied.reset();
  step.memory->cool_down_until = now + profile.spec.rollback.cool_down;
  return step;
}

}  // namespace

std::string to_string(StepKind kind) {
  switch (kind) {
    case StepKind::kHold:
      return "Hold";
    case StepKind::kStartTrial:
      return "StartTrial";
    case StepKind::kRunCanary:
      return "RunCanary";
    case StepKind::kPromote:
      return "Promote";
    case StepKind::kRetireCanary:
      return "RetireCanary";
    case StepKind::kRollBack:
      return "RollBack";
    case StepKind::kRevert:
      return "Revert";
    case StepKind::kEnd:
      return "End";
  }
  return {};
}

double least_saving(Strategy strategy, const std::optional<Prediction>& predicted) {
  if (strategy == Strategy::kFixed || !predicted) return -kAcceptedLossOfFixed;
  // A quarter of the promise is the least that is worth a restart; less means that the model is wrong here.
  if (predicted->saving >= 0.02) return predicted->saving / 4;
  // Settings that spend CPU on purpose (memory, latency) may spend what they promised, and three points more.
  return predicted->saving - 0.03;
}

Step advance(const Trial* trial, const Situation& situation, const Decision& decision, const Verdict& verdict,
             Time now) {
  if (trial != nullptr) return advance_running(*trial, situation, decision, verdict, now);
  if (situation.profile == nullptr) return hold("ProfileGone", "The profile is gone.", Duration(0));

  const Profile& profile = *situation.profile;
  if (profile.deleting) {
    Step step = hold("Revert", "The profile is being deleted; releasing its settings.", kIdlePass);
    step.kind = StepKind::kRevert;
    return step;
  }
  if (!situation.blocked.empty()) return hold("Blocked", situation.blocked, kIdlePass);
  if (profile.memory.applied && *profile.memory.applied != situation.current) return yield_to_person(situation, now);
  if (profile.spec.suspend) return hold("Suspended", "spec.updatePolicy.suspend is true.", kIdlePass);
  if (decision.kind != Decision::Kind::kChange) return hold(decision.reason, decision.message, kIdlePass);
  if (!wants_changes(profile)) {
    return hold("RecommendOnly", "updateMode is Off: the recommendation is shown and nothing is applied.", kIdlePass);
  }
  if (!situation.conflict.empty()) return hold("FieldConflict", situation.conflict, kIdlePass);
  if (!situation.target->settled()) {
    return hold("TargetRolling", "Waiting for the target's own rollout or scaling to finish.", seconds(5));
  }
  return start_trial(situation, decision, now);
}

}  // namespace gopacer
