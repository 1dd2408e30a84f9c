#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gopacer/simulate/rollout.h"

namespace gopacer::lab {

/// One world by what it changes; the rows of the page say what each is for.
struct Scenario {
  const char* name;
  void (*change)(RolloutWorld&);
};

/// Of the 99th percentile, by so many times the world's tolerance.
double slowdown_of(const RolloutWorld& world, double times);

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

  void add(const RolloutResult& result);
  double share(int count) const;
  double of_promoted(int count) const;
  /// Minutes until a verdict, by the end of which this part of all rollouts had one.
  double minutes_of(double part);
  /// Rollouts that were decided in so many minutes, of all.
  double decided_within(double most) const;
};

/// Runs so many of them, each with the next seed. Says on standard error which invariant did not hold, and with which
/// seed.
Tally rollouts(const RolloutWorld& world, const std::string& name, int count, std::uint64_t seed);

/// "0.50 %".
std::string percent(double share);

}  // namespace gopacer::lab
