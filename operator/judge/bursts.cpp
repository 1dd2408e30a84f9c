#include "judge/bursts.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "judge/measure.h"

namespace gopacer::judging {
namespace {

/// More pods tell hardly more.
constexpr std::size_t kMostOthers = 32;

std::vector<std::optional<double>> values(const Arm& pods, const Window& window, const Slo& slo) {
  std::vector<std::optional<double>> found;
  for (const PodSeries* pod : pods) {
    const auto counted = counted_in({pod}, window, slo);
    const bool enough = counted && counted->count() >= fewest_requests(slo);
    found.push_back(enough ? std::optional(value(*counted, slo)) : std::nullopt);
  }
  return found;
}

/// Who was far above the middle one of `others`; nobody when these are too few.
struct Bursts {
  std::vector<bool> canaries;
  std::vector<bool> others;
  int canaries_seen = 0;
  int others_seen = 0;
};

/// How many times the usual a burst is, at least.
double least_burst(const RunningStats& stats) {
  if (stats.n < 2) return kBurst;
  const double deviation = std::sqrt(stats.m2 / static_cast<double>(stats.n - 1));
  return std::max(kBurst, std::exp(kBurstDeviations * deviation));
}

Bursts bursts_in(const Arm& canaries, const Arm& others, const Window& window, const Slo& slo, double least) {
  const auto of_others = values(others, window, slo);
  std::vector<double> usual;
  for (const auto& one : of_others) {
    if (one) usual.push_back(*one);
  }
  Bursts bursts{std::vector<bool>(canaries.size()), std::vector<bool>(others.size())};
  if (usual.size() < static_cast<std::size_t>(kFewestOthers)) return bursts;
  const auto middle = usual.begin() + static_cast<std::ptrdiff_t>(usual.size() / 2);
  std::nth_element(usual.begin(), middle, usual.end());
  const auto mark = [&](const std::vector<std::optional<double>>& found, std::vector<bool>& in_burst) {
    for (std::size_t i = 0; i < found.size(); ++i) in_burst[i] = found[i] && *found[i] > least * *middle;
    return static_cast<int>(std::count_if(found.begin(), found.end(), [](const auto& one) { return one.has_value(); }));
  };
  bursts.canaries_seen = mark(values(canaries, window, slo), bursts.canaries);
  bursts.others_seen = mark(of_others, bursts.others);
  return bursts;
}

/// Of the first `pods` of them.
int begun(const std::vector<bool>& now, const std::vector<bool>& before, std::size_t pods) {
  int count = 0;
  for (std::size_t i = 0; i < std::min(pods, now.size()); ++i) count += now[i] && !before[i] ? 1 : 0;
  return count;
}

/// Logarithm of the likelihood ratio of bursts that come to the canary kBurstsMoreOften times as often as to a pod of
/// the others, against such as come to any. `by_chance`: the canary's part of the pods.
double odds_of(int ours, int theirs, double by_chance) {
  const double odds = kBurstsMoreOften * by_chance / (1 - by_chance);
  const double by_harm = odds / (1 + odds);
  return ours * std::log(by_harm / by_chance) + theirs * std::log((1 - by_harm) / (1 - by_chance));
}

}  // namespace

void count_bursts(MetricEvidence& metric, const ArmsAndTarget& pods, const Window& window, const Slo& slo) {
  Arm others = pods.baseline;
  others.insert(others.end(), pods.target.begin(), pods.target.end());
  if (others.size() > kMostOthers) others.resize(kMostOthers);
  const double least = least_burst(metric.stats);
  const Bursts now = bursts_in(pods.canary, others, window, slo, least);
  const auto any = [](const std::vector<bool>& in_burst) { return std::count(in_burst.begin(), in_burst.end(), true); };
  if (any(now.canaries) + any(now.others) == 0) return;
  const Bursts before =
      bursts_in(pods.canary, others, {window.from - (window.to - window.from), window.from}, slo, least);
  if (now.canaries_seen == 0) return;
  const int ours = begun(now.canaries, before.canaries, now.canaries.size());
  const int theirs = begun(now.others, before.others, now.others.size());
  const double by_chance = static_cast<double>(now.canaries_seen) / (now.canaries_seen + now.others_seen);
  metric.canary_bursts += ours;
  metric.other_bursts += theirs;
  metric.baseline_bursts += begun(now.others, before.others, pods.baseline.size());
  metric.burst_odds += odds_of(ours, theirs, by_chance);
}

bool bursts_decide(const MetricEvidence& metric, double alpha) {
  const double enough = std::log(1 / alpha);
  return metric.canary_bursts >= kFewestBursts && metric.burst_odds >= enough &&
         odds_of(metric.canary_bursts, metric.baseline_bursts, 0.5) >= enough;
}

}  // namespace gopacer::judging
