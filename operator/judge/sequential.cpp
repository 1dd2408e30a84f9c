#include "gopacer/judge/sequential.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gopacer {

double sequence_radius(double n, double alpha, double eta) {
  if (n < 1) return std::numeric_limits<double>::infinity();
  const double prior = eta * eta;
  const double spread = n * prior + 1;
  return std::sqrt(2 * spread / (n * n * prior) * std::log(std::sqrt(spread) / alpha));
}

double correlation_factor(const RunningStats& stats) {
  constexpr double kErrors = 1.3;
  constexpr double kUsual = 0.3;
  constexpr double kMost = 0.98;
  double rho = kUsual;
  if (stats.pairs >= 10) {
    const double variance = stats.m2 / static_cast<double>(stats.n - 1);
    if (variance <= 0) return 1;
    const double pairs = static_cast<double>(stats.pairs);
    rho = 1 - stats.steps2 / pairs / (2 * variance) + kErrors / std::sqrt(pairs);
  }
  rho = std::clamp(rho, 0.0, kMost);
  return std::sqrt((1 + rho) / (1 - rho));
}

Interval confidence_sequence(const RunningStats& stats, double alpha, double eta) {
  if (stats.n < kFewestWindows) {
    return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  }
  const double n = static_cast<double>(stats.n);
  const double half = std::sqrt(stats.m2 / (n - 1)) * correlation_factor(stats) * sequence_radius(n, alpha, eta);
  return {stats.mean - half, stats.mean + half};
}

double windows_needed(const RunningStats& stats, double distance, double alpha, double eta) {
  constexpr double kMost = 1e6;
  if (stats.n < 2 || distance <= 0) return kMost;
  const double deviation = std::sqrt(stats.m2 / static_cast<double>(stats.n - 1)) * correlation_factor(stats);
  // The radius falls with n: bisect on its logarithm.
  double low = kFewestWindows;
  double high = kMost;
  if (deviation * sequence_radius(low, alpha, eta) <= distance) return low;
  while (high / low > 1.001) {
    const double middle = std::sqrt(low * high);
    (deviation * sequence_radius(middle, alpha, eta) <= distance ? high : low) = middle;
  }
  return std::ceil(high);
}

}  // namespace gopacer
