#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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
  bool counts_forced = true;        ///< num_forced_gc tells; the memory that agents read does not
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

/// What the stacks of a CPU profile do: of a kind is each stack that goes through one of its functions, so that one may
/// be of several kinds.
enum class CpuUse {
  kAssist,       ///< gcAssistAlloc: what requests themselves have to mark
  kIdleMarking,  ///< gcDrainMarkWorkerIdle, from Go 1.21 on: marking on CPUs that had nothing else to do
  kSweeping,     ///< bgsweep
  kScavenging,   ///< bgscavenge and the page allocator's scavenging: memory that goes back to the system
  kAllocating,   ///< mallocgc, assists and sweeping for an allocation included
  kCopying,      ///< memmove
  kLocking,      ///< lock2 and unlock2, the runtime's own locks, and sync.Mutex where somebody holds it
  kFutex,        ///< futex: putting threads to sleep and waking them
};
inline constexpr std::array<const char*, 8> kCpuUseNames{"assist",     "idleMarking", "sweeping", "scavenging",
                                                         "allocating", "copying",     "locking",  "futex"};

/// CPU seconds, or shares of the CPU, by kind.
struct CpuUses {
  std::array<double, kCpuUseNames.size()> values{};
  double& operator[](CpuUse use) { return values[static_cast<std::size_t>(use)]; }
  double operator[](CpuUse use) const { return values[static_cast<std::size_t>(use)]; }
  CpuUses& operator+=(const CpuUses& other) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.values[i];
    return *this;
  }
  CpuUses& operator*=(double factor) {
    for (double& value : values) value *= factor;
    return *this;
  }
};

/// GC's share of a CPU profile: the best source of GC CPU, and a sample by nature.
struct GcProfile {
  Duration length{0};  ///< wall time that the profile covers
  double total_cpu_seconds = 0;
  double gc_cpu_seconds = 0;  ///< cumulative gcBgMarkWorker + gcAssistAlloc + bgsweep
  std::int64_t stacks = 0;    ///< number of stack samples behind it, for its standard error
  CpuUses uses{};             ///< CPU seconds
  /// By the program's clock, as GcPause::end; none where the profile does not tell.
  std::optional<Time> began = std::nullopt;
  std::optional<int> collections = std::nullopt;  ///< that ended meanwhile; none where nothing tells
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
  std::optional<Bytes> shared;        ///< files that live in memory: tmpfs, an emptyDir of medium Memory, /dev/shm
  std::optional<double> cpu_seconds;  ///< counter
  std::optional<double> throttled_seconds;  ///< counter
  /// Of the node's memory, what its kubelet counts as in use when it looks for whom to evict: the working set of
  /// everything that runs there.
  std::optional<double> node_share;

  /// Whether it is known what the kernel can give back and what it can't.
  bool is_detailed() const { return anonymous && shared; }
  /// What the kernel can't give back when memory runs short. Where files in memory can't be told from page cache, the
  /// working set, which is at least that.
  Bytes kept() const {
    if (!is_detailed()) return working_set;
    return *anonymous + *shared + kernel.value_or(Bytes(0));
  }
};

/// Upper bounds of buckets in seconds, ascending; the last is +Inf. All readings of one histogram share them.
using BucketBounds = std::shared_ptr<const std::vector<double>>;

/// A Prometheus histogram with classic buckets, or the difference of two.
struct Histogram {
  /// A histogram with more is refused where it is read.
  static constexpr std::size_t kMostBounds = 256;

  Histogram() = default;
  /// From upper bounds in seconds, each with the number of observations at or below it.
  explicit Histogram(const std::map<double, double>& cumulative, double sum_of_all = 0);

  BucketBounds bounds = std::make_shared<const std::vector<double>>();  ///< never null
  std::vector<double> counts;                                           ///< of observations at or below each bound
  double sum = 0;

  double count() const { return counts.empty() ? 0 : counts.back(); }
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

/// Readings of one process, oldest first. Copies share the samples: what is in never changes, it can only be replaced.
class SampleRow {
 public:
  using Shared = std::shared_ptr<const Sample>;

  class Iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = Sample;
    using difference_type = std::ptrdiff_t;
    using pointer = const Sample*;
    using reference = const Sample&;

