#pragma once

#include <optional>

#include "gopacer/domain/sample.h"

namespace gopacer {

/// Where a quantile was found.
struct QuantileEstimate {
  double value = 0;        ///< seconds, interpolated within its bucket
  double bucket_low = 0;   ///< bounds of that bucket
  double bucket_high = 0;  ///< infinite when the quantile lies above the highest finite bound: `value` is that bound
};

/// later − earlier, both cumulative readings of one counter. None when a bucket went backwards (the process restarted)
/// or the buckets are not the same.
std::optional<Histogram> difference(const Histogram& later, const Histogram& earlier);

/// Adds `other` to `into`. False, and nothing is changed, when the two have different buckets.
bool merge(Histogram& into, const Histogram& other);

/// The q-quantile by linear interpolation within its bucket, as Prometheus' histogram_quantile does. None when empty.
std::optional<QuantileEstimate> quantile(const Histogram& histogram, double q);

/// The number of observations at or below `bound`. None when that is not one of the bucket bounds.
std::optional<double> count_up_to(const Histogram& histogram, double bound);

/// Share of the observations above `bound`, which has to be one of the bucket bounds. None when it is not or it is
/// empty.
std::optional<double> share_above(const Histogram& histogram, double bound);

/// Counts of good and bad, as a histogram whose observations are 0 and 1.
Histogram good_and_bad(double good, double bad);
/// Of such a histogram; 0 when it is empty.
double share_bad(const Histogram& counted);

/// One reading of a gauge, as a histogram of one observation: added up, their difference over a window tells its mean.
Histogram reading_of(double value);
/// Of all observations; 0 when there are none.
double mean_of(const Histogram& histogram);

}  // namespace gopacer
