#include "gopacer/judge/sequential.h"

#include <cmath>
#include <limits>

namespace gopacer {

double sequence_radius(double n, double alpha, double eta) {
  if (n < 1) return std::numeric_limits<double>::infinity();
  const double prior = eta * eta;
  const double spread = n * prior + 1;
  return std::sqrt(2 * spread / (n * n * prior) * std::log(std::sqrt(spread) / alpha));
}

Interval confidence_sequence(const RunningStats& stats, double alpha, double eta) {
  if (stats.n < kFewestWindows) {
    return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  }
  const double n = static_cast<double>(stats.n);
  const double half = std::sqrt(std::max(0.0, stats.m2 / (n - 1))) * sequence_radius(n, alpha, eta);
  return {stats.mean - half, stats.mean + half};
}

double windows_needed(const RunningStats& stats, double distance, double alpha, double eta) {
  constexpr double kMost = 1e6;
  if (stats.n < 2 || distance <= 0) return kMost;
  const double deviation = std::sqrt(stats.m2 / static_cast<double>(stats.n - 1));
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
