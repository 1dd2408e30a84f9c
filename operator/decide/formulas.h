#pragma once

#include <array>

#include "gopacer/base/clock.h"
#include "gopacer/base/units.h"

namespace gopacer::deciding {

// Formulas that others published for setting GOGC, exactly as they wrote them. Where each goes wrong:
// docs/strategies.md. MB is a million bytes.

/// LatencyMemoryRate: clamp(15·(1 + 0.8·r)·(1 + 0.02·p), 10, 100), r = growth of the heap over 60 s in MB/s (negative
/// when it shrinks), p = p99 in milliseconds.
double latency_memory_rate(double heap_growth_mb_per_second, double p99_ms);

/// TwoFactor: 80·clamp(QPS/500, 0.3, 2)·max(0.5, 1 − 0.8·u), u = share of the heap's memory in use, 0 to 1.
double two_factor(double requests_per_second, double heap_utilization);

/// TwoFactor's forecast of the next pause: 0.45 of it follows the allocation rate, 0.35 the number of live objects, and
/// 0.20 is the last pause. The source gives the weights only; here the first two are relative to their means over the
/// window, and scale its mean pause.
struct PauseFactors {
  double mean_pause_ms = 0;
  double last_pause_ms = 0;
  double alloc_rate_ratio = 1;    ///< latest / mean
  double live_objects_ratio = 1;  ///< latest / mean
};
double pause_forecast_ms(const PauseFactors& factors);

/// PauseFeedback: 100 for a heap below 16 MiB; else GOGC / clamp(mean of the last 3 pauses / 5 ms, 0.5, 2) within
/// 25..200, and max(25, 0.8 of that) when the heap grows by more than 2 MB/s.
double pause_feedback(double gogc, Bytes heap, const std::array<Duration, 3>& last_pauses,
                      double heap_growth_mb_per_second);

/// WaterLevel: GOGC is 30 where p99 is above 800 ms, else 100. Here it becomes 100 again below 640 ms only, so that it
/// does not flutter.
double water_level_gogc(double gogc, double p99_ms);

/// WaterLevel: where more than 85 % of the node's memory are in use GOMEMLIMIT is tightened by a stage. The source does
/// not tell the stages; here they are 90, 75 and 60 % of the container's limit, and one is released below 75 %.
/// `part`: of the container's limit what GOMEMLIMIT is now, 1 where there is none. The same part when it stays.
double water_level_limit(double part, double node_share);

}  // namespace gopacer::deciding
