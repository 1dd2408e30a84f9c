#include "rollout/running_trial.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// A rollout of the target that takes longer than this is undone. Kubernetes itself calls one stuck after ten minutes.
constexpr Duration kLongestRollout = minutes(15);
/// A prediction that is off by more than this counts as missed.
constexpr double kPredictionTolerance = 0.25;
/// After a step that the next one follows without waiting for anything.
constexpr Duration kAtOnce = std::chrono::milliseconds(50);

/// One pass of a running trial: each member function is a phase, and gives the step to take in it.
class RunningTrial {
 public:
  RunningTrial(const Trial& trial, const Situation& situation, const Decision& decision, const Verdict& verdict,
               Time now)
      : trial_(trial), situation_(situation), decision_(decision), verdict_(verdict), now_(now), next_(trial.status) {}

  Step advance() {
    Step step = next();
    // The note may be missing: an operator can die between making the trial and noting it.
    const bool noted = !our_profile() || (situation_.profile->memory.active_trial == trial_.key.name &&
                                          situation_.profile->memory.trial_count >= trial_.spec.number);
    if (!noted && !step.memory) {
      step.memory = situation_.profile->memory;
      note(*step.memory);
    }
    return step;
  }

 private:
  Step next() {
    if (trial_.status.phase != TrialPhase::kEnded) {
      if (closing()) return end(trial_.status.verdict, trial_.status.reason, trial_.status.message);
      if (auto over = interrupted()) return *over;
    }
    switch (trial_.status.phase) {
      case TrialPhase::kPending:
        return pending();
      case TrialPhase::kWarmUp:
        return warm_up();
      case TrialPhase::kMeasuring:
        return measuring();
      case TrialPhase::kPromoting:
        return promoting();
      case TrialPhase::kWatching:
        return watching();
      case TrialPhase::kRollingBack:
        return rolling_back();
      case TrialPhase::kEnded:
        break;
    }
    return hold("TrialEnded", "The trial has ended.", kIdlePass);
  }

  /// How it ends is written down already; what is left is to clear up and to close.
  bool closing() const {
    return trial_.status.verdict != TrialVerdict::kNone && trial_.status.verdict != TrialVerdict::kPromote;
  }
  /// The profile that asked for the trial is there, and not another one of its name.
  bool our_profile() const {
    return situation_.profile != nullptr && situation_.profile->uid == trial_.spec.profile_uid;
  }
  bool before_promotion() const { return trial_.status.phase < TrialPhase::kPromoting; }
  bool target_is_the_same() const {
    return situation_.target != nullptr && situation_.target->uid == trial_.spec.target_uid;
  }

  /// What ends a trial from outside, whatever its own figures say.
  std::optional<Step> interrupted() {
    if (!target_is_the_same()) return end(TrialVerdict::kAborted, "TargetGone", "The target is gone.");
    if (!situation_.conflict.empty()) {
      return end(TrialVerdict::kSuperseded, "FieldConflict",
                 situation_.conflict + " The trial ends; the settings stay as that owner has them.");
    }
    const bool settings_are_ours =
        situation_.current == trial_.spec.from || (!before_promotion() && situation_.current == trial_.spec.to);
    const auto settings_changed = [&] {
      return end(TrialVerdict::kSuperseded, "SettingsChanged",
                 "Somebody set " + describe(situation_.current) + " on the target; that stands.");
    };
    // Bad settings are in the target: neither a new image nor a deleted profile is a reason to leave them there.
    if (trial_.status.phase == TrialPhase::kRollingBack) {
      return settings_are_ours ? std::nullopt : std::optional(settings_changed());
    }
    if (!our_profile() || situation_.profile->deleting) {
      return end(TrialVerdict::kAborted, "ProfileDeleted", "The profile was deleted.");
    }
    if (!wants_changes(*situation_.profile)) {
      return end(TrialVerdict::kAborted, "Suspended", "The profile was suspended or set to updateMode Off.");
    }
    if (situation_.target->template_hash != trial_.spec.template_hash) {
      return end(TrialVerdict::kSuperseded, "TemplateChanged",
                 "Somebody changed the target's pod template; what was measured no longer speaks of it.");
    }
    if (!settings_are_ours) return settings_changed();
    if (trial_.status.phase == TrialPhase::kWatching && situation_.current != trial_.spec.to) {
      return end(TrialVerdict::kSuperseded, "SettingsChanged",
                 "Somebody put " + describe(situation_.current) + " back into the target; that stands.");
    }
    if (before_promotion() && !profile_still_asks_for_it()) {
      return end(TrialVerdict::kSuperseded, "ProfileChanged", "The profile now asks for other settings.");
    }
    if (before_promotion() && now_ >= trial_.spec.deadline) return timed_out();
    return std::nullopt;
  }

