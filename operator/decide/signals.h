#pragma once

#include <array>
#include <optional>

#include "decide/formulas.h"
#include "gopacer/decide/decision.h"

namespace gopacer::deciding {

/// What the published formulas look at: means over the stable pods, of the latest minute. Empty where the samples don't
/// tell.
struct Signals {
  std::optional<double> p99_ms;               ///< of the first SLO's histogram, over all pods
  std::optional<double> requests_per_second;  ///< of one pod, counted by that histogram
  std::optional<double> minute_growth;        ///< of HeapAlloc over 60 s, MB/s
  std::optional<double> latest_growth;        ///< of HeapAlloc since the reading before, MB/s
  std::optional<double> heap_utilization;     ///< HeapInuse / HeapSys
  std::optional<Bytes> heap;                  ///< HeapAlloc
  std::optional<std::array<Duration, 3>> last_pauses;
  std::optional<PauseFactors> pause_factors;
  /// Of the node whose memory is used most, as it was when the pods ran their present settings already.
  std::optional<double> node_share;
};

Signals read_signals(const DecideInput& input, Time now);

}  // namespace gopacer::deciding
