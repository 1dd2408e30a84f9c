#include "codec/agent_sample.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "codec/settings.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

/// The sizes of a MemStats that a process's memory tells, and their names.
constexpr std::pair<const char*, Bytes MemStats::*> kSizes[] = {{"heapAlloc", &MemStats::heap_alloc},
                                                                {"totalAlloc", &MemStats::total_alloc},
                                                                {"sys", &MemStats::sys},
                                                                {"heapSys", &MemStats::heap_sys},
                                                                {"heapIdle", &MemStats::heap_idle},
                                                                {"heapInUse", &MemStats::heap_in_use},
                                                                {"heapReleased", &MemStats::heap_released},
                                                                {"nextGc", &MemStats::next_gc}};
/// More is no process's: 2^60 bytes, 2^40 seconds.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 60;
constexpr double kMostSeconds = 1e12;
/// 13 days, in nanoseconds: longer ones are none.
constexpr std::int64_t kLongestPause = std::int64_t{1} << 50;
/// As many as the runtime keeps.
constexpr std::size_t kMostPauses = 256;

Result<Bytes> size_of(const json& from, const char* member) {
  const json& value = child(from, member);
  if (!value.is_number_integer() || value < 0 || value > INT64_MAX) {
    return invalid(std::string("has no ") + member + ", or one that no process has");
  }
  // GOGC=off has the largest number there is as its goal.
  return Bytes(std::min<std::int64_t>(value.get<std::int64_t>(), kMostBytes));
}

Result<double> seconds_of(const json& from, const char* member) {
  const json& value = child(from, member);
  const double seconds = value.is_number() ? value.get<double>() : -1;
  if (!(seconds >= 0 && seconds <= kMostSeconds)) {
    return invalid(std::string("has no ") + member + ", or one that no process has");
  }
  return seconds;
}

/// Each an end and a length in nanoseconds, oldest first; what is none of these is left out.
std::vector<GcPause> pauses_of(const json& from) {
  std::vector<GcPause> pauses;
  for (const json& entry : elements(from, "pauses")) {
    if (pauses.size() == kMostPauses) break;
    const bool is_pair = entry.is_array() && entry.size() == 2 && entry[0].is_number_integer() &&
                         entry[1].is_number_integer() && entry[0] >= 0 && entry[1] >= 0 && entry[0] <= INT64_MAX &&
                         entry[1] <= INT64_MAX;
    if (!is_pair) continue;
    const GcPause pause{Time(Duration(entry[0].get<std::int64_t>())),
                        Duration(std::min<std::int64_t>(entry[1].get<std::int64_t>(), kLongestPause))};
    if (pauses.empty() || pause.end > pauses.back().end) pauses.push_back(pause);
  }
  return pauses;
}

}  // namespace

json encode(const AgentSample& said) {
  const MemStats& mem = *said.sample.mem;
  const ProcessMetrics& process = *said.sample.process;
  json body = {{"settings", encode(Settings{process.gogc, process.go_mem_limit})},
               {"collections", mem.num_gc},
               {"markCpuSeconds", process.gc_cpu_seconds.value_or(0)},
               {"cpuSeconds", process.cpu_seconds.value_or(0)},
               {"heapLive", process.heap_live->count()},
               {"roots", process.scanned_roots->count()},
               {"goVersion", process.go_version.value_or("")}};
  for (const auto& [name, member] : kSizes) body[name] = (mem.*member).count();
  for (const GcPause& pause : mem.pauses) {
    body["pauses"].push_back(json::array({pause.end.time_since_epoch().count(), pause.pause.count()}));
  }
  if (!said.note.empty()) body["note"] = said.note;
  return body;
}

json encode_unread(const std::string& why) { return {{"error", why}}; }

Result<AgentSample> decode_agent_sample(const std::string& body) {
  const json from = json::parse(body, nullptr, false);
  if (!from.is_object()) return invalid("is no answer of gopacer's agent");
  if (const std::string why = strange(from, "error", kLongestSentence); !why.empty()) return retriable(why);
  AgentSample said;
  MemStats& mem = said.sample.mem.emplace();
  for (const auto& [name, member] : kSizes) {
    const auto read = size_of(from, name);
    if (!read) return tl::unexpected(read.error());
    mem.*member = *read;
  }
  ProcessMetrics& process = said.sample.process.emplace();
  for (const auto& [name, member] :
       {std::pair{"heapLive", &process.heap_live}, std::pair{"roots", &process.scanned_roots}}) {
    const auto read = size_of(from, name);
    if (!read) return tl::unexpected(read.error());
    *member = *read;
  }
  for (const auto& [name, member] :
       {std::pair{"markCpuSeconds", &process.gc_cpu_seconds}, std::pair{"cpuSeconds", &process.cpu_seconds}}) {
    const auto read = seconds_of(from, name);
    if (!read) return tl::unexpected(read.error());
    *member = *read;
  }
  const std::int64_t collections = integer(from, "collections", -1);
  if (collections < 0 || collections > UINT32_MAX) return invalid("has no number of collections");
  mem.num_gc = static_cast<std::uint32_t>(collections);
  mem.counts_forced = false;
  const Settings settings = decode_settings(child(from, "settings"));
  // An agent spells it out.
  if (!settings.gogc) return invalid("has no settings, or some that no process has");
  process.gogc = settings.gogc;
  process.go_mem_limit = settings.go_mem_limit;
  process.go_version = strange(from, "goVersion", kLongestEnv);
  mem.pauses = pauses_of(from);
  said.note = strange(from, "note", kLongestSentence);
  return said;
}

}  // namespace gopacer::codec
