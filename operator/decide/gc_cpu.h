#pragma once

#include <string>
#include <vector>

#include "decide/pod_estimate.h"

namespace gopacer::deciding {

struct GcCpu {
  double cores = 0;
  double rel_error = 0;  ///< relative standard error
  std::string source;    ///< "CPU profile", "runtime metrics", "GCCPUFraction" or "live heap"
};

/// Mean cores of collection over the pods, from the source with the least error of those that all of them have. `cpu`:
/// mean cores in use.
GcCpu gc_cpu_of(const std::vector<PodEstimate>& pods, double cpu);

}  // namespace gopacer::deciding
