#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "observe/cadvisor.h"
#include "observe/page_reader.h"
#include "observe/plan.h"
#include "ports/token_source.h"

namespace gopacer {

/// Where a container's usage comes from, best first.
enum class UsageSource { kKubelet, kFallback, kPodSpec };
inline constexpr std::size_t kUsageSources = 3;

struct FoundUsage {
  UsageSource source = UsageSource::kPodSpec;
  std::optional<ContainerUsage> usage;
};

/// Reads what the kernel charges containers with: from the kubelets of their nodes, and from a second source for those
/// that no kubelet spoke of. Called with the lock of the PageReader held.
class UsageReader {
 public:
  UsageReader(PageReader& pages, const Clock& clock, TokenSource* tokens, Duration fetch_timeout)
      : pages_(pages), clock_(clock), tokens_(tokens), fetch_timeout_(fetch_timeout) {}

  /// Where the kubelet of the node `name` listens now; none when the node is gone.
  void set_node(const std::string& name, std::optional<NodeAddress> address);

  /// Begins to read the kubelets that are due. `intervals` are those of the nodes that run pods of ours; `containers`
  /// tells which containers of a node are wanted. Returns when the next kubelet is due, at most `latest`.
  template <typename Containers>
  Time run_due(const std::map<std::string, Duration>& intervals, const Containers& containers, Time now, Time latest) {
    Time next = latest;
    for (const auto& [name, interval] : intervals) {
      const auto found = nodes_.find(name);
      if (found == nodes_.end() || found->second->busy) continue;
      NodeState& node = *found->second;
      // A clock that was set back must not stop the reading.
      if (node.due > now + 2 * interval) node.due = now;
      if (node.due <= now) {
        node.due = now + interval;
        read(found->second, containers(name), now);
      } else {
        next = std::min(next, node.due);
      }
    }
    return next;
  }

  /// What the second source gave.
  void set_fallback(ContainerUsages usages, std::string problem);

  FoundUsage usage_of(const PodTarget& target, Time now) const;
  /// Why there is nothing better about a container than what `usage_of` found; a sentence each.
  std::vector<std::string> problems_of(const PodTarget& target, const FoundUsage& found) const;

 private:
  struct NodeState {
    std::string name;
    NodeAddress address;
    Time due;
    bool busy = false;
    std::string problem;
    ContainerUsages usages;
    Time read;
  };
  using NodePtr = std::shared_ptr<NodeState>;

  void read(const NodePtr& node, std::set<ContainerKey> wanted, Time now);

  PageReader& pages_;
  const Clock& clock_;
  TokenSource* const tokens_;
  const Duration fetch_timeout_;
  std::map<std::string, NodePtr> nodes_;
  ContainerUsages fallback_usages_;
  std::string fallback_problem_;
  Time fallback_read_;
};

}  // namespace gopacer
