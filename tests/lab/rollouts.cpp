// Many whole rollouts in simulation, and what came of them:  rollouts [--faults | --time] [--count N] [--seed S]
// [--json] Prints the page docs/lab/rollouts.md or a part of it, or one JSON object.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "gopacer/simulate/rollout.h"
#include "rollout_tally.h"

namespace gopacer::lab {
namespace {

using nlohmann::json;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// One world by what it changes; the rows of the page say what each is for.
struct Scenario {
  const char* name;
  void (*change)(RolloutWorld&);
};

double harm(const RolloutWorld& world, double times) { return 1 + times * world.tolerance_percent / 100.0; }

const Scenario kScenarios[] = {
    {"better", [](RolloutWorld&) {}},
    {"loadAfter", [](RolloutWorld& world) { world.load_after = 2; }},
    {"drift", [](RolloutWorld& world) { world.drift = 0.2; }},
    {"late", [](RolloutWorld& world) { world.late_slowdown = 1.5, world.late_from = 0.5; }},
    {"ooms", [](RolloutWorld& world) { world.ooms_from = 0.5; }},
    {"bursts", [](RolloutWorld& world) { world.burst_share = 0.02, world.burst = 4; }},
    {"default", [](RolloutWorld& world) { world.tolerance_percent = 5; }},
    {"defaultHarm2x", [](RolloutWorld& world) { world.tolerance_percent = 5, world.slowdown = harm(world, 2); }},
    {"unlikePods", [](RolloutWorld& world) { world.node_part = 0.5; }},
    {"unlikePodsHarm2x", [](RolloutWorld& world) { world.node_part = 0.5, world.slowdown = harm(world, 2); }},
    {"equal", [](RolloutWorld& world) { world.slowdown = 1; }},
    {"harm2x", [](RolloutWorld& world) { world.slowdown = harm(world, 2); }},
    {"harm1_5x", [](RolloutWorld& world) { world.slowdown = harm(world, 1.5); }},
};

json to_json(std::map<std::string, Tally>& tallies) {
  Tally& better = tallies["better"];
  // Regressions and kills that the target is left with in the end.
  const Tally& late = tallies["late"];
  const Tally& ooms = tallies["ooms"];
  const Tally& harm2x = tallies["harm2x"];
  const int at_risk = harm2x.rollouts + ooms.rollouts;
  json figures{{"falseRollback", better.share(better.rolled_back)},
               {"falseRollbackEqual", tallies["equal"].share(tallies["equal"].rolled_back)},
               {"falseRollbackWatch", better.of_promoted(better.taken_back)},
               {"falseRollbackWatchLoad", tallies["loadAfter"].of_promoted(tallies["loadAfter"].taken_back)},
               {"falseRollbackWatchDrift", tallies["drift"].of_promoted(tallies["drift"].taken_back)},
               {"lateHarmKept", late.of_promoted(late.confirmed)},
               {"oomsKept", ooms.of_promoted(ooms.confirmed)},
               {"burstsPromoted", tallies["bursts"].share(tallies["bursts"].promoted)},
               {"inconclusiveDefault", tallies["default"].share(tallies["default"].undecided)},
               {"promotedHarm2xDefault", tallies["defaultHarm2x"].share(tallies["defaultHarm2x"].promoted)},
               {"inconclusiveUnlikePods", tallies["unlikePods"].share(tallies["unlikePods"].undecided)},
               {"promotedHarm2xUnlikePods", tallies["unlikePodsHarm2x"].share(tallies["unlikePodsHarm2x"].promoted)},
               {"inconclusive", better.share(better.undecided)},
               {"promotedHarm2x", harm2x.share(harm2x.promoted)},
               {"promotedHarm1_5x", tallies["harm1_5x"].share(tallies["harm1_5x"].promoted)},
               {"escaped", at_risk > 0 ? static_cast<double>(harm2x.confirmed + ooms.confirmed) / at_risk : 0},
               {"medianMinutes", better.median_minutes()}};
  for (auto& [name, tally] : tallies) figures["reasons"][name] = tally.reasons;
  return figures;
}

constexpr Placement kDesigns[] = {Placement::kSameNode, Placement::kAnywhere};
constexpr SimulatedJudge kJudges[] = {SimulatedJudge::kOurs, SimulatedJudge::kMannWhitney, SimulatedJudge::kThreshold};

/// One line of the page: a figure, what it has to be, and in which scenario it is counted.
struct Row {
  const char* figure;
  const char* means;
  const char* goal;
};

const Row kRows[] = {
    {"falseRollback", "better settings rolled back in the trial", "≤ 1 %"},
    {"falseRollbackEqual", "settings that leave p99 as it is and save CPU rolled back in the trial", "≤ 1 %"},
    {"inconclusive", "better settings on which the trial ends undecided", "–"},
    {"falseRollbackWatch", "better settings taken back in the watch, of those promoted", "≤ 1 %"},
    {"falseRollbackWatchLoad", "the same, with twice the load from the promotion on", "≤ 1 %"},
    {"falseRollbackWatchDrift", "the same, with everything 20 % slower by the end of the watch", "≤ 1 %"},
    {"promotedHarm2x", "settings promoted that slow p99 by twice the tolerance of 10 %", "≤ 0.5 %"},
    {"promotedHarm1_5x", "settings promoted that slow it by 1.5 times the tolerance", "≤ 5 %"},
    {"burstsPromoted", "settings promoted that make one window in fifty four times as slow", "–"},
    {"lateHarmKept", "settings kept that slow the target by half from the middle of the watch on", "0"},
    {"oomsKept", "settings kept with which the target's pods run out of memory from the middle of the watch on", "0"},
    {"inconclusiveDefault", "better settings left undecided with the default tolerance of 5 %", "–"},
    {"promotedHarm2xDefault", "settings promoted that slow p99 by 10 % with it", "≤ 0.5 %"},
    {"inconclusiveUnlikePods", "better settings left undecided where half of what pods differ by is not the node's",
     "–"},
    {"promotedHarm2xUnlikePods", "settings of twice the tolerance of 10 % promoted there", "≤ 0.5 %"},
    {"escaped", "twice the tolerance, or kills for memory, that are left in force in the end", "0"},
};

std::string percent(double share) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << 100 * share << " %";
  return text.str();
}

void print_page(const json& report) {
  const RolloutWorld world;
  std::cout << "# Rollouts in simulation\n\nWritten by `./dev lab --rollouts --count " << report["count"] << " --seed "
            << report["seed"] << "`; do not edit.\n\n"
            << report["rollouts"] << " rollouts in " << std::lround(report["seconds"].get<double>())
            << " s on one core, with the real decide(), rules, judge and state machine: " << world.replicas
            << " pods and one pair, " << world.requests_per_second << " requests a second in all at "
            << std::lround(100 * world.utilisation) << " % of the CPU; pods differ by "
            << std::lround(100 * world.pod_spread) << " % (standard deviation), " << std::lround(100 * world.node_part)
            << " % of the variance is the node's; windows by " << std::lround(100 * world.disturbance)
            << " %, neighbours of them correlated by " << world.autocorrelation << ". Each scenario is run "
            << report["count"] << " times with each design.\n\n| figure | goal |";
  const auto each = [&](const auto& print) {
    for (const Placement placement : kDesigns) {
      for (const SimulatedJudge judge : kJudges) print(to_string(placement), to_string(judge));
    }
  };
  each(
      [](const std::string& design, const std::string& judge) { std::cout << " " << design << ", " << judge << " |"; });
  std::cout << "\n|---|---|";
  each([](const std::string&, const std::string&) { std::cout << "---|"; });
  std::cout << "\n";
  for (const Row& row : kRows) {
    std::cout << "| " << row.means << " | " << row.goal << " |";
    each([&](const std::string& design, const std::string& judge) {
      std::cout << " " << percent(report["designs"][design][judge][row.figure]) << " |";
    });
    std::cout << "\n";
  }
  std::cout << "| median time to a verdict on better settings | – |";
  each([&](const std::string& design, const std::string& judge) {
    std::cout << " " << report["designs"][design][judge]["medianMinutes"] << " min |";
  });
  std::cout << "\n\n`sameNode`: canary and baseline share a node, as gopacer asks the scheduler. `anywhere`: they do "
               "not, and the judge knows it.\n";
}

/// False when an invariant did not hold.
bool rollouts(const RolloutWorld& world, const std::string& name, int count, std::uint64_t seed, Tally& tally) {
  bool all_well = true;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t own = seed + static_cast<std::uint64_t>(i);
    const RolloutResult result = simulate_rollout(world, own);
    tally.add(result);
    if (result.broken.empty()) continue;
    all_well = false;
    std::cerr << name << ", seed " << own << ": " << result.broken << "\n";
  }
  return all_well;
}

