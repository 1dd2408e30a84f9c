#include "gopacer/domain/histogram.h"

#include <cmath>
#include <limits>

namespace gopacer {

std::optional<Histogram> difference(const Histogram& later, const Histogram& earlier) {
  if (later.cumulative.size() != earlier.cumulative.size()) return std::nullopt;
  Histogram delta;
  auto before = earlier.cumulative.begin();
  double below = 0;
  for (const auto& [bound, count] : later.cumulative) {
    const double grown = count - before->second;
    // Also false for a count that is not a number. Cumulative counts must not fall from bucket to bucket either.
    if (bound != before->first || !(grown >= 0) || !std::isfinite(grown) || grown < below) return std::nullopt;
    delta.cumulative.emplace_hint(delta.cumulative.end(), bound, grown);
    below = grown;
    ++before;
  }
  delta.sum = later.sum - earlier.sum;
  return delta;
}

bool merge(Histogram& into, const Histogram& other) {
  if (into.cumulative.empty()) {
    into = other;
    return true;
  }
  if (into.cumulative.size() != other.cumulative.size()) return false;
  auto theirs = other.cumulative.begin();
  for (const auto& [bound, count] : into.cumulative) {
    if (bound != theirs->first) return false;
    ++theirs;
  }
  theirs = other.cumulative.begin();
  for (auto& [bound, count] : into.cumulative) count += (theirs++)->second;
  into.sum += other.sum;
  return true;
}

std::optional<QuantileEstimate> quantile(const Histogram& histogram, double q) {
  const double count = histogram.count();
  if (!(count > 0) || !(q > 0 && q < 1)) return std::nullopt;
  const double rank = q * count;
  double low = 0;
  double below = 0;
  for (const auto& [bound, up_to] : histogram.cumulative) {
    if (up_to >= rank && up_to > below) {
      if (std::isinf(bound)) return QuantileEstimate{low, low, bound};
      // A first bucket with a negative bound can't be interpolated from zero.
      if (bound <= 0) return QuantileEstimate{bound, bound, bound};
      return QuantileEstimate{low + (bound - low) * (rank - below) / (up_to - below), low, bound};
    }
    below = up_to;
    low = bound > 0 ? bound : 0;
  }
  return QuantileEstimate{low, low, std::numeric_limits<double>::infinity()};
}

std::optional<double> share_above(const Histogram& histogram, double bound) {
  const auto found = histogram.cumulative.find(bound);
  if (found == histogram.cumulative.end() || !(histogram.count() > 0)) return std::nullopt;
  return 1 - found->second / histogram.count();
}

}  // namespace gopacer
