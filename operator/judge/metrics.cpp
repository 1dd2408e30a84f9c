#include "judge/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/sequential.h"
#include "gopacer/judge/verdict.h"
#include "judge/measure.h"

namespace gopacer::judging {
namespace {

/// Within a bucket that is wider than this the distribution is too far from even for interpolation to see a few per
/// cent.
constexpr double kWidestBucket = 1.6;
/// A bound speaks of the quantile as long as the odds of being above it are within this factor of the quantile's own:
/// at the usual slope of the tail the two are then within a factor of 1.7 in latency.
constexpr double kNearOdds = 8;
/// Observations on the rarer side of the bound that the arm with fewer requests has to be expected to have.
constexpr double kFewestBeyond = 5;
/// Slope of the logarithm of the tail against that of latency, where the buckets don't show it: between an
/// exponential's 4.6 and a log-normal's 3.8 at p99.
constexpr double kUsualTailSlope = 4;
/// Shares that differ by no more than their mean are compared by a straight line: it needs no logarithm of few
/// observations, which is biased. Beyond, it would see no more than twice the share however much it is.
constexpr double kStraight = 1;

/// Neither a bucket that begins at zero nor one without an end is.
bool is_narrow(double low, double high) { return high <= kWidestBucket * low; }

bool resolved(const QuantileEstimate& found) {
  return is_narrow(found.bucket_low, found.bucket_high) && found.value > 0;
}

/// A bucket's bound by which two arms can be compared.
struct NearBound {
  double bound;
  double share;  ///< of both arms' observations together that are above it; neither 0 nor 1
  double slope;  ///< of the tail there

