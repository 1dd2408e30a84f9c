#include "rollout/watching.h"

#include <algorithm>
#include <cstdlib>

#include "rollout/live_trial.h"
#include "rollout/put_back.h"
#include "rollout/rolling_back.h"

namespace gopacer {
namespace {

/// No data never confirms: at least half of the watch's windows must have some. Somebody who asks for no watch at all
/// has confirmed by that.
bool confirmed(const TrialPass& pass) {
  if (pass.trial.spec.watch_for <= Duration(0)) return true;
  const Evidence& evidence = pass.next.watch_evidence;
  return evidence.windows > 0 && evidence.windows >= evidence.empty_windows;
}

/// Compares what the model promised with what the target's pods show now. Whether it was kept: not missed, with half
/// of the saving at least.
bool note_prediction(const TrialPass& pass, ProfileMemory& memory) {
  const TrialSpec& spec = pass.trial.spec;
  const TrialPrediction& words = spec.predicted;
  const Result<Bytes> volume = parse_go_size(words.cycle_volume);
  const auto& estimate = pass.facts.decision.estimate;
  if (!estimate || words.gc_cpu_percent.empty() || !volume) return false;
  Prediction promised;
  promised.gc_cpu_fraction = std::strtod(words.gc_cpu_percent.c_str(), nullptr) / 100;
  promised.cycle_volume = *volume;
  const bool missed = prediction_missed(promised, *estimate);
  memory.missed_predictions = missed ? memory.missed_on(spec.template_hash) + 1 : 0;
  memory.missed_template = missed ? spec.template_hash : std::string();
  const double saving = std::strtod(words.saving_percent.c_str(), nullptr) / 100;
  return !missed && estimate->gc_cpu_fraction <= promised.gc_cpu_fraction + saving / 2;
}

Step unconfirmed_in_time(TrialPass& pass, Duration watched) {
  const std::string message = "The target's pods gave too little data to confirm the settings within " +
                              format_duration(watched) + "; asked for were " +
                              format_duration(pass.trial.spec.watch_for) + ". " + pass.verdict.message;
  return start_rollback(pass, TrialVerdict::kInconclusive, "Unconfirmed", message, message);
}

Step end_well(TrialPass& pass) {
  Step step = pass.end(TrialVerdict::kPromote, pass.trial.status.reason, pass.trial.status.message);
  if (!step.memory) return step;
  const bool kept = note_prediction(pass, *step.memory);
  // The model has shown that it knows this service, and was held only by the length of a step. What was waited for
  // before is over, or still to be waited for.
  if (kept && !pass.trial.spec.predicted.destination.empty()) {
    step.memory->cool_down_until = pass.facts.desired.profile->memory.cool_down_until;
  }
  return step;
}

}  // namespace

Step begin_watch(TrialPass& pass, const std::string& who) {
  const TrialSpec& spec = pass.trial.spec;
  pass.next.watching_since = pass.now;
  pass.next.live.reset();
  if (pass.is_live()) take_turns_in_the_watch(pass, pass.now);
  pass.next.watched_replicas = pass.target()->replicas;
  pass.enter(TrialPhase::kWatching,
             who + " " + describe(spec.to) + "; watching for " + format_duration(spec.watch_for) + ".");
  Step step = pass.record("Watching");
  step.kind = StepKind::kRetireCanary;
  step.memory = pass.with_applied(spec.to);
  return step;
}

Step watching(TrialPass& pass) {
  const TrialSpec& spec = pass.trial.spec;
  TrialStatus& next = pass.next;
  // Whatever another version left out: a trial has to end some day.
  if (!next.watching_since) next.watching_since = pass.now;
  next.watch_evidence = pass.verdict.evidence;
  if (next.live) take_turns_in_the_watch(pass, next.live->since);
  next.watched_replicas = std::min(next.watched_replicas, pass.target()->replicas);
  if (pass.verdict.outcome == Outcome::kWorse) return worse_than_before(pass);
  // Pods that are warming up show nothing.
  const Duration watched = pass.now - pass.trial.status.watching_since.value_or(pass.now) - spec.canary.warm_up;
  // The first window may begin a window later than the watch, and ends a window after that.
  const Duration longest = std::max(2 * spec.watch_for, 3 * spec.canary.interval);
  const bool over = spec.watch_for <= Duration(0) || watched >= (confirmed(pass) ? spec.watch_for : longest);
  if (!over) {
    Step step = pass.record("Watching");
    step.message = pass.verdict.message;
    return step;
  }
  return confirmed(pass) ? end_well(pass) : unconfirmed_in_time(pass, watched);
}

Step worse_than_before(TrialPass& pass) {
  const TrialSpec& spec = pass.trial.spec;
  const Verdict& verdict = pass.verdict;
  std::string told = "After the promotion: " + verdict.message;
  const Slo* const slo = slo_named(spec.slos, verdict.broken);
  if (slo != nullptr && pass.current() == spec.to) {
    const auto answer = answer_to_breach(slo->action, spec.to, spec.from, pass.facts);
    if (answer && answer->settings != spec.from) {
      pass.next.put_back = answer->settings;
      told += " " + describe(answer->settings) + " is put there instead.";
    }
  }
  return start_rollback(pass, TrialVerdict::kRollBack, verdict.reason, verdict.message, told);
}

}  // namespace gopacer
