#pragma once

#include "gopacer/decide/decision.h"

namespace gopacer::deciding {

/// The law that everything rests on: GC's CPU = A·m/V. Of m only sweeping depends on the settings, a little, so that
/// they only choose V. The runtime's timer keeps collections from becoming rarer than one in two minutes.
class Physics {
 public:
  /// `estimate` outlives the object.
  explicit Physics(const Estimate& estimate);

  /// V under `settings`, bytes a cycle, mean over pods.
  double volume(const Settings& settings) const;
  /// The largest V that a heap goal of `goal` gives, for the pod with the largest live heap.
  double volume_at(Bytes goal) const;
  /// GOGC, in percent, that gives `volume`; not yet bounded or rounded.
  double gogc_for(double volume) const;
  /// Cores that collection takes at `volume`.
  double gc_cpu(double volume) const;
  /// CPU seconds of a collection that do not depend on V.
  double marking() const { return marking_; }
  /// V at which what depends on it takes `share` of the CPU in use; infinite when forced collections alone take more.
  double volume_for_share(double share) const;
  /// V at which the time spent marking is `duty` of all time. GOMAXPROCS counts as two when it is unknown, the least
  /// that Go derives from a CPU limit.
  double volume_for_duty(double duty) const;

  /// The largest V with which the highest container's memory, margin included, stays below `peak`; 0 when it is above
  /// already.
  double volume_within(Bytes peak) const;

  Prediction predict(const Settings& wanted) const;

 private:
  double volume_of(double growth) const;
  /// Of V, what sweeping is known to grow with.
  double swept_growth(double volume) const;
  double cpu_per_cycle(double volume) const;
  double cycles_per_second(double volume) const;
  /// What of the settings the program's Go looks at.
  Settings heeded(Settings settings) const;

  const Estimate& estimate_;
  /// Goal − M now, and the part of it that is allocated before the collection ends: marking aims at the goal, begins
  /// some bytes before it, and ends early when there is CPU to spare.
  double growth_ = 1;
  double pacing_ = 1;
  double forced_per_second_ = 0;
  double marking_ = 0;            ///< of m, what does not depend on V; CPU seconds. Sweeping what lives is in it
  double sweeping_per_byte_ = 0;  ///< of m, for each byte of V
};

/// Memory that is worth as much as one core where a GiB costs `price` cores.
inline double bytes_per_core(double price) { return gib(1).value() / price; }

}  // namespace gopacer::deciding
