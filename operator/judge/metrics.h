#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gopacer/domain/evidence.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "judge/windows.h"

namespace gopacer::judging {

/// Requests that a window needs before its q-quantile means anything: two beyond the quantile, and 50 in all.
double fewest_requests(double q);

/// How much slower `canary` is than `baseline`, as the logarithm of the ratio of latencies at the quantile.
/// Where the buckets are too wide to interpolate in, from the shares above a bucket's bound and the slope of the tail
/// there. None when either has no data.
std::optional<double> log_slowdown(const Histogram& canary, const Histogram& baseline, double q);

/// Share of the observations above `seconds`, interpolated within its bucket.
double share_slower_than(const Histogram& histogram, double seconds);

/// Only the canary breaks the promise in this window, by more than chance (1.65 standard errors) and tolerance.
bool only_canary_violates(const Histogram& canary, const Histogram& baseline, const Slo& slo);

/// Without a baseline at the same time: more requests are above the limit than the quantile allows, by more than
/// chance.
bool violates(const Histogram& histogram, const Slo& slo);

/// The metric of this name, added when it is not there.
MetricEvidence& metric_named(Evidence& evidence, const std::string& name);

/// Adds one window to a metric.
void count(MetricEvidence& metric, double difference, double canary, double baseline);

/// The interval and what it says, from what was counted. `windows`: all windows so far, with and without data.
void weigh(MetricEvidence& metric, double alpha, int windows);

/// "latency-p99 1.2ms → 1.3ms, +8.0 % (+2.1 … +14.2 %, at most +5 % allowed)".
std::string tell(const MetricEvidence& metric);

/// "+4.3 %"
std::string signed_percent(double share);

}  // namespace gopacer::judging
