#pragma once

#include <string>
#include <vector>

#include "decide/pod_estimate.h"

namespace gopacer::deciding {

/// The source that is none: a guess by the live heap.
inline constexpr const char* kGuessed = "live heap";

struct GcCpu {
  double cores = 0;
  double rel_error = 0;  ///< relative standard error
  std::string source;    ///< "CPU profile", "runtime metrics", "GCCPUFraction" or "live heap"
  /// Of `cores`, what sweeping takes; 0 where the source leaves it out.
  double sweep_part = 0;
};

/// Mean cores of collection over the pods by each of the sources that all of them have, the one with the least error
/// first; there is always one. `cpu`: mean cores in use. `by_agent`: what an agent counts is first, since a trial goes
/// by it, too, and what was promised has to be what is measured.
std::vector<GcCpu> gc_cpu_of(const std::vector<PodEstimate>& pods, double cpu, bool by_agent = false);

}  // namespace gopacer::deciding
