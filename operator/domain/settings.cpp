#include "gopacer/domain/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

namespace gopacer {
namespace {

bool close(double a, double b) { return std::abs(a - b) <= kAboutEqual * std::max(std::abs(a), std::abs(b)); }

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

}  // namespace

double Settings::gamma() const {
  const Gogc value = gogc.value_or(Gogc(Gogc::kDefaultPercent));
  return value.is_off() ? std::numeric_limits<double>::infinity() : value.percent() / 100.0;
}

bool Settings::bounded_by(const Settings& other) const {
  const bool within = !other.go_mem_limit || (go_mem_limit && *go_mem_limit <= *other.go_mem_limit);
  return gamma() <= other.gamma() && within;
}

Result<Settings> parse_settings(const EnvText& env) {
  Settings settings;
  if (env.gogc && !env.gogc->empty()) {
    if (*env.gogc == "off") {
      settings.gogc = Gogc::off();
    } else {
      int percent = 0;
      const char* const end = env.gogc->data() + env.gogc->size();
      const auto [last, error] = std::from_chars(env.gogc->data(), end, percent);
      if (error != std::errc() || last != end) {
        return invalid("GOGC='" + *env.gogc + "' is not a percentage: write a whole number, or off");
      }
      settings.gogc = percent < 0 ? Gogc::off() : Gogc(percent);
    }
  }
  if (env.go_mem_limit && !env.go_mem_limit->empty() && *env.go_mem_limit != "off") {
    const Result<Bytes> limit = parse_go_size(*env.go_mem_limit);
    if (!limit) return invalid("GOMEMLIMIT: " + limit.error().message);
    settings.go_mem_limit = *limit;
  }
  return settings;
}

Settings readable_settings(const EnvText& env) {
  Settings settings = parse_settings({env.gogc, std::nullopt}).value_or(Settings{});
  settings.go_mem_limit = parse_settings({std::nullopt, env.go_mem_limit}).value_or(Settings{}).go_mem_limit;
  return settings;
}

EnvText to_env(const Settings& settings) {
  EnvText env;
  if (settings.gogc) env.gogc = settings.gogc->is_off() ? "off" : std::to_string(settings.gogc->percent());
  if (settings.go_mem_limit) env.go_mem_limit = format_go_size(*settings.go_mem_limit);
  return env;
}

std::string describe(const Settings& settings) {
  const EnvText env = to_env(settings);
  std::string text;
  if (env.gogc) text = "GOGC=" + *env.gogc;
  if (env.go_mem_limit) text += (text.empty() ? "GOMEMLIMIT=" : " GOMEMLIMIT=") + *env.go_mem_limit;
  return text.empty() ? "Go's defaults" : text;
}

bool about_equal(const Settings& a, const Settings& b) {
  const Gogc unset(Gogc::kDefaultPercent);
  const Gogc first = a.gogc.value_or(unset);
  const Gogc second = b.gogc.value_or(unset);
  if (first.is_off() != second.is_off()) return false;
  if (!first.is_off() && !close(first.percent(), second.percent())) return false;
  if (a.go_mem_limit.has_value() != b.go_mem_limit.has_value()) return false;
  return !a.go_mem_limit || close(a.go_mem_limit->value(), b.go_mem_limit->value());
}

Settings halfway(const Settings& safe, const Settings& other) {
  Settings between = safe;
  if (std::isfinite(safe.gamma()) && std::isfinite(other.gamma())) {
    between.gogc = Gogc(static_cast<int>(std::lround(100 * std::sqrt(safe.gamma() * other.gamma()))));
  }
  if (safe.go_mem_limit && other.go_mem_limit) {
    const double mean = std::sqrt(safe.go_mem_limit->value() * other.go_mem_limit->value());
    between.go_mem_limit = Bytes(static_cast<std::int64_t>(mean) / kMiB * kMiB);
  }
  Settings without_limit = between;
  if (!safe.go_mem_limit) {
    without_limit.go_mem_limit.reset();
    between.go_mem_limit = other.go_mem_limit;
  }
  return about_equal(without_limit, safe) ? safe : between;
}

}  // namespace gopacer
