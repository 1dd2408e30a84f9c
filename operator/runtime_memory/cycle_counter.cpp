#include "runtime_memory/cycle_counter.h"

#include <algorithm>

namespace gopacer {
namespace {

constexpr std::chrono::nanoseconds kSeldomest = std::chrono::milliseconds(50);
constexpr int kReadingsOfEach = 4;
/// Readings without a collection before they become rarer.
constexpr int kQuiet = 4 * kReadingsOfEach;
/// A century of CPUs. What tells more is no collector, and adding it up must not overflow.
constexpr std::int64_t kMostTime = std::int64_t{1} << 61;

}  // namespace

void CycleCounter::add(const GcState& state) {
  if (start_ && *start_ != state.mark_start_time) {
    ++cycles_;
    ended_ = std::min(ended_ + now_, kMostTime);
    now_ = 0;
    quiet_ = 0;
    // Zero until the program's first collection.
    if (*start_ != 0) {
      const std::int64_t between = state.mark_start_time - *start_;
      // One that comes late says little of the next ones.
      between_ = std::min(between, between_ ? *between_ * 2 : between);
      next_ = std::clamp(std::chrono::nanoseconds(*between_ / kReadingsOfEach), kOftenest, kSeldomest);
    }
  } else if (start_ && ++quiet_ >= kQuiet) {
    quiet_ = 0;
    next_ = std::min(2 * next_, kSeldomest);
  }
  start_ = state.mark_start_time;
  // A reading while they are set to zero must not take back what was counted.
  now_ = std::max(now_, std::min(state.mark_time(), kMostTime));
}

}  // namespace gopacer
