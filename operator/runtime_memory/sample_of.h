#pragma once

#include "gopacer/domain/sample.h"
#include "runtime_memory/cycle_counter.h"

namespace gopacer {

/// What both settings make of the heap now: the size at which the next collection ends.
Bytes heap_goal(const GcState& state);

/// What the operator's reader would give of a process that serves pprof and runtime metrics, from its memory alone.
/// `counter` has seen `state`; collections and GC's CPU are counted since its first reading.
Sample sample_of(const GcState& state, const CycleCounter& counter, Time at);

}  // namespace gopacer
