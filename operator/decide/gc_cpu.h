#pragma once

#include <optional>
#include <string>
#include <vector>

#include "decide/pod_estimate.h"
#include "gopacer/domain/profile.h"

namespace gopacer::deciding {

/// The source that is none: a guess by the live heap.
inline constexpr const char* kGuessed = "live heap";

struct GcCpu {
  double cores = 0;
  double rel_error = 0;  ///< relative standard error
  /// "CPU profile", "runtime metrics", "GCCPUFraction", "earlier CPU profiles" or "live heap"
  std::string source;
  /// Of `cores`, what sweeping takes; 0 where the source leaves it out.
  double sweep_part = 0;
};

struct GcCpuContext {
  /// What an agent counts is first, since a trial goes by it, too, and what was promised has to be what is measured.
  bool by_agent = false;
  std::optional<MarkingCost> known = std::nullopt;  ///< from earlier processes
  std::string template_hash = {};                   ///< of the present ones
};

/// Mean cores of collection over the pods by each of the sources that all of them have, the one with the least error
/// first; there is always one. `cpu`: mean cores in use.
std::vector<GcCpu> gc_cpu_of(const std::vector<PodEstimate>& pods, double cpu, const GcCpuContext& context = {});

}  // namespace gopacer::deciding
