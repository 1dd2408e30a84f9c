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
        mischief_(world.faults, seed + 1'000'000'007, api_, cluster_),
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
      now_ += window();
      mischief_.pass(window(), now_);
      cluster_.settle(api_, now_);
      const bool away = mischief_.operator_is_away(now_);
      cluster_.serve(window(), away ? std::nullopt : std::optional(operators_now()), weather());
      if (!away) passes();
    }
    conclude();
    return result_;
  }

 private:
  Duration window() const { return world_.canary.interval; }
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

  void passes() {
    Duration waited{0};
    for (int i = 0; i < kMostPassesAtOnce; ++i) {
      const OperatorProcess::Pass pass = operator_.pass(mischief_.picture(), cluster_, operators_now());
      last_message_ = pass.step.message;
      note(pass);
      if (!result_.broken.empty()) return;
      if (api_.operator_is_dead()) return mischief_.bury_operator(now_);
      waited += pass.step.requeue_after;
      if (pass.error || pass.step.requeue_after > seconds(1) || waited >= window()) return;
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
    result_.in_force = settings_of(*api_.objects.target) == trial()->spec.to;
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
  std::string last_message_;
  RolloutResult result_;
};

}  // namespace

std::string to_string(Placement placement) { return placement == Placement::kSameNode ? "sameNode" : "anywhere"; }

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
