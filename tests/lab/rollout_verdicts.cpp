#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "rollout_parts.h"
#include "rollout_tally.h"

namespace gopacer::lab {
namespace {

using nlohmann::json;

const Scenario kScenarios[] = {
    {"better", [](RolloutWorld&) {}},
    {"equal", [](RolloutWorld& world) { world.slowdown = 1; }},
    {"loadAfter", [](RolloutWorld& world) { world.load_after = 2; }},
    {"drift", [](RolloutWorld& world) { world.drift = 0.2; }},
    {"late", [](RolloutWorld& world) { world.late_slowdown = 1.5, world.late_from = 0.5; }},
    {"ooms", [](RolloutWorld& world) { world.ooms_from = 0.5; }},
    {"bursts", [](RolloutWorld& world) { world.burst_share = 0.02, world.burst = 4; }},
    {"tight", [](RolloutWorld& world) { world.tolerance_percent = 5; }},
    {"tightHarm2x", [](RolloutWorld& world) { world.tolerance_percent = 5, world.slowdown = slowdown_of(world, 2); }},
    {"unlikePods", [](RolloutWorld& world) { world.node_part = 0.5; }},
    {"unlikePodsHarm2x", [](RolloutWorld& world) { world.node_part = 0.5, world.slowdown = slowdown_of(world, 2); }},
    {"retried", [](RolloutWorld& world) { world.retries = 5; }},
    {"retriedHarm1_5x", [](RolloutWorld& world) { world.slowdown = slowdown_of(world, 1.5), world.retries = 5; }},
    {"harm2x", [](RolloutWorld& world) { world.slowdown = slowdown_of(world, 2); }},
    {"harm1_5x", [](RolloutWorld& world) { world.slowdown = slowdown_of(world, 1.5); }},
};

/// A figure of the report: its name, the scenario it is counted in, and how; what it means and has to be. Without a
/// meaning it has no line on the page.
struct Figure {
  const char* name;
  const char* scenario;
  double (*of)(Tally&);
  const char* means = nullptr;
  const char* goal = "–";
};

double rolled_back(Tally& tally) { return tally.share(tally.rolled_back); }
double taken_back(Tally& tally) { return tally.of_promoted(tally.taken_back); }
double undecided(Tally& tally) { return tally.share(tally.undecided); }
double promoted(Tally& tally) { return tally.share(tally.promoted); }
double kept(Tally& tally) { return tally.of_promoted(tally.confirmed); }
double confirmed(Tally& tally) { return tally.share(tally.confirmed); }

const Figure kFigures[] = {
    {"falseRollback", "better", rolled_back, "better settings rolled back in the trial", "≤ 1 %"},
    {"falseRollbackEqual", "equal", rolled_back, "settings that save CPU and leave p99 as it is rolled back there",
     "≤ 1 %"},
    {"inconclusive", "better", undecided, "better settings on which the trial ends undecided"},
    {"inconclusiveEqual", "equal", undecided, "those that leave p99 as it is"},
    {"falseRollbackWatch", "better", taken_back, "better settings taken back in the watch, of those promoted", "≤ 1 %"},
    {"falseRollbackWatchLoad", "loadAfter", taken_back, "the same, with twice the load from the promotion on", "≤ 1 %"},
    {"falseRollbackWatchDrift", "drift", taken_back, "the same, with everything 20 % slower by the end of the watch",
     "≤ 1 %"},
    {"promotedHarm2x", "harm2x", promoted, "settings promoted that slow p99 by twice the tolerance of 10 %", "≤ 0.5 %"},
    {"promotedHarm1_5x", "harm1_5x", promoted, "settings promoted that slow it by 1.5 times the tolerance", "≤ 5 %"},
    {"promotedBursts", "bursts", promoted, "settings promoted with which one window in fifty is four times as slow"},
    {"lateHarmKept", "late", kept, "settings kept that slow the target by half from the middle of the watch on", "0"},
    {"oomsKept", "ooms", kept, "settings kept whose pods run out of memory from the middle of the watch on", "0"},
    {"inconclusiveTight", "tight", undecided, "better settings left undecided with a tolerance of 5 %"},
    {"promotedHarm2xTight", "tightHarm2x", promoted, "settings promoted that slow p99 by 10 % with it", "≤ 0.5 %"},
    {"inconclusiveUnlikePods", "unlikePods", undecided,
     "better settings left undecided where half of what pods differ by is not the node's"},
    {"promotedHarm2xUnlikePods", "unlikePodsHarm2x", promoted, "settings of twice the tolerance of 10 % promoted there",
     "≤ 0.5 %"},
    {"inconclusiveRetried", "retried", undecided, "better settings left undecided after five more trials"},
    {"promotedHarm1_5xRetried", "retriedHarm1_5x", promoted,
     "settings of 1.5 times the tolerance promoted by one of up to six trials", "≤ 5 %"},
    {"escaped", "harm2x", confirmed, "those of twice the tolerance that the watch did not take back either", "0"},
    {"medianMinutes", "better", [](Tally& tally) { return tally.minutes_of(0.5); }},
};

constexpr Placement kDesigns[] = {Placement::kSameNode, Placement::kAnywhere, Placement::kWithinPods};
constexpr SimulatedJudge kJudges[] = {SimulatedJudge::kOurs, SimulatedJudge::kMannWhitney, SimulatedJudge::kThreshold};

/// What other tools do needs two pods.
bool is_possible(Placement placement, SimulatedJudge judge) {
  return placement != Placement::kWithinPods || judge == SimulatedJudge::kOurs;
}

/// Of the scenarios that were run.
json to_json(std::map<std::string, Tally>& tallies) {
  json figures = json::object();
  for (const Figure& figure : kFigures) {
    const auto found = tallies.find(figure.scenario);
    if (found != tallies.end()) figures[figure.name] = figure.of(found->second);
  }
  for (auto& [name, tally] : tallies) figures["reasons"][name] = tally.reasons;
  return figures;
}

template <typename Print>
void each_design(const Print& print) {
  for (const Placement placement : kDesigns) {
    for (const SimulatedJudge judge : kJudges) {
      if (is_possible(placement, judge)) print(to_string(placement), to_string(judge));
    }
  }
}

}  // namespace

std::vector<std::string> verdict_scenarios() {
  std::vector<std::string> names;
  for (const Scenario& scenario : kScenarios) names.emplace_back(scenario.name);
  return names;
}

void add_verdicts(json& report, const Part& part) {
  for (const Placement placement : kDesigns) {
    for (const SimulatedJudge judge : kJudges) {
      if (!part.has(placement) || !part.has(judge) || !is_possible(placement, judge)) continue;
      std::map<std::string, Tally> tallies;
      int broken = 0;
      for (const Scenario& scenario : kScenarios) {
        if (!part.has(scenario.name)) continue;
        RolloutWorld world;
        world.placement = placement;
        world.judge = judge;
        world.autocorrelation = part.autocorrelation.value_or(world.autocorrelation);
        scenario.change(world);
        const std::string name = scenario.name + std::string(", ") + to_string(placement) + ", " + to_string(judge);
        Tally& tally = tallies[scenario.name] = rollouts(world, name, part.count, part.seed);
        broken += tally.broken;
        report["rollouts"] = report["rollouts"].get<int>() + tally.rollouts;
      }
      report["broken"] = report["broken"].get<int>() + broken;
      report["designs"][to_string(placement)][to_string(judge)] = to_json(tallies);
    }
  }
}

void print_verdicts(const json& report) {
  const RolloutWorld world;
  std::cout << "## Verdicts\n\n"
            << world.replicas << " pods and one pair, " << world.requests_per_second << " requests a second in all at "
            << std::lround(100 * world.utilisation) << " % of the CPU; pods differ by "
            << std::lround(100 * world.pod_spread) << " % (standard deviation), " << std::lround(100 * world.node_part)
            << " % of the variance is the node's; windows by " << std::lround(100 * world.disturbance)
            << " %, neighbours of them correlated by " << world.autocorrelation << ". Each scenario is run "
            << report["count"] << " times with each design.\n\n| figure | goal |";
  each_design(
      [](const std::string& design, const std::string& judge) { std::cout << " " << design << ", " << judge << " |"; });
  std::cout << "\n|---|---|";
  each_design([](const std::string&, const std::string&) { std::cout << "---|"; });
  std::cout << "\n";
  for (const Figure& figure : kFigures) {
    if (figure.means == nullptr) continue;
    std::cout << "| " << figure.means << " | " << figure.goal << " |";
    each_design([&](const std::string& design, const std::string& judge) {
      std::cout << " " << percent(report["designs"][design][judge][figure.name]) << " |";
    });
    std::cout << "\n";
  }
  std::cout << "| median time to a verdict on better settings | – |";
  each_design([&](const std::string& design, const std::string& judge) {
    std::cout << " " << report["designs"][design][judge]["medianMinutes"] << " min |";
  });
  std::cout
      << "\n\n`sameNode`: canary and baseline share a node, as gopacer asks the scheduler. `anywhere`: they do "
         "not, and the judge knows it. `withinPods` (`apply: Live`): up to two of the target's pods run both "
         "settings by turns, and each is compared with itself.\n\n"
         "Within pods a verdict comes sooner where collections are frequent: nothing has to start and to warm up. "
         "What pods and nodes differ by is no part of the difference, so pods that are unlike, a tight tolerance "
         "and a target of one pod cost little, and smaller differences show (see CPU below). It is worse at what "
         "is rare. A trial that is over sooner has seen fewer windows, and fewer bursts in them. In the watch only a "
         "quarter of the target's pods go on taking turns, one here, so what begins after the promotion is seen later "
         "than beside a baseline, and in a target of one pod only where it breaks `max`, kills the pod or is one of "
         "collection. A trial also tries its settings on the target's own "
         "pods, half of the time of each that takes part; what outlasts a block, such as a heap that has grown, is "
         "in both arms; and where collections are rare, blocks and so the trial are longer.\n\n";
}

}  // namespace gopacer::lab