json verdicts(int count, std::uint64_t seed, bool& all_well) {
  json report;
  int done = 0;
  for (const Placement placement : kDesigns) {
    for (const SimulatedJudge judge : kJudges) {
      std::map<std::string, Tally> tallies;
      for (const Scenario& scenario : kScenarios) {
        RolloutWorld world;
        world.placement = placement;
        world.judge = judge;
        scenario.change(world);
        const std::string name = scenario.name + std::string(", ") + to_string(placement) + ", " + to_string(judge);
        all_well = rollouts(world, name, count, seed, tallies[scenario.name]) && all_well;
        done += count;
      }
      report["designs"][to_string(placement)][to_string(judge)] = to_json(tallies);
    }
  }
  report["rollouts"] = done;
  return report;
}

const Scenario kFaults[] = {
    {"calls", [](RolloutWorld& world) { world.faults.calls = 0.1; }},
    {"pictures", [](RolloutWorld& world) { world.faults.pictures = 0.3; }},
    {"deaths", [](RolloutWorld& world) { world.faults.deaths = 4; }},
    {"pods", [](RolloutWorld& world) { world.faults.pods = 6; }},
    {"clock", [](RolloutWorld& world) { world.faults.clock = 4; }},
    {"people", [](RolloutWorld& world) { world.faults.people = 4; }},
    {"all", [](RolloutWorld& world) { world.faults = {0.05, 0.1, 1, 2, 0.5, 3}; }},
    {"harm", [](RolloutWorld& world) { world.faults = {0.1, 0.2, 1, 0, 0, 0}, world.slowdown = harm(world, 2); }},
    {"ooms", [](RolloutWorld& world) { world.faults = {0.1, 0.2, 1, 0, 0, 2}, world.ooms_from = 0.3; }},
};