  double rarer() const { return std::min(share, 1 - share); }
};

double log_odds(double share) { return std::log(share / (1 - share)); }

/// Where the tail of the distribution has shrunk to 1 − q, if it is a straight line between the bounds of the bucket on
/// the scale of logarithms, as it nearly is whatever its form: a straight line of counts bends what two arms differ by,
/// to a third or to twice as much in buckets of ×1.6. Half an observation stands for a tail that has none.
double on_the_tail(const Histogram& histogram, const QuantileEstimate& found, double q) {
  const double least = 0.5 / histogram.count();
  const double low = std::max(least, share_above(histogram, found.bucket_low).value_or(1));
  const double high = std::max(least, share_above(histogram, found.bucket_high).value_or(0));
  if (high >= low) return found.value;
  const double part = std::clamp(std::log(low / (1 - q)) / std::log(low / high), 0.0, 1.0);
  return found.bucket_low * std::pow(found.bucket_high / found.bucket_low, part);
}

/// Slope of the tail of the logarithms, from the shares above the bounds of the bucket that the quantile lies in. Not
/// for an empty histogram.
double tail_slope(const Histogram& histogram, double q) {
  const QuantileEstimate found = *quantile(histogram, q);
  const double high = share_above(histogram, found.bucket_high).value_or(0);
  if (high <= 0 || found.bucket_low <= 0) return kUsualTailSlope;
  const double low = *share_above(histogram, found.bucket_low);
  return std::clamp(std::log(low / high) / std::log(found.bucket_high / found.bucket_low), 1.0, 20.0);
}

/// Of the bounds of the buckets that the quantiles lie in, the one whose share says most about them: it is near both,
/// or lies between them. None when whatever happens within the buckets does not show at their bounds.
std::optional<NearBound> near_bound(const Histogram& canary, const Histogram& baseline, double q) {
  Histogram both = canary;
  const auto ours = quantile(canary, q);
  const auto theirs = quantile(baseline, q);
  if (!ours || !theirs || !merge(both, baseline)) return std::nullopt;
  const double between_from = std::min(ours->bucket_high, theirs->bucket_high);
  const double between_to = std::max(ours->bucket_low, theirs->bucket_low);
  std::optional<NearBound> nearest;
  double least = std::log(kNearOdds);
  for (const double bound : {ours->bucket_low, ours->bucket_high, theirs->bucket_low, theirs->bucket_high}) {
    if (!(bound > 0)) continue;
    // Infinite where all or none are above the bound.
    const double share = share_above(both, bound).value_or(0);
    const double distance = std::abs(log_odds(share) - log_odds(1 - q));
    const bool between = between_from <= bound && bound <= between_to;
    if (distance > least && !(between && !nearest)) continue;
    nearest = NearBound{bound, share, tail_slope(both, q)};
    least = distance;
  }
  return nearest;
}

std::string seconds_text(double value) {
  if (value < 1e-3) return format_fixed(value * 1e6, 0) + "µs";
  if (value < 1) return format_fixed(value * 1e3, value < 0.1 ? 1 : 0) + "ms";
  return format_fixed(value, 2) + "s";
}

bool is_gc(const MetricEvidence& metric) { return metric.name == kGcCpuMetric; }

std::string in_unit(const MetricEvidence& metric, double value) {
  return value_text(value, metric.relative ? metric.unit : MetricUnit::kShare, is_gc(metric) ? 1 : 2);
}

}  // namespace

bool both_resolve(const Histogram& canary, const Histogram& baseline, double q) {
  const auto ours = quantile(canary, q);
  const auto theirs = quantile(baseline, q);
  return ours && theirs && resolved(*ours) && resolved(*theirs);
}

double fewest_requests(double q) { return std::max(50.0, 2 / (1 - q)); }

double requests_needed(const Histogram& canary, const Histogram& baseline, double q) {
  if (both_resolve(canary, baseline, q)) return fewest_requests(q);
  const auto near = near_bound(canary, baseline, q);
  if (!near) return std::numeric_limits<double>::infinity();
  return std::max(fewest_requests(q), kFewestBeyond / near->rarer());
}

std::optional<double> log_slowdown(const Histogram& canary, const Histogram& baseline, double q) {
  if (both_resolve(canary, baseline, q)) {
    return std::log(on_the_tail(canary, *quantile(canary, q), q) / on_the_tail(baseline, *quantile(baseline, q), q));
  }
  const auto near = near_bound(canary, baseline, q);
  if (!near || std::min(canary.count(), baseline.count()) * near->rarer() < kFewestBeyond) return std::nullopt;
  const double ours = *share_above(canary, near->bound);
  const double theirs = *share_above(baseline, near->bound);
  const double middle = (ours + theirs) / 2;
  if (std::abs(ours - theirs) <= kStraight * middle) return (ours - theirs) / middle / near->slope;
  const auto smoothed = [](double share, double count) { return (share * count + 0.5) / (count + 1); };
  return std::log(smoothed(ours, canary.count()) / smoothed(theirs, baseline.count())) / near->slope;
}

std::string where_buckets_lack(const Histogram& histogram, double q) {
  const auto found = quantile(histogram, q);
  if (!found) return {};
  const std::string quantile_name =
      "the " + format_fixed(q * 100, q * 100 == std::round(q * 100) ? 0 : 1) + " % quantile";
  const std::string none = "no bucket bound is near " + quantile_name + ", which lies ";
  if (!std::isfinite(found->bucket_high)) {
    return none + "above the last one, " + seconds_text(found->bucket_low) + ": add buckets above that";
  }
  if (found->bucket_low > 0) {
    return none + "between " + seconds_text(found->bucket_low) + " and " + seconds_text(found->bucket_high) +
           ": add finer buckets there";
  }
  const double mean = histogram.sum / histogram.count();
  const bool mean_tells = mean > 0 && mean < found->bucket_high;
  return none + "below the first one, " + seconds_text(found->bucket_high) + ": add finer buckets " +
         (mean_tells ? "near " + seconds_text(mean) + ", the mean, and above" : "below that");
}

double share_surely_slower(const Histogram& histogram, double seconds) {
  const double count = histogram.count();
  if (!(count > 0)) return 0;
  double low = 0;
  double below = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double bound = (*histogram.bounds)[i];
    const double up_to = histogram.counts[i];
    if (bound >= seconds) {
      // Nothing is known within a wide bucket: only what is above it is slower for sure.
      const double part = is_narrow(low, bound) ? (seconds - low) / (bound - low) : 1;
      return 1 - (below + (up_to - below) * part) / count;
    }
    low = bound;
    below = up_to;
  }
  return 0;
}

MetricEvidence& metric_named(Evidence& evidence, const std::string& name) {
  for (MetricEvidence& metric : evidence.metrics) {
    if (metric.name == name) return metric;
  }
  evidence.metrics.emplace_back();
  evidence.metrics.back().name = name;
  return evidence.metrics.back();
}

double unseen(const MetricEvidence& metric) {
  if (metric.relative || is_gc(metric)) return 0;
  return metric.counted > 0 ? 3 / metric.counted : std::numeric_limits<double>::infinity();
}

void count(MetricEvidence& metric, double difference, double canary, double baseline) {
  metric.stats.add(difference);
  const double part = 1 / static_cast<double>(metric.stats.n);
  const auto follow = [&](double& mean, double value) {
    const bool logarithmic = metric.relative && metric.unit == MetricUnit::kSeconds && mean > 0 && value > 0;
    mean = logarithmic ? mean * std::pow(value / mean, part) : mean + (value - mean) * part;
  };
  follow(metric.canary, canary);
  follow(metric.baseline, baseline);
}

