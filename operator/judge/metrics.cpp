#include "judge/metrics.h"

#include <algorithm>
#include <cmath>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/sequential.h"
#include "gopacer/judge/verdict.h"

namespace gopacer::judging {
namespace {

/// Within a bucket that is wider than this the distribution is too far from even for interpolation to see a few per
/// cent.
constexpr double kWidestBucket = 1.6;
/// Slope of the logarithm of the tail against that of latency, where the buckets don't show it: between an
/// exponential's 4.6 and a log-normal's 3.8 at p99.
constexpr double kUsualTailSlope = 4;
/// One-sided 5 %, three times in a row.
constexpr double kClearly = 1.645;
/// Windows without any data before a metric is said to have none.
constexpr int kWindowsUntilNoData = 4;

bool resolved(const QuantileEstimate& found) {
  return std::isfinite(found.bucket_high) && found.bucket_low > 0 &&
         found.bucket_high <= kWidestBucket * found.bucket_low && found.value > 0;
}

/// A share that is never 0 or 1, so that its logarithm exists however few the observations are.
double smoothed_share_above(const Histogram& histogram, double bound) {
  const double count = histogram.count();
  return (share_above(histogram, bound).value_or(0) * count + 0.5) / (count + 1);
}

std::optional<double> log_slowdown_by_shares(const Histogram& canary, const Histogram& baseline, double q) {
  Histogram both = canary;
  if (!merge(both, baseline)) return std::nullopt;
  const auto found = quantile(both, q);
  if (!found) return std::nullopt;
  const double low = found->bucket_low;
  const double high = found->bucket_high;
  const bool low_usable = low > 0 && count_up_to(both, low).has_value();
  const bool high_usable = std::isfinite(high);
  if (!low_usable && !high_usable) return std::nullopt;

  double slope = kUsualTailSlope;
  double bound = low_usable ? low : high;
  if (low_usable && high_usable) {
    const double above_low = smoothed_share_above(both, low);
    const double above_high = smoothed_share_above(both, high);
    slope = std::clamp(std::log(above_low / above_high) / std::log(high / low), 1.0, 20.0);
    // The bound whose share is nearest to the quantile's says most about it.
    const double wanted = std::log(1 - q);
    if (std::abs(std::log(above_high) - wanted) < std::abs(std::log(above_low) - wanted)) bound = high;
  }
  return std::log(smoothed_share_above(canary, bound) / smoothed_share_above(baseline, bound)) / slope;
}

std::string in_unit(const MetricEvidence& metric, double value) {
  if (!metric.ratio) return format_fixed(value * 100, 1) + " %";
  if (value < 1e-3) return format_fixed(value * 1e6, 0) + "µs";
  if (value < 1) return format_fixed(value * 1e3, value < 0.1 ? 1 : 0) + "ms";
  return format_fixed(value, 2) + "s";
}

}  // namespace

double fewest_requests(double q) { return std::max(50.0, 2 / (1 - q)); }

std::optional<double> log_slowdown(const Histogram& canary, const Histogram& baseline, double q) {
  const auto ours = quantile(canary, q);
  const auto theirs = quantile(baseline, q);
  if (!ours || !theirs) return std::nullopt;
  if (resolved(*ours) && resolved(*theirs)) return std::log(ours->value / theirs->value);
  return log_slowdown_by_shares(canary, baseline, q);
}

double share_slower_than(const Histogram& histogram, double seconds) {
  const double count = histogram.count();
  if (!(count > 0)) return 0;
  double low = 0;
  double below = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double bound = (*histogram.bounds)[i];
    const double up_to = histogram.counts[i];
    if (bound >= seconds) {
      // Nothing is known within the last bucket: count it as slower only when all of it is.
      if (std::isinf(bound)) return low >= seconds ? 1 - below / count : 0;
      const double part = bound > low ? (seconds - low) / (bound - low) : 1;
      return 1 - (below + (up_to - below) * part) / count;
    }
    low = std::max(0.0, bound);
    below = up_to;
  }
  return 0;
}

