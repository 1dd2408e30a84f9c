#pragma once

namespace gopacer {

/// Cores that collection takes, from the `counted` ones that GCCPUFraction tells, which leaves out what is marked on
/// CPUs that the program leaves idle. `cores` are in use altogether, of `procs` (GOMAXPROCS).
///
/// Go gives a quarter of GOMAXPROCS to marking, and lets CPUs that have nothing else to do mark as well. If all of them
/// did so for as long as marking lasts, idle marking would be 3·(1 − u) of the rest, where u is the share of GOMAXPROCS
/// that the program keeps busy. 2.1·(1 − u) is what programs were seen to do (docs/estimators.md), give or take a
/// third. What is known by other sources is not to be put through this. Never less than `counted`, nor more than
/// `cores`.
double with_idle_marking(double counted, double cores, double procs);

}  // namespace gopacer
