#pragma once

#include <cstdint>
#include <vector>

#include "gopacer/base/result.h"
#include "runtime_memory/random_access.h"

namespace gopacer {

/// Where in a running Go program the pauses begin and end.
struct ProbePlaces {
  RandomAccessFile program;   ///< its file, whatever the process runs later
  RandomAccessFile memory;    ///< of this program; nothing can be read there once it has ended
  std::uint64_t headers = 0;  ///< in its memory: its program headers, which are there as long as it is
  /// In its file: at the beginning of runtime.stopTheWorldWithSema. On amd64 the instruction that pushes the frame
  /// pointer, because the kernel emulates it; it would execute another one by a trap, which takes longer than some
  /// pauses.
  std::uint64_t stop = 0;
  std::vector<std::uint64_t> started;  ///< in its file: those that return from runtime.startTheWorldWithSema

  /// False once the program has ended, or the process has become another one.
  bool runs() const;
};

/// By the table of functions, which stripping keeps. The error says why there are none: the process has ended or may
/// not be read, it is no Go program, it is of a version that is not known, or its table does not tell.
Result<ProbePlaces> probe_places_of(int pid);

}  // namespace gopacer
