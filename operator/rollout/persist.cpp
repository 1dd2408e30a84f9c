#include "rollout/persist.h"

#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

/// Whoever steers or owns the target would take each change of its template for a release, and nothing is rolled out
/// while it is paused.
bool may_be_patched(const Facts& facts) {
  const Workload& target = *facts.desired.target;
  return !target.rollout.paused && !target.controller.exists() && facts.desired.steerers.empty();
}

/// Scaling makes none, and a rollout of ours would have ended before.
bool has_pods_of_two_templates(const Workload& target) {
  return target.observed_generation >= target.generation && target.updated_replicas < target.total_replicas;
}

}  // namespace

std::optional<Step> persist(const Facts& facts) {
  const ProfileSpec& spec = facts.desired.profile->spec;
  const ProfileMemory& memory = facts.desired.profile->memory;
  const Workload& target = *facts.desired.target;
  const bool asked = spec.persist == PersistMode::kEnv && spec.apply == ApplyMode::kLive &&
                     spec.update_mode != UpdateMode::kOff && !spec.suspend;
  if (!asked || !memory.applied || !memory.applied_beside) return std::nullopt;
  if (facts.desired.environment == *memory.applied) {
    if (memory.applied == memory.applied_beside) return std::nullopt;
    Step step = hold("Persisted", "The pod template has " + describe(*memory.applied) + " now.", seconds(1));
    step.memory = memory;
    step.memory->in_template = memory.applied;
    if (target.has_one_template()) step.memory->applied_beside.reset();
    return step.memory == memory ? std::nullopt : std::optional(step);
  }
  // A person's word stands, and a limit that the program gives itself is none of ours.
  const bool is_ours = facts.desired.environment == *memory.applied_beside && !facts.desired.own;
  if (!is_ours || !has_pods_of_two_templates(target) || !may_be_patched(facts)) return std::nullopt;
  Step step =
      hold("Persisting",
           "The target is being rolled out, and its pod template gets " + describe(*memory.applied) + " with that.",
           seconds(1));
  step.kind = StepKind::kPersist;
  step.settings = memory.applied;
  return step;
}

}  // namespace gopacer
