#include "rollout/running_trial.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <tuple>

#include "rollout/live.h"
#include "rollout/put_back.h"
#include "rollout/quota.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// After that nobody waits any longer for pods that come and go; the old settings are in the template.
constexpr Duration kLongestRollback = minutes(30);
/// Pods that don't run by then hold room for nothing.
constexpr Duration kLongestStart = minutes(5);
constexpr Duration kShortestRefusal = seconds(30);
/// Between the first and the last pod that one burst of load, or one node that fills up, ends.
constexpr Duration kOneBurst = seconds(30);
/// Windows with data before the arms grow: no data is no good news.
constexpr int kFewestOfAStep = 4;
/// Before another trial is made after the server refused one.
constexpr Duration kRefusedPause = minutes(10);
/// After a step that the next one follows without waiting for anything.
constexpr Duration kAtOnce = std::chrono::milliseconds(50);

/// One pass of a running trial: each member function is a phase, and gives the step to take in it.
class RunningTrial {
 public:
  explicit RunningTrial(const Facts& facts)
      : facts_(facts),
        trial_(*facts.desired.trial),
        verdict_(facts.verdict),
        now_(facts.now),
        next_(facts.desired.trial->status) {}

  Step next() {
    Step step = next_step();
    // What stands against deleting it must not stand in the way of the trial. And that it is not needed any more has to
    // be written down already: a successor that finds the watch without its baseline would see no harm.
    if (facts_.desired.baseline && target_is_the_same() && step.kind != StepKind::kEnd &&
        !needs_baseline(trial_.status.phase) && !needs_baseline(next_.phase)) {
      tell_of_the_loss(step);
      step.leftovers.push_back(facts_.desired.baseline);
    }
    return step;
  }

  /// The trial is over with the server's words.
  Step refused(const std::string& what, const std::string& words) {
    const std::string needed = quota_needed(words, missing_pods());
    return end(TrialVerdict::kInconclusive, "Refused",
               what + " was refused: " + words + (needed.empty() ? "" : ". " + needed));
  }

