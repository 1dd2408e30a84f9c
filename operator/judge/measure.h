#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"

// What an SLO measures, whatever it is read from: the one place that tells the kinds of sources apart.

namespace gopacer::judging {

/// Differences are logarithms of ratios (of latencies), else plain (of shares).
bool is_relative(const Slo& slo);

/// The largest difference that is tolerated.
double tolerated(const Slo& slo);

/// Requests that a window needs before its figure means anything.
double fewest_requests(const Slo& slo);

/// Requests that the arm with fewer of them needs before difference() can say anything of these two; infinite when more
/// of them don't help.
double requests_needed(const Histogram& canary, const Histogram& baseline, const Slo& slo);

/// By how much `canary` is worse than `baseline`; none when that does not show.
std::optional<double> difference(const Histogram& canary, const Histogram& baseline, const Slo& slo);

/// Seconds or a share. Neither is of nothing: `counted` has requests.
double value(const Histogram& counted, const Slo& slo);

/// Why difference() can't tell, and what would help: a clause without a subject. Empty when it can, or has nothing yet.
std::string what_it_lacks(const Histogram& counted, const Slo& slo);

/// Only the canary breaks the promise in this window for sure, by more than chance (1.65 standard errors) and, where
/// that shows, by more than tolerance.
bool only_canary_violates(const Histogram& canary, const Histogram& baseline, const Slo& slo);

/// Without a baseline at the same time: more is bad for sure than was promised, by more than chance.
bool violates(const Histogram& counted, const Slo& slo);

/// The SLO that a trial's requests are counted by: the first one of latency, or the first of all.
const Slo& counting(const std::vector<Slo>& slos);

/// In so many windows in a row the promise has to be broken before that is held against anybody.
int windows_allowed(const Slo& slo, Duration interval);

/// The promise for people: "300ms", "1%". It has to have one.
std::string max_text(const Slo& slo);

}  // namespace gopacer::judging
