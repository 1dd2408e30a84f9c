#include "observe/cadvisor.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace gopacer {
namespace {

constexpr std::string_view kWorkingSet = "container_memory_working_set_bytes";
constexpr std::string_view kAnonymous = "container_memory_rss";
constexpr std::string_view kFiles = "container_memory_cache";
constexpr std::string_view kActiveFiles = "container_memory_total_active_file_bytes";
constexpr std::string_view kInactiveFiles = "container_memory_total_inactive_file_bytes";
constexpr std::string_view kKernel = "container_memory_kernel_usage";
constexpr std::string_view kLimit = "container_spec_memory_limit_bytes";
constexpr std::string_view kCpu = "container_cpu_usage_seconds_total";
constexpr std::string_view kThrottled = "container_cpu_cfs_throttled_seconds_total";
constexpr std::string_view kNodeMemory = "machine_memory_bytes";
constexpr std::array kMetrics{kWorkingSet, kAnonymous, kFiles, kActiveFiles, kInactiveFiles,
                              kKernel,     kLimit,     kCpu,   kThrottled,   kNodeMemory};
/// The control group that all others are in.
constexpr const char* kNode = "/";

// A container has one cgroup, or two while the old one is still going away.
constexpr std::size_t kMostCgroups = 16;

std::string label(const LineLabels& labels, const char* name) {
  const auto found = labels.find(name);
  return std::string(found == labels.end() ? std::string_view() : found->second);
}

}  // namespace

CadvisorReader::CadvisorReader(std::set<ContainerKey> wanted, Time now)
    : wanted_(std::move(wanted)),
      now_(now),
      exposition_(
          [](std::string_view name) { return std::find(kMetrics.begin(), kMetrics.end(), name) != kMetrics.end(); },
          [this](const ExpositionSample& sample) { return take(sample); }) {}

std::string CadvisorReader::take(const ExpositionSample& sample) {
  seen_any_ = true;
  if (sample.name == kNodeMemory) node_memory_ = sample.value;
  if (sample.name == kWorkingSet && label(sample.labels, "id") == kNode) node_used_ = sample.value;
  ContainerKey key{label(sample.labels, "namespace"), label(sample.labels, "pod"), label(sample.labels, "container")};
  if (!wanted_.contains(key)) return {};
  // 8e18 and more is how the kernel says that there is no limit.
  if (!std::isfinite(sample.value) || sample.value < 0 || sample.value > 8e18) return {};
  if (sample.name == kCpu) {
    const std::string cpu = label(sample.labels, "cpu");
    if (!cpu.empty() && cpu != "total") return {};
  }
  auto& cgroups = readings_[std::move(key)];
  const std::string id = label(sample.labels, "id");
  if (!cgroups.contains(id) && cgroups.size() == kMostCgroups) return {};
  Reading& reading = cgroups[id];
  const Time at = sample.at.value_or(now_);
  // The CPU's time is the one that matters: rates are made of it. The others stand in where it is missing.
  if (sample.name == kCpu || !reading.usage.cpu_seconds) reading.usage.at = at;
  if (sample.name == kWorkingSet) {
    reading.usage.working_set = Bytes::of(sample.value);
    reading.has_working_set = true;
  } else if (sample.name == kAnonymous) {
    reading.usage.anonymous = Bytes::of(sample.value);
  } else if (sample.name == kFiles) {
    reading.files = sample.value;
  } else if (sample.name == kActiveFiles) {
    reading.active_files = sample.value;
  } else if (sample.name == kInactiveFiles) {
    reading.inactive_files = sample.value;
  } else if (sample.name == kKernel) {
    reading.usage.kernel = Bytes::of(sample.value);
  } else if (sample.name == kLimit) {
    if (sample.value > 0) reading.usage.limit = Bytes::of(sample.value);
  } else if (sample.name == kCpu) {
    reading.usage.cpu_seconds = sample.value;
  } else if (sample.name == kThrottled) {
    reading.usage.throttled_seconds = sample.value;
  }
  return {};
}

/// Files in memory count as cache, but stand in the kernel's lists of anonymous pages: they are the cache that no list
/// of files has.
ContainerUsage CadvisorReader::Reading::complete() const {
  ContainerUsage whole = usage;
  if (files && active_files && inactive_files) {
    whole.shared = Bytes::of(std::max(0.0, *files - *active_files - *inactive_files));
  }
  return whole;
}

Result<ContainerUsages> CadvisorReader::finish() {
  if (const Result<void> read = exposition_.finish(); !read) return tl::unexpected<Error>(read.error());
  if (!seen_any_) return retriable("has no metrics of containers: check that this is a kubelet's /metrics/cadvisor");
  ContainerUsages usages;
  // Also false for what is not a number.
  const bool knows_node = node_used_ >= 0 && node_memory_ > 0 && node_used_ <= node_memory_;
  for (const auto& [key, cgroups] : readings_) {
    const Reading* latest = nullptr;
    for (const auto& [id, reading] : cgroups) {
      if (reading.has_working_set && (latest == nullptr || reading.usage.at > latest->usage.at)) latest = &reading;
    }
    if (latest == nullptr) continue;
    ContainerUsage& usage = usages.emplace(key, latest->complete()).first->second;
    if (knows_node) usage.node_share = node_used_ / node_memory_;
  }
  return usages;
}

}  // namespace gopacer
