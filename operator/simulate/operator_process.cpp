#include "simulate/operator_process.h"

#include <memory>
#include <utility>

#include "gopacer/rollout/pass.h"

namespace gopacer::simulating {
namespace {

/// As control/desired does it.
Desired read_desired(const Objects& seen, const Cluster& cluster) {
  Desired desired;
  desired.key = seen.profile->key;
  desired.profile = seen.profile;
  for (const auto& trial : seen.trials) {
    if (!trial->running()) {
      desired.ended_trials.push_back(trial);
    } else if (!desired.trial || trial->key.name == seen.profile->memory.active_trial) {
      desired.trial = trial;
    }
  }
  desired.target_name = seen.profile->spec.target;
  desired.target = seen.target;
  for (const Track track : {Track::kCanary, Track::kBaseline}) {
    const auto& arm = seen.arm(track);
    if (!arm) continue;
    if (desired.trial && arm->arm_of == desired.trial->uid) {
      (track == Track::kCanary ? desired.canary : desired.baseline) = arm;
    } else {
      desired.leftovers.push_back(arm);
    }
  }
  desired.container = seen.target->containers.front().name;
  desired.environment = settings_of(*seen.target);
  desired.current = settings_now(seen);
  desired.own = own_of_applied(desired);
  for (const auto& living : cluster.pods()) {
    for (const auto& owner : {desired.target, desired.canary, desired.baseline}) {
      if (owner && owner->uid == living.owner) desired.pods.push_back({living.pod.object(), living.pod.track()});
    }
  }
  return desired;
}

Observation observe(const Desired& desired, const Cluster& cluster, Time now) {
  Observation observed;
  observed.at = now;
  observed.container_source = "kubelet";
  auto owned = desired.pods.begin();
  for (const auto& living : cluster.pods()) {
    if (owned == desired.pods.end() || owned->pod != living.pod.object()) continue;
    PodSeries& pod = observed.pods.emplace_back(living.pod.series());
    if (living.pod.track() == Track::kStable && desired.profile->spec.apply == ApplyMode::kLive) {
      pod.settings = in_force(desired.profile->memory, pod.settings);
    }
    ++owned;
  }
  return observed;
}

/// As operator/act has it: then nothing is put into the template.
bool is_live(const Objects& seen, const std::shared_ptr<const Trial>& trial) {
  return trial ? trial->spec.live.has_value() : seen.profile->spec.apply == ApplyMode::kLive;
}

/// The trial's end may rest on a target that has the promotion's patch by now.
bool may_be_patched(const Trial& trial, const Objects& seen) {
  return !trial.spec.live && trial.status.phase == TrialPhase::kPromoting && !trial.status.promoted &&
         seen.target->uid == trial.spec.target.uid;
}

std::optional<Error> error_of(const Result<void>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

std::optional<Error> changed(const std::string& what) { return Error{ErrorKind::kConflict, what + " has changed"}; }

}  // namespace

OperatorProcess::Pass OperatorProcess::pass(const Objects& seen, const Cluster& cluster, Time now) {
  Pass pass;
  Facts& facts = pass.facts;
  facts.now = now;
  facts.desired = read_desired(seen, cluster);
  facts.observed = observe(facts.desired, cluster, now);
  facts.decision = decide_on(facts);
  facts.verdict = judge_(facts);
  pass.step = advance(facts);

  std::optional<std::int64_t> generation;
  pass.error = act(seen, facts.desired.trial, pass.step, now, generation);
  for (const auto& arm : pass.step.leftovers) {
    for (const Track track : {Track::kCanary, Track::kBaseline}) {
      if (const auto& there = api_.objects.arm(track); there && there->uid == arm->uid) {
        (void)api_.remove_arm(track, arm->arm_of);
      }
    }
  }
  if (pass.error && pass.error->kind == ErrorKind::kTerminal) {
    if (auto told = after_refusal(facts, pass.step, pass.error->message)) {
      pass.step = std::move(*told);
      pass.error.reset();
    }
  }
  if (generation && pass.step.trial) pass.step.trial->applied_generation = *generation;
  auto unrecorded = record(seen, facts, pass.step, pass.error.has_value());
  if (!pass.error) pass.error = std::move(unrecorded);
  return pass;
}

std::optional<Error> OperatorProcess::act(const Objects& seen, const std::shared_ptr<const Trial>& trial,
                                          const Step& step, Time now, std::optional<std::int64_t>& generation) {
  const auto put = [&]() -> std::optional<Error> {
    if (is_live(seen, trial)) {
      generation = seen.target->generation;
      return std::nullopt;
    }
    const auto written = api_.put_settings(*seen.target, *step.settings);
    if (!written) return written.error();
    generation = *written;
    return std::nullopt;
  };
  switch (step.kind) {
    case StepKind::kHold:
      return std::nullopt;
    case StepKind::kNoteTrial:
      for (const auto& known : api_.objects.trials) {
        if (known->key.name == step.memory->active_trial)
          return Error{ErrorKind::kTerminal, "the name of the trial is taken"};
      }
      return std::nullopt;
    case StepKind::kStartTrial:
      return error_of(api_.create_trial(*step.start, now));
    case StepKind::kForgetTrial:
      for (const auto& known : api_.objects.trials) {
        if (known->running() && known->key.name == seen.profile->memory.active_trial) return changed("the trial");
      }
      return std::nullopt;
    case StepKind::kRunCanary:
      for (const Track track : {Track::kBaseline, Track::kCanary}) {
        const auto& arm = seen.arm(track);
        if (arm && arm->arm_of == trial->uid) continue;
        if (auto error = error_of(api_.create_arm(*trial, track))) return error;
      }
      return std::nullopt;
    case StepKind::kRetireCanary:
      return error_of(api_.remove_arm(Track::kCanary, trial->uid));
    case StepKind::kPromote:
    case StepKind::kRollBack:
    case StepKind::kPutBack:
      return put();
    case StepKind::kEnd: {
      const Objects& there = api_.objects;
      if (may_be_patched(*trial, seen) && settings_of(*there.target) != settings_of(*seen.target)) {
        return changed("the target");
      }
      const bool unknown = seen.profile->memory.active_trial != trial->key.name;
      if (unknown && there.profile->memory.active_trial == trial->key.name) return changed("the profile");
      for (const Track track : {Track::kCanary, Track::kBaseline}) {
        if (auto error = error_of(api_.remove_arm(track, trial->uid))) return error;
      }
      return std::nullopt;
    }
    case StepKind::kRevert:
      break;
  }
  return std::nullopt;
}

/// The profile first, as of what was seen of it; nothing more when that fails.
std::optional<Error> OperatorProcess::record(const Objects& seen, const Facts& facts, const Step& step, bool failed) {
  if (failed) return std::nullopt;
  if (step.memory && !(*step.memory == seen.profile->memory)) {
    if (auto error = error_of(api_.write_memory(seen.profile, *step.memory))) return error;
  }
  if (!facts.desired.trial || !step.trial) return std::nullopt;
  return error_of(api_.write_status(facts.desired.trial, *step.trial));
}

}  // namespace gopacer::simulating