 private:
  Step next_step() {
    if (picture_is_old()) return wait_for_picture();
    if (!facts_.desired.target_unreadable.empty()) return wait_for_target();
    note_availability();
    note_usual_memory();
    if (auto step = killed_with_the_baseline()) return *step;
    if (closing() && patched_after_all()) {
      return start_rollback(trial_.status.verdict, trial_.status.reason, trial_.status.message,
                            trial_.status.message + " The promotion's patch arrived after that, and is taken back.");
    }
    if (closing() || confirmed_before()) {
      return end(trial_.status.verdict, trial_.status.reason, trial_.status.message);
    }
    if (const auto ending = policy::first_objection(policy::must_end(), facts_)) {
      if (auto step = interrupted(*ending)) return *step;
    }
    if (before_promotion(trial_.status.phase) && now_ >= trial_.spec.deadline) return timed_out();
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

  const Workload* target() const { return facts_.desired.target.get(); }
  const Settings& current() const { return facts_.desired.current; }

  /// How it ends is written down already; what is left is to clear up and to close.
  bool closing() const {
    return trial_.status.verdict != TrialVerdict::kNone && trial_.status.verdict != TrialVerdict::kPromote;
  }
  /// The watch is over and the profile knows it, but an operator died before the trial did.
  bool confirmed_before() const {
    return facts_.desired.profile && facts_.desired.profile->uid == trial_.spec.profile_uid && !known() &&
           trial_.status.phase == TrialPhase::kWatching && trial_.status.verdict == TrialVerdict::kPromote &&
           current() == trial_.spec.to;
  }
  int missing_pods() const {
    int missing = 0;
    for (const auto& arm : {facts_.desired.baseline, facts_.desired.canary}) {
      missing += trial_.arm_replicas() - (arm ? arm->total_replicas : 0);
    }
    return missing;
  }
  bool target_is_the_same() const { return target() != nullptr && target()->uid == trial_.spec.target.uid; }
  bool known() const {
    return facts_.desired.profile && facts_.desired.profile->uid == trial_.spec.profile_uid &&
           facts_.desired.profile->memory.active_trial == trial_.key.name;
  }
  /// The target as we see it is older than our own latest write to it.
  bool picture_is_old() const {
    return target_is_the_same() && (target()->generation < trial_.status.applied_generation || profile_is_old());
  }
  /// It is older than the promotion: what agents keep in force is noted there, before the trial tells that it is.
  bool profile_is_old() const {
    const TrialPhase phase = trial_.status.phase;
    const bool in_force = phase == TrialPhase::kPromoting || phase == TrialPhase::kWatching;
    if (!trial_.spec.live || !in_force || !known() || !trial_.status.promoted || current() == trial_.spec.to)
      return false;
    // A watch that is silent for longer is not believed anyway: then somebody has changed the status by hand.
    return facts_.desired.profile->memory.applied != trial_.spec.to && now_ - *trial_.status.promoted < kLongestSilence;
  }
  bool is_anothers(const char* variable) const { return set_by_another(*target(), trial_.spec.container, variable); }
  bool is_live() const { return trial_.spec.live.has_value(); }
  /// What processes tell that are to have these settings of the environment, or others.
  Settings as_run(const Settings& settings) const {
    return settings == facts_.desired.environment ? trial_.spec.live->own.value_or(settings) : settings;
  }
  /// The agents have put back what the pods had, and set nothing any more.
  bool agents_are_off() const {
    return is_live() && facts_.desired.profile && facts_.desired.profile->spec.apply != ApplyMode::kLive;
  }
  /// What the profile's status notes for the agents is noted beside the template as it is now.
  bool is_beside() const {
    return facts_.desired.profile && facts_.desired.profile->memory.applied_beside == facts_.desired.environment;
  }
  /// What the target is to have instead of the trial's settings.
  Settings before() const { return trial_.status.put_back.value_or(trial_.spec.from); }
  /// The target's settings without what the trial put there. A variable that somebody else has set stays. With it stays
  /// the other one, too, where the two that would come together let the heap grow further than those before and those
  /// now.
  Settings taken_back() const {
    Settings settings = current();
    const Settings from = before();
    const Settings& to = trial_.spec.to;
    // Beside the template the two come together. Where it has changed nothing of ours is in force, also if a person has
    // written there just what was promoted.
    if (is_live()) return settings == to && is_beside() && !agents_are_off() ? from : settings;
    if (settings.gogc == to.gogc && !is_anothers(kGogcVariable)) settings.gogc = from.gogc;
    if (settings.go_mem_limit == to.go_mem_limit && !is_anothers(kGoMemLimitVariable)) {
      settings.go_mem_limit = from.go_mem_limit;
    }
    return settings.bounded_by(from) || settings.bounded_by(current()) ? settings : current();
  }
  /// The target has settings of ours that nobody has judged to the end.
  bool unconfirmed() const {
    const TrialPhase phase = trial_.status.phase;
    return (phase == TrialPhase::kPromoting || phase == TrialPhase::kWatching) && current() != taken_back();
  }

  /// It was brought to an end on a picture that did not have its patch yet, by a pass that could not note it.
  bool patched_after_all() const {
    return known() && target_is_the_same() && trial_.status.phase == TrialPhase::kPromoting &&
           !trial_.status.promoted && unconfirmed();
  }

  /// Since when the target has too few pods, over the passes.
  void note_availability() {
    if (!policy::half_gone(facts_)) {
      next_.unavailable_since.reset();
    } else if (!next_.unavailable_since) {
      next_.unavailable_since = now_;
    }
  }

  /// What the old settings take of their containers. That is no matter of which pod shows it: a successor of the
  /// baseline's pod has not filled up yet.
  void note_usual_memory() {
    double& most = next_.evidence.baseline_memory;
    if (before_promotion(trial_.status.phase)) most = std::max(most, verdict_.evidence.baseline_memory);
  }

  /// The trial ends because a pod with the new settings was killed, and whether its twin is killed as well is still to
  /// be seen.
  bool baseline_may_be_next() const {
    const TrialStatus& status = trial_.status;
    if (status.reason != kOomKilled || !facts_.desired.baseline || status.steps.empty()) return false;
    const Duration waited = now_ - status.steps.back().at;
    return waited >= Duration(0) && waited < kOneBurst;
  }

  /// The target has nothing of ours meanwhile, so that the verdict has time.
  std::optional<Step> killed_with_the_baseline() {
    const bool for_a_kill = closing() && trial_.status.reason == kOomKilled;
    if (!for_a_kill || !before_promotion(trial_.status.phase)) return std::nullopt;
    if (const auto words = policy::both_arms_killed(facts_)) {
      return end(TrialVerdict::kInconclusive, policy::kBothArmsKilled, *words);
    }
    if (!baseline_may_be_next() || somebody_waits()) return std::nullopt;
    return record(kOomKilled);
  }

  /// Whoever takes the trial, the profile or gopacer away is not to be kept waiting.
  bool somebody_waits() const {
    return facts_.desired.uninstalling || trial_.deleting ||
           (facts_.desired.profile && facts_.desired.profile->deleting);
  }

  Step wait_for_picture() {
    Step step = record("OldPicture");
    step.message = "Waiting until the watch shows the latest patch.";
    step.requeue_after = seconds(1);
    return step;
  }

  /// Whether the settings are still there, and whose they are by now, can't be told.
  Step wait_for_target() {
    if (before_promotion(trial_.status.phase) && now_ >= trial_.spec.deadline) return timed_out();
    Step step = record("TargetUnreadable");
    step.message = "The target can't be read: " + facts_.desired.target_unreadable + ". The trial goes on when it can.";
    return step;
  }

  /// What ends a trial from outside, whatever its own figures say.
  std::optional<Step> interrupted(const policy::Objection& ending) {
    const policy::Rule& rule = *ending.rule;
    if (rule.settings == policy::Unconfirmed::kTakenBack) {
      // Bad settings are in the target: there is no reason to leave them there.
      if (trial_.status.phase == TrialPhase::kRollingBack) return std::nullopt;
      if (unconfirmed()) {
        const bool all_of_it = taken_back() == trial_.spec.from;
        return start_rollback(rule.verdict, rule.reason, ending.message,
                              ending.message + (all_of_it ? " The old settings are put back."
                                                          : " What else the trial changed is put back."));
      }
    }
    // Why it was rolled back stays the reason when the target is made anew before all of its pods are back.
    if (trial_.status.phase == TrialPhase::kRollingBack && known()) return rolled_back();
    return end(rule.verdict, rule.reason, ending.message);
  }

  Step timed_out() {
    const bool began_anew = trial_.status.started < trial_.status.waiting_since && trial_.status.step == 0;
    if (trial_.status.phase == TrialPhase::kPending && began_anew) {
      return end(TrialVerdict::kInconclusive, "TimeOut",
                 "The trial's time is over: pods of the comparison were replaced or restarted, it began anew, and too "
                 "little time was left. See what ends them, or raise canary.maxDuration.");
    }
    if (trial_.status.phase == TrialPhase::kPending) return not_started();
    const bool warm_in_time = now_ >= trial_.status.warm_until.value_or(now_);
    if (trial_.status.phase == TrialPhase::kWarmUp && !warm_in_time) {
      return end(TrialVerdict::kInconclusive, "TimeOut",
                 "The trial's time is over before its pods were warm: they became ready late, or were replaced. Raise "
                 "canary.maxDuration.");
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

  Step not_started() {
    const std::string trouble = arm_trouble(facts_);
    return end(TrialVerdict::kInconclusive, "PodsNotReady",
               "The trial's pods did not become ready in time" + (trouble.empty() ? "" : " (" + trouble + ")") +
                   ". Look at the pods labelled " + std::string(kTrialLabel) + "=" + label_value(trial_.key.name) +
                   ": is there room for them in the cluster?");
  }

  Step pending() {
    if (!next_.started) next_.started = now_;
    if (!next_.waiting_since) next_.waiting_since = now_;
    if (hard_stop()) return end_badly();
    if (is_live()) return begin_turns();
    if (arms_ready(facts_)) {
      next_.arm_pods = arm_pods(facts_);
      next_.waiting_since.reset();
      next_.warm_until = now_ + trial_.spec.canary.warm_up;
      enter(TrialPhase::kWarmUp, "Canary and baseline pods are ready; warming up until " +
                                     format_time(*next_.warm_until) + " and two collections after that.");
      return record("WarmUp");
    }
    for (const auto& arm : {facts_.desired.baseline, facts_.desired.canary}) {
      // A webhook that restarts refuses for some seconds.
      const bool lasts = arm && now_ - arm->rollout.refused_since.value_or(now_) >= kShortestRefusal;
      if (lasts && !arm->rollout.refusal.empty()) return refused("A pod of the trial", arm->rollout.refusal);
    }
    if (now_ - *next_.waiting_since >= kLongestStart) return not_started();
    Step step = record("WaitingForPods");
    step.kind = StepKind::kRunCanary;
    const std::string trouble = arm_trouble(facts_);
    step.message = "Waiting for the canary and baseline pods" + (trouble.empty() ? "." : ": " + trouble);
    return step;
  }

  /// The pods are warm already; what a turn leaves to the next one is left out by whoever compares them.
  Step begin_turns() {
    const Duration waited = now_ - *next_.waiting_since;
    const std::vector<std::string> pods = live_pods(facts_, waited < kPatience);
    if (pods.empty()) {
      const std::string why = agents_words(facts_);
      if (waited >= kLongestStart) {
        return end(TrialVerdict::kInconclusive, "AgentsNotReady",
                   "The node agents do not read the target's pods" + why);
      }
      Step step = record("WaitingForAgents");
      step.message = "Waiting until the node agents read the target's pods" + why;
      return step;
    }
    next_.arm_pods = pods;
    next_.waiting_since.reset();
    next_.measuring_since = now_;
    next_.live = LiveTurn{now_, 0, {}, now_};
    const Trial* const earlier = left_undecided();
    if (earlier != nullptr) go_on_from(*earlier);
    enter(TrialPhase::kMeasuring, "Measuring by turns of " + format_duration(trial_.spec.live->block) + " in " +
                                      std::to_string(pods.size()) + (pods.size() == 1 ? " pod" : " pods") +
                                      (earlier != nullptr ? ", going on from " + earlier->key.name + "." : "."));
    return record("Measuring");
  }

  void take_turns() {
    if (!trial_.status.live) return;
    hand_on(turn_at(trial_, trial_.status.live->since, live_pods_left(facts_), now_));
  }

  void take_turns_in_the_watch(Time since) {
    const std::vector<std::string> pods = witnesses(facts_);
    if (pods.empty()) {
      next_.live.reset();
    } else {
      hand_on(turn_at(trial_, since, pods, now_));
    }
  }

  /// Hands the turn on, and tells the agents that somebody still cares.
  void hand_on(LiveTurn turn) {
    const auto& last = next_.live;
    const bool news = !last || turn.block != last->block || turn.pods != last->pods || is_due(*last, now_);
    if (news) next_.live = std::move(turn);
  }

  /// Until the next turn, or until the agents want to hear of us.
  Duration until_turn() const {
    const LiveTurn& live = *next_.live;
    Time next = std::min<Time>(now_ + seconds(1), live.renewed + kRenewal);
    if (next_.phase != TrialPhase::kPromoting) {
      next = std::min(next, live.since + (live.block + 1) * trial_.spec.live->block);
    }
    return std::clamp<Duration>(next - now_, std::chrono::milliseconds(50), seconds(1));
  }

  /// Whom the comparison began with is no longer there: a cold successor would flatter the other arm. Of those that
  /// take turns each is compared with itself, so half of them are enough to go on with.
  std::optional<Step> begun_anew() {
    const bool same = is_live() ? 2 * live_pods_left(facts_).size() >= std::max<std::size_t>(2, begun_with().size())
                                : arm_pods(facts_) == begun_with();
    if (same) return std::nullopt;
    compare_anew("A pod of the comparison was replaced or restarted; the comparison begins anew.");
    return record("BegunAnew");
  }
  const std::vector<std::string>& begun_with() const { return trial_.status.arm_pods; }

  /// With other pods than before.
  void compare_anew(std::string message) {
    Evidence anew;
    anew.baseline_memory = next_.evidence.baseline_memory;
    // Each begin knows only restarts that come after it.
    anew.restarts = is_live() ? next_.evidence.restarts + restarts_since_begun(facts_) : 0;
    next_.evidence = std::move(anew);
    next_.latency_change.reset();
    next_.gc_change.reset();
    next_.warm_until.reset();
    next_.measuring_since.reset();
    next_.arm_pods.clear();
    next_.live.reset();
    next_.waiting_since = now_;
    enter(TrialPhase::kPending, std::move(message));
  }

  /// The latest trial that asked the same on the same program and ended without an answer; null when there is none.
  const Trial* left_undecided() const {
    const auto& ended = facts_.desired.ended_trials;
    const auto found = std::find_if(ended.rbegin(), ended.rend(), [&](const std::shared_ptr<const Trial>& trial) {
      const TrialSpec& spec = trial->spec;
      return spec.profile_uid == trial_.spec.profile_uid && spec.live.has_value() == is_live() &&
             spec.template_hash == trial_.spec.template_hash && spec.target.uid == trial_.spec.target.uid &&
             spec.container == trial_.spec.container && about_equal(spec.from, trial_.spec.from) &&
             about_equal(spec.to, trial_.spec.to) && spec.slos == trial_.spec.slos && trial->unreadable.empty() &&
             trial->status.evidence.windows > 0;
    });
    // Behind one that was decided nothing is taken up again: what spoke against the settings there would be left out.
    // And of arms that could not be compared nothing is: only what took too long goes on.
    if (found == ended.rend() || (*found)->status.verdict != TrialVerdict::kInconclusive) return nullptr;
    const bool only_took_long = (*found)->status.reason == "TimeOut" && (*found)->spec.steps == trial_.spec.steps;
    return only_took_long && !(*found)->status.promoted ? found->get() : nullptr;
  }

  /// What this trial has seen of its own pods before it measures stays.
  void go_on_from(const Trial& earlier) {
    Evidence ended = earlier.status.evidence;
    ended.within_pods = earlier.spec.live.has_value();
    Evidence evidence = going_on_from(ended);
    evidence.baseline_memory = next_.evidence.baseline_memory;
    evidence.restarts = next_.evidence.restarts;
    next_.evidence = std::move(evidence);
  }

  Step warm_up() {
    if (hard_stop()) return end_badly();
    if (verdict_.outcome == Outcome::kPointless) return pointless();
    if (auto step = begun_anew()) return *step;
    if (now_ < trial_.status.warm_until.value_or(now_) ||
        !warmed_up(facts_.observed, trial_.status.warm_until.value_or(now_))) {
      Step step = record("WarmUp");
      step.message = "Warming up.";
      return step;
    }
    next_.measuring_since = now_;
    const Trial* const earlier = left_undecided();
    if (earlier != nullptr) go_on_from(*earlier);
    enter(TrialPhase::kMeasuring, "Warm; measuring in windows of " + format_duration(trial_.spec.canary.interval) +
                                      (earlier != nullptr ? ", going on from " + earlier->key.name + "." : "."));
    return record("Measuring");
  }

  Step measuring() {
    if (hard_stop()) return end_badly();
    if (auto step = begun_anew()) return *step;
    if (is_live()) take_turns();
    take_evidence();
    if (verdict_.outcome == Outcome::kWorse) return end_badly();
    if (verdict_.outcome == Outcome::kPointless) return pointless();
    if (!trial_.at_last_step()) return compare_for_a_while();
    if (verdict_.outcome == Outcome::kBetter) {
      const auto against = policy::first_objection(policy::may_be_promoted(), facts_);
      if (!against) return promote();
      if (against->rule->verdict != TrialVerdict::kNone) {
        return end(against->rule->verdict, against->reason(), against->message);
      }
      if (time_is_over()) {
        return end(TrialVerdict::kInconclusive, against->reason(),
                   "Better, but the trial's time was over before it could be promoted. " + against->message);
      }
      Step step = record(against->reason());
      step.message = "Better, but not promoted yet. " + against->message;
      return step;
    }
    if (time_is_over()) return timed_out();
    Step step = record("Measuring");
    step.message = verdict_.message;
    return step;
  }

  /// Harm ends the trial at any size of its arms; what speaks for it counts at the last.
  Step compare_for_a_while() {
    const ArmStep& now = trial_.spec.steps[static_cast<std::size_t>(trial_.status.step)];
    const bool seen = verdict_.outcome != Outcome::kNoData && next_.evidence.windows >= kFewestOfAStep;
    if (!seen || now_ - trial_.status.measuring_since.value_or(now_) < now.pause) {
      Step step = record("Measuring");
      step.message = "With " + std::to_string(now.replicas) + " pods in each arm: " + verdict_.message;
      return step;
    }
    ++next_.step;
    const ArmStep& larger = trial_.spec.steps[static_cast<std::size_t>(next_.step)];
    compare_anew("Nothing speaks against the settings after " + format_duration(now.pause) + ". Step " +
                 std::to_string(next_.step + 1) + " of " + std::to_string(trial_.spec.steps.size()) + ": " +
                 std::to_string(larger.replicas) + " pods in each arm.");
    return record("BegunAnew");
  }

  bool time_is_over() const {
    const Duration longest = trial_.spec.canary.max_duration;
    return longest > Duration(0) && now_ - trial_.status.measuring_since.value_or(now_) >= longest;
  }

  Step promote() {
    next_.verdict = TrialVerdict::kPromote;
    next_.reason = verdict_.reason;
    next_.message = verdict_.message;
    enter(TrialPhase::kPromoting, "Canary passed: " + verdict_.message);
    if (is_live()) next_.live = growing_turn(facts_, 0, {}, now_);
    return record("Promoting");
  }

  /// One process, a quarter of the target's, and then all.
  std::optional<Step> grow() {
    if (verdict_.outcome == Outcome::kWorse) return worse_than_before();
    if (next_.promoted || current() == trial_.spec.to) return std::nullopt;
    const Growth growth = growing(facts_);
    if (growth.kind == Growth::Kind::kStuck) {
      return end(TrialVerdict::kInconclusive, "PromotionFailed", growth.message);
    }
    next_.live = growth.turn;
    if (growth.kind == Growth::Kind::kDone) return std::nullopt;
    Step step = record("Promoting");
    step.message = growth.message;
    return step;
  }

  Step promoting() {
    if (is_live()) {
      if (auto step = grow()) return *step;
    }
    // Its room is needed: quotas, full nodes and anti-affinity count the trial's pods, too.
    if (facts_.desired.canary) {
      Step step = record("Promoting");
      step.kind = StepKind::kRetireCanary;
      step.message = "Removing the canary before the target's rollout.";
      step.requeue_after = seconds(1);
      return step;
    }
    if (current() != trial_.spec.to) {
      if (now_ >= trial_.spec.deadline + kLongestStandstill) {
        return end(TrialVerdict::kInconclusive, "PromotionFailed",
                   "The settings passed, but could not be put into the target; Ready's message of the profile and "
                   "gopacer's log say why.");
      }
      if (target()->rollout.paused && !is_live()) return paused();
      next_.promoted = now_;
      if (is_live()) next_.live = LiveTurn{now_, kGrowingStages, {}, now_};
      Step step = apply(StepKind::kPromote, trial_.spec.to);
      step.trial = next_;
      step.memory = with_applied(trial_.spec.to);
      return step;
    }
    // An operator can die between the patch and its note.
    if (!next_.promoted) next_.promoted = now_;
    if (verdict_.outcome == Outcome::kWorse) return worse_than_before();
    if (is_live()) next_.live = renewed(next_.live, now_);
    const Spread now = is_live()                ? spread_of(trial_.spec.to, facts_)
                       : target()->rolled_out() ? Spread::kDone
                                                : Spread::kGoesOn;
    if (now == Spread::kDone) {
      next_.watching_since = now_;
      next_.live.reset();
      if (is_live()) take_turns_in_the_watch(now_);
      next_.watched_replicas = target()->replicas;
      const std::string who = is_live() ? who_runs(trial_.spec.to, facts_) : "All of the target's pods run";
      enter(TrialPhase::kWatching,
            who + " " + describe(trial_.spec.to) + "; watching for " + format_duration(trial_.spec.watch_for) + ".");
      Step step = record("Watching");
      step.kind = StepKind::kRetireCanary;
      step.memory = with_applied(trial_.spec.to);
      return step;
    }
    if (now == Spread::kStuck) {
      const std::string why = "Not all of the target's pods run " + describe(trial_.spec.to) + " after " +
                              format_duration(kPatience) + agents_words(facts_);
      return start_rollback(TrialVerdict::kInconclusive, "RolloutStuck", why, why);
    }
    if (target()->rollout.paused && !is_live()) return paused();
    const auto stuck = is_live() ? std::nullopt : standstill(*next_.promoted);
    if (stuck) {
      // The canary's pods started with these settings: the reason lies elsewhere.
      return start_rollback(TrialVerdict::kInconclusive, "RolloutStuck", *stuck, *stuck);
    }
    Step step = record("Promoting");
    step.message = "Waiting for the target's rollout to finish.";
    step.memory = with_applied(trial_.spec.to);
    return step;
  }

  bool needs_baseline(TrialPhase phase) const { return wants_baseline(phase) && baseline_in_the_way(phase).empty(); }

  /// The baseline stays for the watch: what happens to it at the same time is no fault of the new settings. Not where
  /// there is no watch, where the target is not to be run twice for longer than it must, and not once the settings are
  /// on their way back, but for a kill that may be about to end it, too.
  bool wants_baseline(TrialPhase phase) const {
    if (is_live() || phase == TrialPhase::kEnded) return false;
    if (before_promotion(phase)) return true;
    if (phase == TrialPhase::kRollingBack && !baseline_may_be_next()) return false;
    return trial_.spec.watch_for > Duration(0) && !target()->recreates && target()->single_use.empty();
  }

  /// Why the target's pods may lack the room that the baseline takes, in brief; empty when nothing says so.
  std::string baseline_in_the_way(TrialPhase phase) const {
    if (before_promotion(phase)) return {};
    if (lacks_room(facts_)) return "pods of the target found no room beside it for " + format_duration(kPatience);
    if (phase != TrialPhase::kPromoting || !next_.promoted || target()->rolled_out()) return {};
    if (target()->rollout.paused) return "the target's rollout was paused";
    if (without_progress(*next_.promoted) <= kPatience) return {};
    return "the target's rollout did not get on for " + format_duration(kPatience);
  }

  /// The watch sees less without its baseline, and whoever reads how the trial went is to know that.
  void tell_of_the_loss(Step& step) const {
    const TrialPhase phase = trial_.status.phase;
    if (!step.trial || !wants_baseline(phase)) return;
    const TrialStep loss{now_, phase,
                         "The baseline is removed, since " + baseline_in_the_way(phase) +
                             ": from here on nothing runs the old settings to compare with, and of SLOs only max is "
                             "looked at."};
    std::vector<TrialStep>& steps = step.trial->steps;
    // It may take some passes to go.
    if (std::any_of(steps.begin(), steps.end(), [&](const TrialStep& told) { return told.message == loss.message; }))
      return;
    // Into what phase the pass goes comes last: events tell that.
    const bool moves = step.trial->phase != phase && !steps.empty();
    steps.insert(moves ? std::prev(steps.end()) : steps.end(), loss);
    if (steps.size() > kMostTrialSteps) steps.erase(steps.begin() + 1);
  }

  Step paused() {
    Step step = record("TargetPaused");
    step.message = "The target is paused; going on when somebody runs kubectl rollout resume.";
    return step;
  }

  /// How long the target's rollout, begun at `since`, has not got on.
  Duration without_progress(Time since) const {
    return now_ - std::max(since, target()->rollout.last_progress.value_or(since));
  }

  /// A sentence when the target's rollout does not get on.
  std::optional<std::string> standstill(Time since) const {
    const Rollout& rollout = target()->rollout;
    if (rollout.gave_up) return "Kubernetes gave the target's rollout up: no progress within progressDeadlineSeconds.";
    const Duration longest = kLongestStandstill + target()->min_ready;
    if (without_progress(since) <= longest) return std::nullopt;
    return "The target's rollout made no progress within " + format_duration(longest) + ".";
  }

  Step watching() {
    // Whatever another version left out: a trial has to end some day.
    if (!next_.watching_since) next_.watching_since = now_;
    next_.watch_evidence = verdict_.evidence;
    if (next_.live) take_turns_in_the_watch(next_.live->since);
    next_.watched_replicas = std::min(next_.watched_replicas, target()->replicas);
    if (verdict_.outcome == Outcome::kWorse) return worse_than_before();
    // Pods that are warming up show nothing.
    const Duration watched = now_ - trial_.status.watching_since.value_or(now_) - trial_.spec.canary.warm_up;
    // The first window may begin a window later than the watch, and ends a window after that.
    const Duration longest = std::max(2 * trial_.spec.watch_for, 3 * trial_.spec.canary.interval);
    const bool over =
        trial_.spec.watch_for <= Duration(0) || watched >= (confirmed() ? trial_.spec.watch_for : longest);
    if (!over) {
      Step step = record("Watching");
      step.message = verdict_.message;
      return step;
    }
    if (!confirmed()) {
      const std::string message = "The target's pods gave too little data to confirm the settings within " +
                                  format_duration(watched) + "; asked for were " +
                                  format_duration(trial_.spec.watch_for) + ". " + verdict_.message;
      return start_rollback(TrialVerdict::kInconclusive, "Unconfirmed", message, message);
    }
    Step step = end(TrialVerdict::kPromote, trial_.status.reason, trial_.status.message);
    if (!step.memory) return step;
    const bool kept = note_prediction(*step.memory);
    // The model has shown that it knows this service, and was held only by the length of a step. What was waited for
    // before is over, or still to be waited for.
    if (kept && !trial_.spec.predicted.destination.empty()) {
      step.memory->cool_down_until = facts_.desired.profile->memory.cool_down_until;
    }
    return step;
  }

  /// No data never confirms: at least half of the watch's windows must have some. Somebody who asks for no watch at all
  /// has confirmed by that.
  bool confirmed() const {
    if (trial_.spec.watch_for <= Duration(0)) return true;
    const Evidence& evidence = next_.watch_evidence;
    return evidence.windows > 0 && evidence.windows >= evidence.empty_windows;
  }

  /// Compares what the model promised with what the target's pods show now. Whether it was kept: not missed, with half
  /// of the saving at least.
  bool note_prediction(ProfileMemory& memory) const {
    const TrialPrediction& words = trial_.spec.predicted;
    const Result<Bytes> volume = parse_go_size(words.cycle_volume);
    if (!facts_.decision.estimate || words.gc_cpu_percent.empty() || !volume) return false;
    Prediction promised;
    promised.gc_cpu_fraction = std::strtod(words.gc_cpu_percent.c_str(), nullptr) / 100;
    promised.cycle_volume = *volume;
    const bool missed = prediction_missed(promised, *facts_.decision.estimate);
    memory.missed_predictions = missed ? memory.missed_on(trial_.spec.template_hash) + 1 : 0;
    memory.missed_template = missed ? trial_.spec.template_hash : std::string();
    const double saving = std::strtod(words.saving_percent.c_str(), nullptr) / 100;
    return !missed && facts_.decision.estimate->gc_cpu_fraction <= promised.gc_cpu_fraction + saving / 2;
  }

  Step rolling_back() {
    absolve_the_settings();
    const Settings old = taken_back();
    if (current() != old) {
      Step step = apply(StepKind::kRollBack, old);
      step.trial = next_;
      return step;
    }
    // The old settings are in the pod template. If the pods still don't come up after so long, it is not for want of
    // them.
    const Time since = rolling_back_since();
    const bool back = is_live() ? agents_are_off() || target()->replicas == 0 || is_back(as_run(old), since, facts_)
                                : target()->rolled_out() || target()->rollout.paused || standstill(since);
    const bool over = back || now_ - since > kLongestRollback + target()->min_ready;
    if (!somebody_waits() && (!over || baseline_may_be_next())) {
      Step step = record("RollingBack");
      step.message = "Waiting for the target's pods to run " + describe(old) + " again.";
      return step;
    }
    return rolled_back();
  }

  /// The kill for which the settings are taken back has reached the old ones, too: then they are not to blame, and may
  /// be tried again.
  void absolve_the_settings() {
    const auto words = policy::both_arms_killed(facts_);
    if (!words) return;
    next_.after_rollback = TrialVerdict::kInconclusive;
    next_.reason = policy::kBothArmsKilled;
    next_.message = *words;
    enter(TrialPhase::kRollingBack, *words);
  }

  Time rolling_back_since() const {
    return entered(trial_.status, TrialPhase::kRollingBack).value_or(trial_.spec.deadline);
  }

  Step rolled_back() {
    const TrialVerdict verdict = next_.after_rollback;
    const std::string left = target_is_the_same() ? not_reached() : std::string();
    return end(verdict == TrialVerdict::kNone ? TrialVerdict::kRollBack : verdict, next_.reason,
               next_.message + (left.empty() ? "" : " " + left));
  }

  /// Which pods the rollback has not reached, and what to do; empty where it has reached all.
  std::string not_reached() const {
    if (is_live()) {
      return agents_are_off() ? std::string() : not_back(as_run(taken_back()), rolling_back_since(), facts_);
    }
    const Settings& bad = trial_.spec.to;
    const int pods = current() == bad ? 0 : pods_with(bad, facts_);
    if (pods == 0) return {};
    const std::string which = "deployment/" + target()->key.name + " -n " + target()->key.ns;
    return std::to_string(pods) + (pods == 1 ? " pod of the target still runs " : " pods of the target still run ") +
           describe(bad) +
           (target()->rollout.paused
                ? ", since the Deployment is paused: kubectl rollout resume " + which + " lets the rollback go on."
                : ": kubectl rollout status " + which + " shows what the rollback waits for.");
  }

  bool hard_stop() const { return verdict_.outcome == Outcome::kWorse && verdict_.hard_stop; }

  /// The target was never touched: the trial is over as soon as its pods are gone.
  Step end_badly() {
    take_evidence();
    return end(TrialVerdict::kRollBack, verdict_.reason, verdict_.message);
  }

  Step pointless() { return end(TrialVerdict::kInconclusive, verdict_.reason, verdict_.message); }

  /// The target itself does worse with the promoted settings.
  Step worse_than_before() {
    std::string told = "After the promotion: " + verdict_.message;
    const Slo* const slo = slo_named(trial_.spec.slos, verdict_.broken);
    if (slo != nullptr && current() == trial_.spec.to) {
      const auto answer = answer_to_breach(slo->action, trial_.spec.to, trial_.spec.from, facts_);
      if (answer && answer->settings != trial_.spec.from) {
        next_.put_back = answer->settings;
        told += " " + describe(answer->settings) + " is put there instead.";
      }
    }
    return start_rollback(TrialVerdict::kRollBack, verdict_.reason, verdict_.message, told);
  }

  Step start_rollback(TrialVerdict verdict, const std::string& reason, const std::string& message,
                      const std::string& told) {
    next_.verdict = TrialVerdict::kNone;
    next_.after_rollback = verdict;
    next_.reason = reason;
    next_.message = message;
    next_.live.reset();
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

  Duration pass() const { return std::clamp<Duration>(trial_.spec.canary.interval / 5, seconds(1), seconds(5)); }

  /// A step that only writes the trial's status.
  Step record(std::string reason) {
    // A new phase goes on at once; the same one waits for new samples.
    const bool moved = next_.phase != trial_.status.phase;
    Step step =
        hold(std::move(reason), next_.steps.empty() ? "" : next_.steps.back().message, moved ? kAtOnce : pass());
    if (next_.live && !moved) step.requeue_after = std::min(step.requeue_after, until_turn());
    step.trial = next_;
    return step;
  }

  Step apply(StepKind kind, const Settings& settings) {
    Step step = hold(to_string(kind), "Putting " + describe(settings) + " into the target.", pass());
    step.kind = kind;
    step.settings = settings;
    // What the agents go by.
    if (is_live()) step.memory = with_applied(settings);
    return step;
  }

  /// In two passes: how the trial ends is written down first, so that clearing up can't take away what it rests on. A
  /// trial that its profile does not know has nothing to rest on.
  Step end(TrialVerdict verdict, std::string reason, std::string message) {
    next_.verdict = verdict;
    next_.reason = reason;
    next_.message = message;
    next_.live.reset();
    if (trial_.status.verdict != verdict && known()) {
      if (reason == kOomKilled && before_promotion(next_.phase) && facts_.desired.baseline) {
        // From then on the baseline has its time.
        enter(next_.phase,
              message + " Whether the baseline is killed as well shows within " + format_duration(kOneBurst) + ".");
      }
      Step step = hold(std::move(reason), std::move(message), kAtOnce);
      step.trial = next_;
      return step;
    }
    next_.ended = now_;
    enter(TrialPhase::kEnded, message);
    Step step = hold(std::move(reason), std::move(message), seconds(1));
    step.kind = StepKind::kEnd;
    step.trial = next_;
    if (known()) step.memory = remember(verdict);
    return step;
  }

  ProfileMemory with_applied(const Settings& settings) const {
    ProfileMemory memory = facts_.desired.profile->memory;
    note(memory, settings);
    return memory;
  }

  /// What the target has now, and what the guard would go back to from it.
  void note(ProfileMemory& memory, const Settings& settings) const {
    const bool came_over_the_old_ones = settings == trial_.spec.to || settings == trial_.status.put_back;
    const auto over = came_over_the_old_ones ? std::optional(trial_.spec.from) : settings_before(settings, facts_);
    note_applied(memory, settings, over, trial_.spec.target.uid, trial_.spec.container, facts_);
  }

  ProfileMemory remember(TrialVerdict verdict) const {
    ProfileMemory memory = facts_.desired.profile->memory;
    memory.active_trial.clear();
    memory.trial_count = std::max(memory.trial_count, trial_.spec.number);
    const bool was_rolled_back = trial_.status.phase == TrialPhase::kRollingBack;
    const bool person_decided = was_rolled_back && target_is_the_same() && !agents_are_off() &&
                                (current() != before() || policy::is_a_persons(next_.reason));
    // A person's change ended it, and may have been taken back since: then what nobody has watched to the end would be
    // in force again.
    const bool left_beside =
        is_live() && trial_.status.promoted && !was_rolled_back && verdict != TrialVerdict::kPromote;
    // A program that does not heed the variables would be tried again and again.
    const bool persons = person_decided || (left_beside && policy::is_a_persons(next_.reason));
    if (verdict == TrialVerdict::kRollBack || persons || next_.reason == "SelfTuned") {
      ban(memory, {trial_.spec.to, trial_.spec.template_hash, persons ? "SettingsChanged" : next_.reason, now_});
    }
    if (!target_is_the_same() || agents_are_off() || left_beside) {
      memory.forget_applied();
    } else if (was_rolled_back) {
      // What a person set meanwhile stayed, and is theirs.
      person_decided ? memory.forget_applied() : note(memory, before());
    } else if (trial_.status.promoted && (!is_live() || current() == trial_.spec.to)) {
      // Also where a person has put something else there by now: then the next pass yields to them. Beside the template
      // it is noted already, and noted anew beside their change it would hold against it.
      note(memory, trial_.spec.to);
    }
    const bool decided_by_us = verdict == TrialVerdict::kPromote || verdict == TrialVerdict::kRollBack ||
                               verdict == TrialVerdict::kInconclusive;
    // Two rollouts of the target are enough for a while, whoever ended the trial.
    const Duration cool_down = facts_.desired.profile->spec.rollback.cool_down;
    if (decided_by_us || was_rolled_back) {
      memory.cool_down_until = now_ + cool_down;
    } else if (next_.reason == "TrialUnreadable") {
      // With clocks that differ by hours the next one would be as unreadable.
      memory.cool_down_until = now_ + std::min(cool_down, kRefusedPause);
    }
    return memory;
  }

  const Facts& facts_;
  const Trial& trial_;
  const Verdict& verdict_;
  const Time now_;
  TrialStatus next_;
};

}  // namespace

Step advance_running(const Facts& facts) { return RunningTrial(facts).next(); }

std::optional<Step> after_refusal(const Facts& facts, const Step& step, const std::string& words) {
  const auto not_begun = [&](const std::string& message) {
    Step out = hold("Refused", message, kIdlePass);
    out.refused = true;
    return out;
  };
  switch (step.kind) {
    case StepKind::kNoteTrial:
      return not_begun("No trial starts, since the target could not be changed afterwards: " + words);
    case StepKind::kStartTrial: {
      Step out = not_begun(words);
      out.memory = facts.desired.profile->memory;
      out.memory->active_trial.clear();
      // A quota, or an object in the way, is there again in a moment: the next number would be refused like this one.
      out.memory->cool_down_until = facts.now + std::min(facts.desired.profile->spec.rollback.cool_down, kRefusedPause);
      return out;
    }
    case StepKind::kRunCanary:
      return RunningTrial(facts).refused("An arm of the trial", words);
    case StepKind::kPromote:
      return RunningTrial(facts).refused("The promotion", words);
    case StepKind::kHold:
    case StepKind::kForgetTrial:
    case StepKind::kRetireCanary:
    case StepKind::kRollBack:
    case StepKind::kPutBack:
    case StepKind::kRevert:
    case StepKind::kEnd:
      break;
  }
  return std::nullopt;
}

}  // namespace gopacer
