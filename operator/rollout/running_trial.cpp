#include "rollout/running_trial.h"

#include <algorithm>

#include "rollout/live_trial.h"
#include "rollout/measuring.h"
#include "rollout/pod_trial.h"
#include "rollout/promoting.h"
#include "rollout/rolling_back.h"
#include "rollout/steps.h"
#include "rollout/trial_pass.h"
#include "rollout/watching.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

/// How it ends is written down already; what is left is to clear up and to close.
bool closing(const TrialPass& pass) {
  const TrialVerdict verdict = pass.trial.status.verdict;
  return verdict != TrialVerdict::kNone && verdict != TrialVerdict::kPromote;
}

/// The watch is over and the profile knows it, but an operator died before the trial did.
bool confirmed_before(const TrialPass& pass) {
  const Desired& desired = pass.facts.desired;
  return desired.profile && desired.profile->uid == pass.trial.spec.profile_uid && !pass.known() &&
         pass.trial.status.phase == TrialPhase::kWatching && pass.trial.status.verdict == TrialVerdict::kPromote &&
         pass.current() == pass.trial.spec.to;
}

/// It is older than the promotion: what agents keep in force is noted there, before the trial tells that it is.
bool profile_is_old(const TrialPass& pass) {
  const TrialSpec& spec = pass.trial.spec;
  const TrialStatus& status = pass.trial.status;
  const bool in_force = status.phase == TrialPhase::kPromoting || status.phase == TrialPhase::kWatching;
  if (!spec.live || !in_force || !pass.known() || !status.promoted || pass.current() == spec.to) return false;
  // A watch that is silent for longer is not believed anyway: then somebody has changed the status by hand.
  return pass.facts.desired.profile->memory.applied != spec.to && pass.now - *status.promoted < kLongestSilence;
}

/// The target as we see it is older than our own latest write to it.
bool picture_is_old(const TrialPass& pass) {
  return pass.target_is_the_same() &&
         (pass.target()->generation < pass.trial.status.applied_generation || profile_is_old(pass));
}

/// It was brought to an end on a picture that did not have its patch yet, by a pass that could not note it.
bool patched_after_all(const TrialPass& pass) {
  return pass.known() && pass.target_is_the_same() && pass.trial.status.phase == TrialPhase::kPromoting &&
         !pass.trial.status.promoted && unconfirmed(pass);
}

/// Since when the target has too few pods, over the passes.
void note_availability(TrialPass& pass) {
  if (!policy::half_gone(pass.facts)) {
    pass.next.unavailable_since.reset();
  } else if (!pass.next.unavailable_since) {
    pass.next.unavailable_since = pass.now;
  }
}

/// What the old settings take of their containers. That is no matter of which pod shows it: a successor of the
/// baseline's pod has not filled up yet.
void note_usual_memory(TrialPass& pass) {
  double& most = pass.next.evidence.baseline_memory;
  if (before_promotion(pass.trial.status.phase)) most = std::max(most, pass.verdict.evidence.baseline_memory);
}

/// The target has nothing of ours meanwhile, so that the verdict has time.
std::optional<Step> killed_with_the_baseline(TrialPass& pass) {
  const bool for_a_kill = closing(pass) && pass.trial.status.reason == kOomKilled;
  if (!for_a_kill || !before_promotion(pass.trial.status.phase)) return std::nullopt;
  if (const auto words = policy::both_arms_killed(pass.facts)) {
    return pass.end(TrialVerdict::kInconclusive, policy::kBothArmsKilled, *words);
  }
  if (!pass.baseline_may_be_next() || pass.somebody_waits()) return std::nullopt;
  return pass.record(kOomKilled);
}

Step wait_for_picture(const TrialPass& pass) {
  Step step = pass.record("OldPicture");
  step.message = "Waiting until the watch shows the latest patch.";
  step.requeue_after = seconds(1);
  return step;
}

bool deadline_is_over(const TrialPass& pass) {
  return before_promotion(pass.trial.status.phase) && pass.now >= pass.trial.spec.deadline;
}

/// Whether the settings are still there, and whose they are by now, can't be told.
Step wait_for_target(TrialPass& pass) {
  if (deadline_is_over(pass)) return timed_out(pass);
  Step step = pass.record("TargetUnreadable");
  step.message =
      "The target can't be read: " + pass.facts.desired.target_unreadable + ". The trial goes on when it can.";
  return step;
}

