#pragma once

#include <chrono>

#include "gopacer/base/clock.h"

namespace gopacer {

/// Time since an arbitrary moment; never set back. For deadlines and delays, which must not depend on somebody's
/// setting of the wall clock.
class SteadyClock {
 public:
  virtual ~SteadyClock() = default;
  virtual Duration now() const = 0;
};

/// Thread-safe.
class SystemSteadyClock final : public SteadyClock {
 public:
  Duration now() const override { return std::chrono::steady_clock::now().time_since_epoch(); }
};

}  // namespace gopacer
