#include "gopacer/decide/go_pacer.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gopacer::go_pacer {
namespace {

constexpr double kLeastHeap = 4.0 * 1024 * 1024;
constexpr double kLeastHeadroom = 1024.0 * 1024;
constexpr double kHeadroomShare = 0.03;
constexpr Bytes kEndless{std::numeric_limits<std::int64_t>::max()};

Bytes bounded(double bytes) { return bytes >= kEndless.value() ? kEndless : Bytes::of(bytes); }

}  // namespace

Bytes least_goal(double gamma) { return bounded(kLeastHeap * gamma); }

Bytes gogc_goal(const Heap& heap, double gamma) {
  if (!std::isfinite(gamma)) return kEndless;
  return std::max(bounded(heap.live.value() + (heap.live + heap.roots).value() * gamma), least_goal(gamma));
}

Bytes limit_goal(const Heap& heap, Bytes limit, Bytes non_heap, Bytes overage) {
  if (non_heap + overage >= limit) return heap.live;
  const double left = (limit - non_heap - overage).value();
  const double headroom = std::max(left * kHeadroomShare, kLeastHeadroom);
  // The runtime never takes more than half for the margin, and leaves the margin itself when little is left.
  const double goal = left - headroom < headroom ? headroom : left - headroom;
  return std::max(heap.live, Bytes::of(goal));
}

Bytes goal(const Heap& heap, const Settings& settings, Bytes non_heap, Bytes overage) {
  const Bytes by_gogc = gogc_goal(heap, settings.gamma());
  if (!settings.go_mem_limit) return by_gogc;
  return std::min(by_gogc, limit_goal(heap, *settings.go_mem_limit, non_heap, overage));
}

Bytes trigger(const Heap& heap, Bytes goal, Bytes runway) {
  const double live = heap.live.value();
  const double distance = goal.value() - live;
  if (distance <= 0) return heap.live;
  const double lowest = live + distance * 45 / 64;
  const double highest = std::max(live + distance * 61 / 64, goal.value() - kLeastHeap);
  return Bytes::of(std::clamp(goal.value() - runway.value(), lowest, highest));
}

Bytes live_heap_from_goal(Bytes goal, Bytes roots, double gamma) {
  return std::max(Bytes(0), Bytes::of((goal.value() - gamma * roots.value()) / (1 + gamma)));
}

}  // namespace gopacer::go_pacer
