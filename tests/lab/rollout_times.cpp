#include <iostream>
#include <nlohmann/json.hpp>

#include "rollout_parts.h"
#include "rollout_tally.h"

namespace gopacer::lab {
namespace {

using nlohmann::json;
using std::chrono::minutes;
using std::chrono::seconds;

struct Row {
  const char* name;
  const char* means;
  void (*change)(RolloutWorld&);
};

/// With more pairs the target is larger, too: its arms are a quarter of it at most.
void with_pairs(RolloutWorld& world, int pairs) {
  world.canary.replicas = pairs;
  world.replicas = 4 * pairs;
}

/// One thing after the other, each alone.
const Row kRows[] = {
    {"base", "100 requests a second, tolerance 10 %, one pair, windows of 15 s", [](RolloutWorld&) {}},
    {"interval5s", "windows of 5 s", [](RolloutWorld& world) { world.canary.interval = seconds(5); }},
    {"interval30s", "windows of 30 s", [](RolloutWorld& world) { world.canary.interval = seconds(30); }},
    {"interval60s", "windows of 1 min", [](RolloutWorld& world) { world.canary.interval = seconds(60); }},
    {"pairs2", "two pairs beside 8 pods", [](RolloutWorld& world) { with_pairs(world, 2); }},
    {"pairs4", "four pairs beside 16 pods", [](RolloutWorld& world) { with_pairs(world, 4); }},
    {"replicas1", "one pod instead of four: a pair gets two thirds of the requests, not one third",
     [](RolloutWorld& world) { world.replicas = 1; }},
    {"requests200", "200 requests a second", [](RolloutWorld& world) { world.requests_per_second = 200; }},
    {"requests400", "400 requests a second", [](RolloutWorld& world) { world.requests_per_second = 400; }},
    {"requests1600", "1600 requests a second", [](RolloutWorld& world) { world.requests_per_second = 1600; }},
    {"tolerance15", "tolerance 15 %", [](RolloutWorld& world) { world.tolerance_percent = 15; }},
    {"tolerance20", "tolerance 20 %", [](RolloutWorld& world) { world.tolerance_percent = 20; }},
    {"warmUp30s", "warm-up of 30 s", [](RolloutWorld& world) { world.canary.warm_up = seconds(30); }},
    {"minSamples500", "minSamples 500", [](RolloutWorld& world) { world.canary.min_samples = 500; }},
    {"maxDuration60m", "maxDuration 1 h", [](RolloutWorld& world) { world.canary.max_duration = minutes(60); }},
    {"withinPods", "within two of the 4 pods, by turns",
     [](RolloutWorld& world) { world.placement = Placement::kWithinPods; }},
    {"withinPodsReplicas1", "within the only pod of a target, by turns",
     [](RolloutWorld& world) { world.placement = Placement::kWithinPods, world.replicas = 1; }},
    // Turns are so long then that gopacer begins no trial of half an hour.
    {"withinPodsRequests20", "within two of the 4 pods, with 20 requests a second and maxDuration 2 h",
     [](RolloutWorld& world) {
       world.placement = Placement::kWithinPods, world.requests_per_second = 20;
       world.canary.max_duration = minutes(120);
     }},
    {"requests400warmUp30s", "400 requests a second, warm-up of 30 s",
     [](RolloutWorld& world) { world.requests_per_second = 400, world.canary.warm_up = seconds(30); }},
};

}  // namespace

void add_times(json& report, const Part& part) {
  for (const Row& row : kRows) {
    RolloutWorld world;
    world.placement = Placement::kSameNode;
    world.requests_per_second = 100;
    world.slowdown = 1;
    world.watch_for = minutes(0);
    row.change(world);
    Tally equal = rollouts(world, row.name, part.count, part.seed);
    world.slowdown = slowdown_of(world, 2);
    Tally harm = rollouts(world, row.name, part.count, part.seed);
    const auto median = [&](Tally& tally) { return tally.minutes_of(0.5); };
    report["time"][row.name] = {{"medianMinutes", median(equal)},
                                {"p90Minutes", equal.minutes_of(0.9)},
                                {"within10Minutes", equal.decided_within(10)},
                                {"inconclusive", equal.share(equal.undecided)},
                                {"falseRollback", equal.share(equal.rolled_back)},
                                {"harm2xMedianMinutes", median(harm)},
                                {"promotedHarm2x", harm.share(harm.promoted)}};
    report["rollouts"] = report["rollouts"].get<int>() + equal.rollouts + harm.rollouts;
    report["broken"] = report["broken"].get<int>() + equal.broken + harm.broken;
  }
}

void print_times(const json& report) {
  std::cout
      << "## Time to a verdict with little traffic\n\nSettings that save CPU and leave p99 as it is, and those "
         "that slow it by twice the tolerance. The first line is the service; each other one changes one thing of "
         "it. Each is run "
      << report["count"]
      << " times.\n\n| | median | nine of ten | within 10 min | undecided | rolled back | twice the tolerance: median "
         "| promoted |\n|---|---|---|---|---|---|---|---|\n";
  for (const Row& row : kRows) {
    const json& found = report["time"][row.name];
    std::cout << "| " << row.means << " | " << found["medianMinutes"] << " min | " << found["p90Minutes"] << " min | "
              << percent(found["within10Minutes"]) << " | " << percent(found["inconclusive"]) << " | "
              << percent(found["falseRollback"]) << " | " << found["harm2xMedianMinutes"] << " min | "
              << percent(found["promotedHarm2x"]) << " |\n";
  }
  std::cout << "\n";
}

}  // namespace gopacer::lab
