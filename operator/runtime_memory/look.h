#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace gopacer {

/// Bounds the CPU time of this thread that is spent on finding something in a program, which may be made to have no end
/// of tables: one second from its making on. A busy machine is no reason to give up.
class LookLimit {
 public:
  LookLimit();
  bool reached() const;

 private:
  std::chrono::nanoseconds until_;
};

/// What the kernel told the program when it started it: an entry (AT_PHDR, AT_RANDOM, …) of /proc/PID/auxv. `process`:
/// /proc/PID. None where the process has ended, or may not be read.
std::optional<std::uint64_t> told_at_start(const std::filesystem::path& process, std::uint64_t wanted);

}  // namespace gopacer
