#pragma once

#include <vector>

namespace gopacer::simulating {

/// Probability that values as high as `ours` come about by chance where both rows have the same distribution: the
/// one-sided test of Mann and Whitney by its normal approximation, with the usual correction for continuity. 1 for rows
/// of fewer than eight values, for which the approximation is no good. Values that are equal count half.
double p_of_higher(const std::vector<double>& ours, const std::vector<double>& theirs);

}  // namespace gopacer::simulating
