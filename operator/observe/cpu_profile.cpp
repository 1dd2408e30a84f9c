#include "observe/cpu_profile.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "observe/lines.h"
#include "pprof.pb.h"

namespace gopacer {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Go cuts stacks at 128 frames (1,024 if told to): nothing in a profile but the profile itself comes near this.
constexpr std::size_t kLongestPart = std::size_t{64} * 1024;
// Of functions and of places in them that are of some kind; a few hundred in a real profile.
constexpr std::size_t kMostIds = std::size_t{16} * 1024;
// Places that all stacks and lines together refer to: a profile of a minute has one million.
constexpr std::size_t kMostReferences = std::size_t{4} << 20;

/// The fields of perftools.profiles.Profile.
enum ProfileField {
  kSampleType = 1,
  kSample = 2,
  kLocation = 4,
  kFunction = 5,
  kString = 6,
  kTime = 9,
  kDuration = 10
};

constexpr const char* kWhatToDo = "something else than net/http/pprof answers there";

/// Kinds of stacks, a bit each: collection, and those of CpuUse from the second bit on.
using Kinds = std::uint32_t;
constexpr Kinds kGc = 1;
constexpr Kinds bit(CpuUse use) { return Kinds{2} << static_cast<unsigned>(use); }

/// Of which kinds a stack is that goes through `function`.
Kinds kinds_of(std::string_view function) {
  constexpr std::string_view kRuntime = "runtime.";
  if (function == "sync.(*Mutex).lockSlow" || function == "internal/sync.(*Mutex).lockSlow") {
    return bit(CpuUse::kLocking);
  }
  if (!function.starts_with(kRuntime)) return 0;
  const std::string_view name = function.substr(kRuntime.size());
  // gcAssistAlloc, gcAssistAlloc1 and their closures.
  if (name.starts_with("gcAssistAlloc")) return kGc | bit(CpuUse::kAssist);
  if (name == "gcBgMarkWorker") return kGc;
  if (name == "bgsweep") return kGc | bit(CpuUse::kSweeping);
  if (name == "gcDrainMarkWorkerIdle") return bit(CpuUse::kIdleMarking);
  if (name == "bgscavenge" || name.starts_with("(*pageAlloc).scavenge")) return bit(CpuUse::kScavenging);
  // Newer compilers call its kinds directly: mallocgcSmallNoScanSC2.
  if (name.starts_with("mallocgc")) return bit(CpuUse::kAllocating);
  if (name == "memmove") return bit(CpuUse::kCopying);
  if (name == "lock2" || name == "unlock2") return bit(CpuUse::kLocking);
  if (name == "futex") return bit(CpuUse::kFutex);
  return 0;
}

/// Kinds by ids that the profile chooses. They are sorted, because a hash table can be filled so that each look takes
/// long.
class KindsById {
 public:
  /// False when there are too many.
  bool add(std::uint64_t id, Kinds kinds) {
    if (kinds != 0) known_.emplace_back(id, kinds);
    return known_.size() <= kMostIds;
  }
  /// Before the first look. An id that is there many times is of all kinds that it came with.
  void sort() {
    std::sort(known_.begin(), known_.end());
    std::vector<std::pair<std::uint64_t, Kinds>> each;
    for (const auto& [id, kinds] : known_) {
      if (each.empty() || each.back().first != id) each.emplace_back(id, 0);
      each.back().second |= kinds;
    }
    known_ = std::move(each);
  }
  Kinds of(std::uint64_t id) const {
    const auto at = std::lower_bound(known_.begin(), known_.end(), std::pair{id, Kinds{0}});
    return at != known_.end() && at->first == id ? at->second : 0;
  }

 private:
  std::vector<std::pair<std::uint64_t, Kinds>> known_;
};

Result<std::string> inflated(const std::string& body) {
  z_stream stream{};
  // 16: a gzip header is wanted.
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return retriable("could not be inflated: out of memory");
  std::string out;
  std::vector<char> piece(std::size_t{64} * 1024);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  int state = Z_OK;
  bool too_long = false;
  while (state == Z_OK && !too_long) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&stream, Z_NO_FLUSH);
    const std::size_t n = piece.size() - stream.avail_out;
    too_long = out.size() + n > CpuProfileReader::kMostInflated;
    if (!too_long) out.append(piece.data(), n);
  }
  inflateEnd(&stream);
  if (too_long) {
    return invalid("answered a CPU profile of more than " + std::to_string(CpuProfileReader::kMostInflated) + " bytes");
  }
  if (state == Z_BUF_ERROR) return retriable("answered a CPU profile that was cut off");
  if (state != Z_STREAM_END) return invalid(std::string("answered a CPU profile that is damaged: ") + kWhatToDo);
  return out;
}

/// Calls `part` for each length-delimited field and `number` for each varint of the message; false when it is malformed
/// or one of them says so.
bool for_each_field(const std::string& message, const std::function<bool(int, std::string_view)>& part,
                    const std::function<bool(int, std::uint64_t)>& number) {
  const auto* const data = reinterpret_cast<const std::uint8_t*>(message.data());
  CodedInputStream in(data, static_cast<int>(message.size()));
  while (const std::uint32_t tag = in.ReadTag()) {
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
        std::uint32_t size = 0;
        const auto at = [&] { return static_cast<std::size_t>(in.CurrentPosition()); };
        if (!in.ReadVarint32(&size) || size > message.size() - at()) return false;
        if (!part(field, std::string_view(message).substr(at(), size))) return false;
        if (!in.Skip(static_cast<int>(size))) return false;
        break;
      }
      case WireFormatLite::WIRETYPE_VARINT: {
        std::uint64_t value = 0;
        if (!in.ReadVarint64(&value) || !number(field, value)) return false;
        break;
      }
      default:
        if (!WireFormatLite::SkipField(&in, tag)) return false;
    }
  }
  return in.ConsumedEntireMessage();
}

