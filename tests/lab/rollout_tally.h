#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gopacer/simulate/rollout.h"

namespace gopacer::lab {

/// What became of the rollouts of one world.
struct Tally {
  int rollouts = 0;
  int promoted = 0;     ///< the target got the new settings
  int confirmed = 0;    ///< and has them
  int rolled_back = 0;  ///< in the trial
  int taken_back = 0;   ///< in the watch
  int undecided = 0;
  int broken = 0;     ///< an invariant did not hold
  int trials = 0;     ///< more than one in a long simulation
  int accidents = 0;  ///< faults that came about
  std::vector<double> minutes;
  std::map<std::string, int> reasons;

  void add(const RolloutResult& result) {
    ++rollouts;
    promoted += result.promoted ? 1 : 0;
    confirmed += result.in_force ? 1 : 0;
    if (result.verdict == TrialVerdict::kRollBack) ++(result.promoted ? taken_back : rolled_back);
    if (result.verdict == TrialVerdict::kInconclusive) ++undecided;
    broken += result.broken.empty() ? 0 : 1;
    trials += result.trials;
    accidents += result.accidents;
    minutes.push_back(to_seconds(result.until_decided) / 60);
    ++reasons[(result.promoted && !result.in_force ? "watch:" : "") + result.reason];
  }
  double share(int count) const { return static_cast<double>(count) / std::max(1, rollouts); }
  double of_promoted(int count) const { return static_cast<double>(count) / std::max(1, promoted); }
  /// Of the time until a verdict; so many of all are below it.
  double minutes_within(double part) {
    if (minutes.empty()) return 0;
    const auto at = minutes.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(minutes.size() - 1) + 0.5);
    std::nth_element(minutes.begin(), at, minutes.end());
    return *at;
  }
  double median_minutes() { return minutes_within(0.5); }
};

}  // namespace gopacer::lab
