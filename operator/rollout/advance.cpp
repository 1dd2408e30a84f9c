#include "gopacer/rollout/advance.h"

#include <algorithm>

#include "gopacer/domain/orders.h"
#include "rollout/continuous.h"
#include "rollout/live.h"
#include "rollout/put_back.h"
#include "rollout/retry.h"
#include "rollout/running_trial.h"
#include "rollout/steps.h"
#include "rollout/undo.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// Time that image pulls and scheduling of the trial's pods may take before the trial's own clock matters.
constexpr Duration kStartAllowance = minutes(5);
/// A person's settings may cost this share of the container's CPU: they asked for them, and the SLOs have the word.
constexpr double kAcceptedLossOfFixed = 0.05;

TrialPrediction in_words(const Decision& decision) {
  if (!decision.predicted) return {};
  const Prediction& predicted = *decision.predicted;
  return {format_fixed(predicted.gc_cpu_fraction * 100, 1), format_fixed(predicted.saving * 100, 1),
          format_bytes(predicted.peak_memory), format_go_size(predicted.cycle_volume),
          decision.destination ? describe(decision.destination->settings) : std::string()};
}

/// The sizes of the arms, growing; empty where one size is all.
std::vector<ArmStep> arm_steps(const CanaryPlan& plan, int replicas) {
  std::vector<ArmStep> steps;
  for (const CanaryStep& step : plan.steps) {
    const int size = arm_at(step.percent, replicas);
    if (!steps.empty() && steps.back().replicas >= size) {
      // A small target has no pods for the difference.
      steps.back().pause += step.pause;
    } else {
      steps.push_back({size, step.pause});
    }
  }
  return steps;
}

/// A sentence where the target is too small for as many pods as the profile asks for, with a space before it.
std::string said_of_size(const Facts& facts) {
  const CanaryPlan& plan = facts.desired.profile->spec.canary;
  if (facts.desired.profile->spec.apply == ApplyMode::kLive) {
    return " By turns of " + format_duration(policy::block_of_turns(facts)) + " in the running processes of up to " +
           std::to_string(2 * arm_size(plan.replicas, facts.desired.target->replicas)) + " of its pods" +
           (plan.steps.empty() ? "." : "; canary.steps are for trials with pods of their own.");
  }
  const int wanted = plan.replicas;
  const int replicas = facts.desired.target->replicas;
  if (const auto steps = arm_steps(plan, replicas); !steps.empty()) {
    std::string sizes;
    for (const ArmStep& step : steps) sizes += (sizes.empty() ? "" : ", then ") + std::to_string(step.replicas);
    return " With " + sizes + (steps.back().replicas == 1 ? " pod" : " pods") + " in each arm.";
  }
  const int size = arm_size(wanted, replicas);
  if (size >= wanted) return {};
  return " With " + std::to_string(size) + " instead of " + std::to_string(wanted) +
         " pods in each arm: a quarter of the target's " + std::to_string(replicas) + " at most.";
}

int next_trial_number(const Facts& facts) {
  // Trials outlive their profile, and a new one of the same name begins to count at 0.
  int last = facts.desired.profile->memory.trial_count;
  for (const auto& trial : facts.desired.ended_trials) last = std::max(last, trial->spec.number);
  return last + 1;
}

/// What is recommended, as it would be tried. A limit that the program gave itself stays where nobody asks for another.
Settings to_be_tried(const Facts& facts) {
  Settings settings = facts.decision.settings;
  if (facts.desired.profile->spec.apply != ApplyMode::kLive || settings.go_mem_limit) return settings;
  if (const auto own = own_settings(facts)) settings.go_mem_limit = own->go_mem_limit;
  return settings;
}

