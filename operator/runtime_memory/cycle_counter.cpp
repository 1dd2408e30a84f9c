#include "runtime_memory/cycle_counter.h"

#include <algorithm>

namespace gopacer {
namespace {

constexpr std::chrono::nanoseconds kOftenest = std::chrono::milliseconds(2);
constexpr std::chrono::nanoseconds kSeldomest = std::chrono::milliseconds(50);
constexpr int kReadingsOfEach = 4;

}  // namespace

void CycleCounter::add(const GcState& state) {
  if (start_ && *start_ != state.mark_start_time) {
    ++cycles_;
    ended_ += now_;
    now_ = 0;
    // Zero until the program's first collection.
    if (*start_ != 0) {
      const std::int64_t between = state.mark_start_time - *start_;
      shortest_ = std::min(between, shortest_.value_or(between));
    }
  }
  start_ = state.mark_start_time;
  // A reading while they are set to zero must not take back what was counted.
  now_ = std::max(now_, state.mark_time());
}

std::chrono::nanoseconds CycleCounter::next() const {
  if (!shortest_) return kOftenest;
  return std::clamp(std::chrono::nanoseconds(*shortest_ / kReadingsOfEach), kOftenest, kSeldomest);
}

}  // namespace gopacer
