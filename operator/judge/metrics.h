#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gopacer/domain/evidence.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "judge/windows.h"

namespace gopacer::judging {

/// Requests that a window needs before its q-quantile means anything: two beyond the quantile, and 50 in all.
double fewest_requests(double q);

/// Requests that the arm with fewer of them needs before log_slowdown() can say anything of these two. Infinite when no
/// bucket bound is near the q-quantile: more requests don't help.
double requests_needed(const Histogram& canary, const Histogram& baseline, double q);

/// Both quantiles lie in buckets that are narrow enough to be compared by interpolation.
bool both_resolve(const Histogram& canary, const Histogram& baseline, double q);

/// How much slower `canary` is than `baseline`, as the logarithm of the ratio of latencies at the q-quantile; none when
/// that does not show. From the quantiles where both lie in narrow buckets. Else from the shares above the bucket bound
/// that is nearest to the quantile or lies between the two, (s_canary − s_baseline)/(s·slope) with the share s of both
/// together and the slope of the tail there. Its mean is 0 between equal arms however uneven their numbers of requests
/// are.
std::optional<double> log_slowdown(const Histogram& canary, const Histogram& baseline, double q);

/// Why log_slowdown() can't tell, and which buckets would help: a clause without a subject. Empty without observations.
std::string where_buckets_lack(const Histogram& histogram, double q);

/// Share of the observations that are above `seconds` for sure: interpolated where its bucket is narrow, else those
/// above that bucket.
double share_surely_slower(const Histogram& histogram, double seconds);

/// The metric of this name, added when it is not there.
MetricEvidence& metric_named(Evidence& evidence, const std::string& name);

/// A difference that is plain is below this, whatever else: so much may be bad that was not seen in so few requests
/// (95 %, "rule of three": J. A. Hanley, A. Lippman-Hand, JAMA 249, 1983). 0 for all but ratios.
double unseen(const MetricEvidence& metric);

/// Adds one window to a metric.
void count(MetricEvidence& metric, double difference, double canary, double baseline);
/// The same of an SLO, from what the two sides answered in it.
void count(MetricEvidence& metric, double difference, const Histogram& canary, const Histogram& baseline,
           const Slo& slo);

/// What two sides answered over the windows that are added up.
struct Pooled {
  Window span;
  bool requests = false;                                 ///< both sides answered some
  std::optional<std::pair<Histogram, Histogram>> sides;  ///< once they are enough to be compared
};

/// Windows in which either side answered too few requests are added up with those after them, up to a bound.
Pooled pool(MetricEvidence& metric, const Arm& ours, const Arm& theirs, const Window& window, const Slo& slo,
            Duration interval);

/// So many windows in a row without any data are no chance: a metric that has had none is said to have none.
inline constexpr int kSilentWindows = 4;

/// Windows in which either side has too few requests are added up, this many at most.
inline constexpr int kMostPendingWindows = 8;

/// The interval and what it says, from what was counted.
/// Of what no number of windows shows, on each side and on the scale of the threshold: `unseen` may be there whatever
/// else, and is added; `pods` is what pods may make of it by themselves, independently of the windows' chance, so that
/// the two add up as their squares do.
void weigh(MetricEvidence& metric, double alpha, double unseen = 0, double pods = 0);

/// More of its windows than not had buckets in which nothing can be told.
bool mostly_unresolved(const MetricEvidence& metric);

/// Of a gauge, with three digits at least: "0.0123", "12.3", "1235".
std::string number_text(double value);

/// In its unit, for people: "812µs", "12.5ms", "1.25s", "0.82 %", "1235".
std::string value_text(double value, MetricUnit unit, int decimals_of_share = 2);

/// "latency-p99 1.2ms → 1.3ms, +8.0 % (+2.1 … +14.2 %, at most +5 % allowed)".
std::string tell(const MetricEvidence& metric);

}  // namespace gopacer::judging