bool only_canary_violates(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  if (!slo.max) return false;
  const double most = to_seconds(*slo.max);
  const auto ours = quantile(canary, slo.histogram.quantile);
  const auto theirs = quantile(baseline, slo.histogram.quantile);
  if (!ours || !theirs || ours->value <= most || theirs->value > most) return false;
  if (ours->value <= theirs->value * (1 + slo.max_regression_percent / 100.0)) return false;
  const double slower = share_slower_than(canary, most);
  const double usual = share_slower_than(baseline, most);
  const double pooled = (slower * canary.count() + usual * baseline.count()) / (canary.count() + baseline.count());
  const double error = std::sqrt(pooled * (1 - pooled) * (1 / canary.count() + 1 / baseline.count()));
  return slower - usual > kClearly * error;
}

bool violates(const Histogram& histogram, const Slo& slo) {
  if (!slo.max) return false;
  const double most = to_seconds(*slo.max);
  const double allowed = 1 - slo.histogram.quantile;
  const auto found = quantile(histogram, slo.histogram.quantile);
  if (!found || found->value <= most) return false;
  const double error = std::sqrt(allowed * (1 - allowed) / histogram.count());
  return share_slower_than(histogram, most) - allowed > kClearly * error;
}

MetricEvidence& metric_named(Evidence& evidence, const std::string& name) {
  for (MetricEvidence& metric : evidence.metrics) {
    if (metric.name == name) return metric;
  }
  evidence.metrics.emplace_back();
  evidence.metrics.back().name = name;
  return evidence.metrics.back();
}

void count(MetricEvidence& metric, double difference, double canary, double baseline) {
  metric.stats.add(difference);
  const double part = 1 / static_cast<double>(metric.stats.n);
  const auto follow = [&](double& mean, double value) {
    const bool logarithmic = metric.ratio && mean > 0 && value > 0;
    mean = logarithmic ? mean * std::pow(value / mean, part) : mean + (value - mean) * part;
  };
  follow(metric.canary, canary);
  follow(metric.baseline, baseline);
}

void weigh(MetricEvidence& metric, double alpha, int windows) {
  metric.low = metric.high = 0;
  metric.state = MetricState::kUndecided;
  if (metric.stats.n == 0) {
    if (windows >= kWindowsUntilNoData && !metric.pending_since) metric.state = MetricState::kNoData;
    return;
  }
  if (metric.stats.n < kFewestWindows) return;
  const Interval interval = confidence_sequence(metric.stats, alpha);
  metric.low = interval.low;
  metric.high = interval.high;
  if (interval.low > metric.threshold) metric.state = MetricState::kFail;
  if (interval.high < metric.threshold) metric.state = MetricState::kPass;
}

std::string signed_percent(double share) {
  const std::string text = format_fixed(share * 100, 1);
  return (text.front() == '-' ? "" : "+") + text + " %";
}

std::string tell(const MetricEvidence& metric) {
  if (metric.stats.n == 0) return metric.name + " has no data";
  const auto change = [&](double x) {
    if (metric.ratio) return signed_percent(std::expm1(x));
    const std::string percent = signed_percent(x);
    return percent.substr(0, percent.size() - 1) + "points";
  };
  const std::string unit = metric.ratio ? "" : " of CPU";
  std::string text = metric.name + " " + in_unit(metric, metric.baseline) + " → " + in_unit(metric, metric.canary) +
                     unit + ", " + change(metric.stats.mean);
  if (metric.state == MetricState::kUndecided && metric.stats.n < kFewestWindows) {
    return text + " after " + std::to_string(metric.stats.n) + " windows of at least " + std::to_string(kFewestWindows);
  }
  text += " (" + change(metric.low) + " … " + change(metric.high);
  return text + ", has to be below " + change(metric.threshold) + ")";
}

}  // namespace gopacer::judging
