#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace gopacer {

/// The processes of each container of this machine, by the container's id: the 64 hexadecimal digits that container
/// runtimes name its control group by. Ascending by their numbers.
std::map<std::string, std::vector<int>> processes_by_container(const std::filesystem::path& proc);

/// The container that the process is in now; empty when in none, or when it has ended.
std::string container_of(int pid, const std::filesystem::path& proc);

/// The process is the first of the innermost of its namespaces of processes, as a container's own is unless the pod
/// shares them.
bool is_first_of_container(int pid, const std::filesystem::path& proc);

/// CPU seconds that a process has used so far, to the kernel's tick (10 ms); less than 0 when it has ended.
double cpu_seconds_of(int pid, const std::filesystem::path& proc);

}  // namespace gopacer
