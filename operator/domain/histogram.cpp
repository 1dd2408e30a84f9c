#include "gopacer/domain/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gopacer {
namespace {

/// Between good, 0, and bad, 1.
constexpr double kGoodUpTo = 0.5;

bool same(const BucketBounds& one, const BucketBounds& other) { return one == other || *one == *other; }

}  // namespace

Histogram::Histogram(const std::map<double, double>& cumulative, double sum_of_all) : sum(sum_of_all) {
  std::vector<double> uppers;
  uppers.reserve(cumulative.size());
  counts.reserve(cumulative.size());
  for (const auto& [bound, up_to] : cumulative) {
    uppers.push_back(bound);
    counts.push_back(up_to);
  }
  bounds = std::make_shared<const std::vector<double>>(std::move(uppers));
}

std::optional<Histogram> difference(const Histogram& later, const Histogram& earlier) {
  if (!same(later.bounds, earlier.bounds)) return std::nullopt;
  Histogram delta;
  delta.bounds = later.bounds;
  delta.counts.reserve(later.counts.size());
  double below = 0;
  for (std::size_t i = 0; i < later.counts.size(); ++i) {
    const double grown = later.counts[i] - earlier.counts[i];
    // Also false for a count that is not a number. Cumulative counts must not fall from bucket to bucket either.
    if (!(grown >= 0) || !std::isfinite(grown) || grown < below) return std::nullopt;
    delta.counts.push_back(grown);
    below = grown;
  }
  delta.sum = later.sum - earlier.sum;
  return delta;
}

bool merge(Histogram& into, const Histogram& other) {
  if (into.counts.empty()) {
    into = other;
    return true;
  }
  if (!same(into.bounds, other.bounds)) return false;
  for (std::size_t i = 0; i < into.counts.size(); ++i) into.counts[i] += other.counts[i];
  into.sum += other.sum;
  return true;
}

std::optional<QuantileEstimate> quantile(const Histogram& histogram, double q) {
  const double count = histogram.count();
  if (!(count > 0) || !(q > 0 && q < 1)) return std::nullopt;
  const double rank = q * count;
  double low = 0;
  double below = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double bound = (*histogram.bounds)[i];
    const double up_to = histogram.counts[i];
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

std::optional<double> count_up_to(const Histogram& histogram, double bound) {
  const std::vector<double>& bounds = *histogram.bounds;
  const auto found = std::lower_bound(bounds.begin(), bounds.end(), bound);
  if (found == bounds.end() || *found != bound) return std::nullopt;
  return histogram.counts[static_cast<std::size_t>(found - bounds.begin())];
}

Histogram good_and_bad(double good, double bad) {
  return Histogram({{kGoodUpTo, good}, {std::numeric_limits<double>::infinity(), good + bad}}, bad);
}

double share_bad(const Histogram& counted) {
  return counted.counts.empty() ? 0 : share_above(counted, kGoodUpTo).value_or(0);
}

Histogram reading_of(double value) {
  static const Histogram kOne({{std::numeric_limits<double>::infinity(), 1}});
  Histogram reading = kOne;
  reading.sum = value;
  return reading;
}

double mean_of(const Histogram& histogram) { return histogram.count() > 0 ? histogram.sum / histogram.count() : 0; }

std::optional<double> share_above(const Histogram& histogram, double bound) {
  const auto up_to = count_up_to(histogram, bound);
  if (!up_to || !(histogram.count() > 0)) return std::nullopt;
  return 1 - *up_to / histogram.count();
}

}  // namespace gopacer
