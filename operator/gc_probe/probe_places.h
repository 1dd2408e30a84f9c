#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "gopacer/base/result.h"
#include "runtime_memory/random_access.h"

namespace gopacer {

/// A program as long as it runs, whatever the process becomes and whoever gets its number.
class RunningProgram {
 public:
  /// `known`: an address that is mapped from its start to its end.
  RunningProgram(RandomAccessFile memory, std::uint64_t known) : memory_(std::move(memory)), known_(known) {}

  /// False once the program has ended, or the process has become another one.
  bool runs() const;
  const RandomAccessFile& memory() const { return memory_; }

 private:
  RandomAccessFile memory_;
  std::uint64_t known_;
};

/// Where in a running Go program the pauses begin and end.
struct ProbePlaces {
  RunningProgram running;
  RandomAccessFile file;
  /// In its file: at the beginning of runtime.stopTheWorldWithSema. On amd64 the instruction that pushes the frame
  /// pointer, because the kernel emulates it; it would execute another one by a trap, which takes longer than some
  /// pauses.
  std::uint64_t stop = 0;
  std::vector<std::uint64_t> started;  ///< in its file: those that return from runtime.startTheWorldWithSema
};

/// By the table of functions, which stripping keeps. The error says why there are none: the process has ended or may
/// not be read, it is no Go program, it is of a version that is not known, or its table does not tell.
Result<ProbePlaces> probe_places_of(int pid);

}  // namespace gopacer