TrialSpec trial_spec(const Facts& facts, int number) {
  const Profile& profile = *facts.desired.profile;
  const Workload& target = *facts.desired.target;
  const Decision& decision = facts.decision;
  TrialSpec spec;
  spec.profile = profile.key.name;
  spec.profile_uid = profile.uid;
  spec.target = {"Deployment", target.key.name, target.uid};
  spec.container = facts.desired.container;
  spec.number = number;
  spec.from = facts.desired.current;
  spec.to = to_be_tried(facts);
  spec.strategy = profile.spec.strategy;
  spec.reason = decision.message + said_of_size(facts);
  spec.predicted = in_words(decision);
  spec.template_hash = target.template_hash;
  spec.slos = profile.spec.slos;
  spec.canary = profile.spec.canary;
  const bool live = profile.spec.apply == ApplyMode::kLive;
  // Live at most half of twice as many have the new settings at any moment, and the others show what the old ones do.
  if (!live) spec.steps = arm_steps(spec.canary, target.replicas);
  spec.canary.replicas =
      spec.steps.empty() ? arm_size(spec.canary.replicas, target.replicas) : spec.steps.back().replicas;
  if (live) spec.live = LivePlan{policy::block_of_turns(facts), own_settings(facts)};
  spec.watch_for = profile.spec.rollback.watch_for;
  spec.min_saving = least_saving(profile.spec.strategy, decision.predicted);
  spec.usual_restarts_per_day = usual_restarts_per_day(facts);
  spec.deadline = facts.now + kStartAllowance + spec.canary.warm_up + spec.canary.max_duration;
  for (std::size_t i = 1; i < spec.steps.size(); ++i) {
    spec.deadline += spec.steps[i - 1].pause + kStartAllowance + spec.canary.warm_up;
  }
  return spec;
}

/// First it is noted, then it is made: only trials that the profile's status names are trusted.
Step note_trial(const Facts& facts) {
  const int number = next_trial_number(facts);
  Step step =
      hold("TrialNoted", "About to try " + describe(facts.decision.settings) + ".", std::chrono::milliseconds(50));
  step.kind = StepKind::kNoteTrial;
  step.settings = facts.decision.settings;
  step.memory = facts.desired.profile->memory;
  step.memory->trial_count = number;
  step.memory->active_trial = trial_name(facts.desired.key.name, number);
  // The pods that the trial and its promotion make have no profile of their own for a while.
  if (const auto& seen = facts.decision.estimate) {
    if (auto cost = marking_cost(*seen, facts.desired.target->template_hash)) step.memory->marking = std::move(cost);
  }
  return step;
}

Step start_trial(const Facts& facts) {
  TrialSpec spec = trial_spec(facts, facts.desired.profile->memory.trial_count);
  Step step =
      hold("TrialStarted", "Trying " + describe(spec.to) + " beside " + describe(spec.from) + "." + said_of_size(facts),
           seconds(1));
  step.kind = StepKind::kStartTrial;
  step.start = std::move(spec);
  return step;
}

/// The target has something else than we put there: a person's word, which ends our say until they change more.
Step yield_to_person(const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  Step step = hold("SettingsChanged",
                   "Somebody changed the target from " + describe(*profile.memory.applied) + " to " +
                       describe(facts.desired.current) +
                       "; that stands, and the old settings are not tried again for this pod "
                       "template.",
                   kIdlePass);
  step.memory = profile.memory;
  ban(*step.memory, {*profile.memory.applied, facts.desired.target->template_hash, "SettingsChanged", facts.now});
  step.memory->forget_applied();
  step.memory->cool_down_until = facts.now + profile.spec.rollback.cool_down;
  return step;
}

/// What is tuned now has nothing of ours, and nobody took it away.
Step forget_applied(const Facts& facts, std::string reason, std::string message) {
  Step step = hold(std::move(reason), std::move(message), seconds(1));
  step.memory = facts.desired.profile->memory;
  step.memory->forget_applied();
  return step;
}

/// What was applied is in another target, or in another container of it.
std::optional<Step> applied_elsewhere(const Facts& facts) {
  const ProfileMemory& memory = facts.desired.profile->memory;
  if (!memory.applied_uid.empty() && memory.applied_uid != facts.desired.target->uid) {
    return forget_applied(facts, "TargetRecreated",
                          "The target was made anew; what was applied to the old one is forgotten.");
  }
  if (!memory.applied_container.empty() && memory.applied_container != facts.desired.container) {
    const bool is_there = container_named(facts.desired.target->containers, memory.applied_container) != nullptr;
    const bool keeps = is_there && !memory.applied_beside;
    return forget_applied(facts, "ContainerChanged",
                          "Another container is tuned now; container '" + memory.applied_container +
                              (keeps      ? "' keeps " + describe(*memory.applied) + "."
                               : is_there ? "' has what its template says again."
                                          : "' is gone, and its settings with it."));
  }
  return std::nullopt;
}

