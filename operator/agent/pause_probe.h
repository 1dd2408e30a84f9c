#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/steady_clock.h"
#include "gc_probe/gc_probe.h"
#include "gopacer/base/clock.h"
#include "gopacer/domain/sample.h"

namespace gopacer {

/// For how long collections stop the world of the programs under care. Putting a probe on reads the program's file, and
/// its file system may answer nobody: then the others are not waited for, and have no pauses. Thread-safe.
class PauseProbe {
 public:
  /// As GcProbe::open().
  static Result<std::shared_ptr<PauseProbe>> open(const Clock& clock, const SteadyClock& steady);

  /// Measures the process's program from here on. May block.
  Result<void> watch(int pid);
  /// Of its latest collections; their ends are on the node's clock as it was when this was opened, so that one is told
  /// of with the same end each time. Nothing where it is not watched.
  std::vector<GcPause> latest(int pid) const;
  /// All that was counted of it, by kinds. Nothing where it is not watched.
  std::optional<Pauses> counted(int pid) const;
  void forget(int pid);

 private:
  PauseProbe(GcProbe probe, Duration since_epoch) : probe_(std::move(probe)), since_epoch_(since_epoch) {}

  mutable std::mutex mutex_;
  GcProbe probe_;
  const Duration since_epoch_;  ///< of the monotonic clock's beginning
};

/// The pauses of one program that is watched; it is forgotten with this.
class PausesOf {
 public:
  PausesOf(std::shared_ptr<PauseProbe> probe, int pid) : probe_(std::move(probe)), pid_(pid) {}
  ~PausesOf() { probe_->forget(pid_); }
  PausesOf(const PausesOf&) = delete;
  PausesOf& operator=(const PausesOf&) = delete;

  std::vector<GcPause> latest() const { return probe_->latest(pid_); }
  std::optional<Pauses> counted() const { return probe_->counted(pid_); }

 private:
  std::shared_ptr<PauseProbe> probe_;
  int pid_;
};

}  // namespace gopacer
