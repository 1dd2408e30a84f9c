#include "decide/gc_cpu.h"

#include <algorithm>

namespace gopacer::deciding {
namespace {

/// Samples of a busy program come in bursts: their error is a little above that of independent ones.
constexpr double kProfileDesignEffect = 1.2;
constexpr double kLeastError = 0.03;
/// Wall-clock based: counts waiting for a CPU as work, and was seen to read twice too much on a busy node.
constexpr double kRuntimeMetricsError = 0.25;
constexpr const char* kRuntimeMetrics = "runtime metrics";
/// Leaves idle marking out: half to three quarters of collection in services that leave much of their CPUs idle.
constexpr double kFractionError = 0.5;
/// 0.4 ns for each byte of live heap with pointers in it: all that is left without any source.
constexpr double kSecondsPerLiveByte = 0.4e-9;
constexpr double kLiveHeapError = 0.5;

}  // namespace

std::vector<GcCpu> gc_cpu_of(const std::vector<PodEstimate>& pods, double cpu, bool by_agent) {
  const double count = static_cast<double>(pods.size());
  ProfiledGc profiled;
  double by_metrics = 0, by_fraction = 0, by_heap = 0;
  bool has_metrics = true, has_fraction = true;
  for (const PodEstimate& pod : pods) {
    profiled.add(pod.profiled);
    has_metrics = has_metrics && pod.gc_by_metrics;
    has_fraction = has_fraction && pod.gc_by_fraction;
    by_metrics += pod.gc_by_metrics.value_or(0) / count;
    by_fraction += pod.gc_by_fraction.value_or(0) / count;
    by_heap += kSecondsPerLiveByte * pod.live * pod.cycles / pod.seconds / count;
  }
  std::vector<GcCpu> found;
  const double profile_error = std::max(kLeastError, kProfileDesignEffect * profiled.rel_error());
  if (!profiled.empty()) found.push_back({profiled.share() * cpu, profile_error, "CPU profile"});
  // They count time on a processor as the runtime sees it: where threads wait for CPUs, it may be more than there was.
  if (has_metrics && by_metrics < cpu) found.push_back({by_metrics, kRuntimeMetricsError, kRuntimeMetrics});
  if (has_fraction && by_fraction < cpu) found.push_back({by_fraction, kFractionError, "GCCPUFraction"});
  found.push_back({std::min(by_heap, cpu), kLiveHeapError, kGuessed});
  std::stable_sort(found.begin(), found.end(),
                   [](const GcCpu& one, const GcCpu& other) { return one.rel_error < other.rel_error; });
  if (by_agent) {
    std::stable_partition(found.begin(), found.end(), [](const GcCpu& one) { return one.source == kRuntimeMetrics; });
  }
  return found;
}

}  // namespace gopacer::deciding
