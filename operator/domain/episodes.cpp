#include "gopacer/domain/episodes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kStormTime(10);
constexpr int kStormCollections = 8;
constexpr milliseconds kStormPause(1);

constexpr int kLongFactor = 3;
/// Shorter ones nobody notices, however much longer than others they are.
constexpr milliseconds kLeastLong(1);
/// A P95 of fewer is the longest but a few.
constexpr std::size_t kLeastHistory = 100;

/// The last two readings of MemStats of those before `end`; null where there are none.
struct LatestTwo {
  const Sample* last = nullptr;
  const Sample* before = nullptr;
  std::size_t end = 0;  ///< the number of readings up to the last of them
};

LatestTwo latest_two(const SampleRow& samples, std::size_t end) {
  LatestTwo two;
  for (; end > 0 && two.before == nullptr; --end) {
    if (!samples[end - 1].mem) continue;
    if (two.last == nullptr) {
      two.last = &samples[end - 1];
      two.end = end;
    } else {
      two.before = &samples[end - 1];
    }
  }
  return two;
}

/// The pauses of the time before the latest one that the first `end` readings tell of. A history keeps of each reading
/// but the latest only what was new in it.
std::vector<Duration> latest_pauses(const SampleRow& samples, std::size_t end, Duration time) {
  std::vector<Duration> pauses;
  std::optional<Time> latest;
  Time counted_from = Time::max();
  for (; end > 0; --end) {
    const auto& mem = samples[end - 1].mem;
    if (!mem || mem->pauses.empty()) continue;
    if (!latest) latest = mem->pauses.back().end;
    if (*latest - mem->pauses.back().end > time) break;
    for (auto pause = mem->pauses.rbegin(); pause != mem->pauses.rend(); ++pause) {
      if (*latest - pause->end > time) break;
      if (pause->end >= counted_from) continue;
      counted_from = pause->end;
      pauses.push_back(pause->pause);
    }
  }
  return pauses;
}

/// The value that a share `q` of them is not above (nearest rank).
Duration quantile(std::vector<Duration>& values, double q) {
  const auto rank = static_cast<std::ptrdiff_t>(std::ceil(q * static_cast<double>(values.size())));
  const auto at = values.begin() + std::max<std::ptrdiff_t>(0, rank - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// To a hundredth of a millisecond: a pause below a microsecond is none.
std::string in_milliseconds(Duration pause) {
  return format_duration(std::chrono::round<std::chrono::duration<std::int64_t, std::ratio<1, 100'000>>>(pause));
}

std::optional<AllocationStorm> storm_of(const SampleRow& samples, const LatestTwo& two) {
  if (two.before == nullptr) return std::nullopt;
  const MemStats& mem = *two.last->mem;
  if (mem.num_gc <= two.before->mem->num_gc) return std::nullopt;
  if (mem.pauses.empty()) {
    const Duration within = two.last->at - two.before->at;
    const auto collections = static_cast<int>(mem.num_gc - two.before->mem->num_gc);
    // As many as that in ten seconds, whatever the time between two readings is.
    const bool often = within > Duration(0) && collections > 1 &&
                       collections * to_seconds(kStormTime) >= kStormCollections * to_seconds(within);
    return often ? std::optional(AllocationStorm{collections, within, {}}) : std::nullopt;
  }
  std::vector<Duration> pauses = latest_pauses(samples, two.end, kStormTime);
  if (pauses.size() < kStormCollections) return std::nullopt;
  const Duration p99 = quantile(pauses, 0.99);
  if (p99 >= kStormPause) return std::nullopt;
  return AllocationStorm{static_cast<int>(pauses.size()), kStormTime, p99};
}

}  // namespace

std::optional<AllocationStorm> allocation_storm(const SampleRow& samples) {
  return storm_of(samples, latest_two(samples, samples.size()));
}

std::optional<AllocationStorm> storm_began(const SampleRow& samples, std::size_t end) {
  const LatestTwo now = latest_two(samples, end);
  auto storm = storm_of(samples, now);
  if (!storm) return std::nullopt;
  const LatestTwo before = latest_two(samples, now.end - 1);
  const bool is_new = before.before != nullptr && !storm_of(samples, before);
  return is_new ? storm : std::nullopt;
}

std::optional<LongPause> long_pause(const SampleRow& samples, std::size_t end) {
  const LatestTwo two = latest_two(samples, end);
  if (two.before == nullptr || two.before->mem->pauses.empty()) return std::nullopt;
  const Time known_until = two.before->mem->pauses.back().end;
  const GcPause* longest = nullptr;
  for (const GcPause& pause : two.last->mem->pauses) {
    if (pause.end > known_until && (longest == nullptr || pause.pause > longest->pause)) longest = &pause;
  }
  if (longest == nullptr || longest->pause < kLeastLong) return std::nullopt;
  // Readings overlap, as the runtime keeps 256 pauses: each of them counts once.
  std::vector<Duration> usual;
  Time counted_until{};
  for (std::size_t i = 0; i < end; ++i) {
    if (!samples[i].mem) continue;
    for (const GcPause& pause : samples[i].mem->pauses) {
      if (pause.end <= counted_until || pause.end > known_until) continue;
      counted_until = pause.end;
      usual.push_back(pause.pause);
    }
  }
  if (usual.size() < kLeastHistory) return std::nullopt;
  const Duration p95 = quantile(usual, 0.95);
  if (longest->pause <= kLongFactor * p95) return std::nullopt;
  return LongPause{longest->end, longest->pause, p95};
}

std::string describe(const AllocationStorm& storm) {
  std::string text = std::to_string(storm.collections) + " collections within " +
                     format_duration(std::chrono::round<seconds>(storm.within));
  if (storm.p99) text += ", 99 % of them with pauses of at most " + in_milliseconds(*storm.p99);
  return text + ": it allocates fast for the heap that it may have; a larger GOGC makes it collect less often.";
}

std::string describe(const LongPause& pause) {
  return "A collection stopped it for " + in_milliseconds(pause.pause) + " at " + format_time(pause.end) +
         ", where 95 % of those before took at most " + in_milliseconds(pause.usual) + ".";
}

}  // namespace gopacer