  bool profile_still_asks_for_it() const {
    const ProfileSpec& spec = situation_.profile->spec;
    if (!spec.container.empty() && spec.container != trial_.spec.container) return false;
    if (spec.strategy != trial_.spec.strategy) return false;
    if (spec.strategy != Strategy::kFixed) return true;
    // A member that the person leaves out stays as the target has it.
    return (!spec.fixed.gogc || spec.fixed.gogc == trial_.spec.to.gogc) &&
           (!spec.fixed.go_mem_limit || spec.fixed.go_mem_limit == trial_.spec.to.go_mem_limit);
  }

  Step timed_out() {
    if (trial_.status.phase == TrialPhase::kPending) {
      return end(TrialVerdict::kInconclusive, "PodsNotReady",
                 "The trial's pods did not become ready in time. Look at the pods labelled " +
                     std::string(kTrialLabel) + "=" + label_value(trial_.key.name) +
                     ": is there room for them in the cluster?");
    }
    if (trial_.status.phase == TrialPhase::kWarmUp) {
      return end(TrialVerdict::kInconclusive, "NoCollections",
                 "The trial's pods hardly collected garbage during the warm-up: the service is idle, and there is "
                 "nothing to gain or to measure.");
    }
    take_evidence();
    if (verdict_.outcome == Outcome::kNoData) {
      return end(TrialVerdict::kInconclusive, "NoData", "The trial's time is over without data. " + verdict_.message);
    }
    return end(TrialVerdict::kInconclusive, "TimeOut", "The trial's time is over undecided. " + verdict_.message);
  }

  Step pending() {
    if (!next_.started) next_.started = now_;
    if (hard_stop()) return end_badly();
    if (situation_.pods_ready) {
      next_.warm_until = now_ + trial_.spec.canary.warm_up;
      enter(TrialPhase::kWarmUp, "Canary and baseline pods are ready; warming up until " +
                                     format_time(*next_.warm_until) + " and three collections.");
      return record("WarmUp");
    }
    Step step = record("WaitingForPods");
    step.kind = StepKind::kRunCanary;
    step.message = "Waiting for the canary and baseline pods.";
    return step;
  }

  Step warm_up() {
    if (hard_stop()) return end_badly();
    if (verdict_.outcome == Outcome::kPointless) return pointless();
    if (now_ < trial_.status.warm_until.value_or(now_) || !situation_.collected) {
      Step step = record("WarmUp");
      step.message = "Warming up.";
      return step;
    }
    next_.measuring_since = now_;
    enter(TrialPhase::kMeasuring,
          "Warm; measuring in windows of " + format_duration(trial_.spec.canary.interval) + ".");
    return record("Measuring");
  }

  Step measuring() {
    take_evidence();
    if (verdict_.outcome == Outcome::kWorse) return end_badly();
    if (verdict_.outcome == Outcome::kPointless) return pointless();
    if (verdict_.outcome == Outcome::kBetter) {
      next_.verdict = TrialVerdict::kPromote;
      next_.reason = verdict_.reason;
      next_.message = verdict_.message;
      enter(TrialPhase::kPromoting, "Canary passed: " + verdict_.message);
      return record("Promoting");
    }
    const Duration longest = trial_.spec.canary.max_duration;
    if (longest > Duration(0) && now_ - trial_.status.measuring_since.value_or(now_) >= longest) return timed_out();
    Step step = record("Measuring");
    step.message = verdict_.message;
    return step;
  }

