#include "runtime_memory/go_runtime.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <sstream>

#include "runtime_memory/locate.h"

namespace gopacer {
namespace {

namespace fs = std::filesystem;

constexpr int kMostPercent = 10'000;
/// Bytes of the variable, whatever the version.
constexpr std::size_t kMostVariable = 512;
/// Collections that may end between while a smaller goal is written.
constexpr int kMostRepeats = 5;

/// The lowest address at which a file is mapped, by /proc/PID/maps: "begin-end rights offset device inode path".
std::optional<std::uint64_t> lowest_mapping(const fs::path& maps, std::uint64_t inode_wanted) {
  constexpr int kMostLines = 100'000;
  std::ifstream lines(maps);
  std::string line;
  for (int count = 0; count < kMostLines && std::getline(lines, line); ++count) {
    std::istringstream words(line);
    std::uint64_t begin = 0;
    std::string end;
    std::string rights;
    std::string offset;
    std::string device;  // of a file of an overlay it is another one here than in stat(), so it is not compared
    std::uint64_t inode = 0;
    if (words >> std::hex >> begin >> end >> rights >> offset >> device >> std::dec >> inode && inode == inode_wanted) {
      return begin;
    }
  }
  return std::nullopt;
}

/// The 22nd field of /proc/PID/stat, as proc(5) counts them; the second one, in brackets, may hold anything.
std::optional<std::uint64_t> start_of(const fs::path& stat) {
  constexpr int kFieldsBetween = 22 - 3;
  std::ifstream in(stat);
  std::string line;
  std::getline(in, line);
  const std::size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::istringstream words(line.substr(bracket + 1));
  std::string skipped;
  for (int i = 0; i < kFieldsBetween; ++i) words >> skipped;
  std::uint64_t start = 0;
  return words >> start ? std::optional(start) : std::nullopt;
}

/// By how much the program was moved when it was loaded.
std::uint64_t bias_of(const ElfImage& image, std::uint64_t lowest) {
  constexpr std::uint64_t kPage = 4096;
  const auto first = std::min_element(image.segments.begin(), image.segments.end(),
                                      [](const Segment& a, const Segment& b) { return a.address < b.address; });
  return lowest - (first->address & ~(kPage - 1));
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
  const Gogc gogc = settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  if (gogc.is_off() && !settings.go_mem_limit)
    return "without GOMEMLIMIT, GOGC=off would let the heap grow without a bound";
  if (!gogc.is_off() && (gogc.percent() < 1 || gogc.percent() > kMostPercent)) {
    return "GOGC has to be from 1 to " + std::to_string(kMostPercent);
  }
  if (settings.go_mem_limit) {
    // What the limit counts is the heap and all that the runtime has besides.
    const double besides =
        std::max(0.0, static_cast<double>(state.mapped_ready) - static_cast<double>(state.heap_live));
    const double lives = static_cast<double>(state.heap_marked);
    const Bytes least = Bytes::of(1.1 * lives + std::min(besides, 0.5 * lives));
    if (*settings.go_mem_limit < least) {
      return "GOMEMLIMIT=" + format_go_size(*settings.go_mem_limit) + " leaves no room above the live heap of " +
             format_bytes(Bytes::of(lives)) + ", so the program would collect without end; " + format_bytes(least) +
             " is the least";
    }
  }
  return "";
}

bool in_force(const GcState& state) { return state.gc_percent_heap_goal == heap_goal_of(state, state.gc_percent); }

Result<GoRuntime> GoRuntime::open(int pid, const fs::path& proc) {
  const fs::path process = proc / std::to_string(pid);
  const std::string name = "process " + std::to_string(pid);
  const auto told = [&](const Error& error) { return fail(error.kind, name + ": " + error.message); };
  // First the memory: whatever replaces the program from here on, this stays what it is, or becomes nothing.
  auto memory = RandomAccessFile::open(process / "mem", RandomAccessFile::Mode::kReadWrite);
  if (!memory) return told(memory.error());
  const auto program = RandomAccessFile::open(process / "exe", RandomAccessFile::Mode::kRead);
  if (!program) return told(program.error());
  const ReadAt file = [&](std::uint64_t at, std::span<std::byte> into) { return program->read(at, into); };
  const auto image = read_elf(file);
  if (!image) return fail(image.error().kind, name + ": its program " + image.error().message);
  auto version = go_version_of(*image, file);
  if (!version) return fail(version.error().kind, name + ": its program " + version.error().message);
  const auto layout = layout_of(*version);
  if (!layout) return told(layout.error());
  if (!are_together(*layout) || layout->size() > kMostVariable)
    return invalid(name + ": the settings of " + *version + " can't be written together");

  GoRuntime runtime(std::move(*memory), name);
  struct stat status{};
  if (::fstat(program->descriptor(), &status) != 0) return runtime.ended();
  const auto lowest = lowest_mapping(process / "maps", status.st_ino);
  const auto start = start_of(process / "stat");
  if (!lowest || !start)
    return fail(ErrorKind::kNotFound, name + ": its program is not where /proc says it is; it may have ended");
  const ReadAt in_memory = [&](std::uint64_t at, std::span<std::byte> into) { return runtime.memory_.read(at, into); };
  const RunningImage running{*image, file, in_memory, bias_of(*image, *lowest)};
  const auto located = locate_controller(running, *layout);
  if (!located) return told(located.error());
  runtime.start_ = *start;
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

Result<Receipt> GoRuntime::write(const Settings& settings) {
  const auto before = read();
  if (!before) return tl::unexpected(before.error());
  if (const std::string why = unsafe(*before, settings); !why.empty()) return invalid(name_ + ": " + why);
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
  return Receipt{*before, *after};
}

}  // namespace gopacer
