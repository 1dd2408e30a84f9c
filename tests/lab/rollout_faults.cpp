#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "rollout_parts.h"
#include "rollout_tally.h"

namespace gopacer::lab {
namespace {

using nlohmann::json;
using std::chrono::hours;
using std::chrono::minutes;

struct Row {
  const char* name;
  const char* means;
  void (*change)(RolloutWorld&);
};

const Row kRows[] = {
    {"calls", "one write in ten fails, is refused, arrives without an answer, or is the operator's last",
     [](RolloutWorld& world) { world.faults.calls = 0.1; }},
    {"pictures", "in every third pass one kind's watch shows how it was",
     [](RolloutWorld& world) { world.faults.pictures = 0.3; }},
    {"deaths", "the operator dies four times an hour, and is away for ten minutes at most",
     [](RolloutWorld& world) { world.faults.deaths = 4; }},
    {"pods", "restarts, evictions, slow starts, surges and lulls, six an hour",
     [](RolloutWorld& world) { world.faults.pods = 6; }},
    {"clock", "the operator's clock steps four times an hour, by seconds or by hours",
     [](RolloutWorld& world) { world.faults.clock = 4; }},
    {"people", "four times an hour somebody changes settings, image, replicas, target, trial or profile",
     [](RolloutWorld& world) { world.faults.people = 4; }},
    {"all", "a little of all of it", [](RolloutWorld& world) { world.faults = {0.05, 0.1, 1, 2, 0.5, 3}; }},
    {"most", "nearly nothing works: three writes in ten, every other pass, and fifteen persons an hour",
     [](RolloutWorld& world) { world.faults = {0.3, 0.5, 2, 2, 0.5, 15}; }},
    {"harm2x", "settings of twice the tolerance; writes, pictures, deaths",
     [](RolloutWorld& world) { world.faults = {0.1, 0.2, 1, 0, 0, 0}, world.slowdown = slowdown_of(world, 2); }},
    {"ooms", "pods run out of memory in the watch; writes, pictures, deaths",
     [](RolloutWorld& world) { world.faults = {0.1, 0.2, 1, 0, 0, 0}, world.ooms_from = 0.3; }},
};

constexpr double kOfLiveWrites = 0.1;
constexpr Placement kDesigns[] = {Placement::kSameNode, Placement::kWithinPods};

void add_faults(json& report, const Part& part, Placement placement) {
  const int count = std::max(1, part.count / 8);
  for (const Row& row : kRows) {
    RolloutWorld world;
    world.placement = placement;
    world.canary.replicas = 2;
    world.watch_for = minutes(15);
    world.length = hours(4);
    row.change(world);
    // While it compares, the status of a live trial is written every three seconds: as many go wrong in an hour.
    if (placement == Placement::kWithinPods) world.faults.calls *= kOfLiveWrites;
    const Tally tally = rollouts(world, row.name + (", " + to_string(placement)), count, part.seed);
    report["faults"][to_string(placement)][row.name] = {{"simulations", tally.rollouts}, {"rollouts", tally.trials},
                                                        {"faults", tally.accidents},     {"broken", tally.broken},
                                                        {"promoted", tally.promoted},    {"inForce", tally.confirmed},
                                                        {"reasons", tally.reasons}};
    report["rollouts"] = report["rollouts"].get<int>() + tally.trials;
    report["broken"] = report["broken"].get<int>() + tally.broken;
  }
}

}  // namespace

/// Each is as long as some thirty other rollouts.
void add_faults(json& report, const Part& part) {
  for (const Placement placement : kDesigns) {
    if (part.has(placement)) add_faults(report, part, placement);
  }
}

void print_faults(const json& report) {
  std::cout
      << "## When much goes wrong\n\nFour hours each, with a cool-down of twenty minutes. After each write and each "
         "pass it is checked what has to hold whatever happens, from \"the target has the old settings, the new "
         "ones or a person's\" to \"no step is repeated for ever\": "
         "[invariants.cpp](../../operator/simulate/invariants.cpp) has all of it. Within pods, a node's agent is away "
         "or hears "
         "nothing for up to two minutes, too, and people change how settings are applied.\n\n| | design | simulations "
         "| trials | "
         "faults | invariants broken | first trial promoted | its settings in force in the end "
         "|\n|---|---|---|---|---|---|---|---|\n";
  for (const Placement placement : kDesigns) {
    for (const Row& row : kRows) {
      const json& found = report["faults"][to_string(placement)][row.name];
      std::cout << "| " << row.means << " | " << to_string(placement) << " | " << found["simulations"] << " | "
                << found["rollouts"] << " | " << found["faults"] << " | " << found["broken"] << " | "
                << found["promoted"] << " | " << found["inForce"] << " |\n";
    }
  }
  std::cout << "\n";
}

}  // namespace gopacer::lab