  Step promoting() {
    if (situation_.current != trial_.spec.to) {
      // A person may have put the old settings back after ours were in: then the patch is not repeated.
      if (trial_.status.promoted && situation_.target->observed_generation > 0 &&
          now_ - *trial_.status.promoted > kSettleForStore) {
        return end(TrialVerdict::kSuperseded, "SettingsChanged",
                   "Somebody put " + describe(situation_.current) + " back into the target; that stands.");
      }
      if (!trial_.status.promoted && now_ >= trial_.spec.deadline + kLongestRollout) {
        return end(TrialVerdict::kInconclusive, "PromotionFailed",
                   "The settings passed, but could not be put into the target; Ready's message of the profile and "
                   "gopacer's log say why.");
      }
      Step step = apply(StepKind::kPromote, trial_.spec.to);
      if (!next_.promoted) next_.promoted = now_;
      step.trial = next_;
      step.memory = with_applied(trial_.spec.to);
      return step;
    }
    // An operator can die between the patch and its note.
    if (!next_.promoted) next_.promoted = now_;
    if (verdict_.outcome == Outcome::kWorse) {
      return start_rollback(verdict_.reason, verdict_.message, "After the promotion: " + verdict_.message);
    }
    if (now_ - trial_.status.promoted.value_or(now_) > kLongestRollout) {
      const std::string message =
          "The target's rollout did not finish within " + format_duration(kLongestRollout) + ".";
      return start_rollback("RolloutStuck", message, message);
    }
    if (!situation_.target->settled()) {
      Step step = record("Promoting");
      step.message = "Waiting for the target's rollout to finish.";
      step.memory = with_applied(trial_.spec.to);
      return step;
    }
    next_.watching_since = now_;
    enter(TrialPhase::kWatching, "All of the target's pods run " + describe(trial_.spec.to) + "; watching for " +
                                     format_duration(trial_.spec.watch_for) + ".");
    Step step = record("Watching");
    step.kind = StepKind::kRetireCanary;
    step.memory = with_applied(trial_.spec.to);
    return step;
  }

  Step watching() {
    // Whatever another version left out: a trial has to end some day.
    if (!next_.watching_since) next_.watching_since = now_;
    next_.watch_evidence = verdict_.evidence;
    if (verdict_.outcome == Outcome::kWorse) {
      return start_rollback(verdict_.reason, verdict_.message, "After the promotion: " + verdict_.message);
    }
    const Time watching_since = trial_.status.watching_since.value_or(now_);
    if (now_ - watching_since < trial_.spec.watch_for) {
      Step step = record("Watching");
      step.message = verdict_.message;
      return step;
    }
    Step step = end(TrialVerdict::kPromote, trial_.status.reason, trial_.status.message);
    if (step.memory && !counted()) {
      step.memory->missed_predictions = prediction_held() ? 0 : step.memory->missed_predictions + 1;
    }
    return step;
  }

  Step rolling_back() {
    if (situation_.current != trial_.spec.from) {
      Step step = apply(StepKind::kRollBack, trial_.spec.from);
      step.trial = next_;
      return step;
    }
    // The old settings are in the pod template. If the pods still don't come up after so long, it is not for want of
    // them.
    if (!situation_.target->settled() && now_ - entered(TrialPhase::kRollingBack) <= kLongestRollout) {
      Step step = record("RollingBack");
      step.message = "Waiting for the target's pods to run " + describe(trial_.spec.from) + " again.";
      return step;
    }
    return end(TrialVerdict::kRollBack, trial_.status.reason, trial_.status.message);
  }

  bool hard_stop() const { return verdict_.outcome == Outcome::kWorse && verdict_.hard_stop; }

  /// The target was never touched: the trial is over as soon as its pods are gone.
  Step end_badly() {
    take_evidence();
    return end(TrialVerdict::kRollBack, verdict_.reason, verdict_.message);
  }

  Step pointless() { return end(TrialVerdict::kInconclusive, verdict_.reason, verdict_.message); }

  Step start_rollback(const std::string& reason, const std::string& message, const std::string& told) {
    next_.verdict = TrialVerdict::kNone;
    next_.reason = reason;
    next_.message = message;
    enter(TrialPhase::kRollingBack, told);
    return record("RollingBack");
  }

  void take_evidence() {
    next_.evidence = verdict_.evidence;
    if (verdict_.p99_change) next_.latency_change = verdict_.p99_change;
    if (verdict_.gc_change) next_.gc_change = verdict_.gc_change;
  }

  void enter(TrialPhase phase, std::string message) {
    next_.phase = phase;
    next_.steps.push_back({now_, phase, std::move(message)});
    if (next_.steps.size() > kMostTrialSteps) next_.steps.erase(next_.steps.begin() + 1);
  }

  /// When the trial entered the phase that it is in.
  Time entered(TrialPhase phase) const {
    const auto& steps = trial_.status.steps;
    const auto found = std::find_if(steps.rbegin(), steps.rend(), [&](const TrialStep& s) { return s.phase == phase; });
    return found == steps.rend() ? trial_.spec.deadline : found->at;
  }

