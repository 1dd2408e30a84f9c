#include "observe/usage_reader.h"

#include <algorithm>
#include <set>
#include <utility>

namespace gopacer {
namespace {

constexpr std::size_t kCadvisorBytes = 64 << 20;
/// A reading of the container that is older than this is not shown as the present one.
constexpr Duration kOldestUsage = std::chrono::seconds(90);

Duration shortest(const std::map<ContainerKey, Duration>& containers) {
  Duration least = Duration::max();
  for (const auto& [container, interval] : containers) least = std::min(least, interval);
  return least;
}

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

void UsageReader::want(const std::string& node, const ContainerKey& container, Duration interval) {
  Wanted& wanted = wanted_[node];
  const auto [entry, added] = wanted.containers.emplace(container, interval);
  if (!added && entry->second == interval) return;
  entry->second = interval;
  wanted.interval = shortest(wanted.containers);
}

void UsageReader::forget(const std::string& node, const ContainerKey& container) {
  const auto found = wanted_.find(node);
  if (found == wanted_.end()) return;
  found->second.containers.erase(container);
  if (found->second.containers.empty()) {
    wanted_.erase(found);
  } else {
    found->second.interval = shortest(found->second.containers);
  }
}

Time UsageReader::run_due(Time now, Time latest) {
  Time next = latest;
  for (const auto& [name, wanted] : wanted_) {
    const auto found = nodes_.find(name);
    if (found == nodes_.end() || found->second->busy) continue;
    NodeState& node = *found->second;
    // A clock that was set back must not stop the reading.
    if (node.due > now + 2 * wanted.interval) node.due = now;
    if (node.due <= now) {
      node.due = now + wanted.interval;
      read(found->second, wanted, now);
    } else {
      next = std::min(next, node.due);
    }
  }
  return next;
}

void UsageReader::read(const NodePtr& node, const Wanted& wanted, Time now) {
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
    request.authorization = "Bearer " + *token;
  }
  std::set<ContainerKey> containers;
  for (const auto& [container, interval] : wanted.containers) containers.insert(container);
  node->busy = true;
  // Kubelets are owners of their own: pods of a profile cannot take their places.
  const ObjectKey owner{"", node->name};
  pages_.read(
      pages_.pages, false, owner, PageKind::kCadvisor, request,
      std::make_shared<CadvisorReader>(std::move(containers), now), [] { return true; },
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
