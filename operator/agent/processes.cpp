#include "agent/processes.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace gopacer {
namespace {

constexpr std::size_t kIdLength = 64;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

/// The last row of exactly so many hexadecimal digits: above a container's own group there may be that of a node that
/// runs in a container itself.
std::string id_in(const std::string& groups) {
  std::string found;
  for (std::size_t at = 0; at < groups.size();) {
    const std::size_t begin = at;
    while (at < groups.size() && is_hex(groups[at])) ++at;
    if (at - begin == kIdLength) found = groups.substr(begin, kIdLength);
    ++at;
  }
  return found;
}

/// The uid of the pod whose group this part of a path is, "pod<uid>" or "…-pod<uid>.slice"; empty when of none. systemd
/// wants other dashes.
std::string pod_in(std::string_view part) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  constexpr std::string_view kSlice = ".slice";
  constexpr std::string_view kPod = "pod";
  if (part.ends_with(kSlice)) part.remove_suffix(kSlice.size());
  if (part.size() < kPod.size() + kForm.size()) return {};
  std::string uid(part.substr(part.size() - kForm.size()));
  for (std::size_t i = 0; i < uid.size(); ++i) {
    if (kForm[i] == '-' && uid[i] == '_') uid[i] = '-';
    if (kForm[i] == '-' ? uid[i] != '-' : !is_hex(uid[i])) return {};
  }
  part.remove_suffix(kForm.size());
  const bool names_pod = part == kPod || part.ends_with("-pod");
  return names_pod ? uid : std::string();
}

/// The outermost of a path.
std::string pod_of(const std::string& path) {
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '/');) {
    if (std::string uid = pod_in(part); !uid.empty()) return uid;
  }
  return {};
}

ContainerPlace place_in(const std::string& groups) {
  ContainerPlace place{id_in(groups)};
  if (place.id.empty()) return place;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    std::string pod = pod_of(line);
    if (!pod.empty() && !place.pod.empty() && pod != place.pod) return {};
    if (!pod.empty()) place.pod = std::move(pod);
  }
  return place;
}

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::map<ContainerPlace, std::vector<int>> processes_by_container(const std::filesystem::path& proc) {
  std::map<ContainerPlace, std::vector<int>> found;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(proc, error); !error && entry != std::filesystem::end(entry);
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    int pid = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc() || end != name.data() + name.size()) continue;
    const ContainerPlace place = place_in(contents_of(entry->path() / "cgroup"));
    if (!place.id.empty()) found[place].push_back(pid);
  }
  for (auto& [place, pids] : found) std::sort(pids.begin(), pids.end());
  return found;
}

std::vector<int> processes_of(const ContainerPlace& container,
                              const std::map<ContainerPlace, std::vector<int>>& processes) {
  std::vector<int> found;
  for (auto at = processes.lower_bound({container.id}); at != processes.end() && at->first.id == container.id; ++at) {
    if (container.may_be(at->first)) found.insert(found.end(), at->second.begin(), at->second.end());
  }
  std::sort(found.begin(), found.end());
  return found;
}

ContainerPlace container_of(int pid, const std::filesystem::path& proc) {
  return place_in(contents_of(proc / std::to_string(pid) / "cgroup"));
}

bool is_first_of_container(int pid, const std::filesystem::path& proc) {
  std::istringstream lines(contents_of(proc / std::to_string(pid) / "status"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("NSpid:")) continue;
    // One number for each namespace; a process of the node's own has one.
    return line.ends_with("\t1") && line.find('\t') != line.rfind('\t');
  }
  return false;
}

double cpu_seconds_of(int pid, const std::filesystem::path& proc) {
  const std::string stat = contents_of(proc / std::to_string(pid) / "stat");
  // The program's name comes second and may hold anything; after its last parenthesis the third field begins.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return -1;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  if (!(fields >> user >> system)) return -1;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace gopacer
