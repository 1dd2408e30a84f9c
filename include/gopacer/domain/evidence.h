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

enum class MetricUnit { kSeconds, kShare, kNumber };

enum class MetricState { kUndecided, kPass, kFail, kNoData };

/// What a trial knows of one metric so far. Changes are relative: 0.05 means that the canary is 5 % above the baseline.
struct MetricEvidence {
  std::string name;
  RunningStats stats;  ///< of the windows' differences, on the scale of `threshold`
  /// Likewise of the target's own pods against the baseline while both run the old settings: by so much their nodes and
  /// their age make them differ.
  RunningStats peers = {};
  double canary = 0;  ///< mean of the windows' values (geometric where `ratio`), in the metric's own unit
  double baseline = 0;
  double low = 0;  ///< confidence interval of the mean difference
  double high = 0;
  double threshold = 0;                    ///< passes when `high` is below it, fails when `low` is above it
  bool relative = false;                   ///< differences are logarithms of ratios, else plain
  MetricUnit unit = MetricUnit::kSeconds;  ///< of `canary` and `baseline` where `relative`; not kept: the SLO tells it
  double counted = 0;                      ///< requests in the windows, of the arm with fewer; of a ratio only
  int violations = 0;                      ///< consecutive windows in which only the canary broke the absolute limit
  MetricState state = MetricState::kUndecided;
  std::string source;  ///< where the values come from when there are several places; the same for both arms
  int missing = 0;     ///< consecutive windows without data from `source`
  int unresolved = 0;  ///< windows with enough requests, but no bucket bound near the quantile
  /// Begin of the windows that had too few requests to count by themselves and are being added up.
  std::optional<Time> pending_since = std::nullopt;
  std::string summary = {};  ///< all of it for people, rounded
};

/// Everything that a trial's verdict rests on.
struct Evidence {
  std::vector<MetricEvidence> metrics;
  int windows = 0;
  int empty_windows = 0;
  std::int64_t canary_requests = 0;
  std::int64_t baseline_requests = 0;
  double baseline_memory = 0;  ///< the largest share of its limit that a baseline pod took; 0 while unknown
  /// End of the last window that was counted.
  std::optional<Time> until;
};

}  // namespace gopacer
