#pragma once

#include <optional>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "gopacer/base/units.h"

namespace gopacer::simulate {

/// What a Go program is made of, as far as its collector and its container notice. The defaults are the test service
/// checkout on one machine of 2026.
struct Service {
  int max_procs = 2;                        ///< GOMAXPROCS, 1 to 256
  double bytes_per_request = 128.0 * 1024;  ///< allocated
  double cpu_per_request = 0.55e-3;         ///< CPU seconds, collection not included
  double held_per_request = 32.0 * 1024;    ///< of its bytes, those that live for as long as the request waits or runs
  double most_waiting = 1000;               ///< requests; beyond it they are refused
  double pointers = 0.8;                    ///< share of the live heap that marking has to scan, 0 to 1
  double mark_seconds_per_byte = 1.0e-9;    ///< CPU seconds for each scanned byte
  double sweep_seconds_per_byte = 0.0;      ///< CPU seconds for each byte of the heap at a collection's end
  double seconds_per_cycle = 0.5e-3;        ///< CPU seconds of a collection with nothing to mark
  double idle_marking = 0.8;                ///< share of the idle processors' time that marking gets hold of, 0 to 1
  /// Share of its processors' time in which the program has a CPU; the rest goes to others on the machine. In (0, 1].
  double machine_share = 1;
  double mark_jitter = 0.2;  ///< standard deviation of the logarithm of a mark's speed, from collection to collection
  Bytes stacks = kib(1200);  ///< StackInUse
  Bytes stack_scan = kib(130);  ///< the part of it that a collection scans
  Bytes globals = kib(240);     ///< scanned as well
  Bytes overhead = mib(9);      ///< the runtime's own memory: span and type data, bitmaps, profiles
  double fragmentation = 0.06;  ///< bytes of free slots in spans in use, for each byte of the live heap
  Bytes non_go = mib(8);        ///< anonymous and kernel memory outside the Go runtime
  Bytes page_cache = mib(16);   ///< file pages in the working set
  Duration fill{0};             ///< a restarted process needs so long until its live heap is what the load asks for
};

/// What the world asks of the service at one moment.
struct Load {
  double request_rate = 0;  ///< a second
  Bytes live_heap;          ///< reachable, without requests that wait
  Bytes off_heap;           ///< mapped by the program outside the Go runtime: cgo, mmap
};

/// The error names the member and its range.
Result<void> check(const Service& service);

}  // namespace gopacer::simulate