/// What the agents refuse, or can't keep in force as it is, since the container's limit or the profile's bounds are
/// others by now.
std::optional<Step> applied_out_of_bounds(const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  const auto container = roomiest_container(facts.desired);
  if (!container || profile.memory.applied != facts.desired.current) return std::nullopt;
  const Settings fits = confirmed_for(*container, profile);
  const std::string refused = out_of_bounds(*container, profile.spec, fits);
  if (!refused.empty()) {
    return forget_applied(facts, "OutOfBounds", "What was in force is taken back by the agents: " + refused);
  }
  if (fits == *profile.memory.applied) return std::nullopt;
  Step step = hold("OutOfBounds",
                   describe(*profile.memory.applied) + " does not fit into the container's limit of " +
                       format_bytes(*container->memory_limit) + " any more: " + describe(fits) + " is in force.",
                   seconds(1));
  step.memory = profile.memory;
  step.memory->applied = fits;
  return step;
}

/// What the agents would keep in force where it does not belong, or do not any more. That waits for nothing that may
/// stand against tuning.
std::optional<Step> nothing_of_ours_is_beside(const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  if (!profile.memory.applied || !profile.memory.applied_beside) return std::nullopt;
  if (profile.spec.apply != ApplyMode::kLive) {
    return forget_applied(facts, "ApplyChanged",
                          "updatePolicy.apply is Restart now: the agents have put back what the pods had before.");
  }
  const bool is_known = facts.desired.target && !facts.desired.container.empty();
  if (!is_known) return std::nullopt;
  if (auto step = applied_elsewhere(facts)) return step;
  return applied_out_of_bounds(facts);
}

/// The profile notes a trial that is not to be seen: it was never made, or somebody took it away by force.
Step forget_trial(const Facts& facts) {
  Step step =
      hold("TrialForgotten", "Trial " + facts.desired.profile->memory.active_trial + " is not there.", seconds(1));
  step.kind = StepKind::kForgetTrial;
  step.memory = facts.desired.profile->memory;
  step.memory->active_trial.clear();
  return step;
}

/// The noted trial can't be what is about to begin: it has ended, or the profile or gopacer is on its way out.
bool noted_in_vain(const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  const std::string& noted = profile.memory.active_trial;
  if (noted.empty()) return false;
  return profile.deleting || facts.desired.uninstalling ||
         noted != trial_name(profile.key.name, profile.memory.trial_count) ||
         std::any_of(facts.desired.ended_trials.begin(), facts.desired.ended_trials.end(),
                     [&](const auto& trial) { return trial->key.name == noted; });
}

/// Of what was promised to be done at once; a sentence's begin with a space, or empty.
std::string what_waits(const Profile& profile) {
  std::string waits;
  if (profile.wishes.undo_to != profile.memory.undone_to && !profile.wishes.undo_to.empty())
    waits += " The undo waits for that.";
  if (profile.memory.applied && profile.spec.guards()) waits += " Nothing guards the settings until then.";
  return waits;
}

/// What is recommended is outside of the profile's bounds, as no strategy gives a GOGC above 100 without a GOMEMLIMIT
/// behind it, whatever the bounds ask for: a trial of it would end by them at once, and agents would not set it.
std::optional<Step> best_is_out_of_bounds(const Facts& facts) {
  if (facts.decision.kind != Decision::Kind::kChange) return std::nullopt;
  const std::string beyond = policy::beyond_bounds(to_be_tried(facts), own_settings(facts), facts);
  if (beyond.empty()) return std::nullopt;
  Step step =
      hold("BoundsUnsatisfiable", "Nothing is changed: what would be best here is not allowed. " + beyond, kIdlePass);
  step.refused = true;
  return step;
}

