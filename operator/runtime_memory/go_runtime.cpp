#include "runtime_memory/go_runtime.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iomanip>
#include <sstream>

#include "runtime_memory/locate.h"
#include "runtime_memory/look.h"

namespace gopacer {
namespace {

namespace fs = std::filesystem;

constexpr int kMostPercent = 10'000;
/// Bytes of the variable, whatever the version.
constexpr std::size_t kMostVariable = 512;
/// Bytes that the runtime keeps for what comes while it marks, at least.
constexpr double kHeadroom = 1 << 20;
/// Collections that may end between while a smaller goal is written.
constexpr int kMostRepeats = 5;

/// A hash (FNV-1a) of the sixteen random bytes that the program got, as `memory` has them.
std::optional<std::string> identity_in(const RandomAccessFile& memory, const fs::path& process) {
  const auto at = told_at_start(process, AT_RANDOM);
  std::array<std::byte, 16> random{};
  if (!at || !memory.read(*at, random)) return std::nullopt;
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::byte byte : random) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << hash;
  return text.str();
}

/// Of the program that the process runs now, whatever memory is held.
std::optional<std::string> identity_now(const fs::path& process) {
  const auto memory = RandomAccessFile::open(process / "mem", RandomAccessFile::Mode::kRead);
  return memory ? identity_in(*memory, process) : std::nullopt;
}

/// The three words at the variable's beginning, which depend on each other and are written together.
struct Words {
  std::int32_t gc_percent;
  std::int32_t padding;
  std::int64_t memory_limit;
  std::uint64_t heap_minimum;
};

bool are_together(const Layout& layout) {
  return layout.memory_limit == layout.gc_percent + offsetof(Words, memory_limit) &&
         layout.heap_minimum == layout.gc_percent + offsetof(Words, heap_minimum);
}

Words words_of(const Settings& settings) {
  const Gogc gogc = settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  const std::int32_t percent = gogc.is_off() ? -1 : gogc.percent();
  return {percent, 0, settings.go_mem_limit ? settings.go_mem_limit->count() : kNoMemoryLimit,
          heap_minimum_of(percent)};
}

template <typename Value>
std::span<const std::byte> bytes_of(const Value& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

std::string unsafe(const GcState& state, const Settings& settings) {
  const Settings now = state.settings();
  const Gogc gogc = settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  const bool other_gogc = gogc != now.gogc;
  const bool other_limit = settings.go_mem_limit != now.go_mem_limit;
  if (gogc.is_off() && !settings.go_mem_limit && (other_gogc || other_limit)) {
    return "without GOMEMLIMIT, GOGC=off would let the heap grow without a bound";
  }
  if (other_gogc && !gogc.is_off() && (gogc.percent() < 1 || gogc.percent() > kMostPercent)) {
    return "GOGC has to be from 1 to " + std::to_string(kMostPercent);
  }
  if (!settings.go_mem_limit || !(other_limit || other_gogc)) return "";
  const Bytes limit = *settings.go_mem_limit;
  const Bytes machine =
      Bytes::of(static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  if (gogc.is_off() && limit > machine) {
    return "GOGC=off with GOMEMLIMIT=" + format_go_size(limit) +
           " lets the heap grow beyond this machine's memory of " + format_bytes(machine);
  }
  if (!other_limit) return "";
  // As the runtime's memoryLimitHeapGoal: what is ready, neither free nor of an object, the limit counts as well.
  const double objects = static_cast<double>(state.total_alloc - state.total_free);
  const double besides =
      std::max(0.0, static_cast<double>(state.mapped_ready) - static_cast<double>(state.heap_free) - objects);
  // Before the first collection, and where none comes, nobody knows what lives.
  const bool uncounted = state.mark_start_time == 0 || (state.gc_percent < 0 && state.memory_limit == kNoMemoryLimit);
  const double lives = uncounted ? objects : static_cast<double>(state.heap_marked);
  const Bytes least = std::max(Bytes(kLeastMemoryLimit), Bytes::of((1.1 * lives + kHeadroom) / 0.97 + besides));
  if (limit >= least) return "";
  return "GOMEMLIMIT=" + format_go_size(limit) + " leaves no room above the live heap of " +
         format_bytes(Bytes::of(lives)) + " and " + format_bytes(Bytes::of(besides)) +
         " of stacks and other memory of the runtime, so the program would collect without end; " +
         format_bytes(least) + " is the least";
}

bool in_force(const GcState& state) { return state.gc_percent_heap_goal == heap_goal_of(state, state.gc_percent); }

Result<GoRuntime> GoRuntime::open(int pid, const fs::path& proc) {
  const fs::path process = proc / std::to_string(pid);
  const std::string name = "process " + std::to_string(pid);
  const auto told = [&](const Error& error) { return fail(error.kind, name + ": " + error.message); };
  // First the memory: whatever replaces the program from here on, this stays what it is, or becomes nothing.
  auto memory = RandomAccessFile::open(process / "mem", RandomAccessFile::Mode::kReadWrite);
  if (!memory && memory.error().kind == ErrorKind::kNotFound) {
    return fail(ErrorKind::kNotFound, "no " + name + " runs on this machine");
  }
  if (!memory) return told(memory.error());
  const auto program = RandomAccessFile::open(process / "exe", RandomAccessFile::Mode::kRead);
  if (!program) return told(program.error());
  const LookLimit limit;
  const ReadAt file = [&](std::uint64_t at, std::span<std::byte> into) {
    return !limit.reached() && program->read(at, into);
  };
  const auto image = read_elf(file);
  if (!image) return fail(image.error().kind, name + ": its program " + image.error().message);
  auto version = go_version_of(*image, file);
  if (!version) return fail(version.error().kind, name + ": its program " + version.error().message);
  const auto layout = layout_of(*version);
  if (!layout) return told(layout.error());
  if (!are_together(*layout) || layout->size() > kMostVariable)
    return invalid(name + ": the settings of " + *version + " can't be written together");

  GoRuntime runtime(std::move(*memory), process, name);
  auto identity = identity_in(runtime.memory_, process);
  const auto headers = told_at_start(process, AT_PHDR);
  const auto now = identity_now(process);
  // Want of descriptors, say, is no end of the program.
  if (!identity || !headers || !now) return retriable(name + ": what it was told at its start can't be read");
  // A process may hold its parent's memory until it becomes another program.
  if (*identity != *now) return runtime.ended();
  const ReadAt in_memory = [&](std::uint64_t at, std::span<std::byte> into) {
    return !limit.reached() && runtime.memory_.read(at, into);
  };
  const RunningImage running{*image, file, in_memory, *headers - image->headers};
  const auto located = locate_controller(running, *layout);
  // Whatever was found, not all was looked at.
  if (limit.reached()) return retriable(name + ": finding its settings takes too long");
  if (!located) return told(located.error());
  runtime.identity_ = std::move(*identity);
  runtime.go_version_ = std::move(*version);
  runtime.layout_ = *layout;
  runtime.address_ = located->address;
  runtime.locators_ = located->by;
  return runtime;
}

tl::unexpected<Error> GoRuntime::ended() const {
  return fail(ErrorKind::kNotFound, name_ + " has ended, or is another program by now");
}

Result<GcState> GoRuntime::read() const {
  std::array<std::byte, kMostVariable> variable{};
  const std::span<std::byte> used(variable.data(), layout_.size());
  if (!memory_.read(address_, used)) return ended();
  const GcState state = decode_gc_state(used, layout_);
  if (const std::string why = implausible(state); !why.empty()) return invalid(name_ + ": " + why);
  return state;
}

Result<GcState> GoRuntime::writable() const {
  if (locators_.size() < 2) {
    return invalid(name_ +
                   ": only the pattern of its data tells where the settings are, and that is too little to write "
                   "there: its program has neither symbols nor a table of functions that are known");
  }
  const auto now = identity_now(process_);
  if (now && *now != identity_) return ended();
  auto state = read();
  const bool is_there = state || state.error().kind != ErrorKind::kNotFound;
  // Whoever took that for an end would put nothing back.
  if (!now && is_there) return retriable(name_ + ": which program it runs now can't be read");
  return state;
}

Result<SettingsChange> GoRuntime::write(const Settings& settings) {
  const auto before = writable();
  if (!before) return tl::unexpected(before.error());
  if (const std::string why = unsafe(*before, settings); !why.empty()) return invalid(name_ + ": " + why);
  return put(*before, settings);
}

Result<SettingsChange> GoRuntime::put_back(const Settings& settings) {
  const auto before = writable();
  if (!before) return tl::unexpected(before.error());
  const bool known = (!settings.gogc || settings.gogc->percent() != 0) &&
                     (!settings.go_mem_limit || settings.go_mem_limit->count() >= kLeastMemoryLimit);
  if (!known) return invalid(name_ + " can't have had " + describe(settings) + " before");
  return put(*before, settings);
}

Result<SettingsChange> GoRuntime::put(const GcState& before, const Settings& settings) {
  const Words words = words_of(settings);
  if (!memory_.write(address_ + layout_.gc_percent, bytes_of(words))) return ended();
  Result<GcState> after = read();
  // A smaller goal need not wait for the next collection. One that ends meanwhile computes its own by the new GOGC,
  // from other numbers.
  for (int i = 0; i < kMostRepeats && after && after->gc_percent == words.gc_percent; ++i) {
    const std::uint64_t goal = heap_goal_of(*after, words.gc_percent);
    if (goal >= after->gc_percent_heap_goal) break;
    if (!memory_.write(address_ + layout_.gc_percent_heap_goal, bytes_of(goal))) return ended();
    after = read();
  }
  if (!after) return tl::unexpected(after.error());
  if (after->gc_percent != words.gc_percent || after->memory_limit != words.memory_limit) {
    return fail(ErrorKind::kConflict, name_ + " has set its own at the same time: " + describe(after->settings()));
  }
  return SettingsChange{before, *after};
}

}  // namespace gopacer
