#include "judge/hard_stops.h"

#include <algorithm>
#include <cmath>

#include "gopacer/judge/verdict.h"

namespace gopacer::judging {
namespace {

constexpr double kMostMemory = 0.93;
/// Where the old settings take as much, the new ones may take more by this share of the limit, and by this part of what
/// was left: two readings of equal pods are never the same.
constexpr double kMemoryNoise = 0.01;
constexpr double kPartOfTheRest = 0.2;
constexpr double kMostGcShare = 0.25;
/// Every program ends once in a while: of a pod, a day.
constexpr double kStrayExitsPerDay = 1;
/// Restarts are counted over so much time at least, so that the first minutes are no special case.
constexpr Duration kLeastExposure = std::chrono::hours(1);
/// More restarts than are to be expected with this probability are the settings' fault.
constexpr double kChance = 0.01;
/// Below it collections cost more than anything they give back.
constexpr double kLeastGrowth = 0.3;
/// The runtime keeps a heap of 4 MiB·GOGC/100 whatever lives: small heaps say nothing.
constexpr double kSmallHeap = 16.0 * 1024 * 1024;

struct Memory {
  Bytes used;
  Bytes limit;
  bool detailed;
  double share() const { return used / limit; }
};

std::optional<Memory> memory_of(const PodSeries& pod) {
  const Sample* const latest = latest_sample(pod, [](const Sample& sample) { return sample.usage.has_value(); });
  if (latest == nullptr) return std::nullopt;
  const ContainerUsage& usage = *latest->usage;
  const std::optional<Bytes> limit = usage.limit ? usage.limit : pod.memory_limit;
  if (!limit || limit->count() <= 0) return std::nullopt;
  // Page cache may fill a container to its limit at any time: it is no reason to stop.
  const Bytes used = usage.anonymous ? *usage.anonymous + usage.shared.value_or(Bytes(0)) : usage.working_set;
  return Memory{used, *limit, usage.anonymous.has_value()};
}

bool too_often(const CycleSize& size) { return size.live >= kSmallHeap && size.volume < kLeastGrowth * size.live; }

std::optional<HardStop> collects_too_often(const Arm& suspects, const Arm& reference, const Window& window) {
  for (const PodSeries* pod : reference) {
    const auto size = cycle_size_in(*pod, window);
    if (size && too_often(*size)) return std::nullopt;
  }
  for (const PodSeries* pod : suspects) {
    const auto size = cycle_size_in(*pod, window);
    if (!size || !too_often(*size)) continue;
    return HardStop{"GcTooFrequent", "Pod " + pod->pod + " collects garbage each time that " +
                                         format_bytes(Bytes::of(size->volume)) + " were allocated, only " +
                                         format_fixed(size->volume / size->live, 2) + " of its live heap of " +
                                         format_bytes(Bytes::of(size->live)) + ", with " + describe(pod->settings) +
                                         "; below " + format_fixed(kLeastGrowth, 1) + " collecting runs away."};
  }
  return std::nullopt;
}

std::optional<HardStop> limited_by_runtime(const Arm& suspects, const Arm& reference, const Window& window) {
  const auto limited = [&](const PodSeries* pod) { return limited_in(*pod, window); };
  const auto found = std::find_if(suspects.begin(), suspects.end(), limited);
  if (found == suspects.end() || std::any_of(reference.begin(), reference.end(), limited)) return std::nullopt;
  return HardStop{"GcLimited", "Go's runtime had to keep collection in pod " + (*found)->pod +
                                   " to half of the CPU, with " + describe((*found)->settings) +
                                   "; its heap then grows beyond GOMEMLIMIT."};
}

int restarts_of(const Arm& arm) {
  int restarts = 0;
  for (const PodSeries* pod : arm) restarts += pod->restarts;
  return restarts;
}

struct Beside {
  double mean = 0;  ///< restarts of a pod
  int most = 0;     ///< of the pod that has most
};

/// What befell the reference. As with the suspects, exits while a pod starts up are left out; one that does not run
/// just now counts, or an outage would be no excuse between two of its restarts.
Beside restarts_beside(const Arm& reference, Duration start_up) {
  Beside found;
  for (const PodSeries* pod : reference) {
    if (pod->started >= pod->created && pod->started - pod->created < start_up) continue;
    found.mean += pod->restarts;
    found.most = std::max(found.most, pod->restarts);
  }
  if (!reference.empty()) found.mean /= static_cast<double>(reference.size());
  return found;
}

/// Probability of at least `count` events where `mean` are expected.
double poisson_tail(int count, double mean) {
  double below = 0;
  double term = std::exp(-mean);
  for (int i = 0; i < count; ++i) {
    below += term;
    term *= mean / (i + 1);
  }
  return std::max(0.0, 1 - below);
}

}  // namespace

std::optional<HardStop> killed(const Arm& suspects, const Arm& reference, const UsualRestarts& usual) {
  const auto out_of_memory = [](const PodSeries* pod) { return pod->oom_killed; };
  const auto victim = std::find_if(suspects.begin(), suspects.end(), out_of_memory);
  if (victim != suspects.end() && std::none_of(reference.begin(), reference.end(), out_of_memory)) {
    const PodSeries& pod = **victim;
    return HardStop{kOomKilled, "Pod " + pod.pod + " was killed because its container ran out of memory" +
                                    (pod.memory_limit ? " (limit " + format_bytes(*pod.memory_limit) + ")" : "") +
                                    " with " + describe(pod.settings) + "."};
  }
  Arm counted = suspects;
  std::erase_if(counted, [&](const PodSeries* pod) { return pod->started - pod->created < usual.start_up; });
  const int restarts = restarts_of(counted) + usual.before;
  if (counted.empty()) return std::nullopt;
  const double days = to_seconds(std::max<Duration>(usual.over, kLeastExposure)) / (24 * 3600);
  const double by_itself = (usual.per_pod_day + kStrayExitsPerDay) * days;
  const Beside beside = restarts_beside(reference, usual.start_up);
  const auto pods = static_cast<double>(suspects.size());
  const auto worst = std::max_element(counted.begin(), counted.end(),
                                      [](const PodSeries* a, const PodSeries* b) { return a->restarts < b->restarts; });
  const double expected = (by_itself + beside.mean) * pods;
  const bool too_many = poisson_tail(restarts, expected) < kChance;
  const bool one_too_often = poisson_tail((*worst)->restarts, by_itself + beside.most) * pods < kChance;
  if (!too_many && !one_too_often) return std::nullopt;
  return HardStop{"Restarted", "Pods restarted " + std::to_string(restarts) + " times with " +
                                   describe((*worst)->settings) + ", " + (*worst)->pod + " most often, where " +
                                   format_fixed(expected, 1) +
                                   " were to be expected; see kubectl logs --previous for the reason."};
}

double memory_share(const Arm& pods) {
  double most = 0;
  for (const PodSeries* pod : pods) {
    if (const auto memory = memory_of(*pod)) most = std::max(most, memory->share());
  }
  return most;
}

std::optional<HardStop> near_memory_limit(const Arm& suspects, double usual) {
  const double allowed = std::max(kMostMemory, usual + std::max(kMemoryNoise, kPartOfTheRest * (1 - usual)));
  for (const PodSeries* pod : suspects) {
    const auto memory = memory_of(*pod);
    if (!memory || memory->share() <= allowed) continue;
    return HardStop{"MemoryNearLimit",
                    "Pod " + pod->pod + " uses " + format_bytes(memory->used) + " of " +
                        (memory->detailed ? "memory that can't be given back, " : "memory (working set), ") +
                        format_fixed(memory->share() * 100, 1) + " % of its container's limit of " +
                        format_bytes(memory->limit) + ", with " + describe(pod->settings) +
                        "; the kernel would kill it next."};
  }
  return std::nullopt;
}

std::string self_tuned(const Arm& pods) {
  for (const PodSeries* pod : pods) {
    const Sample* const latest =
        latest_sample(*pod, [](const Sample& sample) { return sample.process && sample.process->gogc; });
    if (latest == nullptr) continue;
    const ProcessMetrics& process = *latest->process;
    const Settings runs{process.gogc, process.go_mem_limit};
    const bool other_gogc = pod->settings.gogc && pod->settings.gogc != runs.gogc;
    const bool other_limit =
        pod->settings.go_mem_limit && runs.go_mem_limit && pod->settings.go_mem_limit != runs.go_mem_limit;
    if (!other_gogc && !other_limit) continue;
    return "Pod " + pod->pod + " was started with " + describe(pod->settings) + " and runs " + describe(runs) +
           ": the program sets it itself (debug.SetGCPercent, debug.SetMemoryLimit or a tuner library). Remove that, "
           "or the profile.";
  }
  return {};
}

std::optional<HardStop> collection_runs_away(const Arm& suspects, const Arm& reference, const Window& window) {
  if (auto limited = limited_by_runtime(suspects, reference, window)) return limited;
  return collects_too_often(suspects, reference, window);
}

bool gc_share_too_high(const GcShare& suspects, const std::optional<double>& reference) {
  if (suspects.share - 2 * suspects.std_error <= kMostGcShare) return false;
  // A service that has nearly such a share, or more, with its old settings is only protected from a clearly higher one.
  if (!reference) return true;
  return suspects.share > (*reference > kMostGcShare ? 1.25 : 1.1) * *reference;
}

}  // namespace gopacer::judging
