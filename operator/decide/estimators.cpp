#include "decide/estimators.h"

#include <algorithm>
#include <vector>

#include "decide/gc_cpu.h"
#include "decide/pod_estimate.h"

namespace gopacer::deciding {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kFewestSamples = 5;
constexpr std::uint32_t kFewestCycles = 3;
/// A service that did not collect thrice in this time is idle; waiting longer tells nothing more.
constexpr Duration kIdleAfter = std::chrono::minutes(5);
/// Outside the Go heap of a plain Go program: text, runtime, cgo's share of nothing.
constexpr double kGuessedNonGo = 16.0 * 1024 * 1024;

Estimate combine(const std::vector<PodEstimate>& pods, const std::vector<PodEstimate>& with_cpu,
                 const GcCpuContext& context) {
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
    // Of pods that run the same, the worst error stands for all.
    const auto worst = [](double& error, std::string& source, double candidate, const std::string& its) {
      if (source.empty() || candidate > error) error = candidate, source = its;
    };
    worst(all.cycle_volume_rel_error, all.cycle_volume_source, pod.volume_error, pod.volume_source);
    worst(all.live_heap_rel_error, all.live_heap_source, pod.live_error, pod.live_source);
    if (pod.cpu) worst(all.cpu_rel_error, all.cpu_source, pod.cpu_error, pod.cpu_source);
    all.alloc_rate_rel_error = std::max(all.alloc_rate_rel_error, pod.alloc_rate_error);
    all.limiter_active = all.limiter_active || pod.limiter_active;
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
    highest(all.ballast, pod.ballast);
    // Of several kinds the worse one counts.
    const bool is_worse = all.memory_source.empty() || pod.memory_source != "container";
    if (!pod.memory_source.empty() && is_worse) all.memory_source = pod.memory_source;
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

  ProfiledGc profiled;
  for (const PodEstimate& pod : pods) profiled.add(pod.profiled);
  if (!profiled.empty()) {
    CpuUses& uses = all.cpu_uses.emplace();
    for (std::size_t i = 0; i < uses.values.size(); ++i) uses.values[i] = profiled.share_of(static_cast<CpuUse>(i));
  }
  for (const PodEstimate& pod : with_cpu) all.cpu += *pod.cpu / static_cast<double>(with_cpu.size());
  if (!with_cpu.empty()) {
    const std::vector<GcCpu> by_source = gc_cpu_of(with_cpu, all.cpu, context);
    const GcCpu& gc = by_source.front();
    all.gc_cpu = gc.cores;
    all.gc_cpu_rel_error = gc.rel_error;
    all.gc_cpu_source = gc.source;
    all.sweep_part = gc.sweep_part;
    all.gc_cpu_fraction = all.cpu > 0 ? gc.cores / all.cpu : 0;
    all.gc_cpu_per_cycle = cycles_per_second > 0 ? gc.cores / cycles_per_second : 0;
    for (std::size_t i = 1; i < by_source.size(); ++i) {
      if (by_source[i].source == kGuessed || all.cpu <= 0) continue;
      all.gc_cpu_others += (all.gc_cpu_others.empty() ? "" : ", ") + by_source[i].source + " " +
                           format_fixed(100 * by_source[i].cores / all.cpu, 1) + "%";
    }
  }
  return all;
}

/// What the pod told last may be of the settings before the latest change.
bool is_out_of_date(const PodSeries& pod, const DecideInput& input) {
  constexpr Duration kUntilFollowed = std::chrono::seconds(2);
  const auto& changes = input.memory.changes;
  if (input.spec.update_mode != UpdateMode::kContinuous || changes.empty() || pod.samples.empty()) return false;
  return pod.samples.back().at < changes.back().at + kUntilFollowed;
}

/// The pod runs what is in force. Live, one that was resized in place has as much GOMEMLIMIT of it as fits.
bool has_current(const PodSeries& pod, const DecideInput& input) {
  const Settings& current = input.current;
  if (pod.settings == current) return true;
  const bool less =
      pod.settings.go_mem_limit && current.go_mem_limit && *pod.settings.go_mem_limit < *current.go_mem_limit;
  return input.spec.apply == ApplyMode::kLive && pod.settings.gogc == current.gogc && less;
}

}  // namespace

