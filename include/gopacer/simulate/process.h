#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <random>

#include "gopacer/domain/settings.h"
#include "gopacer/simulate/service.h"

namespace gopacer::simulate {

/// One collection, as GODEBUG=gctrace=1,gcpacertrace=1 would tell it.
struct Cycle {
  double begin = 0;        ///< seconds since the process began
  double end = 0;          ///< of marking
  double trigger = 0;      ///< bytes of heap when marking began
  double peak = 0;         ///< bytes of heap when it ended
  double goal = 0;         ///< in force when it ended
  double marked = 0;       ///< M of the next cycle: what lived, and what was allocated while marking
  double scanned = 0;      ///< bytes
  double cpu_seconds = 0;  ///< of collection, sweeping included
  double assist_seconds = 0;
  bool forced = false;       ///< by the runtime's two-minute timer
  bool limit_rules = false;  ///< GOMEMLIMIT set the goal
  bool limited = false;      ///< the CPU limiter was on at some time
};

/// A Go process of version 1.26 in virtual time: allocation, pacer, marking, CPU limiter and scavenger, after
/// runtime/mgcpacer.go, mgclimit.go and mgcscavenge.go. Advances from event to event, a few for each collection.
///
/// Left out: what happens inside a processor's time slice, stop-the-world pauses, huge pages, and the page allocator's
/// first fit (a share of the live heap stands for fragmentation).
class Process {
 public:
  /// `cpu_limit` in cores; `memory_limit`: what the container may hold. `service` passes check().
  Process(const Service& service, const Settings& settings, std::optional<double> cpu_limit,
          std::optional<Bytes> memory_limit, std::uint64_t seed = 1);

  /// Lets `seconds` pass under `load`; less when the kernel kills the process.
  void run(double seconds, const Load& load);

  bool killed() const { return killed_; }
  void on_cycle(std::function<void(const Cycle&)> listener) { listener_ = std::move(listener); }

  // --- What can be read now -----------------------------------------------------------------------------------------
  double age() const { return now_; }         ///< seconds
  double heap_live() const { return heap_; }  ///< HeapAlloc; bytes, as all of these
  double marked() const { return marked_; }
  double in_use() const { return heap_ + service_.fragmentation * live_at_mark_; }
  double retained() const { return retained_; }  ///< HeapInuse and what is free and not returned
  double reserved() const { return reserved_; }  ///< HeapSys
  /// Sys − HeapIdle − HeapInuse.
  double overhead() const { return (service_.overhead + service_.stacks).value(); }
  double mapped() const { return retained_ + overhead(); }  ///< Sys − HeapReleased
  double anonymous() const;                                 ///< of the container, kernel memory included
  double goal() const;                                      ///< NextGC
  double total_alloc() const { return total_alloc_; }
  std::uint32_t cycles() const { return cycles_; }
  std::uint32_t forced_cycles() const { return forced_; }
  const std::deque<double>& cycle_ends() const { return ends_; }  ///< the 256 latest, oldest first
  double cpu_seconds() const { return work_cpu_ + gc_cpu_; }
  double gc_cpu_seconds() const { return gc_cpu_; }
  double sweep_cpu_seconds() const { return sweep_cpu_; }  ///< of them
  /// GCCPUFraction: of the processors' time since the beginning, without idle marking.
  double gc_fraction() const { return now_ > 0 ? background_time_ / (now_ * processors()) : 0; }
  double requests() const { return served_; }
  double dropped() const { return dropped_; }  ///< requests that waited for too long
  double mark_seconds() const { return mark_seconds_; }
  double limited_seconds() const { return limited_seconds_; }  ///< with the CPU limiter on
  double peak_anonymous() const { return peak_; }

 private:
  struct Rates {
    double work = 0;        ///< processors that serve requests
    double mark = 0;        ///< processors that mark
    double assist = 0;      ///< of those
    double idle_mark = 0;   ///< of those
    double allocation = 0;  ///< bytes a second
  };

  void commit();
  double trigger() const;
  double expected_scan() const;
  double most_scan() const;
  double pacing_goal() const;
  double left_to_scan() const;
  void begin_mark(bool forced);
  void end_mark();
  Rates rates(const Load& load) const;
  double step(const Load& load, const Rates& rates, double most) const;
  void pass(const Load& load, const Rates& rates, double seconds);
  void scavenge(double seconds);
  double live(const Load& load) const;
  double processors() const { return service_.max_procs; }

  const Service service_;
  const Settings settings_;
  const double gamma_;
  const double cpu_limit_;     ///< infinite without one
  const double memory_limit_;  ///< infinite without one
  std::mt19937_64 random_;
  std::function<void(const Cycle&)> listener_;

  double now_ = 0;
  bool killed_ = false;
  double off_heap_ = 0;
  double peak_ = 0;

  // Requests that wait, in number.
  double backlog_ = 0;
  double served_ = 0;
  double dropped_ = 0;
  double work_cpu_ = 0;
  double gc_cpu_ = 0;
  double sweep_cpu_ = 0;
  double background_time_ = 0;
  double mark_seconds_ = 0;
  double limited_seconds_ = 0;

  // The heap.
  double heap_ = 0;    ///< gcController.heapLive
  double marked_ = 0;  ///< gcController.heapMarked
  double live_at_mark_ = 0;
  double reachable_ = 0;  ///< at the end of the latest run()
  double growth_ = 0;     ///< of it, bytes a second
  double total_alloc_ = 0;
  double allocation_since_mark_ = 0;
  double retained_ = 0;
  double reserved_ = 0;
  double scavenge_goal_ = 0;  ///< of retained memory; infinite when there is nothing to do

  // The pacer.
  double gogc_goal_ = 0;
  double runway_ = 0;
  double last_scan_ = 0;  ///< heap bytes scanned by the last collection
  double last_goal_ = 0;
  std::deque<double> cons_marks_;  ///< the latest four
  std::uint32_t cycles_ = 0;
  std::uint32_t forced_ = 0;
  double last_end_ = 0;
  std::deque<double> ends_;

  // The collection under way.
  bool marking_ = false;
  double scanned_ = 0;
  double to_scan_ = 0;  ///< really reachable
  double seconds_per_scan_ = 0;
  double share_ = 1;  ///< of processor time in which there is a CPU, in this phase
  double idle_mark_time_ = 0;
  double assist_time_ = 0;
  Cycle cycle_;

  // The CPU limiter.
  double bucket_ = 0;
  bool limiting_ = false;
  double limiting_until_ = 0;  ///< at least
};

}  // namespace gopacer::simulate
