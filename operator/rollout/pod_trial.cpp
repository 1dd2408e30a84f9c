#include "rollout/pod_trial.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "rollout/measuring.h"
#include "rollout/quota.h"
#include "rollout/rolling_back.h"
#include "rollout/steps.h"
#include "rollout/watching.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

constexpr Duration kShortestRefusal = seconds(30);

int missing_pods(const TrialPass& pass) {
  int missing = 0;
  for (const auto& arm : {pass.facts.desired.baseline, pass.facts.desired.canary}) {
    missing += pass.trial.arm_replicas() - (arm ? arm->total_replicas : 0);
  }
  return missing;
}

/// The baseline stays for the watch: what happens to it at the same time is no fault of the new settings. Not where
/// there is no watch, where the target is not to be run twice for longer than it must, and not once the settings are
/// on their way back, but for a kill that may be about to end it, too.
bool wants_baseline(const TrialPass& pass, TrialPhase phase) {
  if (pass.is_live() || phase == TrialPhase::kEnded) return false;
  if (before_promotion(phase)) return true;
  if (phase == TrialPhase::kRollingBack && !pass.baseline_may_be_next()) return false;
  return pass.trial.spec.watch_for > Duration(0) && !pass.target()->recreates && pass.target()->single_use.empty();
}

/// Why the target's pods may lack the room that the baseline takes, in brief; empty when nothing says so.
std::string baseline_in_the_way(const TrialPass& pass, TrialPhase phase) {
  if (before_promotion(phase)) return {};
  if (lacks_room(pass.facts)) return "pods of the target found no room beside it for " + format_duration(kPatience);
  if (phase != TrialPhase::kPromoting || !pass.next.promoted || pass.target()->rolled_out()) return {};
  if (pass.target()->rollout.paused) return "the target's rollout was paused";
  if (without_progress(*pass.next.promoted, pass.facts) <= kPatience) return {};
  return "the target's rollout did not get on for " + format_duration(kPatience);
}

bool needs_baseline(const TrialPass& pass, TrialPhase phase) {
  return wants_baseline(pass, phase) && baseline_in_the_way(pass, phase).empty();
}

/// The watch sees less without its baseline, and whoever reads how the trial went is to know that.
void tell_of_the_loss(const TrialPass& pass, Step& step) {
  const TrialPhase phase = pass.trial.status.phase;
  if (!step.trial || !wants_baseline(pass, phase)) return;
  const TrialStep loss{pass.now, phase,
                       "The baseline is removed, since " + baseline_in_the_way(pass, phase) +
                           ": from here on nothing runs the old settings to compare with, and of SLOs only max is "
                           "looked at."};
  std::vector<TrialStep>& steps = step.trial->steps;
  // It may take some passes to go.
  if (std::any_of(steps.begin(), steps.end(), [&](const TrialStep& told) { return told.message == loss.message; }))
    return;
  // Into what phase the pass goes comes last: events tell that.
  const bool moves = step.trial->phase != phase && !steps.empty();
  steps.insert(moves ? std::prev(steps.end()) : steps.end(), loss);
  if (steps.size() > kMostTrialSteps) steps.erase(steps.begin() + 1);
}

}  // namespace

Step start_arms(TrialPass& pass) {
  TrialStatus& next = pass.next;
  if (arms_ready(pass.facts)) {
    next.arm_pods = arm_pods(pass.facts);
    next.waiting_since.reset();
    next.warm_until = pass.now + pass.trial.spec.canary.warm_up;
    pass.enter(TrialPhase::kWarmUp, "Canary and baseline pods are ready; warming up until " +
                                        format_time(*next.warm_until) + " and two collections after that.");
    return pass.record("WarmUp");
  }
  for (const auto& arm : {pass.facts.desired.baseline, pass.facts.desired.canary}) {
    // A webhook that restarts refuses for some seconds.
    const bool lasts = arm && pass.now - arm->rollout.refused_since.value_or(pass.now) >= kShortestRefusal;
    if (lasts && !arm->rollout.refusal.empty()) return refused(pass, "A pod of the trial", arm->rollout.refusal);
  }
  if (pass.now - *next.waiting_since >= kLongestStart) return not_started(pass);
  Step step = pass.record("WaitingForPods");
  step.kind = StepKind::kRunCanary;
  const std::string trouble = arm_trouble(pass.facts);
  step.message = "Waiting for the canary and baseline pods" + (trouble.empty() ? "." : ": " + trouble);
  return step;
}

Step warm_up(TrialPass& pass) {
  if (pass.hard_stop()) return end_badly(pass);
  if (pass.verdict.outcome == Outcome::kPointless) return end_pointless(pass);
  if (auto step = begun_anew(pass)) return *step;
  const Time until = pass.trial.status.warm_until.value_or(pass.now);
  if (pass.now < until || !warmed_up(pass.facts.observed, until)) {
    Step step = pass.record("WarmUp");
    step.message = "Warming up.";
    return step;
  }
  return begin_measuring(pass, "Warm; measuring in windows of " + format_duration(pass.trial.spec.canary.interval));
}

std::optional<Step> roll_out(TrialPass& pass) {
  if (pass.target()->rolled_out()) return begin_watch(pass, "All of the target's pods run");
  if (pass.target()->rollout.paused) return wait_for_resume(pass);
  const auto stuck = standstill(*pass.next.promoted, pass.facts);
  if (!stuck) return std::nullopt;
  // The canary's pods started with these settings: the reason lies elsewhere.
  return start_rollback(pass, TrialVerdict::kInconclusive, "RolloutStuck", *stuck, *stuck);
}

Step wait_for_resume(const TrialPass& pass) {
  Step step = pass.record("TargetPaused");
  step.message = "The target is paused; going on when somebody runs kubectl rollout resume.";
  return step;
}

Step not_started(TrialPass& pass) {
  const std::string trouble = arm_trouble(pass.facts);
  return pass.end(TrialVerdict::kInconclusive, "PodsNotReady",
                  "The trial's pods did not become ready in time" + (trouble.empty() ? "" : " (" + trouble + ")") +
                      ". Look at the pods labelled " + std::string(kTrialLabel) + "=" +
                      label_value(pass.trial.key.name) + ": is there room for them in the cluster?");
}

Step refused(TrialPass& pass, const std::string& what, const std::string& words) {
  const std::string needed = quota_needed(words, missing_pods(pass));
  return pass.end(TrialVerdict::kInconclusive, "Refused",
                  what + " was refused: " + words + (needed.empty() ? "" : ". " + needed));
}

void let_baseline_go(const TrialPass& pass, Step& step) {
  // What stands against deleting it must not stand in the way of the trial. And that it is not needed any more has to
  // be written down already: a successor that finds the watch without its baseline would see no harm.
  if (pass.facts.desired.baseline && pass.target_is_the_same() && step.kind != StepKind::kEnd &&
      !needs_baseline(pass, pass.trial.status.phase) && !needs_baseline(pass, pass.next.phase)) {
    tell_of_the_loss(pass, step);
    step.leftovers.push_back(pass.facts.desired.baseline);
  }
}

}  // namespace gopacer
