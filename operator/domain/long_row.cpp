#include "gopacer/domain/long_row.h"

#include <algorithm>
#include <cmath>

namespace gopacer {
namespace {

// Logarithms in steps of 0.1 %: 65,533 of them reach from 1e-3 to beyond 1e25.
constexpr std::uint16_t kNone = 0;
constexpr std::uint16_t kZero = 1;
constexpr double kLeast = 1e-3;
constexpr double kSteps = 1000;

std::uint16_t compact(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value) || *value < 0) return kNone;
  if (*value < kLeast) return kZero;
  const double steps = std::round(std::log(*value / kLeast) * kSteps);
  return static_cast<std::uint16_t>(2 + std::min(steps, 65533.0));
}

std::optional<double> expanded(std::uint16_t code) {
  if (code == kNone) return std::nullopt;
  if (code == kZero) return 0.0;
  return kLeast * std::exp((code - 2) / kSteps);
}

class Mean {
 public:
  void add(const std::optional<double>& value) {
    if (value) sum_ += *value, ++count_;
  }
  std::optional<double> value() const { return count_ == 0 ? std::nullopt : std::optional(sum_ / count_); }

 private:
  double sum_ = 0;
  int count_ = 0;
};

std::optional<double> memory_of(const Sample& sample) {
  if (!sample.usage) return std::nullopt;
  const ContainerUsage& usage = *sample.usage;
  return (usage.anonymous ? *usage.anonymous + usage.kernel.value_or(Bytes(0)) : usage.working_set).value();
}

std::optional<double> cpu_of(const Sample& sample) {
  return sample.process ? sample.process->cpu_seconds : std::nullopt;
}

std::optional<double> rate(const std::optional<double>& from, const std::optional<double>& to, Duration over) {
  if (!from || !to || over <= Duration(0) || *to < *from) return std::nullopt;
  return (*to - *from) / to_seconds(over);
}

std::optional<double> cores(const Sample& first, const Sample& last) {
  if (const auto own = rate(cpu_of(first), cpu_of(last), last.at - first.at)) return own;
  if (!first.usage || !last.usage) return std::nullopt;
  return rate(first.usage->cpu_seconds, last.usage->cpu_seconds, last.usage->at - first.usage->at);
}

}  // namespace

std::optional<LongPoint> long_point(const Observation& observed) {
  LongPoint point;
  point.at = observed.at;
  Mean memory, mapped, heap_goal, alloc_rate, busy;
  for (const PodSeries& pod : observed.pods) {
    if (pod.track != Track::kStable || pod.samples.empty()) continue;
    const Sample& first = pod.samples.front();
    const Sample& last = pod.samples.back();
    if (observed.at - last.at > LongRow::kEvery) continue;
    ++point.pods;
    memory.add(memory_of(last));
    busy.add(cores(first, last));
    if (!last.mem) continue;
    mapped.add((last.mem->sys - last.mem->heap_released).value());
    heap_goal.add(last.mem->next_gc.value());
    if (first.mem)
      alloc_rate.add(rate(first.mem->total_alloc.value(), last.mem->total_alloc.value(), last.at - first.at));
  }
  if (point.pods == 0) return std::nullopt;
  point.memory = memory.value();
  point.mapped = mapped.value();
  point.heap_goal = heap_goal.value();
  point.alloc_rate = alloc_rate.value();
  point.cores = busy.value();
  return point;
}

bool LongRow::is_due(Time now) const {
  return points_.empty() || now >= Time(std::chrono::seconds(points_.back().at)) + kEvery;
}

void LongRow::add(const LongPoint& point) {
  if (points_.size() == kMostPoints) points_.erase(points_.begin());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(point.at.time_since_epoch()).count();
  points_.push_back({static_cast<std::uint32_t>(seconds), static_cast<std::uint16_t>(std::min(point.pods, 65535)),
                     compact(point.memory), compact(point.mapped), compact(point.heap_goal), compact(point.alloc_rate),
                     compact(point.cores)});
}

LongPoint LongRow::operator[](std::size_t i) const {
  const Compact& from = points_[i];
  LongPoint point;
  point.at = Time(std::chrono::seconds(from.at));
  point.pods = from.pods;
  point.memory = expanded(from.memory);
  point.mapped = expanded(from.mapped);
  point.heap_goal = expanded(from.heap_goal);
  point.alloc_rate = expanded(from.alloc_rate);
  point.cores = expanded(from.cores);
  return point;
}

}  // namespace gopacer
