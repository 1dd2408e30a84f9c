#pragma once

#include "gopacer/domain/evidence.h"

namespace gopacer {

struct Interval {
  double low = 0;
  double high = 0;
};

/// Windows that the test wants before it says anything: below it the sample variance itself is too rough.
inline constexpr int kFewestWindows = 20;

/// Half the width of the confidence sequence in units of the standard deviation, after `n` observations:
/// √(2(nη²+1)/(n²η²)·ln(√(nη²+1)/α)), the normal mixture of Robbins. Infinite for n < 1.
double sequence_radius(double n, double alpha, double eta = 0.5);

/// How much wider the interval has to be because neighbouring windows resemble each other: √((1+ρ)/(1−ρ)) with ρ from
/// the von Neumann ratio of neighbours' differences, and 1.3 standard errors (1/√neighbours each) on top: the estimate
/// of a few dozen windows is as often too low as too high. At least 1; ρ counts as 0.3 until ten neighbours were seen,
/// and as 0.8 at most.
double correlation_factor(const RunningStats& stats);

/// The confidence sequence around the mean: with probability 1 − α the true mean is in it at *all* n at once, so it may
/// be looked at after each window. Unbounded below kFewestWindows.
Interval confidence_sequence(const RunningStats& stats, double alpha, double eta = 0.5);

/// Windows in all after which the interval would be narrower than `distance` on each side, if the spread stays what it
/// is. At most one million.
double windows_needed(const RunningStats& stats, double distance, double alpha, double eta = 0.5);

}  // namespace gopacer
