#pragma once

#include <atomic>

#include "base/steady_clock.h"

namespace gopacer {

/// The machine's own, which a test may put forward: whoever waits by it waits no longer than they would. Thread-safe.
class HastyClock final : public SteadyClock {
 public:
  Duration now() const override { return real_.now() + Duration(ahead_.load()); }
  void put_forward(Duration by) { ahead_ += by.count(); }

 private:
  const SystemSteadyClock real_;
  std::atomic<Duration::rep> ahead_{0};
};

}  // namespace gopacer
