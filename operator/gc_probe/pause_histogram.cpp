#include "gc_probe/pause_histogram.h"

#include <algorithm>
#include <numeric>

namespace gopacer {

using std::chrono::nanoseconds;

nanoseconds lower_edge(std::size_t bucket) {
  if (bucket == 0) return nanoseconds(0);
  const std::size_t octave = kPauseFirstOctave + bucket / kPausesPerOctave;
  const std::int64_t quarters = static_cast<std::int64_t>(kPausesPerOctave + bucket % kPausesPerOctave);
  return nanoseconds((quarters << octave) / kPausesPerOctave);
}

std::uint64_t PauseHistogram::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

std::optional<nanoseconds> PauseHistogram::quantile(double q) const {
  const std::uint64_t all = count();
  if (all == 0) return std::nullopt;
  const double wanted = std::clamp(q, 0.0, 1.0) * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const auto here = static_cast<double>(buckets[i]);
    if (here > 0 && below + here >= wanted) {
      const auto low = static_cast<double>(lower_edge(i).count());
      const auto high = static_cast<double>(lower_edge(i + 1).count());
      const nanoseconds within(static_cast<std::int64_t>(low + (high - low) * (wanted - below) / here));
      return std::min(within, longest);
    }
    below += here;
  }
  return longest;
}

std::uint64_t below_octave(const PauseHistogram& pauses, unsigned octave) {
  const auto edge = static_cast<std::ptrdiff_t>(
      octave <= kPauseFirstOctave ? 0
                                  : std::min<unsigned>((octave - kPauseFirstOctave) * kPausesPerOctave, kPauseBuckets));
  return std::accumulate(pauses.buckets.begin(), pauses.buckets.begin() + edge, std::uint64_t{0});
}

PauseHistogram& PauseHistogram::operator+=(const PauseHistogram& other) {
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
  sum += other.sum;
  longest = std::max(longest, other.longest);
  return *this;
}

PauseHistogram since(const PauseHistogram& now, const PauseHistogram& earlier) {
  PauseHistogram between;
  for (std::size_t i = 0; i < now.buckets.size(); ++i) {
    between.buckets[i] = now.buckets[i] - std::min(now.buckets[i], earlier.buckets[i]);
    if (between.buckets[i] > 0) between.longest = std::min(lower_edge(i + 1), now.longest);
  }
  between.sum = std::max(now.sum - earlier.sum, nanoseconds(0));
  if (now.longest > earlier.longest) between.longest = now.longest;
  return between;
}

PauseHistogram Pauses::of_collector() const {
  PauseHistogram both = sweep_termination;
  return both += mark_termination;
}

Pauses since(const Pauses& now, const Pauses& earlier) {
  return {since(now.sweep_termination, earlier.sweep_termination),
          since(now.mark_termination, earlier.mark_termination), since(now.other, earlier.other),
          since(now.marking, earlier.marking)};
}

}  // namespace gopacer
