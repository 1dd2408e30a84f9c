#include "gopacer/simulate/rollout.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "gopacer/domain/histogram.h"
#include "gopacer/rollout/advance.h"
#include "gopacer/rollout/pass.h"
#include "judge/windows.h"
#include "simulate/mann_whitney.h"
#include "simulate/serving_pod.h"

namespace gopacer {
namespace {

using simulating::kServingSlo;
using simulating::Random;
using simulating::Serving;
using simulating::ServingPod;
using std::chrono::hours;
using std::chrono::seconds;

const Time kStart{hours(24 * 365 * 54)};
/// A cluster has so many, and pods go anywhere.
constexpr int kNodes = 20;
constexpr double kMedianLatency = 0.020;
/// Queues get long near it, but a pod goes on.
constexpr double kFullyUsed = 0.95;
constexpr double kAllocatedPerRequest = 2.0 * 1024 * 1024;
/// Windows that the target is known for before the trial.
constexpr int kWindowsBefore = 8;
constexpr Duration kLongestRollout = hours(4);
/// Passes that follow each other without waiting are no more than these.
constexpr int kMostPassesAtOnce = 10;

const Settings kOld;
const Settings kNew{Gogc(200), mib(400)};

struct LivingPod {
  ServingPod pod;
  int node;
  double slowness;         ///< factor, as long as it lives
  double disturbance = 0;  ///< logarithm, of the present window
  bool in_burst = false;   ///< in the present window

  Track track() const { return pod.series().track; }
};

Profile new_profile(const RolloutWorld& world) {
  Profile profile;
  profile.key = {"shop", "checkout"};
  profile.uid = "profile";
  profile.spec.target = "checkout";
  profile.spec.update_mode = UpdateMode::kCanary;
  profile.spec.canary.replicas = world.pairs;
  // What others have says nothing once the canary is gone.
  if (world.judge != SimulatedJudge::kOurs) profile.spec.rollback.watch_for = Duration(0);
  Slo slo;
  slo.name = kServingSlo;
  slo.max_regression_percent = world.tolerance_percent;
  profile.spec.slos = {slo};
  return profile;
}

/// With all of its pods there.
Workload new_workload(const std::string& name, int replicas) {
  Workload workload;
  workload.key = {"shop", name};
  workload.uid = name;
  workload.generation = workload.observed_generation = 1;
  workload.replicas = workload.updated_replicas = workload.available_replicas = workload.total_replicas = replicas;
  workload.template_hash = "template";
  ContainerSpec container;
  container.name = "app";
  workload.containers = {container};
  return workload;
}

/// That the new settings are better, with all that the model would promise of them.
Decision worth_trying(const RolloutWorld& world) {
  Decision decision;
  decision.kind = Decision::Kind::kChange;
  decision.reason = "Change";
  decision.settings = kNew;
  Prediction predicted;
  predicted.gc_cpu_fraction = world.gc_share_before - world.saving_promised;
  predicted.saving = world.saving_promised;
  decision.predicted = predicted;
  return decision;
}

/// The cluster, and the operator's passes over it.
class SimulatedRollout {
 public:
  SimulatedRollout(const RolloutWorld& world, std::uint64_t seed)
      : world_(world),
        random_(seed),
        profile_(new_profile(world)),
        target_(new_workload("checkout", world.replicas)),
        decision_(worth_trying(world)) {
    for (int node = 0; node < kNodes; ++node) {
      node_slowness_.push_back(noise(world.pod_spread * std::sqrt(world.node_part)));
    }
    start_pods(Track::kStable, world.replicas);
  }

  RolloutResult run() {
    run_trial();
    while (result_.trials <= world_.retries && result_.broken.empty() && ended() && !result_.promoted &&
           trial_->status.verdict == TrialVerdict::kInconclusive) {
      ++result_.trials;
      ended_trials_.push_back(std::make_shared<Trial>(*trial_));
      trial_.reset();
      now_ = std::max(now_, profile_.memory.cool_down_until.value_or(now_));
      run_trial();
    }
    conclude();
    return result_;
  }