/// Calls `take` with each part of the profile that is a `Message` in the field `field`.
template <typename Message>
bool for_each(const std::string& profile, int field, const std::function<bool(const Message&)>& take) {
  Message message;
  return for_each_field(
      profile,
      [&](int number, std::string_view text) {
        if (number != field) return true;
        if (text.size() > kLongestPart) return false;
        message.Clear();
        return message.ParseFromArray(text.data(), static_cast<int>(text.size())) && take(message);
      },
      [](int, std::uint64_t) { return true; });
}

Result<GcProfile> read(const std::string& profile) {
  const auto damaged = [] {
    return invalid(std::string("answered something that is not a CPU profile of Go: ") + kWhatToDo);
  };

  // The names come last in the profile, and everything else refers to them.
  KindsById names, functions, places;
  std::int64_t cpu_name = -1;
  std::int64_t samples_name = -1;
  std::int64_t strings = 0;
  std::uint64_t duration = 0;
  std::uint64_t began = 0;
  bool good = for_each_field(
      profile,
      [&](int field, std::string_view text) {
        if (field != kString) return true;
        if (text == "cpu") cpu_name = strings;
        if (text == "samples") samples_name = strings;
        const auto name = static_cast<std::uint64_t>(strings++);
        return names.add(name, kinds_of(text));
      },
      [&](int field, std::uint64_t value) {
        if (field == kDuration) duration = value;
        if (field == kTime) began = value;
        return true;
      });
  if (!good || strings == 0) return damaged();

  int column = 0;
  int cpu_column = -1;
  int samples_column = -1;
  good = for_each<pprof::ValueType>(profile, kSampleType, [&](const pprof::ValueType& type) {
    if (type.type() == cpu_name && cpu_name > 0) cpu_column = column;
    if (type.type() == samples_name && samples_name > 0) samples_column = column;
    return ++column <= 64;
  });
  if (!good || cpu_column < 0 || samples_column < 0) return damaged();

  names.sort();
  good = for_each<pprof::Function>(profile, kFunction, [&](const pprof::Function& function) {
    return functions.add(function.id(), names.of(static_cast<std::uint64_t>(function.name())));
  });
  if (!good) return damaged();

  functions.sort();
  std::size_t references = 0;
  const auto refer = [&](int count) {
    references += static_cast<std::size_t>(count);
    return references <= kMostReferences;
  };
  good = for_each<pprof::Location>(profile, kLocation, [&](const pprof::Location& location) {
    if (!refer(location.line_size())) return false;
    Kinds kinds = 0;
    for (const pprof::Line& line : location.line()) kinds |= functions.of(line.function_id());
    return places.add(location.id(), kinds);
  });
  if (!good) return damaged();
  places.sort();

  GcProfile result;
  good = for_each<pprof::Sample>(profile, kSample, [&](const pprof::Sample& sample) {
    if (sample.value_size() != column || !refer(sample.location_id_size())) return false;
    const std::int64_t nanoseconds = sample.value(cpu_column);
    const std::int64_t count = sample.value(samples_column);
    // A year of CPU is more than any profile holds, and far from overflow.
    constexpr std::int64_t kMost = std::int64_t{365} * 24 * 3600 * 1'000'000'000;
    if (nanoseconds < 0 || count < 0 || nanoseconds > kMost || count > kMost) return false;
    const double seconds = static_cast<double>(nanoseconds) / 1e9;
    result.total_cpu_seconds += seconds;
    result.stacks = std::min(result.stacks + count, kMost);
    Kinds kinds = 0;
    for (const std::uint64_t id : sample.location_id()) kinds |= places.of(id);
    if ((kinds & kGc) != 0) result.gc_cpu_seconds += seconds;
    for (std::size_t i = 0; i < result.uses.values.size(); ++i) {
      if ((kinds & bit(static_cast<CpuUse>(i))) != 0) result.uses.values[i] += seconds;
    }
    return true;
  });
  constexpr std::uint64_t kLongest = 3600ULL * 1'000'000'000;
  // What comes after it is no time, and far from overflow.
  constexpr std::uint64_t kLatest = std::numeric_limits<std::int64_t>::max() / 2;
  if (!good || duration == 0 || duration > kLongest) return damaged();
  result.length = Duration(static_cast<std::int64_t>(duration));
  if (began > 0 && began <= kLatest) result.began = Time(Duration(static_cast<std::int64_t>(began)));
  return result;
}

}  // namespace

bool CpuProfileReader::feed(std::string_view piece) {
  too_long_ = body_.size() + piece.size() > kMostBytes;
  if (!too_long_) body_.append(piece);
  return !too_long_;
}

Result<GcProfile> CpuProfileReader::finish() {
  if (too_long_) return invalid("answered a CPU profile of more than " + std::to_string(kMostBytes) + " bytes");
  if (!body_.starts_with("\x1f\x8b")) {
    return invalid("answered " + describe_body(std::string_view(body_).substr(0, 256)) +
                   " instead of a CPU profile: " + kWhatToDo);
  }
  const Result<std::string> profile = inflated(body_);
  if (!profile) return tl::unexpected<Error>(profile.error());
  return read(*profile);
}

}  // namespace gopacer
