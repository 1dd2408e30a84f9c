#include "judge/measure.h"

#include <algorithm>
#include <cmath>

#include "gopacer/base/clock.h"
#include "gopacer/base/units.h"
#include "gopacer/domain/histogram.h"
#include "judge/metrics.h"

namespace gopacer::judging {
namespace {

/// One-sided 5 %, three times in a row.
constexpr double kClearly = 1.645;
constexpr double kFewestForAShare = 50;
/// Of so few the normal approximation is too far off.
constexpr double kFewExpected = 20;
/// Fewer in a row may be chance.
constexpr int kFewestViolations = 3;

template <typename OfHistogram, typename OfRatio>
auto by_kind(const Slo& slo, const OfHistogram& of_histogram, const OfRatio& of_ratio) {
  const auto* const ratio = std::get_if<PodRatio>(&slo.source);
  return ratio != nullptr ? of_ratio(*ratio) : of_histogram(slo.histogram());
}

/// The part of what was counted that the promise is about, for sure: slower than `max`, or bad.
double share_against(const Histogram& counted, const Slo& slo) {
  return by_kind(
      slo, [&](const PodHistogram&) { return share_surely_slower(counted, *slo.max); },
      [&](const PodRatio&) { return share_bad(counted); });
}

/// How much of it may be.
double share_allowed(const Slo& slo) {
  return by_kind(
      slo, [](const PodHistogram& histogram) { return 1 - histogram.quantile; },
      [&](const PodRatio&) { return *slo.max; });
}

/// Whether chance gives `found` or more in less than 5 % of cases where `expected` are usual (Poisson).
bool rarely_so_many(double found, double expected) {
  double fewer = 0;
  double term = std::exp(-expected);
  for (int i = 0; i < found - 0.5; ++i) {
    fewer += term;
    term *= expected / (i + 1);
  }
  return 1 - fewer < 0.05;
}

bool surely_tolerated(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  const auto* const histogram = std::get_if<PodHistogram>(&slo.source);
  if (histogram != nullptr && !both_resolve(canary, baseline, histogram->quantile)) return false;
  return difference(canary, baseline, slo).value_or(0) <= tolerated(slo);
}

}  // namespace

bool is_relative(const Slo& slo) { return std::holds_alternative<PodHistogram>(slo.source); }

double tolerated(const Slo& slo) {
  return by_kind(
      slo, [&](const PodHistogram&) { return std::log1p(slo.max_regression_percent / 100.0); },
      [](const PodRatio& ratio) { return ratio.max_increase; });
}

double fewest_requests(const Slo& slo) {
  return by_kind(
      slo, [](const PodHistogram& histogram) { return fewest_requests(histogram.quantile); },
      [](const PodRatio&) { return kFewestForAShare; });
}

double requests_needed(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  return by_kind(
      slo, [&](const PodHistogram& histogram) { return requests_needed(canary, baseline, histogram.quantile); },
      [](const PodRatio&) { return kFewestForAShare; });
}

std::optional<double> difference(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  return by_kind(
      slo, [&](const PodHistogram& histogram) { return log_slowdown(canary, baseline, histogram.quantile); },
      [&](const PodRatio&) { return std::optional(share_bad(canary) - share_bad(baseline)); });
}

double value(const Histogram& counted, const Slo& slo) {
  return by_kind(
      slo, [&](const PodHistogram& histogram) { return quantile(counted, histogram.quantile)->value; },
      [&](const PodRatio&) { return share_bad(counted); });
}

std::string what_it_lacks(const Histogram& counted, const Slo& slo) {
  return by_kind(
      slo, [&](const PodHistogram& histogram) { return where_buckets_lack(counted, histogram.quantile); },
      [](const PodRatio&) { return std::string(); });
}

bool only_canary_violates(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  if (!slo.max) return false;
  const double ours = share_against(canary, slo);
  const double usual = share_against(baseline, slo);
  const double allowed = share_allowed(slo);
  if (ours <= allowed || usual > allowed || surely_tolerated(canary, baseline, slo)) return false;
  const double pooled = (ours * canary.count() + usual * baseline.count()) / (canary.count() + baseline.count());
  const double error = std::sqrt(pooled * (1 - pooled) * (1 / canary.count() + 1 / baseline.count()));
  return ours - usual > kClearly * error;
}

bool violates(const Histogram& counted, const Slo& slo) {
  if (!slo.max) return false;
  const double allowed = share_allowed(slo);
  const double expected = allowed * counted.count();
  if (expected < kFewExpected) return rarely_so_many(share_against(counted, slo) * counted.count(), expected);
  const double error = std::sqrt(allowed * (1 - allowed) / counted.count());
  return share_against(counted, slo) - allowed > kClearly * error;
}

const Slo& counting(const std::vector<Slo>& slos) {
  const auto found = std::find_if(slos.begin(), slos.end(), is_relative);
  return found == slos.end() ? slos.front() : *found;
}

int windows_allowed(const Slo& slo, Duration interval) {
  const double windows = std::ceil(to_seconds(slo.max_for) / to_seconds(interval));
  return std::max(kFewestViolations, static_cast<int>(windows));
}

std::string max_text(const Slo& slo) {
  return by_kind(
      slo,
      [&](const PodHistogram&) {
        return format_duration(std::chrono::round<Duration>(std::chrono::duration<double>(*slo.max)));
      },
      [&](const PodRatio&) { return format_percent(*slo.max); });
}

}  // namespace gopacer::judging
