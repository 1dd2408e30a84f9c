#pragma once

#include <map>
#include <set>
#include <string>

#include "gopacer/domain/sample.h"
#include "observe/exposition.h"

namespace gopacer {

/// A container of a pod.
struct ContainerKey {
  std::string ns;
  std::string pod;
  std::string container;
  auto operator<=>(const ContainerKey&) const = default;
};

using ContainerUsages = std::map<ContainerKey, ContainerUsage>;

/// Picks the usage of some containers out of a kubelet's /metrics/cadvisor page.
///
/// A container that was started again may be there more than once, by its cgroups; the latest reading counts. A
/// container without a working set is left out.
class CadvisorReader {
 public:
  /// `now` stands in for readings without a time of their own.
  CadvisorReader(std::set<ContainerKey> wanted, Time now);
  CadvisorReader(const CadvisorReader&) = delete;
  CadvisorReader& operator=(const CadvisorReader&) = delete;

  bool feed(std::string_view piece) { return exposition_.feed(piece); }
  Result<ContainerUsages> finish();
  /// Bytes that it keeps of the page now, beside the readings of the containers that are wanted.
  std::size_t kept() const { return exposition_.kept(); }

 private:
  struct Reading {
    ContainerUsage usage;
    bool has_working_set = false;
    std::optional<double> files, active_files, inactive_files;

    ContainerUsage complete() const;
  };

  std::string take(const ExpositionSample& sample);

  std::set<ContainerKey> wanted_;
  Time now_;
  std::map<ContainerKey, std::map<std::string, Reading>> readings_;  ///< the inner one by cgroup
  bool seen_any_ = false;
  // Of the node; less than 0 while not told.
  double node_memory_ = -1;
  double node_used_ = -1;
  Exposition exposition_;
};

}  // namespace gopacer
