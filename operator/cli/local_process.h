#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "observe/plan.h"

namespace gopacer {

/// The highest number that Linux gives to a process (PID_MAX_LIMIT).
inline constexpr int kMostPid = 1 << 22;

/// Where the kernel tells of processes and of control groups.
struct KernelFiles {
  std::filesystem::path proc = "/proc";
  std::filesystem::path cgroup = "/sys/fs/cgroup";
};

/// A Go process on this machine, as the kernel sees it: the second source of usage beside pprof. Thread-safe.
///
/// Memory and its limit are those of the process's control group (version 1 or 2) when that has a limit, because all
/// that is in the group counts against it; else of the process alone. CPU is always of the process alone.
class LocalProcess final : public UsageFallback {
 public:
  /// `key` and `container` are what its usage is listed under.
  static Result<LocalProcess> open(int pid, const ObjectKey& key, KernelFiles files, const Clock& clock);

  std::string name() const override { return "cgroup"; }
  /// One entry. An error once the process has ended.
  Result<std::vector<PodUsage>> list(const std::string& ns) override;

  Time started() const { return started_; }
  /// GOGC and GOMEMLIMIT as the process was started with; none when its environment may not be read.
  const std::optional<EnvText>& environment() const { return environment_; }
  /// "go1.22.3", from the executable; "go1.17" for all that are older than 1.18. Empty when it may not be read.
  const std::string& go_version() const { return go_version_; }
  /// Cores that it may use: the group's quota, or the CPUs that it may run on.
  double cpus() const { return cpus_; }
  std::optional<Bytes> memory_limit() const;

 private:
  LocalProcess(int pid, ObjectKey key, KernelFiles files, const Clock& clock)
      : pid_(pid), key_(std::move(key)), files_(std::move(files)), clock_(&clock) {}

  std::filesystem::path proc(const char* file) const { return files_.proc / std::to_string(pid_) / file; }

  int pid_;
  ObjectKey key_;
  KernelFiles files_;
  const Clock* clock_;
  std::filesystem::path memory_group_;  ///< empty: there is none
  std::filesystem::path cpu_group_;
  bool second_version_ = false;  ///< of control groups
  std::string birth_;            ///< tells it from a later process with the same number
  Time started_;
  std::optional<EnvText> environment_;
  std::string go_version_;
  double cpus_ = 1;
};

/// The limit of this process's own memory: that of its control group, or of one above it. None when nothing limits it.
std::optional<Bytes> own_memory_limit(const KernelFiles& files);

}  // namespace gopacer