void count(MetricEvidence& metric, double difference, const Histogram& canary, const Histogram& baseline,
           const Slo& slo) {
  count(metric, difference, value(canary, slo), value(baseline, slo));
  if (!metric.relative) metric.counted += std::min(canary.count(), baseline.count());
}

Pooled pool(MetricEvidence& metric, const Arm& ours, const Arm& theirs, const Window& window, const Slo& slo,
            Duration interval) {
  Pooled pooled;
  pooled.span = {metric.pending_since.value_or(window.from), window.to};
  auto [our, their] = counted_in_both(ours, theirs, pooled.span, slo);
  const double fewest = our && their ? std::min(our->count(), their->count()) : 0;
  const bool enough = fewest >= fewest_requests(slo);
  const double needed = enough ? requests_needed(*our, *their, slo) : fewest_requests(slo);
  const bool more_would_do = fewest < needed && std::isfinite(needed);
  const Duration span = window.to - pooled.span.from;
  const bool too_short = span < length_of_comparison(slo, interval);
  const bool go_on = too_short || (fewest > 0 && more_would_do && span < kMostPendingWindows * interval);
  metric.pending_since = go_on ? std::optional<Time>(pooled.span.from) : std::nullopt;
  pooled.requests = fewest > 0;
  const bool told = our && their && has_data(*our, slo) && has_data(*their, slo);
  metric.missing = told ? 0 : metric.missing + 1;
  if (!enough || go_on) return pooled;
  pooled.sides.emplace(std::move(*our), std::move(*their));
  return pooled;
}

void weigh(MetricEvidence& metric, double alpha, double unseen, double pods) {
  metric.low = metric.high = 0;
  metric.state = MetricState::kUndecided;
  if (metric.stats.n + metric.unresolved == 0) {
    if (metric.missing >= kSilentWindows) metric.state = MetricState::kNoData;
    return;
  }
  if (metric.stats.n < kFewestWindows || mostly_unresolved(metric)) return;
  const Interval interval = confidence_sequence(metric.stats, alpha);
  const double half = std::hypot((interval.high - interval.low) / 2, pods) + unseen;
  metric.low = metric.stats.mean - half;
  metric.high = metric.stats.mean + half;
  if (metric.low > metric.threshold) metric.state = MetricState::kFail;
  if (metric.high < metric.threshold) metric.state = MetricState::kPass;
}

bool mostly_unresolved(const MetricEvidence& metric) { return metric.unresolved > metric.stats.n; }

std::string number_text(double value) {
  const double digits = value > 0 ? std::floor(std::log10(value)) : 0;
  return format_fixed(value, static_cast<int>(std::clamp(2 - digits, 0.0, 9.0)));
}

std::string value_text(double value, MetricUnit unit, int decimals_of_share) {
  switch (unit) {
    case MetricUnit::kSeconds:
      return seconds_text(value);
    case MetricUnit::kShare:
      return format_fixed(value * 100, decimals_of_share) + " %";
    case MetricUnit::kNumber:
      break;
  }
  return number_text(value);
}

std::string tell(const MetricEvidence& metric) {
  if (metric.stats.n == 0)
    return metric.name + (metric.unresolved > 0 ? " is not resolved by its buckets" : " has no data");
  const auto change = [&](double x) {
    return metric.relative ? signed_percent(std::expm1(x)) : signed_percent(x, " points", is_gc(metric) ? 1 : 2);
  };
  const std::string unit = is_gc(metric) ? " of CPU" : "";
  std::string text = metric.name + " " + in_unit(metric, metric.baseline) + " → " + in_unit(metric, metric.canary) +
                     unit + ", " + change(metric.stats.mean);
  if (metric.stats.n < kFewestWindows) {
    return text + " after " + std::to_string(metric.stats.n) + (metric.stats.n == 1 ? " window" : " windows") +
           " of at least " + std::to_string(kFewestWindows);
  }
  // Then there is no interval to be told.
  if (mostly_unresolved(metric)) {
    return text + " in the " + std::to_string(metric.stats.n) + " windows that its buckets resolve, of " +
           std::to_string(metric.stats.n + metric.unresolved);
  }
  text += " (" + change(metric.low) + " … " + change(metric.high);
  return text + ", has to be below " + change(metric.threshold) + ")";
}

}  // namespace gopacer::judging
