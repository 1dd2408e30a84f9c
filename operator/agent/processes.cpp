#include "agent/processes.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>

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

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::map<std::string, std::vector<int>> processes_by_container(const std::filesystem::path& proc) {
  std::map<std::string, std::vector<int>> found;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(proc, error); !error && entry != std::filesystem::end(entry);
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    int pid = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc() || end != name.data() + name.size()) continue;
    if (std::string id = id_in(contents_of(entry->path() / "cgroup")); !id.empty()) found[id].push_back(pid);
  }
  for (auto& [id, pids] : found) std::sort(pids.begin(), pids.end());
  return found;
}

std::string container_of(int pid, const std::filesystem::path& proc) {
  return id_in(contents_of(proc / std::to_string(pid) / "cgroup"));
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
