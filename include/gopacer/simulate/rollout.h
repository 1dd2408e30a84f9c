#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/domain/evidence.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/trial.h"

namespace gopacer {

/// What new settings are compared with, and where.
enum class Placement {
  kSameNode,    ///< the canary with a baseline on its node
  kAnywhere,    ///< the canary with a baseline anywhere
  kWithinPods,  ///< the target's pods with themselves, by turns: node agents set them
};

std::string to_string(Placement placement);

/// Who says whether a canary may be promoted: gopacer, or what other tools do.
enum class SimulatedJudge {
  kOurs,
  /// The quantile of each window, by the test of Mann and Whitney, after the trial's whole time: worse when the
  /// canary's are higher with one-sided p < 1 %.
  kMannWhitney,
  /// Each window's quantile against the baseline's first one and the tolerance: worse after five windows above it,
  /// better after twenty that were not.
  kThreshold,
};

std::string to_string(SimulatedJudge judge);

/// What goes wrong beside the service itself, and how often.
struct Faults {
  double calls = 0;     ///< share of the operator's writes that fail, are lost, or are the last thing before its death
  double pictures = 0;  ///< share of passes in which a watch shows an object as it was before
  // Events an hour, each of any kind.
  double deaths = 0;  ///< of the operator, between two passes; nobody follows for up to ten minutes
  double pods = 0;    ///< a container that restarts, a pod that is evicted, a surge or a lull of the load
  double clock = 0;   ///< the operator's clock steps, mostly by seconds and sometimes by hours, ahead or back
  double people = 0;  ///< settings, image, replicas, target, trial or profile are changed by somebody
  bool any() const { return calls + pictures + deaths + pods + clock + people > 0; }
};

/// A service, the cluster that it runs in, and what new settings do to it. What is called a spread is the standard
/// deviation of a logarithm: 0.05 means that two thirds of all values are within 5 % of the usual one. New are all
/// settings but those that the target has in the beginning.
struct RolloutWorld {
  Placement placement = Placement::kAnywhere;
  SimulatedJudge judge = SimulatedJudge::kOurs;
  int replicas = 4;
  std::optional<Settings> fixed;  ///< what the profile asks for; none: what the model recommends
  CanaryPlan canary;              ///< of the profile, as is watch_for
  Duration watch_for = std::chrono::minutes(30);
  double requests_per_second = 400;  ///< of the whole service
  double utilisation = 0.4;          ///< of the CPU that each of the target's pods has, before the trial
  double pod_spread = 0.05;          ///< of the speed of pods, for as long as they live
  double node_part = 0.9;            ///< of the variance of that: all pods of a node have it in common
  double disturbance = 0.05;         ///< spread of a pod's latency from one window to the next
  double autocorrelation = 0.3;      ///< of that, between neighbouring windows
  double cpu_disturbance = 0;        ///< likewise of the CPU for each request
  double load_after = 1;             ///< factor of the load from the promotion on
  int retries = 0;                   ///< of trials that end undecided, each after the cool-down
  double drift = 0;                  ///< by how much latency rises, evenly, over the watch: 0.2 is a fifth

  /// Factor of latency with new settings, at any load and all in all. None: what requests gain where fewer
  /// collections mark while they run.
  std::optional<double> slowdown;
  double burst = 1;                 ///< factor of latency with new settings in some windows
  double burst_share = 0;           ///< of a pod's windows
  double late_slowdown = 1;         ///< factor of latency of the target's pods with new settings in the watch
  double late_from = 0;             ///< from this part of the watch on
  std::optional<double> ooms_from;  ///< from this part of the watch on pods with new settings run out of memory
  double gc_share_before = 0.15;    ///< of the CPU that the service uses
  double promise_kept = 1;          ///< part of the CPU that the model promises to save
  std::optional<double> saving;     ///< of the CPU for each request by new settings; none: what was promised
  int tolerance_percent = 10;       ///< the profile's maxRegressionPercent of the 99th percentile

  Faults faults;
  /// The operator goes on with the service for so long; 0: until its first trial, with retries the last, ends.
  Duration length{0};
};

/// How a rollout went.
struct RolloutResult {
  // Of the first trial, or of the last where undecided ones are tried again.
  TrialVerdict verdict = TrialVerdict::kNone;
  std::string reason;
  bool promoted = false;      ///< the target got the new settings, if only for a while
  bool in_force = false;      ///< it has them in the end
  Duration until_decided{0};  ///< from the trial's start until it was promoted, or ended before
  int trials = 0;             ///< in all
  int accidents = 0;          ///< faults that came about
  Evidence evidence;          ///< of that trial, while it compared
  std::string broken;         ///< an invariant that did not hold; empty when all did
};

/// One trial from its beginning to its end, or a longer time: the real decide(), judge, rules and state machine over a
/// simulated cluster, in virtual time. The same seed gives the same rollout.
RolloutResult simulate_rollout(const RolloutWorld& world, std::uint64_t seed);

}  // namespace gopacer
