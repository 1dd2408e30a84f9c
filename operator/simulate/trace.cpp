#include "gopacer/simulate/trace.h"

#include <algorithm>

namespace gopacer::simulate {
namespace {

constexpr std::size_t kMostPoints = 200'000;
constexpr Duration kLongest = std::chrono::hours(24 * 30);
constexpr double kMostRate = 1e7;
constexpr double kMostBytes = 1e13;

Bytes between(Bytes a, Bytes b, double part) { return a + (b - a) * part; }

}  // namespace

Load Trace::at(Duration time) const {
  const auto next = std::upper_bound(points.begin(), points.end(), time,
                                     [](Duration moment, const Point& point) { return moment < point.at; });
  if (next == points.begin()) return points.front().load;
  if (next == points.end()) return points.back().load;
  const Point& before = *(next - 1);
  const double part = to_seconds(time - before.at) / to_seconds(next->at - before.at);
  return {before.load.request_rate + part * (next->load.request_rate - before.load.request_rate),
          between(before.load.live_heap, next->load.live_heap, part),
          between(before.load.off_heap, next->load.off_heap, part)};
}

Result<void> check(const Trace& trace) {
  if (auto service = check(trace.service); !service) return service;
  if (trace.memory_limit && *trace.memory_limit < mib(1)) return invalid("memoryLimit is below 1Mi");
  if (trace.cpu_limit && !(*trace.cpu_limit >= 0.001)) return invalid("cpuLimit is below 1m");
  if (trace.points.size() < 2) return invalid("points has fewer than two entries: a begin and an end are needed");
  if (trace.points.size() > kMostPoints) {
    return invalid("points has " + std::to_string(trace.points.size()) + " entries; " + std::to_string(kMostPoints) +
                   " are the most");
  }
  if (trace.points.front().at != Duration(0)) return invalid("points[0].at is not 0s");
  for (std::size_t i = 0; i < trace.points.size(); ++i) {
    const Load& load = trace.points[i].load;
    const std::string name = "points[" + std::to_string(i) + "].";
    if (i > 0 && trace.points[i].at <= trace.points[i - 1].at) return invalid(name + "at is not after the one before");
    if (!(load.request_rate >= 0 && load.request_rate <= kMostRate)) {
      return invalid(name + "requestRate is outside 0 to 1e7 a second");
    }
    for (const Bytes size : {load.live_heap, load.off_heap}) {
      if (size < Bytes(0) || size.value() > kMostBytes) {
        return invalid(name + "liveHeap and offHeap are sizes from 0 to 10 TB");
      }
    }
  }
  if (trace.length() > kLongest) return invalid("the trace is longer than 30 days");
  if (trace.length() < std::chrono::seconds(1)) return invalid("the trace is shorter than a second");
  return {};
}

}  // namespace gopacer::simulate
