#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gopacer/domain/sample.h"

namespace gopacer::deciding {

using Samples = std::vector<const Sample*>;

double mean(const std::vector<double>& values);
/// The p-quantile by nearest rank.
double upper(std::vector<double> values, double p);
/// Relative standard error of the mean of `values`, as if they were independent; 0 for fewer than three.
double relative_error(const std::vector<double>& values);

/// One value at one time.
struct Moment {
  Time at;
  double value = 0;
};

/// The slope a second of values that lie on a straight line over time; 0 when they do not, or are too few to tell.
double steady_slope(const std::vector<Moment>& moments);

/// How a counter rose, from the first reading of it to the last. None when there are not two, or when it went back: it
/// is then of another process than it seems.
struct Rise {
  double by = 0;
  double seconds = 0;
  double rate() const { return by / seconds; }
};
std::optional<Rise> rise_of(const std::vector<Moment>& readings);

/// How fast a counter rose between the last reading up to `from` and the first one from `to` on; where there is none on
/// one side, between the outermost of that side. None when that is one and the same.
std::optional<double> rate_over(const std::vector<Moment>& readings, Time from, Time to);

/// The readings of a counter. `moment_of` gives one for a sample, or none; a reading that several samples carry counts
/// once.
template <typename MomentOf>
std::vector<Moment> readings_of(const Samples& samples, const MomentOf& moment_of) {
  std::vector<Moment> readings;
  for (const Sample* sample : samples) {
    const std::optional<Moment> moment = moment_of(*sample);
    if (moment && (readings.empty() || moment->at > readings.back().at)) readings.push_back(*moment);
  }
  return readings;
}

/// Where the times of samples stop following each other, because the clock was set or nothing was read for long: the
/// index of the first sample after the last such place, and a sentence about it.
struct Break {
  std::size_t after = 0;
  std::string what;  ///< empty: there is none
};
Break last_break(const Samples& samples);

/// How many of the samples are not of the time since when the process has run with the settings that it tells now.
std::size_t with_other_settings(const Samples& samples);

}  // namespace gopacer::deciding