Estimation estimate(const DecideInput& input, Time now) {
  std::vector<PodEstimate> pods;
  std::vector<PodEstimate> with_cpu;
  Estimation result;
  int stable = 0;
  std::size_t most_samples = 0;
  double longest = 0;
  std::uint32_t most_cycles = 0;
  bool all_warm_up = true;
  std::string error;
  std::string clock_trouble;
  const double least_seconds = std::max(4 * to_seconds(input.spec.metrics.interval), 20.0);

  for (const PodSeries& pod : input.observed.pods) {
    if (pod.track != Track::kStable || !has_current(pod, input)) continue;
    ++stable;
    all_warm_up = all_warm_up && now < pod.started + input.spec.canary.warm_up;
    if (!pod.error.empty() && error.empty()) error = pod.error;
    if (is_out_of_date(pod, input)) continue;
    SeriesReader reader(pod, input, now);
    most_samples = std::max(most_samples, reader.samples());
    longest = std::max(longest, reader.seconds());
    most_cycles = std::max(most_cycles, reader.cycles());
    if (clock_trouble.empty() && !reader.clock_trouble().empty())
      clock_trouble = reader.clock_trouble() + " of " + pod.pod;
    if (reader.samples() < kFewestSamples || reader.seconds() < least_seconds || reader.cycles() < kFewestCycles)
      continue;
    pods.push_back(reader.read());
    if (pods.back().cpu && *pods.back().cpu > 0) with_cpu.push_back(pods.back());
    if (result.self_tuned.empty()) result.self_tuned = reader.self_tuned();
    if (result.unknown_settings.empty()) result.unknown_settings = reader.unknown_settings();
    if (result.unasked.empty()) result.unasked = reader.unasked();
  }

  const auto nothing = [&](std::string reason, std::string message) {
    result.reason = std::move(reason);
    result.message = std::move(message);
    return result;
  };
  if (stable == 0) {
    return nothing("NoPods", "No pod of the target runs " + describe(input.current) + " yet.");
  }
  if (pods.empty()) {
    if (most_samples == 0 && !error.empty()) return nothing("MetricsUnavailable", error);
    if (!clock_trouble.empty()) {
      return nothing("ClockJumped", clock_trouble + ": what was read before does not count. Collecting samples anew: " +
                                        std::to_string(most_samples) + " of " + std::to_string(kFewestSamples) + ".");
    }
    if (longest >= to_seconds(kIdleAfter) && most_cycles < kFewestCycles) {
      return nothing("Idle", "The service hardly collects garbage: fewer than " + std::to_string(kFewestCycles) +
                                 " collections in " + format_duration(kIdleAfter) + ". There is nothing to gain.");
    }
    if (all_warm_up && error.empty()) {
      return nothing("CollectingSamples", "The pods warm up: what is read of one counts from " +
                                              format_duration(input.spec.canary.warm_up) +
                                              " (canary.warmUp) after its start.");
    }
    std::string wanting;
    const auto lacks = [&](double have, double needed, const auto& text, const char* what) {
      if (have >= needed) return;
      wanting += (wanting.empty() ? "" : ", ") + text(have) + " of " + text(needed) + what;
    };
    const auto number = [](double value) { return format_fixed(value, 0); };
    const auto time = [](double value) { return format_duration(seconds(static_cast<std::int64_t>(value))); };
    lacks(static_cast<double>(most_samples), static_cast<double>(kFewestSamples), number, " readings");
    lacks(longest, least_seconds, time, "");
    lacks(static_cast<double>(most_cycles), static_cast<double>(kFewestCycles), number, " collections");
    if (wanting.empty()) wanting = "no pod has all of it yet";
    return nothing("CollectingSamples", "Collecting samples: " + wanting + (error.empty() ? "." : ". " + error));
  }
  const bool by_agent = input.spec.apply == ApplyMode::kLive || input.spec.metrics.source == RuntimeSource::kAgent;
  result.estimate = combine(pods, with_cpu, {by_agent, input.memory.marking, input.template_hash});
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
