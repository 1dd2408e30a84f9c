#pragma once

#include "gopacer/domain/evidence.h"
#include "gopacer/domain/profile.h"
#include "judge/windows.h"

namespace gopacer::judging {

/// A pod has a burst where its quantile is twice that of the middle one of the pods with the old settings, and by four
/// standard deviations of the windows' differences above it: neither nodes nor noise explain that, while the mean of
/// all windows would hardly show one in fifty. Bursts that are so frequent that they make that deviation are seen by
/// the mean.
inline constexpr double kBurst = 2;
inline constexpr double kBurstDeviations = 4;
/// The harm that the test looks for: the canary's bursts are so many times as frequent as anybody's.
inline constexpr double kBurstsMoreOften = 8;
/// Without some pods beside it nobody knows what is usual; of two, the middle one would be the higher one itself.
inline constexpr int kFewestOthers = 3;
/// With many pods beside it two would be enough by the numbers alone; one coincidence makes two.
inline constexpr int kFewestBursts = 3;
/// The rarest bursts that are looked for come in one window of fifty; in twice as many one surely shows again.
inline constexpr int kWindowsToABurst = 100;

struct ArmsAndTarget {
  const Arm& canary;
  const Arm& baseline;
  const Arm& target;
};

/// Adds the bursts that began in the window. Where pods are equal, each burst comes to any of them with the same
/// probability, whatever the number of bursts is: A. Wald's sequential test of that against kBurstsMoreOften. Its
/// likelihood ratio is ever above 1/alpha with a probability of at most alpha (J. Ville), so it may be looked at after
/// each window. A burst that lasts for several windows is one, so windows may be as alike as they like.
void count_bursts(MetricEvidence& metric, const ArmsAndTarget& pods, const Window& window, const Slo& slo);

/// They come with the settings: by that test, and by the same one of the canary against the baseline alone. Bursts that
/// come with fresh pods, while caches fill, come to both of these and not to the target's own.
bool bursts_decide(const MetricEvidence& metric, double alpha);

}  // namespace gopacer::judging
