#include "gc_probe/pause_windows.h"

#include <algorithm>

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kWindow(1);
constexpr milliseconds kSoonest(250);

constexpr seconds kStormWindow(10);
constexpr std::uint64_t kStormCollections = 8;
constexpr milliseconds kStormPause(1);

constexpr int kLongFactor = 3;
/// A P95 of fewer is the longest but a few.
constexpr std::uint64_t kLeastHistory = 100;

}  // namespace

void PauseWindows::add(Time now, const Pauses& pauses) {
  const Reading reading{now, pauses.collections(), pauses.of_collector()};
  if (!readings_.empty() && reading.pauses.count() < readings_.back().pauses.count()) readings_.clear();
  if (!readings_.empty() && now - readings_.back().at < kSoonest) return;
  readings_.push_back(reading);
  // Two are kept however old they are, so that there is a window when readings come late.
  while (readings_.size() > 2 && now - readings_.front().at > kStormWindow) readings_.pop_front();
}

PauseWindow PauseWindows::between(const Reading& earlier, const Reading& now) {
  return {now.at - earlier.at, now.collections - earlier.collections, since(now.pauses, earlier.pauses)};
}

const PauseWindows::Reading* PauseWindows::begin_of_latest() const {
  const auto found = std::find_if(readings_.rbegin(), readings_.rend(),
                                  [&](const Reading& reading) { return readings_.back().at - reading.at >= kWindow; });
  return found == readings_.rend() ? nullptr : &*found;
}

std::optional<PauseWindow> PauseWindows::latest() const {
  const Reading* const begin = begin_of_latest();
  return begin == nullptr ? std::nullopt : std::optional(between(*begin, readings_.back()));
}

std::optional<AllocationStorm> PauseWindows::allocation_storm() const {
  const auto begin = std::find_if(readings_.begin(), readings_.end(), [&](const Reading& reading) {
    return readings_.back().at - reading.at <= kStormWindow;
  });
  if (begin == readings_.end()) return std::nullopt;
  AllocationStorm storm{between(*begin, readings_.back()), {}};
  const auto p99 = storm.window.pauses.quantile(0.99);
  if (storm.window.collections < kStormCollections || !p99 || *p99 >= kStormPause) return std::nullopt;
  storm.p99 = *p99;
  return storm;
}

std::optional<LongPause> PauseWindows::long_pause() const {
  const Reading* const begin = begin_of_latest();
  if (begin == nullptr || begin->pauses.count() < kLeastHistory) return std::nullopt;
  const LongPause pause{since(readings_.back().pauses, begin->pauses).longest, *begin->pauses.quantile(0.95)};
  return pause.longest > kLongFactor * pause.usual ? std::optional(pause) : std::nullopt;
}

}  // namespace gopacer
