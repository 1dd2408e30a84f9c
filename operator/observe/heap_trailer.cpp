#include "observe/heap_trailer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "gopacer/base/text.h"

namespace gopacer {
namespace {

constexpr std::size_t kRing = 256;
// PauseEnd, the longest line of the trailer, has 256 numbers of 19 digits.
constexpr std::size_t kLongestLine = std::size_t{16} * 1024;
// The trailer itself is under 10 KiB.
constexpr std::size_t kLongestTrailer = std::size_t{64} * 1024;

enum Field : std::uint32_t {
  kTotalAlloc,
  kSys,
  kMallocs,
  kFrees,
  kHeapAlloc,
  kHeapSys,
  kHeapIdle,
  kHeapInuse,
  kHeapReleased,
  kHeapObjects,
  kStack,
  kNextGc,
  kPauseNs,
  kPauseEnd,
  kNumGc,
  kNumForcedGc,
  kGcCpuFraction,
  kFields
};

constexpr std::array<std::string_view, kFields> kNames{
    "TotalAlloc",  "Sys",   "Mallocs", "Frees",   "HeapAlloc", "HeapSys", "HeapIdle",    "HeapInuse",    "HeapReleased",
    "HeapObjects", "Stack", "NextGC",  "PauseNs", "PauseEnd",  "NumGC",   "NumForcedGC", "GCCPUFraction"};

template <typename Number>
std::optional<Number> whole(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// None unless it is a whole number of `most` at most.
std::optional<std::int64_t> whole_up_to(std::string_view text, std::int64_t most) {
  const auto value = whole<std::uint64_t>(text);
  if (!value || *value > static_cast<std::uint64_t>(most)) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::optional<Bytes> bytes(std::string_view text) {
  const auto value = whole_up_to(text, kMostMemory);
  return value ? std::optional(Bytes(*value)) : std::nullopt;
}

/// "[1 2 3]"; none unless all are whole numbers up to `most`, and at most as many as the ring has.
std::optional<std::vector<Duration>> ring(std::string_view text, std::int64_t most) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<Duration> numbers;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const auto value = whole_up_to(text.substr(0, space), most);
    if (!value || numbers.size() == kRing) return std::nullopt;
    numbers.emplace_back(*value);
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return numbers;
}

constexpr std::string_view kFirstLine = "heap profile: ";
constexpr const char* kWanted =
    "set spec.runtimeMetrics.port and path to where net/http/pprof is served; path is what stands before /heap";

}  // namespace

std::vector<GcPause> unroll_pauses(const std::vector<Duration>& pauses, const std::vector<Time>& ends,
                                   std::uint32_t num_gc) {
  std::vector<GcPause> cycles;
  const std::size_t size = std::min(pauses.size(), ends.size());
  if (size == 0) return cycles;
  const std::size_t valid = std::min<std::size_t>(num_gc, size);
  for (std::size_t age = valid; age >= 1; --age) {
    // The cycle number num_gc - age + 1, counted from 1, is at that number less 1.
    const std::size_t at = (num_gc - age) % size;
    if (ends[at] > Time{}) cycles.push_back({ends[at], pauses[at]});
  }
  return cycles;
}

HeapTrailer::HeapTrailer() : lines_(kLongestLine) {}

bool HeapTrailer::reject(std::string message) {
  if (error_.empty()) error_ = std::move(message);
  return false;
}

bool HeapTrailer::feed(std::string_view piece) {
  if (!error_.empty()) return false;
  if (in_trailer_) {
    after_ += piece.size();
    // Whatever follows a whole trailer is nothing that Go writes; it is not worth waiting for.
    if (after_ > kLongestTrailer) return false;
  }
  const bool more =
      lines_.feed(piece, [this](std::string_view line, bool complete) { return take_line(line, complete); });
  // A body without line ends must not be read to its limit before it is seen for what it is.
  if (more && first_ && lines_.rest().size() >= kFirstLine.size()) return check_beginning(lines_.rest());
  return more;
}

bool HeapTrailer::check_beginning(std::string_view line) {
  if (line.starts_with(kFirstLine)) return true;
  return reject("answered " + describe_body(line.substr(0, 256)) + " instead of Go's heap profile: " + kWanted);
}

bool HeapTrailer::take_line(std::string_view line, bool complete) {
  if (first_) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) return true;
    first_ = false;
    return check_beginning(line);
  }
  if (!in_trailer_) {
    in_trailer_ = line == "# runtime.MemStats";
    return true;
  }
  if (!line.starts_with("# ")) return true;
  if (!complete) return reject("has a line in its MemStats that is longer than Go writes: " + shown(line, 40));
  line.remove_prefix(2);
  const std::size_t equals = line.find(" = ");
  if (equals == std::string_view::npos) return true;
  const std::string_view name = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 3);
  if (take_field(name, value)) return true;
  return reject("says MemStats." + std::string(shown(name)) + " = " + shown(value) +
                ", which Go's runtime never writes: something else than net/http/pprof answers there");
}

