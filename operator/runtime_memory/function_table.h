#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "runtime_memory/elf_image.h"

namespace gopacer {

struct RunningImage;

/// The instructions of a function.
struct Code {
  std::uint64_t address = 0;  ///< of the first one, as linked
  std::vector<std::byte> bytes;
  /// Of the instructions that return from it, as linked. None where the table does not tell.
  std::vector<std::uint64_t> returns;
  /// Of the one that pushes the frame pointer, as linked; arguments are in their registers yet. On amd64 only, and none
  /// where the table does not tell.
  std::optional<std::uint64_t> push = std::nullopt;
};

/// By the table of functions that every Go program carries for its stack traces (pclntab, as the runtime's symtab.go
/// reads it), of Go 1.20 and later. None where the table is not as it should be, has no such function, or a function
/// that is longer than 4 KiB.
std::optional<Code> code_of_function(const RunningImage& running, std::string_view name);

/// Addresses, as linked, that the instructions compute from their own place: LEA with RIP on amd64, ADRP with ADD on
/// arm64.
std::set<std::uint64_t> addresses_taken(const Code& code, Machine machine);

}  // namespace gopacer
