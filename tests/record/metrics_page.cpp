// Prints what gopacer serves at /metrics, for rules_test.py to have a real Prometheus read it.
//   metrics_page standby     → of a replica that does not lead
//   metrics_page leading N   → of one that leads and has all sorts of trouble, after N rounds of it

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "record/operator_metrics.h"

namespace gopacer {
namespace {

const ObjectKey kCheckout{"shop", "checkout"};

std::vector<ProfileFigure> of_the_target() {
  return {{"gopacer_target_gc_cpu_ratio", {}, 0.19},
          {"gopacer_target_pods", {{"result", "read"}}, 3},
          {"gopacer_target_pods", {{"result", "failed"}}, 1},
          {"gopacer_target_gogc_percent", {}, 100},
          {"gopacer_target_gomemlimit_bytes", {}, 400e6},
          {"gopacer_profile_info",
           {{"target", "checkout"},
            {"mode", "Canary"},
            {"phase", "Trial"},
            {"reason", "ScrapeFailed"},
            {"objective", "Balanced"},
            {"strategy", "Model"}},
           1},
          {"gopacer_profile_ready", {}, 0},
          {"gopacer_target_cpu_cores", {}, 3.5},
          {"gopacer_target_peak_memory_ratio", {}, 0.7},
          {"gopacer_target_collections_per_second", {}, 2},
          {"gopacer_target_heap_in_use_ratio", {}, 0.9},
          {"gopacer_saved_cores", {}, 0.4},
          {"gopacer_recommended_gogc_percent", {}, 400},
          {"gopacer_recommended_gomemlimit_bytes", {}, 220e6},
          {"gopacer_recommended_saving_ratio", {}, 0.11},
          {"gopacer_recommended_saving_cores", {}, 0.385}};
}

std::vector<ProfileFigure> of_the_trial() {
  return {{"gopacer_trial_info", {{"trial", "checkout-2"}, {"phase", "Measuring"}, {"apply", "Restart"}}, 1},
          {"gopacer_trial_value", {{"metric", "latency-p99"}, {"arm", "canary"}}, 0.0021},
          {"gopacer_trial_value", {{"metric", "latency-p99"}, {"arm", "baseline"}}, 0.0019},
          {"gopacer_trial_change_ratio", {{"metric", "latency-p99"}, {"bound", "mean"}}, 0.105},
          {"gopacer_trial_change_ratio", {{"metric", "latency-p99"}, {"bound", "low"}}, -0.02},
          {"gopacer_trial_change_ratio", {{"metric", "latency-p99"}, {"bound", "high"}}, 0.23},
          {"gopacer_trial_threshold_ratio", {{"metric", "latency-p99"}}, 0.2},
          {"gopacer_trial_windows", {}, 27},
          {"gopacer_trial_requests", {{"arm", "canary"}}, 12000},
          {"gopacer_trial_requests", {{"arm", "baseline"}}, 12500}};
}

void go_on(OperatorMetrics& metrics) {
  // More failures in a round than an alert takes for usual.
  for (int i = 0; i < 10; ++i) metrics.pass_done(kCheckout, std::chrono::milliseconds(2), true);
  metrics.step_taken("RollBack");
  metrics.trial_ended(kCheckout, "RollBack");
  metrics.unreadable_object("Pod");
  metrics.pauses(kCheckout, 1000, 500);
}

std::string page(int rounds) {
  OperatorMetrics metrics;
  metrics.leading(true);
  for (int i = 0; i < rounds; ++i) go_on(metrics);
  std::vector<ProfileFigure> figures = of_the_target();
  for (const ProfileFigure& figure : of_the_trial()) figures.push_back(figure);
  metrics.show(kCheckout, figures);
  metrics.watch_age("Deployment", std::chrono::seconds(400));
  metrics.events_dropped(rounds);
  metrics.scrapes(100.0 * rounds, rounds, 1e6 * rounds);
  metrics.episodes(rounds, rounds);
  metrics.histories(96e6, 100e6, rounds, rounds, rounds);
  return metrics.text();
}

}  // namespace
}  // namespace gopacer

int main(int argc, char** argv) {
  const std::string role = argc > 1 ? argv[1] : "";
  if (role == "standby" && argc == 2) {
    std::cout << gopacer::OperatorMetrics().text();
  } else if (role == "leading" && argc == 3) {
    std::cout << gopacer::page(std::stoi(argv[2]));
  } else {
    std::cerr << "usage: metrics_page standby | metrics_page leading N\n";
    return 2;
  }
}
