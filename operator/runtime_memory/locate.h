#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime_memory/elf_image.h"
#include "runtime_memory/layout.h"

namespace gopacer {

/// A program as it runs: its file, its memory, and by how much it was moved when it was loaded.
struct RunningImage {
  const ElfImage& image;
  ReadAt file;
  ReadAt memory;
  std::uint64_t bias = 0;  ///< address in memory less address as linked
};

/// A way to find the variable, and where it says it is. The addresses are of memory.
struct Located {
  std::uint64_t address = 0;
  std::vector<std::string> by;  ///< "pattern", "symbol", "code"
};

/// By its first three words, which depend on each other: GOGC, a limit, and 4 MiB·GOGC/100. All places in the writable
/// segments that look so and are plausible, 16 at most: who sends a program bytes can make some of its buffers look so.
std::vector<std::uint64_t> locate_by_pattern(const RunningImage& running, const Layout& layout);

/// By the table of symbols. None in a stripped program.
std::optional<std::uint64_t> locate_by_symbol(const RunningImage& running);

/// What runtime.gcControllerCommit takes the address of, by its instructions: the controller and a few other variables.
/// Stripping keeps the table of functions. Empty where the table, or the function, is not as it is known.
std::set<std::uint64_t> locate_by_code(const RunningImage& running);

/// The one place on which all that can tell agree. Where symbol or code name places, the pattern is looked for only
/// there; the whole of the data is scanned where neither can tell. The error says why there is none.
Result<Located> locate_controller(const RunningImage& running, const Layout& layout);

}  // namespace gopacer
