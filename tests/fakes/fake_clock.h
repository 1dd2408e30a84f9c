#pragma once

#include "gopacer/base/clock.h"

namespace gopacer {

/// Stands still until it is moved.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Time now) : now_(now) {}
  Time now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  Time now_;
};

}  // namespace gopacer
