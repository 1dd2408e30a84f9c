#include "control/pass.h"

#include <algorithm>

namespace gopacer {
namespace {

/// Later than any window that a pass could look at.
constexpr Duration kNotYet = std::chrono::hours(24 * 365);

bool runs_all_pods(const std::shared_ptr<const Deployment>& track, int replicas) {
  return track && track->settled() && track->available_replicas >= replicas;
}

}  // namespace

Decision decide_on(const Desired& desired, const Observation& observed, Time now) {
  Decision none;
  if (!desired.profile) return none;
  if (!desired.problems.empty()) {
    none.reason = desired.problems.front().reason;
    none.message = desired.problems.front().message;
    return none;
  }
  if (desired.profile->spec.suspend) {
    none.reason = "Suspended";
    none.message = "spec.updatePolicy.suspend is true.";
    return none;
  }
  DecideInput input;
  input.spec = desired.profile->spec;
  input.memory = desired.profile->memory;
  input.current = desired.current;
  input.template_hash = desired.target->template_hash;
  input.observed = observed;
  for (const ContainerSpec& container : desired.target->containers) {
    if (container.name == desired.container) input.memory_request = container.memory_request;
  }
  input.target_settled = desired.target->settled();
  return decide(input, now);
}

Verdict judge_trial(const Desired& desired, const Observation& observed, Time now) {
  if (!desired.trial) return {};
  const TrialSpec& spec = desired.trial->spec;
  const TrialStatus& status = desired.trial->status;
  if (status.phase < TrialPhase::kPromoting) {
    JudgePlan plan;
    plan.slos = spec.slos;
    plan.measuring_since = status.measuring_since.value_or(now + kNotYet);
    plan.interval = spec.canary.interval;
    plan.min_samples = spec.canary.min_samples;
    plan.min_saving = spec.min_saving;
    plan.max_duration = spec.canary.max_duration;
    return judge(plan, status.evidence, observed, now);
  }
  WatchPlan plan;
  plan.slos = spec.slos;
  plan.settings = spec.to;
  plan.before = status.evidence;
  plan.since = status.watching_since.value_or(now + kNotYet);
  plan.warm_up = spec.canary.warm_up;
  plan.interval = spec.canary.interval;
  return watch_after_promotion(plan, status.watch_evidence, observed, now);
}

Situation situation_of(const Desired& desired, const Observation& observed) {
  Situation situation;
  situation.profile = desired.profile.get();
  situation.target = desired.target.get();
  situation.current = desired.current;
  if (!desired.problems.empty()) situation.blocked = desired.problems.front().message;
  situation.conflict = desired.conflict;
  for (const auto& trial : desired.ended_trials) {
    situation.last_trial_number = std::max(situation.last_trial_number, trial->spec.number);
  }
  if (desired.trial) {
    const int replicas = desired.trial->spec.canary.replicas;
    situation.pods_ready = runs_all_pods(desired.canary, replicas) && runs_all_pods(desired.baseline, replicas);
    situation.collected = warmed_up(observed);
  }
  return situation;
}

}  // namespace gopacer