json faults(int count, std::uint64_t seed, bool& all_well) {
  json report;
  int done = 0;
  for (const Scenario& scenario : kFaults) {
    RolloutWorld world;
    world.placement = Placement::kSameNode;
    world.length = hours(4);
    world.watch_for = minutes(15);
    world.canary.replicas = 2;
    scenario.change(world);
    Tally tally;
    all_well = rollouts(world, scenario.name, count, seed, tally) && all_well;
    report["faults"][scenario.name] = {
        {"rollouts", tally.trials},   {"simulations", tally.rollouts},
        {"faults", tally.accidents},  {"promoted", tally.promoted},
        {"inForce", tally.confirmed}, {"rolledBack", tally.rolled_back + tally.taken_back},
        {"broken", tally.broken},     {"reasons", tally.reasons}};
    done += tally.trials;
  }
  report["rollouts"] = done;
  return report;
}

int run(const std::string& what, int count, std::uint64_t seed, bool as_json) {
  const auto begun = std::chrono::steady_clock::now();
  bool all_well = true;
  json report = what == "faults" ? faults(count, seed, all_well) : verdicts(count, seed, all_well);
  report["count"] = count;
  report["seed"] = seed;
  report["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  if (as_json || what == "faults") {
    std::cout << report.dump() << "\n";
  } else {
    print_page(report);
  }
  return all_well ? 0 : 1;
}

}  // namespace
}  // namespace gopacer::lab

int main(int argc, char** argv) {
  CLI::App app("Whole rollouts in simulation, and how often their verdicts are wrong.");
  int count = 1000;
  std::uint64_t seed = 1;
  bool as_json = false;
  bool faults = false;
  app.add_option("--count", count, "rollouts of each scenario and design")->check(CLI::Range(1, 1'000'000));
  app.add_option("--seed", seed, "of the first one; each has the next one");
  app.add_flag("--json", as_json, "one object, with the reasons of all ends");
  app.add_flag("--faults", faults, "what goes wrong around trials, for four hours each");
  CLI11_PARSE(app, argc, argv);
  return gopacer::lab::run(faults ? "faults" : "verdicts", count, seed, as_json);
}
