#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/sample.h"

namespace gopacer {

/// What a target's pods were like at one time: means over those of its pods that are not of a trial.
struct LongPoint {
  Time at;
  int pods = 0;                      ///< that were read
  std::optional<double> memory;      ///< bytes of a container: anonymous and kernel memory, or else its working set
  std::optional<double> mapped;      ///< bytes that Go's runtime has mapped and not released
  std::optional<double> heap_goal;   ///< NextGC in bytes
  std::optional<double> alloc_rate;  ///< bytes a second
  std::optional<double> cores;       ///< in use, by the process's own account or the kernel's
};

/// The point that `observed` makes; none when no pod outside a trial was read in the latest `kEvery`. Rates are between
/// the oldest and the newest sample of each pod.
std::optional<LongPoint> long_point(const Observation& observed);

/// A target's pods over a week, a point every ten minutes. Each figure is kept to 0.1 % in two bytes, so that a whole
/// week is 20 KB: a slow leak shows, and nothing finer is to be read from it. Figures below 1e-3 count as 0.
class LongRow {
 public:
  static constexpr Duration kEvery = std::chrono::minutes(10);
  static constexpr std::size_t kMostPoints = 1008;

  /// Whether a point of `now` would be one too soon after the latest.
  bool is_due(Time now) const;
  /// Keeps a point that is later than all others; the oldest goes when there are too many.
  void add(const LongPoint& point);

  std::size_t size() const { return points_.size(); }
  /// Oldest first, to the second.
  LongPoint operator[](std::size_t i) const;

 private:
  struct Compact {
    std::uint32_t at;  ///< seconds since the epoch
    std::uint16_t pods, memory, mapped, heap_goal, alloc_rate, cores;
  };

  std::vector<Compact> points_;
};

}  // namespace gopacer
