#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"

namespace gopacer {

/// Sufficient statistics of a row of numbers (Welford's algorithm): what a successor needs to go on with a test.
struct RunningStats {
  std::int64_t n = 0;
  double mean = 0;
  double m2 = 0;  ///< sum of squared deviations from the mean
  // How much neighbours resemble each other. A successor may begin these anew: without them a usual value is assumed.
  std::int64_t pairs = 0;      ///< neighbours seen
  double steps2 = 0;           ///< sum of the squared differences between neighbours
  std::optional<double> last;  ///< the latest number

  void add(double x);
  bool operator==(const RunningStats&) const = default;
};

/// Standard deviation of the logarithm of a figure among pods with equal settings, as it was measured.
struct MeasuredSpread {
  double spread = 0;  ///< 0.02: two thirds of the pods are within 2 % of the usual one
  int freedom = 0;    ///< degrees of freedom: pods that were compared, less one for each group; 0 when nothing was
  bool operator==(const MeasuredSpread&) const = default;
};

enum class MetricUnit { kSeconds, kShare, kNumber };

enum class MetricState { kUndecided, kPass, kFail, kNoData };

/// What a trial knows of one metric so far. Changes are relative: 0.05 means that the canary is 5 % above the baseline.
struct MetricEvidence {
  std::string name;
  RunningStats stats;  ///< of the windows' differences, on the scale of `threshold`
  /// Likewise of the target's own pods against the baseline while both run the old settings: by so much their nodes and
  /// their age make them differ. In the watch: the windows' differences of its first stretch.
  RunningStats peers = {};
  MeasuredSpread pod_spread = {};        ///< among pods on different nodes
  MeasuredSpread neighbour_spread = {};  ///< among pods of one node
  double canary = 0;  ///< mean of the windows' values (geometric where `ratio`), in the metric's own unit
  double baseline = 0;
  double low = 0;  ///< confidence interval of the mean difference
  double high = 0;
  double threshold = 0;                    ///< passes when `high` is below it, fails when `low` is above it
  bool relative = false;                   ///< differences are logarithms of ratios, else plain
  MetricUnit unit = MetricUnit::kSeconds;  ///< of `canary` and `baseline` where `relative`; not kept: the SLO tells it
  /// Requests in the windows, of the arm with fewer, where it is a ratio; collections of the canary, where it is GC's
  /// CPU.
  double counted = 0;
  int violations = 0;  ///< consecutive windows in which only the canary broke the absolute limit
  MetricState state = MetricState::kUndecided;
  std::string source;  ///< where the values come from when there are several places; the same for both arms
  int missing = 0;     ///< consecutive windows without data from `source`
  int unresolved = 0;  ///< windows with enough requests, but no bucket bound near the quantile
  /// Bursts: a pod's windows in which it was far worse than the pods with the old settings at the same time; such as
  /// follow each other are one.
  int canary_bursts = 0;
  int other_bursts = 0;     ///< of pods with the old settings
  int baseline_bursts = 0;  ///< of these, of the baseline
  double burst_odds = 0;    ///< logarithm of the likelihood ratio: they come to the canary, against: to any pod
  /// Begin of the windows that had too few requests to count by themselves and are being added up.
  std::optional<Time> pending_since = std::nullopt;
  std::string summary = {};  ///< all of it for people, rounded
};

/// What earlier trials of about the same settings left undecided: their windows count on in `metrics`.
struct EarlierTrials {
  int trials = 0;
  int windows = 0;
  // How much of the variance between pods is left in the mean of those windows, by pairs of pods that were others each
  // time: in units of what nodes differ by, and of what pods of one node differ by.
  double nodes = 0;
  double pods = 0;
  bool operator==(const EarlierTrials&) const = default;
};

/// Everything that a trial's verdict rests on.
struct Evidence {
  std::vector<MetricEvidence> metrics;
  int windows = 0;
  int empty_windows = 0;
  std::int64_t canary_requests = 0;
  std::int64_t baseline_requests = 0;
  double baseline_memory = 0;  ///< the largest share of its limit that a baseline pod took; 0 while unknown
  /// Of containers of pods that take turns, in this trial before the comparison began anew.
  int restarts = 0;
  /// End of the last window that was counted.
  std::optional<Time> until;
  int pairs = 1;        ///< pods of each arm
  int nodes_apart = 0;  ///< sum over nodes of the squared difference between the arms' numbers of pods there
  EarlierTrials earlier = {};
  /// Each pod was in both arms, so that its own part and its node's cancel. Not kept: the trial's plan tells it.
  bool within_pods = false;
};

/// Of what a trial has together with those that it went on from. A mean of windows over k pairs has 1/k of the variance
/// between pods, where all have as many.
EarlierTrials so_far(const Evidence& evidence);

/// With what a trial of about the same settings begins after one that ended undecided: the same row of windows goes on,
/// with other pods. So trying again and again is one test that may be looked at whenever one likes, and no other one
/// each time.
Evidence going_on_from(const Evidence& ended);

}  // namespace gopacer