/// What ends a trial from outside, whatever its own figures say.
std::optional<Step> interrupted(TrialPass& pass, const policy::Objection& ending) {
  const policy::Rule& rule = *ending.rule;
  const bool is_rolling_back = pass.trial.status.phase == TrialPhase::kRollingBack;
  if (rule.settings == policy::Unconfirmed::kTakenBack) {
    // Bad settings are in the target: there is no reason to leave them there.
    if (is_rolling_back) return std::nullopt;
    if (unconfirmed(pass)) {
      const bool all_of_it = taken_back(pass) == pass.trial.spec.from;
      return start_rollback(pass, rule.verdict, rule.reason, ending.message,
                            ending.message + (all_of_it ? " The old settings are put back."
                                                        : " What else the trial changed is put back."));
    }
  }
  // Why it was rolled back stays the reason when the target is made anew before all of its pods are back.
  if (is_rolling_back && pass.known()) return rolled_back(pass);
  return pass.end(rule.verdict, rule.reason, ending.message);
}

/// Until it is known who is compared.
Step pending(TrialPass& pass) {
  if (!pass.next.started) pass.next.started = pass.now;
  if (!pass.next.waiting_since) pass.next.waiting_since = pass.now;
  if (pass.hard_stop()) return end_badly(pass);
  return pass.is_live() ? begin_turns(pass) : start_arms(pass);
}

Step next_step(TrialPass& pass) {
  const TrialStatus& status = pass.trial.status;
  if (picture_is_old(pass)) return wait_for_picture(pass);
  if (!pass.facts.desired.target_unreadable.empty()) return wait_for_target(pass);
  note_availability(pass);
  note_usual_memory(pass);
  if (auto step = killed_with_the_baseline(pass)) return *step;
  if (closing(pass) && patched_after_all(pass)) {
    return start_rollback(pass, status.verdict, status.reason, status.message,
                          status.message + " The promotion's patch arrived after that, and is taken back.");
  }
  if (closing(pass) || confirmed_before(pass)) return pass.end(status.verdict, status.reason, status.message);
  if (const auto ending = policy::first_objection(policy::must_end(), pass.facts)) {
    if (auto step = interrupted(pass, *ending)) return *step;
  }
  if (deadline_is_over(pass)) return timed_out(pass);
  switch (status.phase) {
    case TrialPhase::kPending:
      return pending(pass);
    case TrialPhase::kWarmUp:
      return warm_up(pass);
    case TrialPhase::kMeasuring:
      return measuring(pass);
    case TrialPhase::kPromoting:
      return promoting(pass);
    case TrialPhase::kWatching:
      return watching(pass);
    case TrialPhase::kRollingBack:
      return rolling_back(pass);
    case TrialPhase::kEnded:
      break;
  }
  return hold("TrialEnded", "The trial has ended.", kIdlePass);
}

}  // namespace

Step advance_running(const Facts& facts) {
  TrialPass pass(facts);
  Step step = next_step(pass);
  let_baseline_go(pass, step);
  return step;
}

std::optional<Step> after_refusal(const Facts& facts, const Step& step, const std::string& words) {
  const auto not_begun = [&](const std::string& message) {
    Step out = hold("Refused", message, kIdlePass);
    out.refused = true;
    return out;
  };
  switch (step.kind) {
    case StepKind::kNoteTrial:
      return not_begun("No trial starts, since the target could not be changed afterwards: " + words);
    case StepKind::kStartTrial: {
      Step out = not_begun(words);
      out.memory = facts.desired.profile->memory;
      out.memory->active_trial.clear();
      // A quota, or an object in the way, is there again in a moment: the next number would be refused like this one.
      out.memory->cool_down_until = facts.now + std::min(facts.desired.profile->spec.rollback.cool_down, kRefusedPause);
      return out;
    }
    case StepKind::kRunCanary: {
      TrialPass pass(facts);
      return refused(pass, "An arm of the trial", words);
    }
    case StepKind::kPromote: {
      TrialPass pass(facts);
      return refused(pass, "The promotion", words);
    }
    case StepKind::kHold:
    case StepKind::kForgetTrial:
    case StepKind::kRetireCanary:
    case StepKind::kRollBack:
    case StepKind::kPutBack:
    case StepKind::kRevert:
    case StepKind::kEnd:
      break;
  }
  return std::nullopt;
}

}  // namespace gopacer
