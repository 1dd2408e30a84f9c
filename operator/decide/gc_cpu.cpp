#include "decide/gc_cpu.h"

#include <algorithm>
#include <cmath>

namespace gopacer::deciding {
namespace {

/// Stacks of collection in CPU profiles from which on they are the best source: 10 % standard error.
constexpr double kEnoughGcStacks = 100;
/// Samples of a busy program come in bursts: their error is a little above that of independent ones.
constexpr double kProfileDesignEffect = 1.2;
constexpr double kLeastError = 0.03;
/// Wall-clock based: counts waiting for a CPU as work, and was seen to read twice too much on a busy node.
constexpr double kRuntimeMetricsError = 0.25;
/// Leaves idle marking out.
constexpr double kFractionError = 0.25;
/// 0.4 ns for each byte of live heap with pointers in it: all that is left without any source.
constexpr double kSecondsPerLiveByte = 0.4e-9;
constexpr double kLiveHeapError = 0.5;

}  // namespace

GcCpu gc_cpu_of(const std::vector<PodEstimate>& pods, double cpu) {
  const double count = static_cast<double>(pods.size());
  double gc = 0, total = 0, stacks = 0, by_metrics = 0, by_fraction = 0, by_heap = 0;
  bool has_metrics = true, has_fraction = true;
  for (const PodEstimate& pod : pods) {
    gc += pod.profile_gc;
    total += pod.profile_total;
    stacks += pod.profile_stacks;
    has_metrics = has_metrics && pod.gc_by_metrics;
    has_fraction = has_fraction && pod.gc_by_fraction;
    by_metrics += pod.gc_by_metrics.value_or(0) / count;
    by_fraction += pod.gc_by_fraction.value_or(0) / count;
    by_heap += kSecondsPerLiveByte * pod.live * pod.cycles / pod.seconds / count;
  }
  GcCpu profiled;
  const double share = total > 0 ? std::min(1.0, gc / total) : 0;
  if (total > 0) {
    const double error = share > 0 && stacks > 0 ? std::sqrt((1 - share) / (share * stacks)) : 1;
    profiled = {share * cpu, std::max(kLeastError, kProfileDesignEffect * error), "CPU profile"};
  }
  GcCpu counted{by_metrics, kRuntimeMetricsError, "runtime metrics"};
  if (share * stacks >= kEnoughGcStacks) return profiled;
  // On a busy machine both of the runtime's own figures may be more than all of the CPU there was.
  if (has_metrics && by_metrics < cpu) return counted;
  if (share * stacks >= kEnoughGcStacks / 10) return profiled;
  // It counts time on a processor as the runtime sees it: where threads wait for CPUs, that is more than there was.
  if (has_fraction && by_fraction < cpu) return {by_fraction, kFractionError, "GCCPUFraction"};
  if (total > 0 && profiled.rel_error < kLiveHeapError) return profiled;
  return {std::min(by_heap, cpu), kLiveHeapError, "live heap"};
}

}  // namespace gopacer::deciding
