#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/settings.h"

namespace gopacer {

/// One garbage collection as the runtime's 256-entry ring reports it.
struct GcPause {
  Time end;        ///< on the pod's clock
  Duration pause;  ///< stop-the-world time of the cycle
  bool operator==(const GcPause&) const = default;
};

/// One reading of runtime.MemStats.
/// Sources: the trailer of /debug/pprof/heap?debug=1, or expvar's memstats.
struct MemStats {
  Bytes heap_alloc;
  Bytes total_alloc;  ///< counter
  Bytes sys;
  Bytes heap_sys;
  Bytes heap_idle;
  Bytes heap_in_use;
  Bytes heap_released;
  Bytes stack_in_use;
  Bytes next_gc;
  std::uint64_t mallocs = 0;  ///< counter
  std::uint64_t frees = 0;    ///< counter
  std::uint64_t heap_objects = 0;
  std::uint32_t num_gc = 0;         ///< counter
  std::uint32_t num_forced_gc = 0;  ///< counter
  /// GC's share of the CPU time available to the process since it began. Leaves idle marking out.
  double gc_cpu_fraction = 0;
  /// Up to the 256 latest cycles, oldest first.
  std::vector<GcPause> pauses;
};

/// What the process says of itself on its own /metrics page (client_golang); every member may be missing. The page has
/// those of runtime/metrics only where the program asks client_golang for them.
struct ProcessMetrics {
  std::optional<Gogc> gogc;              ///< go_gc_gogc_percent
  std::optional<Bytes> go_mem_limit;     ///< go_gc_gomemlimit_bytes; empty when there is no limit
  std::optional<double> max_procs;       ///< go_sched_gomaxprocs_threads
  std::optional<double> cpu_seconds;     ///< process_cpu_seconds_total
  std::optional<double> gc_cpu_seconds;  ///< go_cpu_classes_gc_total_cpu_seconds_total
  /// go_cpu_classes_total_… − go_cpu_classes_idle_…: counts a thread that waits for a CPU as work
  std::optional<double> busy_cpu_seconds;
  std::optional<Bytes> heap_live;      ///< go_gc_heap_live_bytes: M exactly, of the last collection
  std::optional<Bytes> scanned_roots;  ///< go_gc_scan_stack_bytes + go_gc_scan_globals_bytes
  /// go_gc_limiter_last_enabled_gc_cycle: number of the cycle in which collection was last kept to half of the CPU; 0:
  /// never
  std::optional<double> limited_cycle;
  std::optional<Bytes> resident;          ///< process_resident_memory_bytes
  std::optional<Time> started;            ///< process_start_time_seconds
  std::optional<std::string> go_version;  ///< go_info{version=…}
};

/// GC's share of a CPU profile: the best source of GC CPU, and a sample by nature.
struct GcProfile {
  Duration length{0};  ///< wall time that the profile covers
  double total_cpu_seconds = 0;
  double gc_cpu_seconds = 0;  ///< cumulative gcBgMarkWorker + gcAssistAlloc + bgsweep
  std::int64_t stacks = 0;    ///< number of stack samples behind it, for its standard error
};

/// What the kernel charges a container with.
/// Sources: the kubelet's /metrics/cadvisor, or metrics.k8s.io.
struct ContainerUsage {
  /// When the kernel was asked. A kubelet asks only every 10 to 15 s, so several samples may carry the same reading:
  /// rates are over the differences of this time.
  Time at;
  std::optional<Bytes> limit;
  Bytes working_set;
  std::optional<Bytes> anonymous;  ///< anonymous resident memory
  std::optional<Bytes> kernel;
  std::optional<double> cpu_seconds;        ///< counter
  std::optional<double> throttled_seconds;  ///< counter
};

/// A Prometheus histogram with classic buckets, or the difference of two.
struct Histogram {
  /// Upper bound in seconds → number of observations at or below it. The last bound is +Inf.
  std::map<double, double> cumulative;
  double sum = 0;

  double count() const { return cumulative.empty() ? 0 : cumulative.rbegin()->second; }
};

/// Everything that was read from one pod at one time. A part that could not be read is empty.
struct Sample {
  Time at;
  std::optional<MemStats> mem;
  std::optional<ProcessMetrics> process;
  std::optional<GcProfile> profile;  ///< covers the time before `at`
  std::optional<ContainerUsage> usage;
  std::map<std::string, Histogram> latency;  ///< by the SLO's name
};

/// Where a pod stands in a trial.
enum class Track { kStable, kCanary, kBaseline };

/// The latest samples of one container, oldest first, all of one process: a restart begins a new series.
struct PodSeries {
  std::string pod;
  std::string uid;  ///< of the pod: another pod of the same name is another series
  Track track = Track::kStable;
  bool ready = false;
  Time created;  ///< of the pod
  Time started;  ///< of the container
  /// When the first sample of this process was taken, whether it is still kept or not. None before.
  std::optional<Time> first_read;
  int restarts = 0;
  bool oom_killed = false;            ///< the last restart's reason
  Settings settings;                  ///< as the pod's spec has them
  std::optional<Bytes> memory_limit;  ///< as the pod's spec or status has it
  std::optional<double> cpu_limit;    ///< cores
  std::vector<Sample> samples;
  /// Why the latest attempt to read the pod gave nothing; empty when it went well.
  std::string error;
  /// What else could not be read at the latest attempt, a sentence each: a histogram, the CPU profile, the container.
  std::vector<std::string> notes;
  /// Why the latest attempt gave no histogram of an SLO, by the SLO's name; also among the notes.
  std::map<std::string, std::string> unread;
};

/// What is known of a profile's pods at one moment. Immutable once handed out.
struct Observation {
  Time at;
  std::vector<PodSeries> pods;
  std::string container_source;  ///< "kubelet", "metrics.k8s.io", "cgroup" or "pod spec"
};

}  // namespace gopacer