 private:
  void run_trial() {
    for (int i = 0; i < kWindowsBefore; ++i) serve();
    const Time begun = now_;
    while (!ended() && result_.broken.empty() && now_ - begun < kLongestRollout) {
      serve();
      pass();
      const bool decided = trial_ && !before_promotion(trial_->status.phase);
      if (decided && result_.until_decided == Duration(0)) result_.until_decided = now_ - begun;
    }
  }

  bool ended() const { return trial_ && !trial_->running(); }
  double normal() { return std::normal_distribution<double>()(random_); }
  double noise(double spread) { return std::exp(spread * normal()); }
  int any_node() { return std::uniform_int_distribution<int>(0, kNodes - 1)(random_); }

  void start_pod(Track track, int node) {
    const bool has_new = track == Track::kCanary || (track == Track::kStable && current_ == kNew);
    const double own = noise(world_.pod_spread * std::sqrt(1 - world_.node_part));
    pods_.push_back({ServingPod("pod-" + std::to_string(++pods_made_), track, has_new ? kNew : kOld, now_), node,
                     node_slowness_[static_cast<std::size_t>(node)] * own, world_.disturbance * normal()});
  }

  void start_pods(Track track, int count) {
    for (int i = 0; i < count; ++i) start_pod(track, any_node());
  }

  void start_arms() {
    if (has_pods(Track::kCanary)) return;
    for (int i = 0; i < trial_->spec.canary.replicas; ++i) {
      const int node = any_node();
      start_pod(Track::kBaseline, node);
      start_pod(Track::kCanary, world_.placement == Placement::kSameNode ? node : any_node());
    }
  }

  void stop_pods(Track track) {
    std::erase_if(pods_, [&](const LivingPod& pod) { return pod.track() == track; });
  }

  bool has_pods(Track track) const {
    return std::any_of(pods_.begin(), pods_.end(), [&](const LivingPod& pod) { return pod.track() == track; });
  }

  /// Kubernetes replaces all of the target's pods within a window.
  void set_target(const Settings& settings) {
    if (settings == current_) return;
    current_ = settings;
    target_.observed_generation = ++target_.generation;
    target_.updated_replicas = target_.available_replicas = 0;
    stop_pods(Track::kStable);
    start_pods(Track::kStable, world_.replicas);
  }

  /// What all pods have in common: how loaded they are, and what the day does to them.
  double load() const { return trial_ && !before_promotion(trial_->status.phase) ? world_.load_after : 1; }
  double drifted() const {
    const auto& since = trial_ ? trial_->status.watching_since : std::nullopt;
    return since ? 1 + world_.drift * std::min(1.0, (now_ - *since) / (1.0 * trial_->spec.watch_for)) : 1;
  }

  /// Harm that only the target shows: a heap that grows into its limit, a cache that is new.
  double harm_of(const LivingPod& living) const {
    const auto& since = trial_ ? trial_->status.watching_since : std::nullopt;
    const bool late = living.track() == Track::kStable && since &&
                      now_ - *since >= std::chrono::duration_cast<Duration>(world_.late_from * trial_->spec.watch_for);
    return world_.slowdown * (late ? world_.late_slowdown : 1);
  }

