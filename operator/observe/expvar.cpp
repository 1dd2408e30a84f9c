#include "observe/expvar.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "gopacer/base/text.h"
#include "observe/heap_trailer.h"

namespace gopacer {
namespace {

constexpr std::size_t kRing = 256;

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
  kStackInuse,
  kNextGc,
  kNumGc,
  kNumForcedGc,
  kNumbers,  ///< how many whole numbers there are
  kGcCpuFraction = kNumbers,
  kPauseNs,
  kPauseEnd,
  kFields
};

constexpr std::array<std::string_view, kFields> kNames{
    "TotalAlloc", "Sys",         "Mallocs",       "Frees",       "HeapAlloc",  "HeapSys",
    "HeapIdle",   "HeapInuse",   "HeapReleased",  "HeapObjects", "StackInuse", "NextGC",
    "NumGC",      "NumForcedGC", "GCCPUFraction", "PauseNs",     "PauseEnd"};

/// Takes the wanted numbers as they go by; everything else is skipped, however deep it is.
class Handler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return wrong("null"); }
  bool boolean(bool) override { return wrong("a boolean"); }
  bool string(string_t&) override { return wrong("a text"); }
  bool binary(binary_t&) override { return wrong("binary data"); }
  bool number_integer(number_integer_t value) override { return wrong(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_memstats_ || field_ == kFields) return true;
    if (depth_ == 2 && field_ < kNumbers) {
      numbers_[field_] = value;
      found_ |= 1U << field_;
    } else if (depth_ == 2 && field_ == kGcCpuFraction) {
      return number_float(static_cast<double>(value), {});
    } else if (depth_ == 3 && (field_ == kPauseNs || field_ == kPauseEnd)) {
      std::vector<std::uint64_t>& ring = field_ == kPauseNs ? pauses_ : ends_;
      if (ring.size() == kRing) return wrong("a longer list than Go writes");
      ring.push_back(value);
    }
    return true;
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!in_memstats_ || depth_ != 2 || field_ != kGcCpuFraction) return wrong(text);
    if (!(value >= 0 && value <= 1)) return wrong(text.empty() ? std::to_string(value) : text);
    fraction_ = value;
    found_ |= 1U << field_;
    return true;
  }
  bool start_object(std::size_t) override {
    ++depth_;
    if (depth_ == 2 && top_ == "memstats") in_memstats_ = has_memstats_ = true;
    return true;
  }
  bool end_object() override {
    if (depth_ == 2) in_memstats_ = false;
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (++depth_ == 3 && in_memstats_ && (field_ == kPauseNs || field_ == kPauseEnd)) {
      (field_ == kPauseNs ? pauses_ : ends_).clear();
      found_ |= 1U << field_;
    }
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) top_ = name.substr(0, 16);
    if (depth_ == 2 && in_memstats_) {
      field_ = static_cast<Field>(std::find(kNames.begin(), kNames.end(), name) - kNames.begin());
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  Result<MemStats> stats(bool parsed) const {
    if (!error_.empty()) return invalid(error_);
    if (!parsed && !has_memstats_) return fail(ErrorKind::kNotFound, "is not expvar's page");
    if (!parsed) return retriable("answered JSON that ends in the middle: it was cut off");
    if (!has_memstats_) return fail(ErrorKind::kNotFound, "has no memstats");
    for (std::uint32_t field = 0; field < kFields; ++field) {
      if ((found_ & (1U << field)) == 0) return invalid("has memstats without " + std::string(kNames[field]));
    }
    MemStats stats;
    stats.total_alloc = bytes(kTotalAlloc);
    stats.sys = bytes(kSys);
    stats.mallocs = numbers_[kMallocs];
    stats.frees = numbers_[kFrees];
    stats.heap_alloc = bytes(kHeapAlloc);
    stats.heap_sys = bytes(kHeapSys);
    stats.heap_idle = bytes(kHeapIdle);
    stats.heap_in_use = bytes(kHeapInuse);
    stats.heap_released = bytes(kHeapReleased);
    stats.heap_objects = numbers_[kHeapObjects];
    stats.stack_in_use = bytes(kStackInuse);
    // With GOGC=off the goal can be all ones.
    stats.next_gc = Bytes(clamped(numbers_[kNextGc], std::numeric_limits<std::int64_t>::max()));
    stats.num_gc = static_cast<std::uint32_t>(numbers_[kNumGc]);
    stats.num_forced_gc = static_cast<std::uint32_t>(numbers_[kNumForcedGc]);
    stats.gc_cpu_fraction = fraction_;
    std::vector<Duration> pauses;
    std::vector<Time> ends;
    pauses.reserve(pauses_.size());
    ends.reserve(ends_.size());
    for (const std::uint64_t pause : pauses_) pauses.emplace_back(clamped(pause, kLongestPause));
    for (const std::uint64_t end : ends_) {
      ends.emplace_back(Duration(clamped(end, std::numeric_limits<std::int64_t>::max())));
    }
    stats.pauses = unroll_pauses(pauses, ends, stats.num_gc);
    return stats;
  }

 private:
  /// Only where one of our fields stands is a value of the wrong kind a fault.
  bool wrong(const std::string& value) {
    const bool ring = field_ == kPauseNs || field_ == kPauseEnd;
    if (!in_memstats_ || field_ == kFields || depth_ != (ring ? 3 : 2)) return true;
    error_ = "says MemStats." + std::string(kNames[field_]) + " is " + shown(value) +
             ", which Go's runtime never writes: something else than expvar answers there";
    return false;
  }
  static std::int64_t clamped(std::uint64_t value, std::int64_t most) {
    return static_cast<std::int64_t>(std::min(value, static_cast<std::uint64_t>(most)));
  }
  Bytes bytes(Field field) const { return Bytes(clamped(numbers_[field], kMostMemory)); }

  int depth_ = 0;
  std::string top_;
  bool in_memstats_ = false;
  bool has_memstats_ = false;
  Field field_ = kFields;
  std::uint32_t found_ = 0;
  std::array<std::uint64_t, kNumbers> numbers_{};
  double fraction_ = 0;
  std::vector<std::uint64_t> pauses_;
  std::vector<std::uint64_t> ends_;
  std::string error_;
};

}  // namespace

bool Expvar::feed(std::string_view piece) {
  too_long_ = body_.size() + piece.size() > kMostBytes;
  if (!too_long_) body_.append(piece);
  return !too_long_;
}

Result<MemStats> Expvar::finish() {
  if (too_long_) return invalid("is longer than " + std::to_string(kMostBytes) + " bytes");
  Handler handler;
  const bool parsed = nlohmann::json::sax_parse(body_, &handler);
  return handler.stats(parsed);
}

}  // namespace gopacer
