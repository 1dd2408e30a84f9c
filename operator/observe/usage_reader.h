#pragma once

#include <map>
#include <memory>
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

  /// A container of a node is wanted, and its kubelet read once per `interval` at least. May be said again.
  void want(const std::string& node, const ContainerKey& container, Duration interval);
  void forget(const std::string& node, const ContainerKey& container);

  /// Begins to read the kubelets that are due. Returns when the next one is, at most `latest`.
  Time run_due(Time now, Time latest);

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
  /// What is wanted of a node.
  struct Wanted {
    std::map<ContainerKey, Duration> containers;
    Duration interval{0};  ///< the shortest of them
  };

  void read(const NodePtr& node, const Wanted& wanted, Time now);

  PageReader& pages_;
  const Clock& clock_;
  TokenSource* const tokens_;
  const Duration fetch_timeout_;
  std::map<std::string, NodePtr> nodes_;
  std::map<std::string, Wanted> wanted_;
  ContainerUsages fallback_usages_;
  std::string fallback_problem_;
  Time fallback_read_;
};

}  // namespace gopacer
