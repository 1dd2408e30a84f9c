#include "decide/formulas.h"

#include <algorithm>
#include <array>

namespace gopacer::deciding {

double latency_memory_rate(double heap_growth_mb_per_second, double p99_ms) {
  return std::clamp(15 * (1 + 0.8 * heap_growth_mb_per_second) * (1 + 0.02 * p99_ms), 10.0, 100.0);
}

double two_factor(double requests_per_second, double heap_utilization) {
  return 80 * std::clamp(requests_per_second / 500, 0.3, 2.0) * std::max(0.5, 1 - 0.8 * heap_utilization);
}

double pause_forecast_ms(const PauseFactors& factors) {
  return 0.45 * factors.alloc_rate_ratio * factors.mean_pause_ms +
         0.35 * factors.live_objects_ratio * factors.mean_pause_ms + 0.20 * factors.last_pause_ms;
}

double pause_feedback(double gogc, Bytes heap, const std::array<Duration, 3>& last_pauses,
                      double heap_growth_mb_per_second) {
  if (heap < mib(16)) return 100;
  const Duration mean = (last_pauses[0] + last_pauses[1] + last_pauses[2]) / 3;
  const double target = to_seconds(std::chrono::milliseconds(5));
  const double next = std::clamp(gogc / std::clamp(to_seconds(mean) / target, 0.5, 2.0), 25.0, 200.0);
  return heap_growth_mb_per_second > 2 ? std::max(25.0, 0.8 * next) : next;
}

double water_level_gogc(double gogc, double p99_ms) {
  constexpr double kTight = 30;
  constexpr double kUsual = 100;
  const bool is_tight = gogc < (kTight + kUsual) / 2;
  return p99_ms > (is_tight ? 640 : 800) ? kTight : kUsual;
}

double water_level_limit(double part, double node_share) {
  constexpr std::array kStages{0.6, 0.75, 0.9};
  // What is nearer is about equal.
  constexpr double kStep = 0.9;
  if (node_share > 0.85) {
    const auto next =
        std::find_if(kStages.rbegin(), kStages.rend(), [&](double stage) { return stage <= part * kStep; });
    return next == kStages.rend() ? part : *next;
  }
  if (node_share < 0.75) {
    const auto next = std::find_if(kStages.begin(), kStages.end(), [&](double stage) { return stage * kStep >= part; });
    return next == kStages.end() ? part : *next;
  }
  return part;
}

}  // namespace gopacer::deciding
