#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "gc_probe/attachment.h"
#include "gc_probe/pause_histogram.h"
#include "gopacer/base/result.h"

namespace gopacer {

/// Measures for how long the world of running Go programs stands still, by two eBPF probes on each: at the entries of
/// the functions that stop the world and start it again. Nothing is asked of the programs, stripped ones too; their
/// code gets two breakpoints, which the kernel puts there and takes away, and a stop takes some microseconds longer.
///
/// Wants CAP_BPF, CAP_PERFMON, and CAP_SYS_PTRACE for programs of other users; before Linux 6.10 CAP_SYS_ADMIN,
/// and 5.15 at least. All that it has put into the kernel goes with it.
///
/// Thread-safety: none.
class GcProbe {
 public:
  /// The error says which right, or what of the kernel or of this build, is missing.
  static Result<GcProbe> open();
  /// Likewise, with probes put on in a way that is not the best.
  static Result<GcProbe> open(AttachBy way);
  ~GcProbe();
  GcProbe(GcProbe&& other) noexcept;
  GcProbe& operator=(GcProbe&& other) noexcept;

  /// Measures the program that the process runs now, from here on; at most 1024 at once, of which those that have
  /// ended make room. Nothing changes when that program is watched already; one that the process ran before is
  /// forgotten. The error says why it can't be: it has
  /// ended (kNotFound), is no Go program, is of a version that is not known, or may not be traced.
  Result<void> watch(int pid);

  /// The pauses since watch(). A stop that goes on is not in it; of one that ends just now the count may be there and
  /// the time not yet. kNotFound when the process is not watched, or runs that program no more.
  Result<Pauses> read(int pid) const;

  /// The latest collections that began and ended since watch(), oldest first, kLatestCycles at most. Errors as read().
  Result<std::vector<CyclePause>> latest(int pid) const;

  /// Takes the probes off the program and drops its counts; nothing happens when it is not watched. To be called soon
  /// after a program has ended, too: until then the kernel holds its file, and so the file system of its container.
  void forget(int pid);

  /// Programs that the kernel keeps counts of.
  std::size_t watched() const;

 private:
  struct Kernel;
  explicit GcProbe(std::unique_ptr<Kernel> kernel);
  void forget_ended();
  Result<PauseRecord> record_of(int pid) const;

  std::unique_ptr<Kernel> kernel_;
};

}  // namespace gopacer
