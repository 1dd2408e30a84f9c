#include "gc_probe/probe_places.h"

#include <sys/auxv.h>

#include <array>
#include <filesystem>

#include "runtime_memory/function_table.h"
#include "runtime_memory/layout.h"
#include "runtime_memory/locate.h"
#include "runtime_memory/look.h"

namespace gopacer {
namespace {

const std::string kStop = "runtime.stopTheWorldWithSema";
const std::string kStart = "runtime.startTheWorldWithSema";
/// Known tool chains make one.
constexpr std::size_t kMostReturns = 4;

}  // namespace

bool RunningProgram::runs() const {
  std::array<std::byte, 1> one{};
  return memory_.read(known_, one);
}

Result<ProbePlaces> probe_places_of(int pid) {
  const std::filesystem::path process = std::filesystem::path("/proc") / std::to_string(pid);
  const std::string name = "process " + std::to_string(pid);
  const auto told = [&](const Error& error) { return fail(error.kind, name + ": " + error.message); };
  // First the memory: whatever replaces the program from here on, this stays what it is, or becomes nothing.
  auto memory = RandomAccessFile::open(process / "mem", RandomAccessFile::Mode::kRead);
  if (!memory && memory.error().kind == ErrorKind::kNotFound) {
    return fail(ErrorKind::kNotFound, "no " + name + " runs on this machine");
  }
  if (!memory) return told(memory.error());
  auto program = RandomAccessFile::open(process / "exe", RandomAccessFile::Mode::kRead);
  if (!program) return told(program.error());

  const LookLimit limit;
  const auto bounded = [&limit](const RandomAccessFile& from) -> ReadAt {
    return [&](std::uint64_t at, std::span<std::byte> into) { return !limit.reached() && from.read(at, into); };
  };
  const ReadAt file = bounded(*program);
  const auto image = read_elf(file);
  if (!image) return fail(image.error().kind, name + ": its program " + image.error().message);
  const auto version = go_version_of(*image, file);
  if (!version) return fail(version.error().kind, name + ": its program " + version.error().message);
  // Of the versions whose memory is known the stops and their reasons are known, too.
  if (const auto known = layout_of(*version); !known) return told(known.error());
  const auto headers = told_at_start(process, AT_PHDR);
  if (!headers) return retriable(name + ": what it was told at its start can't be read");

  const RunningImage running{*image, file, bounded(*memory), *headers - image->headers};
  const auto stop = code_of_function(running, kStop);
  const auto start = code_of_function(running, kStart);
  ProbePlaces places{{std::move(*memory), *headers}, std::move(*program), 0, {}};
  if (stop) places.stop = image->offset_of(stop->push.value_or(stop->address)).value_or(0);
  for (const std::uint64_t address : start ? start->returns : std::vector<std::uint64_t>{}) {
    if (const auto offset = image->offset_of(address)) places.started.push_back(*offset);
  }
  const bool all = places.stop != 0 && !places.started.empty() && places.started.size() == start->returns.size();
  if (all && places.started.size() <= kMostReturns) return places;
  // Whatever was not found, not all was looked at.
  if (limit.reached()) return retriable(name + ": finding its functions takes too long");
  return invalid(name + ": its table of functions does not tell where " + (stop ? kStart : kStop) + " is");
}

}  // namespace gopacer
