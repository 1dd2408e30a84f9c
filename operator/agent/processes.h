#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace gopacer {

/// A container, as control groups name it.
struct ContainerPlace {
  /// The 64 hexadecimal digits that container runtimes name its control group by.
  std::string id;
  /// The pod's uid. Empty where a path does not show it: by another runtime, or from another cgroup namespace.
  std::string pod = {};

  /// Control groups that say `other` may be those of this.
  bool may_be(const ContainerPlace& other) const { return id == other.id && (other.pod.empty() || pod == other.pod); }
  auto operator<=>(const ContainerPlace&) const = default;
};

/// The processes of each container of this machine. Ascending by their numbers.
std::map<ContainerPlace, std::vector<int>> processes_by_container(const std::filesystem::path& proc);

/// Those among them that may be the container's.
std::vector<int> processes_of(const ContainerPlace& container,
                              const std::map<ContainerPlace, std::vector<int>>& processes);

/// The container that the process is in now; without an id when in none, when its groups are of several pods, or when
/// it has ended. The pod is the outermost that the path names: whoever may make groups makes them within their own.
ContainerPlace container_of(int pid, const std::filesystem::path& proc);

/// The process is the first of the innermost of its namespaces of processes, as a container's own is unless the pod
/// shares them.
bool is_first_of_container(int pid, const std::filesystem::path& proc);

/// CPU seconds that a process has used so far, to the kernel's tick (10 ms); less than 0 when it has ended.
double cpu_seconds_of(int pid, const std::filesystem::path& proc);

}  // namespace gopacer
