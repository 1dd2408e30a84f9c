#pragma once

#include <functional>

#include "cli/live_sampling.h"
#include "runtime_memory/go_runtime.h"

namespace gopacer {

/// Reads one process for a while by its memory and `usage`, whenever `what.plan.interval` is over; in between as often
/// as it takes to see each collection. Ends when the readings span `what.duration`, or the process ends; that is then
/// the series' error. Blocks.
Observation sample_memory(const GoRuntime& runtime, const Clock& clock, UsageFallback& usage, const LiveSampling& what,
                          const std::function<void(const SamplingProgress&)>& progress);

/// A process of this machine, read by its memory and by what the kernel charges it with.
struct MemorySubject {
  Observation observed;
  std::string go_version;
};

/// Likewise, of the process that `runtime` is of; its memory limit and CPUs are those of its control group where `what`
/// has none.
Result<MemorySubject> observe_memory(int pid, const GoRuntime& runtime, const Clock& clock, LiveSampling what,
                                     const std::function<void(const SamplingProgress&)>& progress);

}  // namespace gopacer
