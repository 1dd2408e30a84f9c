#pragma once

#include "decide/physics.h"
#include "gopacer/decide/decision.h"

namespace gopacer::deciding {

/// GOMEMLIMIT that leaves room for what it does not count:
/// min(0.95·C, C − 1.1·nonGo) − max(3 %·C, nonGo/5 within 8 to 32 MiB, spike), at most `max_percent` of C and
/// 0.92·C − nonGo, whole MiB. May be ≤ 0. Where nothing tells the container's memory without page cache it is 32 MiB,
/// whatever nonGo.
Bytes safe_limit(Bytes container, const Estimate& estimate, int max_percent);

/// The GOMEMLIMIT in force is so near the container's limit, or above it, that nothing stops the heap in time whatever
/// else is in the container. A lower limit may be above what is safe, too, but is no hurry: GOGC may keep the heap far
/// below it, and where it does not, peaks tell.
bool nothing_stops(const Estimate& estimate);

/// The sentence that says so.
std::string too_high_text(const Estimate& estimate);

/// The container's limit that lets the heap grow by half of what is scanned under its safe limit; whole MiB.
Bytes container_needed(const Estimate& estimate, int max_percent);

/// What is in force stays, as no GOMEMLIMIT that is safe leaves the heap room. `now`: what is in force.
void keep_for_want_of_memory(const DecideInput& input, const Settings& now, Decision& decision);

/// The smallest GOMEMLIMIT under which collections do not crowd; whole MiB.
Bytes least_limit(const Estimate& estimate);

/// Refuses where the person's least GOMEMLIMIT is above what is safe; false where it is not.
bool refuse_unsatisfiable(const DecideInput& input, Bytes safe, Decision& decision);

/// "GC takes 14.2 % of 0.31 cores (CPU profile) now and is expected to take 7.4 %; memory 210.0MiB → 290.0MiB of
/// 512.0MiB."
std::string expectation(const Estimate& estimate, const Prediction& predicted);

/// Strategy Model: what the formulas want. `decision.estimate` is set; fills in the rest.
void decide_by_model(const DecideInput& input, const Physics& physics, Decision& decision);

/// The other strategies: what published formulas want. `decision.estimate` is set;
/// fills in the rest.
void decide_by_formula(const DecideInput& input, const Physics& physics, Time now, Decision& decision);

/// Strategy Fixed: what a person wants. `decision.estimate` is set; fills in the rest.
void decide_fixed(const DecideInput& input, const Physics& physics, Decision& decision);

}  // namespace gopacer::deciding
