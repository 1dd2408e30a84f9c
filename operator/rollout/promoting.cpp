#include "rollout/promoting.h"

#include "rollout/live.h"
#include "rollout/live_trial.h"
#include "rollout/pod_trial.h"
#include "rollout/steps.h"
#include "rollout/watching.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

Step retire_canary(const TrialPass& pass) {
  Step step = pass.record("Promoting");
  step.kind = StepKind::kRetireCanary;
  step.message = "Removing the canary before the target's rollout.";
  step.requeue_after = seconds(1);
  return step;
}

Step put_into_target(TrialPass& pass) {
  const TrialSpec& spec = pass.trial.spec;
  if (pass.now >= spec.deadline + kLongestStandstill) {
    return pass.end(TrialVerdict::kInconclusive, "PromotionFailed",
                    "The settings passed, but could not be put into the target; Ready's message of the profile and "
                    "gopacer's log say why.");
  }
  if (pass.target()->rollout.paused && !pass.is_live()) return wait_for_resume(pass);
  pass.next.promoted = pass.now;
  if (pass.is_live()) pass.next.live = LiveTurn{pass.now, kGrowingStages, {}, pass.now};
  Step step = pass.apply(StepKind::kPromote, spec.to);
  step.trial = pass.next;
  step.memory = pass.with_applied(spec.to);
  return step;
}

}  // namespace

Step promote(TrialPass& pass, const std::string& why, const std::string& reason) {
  pass.next.verdict = TrialVerdict::kPromote;
  pass.next.reason = reason;
  pass.next.message = pass.verdict.message;
  pass.enter(TrialPhase::kPromoting, why + ": " + pass.verdict.message);
  if (pass.is_live()) pass.next.live = growing_turn(pass.facts, 0, {}, pass.now);
  return pass.record("Promoting");
}

Step promoting(TrialPass& pass) {
  if (pass.is_live()) {
    if (auto step = grow(pass)) return *step;
  }
  // Its room is needed: quotas, full nodes and anti-affinity count the trial's pods, too.
  if (pass.facts.desired.canary) return retire_canary(pass);
  if (pass.current() != pass.trial.spec.to) return put_into_target(pass);
  // An operator can die between the patch and its note.
  if (!pass.next.promoted) pass.next.promoted = pass.now;
  if (pass.verdict.outcome == Outcome::kWorse) return worse_than_before(pass);
  if (auto step = pass.is_live() ? reach_all(pass) : roll_out(pass)) return *step;
  Step step = pass.record("Promoting");
  step.message = "Waiting for the target's rollout to finish.";
  step.memory = pass.with_applied(pass.trial.spec.to);
  return step;
}

}  // namespace gopacer
