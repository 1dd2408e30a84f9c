#include "decide/gc_cpu.h"

#include <algorithm>
#include <cmath>

#include "gopacer/domain/idle_marking.h"

namespace gopacer::deciding {
namespace {

// Of a CPU profile, as refitting recordings of known programs showed. A thread's timer samples it evenly, not at
// random: that errs less than independent samples would. What the kernel's ticks miss is not of chance.
constexpr double kProfileScatter = 0.6;
constexpr double kProfileBias = 0.06;
/// Where collections are not counted, each profile may hold part of one more or less.
constexpr double kEdge = 0.4;
/// The runtime gives a quarter of GOMAXPROCS to marking, and as many idle CPUs as there are.
constexpr double kMarkingShare = 0.25;
/// Wall-clock based: counts waiting for a CPU as work, and was seen to read twice too much on a busy node.
constexpr double kRuntimeMetricsError = 0.25;
/// Of collection's CPU by profiles.
constexpr double kUsualSweepPart = 0.1;
constexpr double kUsualStacks = 30;
constexpr const char* kByProfile = "CPU profile";
constexpr const char* kRuntimeMetrics = "runtime metrics";
/// Of what with_idle_marking() makes of it.
constexpr double kFractionError = 0.3;
/// 0.4 ns for each byte of live heap with pointers in it: all that is left without any source.
constexpr double kSecondsPerLiveByte = 0.4e-9;
constexpr double kLiveHeapError = 0.5;
/// Profiles that differ by more than so many standard errors are not of the same.
constexpr double kDiffers = 2;
/// Of what earlier processes' profiles told: in one of the lab's programs a collection costs three times as much after
/// four minutes as at first, with as much live heap. And another version may keep other things.
constexpr double kKnownError = 0.3;
constexpr double kOtherTemplateError = 0.4;
/// A cost that is known less well is not worth remembering.
constexpr double kWellKnown = 0.25;

/// What the profiles say counts as if so many stacks had said before what is usual.
double sweep_part(const ProfiledGc& profiled) {
  const double stacks = profiled.gc_stacks();
  return (profiled.sweep_part() * stacks + kUsualSweepPart * kUsualStacks) / (stacks + kUsualStacks);
}

/// Standard deviation, in collections, of what a profile holds of them against the number that ends in it: both of its
/// edges may cut one in two. Marking takes the part `duty` of the time, and begins anywhere.
double cut_at_edges(double duty) { return std::sqrt(2 * (duty / 3 - duty * duty / 4)); }

/// What chance makes of the profiles' figure, where `collections` ended in them.
double chance_of(const ProfiledGc& profiles, double collections, double edge) {
  const double bursts = edge * std::sqrt(profiles.profiles()) / std::max(1.0, collections);
  return std::hypot(kProfileScatter * profiles.rel_error(), bursts);
}

/// All profiles that tell the same of a collection as those of the window do; those of the window alone where they
/// differ, or where it has too few collections to tell. A heap that grows or whose objects get scattered in memory
/// costs more than it did. The earlier ones stand for a window without any.
ProfiledGc alike(const ProfiledGc& window, const ProfiledGc& earlier) {
  if (window.empty()) return earlier;
  const auto now = window.per_collection();
  const auto before = earlier.per_collection();
  if (!now || !before) return window;
  const double chance =
      std::hypot(chance_of(window, window.collections(), kEdge), chance_of(earlier, earlier.collections(), kEdge));
  if (std::abs(std::log(*now / *before)) > kDiffers * chance) return window;
  ProfiledGc all = window;
  all.add(earlier);
  return all;
}

/// By the collection where enough of them are counted, else by the share in the window's profiles.
GcCpu by_profile(const ProfiledGc& window, const ProfiledGc& earlier, double cpu, double cycles_per_second,
                 double max_procs) {
  const ProfiledGc all = alike(window, earlier);
  const auto each = all.per_collection();
  const ProfiledGc& basis = each ? all : window;
  const double cores = each ? *each * cycles_per_second : window.share() * cpu;
  const double duty = std::min(1.0, cores / (kMarkingShare * std::max(1.0, max_procs)));
  const double chance = each ? chance_of(all, all.collections(), std::min(kEdge, cut_at_edges(duty)))
                             : chance_of(window, cycles_per_second * window.seconds(), kEdge);
  return {std::min(cores, cpu), std::min(1.0, std::hypot(chance, kProfileBias)), kByProfile, sweep_part(basis)};
}

GcCpu by_marking(double scanned_per_second, const std::optional<MarkingCost>& known, const std::string& template_hash) {
  if (!known) return {kSecondsPerLiveByte * scanned_per_second, kLiveHeapError, kGuessed};
  const double doubt = known->template_hash == template_hash ? kKnownError : kOtherTemplateError;
  return {1e-9 * known->nanoseconds_per_byte * scanned_per_second, std::hypot(known->rel_error, doubt),
          "earlier CPU profiles", kUsualSweepPart};
}

}  // namespace

std::vector<GcCpu> gc_cpu_of(const std::vector<PodEstimate>& pods, double cpu, const GcCpuContext& context) {
  const double count = static_cast<double>(pods.size());
  ProfiledGc profiled, earlier;
  double by_metrics = 0, by_fraction = 0, scanned = 0;
  double cycles_per_second = 0;
  double max_procs = 0;
  bool has_metrics = true, has_fraction = true;
  for (const PodEstimate& pod : pods) {
    profiled.add(pod.profiled);
    earlier.add(pod.earlier);
    max_procs = std::max(max_procs, pod.max_procs);
    has_metrics = has_metrics && pod.gc_by_metrics;
    has_fraction = has_fraction && pod.gc_by_fraction;
    by_metrics += pod.gc_by_metrics.value_or(0) / count;
    by_fraction += with_idle_marking(pod.gc_by_fraction.value_or(0), pod.cpu.value_or(cpu), pod.max_procs) / count;
    cycles_per_second += pod.cycles / pod.seconds / count;
    scanned += pod.live * pod.cycles / pod.seconds / count;
  }
  std::vector<GcCpu> found;
  if (!profiled.empty() || earlier.per_collection()) {
    found.push_back(by_profile(profiled, earlier, cpu, cycles_per_second, max_procs));
  }
  // They count time on a processor as the runtime sees it: where threads wait for CPUs, it may be more than there was.
  if (has_metrics && by_metrics < cpu) {
    // A trial that goes by what agents count measures without it, too.
    const double swept = context.by_agent ? 0 : profiled.empty() ? kUsualSweepPart : sweep_part(profiled);
    found.push_back({std::min(cpu, by_metrics / (1 - swept)), kRuntimeMetricsError, kRuntimeMetrics, swept});
  }
  if (has_fraction && by_fraction < cpu) found.push_back({by_fraction, kFractionError, "GCCPUFraction"});
  found.push_back(by_marking(scanned, context.known, context.template_hash));
  found.back().cores = std::min(found.back().cores, cpu);
  std::stable_sort(found.begin(), found.end(),
                   [](const GcCpu& one, const GcCpu& other) { return one.rel_error < other.rel_error; });
  if (context.by_agent) {
    std::stable_partition(found.begin(), found.end(), [](const GcCpu& one) { return one.source == kRuntimeMetrics; });
  }
  return found;
}

}  // namespace gopacer::deciding

namespace gopacer {

std::optional<MarkingCost> marking_cost(const Estimate& seen, const std::string& template_hash) {
  const double each = 1e9 * seen.gc_cpu_per_cycle / std::max(1.0, seen.mean_live_heap.value());
  const bool well_known = seen.gc_cpu_source == deciding::kByProfile && seen.gc_cpu_rel_error <= deciding::kWellKnown;
  if (!well_known || !(each > 0) || each > MarkingCost::kMost) return std::nullopt;
  return MarkingCost{each, seen.gc_cpu_rel_error, template_hash};
}

}  // namespace gopacer
