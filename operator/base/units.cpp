#include "gopacer/base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

namespace gopacer {
namespace {

struct Suffix {
  std::string_view name;
  double factor;
};

constexpr double kKi = 1024;
constexpr std::array<Suffix, 4> kGoSuffixes{
    {{"KiB", kKi}, {"MiB", kKi* kKi}, {"GiB", kKi* kKi* kKi}, {"TiB", kKi* kKi* kKi* kKi}}};
constexpr std::array<Suffix, 14> kQuantitySuffixes{{{"Ki", kKi},
                                                    {"Mi", kKi* kKi},
                                                    {"Gi", kKi* kKi* kKi},
                                                    {"Ti", kKi* kKi* kKi* kKi},
                                                    {"Pi", kKi* kKi* kKi* kKi* kKi},
                                                    {"n", 1e-9},
                                                    {"u", 1e-6},
                                                    {"m", 1e-3},
                                                    {"k", 1e3},
                                                    {"M", 1e6},
                                                    {"G", 1e9},
                                                    {"T", 1e12},
                                                    {"P", 1e15},
                                                    {"E", 1e18}}};

constexpr double kMostBytes = 9.2e18;

/// A Kubernetes quantity as a plain number; none when `text` is not one. Negative quantities are not wanted anywhere.
std::optional<double> quantity(std::string_view text) {
  double value = 0;
  if (text.empty() || text.front() == '-') return std::nullopt;
  if (text.front() == '+') text.remove_prefix(1);
  const char* const begin = text.data();
  const auto [end, error] = std::from_chars(begin, begin + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - begin));
  if (text.empty()) return value;
  for (const Suffix& suffix : kQuantitySuffixes) {
    if (text == suffix.name) return value * suffix.factor;
  }
  // Exponents: "1e3", "12E6".
  if ((text.front() == 'e' || text.front() == 'E') && text.size() > 1) {
    int exponent = 0;
    std::string_view digits = text.substr(1);
    if (digits.front() == '+') digits.remove_prefix(1);
    const auto [last, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (bad == std::errc() && last == digits.data() + digits.size() && std::abs(exponent) <= 18) {
      return value * std::pow(10.0, exponent);
    }
  }
  return std::nullopt;
}

}  // namespace

Result<Bytes> parse_go_size(std::string_view text) {
  std::int64_t value = 0;
  const char* const begin = text.data();
  const auto [end, error] = std::from_chars(begin, begin + text.size(), value);
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - begin));
  if (error == std::errc() && value >= 0) {
    if (suffix.empty() || suffix == "B") return Bytes(value);
    for (const Suffix& known : kGoSuffixes) {
      if (suffix != known.name) continue;
      const double bytes = static_cast<double>(value) * known.factor;
      if (bytes > kMostBytes) break;
      return Bytes::of(bytes);
    }
    if (suffix == "Ki" || suffix == "Mi" || suffix == "Gi" || suffix == "Ti") {
      return invalid("'" + std::string(text) + "' is a Kubernetes quantity; GOMEMLIMIT wants Go's syntax: write " +
                     std::string(text) + "B");
    }
  }
  return invalid("'" + std::string(text) +
                 "' is not a GOMEMLIMIT: write a whole number and one of B, KiB, MiB, GiB, TiB, as in 850MiB");
}

std::string format_go_size(Bytes size) {
  for (auto suffix = kGoSuffixes.rbegin(); suffix != kGoSuffixes.rend(); ++suffix) {
    const auto unit = static_cast<std::int64_t>(suffix->factor);
    if (size.count() >= unit && size.count() % unit == 0) {
      return std::to_string(size.count() / unit) + std::string(suffix->name);
    }
  }
  return std::to_string(size.count()) + "B";
}

Result<Bytes> parse_quantity(std::string_view text) {
  const std::optional<double> value = quantity(text);
  if (!value || *value > kMostBytes) {
    return invalid("'" + std::string(text) + "' is not a Kubernetes quantity of bytes: write it as in 512Mi or 1G");
  }
  return Bytes::of(std::ceil(*value));
}

Result<double> parse_cpu_quantity(std::string_view text) {
  const std::optional<double> value = quantity(text);
  if (!value || *value > 1e6) {
    return invalid("'" + std::string(text) + "' is not a Kubernetes quantity of CPU: write it as in 500m or 2");
  }
  return *value;
}

std::string format_bytes(Bytes size) {
  const double magnitude = std::abs(size.value());
  for (auto suffix = kGoSuffixes.rbegin(); suffix != kGoSuffixes.rend(); ++suffix) {
    if (magnitude >= suffix->factor) return format_fixed(size.value() / suffix->factor, 1) + std::string(suffix->name);
  }
  return std::to_string(size.count()) + "B";
}

std::string format_fixed(double value, int decimals) {
  std::array<char, 64> out{};
  const int n = std::snprintf(out.data(), out.size(), "%.*f", decimals, value);
  std::string text(out.data(), static_cast<std::size_t>(n) < out.size() ? static_cast<std::size_t>(n) : out.size() - 1);
  // "-0.0" says nothing more than "0.0".
  if (text.find_first_not_of("-0.") == std::string::npos && text.front() == '-') text.erase(0, 1);
  return text;
}

std::string signed_percent(double share, std::string_view unit, int decimals) {
  const std::string figure = format_fixed(share * 100, decimals);
  const bool rises = share > 0 && figure.find_first_not_of("0.") != std::string::npos;
  return (rises ? "+" : "") + figure + std::string(unit);
}

Result<double> parse_percent(std::string_view text) {
  std::string_view digits = text;
  double percent = 0;
  if (digits.ends_with('%')) digits.remove_suffix(1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), percent, std::chars_format::fixed);
  const bool whole = error == std::errc() && end == digits.data() + digits.size() && digits.size() < text.size();
  if (!whole || !(percent >= 0 && percent <= 100)) {
    return invalid("'" + std::string(text) + "' is not a share in percent: write it as in 0.5%");
  }
  return percent / 100;
}

std::string format_percent(double share) {
  std::string digits = format_fixed(share * 100, 4);
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.ends_with('.')) digits.pop_back();
  return digits + "%";
}

}  // namespace gopacer
