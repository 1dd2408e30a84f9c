#pragma once

#include <atomic>

#include "base/steady_clock.h"

namespace gopacer {

/// Time that stands still until it is told to go on. Thread-safe.
class FakeSteadyClock final : public SteadyClock {
 public:
  Duration now() const override { return Duration(now_.load()); }
  void advance(Duration by) { now_ += by.count(); }

 private:
  std::atomic<Duration::rep> now_{Duration(std::chrono::hours(1)).count()};
};

}  // namespace gopacer
