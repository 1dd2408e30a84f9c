#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/result.h"
#include "runtime_memory/random_access.h"

namespace gopacer {

/// A part of a program that is mapped when it starts (PT_LOAD).
struct Segment {
  std::uint64_t offset = 0;   ///< in the file
  std::uint64_t address = 0;  ///< as linked; a program that is independent of its position is moved as a whole
  std::uint64_t file_size = 0;
  std::uint64_t size = 0;  ///< in memory; what exceeds the file is zero at first
  bool writable = false;
  bool executable = false;

  bool has(std::uint64_t at) const { return at >= address && at - address < size; }
};

struct Section {
  std::string name;
  std::uint32_t type = 0;
  std::uint32_t link = 0;  ///< of a table of symbols: the section with their names
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

enum class Machine { kAmd64, kArm64 };

/// What is needed of a 64-bit little-endian ELF file. Whoever made the file may be hostile: all counts and sizes are
/// bounded, and nothing is believed of a place before it is read.
struct ElfImage {
  Machine machine = Machine::kAmd64;
  std::uint64_t headers = 0;  ///< address of the program headers, as linked
  std::vector<Segment> segments;
  std::vector<Section> sections;  ///< none in a program that lost its table

  const Section* section(std::string_view name) const;
  /// Where in the file the byte of that address is; none for what only memory has.
  std::optional<std::uint64_t> offset_of(std::uint64_t address) const;
  bool is_writable(std::uint64_t address) const;
};

/// The error says what of the file is not as it has to be.
Result<ElfImage> read_elf(const ReadAt& file);

/// Address of a symbol as linked. None where the program is stripped, or has no such symbol.
std::optional<std::uint64_t> symbol_address(const ElfImage& image, const ReadAt& file, std::string_view name);

/// The Go version that a program was built with, from its build information: "go1.22.3"; "go1.17" for all that are
/// older than 1.18. kNotFound when it is no Go program.
Result<std::string> go_version_of(const ElfImage& image, const ReadAt& file);
/// Likewise, of a file; errors name it. kNotFound as well when it is no program at all, kRetriable when it can't be
/// read.
Result<std::string> go_version_of(const std::filesystem::path& program);

}  // namespace gopacer
