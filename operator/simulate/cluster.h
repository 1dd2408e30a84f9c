#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gopacer/simulate/rollout.h"
#include "simulate/api_server.h"
#include "simulate/serving_pod.h"

namespace gopacer::simulating {

/// Settings that the target has in the beginning: what a world says of new settings is about all others.
inline const Settings kFirstSettings;

/// What all pods have in common in one window.
struct Weather {
  double load = 1;      ///< factor of the requests
  double slowness = 1;  ///< factor of latency
  /// Factor of the latency of the target's pods that have new settings, in all.
  std::optional<double> harm_of_target;
};

/// Noise that differs from moment to moment such that windows of it have a given spread and a given correlation between
/// neighbours: where time goes by in shorter steps.
struct FineNoise {
  double spread = 0;   ///< of a moment, over that of windows
  double seconds = 1;  ///< in which the correlation falls to 1/e
};
/// By what windows of `length` are to show.
FineNoise finer(double autocorrelation, Duration length);

/// Nodes, the pods on them, and the requests that they share.
class Cluster {
 public:
  Cluster(const RolloutWorld& world, Random& random);

  /// Kubelets and controllers: pods become what the Deployments ask for at `now`, and the Deployments tell how far that
  /// is.
  void settle(ApiServer& api, Time now);
  /// Node agents do what the statuses of profile and trial ask for, as far as they are there and have heard of it.
  void obey(const Objects& objects, Time now);
  /// The window before `now`; samples are taken at its end, if anybody reads, and have the time of the reader's clock.
  void serve(Duration window, std::optional<Time> read_at, const Weather& weather);
  /// The reader is another one, and has no samples.
  void forget_samples();

  // --- What befalls pods; false where there is none of that track.
  bool evict(Track track);
  bool restart(Track track, Time now, bool out_of_memory);

  // --- What befalls the node agent of any of the target's pods.
  /// It is away until then: killed, or ended after it has put back what pods had.
  void lose_agent(Time until, bool puts_back);
  /// It hears nothing of the API server until then.
  void deafen_agent(Time until);

  /// Seconds that a pod needs until it serves.
  void set_start_up(double seconds) { start_up_ = seconds; }

  struct LivingPod {
    ServingPod pod;
    std::string owner;          ///< uid of its Deployment
    std::string template_hash;  ///< of its Deployment when it was made
    int node = 0;
    double slowness = 1;     ///< factor, as long as it lives
    double disturbance = 0;  ///< logarithm, of the present window
    Time ready_at;
    double cpu_disturbance = 0;
    Time agent_finds_at = {};  ///< its present process
    bool bursts = false;
    Time bursts_until = {};  ///< or does not
  };
  const std::vector<LivingPod>& pods() const { return pods_; }

  /// The process that looks after the programs of a node, and what it knows.
  struct Agent {
    Time since = {};  ///< it began
    Time away_until = {};
    Time deaf_until = {};
    std::shared_ptr<const Profile> profile = nullptr;
    std::shared_ptr<const Trial> trial = nullptr;  ///< that the profile names
    Time heard = {};                               ///< of a change of that trial
  };
  const Agent& agent_of(const LivingPod& living) const { return agents_[static_cast<std::size_t>(living.node)]; }

 private:
  double normal();
  Duration search();
  double noise(double spread);
  int any_node();
  int node_for(Track track);
  void start_pod(Track track, const Workload& workload, Time now);
  void settle(std::shared_ptr<const Workload>& workload, Track track, Time now);
  LivingPod* any_pod(Track track);
  bool is_live() const { return world_.placement == Placement::kWithinPods; }
  void hear(Agent& agent, const Objects& objects, Time now) const;
  Serving serving_of(LivingPod& living, double rate, const Weather& weather);
  double waits(double utilisation, double gc_share) const;

  const RolloutWorld& world_;
  Random& random_;
  std::vector<double> node_slowness_;
  std::vector<Agent> agents_;
  FineNoise fine_noise_;  ///< factors
  std::vector<LivingPod> pods_;
  int pods_made_ = 0;
  double start_up_ = 0;
  Time now_;
};

}  // namespace gopacer::simulating
