#include "simulate/others_judge.h"

#include <algorithm>
#include <optional>

#include "gopacer/domain/histogram.h"
#include "judge/windows.h"
#include "simulate/mann_whitney.h"

namespace gopacer::simulating {
namespace {

std::optional<double> quantile_of_window(const Facts& facts, Track track) {
  const TrialSpec& trial = facts.desired.trial->spec;
  const judging::Window window{facts.now - trial.canary.interval, facts.now};
  const Slo& slo = trial.slos.front();
  const auto requests = judging::latency_in(judging::arm_of(facts.observed, track), window, slo.name);
  const auto found = requests ? quantile(*requests, slo.histogram().quantile) : std::nullopt;
  return found ? std::optional(found->value) : std::nullopt;
}

}  // namespace

Verdict OthersJudge::judge(const Facts& facts) {
  Verdict verdict;
  verdict.outcome = Outcome::kUndecided;
  const auto& trial = facts.desired.trial;
  if (!trial || trial->status.phase != TrialPhase::kMeasuring || facts.now == judged_at_) return verdict;
  judged_at_ = facts.now;
  const auto canary = quantile_of_window(facts, Track::kCanary);
  const auto baseline = quantile_of_window(facts, Track::kBaseline);
  if (!canary || !baseline) return verdict;
  canaries_.push_back(*canary);
  baselines_.push_back(*baseline);
  const CanaryPlan& plan = trial->spec.canary;
  if (kind_ == SimulatedJudge::kThreshold) {
    by_threshold(verdict);
  } else if (facts.now - *trial->status.measuring_since + plan.interval >= plan.max_duration) {
    verdict.outcome = p_of_higher(canaries_, baselines_) < 0.01 ? Outcome::kWorse : Outcome::kBetter;
  }
  verdict.reason = verdict.outcome == Outcome::kWorse ? "LatencyRegression" : "Better";
  return verdict;
}

void OthersJudge::by_threshold(Verdict& verdict) const {
  constexpr std::ptrdiff_t kFailures = 5;
  constexpr std::size_t kWindows = 20;
  const double most = baselines_.front() * (1 + tolerance_);
  const auto above = std::count_if(canaries_.begin(), canaries_.end(), [&](double value) { return value > most; });
  if (above >= kFailures) {
    verdict.outcome = Outcome::kWorse;
  } else if (canaries_.size() >= kWindows) {
    verdict.outcome = Outcome::kBetter;
  }
}

}  // namespace gopacer::simulating
