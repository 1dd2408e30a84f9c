#include "rollout/measuring.h"

#include <algorithm>
#include <utility>

#include "rollout/live.h"
#include "rollout/live_trial.h"
#include "rollout/pod_trial.h"
#include "rollout/promoting.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

/// Windows with data before the arms grow: no data is no good news.
constexpr int kFewestOfAStep = 4;

/// The latest trial that asked the same on the same program and ended without an answer; null when there is none.
const Trial* left_undecided(const TrialPass& pass) {
  const Trial& asks = pass.trial;
  const auto& ended = pass.facts.desired.ended_trials;
  const auto found = std::find_if(ended.rbegin(), ended.rend(), [&](const std::shared_ptr<const Trial>& trial) {
    const TrialSpec& spec = trial->spec;
    return spec.profile_uid == asks.spec.profile_uid && spec.live.has_value() == pass.is_live() &&
           spec.template_hash == asks.spec.template_hash && spec.target.uid == asks.spec.target.uid &&
           spec.container == asks.spec.container && about_equal(spec.from, asks.spec.from) &&
           about_equal(spec.to, asks.spec.to) && spec.slos == asks.spec.slos && trial->unreadable.empty() &&
           trial->status.evidence.windows > 0;
  });
  // Behind one that was decided nothing is taken up again: what spoke against the settings there would be left out.
  // And of arms that could not be compared nothing is: only what took too long goes on.
  if (found == ended.rend() || (*found)->status.verdict != TrialVerdict::kInconclusive) return nullptr;
  const bool only_took_long = (*found)->status.reason == "TimeOut" && (*found)->spec.steps == asks.spec.steps;
  return only_took_long && !(*found)->status.promoted ? found->get() : nullptr;
}

/// What this trial has seen of its own pods before it measures stays.
void go_on_from(TrialPass& pass, const Trial& earlier) {
  Evidence ended = earlier.status.evidence;
  ended.within_pods = earlier.spec.live.has_value();
  Evidence evidence = going_on_from(ended);
  evidence.baseline_memory = pass.next.evidence.baseline_memory;
  evidence.restarts = pass.next.evidence.restarts;
  pass.next.evidence = std::move(evidence);
}

/// With other pods than before.
void compare_anew(TrialPass& pass, std::string message) {
  TrialStatus& next = pass.next;
  Evidence anew;
  anew.baseline_memory = next.evidence.baseline_memory;
  // Each begin knows only restarts that come after it.
  anew.restarts = pass.is_live() ? next.evidence.restarts + restarts_since_begun(pass.facts) : 0;
  next.evidence = std::move(anew);
  next.latency_change.reset();
  next.gc_change.reset();
  next.warm_until.reset();
  next.measuring_since.reset();
  next.arm_pods.clear();
  next.live.reset();
  next.waiting_since = pass.now;
  pass.enter(TrialPhase::kPending, std::move(message));
}

/// Harm ends the trial at any size of its arms; what speaks for it counts at the last.
Step compare_for_a_while(TrialPass& pass) {
  const std::vector<ArmStep>& steps = pass.trial.spec.steps;
  const ArmStep& now = steps[static_cast<std::size_t>(pass.trial.status.step)];
  const bool seen = pass.verdict.outcome != Outcome::kNoData && pass.next.evidence.windows >= kFewestOfAStep;
  if (!seen || pass.now - pass.trial.status.measuring_since.value_or(pass.now) < now.pause) {
    Step step = pass.record("Measuring");
    step.message = "With " + std::to_string(now.replicas) + " pods in each arm: " + pass.verdict.message;
    return step;
  }
  ++pass.next.step;
  const ArmStep& larger = steps[static_cast<std::size_t>(pass.next.step)];
  compare_anew(pass, "Nothing speaks against the settings after " + format_duration(now.pause) + ". Step " +
                         std::to_string(pass.next.step + 1) + " of " + std::to_string(steps.size()) + ": " +
                         std::to_string(larger.replicas) + " pods in each arm.");
  return pass.record("BegunAnew");
}

bool time_is_over(const TrialPass& pass) {
  const Duration longest = pass.trial.spec.canary.max_duration;
  return longest > Duration(0) && pass.now - pass.trial.status.measuring_since.value_or(pass.now) >= longest;
}

/// A person does not wait for the verdict, and stands in for it. Harm that was seen stands against that all the same,
/// so something has to be seen first.
bool is_wanted(const TrialPass& pass) {
  return pass.known() && pass.next.evidence.windows >= kFewestOfAStep &&
         pass.facts.desired.profile->wishes.promote == pass.trial.key.name;
}

