#include "gopacer/rollout/pass.h"

#include <algorithm>
#include <map>
#include <string>

#include "rollout/live.h"
#include "rollout/put_back.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

/// Later than any window that a pass could look at.
constexpr Duration kNotYet = std::chrono::hours(24 * 365);

/// How far the arms are from having as many pods as each other on each node: the sum of the squared differences. Two
/// for a pair that is apart.
int nodes_apart(const Facts& facts) {
  std::map<std::string, int> more_canaries;
  for (const OwnedPod& owned : facts.desired.pods) {
    if (!owned.pod->lives()) continue;
    if (owned.track == Track::kCanary) ++more_canaries[owned.pod->node];
    if (owned.track == Track::kBaseline) --more_canaries[owned.pod->node];
  }
  int apart = 0;
  for (const auto& [node, more] : more_canaries) apart += more * more;
  return apart;
}

Verdict judge_arms(const Facts& facts) {
  const TrialSpec& spec = facts.desired.trial->spec;
  const TrialStatus& status = facts.desired.trial->status;
  JudgePlan plan;
  plan.slos = spec.slos;
  plan.measuring_since = status.measuring_since.value_or(facts.now + kNotYet);
  plan.interval = spec.canary.interval;
  plan.min_samples = spec.canary.min_samples;
  plan.min_saving = spec.min_saving;
  plan.usual_restarts_per_day = spec.usual_restarts_per_day;
  plan.max_duration = spec.canary.max_duration;
  plan.pairs = facts.desired.trial->arm_replicas();
  plan.nodes_apart = nodes_apart(facts);
  for (const OwnedPod& owned : facts.desired.pods) plan.nodes.emplace(owned.pod->uid, owned.pod->node);
  if (!spec.live) return judge(plan, status.evidence, facts.observed, facts.now);
  plan.within_pods = true;
  plan.pairs = std::max(1, static_cast<int>(status.arm_pods.size()));
  std::vector<std::string> pods;
  for (const std::string& process : status.arm_pods) pods.push_back(uid_of(process));
  const Time since = status.live ? status.live->since : facts.now + kNotYet;
  const Crossover crossover{spec.live->own.value_or(spec.from), spec.to, since, spec.live->block};
  return judge(plan, status.evidence, crossed_over(crossover, pods, facts.observed), facts.now);
}

Verdict judge_target(const Facts& facts) {
  const TrialSpec& spec = facts.desired.trial->spec;
  const TrialStatus& status = facts.desired.trial->status;
  WatchPlan plan;
  plan.slos = spec.slos;
  plan.settings = spec.to;
  plan.before = status.evidence;
  plan.beside_baseline = baseline_is_the_same(facts);
  plan.since = status.watching_since.value_or(facts.now + kNotYet);
  plan.warm_up = spec.canary.warm_up;
  plan.interval = spec.canary.interval;
  plan.usual_restarts_per_day = spec.usual_restarts_per_day;
  return watch_after_promotion(plan, status.watch_evidence, facts.observed, facts.now);
}

/// Without what the same processes told when they ran other settings: by turns, or before these were put in force.
Observation since_they_run(const Settings& settings, Observation observed) {
  for (PodSeries& pod : observed.pods) {
    std::optional<Time> others;
    for (const Sample& sample : pod.samples) {
      const auto& process = sample.process;
      const bool tells = process && process->gogc;
      if (tells && !about_equal({process->gogc, process->go_mem_limit}, settings)) others = sample.at;
    }
    if (others) pod.samples.erase_if([&](const Sample& sample) { return sample.at <= *others; });
  }
  return observed;
}

/// Length of the windows in which the guard looks for broken promises, at least.
Duration guarded_interval(const Profile& profile) {
  return std::max(profile.spec.canary.interval, profile.spec.metrics.interval);
}

}  // namespace

Decision decide_on(const Facts& facts) {
  const Desired& desired = facts.desired;
  Decision none;
  if (!desired.profile) return none;
  if (const auto against = policy::first_objection(policy::may_be_tuned(), facts)) {
    none.reason = against->reason();
    none.message = against->message;
    return none;
  }
  if (desired.profile->spec.suspend) {
    none.reason = "Suspended";
    none.message = "spec.updatePolicy.suspend is true.";
    return none;
  }
  if (desired.trial && desired.trial->status.live) {
    none.reason = "Trial";
    none.message = "The target's pods change their settings by turns: what is recommended is what the trial tries.";
    return none;
  }
  DecideInput input;
  input.spec = desired.profile->spec;
  input.memory = desired.profile->memory;
  std::erase_if(input.memory.banned, [&](const BannedRegion& region) {
    const auto until = banned_until(region);
    return until && *until <= facts.now;
  });
  input.current = desired.current;
  input.template_hash = desired.target->template_hash;
  input.observed = facts.observed;
  if (const ContainerSpec* const container = container_named(desired.target->containers, desired.container)) {
    input.memory_request = container->memory_request;
    input.env_from = container->env_from;
  }
  input.under_way = policy::under_way(facts);
  return decide(input, facts.now);
}

Verdict judge_trial(const Facts& facts) {
  // What is only to be brought to an end is not judged: what it says may be anything.
  if (!facts.desired.trial || policy::nobody_knows(facts)) return {};
  return before_promotion(facts.desired.trial->status.phase) ? judge_arms(facts) : judge_target(facts);
}

Duration guarded_time(const Profile& profile) {
  Duration longest{0};
  if (!profile.spec.rollback.guard) return longest;
  for (const Slo& slo : profile.spec.slos) longest = std::max(longest, guarded_time(slo, guarded_interval(profile)));
  return longest;
}

Verdict judge_in_force(const Facts& facts) {
  const Desired& desired = facts.desired;
  if (!desired.profile || !desired.target || !desired.profile->spec.rollback.guard) return {};
  if (desired.trial && !before_promotion(desired.trial->status.phase)) return {};
  // With nothing to go back to there is nothing to find out.
  if (!guard_goes_back_to(facts)) return {};
  const GuardPlan plan{kept_promises(facts), desired.current, desired.profile->spec.canary.warm_up,
                       guarded_interval(*desired.profile)};
  if (desired.profile->spec.apply != ApplyMode::kLive) return guard(plan, facts.observed, facts.now);
  return guard(plan, since_they_run(desired.current, facts.observed), facts.now);
}

}  // namespace gopacer
