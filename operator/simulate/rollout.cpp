#include "gopacer/simulate/rollout.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "gopacer/rollout/pass.h"
#include "simulate/api_server.h"
#include "simulate/cluster.h"
#include "simulate/invariants.h"
#include "simulate/mischief.h"
#include "simulate/operator_process.h"
#include "simulate/others_judge.h"

namespace gopacer {
namespace {

using namespace simulating;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const Time kStart{hours(24 * 365 * 54)};
/// A trial has begun by then, and has ended.
constexpr Duration kLongestWait = minutes(30);
constexpr Duration kLongestRollout = hours(4);
/// Passes that follow each other without waiting are no more than these.
constexpr int kMostPassesAtOnce = 12;
/// Of a live trial, as operator/control and operator/observe have it.
constexpr int kReadingsOfABlock = 8;
constexpr Duration kShortestReading = std::chrono::milliseconds(250);
/// The operator looks at a live trial as often, at least.
constexpr Duration kLongestStep = seconds(2);
/// What was read a moment before a turn is handed on is of the turn that ends.
constexpr Duration kReadBefore = std::chrono::milliseconds(20);
/// A pass of a live trial that is due sooner follows at once, others at the next step.
constexpr Duration kShortWait = std::chrono::milliseconds(100);
/// So that a long simulation sees several trials.
constexpr Duration kCoolDown = minutes(20);

Profile new_profile(const RolloutWorld& world) {
  Profile profile;
  profile.key = {"shop", "checkout"};
  profile.uid = "profile";
  profile.spec.target = "checkout";
  profile.spec.update_mode = UpdateMode::kCanary;
  profile.spec.canary = world.canary;
  profile.spec.rollback.cool_down = kCoolDown;
  // What others have says nothing once the canary is gone.
  profile.spec.rollback.watch_for = world.judge == SimulatedJudge::kOurs ? world.watch_for : Duration(0);
  Slo slo;
  profile.spec.apply = world.placement == Placement::kWithinPods ? ApplyMode::kLive : ApplyMode::kRestart;
  if (world.fixed) {
    profile.spec.strategy = Strategy::kFixed;
    profile.spec.fixed = *world.fixed;
  }
  slo.name = kServingSlo;
  slo.max_regression_percent = world.tolerance_percent;
  profile.spec.slos = {slo};
  return profile;
}

/// The cluster, what goes wrong in it, and the operator's passes over it.
class SimulatedRollout {
 public:
  SimulatedRollout(const RolloutWorld& world, std::uint64_t seed)
      : world_(world),
        random_(seed),
        cluster_(world, random_),
        mischief_(world.faults, world.placement == Placement::kWithinPods, seed + 1'000'000'007, api_, cluster_),
        invariants_(api_),
        others_(world.judge, world.tolerance_percent),
        operator_(api_, [this](const Facts& facts) {
          return world_.judge == SimulatedJudge::kOurs ? judge_trial(facts) : others_.judge(facts);
        }) {
    api_.objects.profile = std::make_shared<const Profile>(new_profile(world));
    Workload target = new_workload("checkout", "target-1", world.replicas);
    target.containers.front().memory_limit = kContainerLimit;
    api_.objects.target = std::make_shared<const Workload>(std::move(target));
    api_.on_write = [this](const Objects& before) { invariants_.wrote(before, operators_now()); };
    mischief_.on_settings_by_person = [this] { invariants_.person_set(); };
    mischief_.on_clock_step = [this](Duration step) { invariants_.clock_stepped(step); };
    cluster_.settle(api_, now_);
  }

  RolloutResult run() {
    while (!over() && result_.broken.empty()) {
      const Duration window = next_window();
      now_ += window;
      mischief_.pass(window, now_);
      cluster_.settle(api_, now_);
      const bool away = mischief_.operator_is_away(now_);
      cluster_.serve(window, away ? std::nullopt : read_at(), weather());
      if (!away) passes(window);
      cluster_.obey(api_.objects, now_);
      invariants_.obeyed(cluster_, now_);
      if (result_.broken.empty()) result_.broken = invariants_.broken();
    }
    conclude();
    return result_;
  }

 private:
  /// Null unless settings change by turns at the moment.
  std::shared_ptr<const Trial> in_turns() const {
    const auto trial = api_.objects.running_trial();
    return trial && trial->status.live ? trial : nullptr;
  }
  static Duration reading_interval(const Trial& trial) {
    return std::max<Duration>(trial.spec.live->block / kReadingsOfABlock, kShortestReading);
  }
  /// Time that goes by at once: up to the next turn, where there are turns.
  Duration next_window() const {
    const auto running = api_.objects.running_trial();
    if (!running || !running->spec.live) return world_.canary.interval;
    if (!running->status.live) return world_.canary.interval;
    const Duration reading = reading_interval(*running);
    const Duration step = reading / ((reading + kLongestStep - Duration(1)) / kLongestStep);
    const LiveTurn& turn = *running->status.live;
    const Duration left = turn.since + (turn.block + 1) * running->spec.live->block - operators_now();
    // Not a step of a moment because of what was rounded.
    return left > Duration(0) && left < step + kReadBefore ? left : step;
  }
  /// When the operator reads the pods, if it does at the end of this step.
  std::optional<Time> read_at() {
    const auto trial = in_turns();
    if (trial && now_ < read_due_ - kReadBefore) return std::nullopt;
    if (trial) read_due_ = now_ + reading_interval(*trial);
    return operators_now() - (world_.placement == Placement::kWithinPods ? kReadBefore : Duration(0));
  }
  Time operators_now() const { return now_ + mischief_.clock_error(); }

  /// The one that the result is about.
  const Trial* trial() const {
    const auto& trials = api_.objects.trials;
    const auto last = std::min(trials.size(), static_cast<std::size_t>(world_.retries) + 1);
    return last == 0 ? nullptr : trials[last - 1].get();
  }
  bool is_tried_again() const {
    return trial()->status.verdict == TrialVerdict::kInconclusive &&
           static_cast<int>(api_.objects.trials.size()) <= world_.retries;
  }

  bool over() {
    if (world_.length > Duration(0)) return now_ - kStart >= world_.length;
    if (trial() != nullptr && !trial()->running() && !is_tried_again()) return true;
    if (now_ - kStart < (trial() == nullptr ? kLongestWait : (world_.retries + 1) * kLongestRollout)) return false;
    result_.broken = trial() == nullptr ? "no trial began: " + last_message_ : "the trial did not end";
    return true;
  }

  /// The part of the first trial's watch that is over; none before and after.
  std::optional<double> watched() const {
    const auto trial = api_.objects.running_trial();
    if (!trial || !trial->status.watching_since || trial->spec.watch_for <= Duration(0)) return std::nullopt;
    return (operators_now() - *trial->status.watching_since) / (1.0 * trial->spec.watch_for);
  }

  Weather weather() {
    Weather weather;
    const auto trial = api_.objects.running_trial();
    weather.load = mischief_.load() * (trial && !before_promotion(trial->status.phase) ? world_.load_after : 1);
    const auto part = watched();
    if (!part) return weather;
    weather.slowness = 1 + world_.drift * std::clamp(*part, 0.0, 1.0);
    if (*part >= world_.late_from && world_.late_slowdown != 1) weather.harm_of_target = world_.late_slowdown;
    if (world_.ooms_from && *part >= *world_.ooms_from && trial->status.phase == TrialPhase::kWatching) {
      cluster_.restart(Track::kStable, now_, true);
    }
    return weather;
  }

  void passes(Duration window) {
    Duration waited{0};
    for (int i = 0; i < kMostPassesAtOnce; ++i) {
      const OperatorProcess::Pass pass = operator_.pass(mischief_.picture(), cluster_, operators_now());
      last_message_ = pass.step.message;
      note(pass);
      if (!result_.broken.empty()) return;
      if (api_.operator_is_dead()) return mischief_.bury_operator(now_);
      waited += pass.step.requeue_after;
      if (pass.error || pass.step.requeue_after > seconds(1) || waited >= window) return;
      if (in_turns() && (pass.step.requeue_after >= kShortWait || i > 2)) return;
      if (world_.length == Duration(0) && over()) return;
    }
    result_.broken = "there is no end of passes: " + last_message_;
  }

  void note(const OperatorProcess::Pass& pass) {
    invariants_.passed(pass, operators_now(), mischief_.is_calm());
    result_.broken = invariants_.broken();
    if (trial() == nullptr) return;
    if (!begun_) begun_ = now_;
    const TrialStatus& status = trial()->status;
    result_.promoted = result_.promoted || status.promoted.has_value();
    if (result_.until_decided == Duration(0) && !before_promotion(status.phase)) result_.until_decided = now_ - *begun_;
  }

  void conclude() {
    result_.accidents = mischief_.accidents();
    result_.trials = static_cast<int>(api_.objects.trials.size());
    if (trial() == nullptr) return;
    result_.verdict = trial()->status.verdict;
    result_.reason = trial()->status.reason;
    result_.in_force = settings_now(api_.objects) == trial()->spec.to;
    result_.evidence = trial()->status.evidence;
    if (!result_.broken.empty()) {
      result_.broken += ", " + format_duration(std::chrono::floor<seconds>(now_ - kStart)) + " after the beginning";
    }
  }

  const RolloutWorld& world_;
  Random random_;
  Time now_ = kStart;  ///< by the true clock
  ApiServer api_;
  Cluster cluster_;
  Mischief mischief_;
  Invariants invariants_;
  OthersJudge others_;
  OperatorProcess operator_;
  std::optional<Time> begun_;  ///< the first trial
  Time read_due_;              ///< of a live trial
  std::string last_message_;
  RolloutResult result_;
};

}  // namespace

std::string to_string(Placement placement) {
  switch (placement) {
    case Placement::kSameNode:
      return "sameNode";
    case Placement::kAnywhere:
      return "anywhere";
    case Placement::kWithinPods:
      return "withinPods";
  }
  return {};
}

std::string to_string(SimulatedJudge judge) {
  switch (judge) {
    case SimulatedJudge::kOurs:
      return "ours";
    case SimulatedJudge::kMannWhitney:
      return "mannWhitney";
    case SimulatedJudge::kThreshold:
      return "threshold";
  }
  return {};
}

RolloutResult simulate_rollout(const RolloutWorld& world, std::uint64_t seed) {
  return SimulatedRollout(world, seed).run();
}

}  // namespace gopacer
