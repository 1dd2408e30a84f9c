#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/domain/settings.h"
#include "runtime_memory/gc_state.h"
#include "runtime_memory/random_access.h"

namespace gopacer {

/// What a change of settings did.
struct SettingsChange {
  GcState before;
  GcState after;  ///< read back
};

/// The collector of a running Go program, read and set from outside: no symbol, no page and no import of the program is
/// needed, only the right to trace it (the same user, or CAP_SYS_PTRACE). Reading stops nothing.
///
/// It holds on to the memory of the program that it was opened for, and to nothing else: when the process ends,
/// replaces itself by another program, or its number is given away, reading and writing fail and touch nobody.
///
/// Thread-safety: none; several may be open for one process, but one should write.
class GoRuntime {
 public:
  /// The error says why the program can't be read: it has ended, is no Go program, of a version whose memory is not
  /// known, or not all that can tell where the settings are agree. `proc`: /proc.
  static Result<GoRuntime> open(int pid, const std::filesystem::path& proc = "/proc");

  const std::string& go_version() const { return go_version_; }
  /// Tells the program from any later one of the same process or number: a hash of the random bytes that the kernel
  /// gives to each program that it starts.
  const std::string& identity() const { return identity_; }
  /// What found the settings, and agrees: "pattern", and "symbol" and "code" where they can tell.
  const std::vector<std::string>& locators() const { return locators_; }

  /// kNotFound once the program has ended.
  Result<GcState> read() const;

  /// Puts both settings in force; an unset one is Go's default. They hold until the program sets its own or ends. A
  /// GOMEMLIMIT is in force at once, a smaller GOGC too; a larger GOGC from the end of the next collection on.
  ///
  /// Both go in one write, so that whoever dies here leaves the old settings or the new ones.
  ///
  /// Refused, with nothing written: settings that would let the program collect without end or without bound
  /// (see unsafe()), a program in which only the pattern tells where they are, and one whose numbers are not plausible
  /// any more. kConflict: the program has set its own since; those are in force. kNotFound: it has ended. kRetriable:
  /// whether it has can't be told at the moment, and nothing was written.
  Result<SettingsChange> write(const Settings& settings);
  /// Likewise, with settings that it had before: what it could run with then is not asked again.
  Result<SettingsChange> put_back(const Settings& settings);

 private:
  GoRuntime(RandomAccessFile memory, std::filesystem::path process, std::string name)
      : memory_(std::move(memory)), process_(std::move(process)), name_(std::move(name)) {}

  tl::unexpected<Error> ended() const;
  Result<GcState> writable() const;
  Result<SettingsChange> put(const GcState& before, const Settings& settings);

  RandomAccessFile memory_;
  std::filesystem::path process_;  ///< its directory in /proc
  std::string name_;               ///< "process 42"
  std::string go_version_;
  std::string identity_;
  Layout layout_{};
  std::uint64_t address_ = 0;
  std::vector<std::string> locators_;
};

/// Why a program in this state must not get these settings; empty when it may. Of what differs from what is in force:
/// GOGC of nothing or beyond 10,000; GOGC=off without a limit, or with one beyond the machine's memory; and a limit
/// that leaves, beside what the runtime has for itself, less than a tenth above what lives.
std::string unsafe(const GcState& state, const Settings& settings);

/// Whether the heap's goal follows from the GOGC in this state: GOMEMLIMIT and a smaller GOGC act at once, a larger one
/// when a collection has ended since it was written.
bool in_force(const GcState& state);

}  // namespace gopacer
