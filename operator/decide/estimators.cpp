#include "decide/estimators.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "decide/guards.h"
#include "gopacer/decide/go_pacer.h"

namespace gopacer::deciding {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kFewestSamples = 5;
constexpr std::uint32_t kFewestCycles = 3;
/// A service that did not collect thrice in this time is idle; waiting longer tells nothing more.
constexpr Duration kIdleAfter = std::chrono::minutes(5);
/// The runtime collects every two minutes when nothing else makes it.
constexpr Duration kForcedPeriod = seconds(118);
/// Below it the heap's least goal, stacks and rounding hide what GOGC does.
constexpr double kSmallHeap = 32.0 * 1024 * 1024;
/// Below it assists and the CPU limiter decide when a collection ends.
constexpr int kLeastTellingGogc = 30;
/// V over goal − M of programs that leave GOGC alone: marking begins at 0.7 at the earliest, and assists may stretch
/// it.
constexpr double kSlowestPace = 0.6;
constexpr double kFastestPace = 1.4;
/// Stacks of collection in CPU profiles from which on they are the best source: 10 % standard error.
constexpr double kEnoughGcStacks = 100;
/// Samples of a busy program come in bursts: their error is a little above that of independent ones.
constexpr double kProfileDesignEffect = 1.2;
constexpr double kLeastError = 0.03;
/// Wall-clock based: counts waiting for a CPU as work, and was seen to read twice too much on a busy node.
constexpr double kRuntimeMetricsError = 0.25;
/// Leaves idle marking out.
constexpr double kFractionError = 0.25;
/// 0.4 ns for each byte of live heap with pointers in it: all that is left without any source.
constexpr double kSecondsPerLiveByte = 0.4e-9;
constexpr double kLiveHeapError = 0.5;
/// The part of StackInUse that a collection scans, globals included: 0.2 to 0.25 in services that were measured. The
/// rest is room that goroutines have not used, and stacks kept for later ones.
constexpr double kScannedStacks = 0.25;
/// Outside the Go heap of a plain Go program: text, runtime, cgo's share of nothing.
constexpr double kGuessedNonGo = 16.0 * 1024 * 1024;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The p-quantile by nearest rank.
double upper(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(p * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
}

std::optional<double> cpu_seconds(const Sample& sample) {
  if (sample.process && sample.process->cpu_seconds) return sample.process->cpu_seconds;
  if (sample.usage && sample.usage->cpu_seconds) return sample.usage->cpu_seconds;
  return std::nullopt;
}

double heap_of(const MemStats& mem) { return (mem.sys - mem.heap_idle - mem.heap_alloc).value(); }
double mapped_of(const MemStats& mem) { return (mem.sys - mem.heap_released).value(); }

/// The change of a counter over the window, and the time that it was seen to change in.
struct Change {
  double by = 0;
  double seconds = 0;
};

template <typename Counter>
std::optional<Change> change_of(const std::vector<const Sample*>& samples, const Counter& counter) {
  const Sample* first = nullptr;
  const Sample* last = nullptr;
  for (const Sample* sample : samples) {
    if (!counter(*sample)) continue;
    if (first == nullptr) first = sample;
    last = sample;
  }
  if (first == last) return std::nullopt;
  const Change change{*counter(*last) - *counter(*first), to_seconds(last->at - first->at)};
  // A counter that went back belongs to another process than it seems.
  if (!(change.by >= 0) || !(change.seconds > 0)) return std::nullopt;
  return change;
}

/// One value at one time, in seconds.
struct Moment {
  double at = 0;
  double value = 0;
};

/// The slope a second of values that lie on a straight line over time; 0 when they do not, or are too few to tell.
double steady_slope(const std::vector<Moment>& moments) {
  if (moments.size() < 10 || moments.back().at - moments.front().at < to_seconds(kIdleAfter)) return 0;
  double n = 0, sum_t = 0, sum_m = 0, sum_tt = 0, sum_tm = 0, sum_mm = 0;
  for (const Moment& moment : moments) {
    const double t = moment.at - moments.front().at;
    const double m = moment.value;
    n += 1, sum_t += t, sum_m += m, sum_tt += t * t, sum_tm += t * m, sum_mm += m * m;
  }
  const double tt = sum_tt - sum_t * sum_t / n;
  const double tm = sum_tm - sum_t * sum_m / n;
  const double mm = sum_mm - sum_m * sum_m / n;
  return tt <= 0 || mm <= 0 || tm * tm / (tt * mm) < 0.9 ? 0 : tm / tt;
}

/// What one pod's samples say.
struct PodEstimate {
  double seconds = 0;
  double alloc_rate = 0;
  double volume = 0;
  double live = 0;
  double highest_live = 0;
  double roots = 0;
  double goal = 0;
  double highest_goal = 0;
  double non_heap = 0;
  double mapped = 0;
  double growth = 0;
  std::uint32_t cycles = 0;
  std::uint32_t forced = 0;
  bool limit_rules = false;
  Settings settings;
  std::string go_version;
  std::optional<double> cpu;            ///< cores
  std::optional<double> gc_by_metrics;  ///< cores
  std::optional<double> gc_by_fraction;
  double profile_gc = 0;
  double profile_total = 0;
  double profile_seconds = 0;
  double profile_stacks = 0;
  double max_procs = 0;
  std::optional<double> non_go;
  double non_go_growth = 0;  ///< bytes a second
  double spike = 0;
  double peak = 0;
  std::optional<Bytes> limit;
};

/// Reads one pod; the steps are in the order in which they need each other.
class PodReader {
 public:
  PodReader(const PodSeries& pod, const ProfileSpec& spec, Time now) : pod_(pod) {
    const Time from = std::max(now - kLongestWindow, pod.started + spec.canary.warm_up);
    for (const Sample& sample : pod.samples) {
      if (sample.at < from || sample.at > now) continue;
      samples_.push_back(&sample);
      if (sample.mem) with_mem_.push_back(&sample);
    }
  }

  std::size_t samples() const { return with_mem_.size(); }
  double seconds() const { return with_mem_.size() < 2 ? 0 : to_seconds(with_mem_.back()->at - with_mem_.front()->at); }
  std::uint32_t cycles() const {
    if (with_mem_.size() < 2) return 0;
    const MemStats& first = *with_mem_.front()->mem;
    const MemStats& last = *with_mem_.back()->mem;
    // Counters that went back belong to two processes.
    if (last.num_gc < first.num_gc || last.num_forced_gc < first.num_forced_gc ||
        last.total_alloc < first.total_alloc) {
      return 0;
    }
    return last.num_gc - first.num_gc;
  }

  /// Wants at least two samples with MemStats and one collection between them.
  PodEstimate read() {
    read_settings();
    read_cycles();
    read_heap();
    read_cpu();
    read_memory();
    return found_;
  }

  /// A sentence when what is seen does not fit what the pod's environment asks for; after read().
  std::string self_tuned() const {
    const Gogc asked = pod_.settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
    if (process_ != nullptr && process_->gogc) {
      if (*process_->gogc != asked) {
        return "Pod " + pod_.pod + " reports GOGC=" + text(*process_->gogc) + " while its environment asks for " +
               text(asked) + advice();
      }
      const auto& limit = pod_.settings.go_mem_limit;
      if (limit && process_->go_mem_limit && *process_->go_mem_limit != *limit) {
        return "Pod " + pod_.pod + " reports GOMEMLIMIT=" + format_go_size(*process_->go_mem_limit) +
               " while its environment asks for " + format_go_size(*limit) + advice();
      }
      return {};
    }
    // Without its own word, the goals tell: where GOGC rules, NextGC gives M, and nothing may contradict that M.
    if (asked.is_off() || asked.percent() < kLeastTellingGogc || found_.limit_rules || found_.forced > 0 ||
        found_.cycles < 10)
      return {};
    const double gamma = asked.percent() / 100.0;
    const double live = (found_.goal - gamma * found_.roots) / (1 + gamma);
    if (live < kSmallHeap) return {};
    std::size_t below = 0;
    for (const Sample* sample : with_mem_) {
      const MemStats& mem = *sample->mem;
      const Bytes implied = go_pacer::live_heap_from_goal(mem.next_gc, mem.stack_in_use * kScannedStacks, gamma);
      if (mem.heap_alloc.value() < 0.85 * implied.value()) ++below;
    }
    const double pace = found_.volume / (found_.goal - live);
    const bool heap_contradicts = below >= 2 && below * 10 >= with_mem_.size();
    if (!heap_contradicts && pace > kSlowestPace && pace < kFastestPace) return {};
    return "Pod " + pod_.pod + " collects as if GOGC were about " +
           std::to_string(
               static_cast<int>(100 * found_.volume / std::max(1.0, found_.goal - found_.volume + found_.roots))) +
           " while its environment asks for " + text(asked) + advice();
  }

 private:
  static std::string text(Gogc gogc) { return gogc.is_off() ? "off" : std::to_string(gogc.percent()); }
  static std::string advice() {
    return ": the program sets it itself (debug.SetGCPercent, debug.SetMemoryLimit or a tuner library). Remove that, "
           "or "
           "gopacer's settings have no effect.";
  }

  void read_settings() {
    found_.settings = pod_.settings;
    for (const Sample* sample : samples_) {
      if (sample->process) process_ = &*sample->process;
    }
    if (process_ == nullptr) return;
    found_.go_version = process_->go_version.value_or("");
    if (process_->gogc) {
      found_.settings.gogc = process_->gogc;
      found_.settings.go_mem_limit = process_->go_mem_limit;
    }
    // The variable may be there; the runtime does not look at it.
    if (!knows_memory_limit(found_.go_version)) found_.settings.go_mem_limit.reset();
  }

  void read_cycles() {
    const MemStats& first = *with_mem_.front()->mem;
    const MemStats& last = *with_mem_.back()->mem;
    found_.seconds = seconds();
    found_.cycles = cycles();
    found_.alloc_rate = (last.total_alloc - first.total_alloc).value() / found_.seconds;
    found_.forced = last.num_forced_gc - first.num_forced_gc;
    for (std::size_t i = 1; i < last.pauses.size(); ++i) {
      const bool in_window = last.pauses[i].end > with_mem_.front()->at && last.pauses[i].end <= with_mem_.back()->at;
      if (in_window && last.pauses[i].end - last.pauses[i - 1].end >= kForcedPeriod) ++found_.forced;
    }
    found_.forced = std::min(found_.forced, found_.cycles);
  }

  /// Mean time between the ends of collections within the window, where the ring of 256 holds all of them.
  std::optional<double> cycle_seconds() const {
    const std::vector<GcPause>& ring = with_mem_.back()->mem->pauses;
    if (found_.cycles + 1 >= ring.size()) return std::nullopt;
    const auto end = ring.end();
    const auto begin = end - static_cast<std::ptrdiff_t>(found_.cycles);
    const double spanned = to_seconds((end - 1)->end - begin->end);
    if (found_.cycles < 2 || !(spanned > 0) || spanned > found_.seconds) return std::nullopt;
    return spanned / (found_.cycles - 1);
  }

  void read_heap() {
    std::vector<double> goals;
    std::vector<double> roots;
    std::vector<double> non_heaps;
    std::vector<double> mapped;
    std::size_t by_limit = 0;
    double least_heap = std::numeric_limits<double>::infinity();
    for (const Sample* sample : with_mem_) {
      const MemStats& mem = *sample->mem;
      goals.push_back(mem.next_gc.value());
      roots.push_back(mem.stack_in_use.value() * kScannedStacks);
      non_heaps.push_back(heap_of(mem));
      mapped.push_back(mapped_of(mem));
      least_heap = std::min(least_heap, mem.heap_alloc.value());
      if (found_.settings.go_mem_limit) {
        const Bytes limit = *found_.settings.go_mem_limit;
        const Bytes overage = std::max(Bytes(0), mem.sys - mem.heap_released - limit);
        const Bytes by_memory = go_pacer::limit_goal({}, limit, mem.sys - mem.heap_idle - mem.heap_alloc, overage);
        if (mem.next_gc.value() >= 0.98 * by_memory.value()) ++by_limit;
      }
    }
    found_.goal = mean(goals);
    found_.highest_goal = upper(goals, 0.99);
    found_.roots = mean(roots);
    found_.non_heap = upper(non_heaps, 0.99);
    found_.mapped = upper(mapped, 0.99);

    const double gamma = found_.settings.gamma();
    found_.limit_rules = 2 * by_limit > with_mem_.size() || !std::isfinite(gamma);
    const double allocated = found_.alloc_rate * found_.seconds;
    double counted = found_.cycles > 0 ? allocated / found_.cycles : 0;
    // A count of few cycles is off by up to one; the ring has their exact times.
    if (const auto period = cycle_seconds()) counted = found_.alloc_rate * *period;
    if (found_.limit_rules) {
      found_.volume = std::min(counted, found_.goal);
      // Marking may end before the goal is reached; but what lives is never more than the heap was seen to hold.
      found_.live = std::min(found_.goal - found_.volume, least_heap);
      found_.highest_live = std::max(found_.live, std::min(found_.highest_goal - found_.volume, least_heap));
      return;
    }
    const auto live_at = [&](double goal) { return std::max(0.0, (goal - gamma * found_.roots) / (1 + gamma)); };
    const bool least_goal = found_.goal <= 1.02 * go_pacer::least_goal(gamma).value();
    found_.live = live_at(found_.goal);
    found_.highest_live = live_at(found_.highest_goal);
    if (least_goal && found_.forced == 0) {
      // The goal does not depend on M here; the formula gives the most that M can be.
      found_.live = std::min(found_.live, std::max(0.0, found_.goal - counted));
    }
    // Forced collections end cycles early, and say nothing of what the heap may grow by.
    found_.volume = found_.forced > 0 ? std::max(counted, found_.goal - found_.live) : counted;
    read_growth();
  }

  /// M as a straight line over time: what a leak, or a cache that still fills, looks like.
  void read_growth() {
    std::vector<Moment> goals;
    for (const Sample* sample : with_mem_)
      goals.push_back({to_seconds(sample->at.time_since_epoch()), sample->mem->next_gc.value()});
    found_.growth = steady_slope(goals) * found_.seconds / found_.goal;
  }

  void read_cpu() {
    for (const Sample* sample : samples_) {
      if (!sample->profile) continue;
      found_.profile_gc += sample->profile->gc_cpu_seconds;
      found_.profile_total += sample->profile->total_cpu_seconds;
      found_.profile_seconds += to_seconds(sample->profile->length);
      found_.profile_stacks += static_cast<double>(sample->profile->stacks);
    }
    if (process_ != nullptr && process_->max_procs) {
      found_.max_procs = *process_->max_procs;
    } else if (pod_.cpu_limit) {
      found_.max_procs = std::max(2.0, std::ceil(*pod_.cpu_limit));  // as Go 1.25 and later derive it
    }
    if (const auto used = change_of(samples_, cpu_seconds)) {
      found_.cpu = used->by / used->seconds;
    } else if (found_.profile_seconds > 0) {
      found_.cpu = found_.profile_total / found_.profile_seconds;
    }
    if (const auto gc = change_of(samples_, [](const Sample& sample) {
          return sample.process ? sample.process->gc_cpu_seconds : std::nullopt;
        })) {
      found_.gc_by_metrics = gc->by / gc->seconds;
    }
    if (found_.max_procs > 0) {
      const auto gc = change_of(samples_, [&](const Sample& sample) -> std::optional<double> {
        if (!sample.mem || sample.mem->pauses.empty()) return std::nullopt;
        const Time began = sample.process && sample.process->started ? *sample.process->started : pod_.started;
        if (began == Time{}) return std::nullopt;
        const double uptime = to_seconds(sample.mem->pauses.back().end - began);
        if (uptime <= 0) return std::nullopt;
        return sample.mem->gc_cpu_fraction * found_.max_procs * uptime;
      });
      if (gc) found_.gc_by_fraction = gc->by / gc->seconds;
    }
  }

  void read_memory() {
    found_.limit = pod_.memory_limit;
    std::vector<double> outside;
    std::vector<Moment> over_time;
    double before = 0;
    for (const Sample* sample : with_mem_) {
      std::optional<double> whole;
      if (sample->usage) {
        const ContainerUsage& usage = *sample->usage;
        if (usage.limit) found_.limit = usage.limit;
        // The working set counts page cache that the kernel would give back.
        whole =
            usage.anonymous ? (*usage.anonymous + usage.kernel.value_or(Bytes(0))).value() : usage.working_set.value();
      } else if (sample->process && sample->process->resident) {
        whole = sample->process->resident->value();
      }
      if (!whole) continue;
      found_.peak = std::max(found_.peak, *whole);
      // The runtime counts pages as mapped before they are touched: the difference may be negative.
      const double rest = std::max(0.0, *whole - mapped_of(*sample->mem));
      if (!outside.empty()) found_.spike = std::max(found_.spike, rest - before);
      before = rest;
      outside.push_back(rest);
      over_time.push_back({to_seconds(sample->at.time_since_epoch()), rest});
    }
    if (!outside.empty()) found_.non_go = upper(outside, 0.99);
    found_.non_go_growth = std::max(0.0, steady_slope(over_time));
    if (found_.peak == 0) found_.peak = found_.mapped;
  }

  const PodSeries& pod_;
  std::vector<const Sample*> samples_;
  std::vector<const Sample*> with_mem_;
  const ProcessMetrics* process_ = nullptr;
  PodEstimate found_;
};

struct GcCpu {
  double cores = 0;
  double rel_error = 0;
  std::string source;
};

/// Mean cores of collection over the pods, from the best source that all of them have.
GcCpu gc_cpu_of(const std::vector<PodEstimate>& pods, double cpu) {
  const double count = static_cast<double>(pods.size());
  double gc = 0, total = 0, stacks = 0, by_metrics = 0, by_fraction = 0, by_heap = 0;
  bool has_metrics = true, has_fraction = true;
  for (const PodEstimate& pod : pods) {
    gc += pod.profile_gc;
    total += pod.profile_total;
    stacks += pod.profile_stacks;
    has_metrics = has_metrics && pod.gc_by_metrics;
    has_fraction = has_fraction && pod.gc_by_fraction;
    by_metrics += pod.gc_by_metrics.value_or(0) / count;
    by_fraction += pod.gc_by_fraction.value_or(0) / count;
    by_heap += kSecondsPerLiveByte * pod.live * pod.cycles / pod.seconds / count;
  }
  GcCpu profiled;
  const double share = total > 0 ? std::min(1.0, gc / total) : 0;
  if (total > 0) {
    const double error = share > 0 && stacks > 0 ? std::sqrt((1 - share) / (share * stacks)) : 1;
    profiled = {share * cpu, std::max(kLeastError, kProfileDesignEffect * error), "CPU profile"};
  }
  GcCpu counted{std::min(by_metrics, cpu), kRuntimeMetricsError, "runtime metrics"};
  if (share * stacks >= kEnoughGcStacks) return profiled;
  if (has_metrics) return counted;
  if (share * stacks >= kEnoughGcStacks / 10) return profiled;
  // It counts time on a processor as the runtime sees it: where threads wait for CPUs, that is more than there was.
  if (has_fraction && by_fraction < cpu) return {by_fraction, kFractionError, "GCCPUFraction"};
  return {std::min(by_heap, cpu), kLiveHeapError, "live heap"};
}

Estimate combine(const std::vector<PodEstimate>& pods, const std::vector<PodEstimate>& with_cpu) {
  Estimate all;
  const double count = static_cast<double>(pods.size());
  double volume = 0, live = 0, cycles_per_second = 0;
  double limit_rules = 0;
  all.pods = static_cast<int>(pods.size());
  all.settings = pods.front().settings;
  all.go_version = pods.front().go_version;
  double non_go = 0;
  for (const PodEstimate& pod : pods) {
    const auto highest = [](Bytes& value, double candidate) { value = std::max(value, Bytes::of(candidate)); };
    all.cycles += pod.cycles;
    all.forced += pod.forced;
    all.window = std::max(all.window, Duration(static_cast<std::int64_t>(pod.seconds * 1e9)));
    all.alloc_rate += pod.alloc_rate / count;
    volume += pod.volume / count;
    live += pod.live / count;
    cycles_per_second += pod.cycles / pod.seconds / count;
    highest(all.live_heap, pod.highest_live);
    highest(all.roots, pod.roots);
    highest(all.heap_goal, pod.highest_goal);
    highest(all.non_heap, pod.non_heap);
    highest(all.mapped, pod.mapped);
    highest(all.spike, pod.spike);
    highest(all.non_go_growth, pod.non_go_growth * 3600);
    highest(all.peak_memory, pod.peak);
    all.non_go_known = all.non_go_known || pod.non_go;
    non_go = std::max(non_go, pod.non_go.value_or(0));
    all.heap_growth = std::max(all.heap_growth, pod.growth);
    limit_rules += pod.limit_rules ? 1 : 0;
    all.max_procs = std::max(all.max_procs, pod.max_procs);
    if (pod.limit) all.container_limit = std::min(*pod.limit, all.container_limit.value_or(*pod.limit));
  }
  all.cycle_volume = Bytes::of(volume);
  all.mean_live_heap = Bytes::of(live);
  all.limit_rules = 2 * limit_rules > count;
  all.cycles_per_minute = cycles_per_second * 60;
  const double scanned = std::max(1.0, live + all.roots.value());
  all.effective_gogc = 100 * volume / scanned;
  all.non_go = Bytes::of(all.non_go_known ? non_go : kGuessedNonGo);

  for (const PodEstimate& pod : with_cpu) all.cpu += *pod.cpu / static_cast<double>(with_cpu.size());
  if (!with_cpu.empty()) {
    const GcCpu gc = gc_cpu_of(with_cpu, all.cpu);
    all.gc_cpu = gc.cores;
    all.gc_cpu_rel_error = gc.rel_error;
    all.gc_cpu_source = gc.source;
    all.gc_cpu_fraction = all.cpu > 0 ? gc.cores / all.cpu : 0;
    all.gc_cpu_per_cycle = cycles_per_second > 0 ? gc.cores / cycles_per_second : 0;
  }
  return all;
}

}  // namespace

Estimation estimate(const ProfileSpec& spec, const Settings& current, const Observation& observed, Time now) {
  std::vector<PodEstimate> pods;
  std::vector<PodEstimate> with_cpu;
  Estimation result;
  int stable = 0;
  std::size_t most_samples = 0;
  double longest = 0;
  std::uint32_t most_cycles = 0;
  std::string error;
  const double least_seconds = std::max(4 * to_seconds(spec.metrics.interval), 20.0);

  for (const PodSeries& pod : observed.pods) {
    if (pod.track != Track::kStable || pod.settings != current) continue;
    ++stable;
    if (!pod.error.empty() && error.empty()) error = pod.error;
    PodReader reader(pod, spec, now);
    most_samples = std::max(most_samples, reader.samples());
    longest = std::max(longest, reader.seconds());
    most_cycles = std::max(most_cycles, reader.cycles());
    if (reader.samples() < kFewestSamples || reader.seconds() < least_seconds || reader.cycles() < kFewestCycles)
      continue;
    pods.push_back(reader.read());
    if (pods.back().cpu && *pods.back().cpu > 0) with_cpu.push_back(pods.back());
    if (result.self_tuned.empty()) result.self_tuned = reader.self_tuned();
  }

  const auto nothing = [&](std::string reason, std::string message) {
    result.reason = std::move(reason);
    result.message = std::move(message);
    return result;
  };
  if (stable == 0) {
    return nothing("NoPods", "No pod of the target runs " + describe(current) + " yet.");
  }
  if (pods.empty()) {
    if (most_samples == 0 && !error.empty()) return nothing("MetricsUnavailable", error);
    if (longest >= to_seconds(kIdleAfter) && most_cycles < kFewestCycles) {
      return nothing("Idle", "The service hardly collects garbage: " + std::to_string(most_cycles) +
                                 " collections in " + format_duration(seconds(static_cast<std::int64_t>(longest))) +
                                 ". There is nothing to gain.");
    }
    return nothing("CollectingSamples", "Collecting samples: " + std::to_string(most_samples) + " of " +
                                            std::to_string(kFewestSamples) + ", over " +
                                            format_duration(seconds(static_cast<std::int64_t>(longest))) + " of " +
                                            format_duration(seconds(static_cast<std::int64_t>(least_seconds))) +
                                            ", with " + std::to_string(most_cycles) + " collections of " +
                                            std::to_string(kFewestCycles) + (error.empty() ? "." : ". " + error));
  }
  result.estimate = combine(pods, with_cpu);
  if (with_cpu.empty()) {
    result.reason = "NoCpuMetrics";
    result.message =
        "Nothing tells how much CPU the pods use: the kubelet's cadvisor page, process_cpu_seconds_total on the "
        "service's "
        "/metrics page, or /debug/pprof/profile has to be readable.";
  }
  return result;
}

}  // namespace gopacer::deciding
