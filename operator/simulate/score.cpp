#include "gopacer/simulate/score.h"

#include <cmath>

namespace gopacer::simulate {
namespace {

/// Below it a share of the saving says nothing.
constexpr double kLeastSaving = 0.01;
constexpr double kNearOptimum = 1.10;

}  // namespace

std::optional<double> Score::share_of_oracle() const {
  if (oracle_saving < kLeastSaving) return std::nullopt;
  return saving / oracle_saving;
}

Score score(const Trace& trace, const Plan& plan) {
  const Objective objective = plan.spec.objective;
  Score score;
  score.price =
      objective == Objective::kThroughput || objective == Objective::kLatency ? Price::kCpu : Price::kCpuAndMemory;
  const auto price = [&](const Outcome& outcome) { return price_of(outcome, trace, score.price); };
  score.untouched = run_fixed(trace, trace.settings, plan.seed);
  score.run = run_strategy(trace, plan);
  score.oracle = best_static(trace, score.price, plan.spec.bounds, plan.seed);
  const double before = price(score.untouched);
  if (before > 0) score.saving = 1 - price(score.run) / before;
  if (score.oracle) {
    const double best = price(score.oracle->outcome);
    if (before > 0) score.oracle_saving = std::max(0.0, 1 - best / before);
    std::vector<Settings> steps = {trace.settings};
    for (const Rollout& rollout : score.run.rollouts) steps.push_back(rollout.to);
    for (std::size_t i = 0; i < steps.size() && !score.rollouts_to_optimum; ++i) {
      const Outcome outcome = i == 0 ? score.untouched : run_fixed(trace, steps[i], plan.seed);
      if (outcome.ooms == 0 && price(outcome) <= kNearOptimum * best) score.rollouts_to_optimum = static_cast<int>(i);
    }
  }
  for (const Rollout& rollout : score.run.rollouts) {
    if (!rollout.predicted || !rollout.gc_share || !rollout.peak_memory) continue;
    score.gc_share_errors.push_back(rollout.predicted->gc_cpu_fraction / *rollout.gc_share - 1);
    score.peak_memory_errors.push_back(rollout.predicted->peak_memory / *rollout.peak_memory - 1);
  }
  return score;
}

}  // namespace gopacer::simulate
