#include "judge/windows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "gopacer/domain/histogram.h"
#include "gopacer/domain/idle_marking.h"
#include "gopacer/domain/profiled_gc.h"

namespace gopacer::judging {
namespace {

/// Older windows have no samples any more; looking for them one by one would only take time.
constexpr std::int64_t kMostWindowsPerCall = 1000;
/// Of pauses, from a microsecond to a minute and a half.
constexpr int kPauseBuckets = 194;

/// The last sample at or before `time` that has what `wanted` looks for.
template <typename Wanted>
const Sample* last_at(const PodSeries& pod, Time time, const Wanted& wanted) {
  return latest_sample(pod, [&](const Sample& sample) { return sample.at <= time && wanted(sample); });
}

struct Ends {
  const Sample* first = nullptr;
  const Sample* last = nullptr;
};

/// The two samples whose difference stands for the window. None when the pod was not read within it, or when the
/// earlier one is so old that the difference would mostly speak of another time.
template <typename Wanted>
std::optional<Ends> ends_of(const PodSeries& pod, const Window& window, const Wanted& wanted) {
  const Ends ends{last_at(pod, window.from, wanted), last_at(pod, window.to, wanted)};
  // Where there is a first one there is a last one: itself, if nothing was read within the window.
  if (ends.first == nullptr || ends.last->at <= window.from) return std::nullopt;
  if (window.from - ends.first->at > 2 * (window.to - window.from)) return std::nullopt;
  return ends;
}

bool has_cpu(const Sample& sample) {
  return (sample.process && sample.process->cpu_seconds) || (sample.usage && sample.usage->cpu_seconds);
}

/// Cores in use between two samples. The process's own counter is read at the same moment as the rest; a container's
/// has a time of its own, many seconds older, that several samples may share.
std::optional<double> cores_between(const Sample& first, const Sample& last) {
  const auto rate = [](double from, double to, Duration over) -> std::optional<double> {
    if (over <= Duration(0) || !(to > from) || !std::isfinite(to - from)) return std::nullopt;
    return (to - from) / to_seconds(over);
  };
  if (first.process && last.process && first.process->cpu_seconds && last.process->cpu_seconds) {
    return rate(*first.process->cpu_seconds, *last.process->cpu_seconds, last.at - first.at);
  }
  if (first.usage && last.usage && first.usage->cpu_seconds && last.usage->cpu_seconds) {
    const auto asked = [](const Sample& sample) { return sample.usage->at == Time{} ? sample.at : sample.usage->at; };
    return rate(*first.usage->cpu_seconds, *last.usage->cpu_seconds, asked(last) - asked(first));
  }
  return std::nullopt;
}

std::optional<double> gc_seconds_by_metrics(const PodSeries&, const Sample& sample) {
  return sample.process ? sample.process->gc_cpu_seconds : std::nullopt;
}

/// GOMAXPROCS of the process; none where nothing tells.
std::optional<double> procs_of(const PodSeries& pod, const Sample& sample) {
  if (sample.process && sample.process->max_procs) return sample.process->max_procs;
  if (pod.cpu_limit) return std::max(2.0, std::ceil(*pod.cpu_limit));  // as Go 1.25 and later derive it
  return std::nullopt;
}

/// `whole` makes all of collection's cores of those that were counted: of a pod, of them, and of the cores in use.
template <typename Seconds, typename Whole>
std::optional<GcShare> counted_share(const Arm& arm, const Window& window, const Seconds& seconds, const Whole& whole) {
  double gc = 0;
  double cpu = 0;
  bool any = false;
  for (const PodSeries* pod : arm) {
    const auto ends = ends_of(
        *pod, window, [&](const Sample& sample) { return has_cpu(sample) && seconds(*pod, sample).has_value(); });
    if (!ends) continue;
    const double pod_gc = *seconds(*pod, *ends->last) - *seconds(*pod, *ends->first);
    const auto pod_cores = cores_between(*ends->first, *ends->last);
    // One reading that is no number would be all that the row of windows ever says.
    if (!(pod_gc >= 0) || !std::isfinite(pod_gc) || !pod_cores) continue;
    const double length = to_seconds(ends->last->at - ends->first->at);
    gc += whole(*pod, *ends->last, pod_gc / length, *pod_cores) * length;
    cpu += *pod_cores * length;
    any = true;
  }
  if (!any) return std::nullopt;
  return GcShare{gc / cpu, 0};
}

std::optional<double> cores_in(const PodSeries& pod, const Window& window) {
  const auto ends = ends_of(pod, window, has_cpu);
  return ends ? cores_between(*ends->first, *ends->last) : std::nullopt;
}

ProfiledGc profiled_in(const Arm& arm, const Window& window) {
  ProfiledGc profiled;
  for (const PodSeries* pod : arm) {
    const auto cores = cores_in(*pod, window);
    for (const Sample& sample : pod->samples) {
      if (sample.at > window.from && sample.at <= window.to && sample.profile) profiled.add(*sample.profile, cores);
    }
  }
  return profiled;
}

std::optional<GcShare> sampled_share(const Arm& arm, const Window& window) {
  const ProfiledGc profiled = profiled_in(arm, window);
  if (profiled.empty()) return std::nullopt;
  return GcShare{profiled.share(), profiled.share() * profiled.rel_error()};
}

/// Collections come one after the other: a window holds a whole number of them, half a one more or less than its share,
/// and so does the CPU that they took. Infinite when the arm was seen to end none.
double burst_error(const Arm& arm, const Window& window) { return 0.5 / collections_in(arm, window).value_or(0); }

}  // namespace

std::optional<double> gc_seconds_by_fraction(const PodSeries& pod, const Sample& sample) {
  const auto procs = procs_of(pod, sample);
  if (!procs || !sample.mem || sample.mem->pauses.empty()) return std::nullopt;
  const Time began = sample.process && sample.process->started ? *sample.process->started : pod.started;
  const double uptime = to_seconds(sample.mem->pauses.back().end - began);
  if (uptime <= 0) return std::nullopt;
  return sample.mem->gc_cpu_fraction * *procs * uptime;
}

Arm arm_of(const Observation& observed, Track track) {
  Arm arm;
  for (const PodSeries& pod : observed.pods) {
    if (pod.track == track) arm.push_back(&pod);
  }
  return arm;
}

std::vector<Window> take_due_windows(Evidence& evidence, Time since, Duration interval, Time now,
                                     std::initializer_list<const Arm*> arms) {
  std::vector<Window> due;
  if (interval <= Duration(0)) return due;
  Time from = evidence.until.value_or(since);
  const std::int64_t skipped = std::max<std::int64_t>(0, (now - from) / interval - kMostWindowsPerCall);
  evidence.empty_windows += static_cast<int>(std::min<std::int64_t>(skipped, 1'000'000));
  from += skipped * interval;
  const auto read_after = [&](Time end) {
    return std::all_of(arms.begin(), arms.end(), [&](const Arm* arm) {
      return std::all_of(arm->begin(), arm->end(),
                         [&](const PodSeries* pod) { return !pod->samples.empty() && pod->samples.back().at >= end; });
    });
  };
  for (Time to = from + interval; to <= now && (now >= to + interval || read_after(to)); to += interval) {
    due.push_back({from, to});
    from = to;
  }
  // A window that is not there yet leaves no trace: its begin may still be moved.
  if (!due.empty()) evidence.until = from;
  return due;
}

std::optional<Histogram> latency_in(const Arm& arm, const Window& window, const std::string& slo) {
  std::optional<Histogram> sum;
  for (const PodSeries* pod : arm) {
    const auto ends =
        ends_of(*pod, window, [&](const Sample& sample) { return sample.latency.find(slo) != sample.latency.end(); });
    if (!ends) continue;
    const auto delta = difference(ends->last->latency.at(slo), ends->first->latency.at(slo));
    if (!delta) continue;
    if (!sum) sum.emplace();
    merge(*sum, *delta);
  }
  return sum;
}

std::optional<double> collections_in(const Arm& arm, const Window& window) {
  std::optional<double> collections;
  for (const PodSeries* pod : arm) {
    const auto ends = ends_of(*pod, window, [](const Sample& sample) { return sample.mem.has_value(); });
    if (!ends || ends->last->mem->num_gc < ends->first->mem->num_gc) continue;
    collections = collections.value_or(0) + ends->last->mem->num_gc - ends->first->mem->num_gc;
  }
  return collections;
}

std::optional<Histogram> pauses_in(const Arm& arm, const Window& window) {
  bool read = false;
  std::vector<double> pauses;
  for (const PodSeries* pod : arm) {
    const auto ends = ends_of(*pod, window, [](const Sample& sample) { return sample.mem.has_value(); });
    if (!ends) continue;
    read = true;
    const auto& before = ends->first->mem->pauses;
    Time known = before.empty() ? Time{} : before.back().end;
    for (const Sample& sample : pod->samples) {
      if (sample.at <= ends->first->at || sample.at > ends->last->at || !sample.mem) continue;
      for (const GcPause& pause : sample.mem->pauses) {
        if (pause.end <= known) continue;
        known = pause.end;
        pauses.push_back(to_seconds(pause.pause));
      }
    }
  }
  if (!read) return std::nullopt;
  std::sort(pauses.begin(), pauses.end());
  std::map<double, double> cumulative;
  for (int i = 0; i < kPauseBuckets; ++i) {
    const double bound = 1e-6 * std::pow(1.1, i);
    const auto above = std::upper_bound(pauses.begin(), pauses.end(), bound);
    cumulative.emplace_hint(cumulative.end(), bound, static_cast<double>(above - pauses.begin()));
  }
  cumulative.emplace(std::numeric_limits<double>::infinity(), static_cast<double>(pauses.size()));
  return Histogram(cumulative, std::accumulate(pauses.begin(), pauses.end(), 0.0));
}

std::optional<double> throttled_in(const Arm& arm, const Window& window) {
  double sum = 0;
  int pods = 0;
  for (const PodSeries* pod : arm) {
    const auto ends =
        ends_of(*pod, window, [](const Sample& sample) { return sample.usage && sample.usage->throttled_seconds; });
    if (!ends) continue;
    const double held = *ends->last->usage->throttled_seconds - *ends->first->usage->throttled_seconds;
    const Duration time = ends->last->usage->at - ends->first->usage->at;
    if (time <= Duration(0) || !(held >= 0) || !std::isfinite(held)) continue;
    sum += held / to_seconds(time);
    ++pods;
  }
  if (pods == 0) return std::nullopt;
  return sum / pods;
}

void add_requests(std::int64_t& sum, double requests) {
  constexpr double kMost = 1e15;
  sum = static_cast<std::int64_t>(std::min(static_cast<double>(sum) + requests, kMost));
}

std::optional<Work> work_in(const Arm& arm, const Window& window, const std::string& slo) {
  constexpr double kFewestRequests = 50;
  Work work;
  for (const PodSeries* pod : arm) {
    const auto ends = ends_of(*pod, window, [&](const Sample& sample) {
      return has_cpu(sample) && sample.latency.find(slo) != sample.latency.end();
    });
    if (!ends) continue;
    const auto delta = difference(ends->last->latency.at(slo), ends->first->latency.at(slo));
    const auto cores = cores_between(*ends->first, *ends->last);
    if (!delta || !cores) continue;
    work.requests += delta->count();
    work.cpu += *cores * to_seconds(ends->last->at - ends->first->at);
  }
  if (work.requests < kFewestRequests) return std::nullopt;
  return work;
}

std::string to_string(GcSource source) {
  switch (source) {
    case GcSource::kProfile:
      return "CPU profile";
    case GcSource::kRuntimeMetrics:
      return "runtime metrics";
    case GcSource::kFraction:
      return "GCCPUFraction";
  }
  return {};
}

std::optional<GcSource> gc_source_named(const std::string& name) {
  for (const GcSource source : kGcSources) {
    if (to_string(source) == name) return source;
  }
  return std::nullopt;
}

std::optional<GcShare> gc_share_in(const Arm& arm, const Window& window, GcSource source) {
  std::optional<GcShare> found;
  switch (source) {
    case GcSource::kProfile:
      found = sampled_share(arm, window);
      break;
    case GcSource::kRuntimeMetrics:
      found = counted_share(arm, window, gc_seconds_by_metrics,
                            [](const PodSeries&, const Sample&, double counted, double) { return counted; });
      break;
    case GcSource::kFraction:
      found = counted_share(arm, window, gc_seconds_by_fraction,
                            [](const PodSeries& pod, const Sample& last, double counted, double cores) {
                              return with_idle_marking(counted, cores, procs_of(pod, last).value_or(0));
                            });
      break;
  }
  if (found && found->share > 0)
    found->std_error = std::hypot(found->std_error, found->share * burst_error(arm, window));
  return found;
}

std::optional<double> any_gc_share_in(const Arm& arm, const Window& window) {
  for (const GcSource source : kGcSources) {
    if (const auto found = gc_share_in(arm, window, source)) return found->share;
  }
  return std::nullopt;
}

std::optional<double> assist_share_in(const Arm& arm, const Window& window) {
  const ProfiledGc profiled = profiled_in(arm, window);
  return profiled.empty() ? std::nullopt : std::optional(profiled.share_of(CpuUse::kAssist));
}

bool tells_gc_cpu(const PodSeries& pod) {
  return std::any_of(pod.samples.begin(), pod.samples.end(), [&](const Sample& sample) {
    return sample.profile ||
           (has_cpu(sample) && (gc_seconds_by_metrics(pod, sample) || gc_seconds_by_fraction(pod, sample)));
  });
}

std::optional<CycleSize> cycle_size_in(const PodSeries& pod, const Window& window) {
  const auto ends = ends_of(pod, window, [](const Sample& sample) { return sample.mem.has_value(); });
  if (!ends) return std::nullopt;
  const MemStats& before = *ends->first->mem;
  const MemStats& after = *ends->last->mem;
  // A forced collection ends a cycle early: with some among them V is not what the heap's growth allows.
  if (after.num_gc < before.num_gc || after.num_gc - before.num_gc < 3 || after.num_forced_gc != before.num_forced_gc)
    return std::nullopt;
  const double volume = (after.total_alloc - before.total_alloc).value() / (after.num_gc - before.num_gc);
  if (!(volume > 0)) return std::nullopt;
  // V is the window's mean and the goal is of one moment: what the heap grew or shrank by is not to pass for what
  // lives.
  const double goal = std::min(before.next_gc, after.next_gc).value();
  return CycleSize{volume, std::max(0.0, goal - volume)};
}

bool limited_in(const PodSeries& pod, const Window& window) {
  const auto ends =
      ends_of(pod, window, [](const Sample& sample) { return sample.process && sample.process->limited_cycle; });
  return ends && *ends->last->process->limited_cycle > *ends->first->process->limited_cycle;
}

}  // namespace gopacer::judging