/// Promoted, unless a rule stands against it.
Step to_promote(TrialPass& pass) {
  const bool better = pass.verdict.outcome == Outcome::kBetter;
  const std::string what = better ? "Better" : "Somebody wants it";
  const auto against = policy::first_objection(policy::may_be_promoted(), pass.facts);
  if (!against && better) return promote(pass, "Canary passed", pass.verdict.reason);
  if (!against) {
    return promote(pass, "Promoted without a verdict, as the annotation " + std::string(kPromoteAnnotation) + " asks",
                   "PromotionAsked");
  }
  if (against->rule->verdict != TrialVerdict::kNone) {
    return pass.end(against->rule->verdict, against->reason(), against->message);
  }
  if (time_is_over(pass)) {
    return pass.end(TrialVerdict::kInconclusive, against->reason(),
                    what + ", but the trial's time was over before it could be promoted. " + against->message);
  }
  Step step = pass.record(against->reason());
  step.message = what + ", but not promoted yet. " + against->message;
  return step;
}

}  // namespace

Step begin_measuring(TrialPass& pass, const std::string& how) {
  pass.next.measuring_since = pass.now;
  const Trial* const earlier = left_undecided(pass);
  if (earlier != nullptr) go_on_from(pass, *earlier);
  pass.enter(TrialPhase::kMeasuring, how + (earlier != nullptr ? ", going on from " + earlier->key.name + "." : "."));
  return pass.record("Measuring");
}

std::optional<Step> begun_anew(TrialPass& pass) {
  const std::vector<std::string>& begun_with = pass.trial.status.arm_pods;
  const bool same = pass.is_live()
                        ? 2 * live_pods_left(pass.facts).size() >= std::max<std::size_t>(2, begun_with.size())
                        : arm_pods(pass.facts) == begun_with;
  if (same) return std::nullopt;
  compare_anew(pass, "A pod of the comparison was replaced or restarted; the comparison begins anew.");
  return pass.record("BegunAnew");
}

Step measuring(TrialPass& pass) {
  if (pass.hard_stop()) return end_badly(pass);
  if (auto step = begun_anew(pass)) return *step;
  if (pass.is_live()) take_turns(pass);
  pass.take_evidence();
  if (pass.verdict.outcome == Outcome::kWorse) return end_badly(pass);
  if (pass.verdict.outcome == Outcome::kPointless) return end_pointless(pass);
  if (is_wanted(pass)) return to_promote(pass);
  if (!pass.trial.at_last_step()) return compare_for_a_while(pass);
  if (pass.verdict.outcome == Outcome::kBetter) return to_promote(pass);
  if (time_is_over(pass)) return timed_out(pass);
  Step step = pass.record("Measuring");
  step.message = pass.verdict.message;
  return step;
}

Step end_badly(TrialPass& pass) {
  pass.take_evidence();
  return pass.end(TrialVerdict::kRollBack, pass.verdict.reason, pass.verdict.message);
}

Step end_pointless(TrialPass& pass) {
  return pass.end(TrialVerdict::kInconclusive, pass.verdict.reason, pass.verdict.message);
}

Step timed_out(TrialPass& pass) {
  const TrialStatus& status = pass.trial.status;
  const bool began_anew = status.started < status.waiting_since && status.step == 0;
  if (status.phase == TrialPhase::kPending && began_anew) {
    return pass.end(TrialVerdict::kInconclusive, "TimeOut",
                    "The trial's time is over: pods of the comparison were replaced or restarted, it began anew, and "
                    "too little time was left. See what ends them, or raise canary.maxDuration.");
  }
  if (status.phase == TrialPhase::kPending) return not_started(pass);
  const bool warm_in_time = pass.now >= status.warm_until.value_or(pass.now);
  if (status.phase == TrialPhase::kWarmUp && !warm_in_time) {
    return pass.end(TrialVerdict::kInconclusive, "TimeOut",
                    "The trial's time is over before its pods were warm: they became ready late, or were replaced. "
                    "Raise canary.maxDuration.");
  }
  if (status.phase == TrialPhase::kWarmUp) {
    return pass.end(TrialVerdict::kInconclusive, "NoCollections",
                    "The trial's pods hardly collected garbage during the warm-up: the service is idle, and there is "
                    "nothing to gain or to measure.");
  }
  pass.take_evidence();
  if (pass.verdict.outcome == Outcome::kNoData) {
    return pass.end(TrialVerdict::kInconclusive, "NoData",
                    "The trial's time is over without data. " + pass.verdict.message);
  }
  return pass.end(TrialVerdict::kInconclusive, "TimeOut",
                  "The trial's time is over undecided. " + pass.verdict.message);
}

}  // namespace gopacer