  Serving serving_of(const LivingPod& living) const {
    const bool has_new = living.pod.series().settings == kNew;
    const double usual_rate = world_.requests_per_second / world_.replicas;
    const double rate = world_.requests_per_second * load() / static_cast<double>(pods_.size());
    const double work_of_request = (1 - world_.gc_share_before) * world_.utilisation / usual_rate;
    const auto waiting = [](double utilisation) { return 1 / (1 - std::min(utilisation, kFullyUsed)); };
    Serving serving;
    serving.gc_share = world_.gc_share_before - (has_new ? world_.saving_in_truth : 0);
    serving.requests = rate * to_seconds(interval());
    serving.cpu_of_request = living.slowness * work_of_request / (1 - serving.gc_share);
    // What the settings do to the queue is told by their slowdown: it is what it says, all in all.
    const double usual_cpu = living.slowness * work_of_request / (1 - world_.gc_share_before);
    serving.median_latency = kMedianLatency * living.slowness * (has_new ? harm_of(living) : 1) * drifted() *
                             (living.in_burst ? world_.burst_slowdown : 1) * std::exp(living.disturbance) *
                             waiting(rate * usual_cpu) / waiting(world_.utilisation);
    serving.allocated = kAllocatedPerRequest;
    return serving;
  }

  Duration interval() const { return profile_.spec.canary.interval; }

  void serve() {
    now_ += interval();
    const double rho = world_.autocorrelation;
    for (LivingPod& living : pods_) {
      living.disturbance = rho * living.disturbance + std::sqrt(1 - rho * rho) * world_.disturbance * normal();
      living.in_burst = world_.burst_part > 0 && living.pod.series().settings == kNew &&
                        std::uniform_real_distribution<double>()(random_) < world_.burst_part;
      living.pod.serve(now_, serving_of(living), random_);
    }
    target_.updated_replicas = target_.available_replicas = target_.replicas;
  }

  Facts facts() const {
    Facts facts;
    facts.now = now_;
    Desired& desired = facts.desired;
    desired.key = profile_.key;
    desired.profile = std::make_shared<Profile>(profile_);
    desired.target_name = target_.key.name;
    desired.target = std::make_shared<Workload>(target_);
    desired.container = "app";
    desired.current = current_;
    if (trial_) desired.trial = std::make_shared<Trial>(*trial_);
    desired.ended_trials = ended_trials_;
    if (has_pods(Track::kCanary)) {
      desired.canary = std::make_shared<Workload>(new_workload("canary", trial_->spec.canary.replicas));
    }
    if (has_pods(Track::kBaseline)) {
      desired.baseline = std::make_shared<Workload>(new_workload("baseline", trial_->spec.canary.replicas));
    }
    facts.observed.at = now_;
    for (const LivingPod& living : pods_) {
      Pod pod;
      pod.key = {"shop", living.pod.series().pod};
      pod.uid = living.pod.series().uid;
      pod.created = living.pod.series().created;
      pod.node = "node-" + std::to_string(living.node);
      pod.phase = "Running";
      pod.ready = true;
      desired.pods.push_back({std::make_shared<Pod>(std::move(pod)), living.track()});
      facts.observed.pods.push_back(living.pod.series());
    }
    return facts;
  }

  void pass() {
    for (int i = 0; i < kMostPassesAtOnce && !ended(); ++i) {
      Facts facts = this->facts();
      facts.decision = decision_;
      facts.verdict = world_.judge == SimulatedJudge::kOurs ? judge_trial(facts) : others_verdict(facts);
      const Step step = advance(facts);
      perform(step);
      if (step.requeue_after > seconds(1)) return;
    }
  }

  /// Of the judges that others have; they look at the canary only, and at no window twice.
  Verdict others_verdict(const Facts& facts) {
    Verdict verdict;
    verdict.outcome = Outcome::kUndecided;
    if (!trial_ || trial_->status.phase != TrialPhase::kMeasuring || now_ == judged_at_) return verdict;
    judged_at_ = now_;
    const auto canary = quantile_of_window(facts.observed, Track::kCanary);
    const auto baseline = quantile_of_window(facts.observed, Track::kBaseline);
    if (!canary || !baseline) return verdict;
    canaries_.push_back(*canary);
    baselines_.push_back(*baseline);
    if (world_.judge == SimulatedJudge::kThreshold) {
      by_threshold(verdict);
    } else if (now_ - *trial_->status.measuring_since + interval() >= trial_->spec.canary.max_duration) {
      verdict.outcome = simulating::p_of_higher(canaries_, baselines_) < 0.01 ? Outcome::kWorse : Outcome::kBetter;
    }
    verdict.reason = verdict.outcome == Outcome::kWorse ? "LatencyRegression" : "Better";
    return verdict;
  }

