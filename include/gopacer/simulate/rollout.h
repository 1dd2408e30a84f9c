#pragma once

#include <cstdint>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/domain/trial.h"

namespace gopacer {

/// On which nodes the canary and the baseline of a pair run.
enum class Placement { kSameNode, kAnywhere };

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

/// A service, the cluster that it runs in, and what the new settings do to it. What is called a spread is the standard
/// deviation of a logarithm: 0.05 means that two thirds of all values are within 5 % of the usual one.
struct RolloutWorld {
  Placement placement = Placement::kAnywhere;
  SimulatedJudge judge = SimulatedJudge::kOurs;
  int replicas = 4;
  int pairs = 1;
  double requests_per_second = 400;  ///< of the whole service
  double utilisation = 0.4;          ///< of the CPU that each of the target's pods has, before the trial
  double pod_spread = 0.05;          ///< of the speed of pods, for as long as they live
  double node_part = 0.9;            ///< of the variance of that: all pods of a node have it in common
  double disturbance = 0.05;         ///< spread of a pod's latency from one window to the next
  double autocorrelation = 0.3;      ///< of that, between neighbouring windows
  double load_after = 1;             ///< factor of the load from the promotion on
  double burst_part = 0;             ///< of the windows of pods with the new settings, in which they are slower
  double burst_slowdown = 1;         ///< factor of latency then
  int retries = 0;                   ///< of trials that end undecided, each after the cool-down
  double drift = 0;                  ///< by how much latency rises, evenly, over the watch: 0.2 is a fifth

  double slowdown = 1;            ///< factor of latency with the new settings, all told
  double late_slowdown = 1;       ///< the same, of the target's pods in the watch
  double late_from = 0;           ///< from this part of the watch on
  double gc_share_before = 0.15;  ///< of the CPU that the service uses
  double saving_promised = 0.05;  ///< of that CPU, by the model
  double saving_in_truth = 0.05;
  int tolerance_percent = 10;  ///< the profile's maxRegressionPercent of the 99th percentile
};

/// How a rollout went.
struct RolloutResult {
  TrialVerdict verdict = TrialVerdict::kNone;
  std::string reason;
  bool promoted = false;  ///< the target got the new settings, if only for a while
  bool in_force = false;  ///< it has them in the end
  int trials = 1;
  Duration until_decided{0};  ///< from the trial's start until it was promoted, or ended before
  std::string broken;         ///< an invariant that did not hold; empty when all did
};

/// One trial from its beginning to its end: the real rules, judge and state machine over a simulated cluster, in
/// virtual time. The same seed gives the same rollout. Decisions are not the subject: the new settings are given.
RolloutResult simulate_rollout(const RolloutWorld& world, std::uint64_t seed);

}  // namespace gopacer