Step advance_idle(const Facts& facts) {
  if (!facts.desired.profile) return hold("ProfileGone", "The profile is gone.", Duration(0));
  const Profile& profile = *facts.desired.profile;
  if (noted_in_vain(facts)) return forget_trial(facts);
  if (profile.deleting) {
    // Whose settings are to be taken away can't be told while it can't be read; gopacer itself does not wait for that.
    const auto unreadable = policy::first_objection(policy::may_be_tuned(), facts);
    if (profile.spec.revert_on_deletion && unreadable && unreadable->reason() == "TargetUnreadable") {
      return hold(unreadable->reason(), unreadable->message + " Its settings are to be taken away first.", kIdlePass);
    }
    Step step = hold("Revert", "The profile is being deleted; releasing its settings.", kIdlePass);
    step.kind = StepKind::kRevert;
    return step;
  }
  if (const auto step = nothing_of_ours_is_beside(facts)) return *step;
  if (const auto against = policy::first_objection(policy::may_be_tuned(), facts)) {
    return hold(against->reason(), against->message + what_waits(profile), kIdlePass);
  }
  const auto asked = undo(facts);
  if (asked && !asked->refused) return *asked;
  // A wish that can't be fulfilled may stand for long; what was promised holds meanwhile.
  if (const auto broken = put_back(facts)) return *broken;
  if (asked) return *asked;
  if (profile.memory.applied) {
    if (auto step = applied_elsewhere(facts)) return *step;
    if (*profile.memory.applied != facts.desired.current) return yield_to_person(facts);
  }
  if (const auto again = retry(facts)) return *again;
  const auto against = policy::first_objection(policy::may_start(), facts);
  // What a person decided comes first, then what the model says, then what stands against carrying it out.
  const bool noted = !profile.memory.active_trial.empty();
  const bool continuous = profile.spec.update_mode == UpdateMode::kContinuous;
  const auto beyond = best_is_out_of_bounds(facts);
  const bool may_be_tried = facts.decision.kind == Decision::Kind::kChange && !against && !beyond;
  if (noted && (continuous || !may_be_tried)) return forget_trial(facts);
  if (profile.spec.suspend) return hold(against->reason(), against->message, kIdlePass);
  if (continuous && !against && !beyond) return follow(facts);
  if (facts.decision.kind != Decision::Kind::kChange) {
    return hold(facts.decision.reason, facts.decision.message, kIdlePass);
  }
  if (against) return hold(against->reason(), against->message, kIdlePass);
  if (beyond) return *beyond;
  return noted ? start_trial(facts) : note_trial(facts);
}

/// What earlier trials left behind, and what need not be kept any longer.
void clear_up(const Facts& facts, Step& step) {
  const auto has_ended = [&](const std::string& label) {
    return std::any_of(facts.desired.ended_trials.begin(), facts.desired.ended_trials.end(),
                       [&](const auto& trial) { return label_value(trial->key.name) == label; });
  };
  for (const auto& arm : facts.desired.leftovers) {
    if (*arm->expires <= facts.now || has_ended(arm->labels.at(kTrialLabel))) step.leftovers.push_back(arm);
  }
  for (const auto& trial : facts.desired.ended_trials) {
    if (!trial->finalizers.empty()) step.finished.push_back(trial);
  }
}

}  // namespace

std::string to_string(StepKind kind) {
  switch (kind) {
    case StepKind::kHold:
      return "Hold";
    case StepKind::kNoteTrial:
      return "NoteTrial";
    case StepKind::kStartTrial:
      return "StartTrial";
    case StepKind::kForgetTrial:
      return "ForgetTrial";
    case StepKind::kRunCanary:
      return "RunCanary";
    case StepKind::kPromote:
      return "Promote";
    case StepKind::kRetireCanary:
      return "RetireCanary";
    case StepKind::kRollBack:
      return "RollBack";
    case StepKind::kPutBack:
      return "PutBack";
    case StepKind::kRevert:
      return "Revert";
    case StepKind::kEnd:
      return "End";
  }
  return {};
}

double least_saving(Strategy strategy, const std::optional<Prediction>& predicted) {
  if (strategy == Strategy::kFixed || !predicted) return -kAcceptedLossOfFixed;
  // A quarter of the promise, beyond what its memory costs, is the least that is worth a restart; less means that the
  // model is wrong here.
  const double beyond = predicted->saving - predicted->memory_cost;
  if (predicted->saving >= kLeastSaving) return predicted->memory_cost + std::max(0.0, beyond) / 4;
  // Settings that spend CPU on purpose (memory, latency) may spend what they promised, and three points more; but never
  // more than all that there is, and a trial can't ask for it.
  return std::max(-1.0, predicted->saving - 0.03);
}

Step advance(const Facts& facts) {
  Step step = facts.desired.trial ? advance_running(facts) : advance_idle(facts);
  clear_up(facts, step);
  // Whatever else there is to wait for: a broken promise does not wait for it.
  if (step.requeue_after > Duration(0) && is_guarded(facts)) {
    step.requeue_after = std::min(step.requeue_after, guarded_interval(*facts.desired.profile));
  }
  return step;
}

}  // namespace gopacer
