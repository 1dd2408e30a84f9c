#pragma once

#include "gopacer/base/units.h"
#include "gopacer/domain/settings.h"

namespace gopacer::go_pacer {

// The heap goals of Go's garbage collector, runtime/mgcpacer.go of Go 1.19 to 1.26.

/// What a collection left behind, and what else the runtime holds.
struct Heap {
  Bytes live;   ///< M: marked by the collection that ended last
  Bytes roots;  ///< S + Gl: stacks and globals that it scanned
};

/// N₁ = max(M + (M + S + Gl)·γ, 4 MiB·γ): the goal that GOGC sets. Without end (the largest Bytes) when GOGC is off.
Bytes gogc_goal(const Heap& heap, double gamma);

/// The heap memory that GOMEMLIMIT leaves, less the runtime's safety margin h = max(1 MiB, 3 % of it):
/// g = limit − nonheap − overage, N₂ = max(M, g − h), and M when nothing is left.
/// nonheap = Sys − HeapIdle − HeapAlloc, overage = max(0, Sys − HeapReleased − limit).
Bytes limit_goal(const Heap& heap, Bytes limit, Bytes non_heap, Bytes overage = Bytes(0));

/// N = min(N₁, N₂); N₁ alone without a limit.
Bytes goal(const Heap& heap, const Settings& settings, Bytes non_heap, Bytes overage = Bytes(0));

/// Where marking begins: N − runway, kept within [M + 45/64·(N − M), max(M + 61/64·(N − M), N − 4 MiB)].
/// `runway`: bytes that are allocated while marking.
Bytes trigger(const Heap& heap, Bytes goal, Bytes runway);

/// M of the last collection from the goal that GOGC set: (N − γ·(S + Gl))/(1 + γ). `gamma` is finite.
Bytes live_heap_from_goal(Bytes goal, Bytes roots, double gamma);

/// The heap's least goal, 4 MiB·γ: below it GOGC says nothing of the live heap.
Bytes least_goal(double gamma);

}  // namespace gopacer::go_pacer
