#include "cli/local_process.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string_view>

#include "runtime_memory/elf_image.h"

namespace gopacer {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFileBytes = 1 << 20;
/// Version 1 writes "no limit" as a huge number.
constexpr double kUnlimited = 1e18;

std::optional<std::string> text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text(kMostFileBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<double> number_in(const fs::path& file) {
  const auto text = text_of(file);
  return text ? number(*text) : std::nullopt;
}

/// The number in the line that begins with `name` and blanks.
std::optional<double> line_of(const std::optional<std::string>& text, std::string_view name) {
  if (!text) return std::nullopt;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t at = line.find_first_not_of(" \t:", name.size());
    if (at == name.size() || at == std::string::npos) continue;
    return number(std::string_view(line).substr(at));
  }
  return std::nullopt;
}

/// The directory of a group; that of its parent, or the root, where the path is of another namespace.
fs::path group_dir(const fs::path& root, const std::string& path) {
  for (fs::path group = fs::path(path).relative_path(); !group.empty(); group = group.parent_path()) {
    if (fs::is_directory(root / group)) return root / group;
  }
  return root;
}

/// The path that /proc/PID/cgroup gives for a controller; for version 2 the controller is "".
std::optional<std::string> group_path(const std::string& groups, std::string_view controller) {
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    std::string name;
    if (controller.empty() && second == first + 1) return line.substr(second + 1);
    while (std::getline(names, name, ',')) {
      if (name == controller) return line.substr(second + 1);
    }
  }
  return std::nullopt;
}

/// The smallest value of `file` from the group up to the root of the hierarchy.
std::optional<double> tightest(fs::path group, const fs::path& root, const char* file) {
  std::optional<double> least;
  while (true) {
    const auto value = number_in(group / file);  // "max" is no number
    if (value && *value < kUnlimited && *value >= 0) least = std::min(*value, least.value_or(*value));
    if (group == root || group.native().size() <= root.native().size()) return least;
    group = group.parent_path();
  }
}

/// Fields of /proc/PID/stat from the state on; the command before them may hold anything.
std::vector<std::string> stat_fields(const std::string& stat) {
  std::vector<std::string> fields;
  const std::size_t end = stat.rfind(')');
  if (end == std::string::npos) return fields;
  std::istringstream words(stat.substr(end + 1));
  for (std::string word; words >> word;) fields.push_back(word);
  return fields;
}
// Numbers of fields as proc(5) counts them, less the two that come before.
constexpr std::size_t kUserTime = 14 - 3;
constexpr std::size_t kSystemTime = 15 - 3;
constexpr std::size_t kStartTime = 22 - 3;

double ticks_per_second() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

/// How many CPUs a list such as "0-3,8" names.
int count_cpus(std::string_view list) {
  int count = 0;
  while (!list.empty()) {
    const std::string_view range = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), range.size() + 1));
    const auto first = number(range);
    const std::size_t dash = range.find('-');
    const auto last = dash == std::string_view::npos ? first : number(range.substr(dash + 1));
    if (first && last) count += static_cast<int>(*last - *first) + 1;
  }
  return count;
}

EnvText env_of(const std::string& environ) {
  EnvText env;
  std::istringstream entries(environ);
  for (std::string entry; std::getline(entries, entry, '\0');) {
    const auto value = [&](const char* name) -> std::optional<std::string> {
      const std::string prefix = std::string(name) + "=";
      return entry.starts_with(prefix) ? std::optional(entry.substr(prefix.size())) : std::nullopt;
    };
    if (auto gogc = value(kGogcVariable)) env.gogc = std::move(gogc);
    if (auto limit = value(kGoMemLimitVariable)) env.go_mem_limit = std::move(limit);
  }
  return env;
}

}  // namespace

Result<LocalProcess> LocalProcess::open(int pid, const ObjectKey& key, KernelFiles files, const Clock& clock) {
  LocalProcess process(pid, key, std::move(files), clock);
  const std::string name = "process " + std::to_string(pid);
  const auto stat = text_of(process.proc("stat"));
  if (!stat) return invalid(name + " does not exist: check --pid");
  const std::vector<std::string> fields = stat_fields(*stat);
  const auto boot = line_of(text_of(process.files_.proc / "stat"), "btime");
  if (fields.size() <= kStartTime || !boot) return invalid(name + ": /proc is not as Linux writes it");
  process.birth_ = fields[kStartTime];
  const double since_boot = number(fields[kStartTime]).value_or(0) / ticks_per_second();
  process.started_ = Time(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*boot + since_boot)));

  const Result<std::string> version = go_version_of(process.proc("exe"));
  if (!version && version.error().kind == ErrorKind::kNotFound) return invalid(name + ": " + version.error().message);
  process.go_version_ = version.value_or("");
  if (const auto environ = text_of(process.proc("environ"))) process.environment_ = env_of(*environ);

  const std::string groups = text_of(process.proc("cgroup")).value_or("");
  const fs::path& root = process.files_.cgroup;
  std::optional<double> quota;
  if (const auto memory = group_path(groups, "memory")) {
    process.memory_group_ = group_dir(root / "memory", *memory);
    if (const auto cpu = group_path(groups, "cpu")) {
      // Some mount both controllers together, and link the single names to it.
      process.cpu_group_ = group_dir(root / "cpu", *cpu);
      const auto share = number_in(process.cpu_group_ / "cpu.cfs_quota_us");
      const auto period = number_in(process.cpu_group_ / "cpu.cfs_period_us");
      if (share && period && *share > 0 && *period > 0) quota = *share / *period;
    }
  } else if (const auto unified = group_path(groups, "")) {
    process.second_version_ = true;
    process.memory_group_ = process.cpu_group_ = group_dir(root, *unified);
    std::istringstream max(text_of(process.cpu_group_ / "cpu.max").value_or(""));
    std::string share;
    double period = 0;
    if (max >> share >> period && number(share) && period > 0) quota = *number(share) / period;
  }
  const auto status = text_of(process.proc("status")).value_or("");
  const std::size_t allowed = status.find("Cpus_allowed_list:");
  if (allowed != std::string::npos) {
    const std::size_t from = status.find_first_not_of(" \t", allowed + std::string_view("Cpus_allowed_list:").size());
    process.cpus_ = std::max(1, count_cpus(std::string_view(status).substr(from, status.find('\n', from) - from)));
  }
  if (quota) process.cpus_ = std::min(process.cpus_, *quota);
  return process;
}

