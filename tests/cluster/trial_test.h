#pragma once

#include "cluster/cluster.h"

namespace gopacer::cluster {

/// Tests of what befalls a trial.
class TrialTest : public ClusterTest {
 protected:
  static Workload named(const std::string& name) {
    Workload workload;
    workload.name = name;
    return workload;
  }
  static json fixed(int gogc, const std::string& limit) {
    return {{"strategy", "Fixed"}, {"settings", {{"gogc", gogc}, {"goMemLimit", limit}}}};
  }
  /// Harmless settings, and a trial that cannot end by itself while the test runs.
  static json endless_trial() {
    return {{"objective", fixed(150, "200MiB")},
            {"canary", {{"maxDuration", "1h"}, {"minSamples", 100000000}}},
            {"slos",
             {{{"name", "latency-p50"},
               {"podHistogram", {{"metric", "http_request_duration_seconds"}, {"quantile", "0.5"}}},
               {"maxRegressionPercent", 100}}}}};
  }
  void start_endless_trial(const Workload& workload) {
    tune(workload.name, endless_trial());
    eventually_trial(workload.name + "-1", "is under way with its pods",
                     [&](const json&) { return list("pods", "gopacer.dev/track,app=" + workload.name).size() == 2; });
  }
  std::string generation(const std::string& name) { return text(deployment(name), "/metadata/generation"); }
};

}  // namespace gopacer::cluster