  void by_threshold(Verdict& verdict) const {
    constexpr std::ptrdiff_t kFailures = 5;
    constexpr std::size_t kWindows = 20;
    const double most = baselines_.front() * (1 + world_.tolerance_percent / 100.0);
    const auto above = std::count_if(canaries_.begin(), canaries_.end(), [&](double value) { return value > most; });
    if (above >= kFailures) {
      verdict.outcome = Outcome::kWorse;
    } else if (canaries_.size() >= kWindows) {
      verdict.outcome = Outcome::kBetter;
    }
  }

  std::optional<double> quantile_of_window(const Observation& observed, Track track) const {
    const auto requests = judging::latency_in(judging::arm_of(observed, track), {now_ - interval(), now_}, kServingSlo);
    const auto found = requests ? quantile(*requests, profile_.spec.slos.front().histogram().quantile) : std::nullopt;
    return found ? std::optional(found->value) : std::nullopt;
  }

  /// As the actor and the recorder do.
  void perform(const Step& step) {
    switch (step.kind) {
      case StepKind::kStartTrial:
        trial_.emplace();
        trial_->key = {"shop", trial_name(profile_.key.name, step.start->number)};
        trial_->uid = "trial";
        trial_->created = now_;
        trial_->spec = *step.start;
        break;
      case StepKind::kRunCanary:
        start_arms();
        break;
      case StepKind::kPromote:
        result_.promoted = true;
        set_target(*step.settings);
        break;
      case StepKind::kRollBack:
        set_target(*step.settings);
        break;
      case StepKind::kRetireCanary:
        stop_pods(Track::kCanary);
        break;
      case StepKind::kEnd:
        stop_pods(Track::kCanary);
        stop_pods(Track::kBaseline);
        break;
      case StepKind::kHold:
      case StepKind::kNoteTrial:
      case StepKind::kForgetTrial:
      case StepKind::kUndo:
      case StepKind::kRevert:
        break;
    }
    if (!step.leftovers.empty()) stop_pods(Track::kBaseline);
    if (step.memory) profile_.memory = *step.memory;
    if (!step.trial) return;
    trial_->status = *step.trial;
    if (step.kind == StepKind::kPromote || step.kind == StepKind::kRollBack) {
      trial_->status.applied_generation = target_.generation;
    }
  }

  void conclude() {
    if (!ended()) {
      if (result_.broken.empty()) result_.broken = "the trial did not end within " + format_duration(kLongestRollout);
      return;
    }
    result_.verdict = trial_->status.verdict;
    result_.reason = trial_->status.reason;
    result_.in_force = current_ == kNew;
    if (has_pods(Track::kCanary) || has_pods(Track::kBaseline)) result_.broken = "pods of the trial were left";
    if (result_.in_force != (result_.verdict == TrialVerdict::kPromote)) {
      result_.broken = "the verdict is " + to_string(result_.verdict) + " and the target has " + describe(current_);
    }
  }

  const RolloutWorld& world_;
  Random random_;
  Time now_ = kStart;
  Profile profile_;
  Workload target_;
  const Decision decision_;
  Settings current_ = kOld;  ///< the target's
  std::optional<Trial> trial_;
  std::vector<std::shared_ptr<const Trial>> ended_trials_;
  std::vector<double> node_slowness_;  ///< factors
  std::vector<LivingPod> pods_;
  int pods_made_ = 0;
  Time judged_at_;  ///< by the judges of others
  std::vector<double> canaries_;
  std::vector<double> baselines_;
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
