#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gopacer/domain/evidence.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "judge/windows.h"

// What an SLO measures, whatever it is read from: the one place that tells the kinds of sources apart.

namespace gopacer::judging {

/// Differences are logarithms of ratios (of latencies, of gauges, of queries), else plain (of shares).
bool is_relative(const Slo& slo);

MetricUnit unit_of(const Slo& slo);

/// What it is called when the new settings make it worse by more than that.
struct Harm {
  std::string reason;
  std::string in_canary;  ///< as the beginning of a sentence
  std::string in_target;  ///< likewise, with the baseline following
};
Harm harm_of(const Slo& slo);

/// The largest difference that is tolerated.
double tolerated(const Slo& slo);

/// What an arm's pods answered in the window; none without data.
std::optional<Histogram> counted_in(const Arm& arm, const Window& window, const Slo& slo);

using BothSides = std::pair<std::optional<Histogram>, std::optional<Histogram>>;
/// The same of two arms that are to be compared: from one and the same source where there are several.
BothSides counted_in_both(const Arm& ours, const Arm& theirs, const Window& window, const Slo& slo);

/// A program that collected nothing has told its pauses all the same; of all else nothing is no data.
bool has_data(const Histogram& counted, const Slo& slo);

/// Requests, pauses or readings of a number, that a window needs before its figure means anything.
double fewest_requests(const Slo& slo);

/// Requests that the arm with fewer of them needs before difference() can say anything of these two; infinite when more
/// of them don't help.
double requests_needed(const Histogram& canary, const Histogram& baseline, const Slo& slo);

/// By how much `canary` is worse than `baseline`; none when that does not show.
std::optional<double> difference(const Histogram& canary, const Histogram& baseline, const Slo& slo);

/// Seconds, a share or the mean of readings. None is of nothing: `counted` has requests or readings.
double value(const Histogram& counted, const Slo& slo);

/// Why difference() can't tell, and what would help: a clause without a subject. Empty when it can, or has nothing yet.
std::string what_it_lacks(const Histogram& counted, const Slo& slo);

/// What to look at when there is no data at all; for people.
std::string what_it_needs(const Slo& slo);

/// Only the canary breaks the promise in this window for sure, by more than chance (1.65 standard errors) and, where
/// that shows, by more than tolerance.
bool only_canary_violates(const Histogram& canary, const Histogram& baseline, const Slo& slo);

/// Without a baseline at the same time: more is bad for sure than was promised, by more than chance.
bool violates(const Histogram& counted, const Slo& slo);

/// The SLO that a trial's requests are counted by: the first one of latency, or the first that counts some at all. Null
/// when none does.
const Slo* counting(const std::vector<Slo>& slos);

/// Each answer to a query speaks of a time of its own, which is longer than a window: so much is compared at once, or
/// neighbours would mostly speak of the same.
Duration length_of_comparison(const Slo& slo, Duration interval);

/// So often in a row the promise has to be broken before that is held against anybody, when it is looked at every
/// `step`: for max_for, and for three comparisons at least.
int windows_allowed(const Slo& slo, Duration interval, Duration step);

/// The promise for people: "300ms", "1%", "1000". It has to have one.
std::string max_text(const Slo& slo);

}  // namespace gopacer::judging
