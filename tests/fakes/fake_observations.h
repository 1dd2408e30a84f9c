#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/reconciler.h"
#include "decide/go_service.h"
#include "fakes/fake_api_server.h"

namespace gopacer {

/// The pods of a Go service in an in-memory cluster, and what a scraper would have read from them. Which pods there
/// are, with which settings and since when, follows from the Deployments. Behaves by the pacer's own formulas, without
/// noise.
class FakeObservations final : public Observations {
 public:
  FakeObservations(FakeApiServer& api, const Clock& clock) : api_(api), clock_(clock) {}

  // Set these before the time that they are about.

  /// Load and heap; settings are those of the pods.
  testing::GoService service;
  double requests_per_second = 100;
  /// How much slower than usual a pod answers.
  std::function<double(Track, const Settings&, Time)> slowdown = [](Track, const Settings&, Time) { return 1.0; };
  /// The SLOs whose histograms the pods serve.
  std::vector<std::string> slos{"latency-p99"};
  /// Whether the pods can be read.
  bool readable = true;
  /// Node agents read the target's pods, and set them as the statuses of profile and trial say.
  bool agents = false;
  /// Shown for the canary's pods when set.
  bool canary_was_oom_killed = false;

  /// Pods come and go as the Deployments ask. Call it whenever the cluster may have changed.
  void follow_cluster();

  void follow(const Desired&) override {}
  Observation snapshot(const ObjectKey& profile, Time now) const override;
  void forget(const ObjectKey&) override { ++forgotten; }
  int forgotten = 0;

  /// Of the target's processes that the agents set, those that run with such a GOGC.
  int processes_with(const std::function<bool(const Gogc&)>& gogc) const;

 private:
  /// A process that the agents read and set.
  struct Process {
    std::string uid;
    Settings runs;
    Time started;
    Time read;             ///< when it was read last
    double allocated = 0;  ///< bytes
    double to_next = 0;    ///< bytes until the next collection
    double cpu_seconds = 0;
    double gc_seconds = 0;
    std::uint32_t collections = 0;
    std::vector<GcPause> pauses;
    SampleRow samples;
    std::map<double, double> requests_by_slowdown;
  };

  void follow_agents();
  void live_on(Process& process, Time to) const;
  /// What the agents of the target's pods are to put in force.
  Settings ordered(const Process& process, const Settings& environment);

  std::vector<Process> processes_;
  Settings usual_;                      ///< of the processes, trials apart
  std::optional<nlohmann::json> word_;  ///< the trial's latest status
  Time heard_;                          ///< when it changed

  /// The pods of one Deployment, which are all alike.
  struct Pods {
    std::string uid;
    Track track = Track::kStable;
    int replicas = 0;
    Settings settings;
    Time started;
    SampleRow samples;
    std::int64_t readings = 0;                      ///< made so far, kept or not
    std::map<double, double> requests_by_slowdown;  ///< answered so far
  };

  /// Makes the readings up to now.
  void read(Pods& pods) const;

  FakeApiServer& api_;
  const Clock& clock_;
  std::map<std::string, Pods> pods_;  ///< by Deployment
};

}  // namespace gopacer
