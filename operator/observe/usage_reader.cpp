#include "observe/usage_reader.h"

#include <utility>

namespace gopacer {
namespace {

constexpr std::size_t kCadvisorBytes = 64 << 20;
/// A reading of the container that is older than this is not shown as the present one.
constexpr Duration kOldestUsage = std::chrono::seconds(90);

}  // namespace

void UsageReader::set_node(const std::string& name, std::optional<NodeAddress> address) {
  const auto known = nodes_.find(name);
  if (known != nodes_.end() && address && known->second->address == *address) return;
  nodes_.erase(name);
  if (!address) return;
  NodePtr& node = nodes_[name];
  node = std::make_shared<NodeState>();
  node->name = name;
  node->address = std::move(*address);
}

void UsageReader::read(const NodePtr& node, std::set<ContainerKey> wanted, Time now) {
  HttpRequest request;
  request.address = node->address.ip;
  request.port = node->address.port;
  request.target = "/metrics/cadvisor";
  request.tls = true;
  request.timeout = fetch_timeout_;
  request.most_bytes = kCadvisorBytes;
  if (tokens_ != nullptr) {
    Result<std::string> token = tokens_->token();
    if (!token) {
      node->problem = "node " + node->name + ": " + token.error().message;
      return;
    }
    request.bearer_token = std::move(*token);
  }
  node->busy = true;
  // Kubelets are owners of their own: pods of a profile cannot take their places.
  const ObjectKey owner{"", node->name};
  pages_.read(
      pages_.pages, false, owner, PageKind::kCadvisor, request,
      std::make_shared<CadvisorReader>(std::move(wanted), now), [] { return true; },
      [this, node, request](const tl::expected<ContainerUsages, PageError>& page) {
        node->busy = false;
        if (page) {
          node->usages = *page;
          node->read = clock_.now();
          node->problem.clear();
          return;
        }
        if (page.error().status == 401 && tokens_ != nullptr) tokens_->refused();
        node->problem = failure_text(PageKind::kCadvisor, "node " + node->name, request, page.error());
      });
}

void UsageReader::set_fallback(ContainerUsages usages, std::string problem) {
  fallback_usages_ = std::move(usages);
  fallback_problem_ = std::move(problem);
  fallback_read_ = clock_.now();
}

FoundUsage UsageReader::usage_of(const PodTarget& target, Time now) const {
  const ContainerKey key{target.pod.ns, target.pod.name, target.container};
  if (const auto node = nodes_.find(target.node); node != nodes_.end()) {
    const auto usage = node->second->usages.find(key);
    if (usage != node->second->usages.end() && now - node->second->read < kOldestUsage) {
      return {UsageSource::kKubelet, usage->second};
    }
  }
  const auto usage = fallback_usages_.find(key);
  if (usage != fallback_usages_.end() && now - fallback_read_ < kOldestUsage) {
    return {UsageSource::kFallback, usage->second};
  }
  return {};
}

std::vector<std::string> UsageReader::problems_of(const PodTarget& target, const FoundUsage& found) const {
  std::vector<std::string> problems;
  if (found.source == UsageSource::kKubelet) return problems;
  if (!target.node.empty()) {
    const auto node = nodes_.find(target.node);
    if (node == nodes_.end()) {
      problems.push_back("node " + target.node + ": its address is not known, so its kubelet is not read");
    } else if (!node->second->problem.empty()) {
      problems.push_back(node->second->problem);
    }
  }
  if (!found.usage && !fallback_problem_.empty()) problems.push_back(fallback_problem_);
  return problems;
}

}  // namespace gopacer