bool HeapTrailer::take_field(std::string_view name, std::string_view value) {
  const auto known = std::find(kNames.begin(), kNames.end(), name);
  if (known == kNames.end()) return true;
  const auto field = static_cast<Field>(known - kNames.begin());
  const auto set_bytes = [&](Bytes& member) {
    const auto number = bytes(value);
    if (number) member = *number;
    return number.has_value();
  };
  const auto set_count = [&](auto& member) {
    const auto number = whole<std::remove_reference_t<decltype(member)>>(value);
    if (number) member = *number;
    return number.has_value();
  };
  bool good = false;
  switch (field) {
    case kTotalAlloc:
      good = set_bytes(stats_.total_alloc);
      break;
    case kSys:
      good = set_bytes(stats_.sys);
      break;
    case kMallocs:
      good = set_count(stats_.mallocs);
      break;
    case kFrees:
      good = set_count(stats_.frees);
      break;
    case kHeapAlloc:
      good = set_bytes(stats_.heap_alloc);
      break;
    case kHeapSys:
      good = set_bytes(stats_.heap_sys);
      break;
    case kHeapIdle:
      good = set_bytes(stats_.heap_idle);
      break;
    case kHeapInuse:
      good = set_bytes(stats_.heap_in_use);
      break;
    case kHeapReleased:
      good = set_bytes(stats_.heap_released);
      break;
    case kHeapObjects:
      good = set_count(stats_.heap_objects);
      break;
    case kStack: {
      // "in use / reserved"
      const auto number = bytes(value.substr(0, value.find(" / ")));
      if (number) stats_.stack_in_use = *number;
      good = number.has_value();
      break;
    }
    case kNextGc: {
      // With GOGC=off the goal can be all ones.
      const auto number = whole<std::uint64_t>(value);
      constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      if (number) stats_.next_gc = Bytes(static_cast<std::int64_t>(std::min(*number, kMost)));
      good = number.has_value();
      break;
    }
    case kPauseNs: {
      auto numbers = ring(value, kLongestPause);
      good = numbers.has_value();
      if (good) pauses_ = std::move(*numbers);
      break;
    }
    case kPauseEnd: {
      const auto numbers = ring(value, std::numeric_limits<std::int64_t>::max());
      good = numbers.has_value();
      ends_.clear();
      if (good)
        std::transform(numbers->begin(), numbers->end(), std::back_inserter(ends_), [](Duration d) { return Time(d); });
      break;
    }
    case kNumGc:
      good = set_count(stats_.num_gc);
      break;
    case kNumForcedGc:
      good = set_count(stats_.num_forced_gc);
      break;
    case kGcCpuFraction: {
      double fraction = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), fraction);
      good = error == std::errc() && end == value.data() + value.size() && fraction >= 0 && fraction <= 1;
      if (good) stats_.gc_cpu_fraction = fraction;
      break;
    }
    case kFields:
      break;
  }
  if (good) found_ |= 1U << field;
  return good;
}

Result<MemStats> HeapTrailer::finish() {
  // A last line without an end is not read: the number in it may have been cut off too.
  if (first_ && !lines_.rest().empty()) check_beginning(lines_.rest());
  if (!error_.empty()) return invalid(error_);
  if (first_) return invalid(std::string("answered nothing instead of Go's heap profile: ") + kWanted);
  if (!in_trailer_) {
    return retriable(
        "answered a heap profile without MemStats at its end: it was cut off, or is not in the form of debug=1; "
        "check that no proxy stands before net/http/pprof");
  }
  for (std::uint32_t field = 0; field < kFields; ++field) {
    if ((found_ & (1U << field)) == 0) {
      return retriable("answered MemStats without " + std::string(kNames[field]) +
                       ": it was cut off, or a Go older than 1.18 wrote it");
    }
  }
  stats_.pauses = unroll_pauses(pauses_, ends_, stats_.num_gc);
  return stats_;
}

}  // namespace gopacer