  Duration pass() const { return std::clamp<Duration>(trial_.spec.canary.interval / 5, seconds(1), seconds(5)); }

  /// A step that only writes the trial's status.
  Step record(std::string reason) {
    // A new phase goes on at once; the same one waits for new samples.
    const bool moved = next_.phase != trial_.status.phase;
    Step step =
        hold(std::move(reason), next_.steps.empty() ? "" : next_.steps.back().message, moved ? kAtOnce : pass());
    step.trial = next_;
    return step;
  }

  Step apply(StepKind kind, const Settings& settings) {
    Step step = hold(to_string(kind), "Putting " + describe(settings) + " into the target.", pass());
    step.kind = kind;
    step.settings = settings;
    return step;
  }

  /// In two passes: how the trial ends is written down first, so that clearing up can't take away what it rests on.
  Step end(TrialVerdict verdict, std::string reason, std::string message) {
    next_.verdict = verdict;
    next_.reason = reason;
    next_.message = message;
    if (trial_.status.verdict != verdict) {
      Step step = hold(std::move(reason), std::move(message), kAtOnce);
      step.trial = next_;
      return step;
    }
    next_.ended = now_;
    enter(TrialPhase::kEnded, message);
    Step step = hold(std::move(reason), std::move(message), seconds(1));
    step.kind = StepKind::kEnd;
    step.trial = next_;
    if (our_profile()) step.memory = remember(verdict);
    return step;
  }

  void note(ProfileMemory& memory) const {
    memory.active_trial = trial_.key.name;
    memory.trial_count = std::max(memory.trial_count, trial_.spec.number);
  }

  ProfileMemory with_applied(const Settings& settings) const {
    ProfileMemory memory = situation_.profile->memory;
    note(memory);
    memory.applied = settings;
    return memory;
  }

  /// What the trial taught is in the profile's memory already: its end was written there, and not yet here.
  bool counted() const {
    const ProfileMemory& memory = situation_.profile->memory;
    return memory.trial_count >= trial_.spec.number && memory.active_trial != trial_.key.name;
  }

  ProfileMemory remember(TrialVerdict verdict) const {
    ProfileMemory memory = situation_.profile->memory;
    memory.active_trial.clear();
    memory.trial_count = std::max(memory.trial_count, trial_.spec.number);
    // A program that does not heed the variables would be tried again and again.
    if (verdict == TrialVerdict::kRollBack || next_.reason == "SelfTuned") {
      ban(memory, {trial_.spec.to, trial_.spec.template_hash, next_.reason, now_});
    }
    if (!target_is_the_same()) {
      memory.applied.reset();
    } else if (verdict == TrialVerdict::kRollBack) {
      if (!before_promotion()) memory.applied = trial_.spec.from;
    } else if (trial_.status.promoted) {
      // Also where a person has put something else there by now: then the next pass yields to them.
      memory.applied = trial_.spec.to;
    }
    if (memory.applied == Settings{}) memory.applied.reset();
    const bool decided_by_us = verdict == TrialVerdict::kPromote || verdict == TrialVerdict::kRollBack ||
                               verdict == TrialVerdict::kInconclusive;
    if (decided_by_us) memory.cool_down_until = now_ + situation_.profile->spec.rollback.cool_down;
    return memory;
  }

  /// Compares what the model promised with what the target's pods show now.
  bool prediction_held() const {
    if (!decision_.estimate || trial_.spec.predicted.gc_cpu_percent.empty()) return true;
    const double predicted = std::strtod(trial_.spec.predicted.gc_cpu_percent.c_str(), nullptr) / 100;
    const double seen = decision_.estimate->gc_cpu_fraction;
    // Below one per cent the difference is noise and costs nobody anything.
    return std::abs(seen - predicted) <= std::max(kPredictionTolerance * predicted, 0.01);
  }

  /// How long our own cache may lag behind our own patch.
  static constexpr Duration kSettleForStore = seconds(10);

  const Trial& trial_;
  const Situation& situation_;
  const Decision& decision_;
  const Verdict& verdict_;
  const Time now_;
  TrialStatus next_;
};

}  // namespace

Step advance_running(const Trial& trial, const Situation& situation, const Decision& decision, const Verdict& verdict,
                     Time now) {
  return RunningTrial(trial, situation, decision, verdict, now).advance();
}

}  // namespace gopacer
