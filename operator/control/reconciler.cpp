#include "control/reconciler.h"

#include <spdlog/spdlog.h>

#include "gopacer/rollout/pass.h"
#include "record/operator_metrics.h"

namespace gopacer {

Requeue Reconciler::reconcile(const ObjectKey& key) {
  Facts facts;
  facts.now = clock_.now();
  facts.desired = read_desired(cluster_, key);
  observations_.follow(facts.desired);

  facts.observed = observations_.snapshot(key, facts.now);
  facts.decision = decide_on(facts);
  facts.verdict = judge_trial(facts);
  facts.guarded = judge_in_force(facts);
  Step step = advance(facts);
  const ActResult result = actor_.perform(facts.desired, step);
  std::optional<Error> error = result.error;
  if (result.refused()) {
    if (auto told = after_refusal(facts, step, error->message)) {
      step = std::move(*told);
      error.reset();
    }
  }
  if (result.receipt && step.trial) step.trial->applied_generation = result.receipt->generation;
  const Result<void> recorded = recorder_.write({facts, step, error});

  spdlog::debug("pass done profile={} decision={} step={} reason={} next_seconds={} message=\"{}\"", key.text(),
                facts.decision.reason, to_string(step.kind), step.reason,
                std::chrono::duration_cast<std::chrono::seconds>(step.requeue_after).count(), step.message);

  metrics_.pass_done(key, clock_.now() - facts.now, error || !recorded);
  return conclude(facts.desired, step, error, recorded);
}

Requeue Reconciler::conclude(const Desired& desired, const Step& step, const std::optional<Error>& act_error,
                             const Result<void>& recorded) {
  const ObjectKey& key = desired.key;
  if (!desired.profile && !desired.trial) {
    observations_.forget(key);
    recorder_.forget(key);
    return {};
  }
  const Error* const error = act_error ? &*act_error : !recorded ? &recorded.error() : nullptr;
  if (error == nullptr) return {step.requeue_after, false};
  // A conflict means that our picture was old; the watch brings the new one within moments.
  const auto level = error->kind == ErrorKind::kConflict ? spdlog::level::debug : spdlog::level::warn;
  spdlog::log(level, "pass failed profile={} step={} error=\"{}\"", key.text(), to_string(step.kind), error->message);
  return {error->retry_after.value_or(std::chrono::milliseconds(0)), true, error->message};
}

}  // namespace gopacer
