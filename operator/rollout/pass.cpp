#include "gopacer/rollout/pass.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "rollout/continuous.h"
#include "rollout/live.h"
#include "rollout/put_back.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

/// Later than any window that a pass could look at.
constexpr Duration kNotYet = std::chrono::hours(24 * 365);

/// Until memory that a smaller heap gives back has gone, and a kubelet has read it.
constexpr Duration kUntilMemoryFollows = std::chrono::minutes(1);

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

/// When the trial's settings were put into a pod for the first time, however often the comparison began anew.
std::optional<Time> first_turn(const TrialStatus& status) {
  const auto first = std::find_if(status.steps.begin(), status.steps.end(),
                                  [](const TrialStep& step) { return step.phase == TrialPhase::kMeasuring; });
  return first == status.steps.end() ? status.measuring_since : first->at;
}

/// Of the running live trial.
Crossover crossover_of(const Facts& facts) {
  const TrialSpec& spec = facts.desired.trial->spec;
  const TrialStatus& status = facts.desired.trial->status;
  const Time since = status.live ? status.live->since : facts.now + kNotYet;
  return {spec.live->own.value_or(spec.from), spec.to, since, spec.live->block, first_turn(status)};
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
  plan.pairs = std::max(1, static_cast<int>(live_pods_left(facts).size()));
  // The windows of such a comparison are the periods, in which each pod has both settings once.
  plan.interval = 2 * spec.live->block;
  const Observation crossed = crossed_over(crossover_of(facts), restarts_of(status.arm_pods), facts.observed);
  return judge(plan, status.evidence, crossed, facts.now);
}

/// The baseline is older than the pods that it is compared with. What ended it before it was measured is no excuse for
/// what ends them.
Observation without_earlier_restarts(const Facts& facts) {
  const std::map<std::string, int> measured = restarts_of(facts.desired.trial->status.arm_pods);
  Observation observed = facts.observed;
  for (PodSeries& pod : observed.pods) {
    const auto before = measured.find(pod.uid);
    if (before != measured.end()) pod.restarts = std::max(0, pod.restarts - before->second);
  }
  return observed;
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
  if (!spec.live) {
    return watch_after_promotion(plan, status.watch_evidence, without_earlier_restarts(facts), facts.now);
  }
  plan.beside_baseline = plan.within_pods = status.phase == TrialPhase::kWatching && status.live.has_value();
  plan.interval = watch_interval(spec);
  Observation observed = since_they_run(facts, spec.to);
  if (plan.within_pods) {
    const std::map<std::string, int> turns = restarts_of(witnesses(facts));
    // Of those nobody knows whose doing it was that they ended.
    std::erase_if(observed.pods, [&](const PodSeries& pod) { return turns.contains(pod.uid); });
    Observation compared = crossed_over(crossover_of(facts), turns, facts.observed);
    std::move(compared.pods.begin(), compared.pods.end(), std::back_inserter(observed.pods));
  }
  return watch_after_promotion(plan, status.watch_evidence, observed, facts.now);
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
  if (desired.trial && desired.trial->status.live && desired.trial->status.phase != TrialPhase::kWatching) {
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
  input.replicas = std::max(1, desired.target->replicas);
  input.observed = facts.observed;
  if (desired.trial && desired.trial->status.live) {
    const std::map<std::string, int> turns = restarts_of(witnesses(facts));
    std::erase_if(input.observed.pods, [&](const PodSeries& pod) { return turns.contains(pod.uid); });
  }
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
  if (!profile.spec.guards()) return longest;
  for (const Slo& slo : profile.spec.slos) longest = std::max(longest, guarded_time(slo, guarded_interval(profile)));
  return longest;
}

Verdict judge_in_force(const Facts& facts) {
  const Desired& desired = facts.desired;
  // With nothing to go back to there is nothing to find out.
  if (!is_guarded(facts) || (desired.trial && !before_promotion(desired.trial->status.phase))) return {};
  GuardPlan plan{kept_promises(facts), desired.current, desired.profile->spec.canary.warm_up,
                 guarded_interval(*desired.profile)};
  if (desired.profile->spec.apply != ApplyMode::kLive) return guard(plan, facts.observed, facts.now);
  Observation observed = facts.observed;
  const auto followed = desired.profile->spec.update_mode == UpdateMode::kContinuous
                            ? following_since(desired.profile->memory)
                            : std::nullopt;
  if (followed) {
    plan.hard_stops_since = *followed - kClockSkew;
    plan.memory_since = desired.profile->memory.changes.back().at + kUntilMemoryFollows;
  }
  for (PodSeries& pod : observed.pods) {
    // As much of them as fits into a container that was resized.
    const Settings its = std::exchange(pod.settings, desired.current);
    if (!followed) {
      without_other_settings(pod, its);
      continue;
    }
    // One change follows another, and none of them was tried: what all of them did counts.
    pod.samples.erase_if([&](const Sample& sample) { return sample.at < *followed; });
    only_ended_since(pod, *plan.hard_stops_since);
  }
  return guard(plan, observed, facts.now);
}

}  // namespace gopacer