    Iterator() = default;
    explicit Iterator(const Shared* at) : at_(at) {}
    reference operator*() const { return **at_; }
    pointer operator->() const { return at_->get(); }
    reference operator[](difference_type n) const { return *at_[n]; }
    Iterator& operator++() { return ++at_, *this; }
    Iterator& operator--() { return --at_, *this; }
    Iterator operator++(int) { return Iterator(at_++); }
    Iterator operator--(int) { return Iterator(at_--); }
    Iterator& operator+=(difference_type n) { return at_ += n, *this; }
    Iterator& operator-=(difference_type n) { return at_ -= n, *this; }
    Iterator operator+(difference_type n) const { return Iterator(at_ + n); }
    Iterator operator-(difference_type n) const { return Iterator(at_ - n); }
    friend Iterator operator+(difference_type n, Iterator from) { return from + n; }
    difference_type operator-(Iterator other) const { return at_ - other.at_; }
    auto operator<=>(const Iterator&) const = default;

   private:
    const Shared* at_ = nullptr;
  };

  SampleRow() = default;
  SampleRow(std::initializer_list<Sample> samples) {
    for (const Sample& sample : samples) push_back(sample);
  }

  bool empty() const { return samples_.empty(); }
  std::size_t size() const { return samples_.size(); }
  const Sample& front() const { return *samples_.front(); }
  const Sample& back() const { return *samples_.back(); }
  const Sample& operator[](std::size_t i) const { return *samples_[i]; }
  Iterator begin() const { return Iterator(samples_.data()); }
  Iterator end() const { return Iterator(samples_.data() + samples_.size()); }
  std::reverse_iterator<Iterator> rbegin() const { return std::reverse_iterator(end()); }
  std::reverse_iterator<Iterator> rend() const { return std::reverse_iterator(begin()); }
  /// How many samples there is room for without another allocation.
  std::size_t capacity() const { return samples_.capacity(); }

  void clear() { samples_.clear(); }
  void push_back(Sample sample) { samples_.push_back(std::make_shared<const Sample>(std::move(sample))); }
  void pop_front() { samples_.erase(samples_.begin()); }
  void shrink_to_fit() { samples_.shrink_to_fit(); }
  /// Takes out the samples for which `unwanted` is true.
  template <typename Unwanted>
  std::size_t erase_if(const Unwanted& unwanted) {
    return std::erase_if(samples_, [&](const Shared& sample) { return unwanted(*sample); });
  }
  /// Replaces the sample at `i` by a copy that `edit` has worked on.
  template <typename Edit>
  void change(std::size_t i, const Edit& edit) {
    auto changed = std::make_shared<Sample>(*samples_[i]);
    edit(*changed);
    samples_[i] = std::move(changed);
  }
  template <typename Edit>
  void change_each(const Edit& edit) {
    for (std::size_t i = 0; i < size(); ++i) change(i, edit);
  }
  template <typename Edit>
  void change_last(const Edit& edit) {
    change(size() - 1, edit);
  }

 private:
  std::vector<Shared> samples_;
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
  SampleRow samples;
  /// Of the same process with the same settings, whose samples are kept no longer: those of which it is known how many
  /// collections they hold, oldest first.
  std::vector<GcProfile> earlier_profiles;
  /// Why the latest attempt to read the pod gave nothing; empty when it went well.
  std::string error;
  /// What else could not be read at the latest attempt, a sentence each: a histogram, the CPU profile, the container.
  std::vector<std::string> notes;
  /// Why the latest attempt gave no histogram of an SLO, by the SLO's name; also among the notes.
  std::map<std::string, std::string> unread;
};

class LongRow;

/// The pod's latest sample that has what `wanted` looks for; null when there is none.
template <typename Wanted>
const Sample* latest_sample(const PodSeries& pod, const Wanted& wanted) {
  for (auto sample = pod.samples.rbegin(); sample != pod.samples.rend(); ++sample) {
    if (wanted(*sample)) return &*sample;
  }
  return nullptr;
}

/// What is known of a profile's pods at one moment. Immutable once handed out.
struct Observation {
  Time at;
  std::vector<PodSeries> pods;
  std::string container_source;  ///< "kubelet", "metrics.k8s.io", "cgroup" or "pod spec"
  /// The target's pods over a week, coarsely. Null where none is kept.
  std::shared_ptr<const LongRow> long_row;
};

}  // namespace gopacer
