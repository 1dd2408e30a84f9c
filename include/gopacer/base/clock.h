#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "gopacer/base/result.h"

namespace gopacer {

using Duration = std::chrono::nanoseconds;
/// Wall-clock time, UTC. Everything that is kept in the cluster is kept in it, so that a successor can go on.
using Time = std::chrono::sys_time<Duration>;

/// The only source of the time. Pure modules take a `Time` argument instead.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

/// Clocks of one cluster's machines are within this of each other.
inline constexpr Duration kClockSkew = std::chrono::minutes(1);

/// Thread-safe.
class SystemClock final : public Clock {
 public:
  Time now() const override;
};

/// RFC 3339 with a 'Z' or a numeric offset, fractions to nanoseconds, as the API server writes times.
Result<Time> parse_time(std::string_view text);
/// RFC 3339 in UTC, whole seconds ("2024-05-01T10:00:00Z").
std::string format_time(Time time);
/// RFC 3339 in UTC with microseconds, the form of Kubernetes' MicroTime.
std::string format_micro_time(Time time);

/// A duration in Go's syntax: "300ms", "1m30s", "2h". Units ns, us, µs, ms, s, m, h; non-negative; at most 10 years.
Result<Duration> parse_duration(std::string_view text);
/// Go's shortest form: "1m30s", "300ms", "0s".
std::string format_duration(Duration duration);

/// Fractional seconds, for arithmetic on rates.
constexpr double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace gopacer
