#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/journal.h"
#include "agent/processes.h"
#include "codec/agent_sample.h"
#include "gopacer/base/clock.h"
#include "runtime_memory/cycle_counter.h"
#include "runtime_memory/go_runtime.h"

namespace gopacer {

/// The Go program of a container: read again and again, and set as it is told. One thread.
///
/// What it had at first is its own. Where it has something else than what was written last, it sets its own
/// GOGC or GOMEMLIMIT by itself: then what it has not set is put back, and it is left alone from then on.
class Program {
 public:
  /// Of a container at most so many processes are looked at, those with the lowest numbers.
  static constexpr std::size_t kMostProcesses = 64;

  /// A process whose memory is held.
  struct Found {
    int pid = 0;
    GoRuntime runtime;
  };
  /// The Go program among the container's processes: one of those that are `known` by their identities, else the
  /// container's first process, else the only one. The error says why there is none, or which of several is meant is
  /// not clear. A process is taken only where it is still in this container when its memory is held. May block for as
  /// long as the file system does that holds the program's file.
  static Result<Found> look(const ContainerPlace& container, const std::vector<int>& pids,
                            const std::filesystem::path& proc, const std::set<std::string>& known);

  /// What the cluster tells of an agent that may have left a program without a journal.
  struct Traces {
    std::vector<Settings> ours;          ///< that it may have put there
    std::optional<Bytes> own_mem_limit;  ///< that the program gave itself where the environment has none
  };

  /// `environment`: as the pod's spec has it. A program that runs with another GOGC from the start sets its own, and
  /// so does one with another GOMEMLIMIT where the environment has one; where it has none, the program's own limit is
  /// a default, which counts as its own. `traces` count where the journal knows nothing of the program.
  static Result<Program> take(Found found, const std::filesystem::path& proc, const Settings& environment,
                              const Traces& traces, Journal& journal);

  /// Reads it once; kNotFound when it has ended. Another error may pass.
  Result<void> poll();
  /// After how long to read it again, so as to see each collection.
  std::chrono::nanoseconds next() const { return counter_.next(); }

  enum class Change {
    kNone,
    kWritten,
    kLater,  ///< a collection marks: what is made smaller then makes requests mark
  };
  /// Puts these settings in force unless they are, by the latest reading. The error says why that is not done; it stays
  /// until the program ends where it sets its own. `at_once`: also while a collection marks.
  Result<Change> set(const Settings& settings, bool at_once = true);
  /// Puts back what it had at first, unless it sets its own. After an error other than kNotFound it may be tried again.
  Result<Change> put_back();
  /// These are the settings that it has, by the latest reading, or has a right to.
  bool has(const Settings& settings) const;
  bool is_own(const Settings& settings) const;
  const Settings& own() const { return own_; }
  /// What was put into it last; its own where nothing was.
  const Settings& written() const { return last_written_; }
  /// It has ended: nobody puts anything back any more.
  void forget() { journal_->forget(runtime_.identity()); }

  int pid() const { return pid_; }
  const std::string& identity() const { return runtime_.identity(); }
  /// An error when it has ended.
  Result<Sample> sample(Time at) const;

 private:
  Program(int pid, std::filesystem::path proc, GoRuntime runtime, Journal& journal)
      : pid_(pid), proc_(std::move(proc)), runtime_(std::move(runtime)), journal_(&journal) {}

  tl::unexpected<Error> leave_alone();

  int pid_;
  std::filesystem::path proc_;
  GoRuntime runtime_;
  Journal* journal_;
  CycleCounter counter_;
  GcState state_;
  Settings own_;
  Settings last_written_;  ///< or its own, where nothing was written
  std::string sets_its_own_;
};

/// Puts back what the program of this identity had by the journal, as a predecessor left it, and strikes it out when
/// that is done or the program has ended. `opened`: the process that has the program's number now. Whether something
/// was written; after an error it may be tried again.
Result<bool> put_back_left(Journal& journal, const std::string& identity, Result<GoRuntime> opened);

}  // namespace gopacer
