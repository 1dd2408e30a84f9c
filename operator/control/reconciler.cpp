#include "control/reconciler.h"

#include <spdlog/spdlog.h>

#include "control/pass.h"
#include "record/operator_metrics.h"

namespace gopacer {

Requeue Reconciler::reconcile(const ObjectKey& key) {
  const Time now = clock_.now();
  const Desired desired = read_desired(cluster_, key);
  observations_.follow(desired);

  const Observation observed = observations_.snapshot(key, now);
  const Decision decision = decide_on(desired, observed, now);
  const Verdict verdict = judge_trial(desired, observed, now);
  const Step step = advance(desired.trial.get(), situation_of(desired, observed), decision, verdict, now);
  const ActResult result = actor_.perform(desired, step);
  const Result<void> recorded = recorder_.write({desired, observed, decision, verdict, step, result.error, now});

  metrics_.pass_done(key, clock_.now() - now, !result.done() || !recorded);
  return conclude(key, desired, step, result, recorded);
}

Requeue Reconciler::conclude(const ObjectKey& key, const Desired& desired, const Step& step, const ActResult& result,
                             const Result<void>& recorded) {
  if (!desired.profile && !desired.trial) {
    observations_.forget(key);
    recorder_.forget(key);
    return {};
  }
  const Error* const error = result.error ? &*result.error : !recorded ? &recorded.error() : nullptr;
  if (error == nullptr) return {step.requeue_after, false};
  // A conflict means that our picture was old; the watch brings the new one within moments.
  const auto level = error->kind == ErrorKind::kConflict ? spdlog::level::debug : spdlog::level::warn;
  spdlog::log(level, "pass failed profile={} step={} error=\"{}\"", key.text(), to_string(step.kind), error->message);
  return {error->retry_after.value_or(std::chrono::milliseconds(0)), true};
}

}  // namespace gopacer
