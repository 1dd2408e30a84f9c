#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gopacer/base/result.h"
#include "runtime_memory/random_access.h"

namespace gopacer {

/// Where functions of a running Go program begin.
struct EntryPoints {
  RandomAccessFile program;            ///< its file, whatever the process runs later
  RandomAccessFile memory;             ///< of this program; nothing can be read there once it has ended
  std::uint64_t headers = 0;           ///< in its memory: its program headers, which are there as long as it is
  std::vector<std::uint64_t> offsets;  ///< in its file: of each function that was asked for, in that order

  /// False once the program has ended, or the process has become another one.
  bool runs() const;
};

/// By the table of functions, which stripping keeps. The error says why there are none: the process has ended or may
/// not be read, it is no Go program, it is of a version that is not known, or has no such function.
Result<EntryPoints> entry_points_of(int pid, std::span<const std::string_view> functions);

}  // namespace gopacer