std::optional<Bytes> own_memory_limit(const KernelFiles& files) {
  const std::string groups = text_of(files.proc / "self/cgroup").value_or("");
  std::optional<double> limit;
  if (const auto memory = group_path(groups, "memory")) {
    const fs::path root = files.cgroup / "memory";
    limit = tightest(group_dir(root, *memory), root, "memory.limit_in_bytes");
  } else if (const auto unified = group_path(groups, "")) {
    limit = tightest(group_dir(files.cgroup, *unified), files.cgroup, "memory.max");
  }
  return limit ? std::optional(Bytes::of(*limit)) : std::nullopt;
}

std::optional<Bytes> LocalProcess::memory_limit() const {
  if (memory_group_.empty()) return std::nullopt;
  const auto limit = second_version_ ? tightest(memory_group_, files_.cgroup, "memory.max")
                                     : tightest(memory_group_, files_.cgroup / "memory", "memory.limit_in_bytes");
  return limit ? std::optional(Bytes::of(*limit)) : std::nullopt;
}

Result<std::vector<PodUsage>> LocalProcess::list(const std::string&) {
  const std::string name = "process " + std::to_string(pid_);
  const auto stat = text_of(proc("stat"));
  const std::vector<std::string> fields = stat ? stat_fields(*stat) : std::vector<std::string>();
  if (fields.size() <= kStartTime || fields[kStartTime] != birth_) {
    return fail(ErrorKind::kNotFound, name + " has ended");
  }
  PodUsage entry;
  entry.pod = key_;
  ContainerUsage& usage = entry.usage;
  usage.at = clock_->now();
  usage.cpu_seconds =
      (number(fields[kUserTime]).value_or(0) + number(fields[kSystemTime]).value_or(0)) / ticks_per_second();
  usage.limit = memory_limit();
  if (usage.limit && second_version_) {
    const auto memory = text_of(memory_group_ / "memory.stat");
    const double current = number_in(memory_group_ / "memory.current").value_or(0);
    usage.working_set = Bytes::of(std::max(0.0, current - line_of(memory, "inactive_file").value_or(0)));
    if (const auto anonymous = line_of(memory, "anon")) usage.anonymous = Bytes::of(*anonymous);
    if (const auto kernel = line_of(memory, "kernel")) usage.kernel = Bytes::of(*kernel);
    if (const auto shared = line_of(memory, "shmem")) usage.shared = Bytes::of(*shared);
  } else if (usage.limit) {
    const auto memory = text_of(memory_group_ / "memory.stat");
    const double current = number_in(memory_group_ / "memory.usage_in_bytes").value_or(0);
    usage.working_set = Bytes::of(std::max(0.0, current - line_of(memory, "total_inactive_file").value_or(0)));
    if (const auto anonymous = line_of(memory, "total_rss")) usage.anonymous = Bytes::of(*anonymous);
    if (const auto shared = line_of(memory, "total_shmem")) usage.shared = Bytes::of(*shared);
    if (const auto kernel = number_in(memory_group_ / "memory.kmem.usage_in_bytes")) usage.kernel = Bytes::of(*kernel);
  } else {
    const auto status = text_of(proc("status"));
    usage.working_set = kib(line_of(status, "VmRSS").value_or(0));
    if (const auto anonymous = line_of(status, "RssAnon")) usage.anonymous = kib(*anonymous);
    if (const auto shared = line_of(status, "RssShmem")) usage.shared = kib(*shared);
  }
  const auto cpu = text_of(cpu_group_ / "cpu.stat");
  if (const auto throttled = line_of(cpu, second_version_ ? "throttled_usec" : "throttled_time")) {
    usage.throttled_seconds = *throttled / (second_version_ ? 1e6 : 1e9);
  }
  return std::vector<PodUsage>{std::move(entry)};
}

}  // namespace gopacer
