#include "gopacer/base/clock.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace gopacer {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// Reads exactly `digits` decimal digits at the front of `text` and drops them; -1 when they are not there.
int take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return -1;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

struct Unit {
  std::string_view name;
  Duration length;
};

// Longer names first where one is the prefix of another.
constexpr std::array<Unit, 8> kUnits{{{"ns", Duration(1)},
                                      {"us", Duration(1'000)},
                                      {"µs", Duration(1'000)},
                                      {"μs", Duration(1'000)},
                                      {"ms", Duration(1'000'000)},
                                      {"s", seconds(1)},
                                      {"m", minutes(1)},
                                      {"h", hours(1)}}};

constexpr Duration kLongestDuration = hours(24 * 365 * 10);

auto not_a_duration(std::string_view text) {
  return invalid("'" + std::string(text) + "' is not a duration: write it as in 300ms, 15s, 2m or 1h30m");
}

}  // namespace

Time SystemClock::now() const { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

Result<Time> parse_time(std::string_view text) {
  const auto bad = [whole = std::string(text)] {
    return invalid("'" + whole + "' is not a time: RFC 3339 is wanted, as in 2024-05-01T10:00:00Z");
  };
  std::string_view rest = text;
  const int year = take_digits(rest, 4);
  if (year < 0 || !take(rest, '-')) return bad();
  const int month = take_digits(rest, 2);
  if (month < 0 || !take(rest, '-')) return bad();
  const int day = take_digits(rest, 2);
  if (day < 0 || !(take(rest, 'T') || take(rest, 't'))) return bad();
  const int hour = take_digits(rest, 2);
  if (hour < 0 || hour > 23 || !take(rest, ':')) return bad();
  const int minute = take_digits(rest, 2);
  if (minute < 0 || minute > 59 || !take(rest, ':')) return bad();
  const int second = take_digits(rest, 2);
  if (second < 0 || second > 60) return bad();

  Duration fraction(0);
  if (take(rest, '.')) {
    std::int64_t scale = 100'000'000;
    if (rest.empty() || rest.front() < '0' || rest.front() > '9') return bad();
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      fraction += Duration(scale * (rest.front() - '0'));
      scale /= 10;
      rest.remove_prefix(1);
    }
  }

  Duration offset(0);
  if (!(take(rest, 'Z') || take(rest, 'z'))) {
    const bool east = take(rest, '+');
    if (!east && !take(rest, '-')) return bad();
    const int offset_hours = take_digits(rest, 2);
    if (offset_hours < 0 || !take(rest, ':')) return bad();
    const int offset_minutes = take_digits(rest, 2);
    if (offset_minutes < 0) return bad();
    offset = hours(offset_hours) + minutes(offset_minutes);
    if (!east) offset = -offset;
  }
  if (!rest.empty()) return bad();

  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // 64-bit nanoseconds end in 2262.
  if (!date.ok() || year < 1700 || year > 2250) return bad();
  return Time(std::chrono::sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) + fraction - offset;
}

namespace {

std::string format_with(Time time, bool micros) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<Duration> clock{time - day};
  std::array<char, 64> out{};
  int n = std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                        static_cast<int>(clock.seconds().count()));
  std::string text(out.data(), static_cast<std::size_t>(n));
  if (micros) {
    n = std::snprintf(out.data(), out.size(), ".%06d", static_cast<int>(clock.subseconds().count() / 1000));
    text.append(out.data(), static_cast<std::size_t>(n));
  }
  return text + "Z";
}

}  // namespace

std::string format_time(Time time) { return format_with(time, false); }
std::string format_micro_time(Time time) { return format_with(time, true); }

Result<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration(0);
  std::string_view rest = text;
  double total = 0;
  if (rest.empty()) return not_a_duration(text);
  while (!rest.empty()) {
    double value = 0;
    if (rest.front() != '.' && (rest.front() < '0' || rest.front() > '9')) return not_a_duration(text);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, std::chars_format::fixed);
    if (error != std::errc()) return not_a_duration(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    bool found = false;
    for (const Unit& unit : kUnits) {
      // "m" must not swallow the start of "ms".
      if (!rest.starts_with(unit.name) || (unit.name == "m" && rest.starts_with("ms"))) continue;
      total += value * static_cast<double>(unit.length.count());
      rest.remove_prefix(unit.name.size());
      found = true;
      break;
    }
    if (!found) return not_a_duration(text);
    if (total > static_cast<double>(kLongestDuration.count())) return not_a_duration(text);
  }
  return Duration(std::llround(total));
}

std::string format_duration(Duration duration) {
  if (duration == Duration(0)) return "0s";
  std::string text;
  if (duration < Duration(0)) {
    text = "-";
    duration = -duration;
  }
  const auto number = [](double value) {
    std::array<char, 32> out{};
    const int n = std::snprintf(out.data(), out.size(), "%.9g", value);
    return std::string(out.data(), static_cast<std::size_t>(n));
  };
  if (duration < seconds(1)) {
    if (duration >= Duration(1'000'000)) return text + number(static_cast<double>(duration.count()) / 1e6) + "ms";
    if (duration >= Duration(1'000)) return text + number(static_cast<double>(duration.count()) / 1e3) + "us";
    return text + std::to_string(duration.count()) + "ns";
  }
  const auto h = std::chrono::floor<hours>(duration);
  const auto m = std::chrono::floor<minutes>(duration - h);
  const Duration s = duration - h - m;
  if (h.count() > 0) text += std::to_string(h.count()) + "h";
  if (m.count() > 0) text += std::to_string(m.count()) + "m";
  if (s.count() > 0) text += number(to_seconds(s)) + "s";
  return text;
}

}  // namespace gopacer
