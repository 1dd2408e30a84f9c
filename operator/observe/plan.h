#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// One container to read, with what the API server says of it.
struct PodTarget {
  ObjectKey pod;
  std::string uid;
  std::string ip;         ///< from the pod's status, and from nowhere else; empty while it has none to be asked at
  std::string unasked;    ///< why the pod is not asked although it has an address; then `ip` is empty
  std::string node;       ///< empty while it is not scheduled
  std::string container;  ///< name
  Track track = Track::kStable;
  bool ready = false;
  Time created;  ///< of the pod
  Time started;  ///< of the container
  int restarts = 0;
  bool oom_killed = false;  ///< the last restart's reason
  Settings settings;
  std::optional<Bytes> memory_limit;
  std::optional<double> cpu_limit;  ///< cores
  /// How often it is read where that is oftener than the plan's interval; at least kShortestTurn. 0: as the plan says.
  Duration every{0};
};

/// Of a process that changes its settings by turns.
inline constexpr Duration kShortestTurn = std::chrono::milliseconds(250);

/// How often CPU profiles are taken.
enum class Profiling {
  kNever,
  kBackground,  ///< 10 s every 2 min
  kTrial,       ///< half of each interval, of canary and baseline pods; of all pods when there is no canary
};

/// What a recommendation looks back on, and a little more.
inline constexpr Duration kShortestHistory = std::chrono::minutes(12);

/// One page of a pod's HTTP servers.
struct PageAddress {
  int port = 8080;
  std::string path = "/metrics";
};

/// What to read for one profile. Replaced as a whole.
struct ScrapePlan {
  std::string target;  ///< name of the Deployment
  std::vector<PodTarget> pods;
  MetricsEndpoint endpoint;  ///< its interval is not used here
  std::vector<Slo> slos;
  /// Where client_golang's own metrics are, if that is known; the pages of SLOs are looked through anyway.
  std::optional<PageAddress> process_page;
  Duration interval = std::chrono::seconds(15);  ///< at least kShortestInterval
  Duration keep = kShortestHistory;              ///< samples that are older are forgotten
  Profiling profiling = Profiling::kBackground;
  bool in_trial = false;  ///< then the kubelet is read as often as the pods
};

inline constexpr Duration kShortestInterval = std::chrono::seconds(1);

/// Where a node's kubelet listens: the node's InternalIP and status.daemonEndpoints.kubeletEndpoint.
struct NodeAddress {
  std::string ip;
  int port = 10250;
  bool operator==(const NodeAddress&) const = default;
};

/// What the second source says of one container.
struct PodUsage {
  ObjectKey pod;
  std::string container;
  ContainerUsage usage;
};

/// The second source of containers' usage, where no kubelet can be read.
class UsageFallback {
 public:
  virtual ~UsageFallback() = default;
  /// For people, and as Observation::container_source: "metrics.k8s.io".
  virtual std::string name() const = 0;
  /// All containers of a namespace. Called from a thread of its own; may block, but not without end.
  virtual Result<std::vector<PodUsage>> list(const std::string& ns) = 0;
};

}  // namespace gopacer
