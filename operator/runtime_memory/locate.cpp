#include "runtime_memory/locate.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "runtime_memory/function_table.h"
#include "runtime_memory/gc_state.h"

namespace gopacer {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
/// Of writable segments. Programs with more global variables are beyond belief. Reading takes a while, and the kernel
/// charges the reader for the tables of pages that nobody has touched yet.
constexpr std::uint64_t kMostScanned = std::uint64_t{1} << 28;
constexpr std::size_t kMostHits = 16;
constexpr std::size_t kAlignment = 8;

constexpr const char* kController = "runtime.gcController";
constexpr const char* kCommit = "runtime.gcControllerCommit";

template <typename Value>
Value take(std::span<const std::byte> bytes, std::size_t at) {
  Value value;
  std::memcpy(&value, bytes.data() + at, sizeof(Value));
  return value;
}

/// The three words, before all the rest is looked at. Nearly every place fails at the first.
bool looks_like_it(std::span<const std::byte> bytes, const Layout& layout) {
  const auto percent = take<std::int32_t>(bytes, layout.gc_percent);
  if (percent == 0 || percent < -1 || take<std::int32_t>(bytes, layout.gc_percent + 4) != 0) return false;
  if (take<std::int64_t>(bytes, layout.memory_limit) < kLeastMemoryLimit) return false;
  if (take<std::uint64_t>(bytes, layout.heap_minimum) != heap_minimum_of(percent)) return false;
  return implausible(decode_gc_state(bytes, layout)).empty();
}

bool looks_like_it_at(std::uint64_t place, const RunningImage& running, const Layout& layout) {
  std::vector<std::byte> variable(layout.size());
  return place % kAlignment == 0 && running.memory(place, variable) && looks_like_it(variable, layout);
}

std::string hex(std::uint64_t address) {
  std::ostringstream text;
  text << "0x" << std::hex << address;
  return text.str();
}

}  // namespace

std::vector<std::uint64_t> locate_by_pattern(const RunningImage& running, const Layout& layout) {
  std::vector<std::uint64_t> found;
  std::uint64_t scanned = 0;
  std::vector<std::byte> piece;
  for (const Segment& segment : running.image.segments) {
    if (!segment.writable || segment.size < layout.size()) continue;
    const std::uint64_t begin = (segment.address + kAlignment - 1) & ~std::uint64_t{kAlignment - 1};
    const std::uint64_t end = segment.address + segment.size - layout.size();
    for (std::uint64_t at = begin; at <= end; at += kPiece) {
      if (scanned += kPiece; scanned > kMostScanned) return found;
      const std::size_t places = std::min<std::uint64_t>(kPiece, end - at + 1);
      piece.resize(places - 1 + layout.size());
      // What lies in pages that are not mapped can't be the variable.
      if (!running.memory(at + running.bias, piece)) continue;
      for (std::size_t place = 0; place < places; place += kAlignment) {
        if (!looks_like_it(std::span(piece).subspan(place, layout.size()), layout)) continue;
        found.push_back(at + place + running.bias);
        if (found.size() >= kMostHits) return found;
      }
    }
  }
  return found;
}

std::optional<std::uint64_t> locate_by_symbol(const RunningImage& running) {
  const auto linked = symbol_address(running.image, running.file, kController);
  return linked ? std::optional(*linked + running.bias) : std::nullopt;
}

std::set<std::uint64_t> locate_by_code(const RunningImage& running) {
  const auto code = code_of_function(running, kCommit);
  if (!code) return {};
  std::set<std::uint64_t> writable;
  for (const std::uint64_t address : addresses_taken(*code, running.image.machine)) {
    if (running.image.is_writable(address)) writable.insert(address + running.bias);
  }
  return writable;
}

Result<Located> locate_controller(const RunningImage& running, const Layout& layout) {
  const auto symbol = locate_by_symbol(running);
  const std::set<std::uint64_t> code = locate_by_code(running);
  std::vector<std::uint64_t> places;
  if (symbol) {
    places = {*symbol};
  } else if (!code.empty()) {
    places.assign(code.begin(), code.end());
  } else {
    places = locate_by_pattern(running, layout);
  }
  std::erase_if(places, [&](std::uint64_t place) { return !looks_like_it_at(place, running, layout); });
  if (places.empty()) {
    return invalid(
        "nothing in its data looks like the collector's settings; GOGC=0, a GOMEMLIMIT below 1MiB and "
        "experiments with the runtime are not supported");
  }
  Located located{places.front(), {"pattern"}};
  if (symbol) located.by.emplace_back("symbol");
  if (!code.empty()) {
    std::erase_if(places, [&](std::uint64_t place) { return !code.contains(place); });
    if (places.empty()) return invalid("its symbol tells " + hex(located.address) + ", and its code tells otherwise");
    located.by.emplace_back("code");
  }
  if (places.size() > 1) {
    return invalid("both " + hex(places[0]) + " and " + hex(places[1]) + " look like the collector's settings");
  }
  return located;
}

}  // namespace gopacer
