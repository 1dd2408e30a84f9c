#include "rollout/trial_pass.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "rollout/live.h"
#include "rollout/put_back.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

/// Between the first and the last pod that one burst of load, or one node that fills up, ends.
constexpr Duration kOneBurst = seconds(30);
/// After a step that the next one follows without waiting for anything.
constexpr Duration kAtOnce = std::chrono::milliseconds(50);

Duration between_passes(const TrialSpec& spec) {
  return std::clamp<Duration>(spec.canary.interval / 5, seconds(1), seconds(5));
}

/// What the target has now, and what the guard would go back to from it.
void note(const TrialPass& pass, ProfileMemory& memory, const Settings& settings) {
  const TrialSpec& spec = pass.trial.spec;
  const bool came_over_the_old_ones = settings == spec.to || settings == pass.trial.status.put_back;
  const auto over = came_over_the_old_ones ? std::optional(spec.from) : settings_before(settings, pass.facts);
  note_applied(memory, settings, over, spec.target.uid, spec.container, pass.facts);
}

/// What the profile keeps of a trial that ends.
ProfileMemory remember(const TrialPass& pass, TrialVerdict verdict) {
  const TrialSpec& spec = pass.trial.spec;
  ProfileMemory memory = pass.facts.desired.profile->memory;
  memory.active_trial.clear();
  memory.trial_count = std::max(memory.trial_count, spec.number);
  const bool was_rolled_back = pass.trial.status.phase == TrialPhase::kRollingBack;
  const bool person_decided = was_rolled_back && pass.target_is_the_same() && !pass.agents_are_off() &&
                              (pass.current() != pass.before() || policy::is_a_persons(pass.next.reason));
  // A person's change ended it, and may have been taken back since: then what nobody has watched to the end would be
  // in force again.
  const bool left_beside =
      pass.is_live() && pass.trial.status.promoted && !was_rolled_back && verdict != TrialVerdict::kPromote;
  // A program that does not heed the variables would be tried again and again.
  const bool persons = person_decided || (left_beside && policy::is_a_persons(pass.next.reason));
  if (verdict == TrialVerdict::kRollBack || persons || pass.next.reason == "SelfTuned") {
    ban(memory, {spec.to, spec.template_hash, persons ? "SettingsChanged" : pass.next.reason, pass.now});
  }
  if (!pass.target_is_the_same() || pass.agents_are_off() || left_beside) {
    memory.forget_applied();
  } else if (was_rolled_back) {
    // What a person set meanwhile stayed, and is theirs.
    person_decided ? memory.forget_applied() : note(pass, memory, pass.before());
  } else if (pass.trial.status.promoted && (!pass.is_live() || pass.current() == spec.to)) {
    // Also where a person has put something else there by now: then the next pass yields to them. Beside the template
    // it is noted already, and noted anew beside their change it would hold against it.
    note(pass, memory, spec.to);
  }
  const bool decided_by_us =
      verdict == TrialVerdict::kPromote || verdict == TrialVerdict::kRollBack || verdict == TrialVerdict::kInconclusive;
  // Two rollouts of the target are enough for a while, whoever ended the trial.
  const Duration cool_down = pass.facts.desired.profile->spec.rollback.cool_down;
  if (decided_by_us || was_rolled_back) {
    memory.cool_down_until = pass.now + cool_down;
  } else if (pass.next.reason == "TrialUnreadable") {
    // With clocks that differ by hours the next one would be as unreadable.
    memory.cool_down_until = pass.now + std::min(cool_down, kRefusedPause);
  }
  return memory;
}

}  // namespace

TrialPass::TrialPass(const Facts& all)
    : facts(all), trial(*all.desired.trial), verdict(all.verdict), now(all.now), next(all.desired.trial->status) {}

bool TrialPass::known() const {
  return facts.desired.profile && facts.desired.profile->uid == trial.spec.profile_uid &&
         facts.desired.profile->memory.active_trial == trial.key.name;
}

bool TrialPass::agents_are_off() const {
  return is_live() && facts.desired.profile && facts.desired.profile->spec.apply != ApplyMode::kLive;
}

bool TrialPass::somebody_waits() const {
  return facts.desired.uninstalling || trial.deleting || (facts.desired.profile && facts.desired.profile->deleting);
}

bool TrialPass::baseline_may_be_next() const {
  const TrialStatus& status = trial.status;
  if (status.reason != kOomKilled || !facts.desired.baseline || status.steps.empty()) return false;
  const Duration waited = now - status.steps.back().at;
  return waited >= Duration(0) && waited < kOneBurst;
}

ProfileMemory TrialPass::with_applied(const Settings& settings) const {
  ProfileMemory memory = facts.desired.profile->memory;
  note(*this, memory, settings);
  return memory;
}

void TrialPass::enter(TrialPhase phase, std::string message) {
  next.phase = phase;
  next.steps.push_back({now, phase, std::move(message)});
  if (next.steps.size() > kMostTrialSteps) next.steps.erase(next.steps.begin() + 1);
}

void TrialPass::take_evidence() {
  next.evidence = verdict.evidence;
  if (verdict.p99_change) next.latency_change = verdict.p99_change;
  if (verdict.gc_change) next.gc_change = verdict.gc_change;
}

Step TrialPass::record(std::string reason) const {
  // A new phase goes on at once; the same one waits for new samples.
  const bool moved = next.phase != trial.status.phase;
  Step step = hold(std::move(reason), next.steps.empty() ? "" : next.steps.back().message,
                   moved ? kAtOnce : between_passes(trial.spec));
  if (next.live && !moved) step.requeue_after = std::min(step.requeue_after, until_turn(trial, *next.live, now));
  step.trial = next;
  return step;
}

Step TrialPass::apply(StepKind kind, const Settings& settings) const {
  Step step = hold(to_string(kind), "Putting " + describe(settings) + " into the target.", between_passes(trial.spec));
  step.kind = kind;
  step.settings = settings;
  // What the agents go by.
  if (is_live()) step.memory = with_applied(settings);
  return step;
}

Step TrialPass::end(TrialVerdict how, std::string reason, std::string message) {
  next.verdict = how;
  next.reason = reason;
  next.message = message;
  next.live.reset();
  if (trial.status.verdict != how && known()) {
    if (reason == kOomKilled && before_promotion(next.phase) && facts.desired.baseline) {
      // From then on the baseline has its time.
      enter(next.phase,
            message + " Whether the baseline is killed as well shows within " + format_duration(kOneBurst) + ".");
    }
    Step step = hold(std::move(reason), std::move(message), kAtOnce);
    step.trial = next;
    return step;
  }
  next.ended = now;
  enter(TrialPhase::kEnded, message);
  Step step = hold(std::move(reason), std::move(message), seconds(1));
  step.kind = StepKind::kEnd;
  step.trial = next;
  if (known()) step.memory = remember(*this, how);
  return step;
}

}  // namespace gopacer
