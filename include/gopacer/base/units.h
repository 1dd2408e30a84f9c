#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "gopacer/base/result.h"

namespace gopacer {

/// A number of bytes. Signed, so that a difference of two readings is a Bytes too.
class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::int64_t count) : count_(count) {}
  /// Rounds towards zero.
  static constexpr Bytes of(double count) { return Bytes(static_cast<std::int64_t>(count)); }

  constexpr std::int64_t count() const { return count_; }
  constexpr double value() const { return static_cast<double>(count_); }

  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes operator-() const { return Bytes(-count_); }
  constexpr Bytes& operator+=(Bytes other) { return count_ += other.count_, *this; }
  constexpr Bytes& operator-=(Bytes other) { return count_ -= other.count_, *this; }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return a += b; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return a -= b; }
  friend constexpr Bytes operator*(Bytes a, double factor) { return of(a.value() * factor); }
  friend constexpr Bytes operator*(double factor, Bytes a) { return a * factor; }
  friend constexpr double operator/(Bytes a, Bytes b) { return a.value() / b.value(); }

 private:
  std::int64_t count_ = 0;
};

constexpr Bytes kib(double n) { return Bytes::of(n * 1024); }
constexpr Bytes mib(double n) { return Bytes::of(n * 1024 * 1024); }
constexpr Bytes gib(double n) { return Bytes::of(n * 1024 * 1024 * 1024); }

/// GOMEMLIMIT's own syntax: digits and one of B, KiB, MiB, GiB, TiB or nothing. "off" is not a size and is refused.
/// The error tells a person who wrote a Kubernetes quantity ("440Mi") what Go wants ("440MiB").
Result<Bytes> parse_go_size(std::string_view text);
/// The shortest exact form in GOMEMLIMIT's syntax: "850MiB", "1048577B".
std::string format_go_size(Bytes size);

/// A Kubernetes quantity of bytes: "512Mi", "1G", "128974848", "1.5Gi", "100m". Rounds up, as Kubernetes does.
Result<Bytes> parse_quantity(std::string_view text);
/// A Kubernetes quantity of cores: "500m", "2", "0.1"; gives cores.
Result<double> parse_cpu_quantity(std::string_view text);

/// For people: "118.4MiB", "1.2GiB"; one decimal from KiB on.
std::string format_bytes(Bytes size);
/// For people: "12.3" with the given number of decimals, without a trailing ".0" being dropped.
std::string format_fixed(double value, int decimals);
/// For people: a share in percent with its sign and `unit`: "+4.3 %", "-12.0 %", "0.0 %".
std::string signed_percent(double share, std::string_view unit = " %", int decimals = 1);

/// A share as "0.5%": digits, at most one point, and the sign of percent; from 0 to 100.
Result<double> parse_percent(std::string_view text);
/// The shortest such form, to a ten-thousandth of a per cent.
std::string format_percent(double share);

}  // namespace gopacer
