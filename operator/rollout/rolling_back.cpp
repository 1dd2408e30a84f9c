#include "rollout/rolling_back.h"

#include "rollout/live.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

/// After that nobody waits any longer for pods that come and go; the old settings are in the template.
constexpr Duration kLongestRollback = std::chrono::minutes(30);

bool is_anothers(const TrialPass& pass, const char* variable) {
  return set_by_another(*pass.target(), pass.trial.spec.container, variable);
}

/// What the profile's status notes for the agents is noted beside the template as it is now.
bool is_beside(const TrialPass& pass) {
  const Desired& desired = pass.facts.desired;
  return desired.profile && desired.profile->memory.applied_beside == desired.environment;
}

/// What processes tell that are to have these settings of the environment, or others.
Settings as_run(const TrialPass& pass, const Settings& settings) {
  return settings == pass.facts.desired.environment ? pass.trial.spec.live->own.value_or(settings) : settings;
}

/// The kill for which the settings are taken back has reached the old ones, too: then they are not to blame, and may
/// be tried again.
void absolve_the_settings(TrialPass& pass) {
  const auto words = policy::both_arms_killed(pass.facts);
  if (!words) return;
  pass.next.after_rollback = TrialVerdict::kInconclusive;
  pass.next.reason = policy::kBothArmsKilled;
  pass.next.message = *words;
  pass.enter(TrialPhase::kRollingBack, *words);
}

Time rolling_back_since(const TrialPass& pass) {
  return entered(pass.trial.status, TrialPhase::kRollingBack).value_or(pass.trial.spec.deadline);
}

/// Which pods the rollback has not reached, and what to do; empty where it has reached all.
std::string not_reached(const TrialPass& pass) {
  if (pass.is_live()) {
    return pass.agents_are_off() ? std::string()
                                 : not_back(as_run(pass, taken_back(pass)), rolling_back_since(pass), pass.facts);
  }
  const Settings& bad = pass.trial.spec.to;
  const int pods = pass.current() == bad ? 0 : pods_with(bad, pass.facts);
  if (pods == 0) return {};
  const Workload& target = *pass.target();
  const std::string which = "deployment/" + target.key.name + " -n " + target.key.ns;
  return std::to_string(pods) + (pods == 1 ? " pod of the target still runs " : " pods of the target still run ") +
         describe(bad) +
         (target.rollout.paused
              ? ", since the Deployment is paused: kubectl rollout resume " + which + " lets the rollback go on."
              : ": kubectl rollout status " + which + " shows what the rollback waits for.");
}

}  // namespace

Settings taken_back(const TrialPass& pass) {
  Settings settings = pass.current();
  const Settings from = pass.before();
  const Settings& to = pass.trial.spec.to;
  // Beside the template the two come together. Where it has changed nothing of ours is in force, also if a person has
  // written there just what was promoted.
  if (pass.is_live()) return settings == to && is_beside(pass) && !pass.agents_are_off() ? from : settings;
  if (settings.gogc == to.gogc && !is_anothers(pass, kGogcVariable)) settings.gogc = from.gogc;
  if (settings.go_mem_limit == to.go_mem_limit && !is_anothers(pass, kGoMemLimitVariable)) {
    settings.go_mem_limit = from.go_mem_limit;
  }
  return settings.bounded_by(from) || settings.bounded_by(pass.current()) ? settings : pass.current();
}

bool unconfirmed(const TrialPass& pass) {
  const TrialPhase phase = pass.trial.status.phase;
  return (phase == TrialPhase::kPromoting || phase == TrialPhase::kWatching) && pass.current() != taken_back(pass);
}

Step start_rollback(TrialPass& pass, TrialVerdict verdict, const std::string& reason, const std::string& message,
                    const std::string& told) {
  pass.next.verdict = TrialVerdict::kNone;
  pass.next.after_rollback = verdict;
  pass.next.reason = reason;
  pass.next.message = message;
  pass.next.live.reset();
  pass.enter(TrialPhase::kRollingBack, told);
  return pass.record("RollingBack");
}

Step rolling_back(TrialPass& pass) {
  absolve_the_settings(pass);
  const Settings old = taken_back(pass);
  if (pass.current() != old) {
    Step step = pass.apply(StepKind::kRollBack, old);
    step.trial = pass.next;
    return step;
  }
  // The old settings are in the pod template. If the pods still don't come up after so long, it is not for want of
  // them.
  const Time since = rolling_back_since(pass);
  const Workload* const target = pass.target();
  const bool back =
      pass.is_live() ? pass.agents_are_off() || target->replicas == 0 || is_back(as_run(pass, old), since, pass.facts)
                     : target->rolled_out() || target->rollout.paused || standstill(since, pass.facts);
  const bool over = back || pass.now - since > kLongestRollback + target->min_ready;
  if (!pass.somebody_waits() && (!over || pass.baseline_may_be_next())) {
    Step step = pass.record("RollingBack");
    step.message = "Waiting for the target's pods to run " + describe(old) + " again.";
    return step;
  }
  return rolled_back(pass);
}

Step rolled_back(TrialPass& pass) {
  const TrialVerdict verdict = pass.next.after_rollback;
  const std::string left = pass.target_is_the_same() ? not_reached(pass) : std::string();
  return pass.end(verdict == TrialVerdict::kNone ? TrialVerdict::kRollBack : verdict, pass.next.reason,
                  pass.next.message + (left.empty() ? "" : " " + left));
}

}  // namespace gopacer
