#pragma once

#include <string>
#include <vector>

#include "gopacer/domain/settings.h"
#include "gopacer/simulate/process.h"

namespace gopacer::testing {

/// What record_cycles.py wrote of a real process.
struct Recording {
  std::string name;
  Settings settings;
  int max_procs = 2;
  double off_heap = 0;
  double seconds = 0;
  double request_rate = 0;
  double alloc_rate = 0;
  double cpu = 0;             ///< cores
  double gc_share = 0;        ///< of them: GC in the CPU profile by the CPU that was used
  double gc_share_error = 0;  ///< its relative standard error
  double sweep_share = 0;     ///< of the collector's CPU, what sweeps in the background
  double mean_goal = 0;
  double rss = 0;
  double mapped = 0;
  double non_heap = 0;
  double stacks = 0;
  struct Cycle {
    double mark_seconds, assist, background, idle, heap_scan, stack_scan, globals, trigger, end, goal;
  };
  std::vector<Cycle> cycles;

  double mean(double Cycle::* member) const;
  double gc_rate() const { return static_cast<double>(cycles.size()) / seconds; }
  double gc_cpu() const { return gc_share * cpu; }
  double peak_heap() const;
};

/// Throws when there is no such file below tests/simulate/data.
Recording read_recording(const std::string& name);

/// What really lived: the mean of the heap after a collection without what was allocated while marking. Only where GOGC
/// rules.
double live_heap_of(const Recording& recording);

/// The service that a recording shows, and the machine that it had.
simulate::Service calibrate(const Recording& recording, double live_heap);

/// `service` on the machine of `recording`: how much of it the neighbours left is not the service's own.
simulate::Service on_machine_of(const Recording& recording, simulate::Service service);

}  // namespace gopacer::testing
