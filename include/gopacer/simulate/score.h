#pragma once

#include <optional>
#include <vector>

#include "gopacer/simulate/run.h"

namespace gopacer::simulate {

/// How good a strategy was on a trace, next to what nobody touched and next to the best that was possible.
struct Score {
  Outcome untouched;  ///< the trace's own settings all the time
  Outcome run;        ///< the strategy
  std::optional<Oracle> oracle;
  Price price = Price::kCpu;
  double saving = 0;         ///< of the untouched price, by the strategy over the whole trace, its way there included
  double oracle_saving = 0;  ///< by the oracle
  /// Rollouts after which the settings, had they been in force all the time, cost at most 10 % more than the oracle's.
  /// None when they never do.
  std::optional<int> rollouts_to_optimum;
  /// Relative errors of what was promised, for each rollout that was watched to its end.
  std::vector<double> gc_share_errors;
  std::vector<double> peak_memory_errors;

  /// Of the oracle's saving. None when there is nothing to save: less than 1 %.
  std::optional<double> share_of_oracle() const;
};

/// Runs the plan, the untouched trace and the oracle. The oracle wants what the plan's objective wants: CPU under
/// Throughput and Latency, CPU and memory otherwise.
Score score(const Trace& trace, const Plan& plan);

}  // namespace gopacer::simulate
