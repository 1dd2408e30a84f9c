// Whole rollouts in simulation, many of them, and how often the verdict was wrong:
//   rollouts [--count N] [--seed S] [--json] [--scenario NAME…] [--design NAME] [--judge NAME] [--autocorrelation R]
// Prints the page docs/lab/rollouts.md, or one JSON object.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "gopacer/simulate/rollout.h"

namespace gopacer {
namespace {

using nlohmann::json;

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
    {"default", [](RolloutWorld& world) { world.tolerance_percent = 5; }},
    {"defaultHarm2x", [](RolloutWorld& world) { world.tolerance_percent = 5, world.slowdown = harm(world, 2); }},
    {"unlikePods", [](RolloutWorld& world) { world.node_part = 0.5; }},
    {"unlikePodsHarm2x", [](RolloutWorld& world) { world.node_part = 0.5, world.slowdown = harm(world, 2); }},
    {"bursts", [](RolloutWorld& world) { world.burst_part = 0.02, world.burst_slowdown = 4; }},
    {"retried", [](RolloutWorld& world) { world.retries = 5; }},
    {"retriedHarm1_5x", [](RolloutWorld& world) { world.slowdown = harm(world, 1.5), world.retries = 5; }},
    {"harm2x", [](RolloutWorld& world) { world.slowdown = harm(world, 2); }},
    {"harm1_5x", [](RolloutWorld& world) { world.slowdown = harm(world, 1.5); }},
};

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  for (const Scenario& scenario : kScenarios) names.emplace_back(scenario.name);
  return names;
}

/// What became of the rollouts of one world.
struct Tally {
  int rollouts = 0;
  int promoted = 0;     ///< the target got the new settings
  int confirmed = 0;    ///< and has them
  int rolled_back = 0;  ///< in the trial
  int taken_back = 0;   ///< in the watch
  int undecided = 0;
  std::vector<double> minutes;
  std::map<std::string, int> reasons;

  void add(const RolloutResult& result) {
    ++rollouts;
    promoted += result.promoted ? 1 : 0;
    confirmed += result.in_force ? 1 : 0;
    if (result.verdict == TrialVerdict::kRollBack) ++(result.promoted ? taken_back : rolled_back);
    if (result.verdict == TrialVerdict::kInconclusive) ++undecided;
    minutes.push_back(to_seconds(result.until_decided) / 60);
    ++reasons[(result.promoted && !result.in_force ? "watch:" : "") + result.reason];
  }
  double share(int count) const { return static_cast<double>(count) / std::max(1, rollouts); }
  double of_promoted(int count) const { return static_cast<double>(count) / std::max(1, promoted); }
  double median_minutes() {
    if (minutes.empty()) return 0;
    const auto middle = minutes.begin() + static_cast<std::ptrdiff_t>(minutes.size() / 2);
    std::nth_element(minutes.begin(), middle, minutes.end());
    return *middle;
  }
};

/// Which part of all rollouts to run.
struct Part {
  int count = 1000;
  std::uint64_t seed = 1;
  std::vector<std::string> scenarios;  ///< empty: all
  std::string design;                  ///< empty: both
  std::string judge;                   ///< empty: all
  std::optional<double> autocorrelation;

  bool has(const Scenario& scenario) const {
    return scenarios.empty() || std::find(scenarios.begin(), scenarios.end(), scenario.name) != scenarios.end();
  }
  bool has(Placement placement) const { return design.empty() || design == to_string(placement); }
  bool has(SimulatedJudge wanted) const { return judge.empty() || judge == to_string(wanted); }
  bool is_all() const { return scenarios.empty() && design.empty() && judge.empty(); }
};

/// A figure of the report: its name, the scenario it is counted in, and how.
struct Figure {
  const char* name;
  const char* scenario;
  double (*of)(Tally&);
};

const Figure kFigures[] = {
    {"falseRollback", "better", [](Tally& tally) { return tally.share(tally.rolled_back); }},
    {"inconclusive", "better", [](Tally& tally) { return tally.share(tally.undecided); }},
    {"medianMinutes", "better", [](Tally& tally) { return tally.median_minutes(); }},
    {"falseRollbackWatch", "better", [](Tally& tally) { return tally.of_promoted(tally.taken_back); }},
    {"falseRollbackWatchLoad", "loadAfter", [](Tally& tally) { return tally.of_promoted(tally.taken_back); }},
    {"falseRollbackWatchDrift", "drift", [](Tally& tally) { return tally.of_promoted(tally.taken_back); }},
    {"lateHarmKept", "late", [](Tally& tally) { return tally.of_promoted(tally.confirmed); }},
    {"inconclusiveDefault", "default", [](Tally& tally) { return tally.share(tally.undecided); }},
    {"promotedHarm2xDefault", "defaultHarm2x", [](Tally& tally) { return tally.share(tally.promoted); }},
    {"inconclusiveUnlikePods", "unlikePods", [](Tally& tally) { return tally.share(tally.undecided); }},
    {"promotedHarm2xUnlikePods", "unlikePodsHarm2x", [](Tally& tally) { return tally.share(tally.promoted); }},
    {"promotedBursts", "bursts", [](Tally& tally) { return tally.share(tally.promoted); }},
    {"burstsKept", "bursts", [](Tally& tally) { return tally.share(tally.confirmed); }},
    {"inconclusiveRetried", "retried", [](Tally& tally) { return tally.share(tally.undecided); }},
    {"falseRollbackRetried", "retried", [](Tally& tally) { return tally.share(tally.rolled_back); }},
    {"promotedHarm1_5xRetried", "retriedHarm1_5x", [](Tally& tally) { return tally.share(tally.promoted); }},
    {"promotedHarm2x", "harm2x", [](Tally& tally) { return tally.share(tally.promoted); }},
    {"escaped", "harm2x", [](Tally& tally) { return tally.share(tally.confirmed); }},
    {"promotedHarm1_5x", "harm1_5x", [](Tally& tally) { return tally.share(tally.promoted); }},
};

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
    {"inconclusive", "better settings on which the trial ends undecided", "–"},
    {"falseRollbackWatch", "better settings taken back in the watch, of those promoted", "≤ 1 %"},
    {"falseRollbackWatchLoad", "the same, with twice the load from the promotion on", "≤ 1 %"},
    {"falseRollbackWatchDrift", "the same, with everything 20 % slower by the end of the watch", "≤ 1 %"},
    {"promotedHarm2x", "settings promoted that slow p99 by twice the tolerance of 10 %", "≤ 0.5 %"},
    {"promotedHarm1_5x", "settings promoted that slow it by 1.5 times the tolerance", "≤ 5 %"},
    {"lateHarmKept", "settings kept that slow the target by half from the middle of the watch on", "0"},
    {"inconclusiveDefault", "better settings left undecided with the default tolerance of 5 %", "–"},
    {"promotedHarm2xDefault", "settings promoted that slow p99 by 10 % with it", "≤ 0.5 %"},
    {"inconclusiveUnlikePods", "better settings left undecided where half of what pods differ by is not the node's",
     "–"},
    {"promotedHarm2xUnlikePods", "settings of twice the tolerance of 10 % promoted there", "≤ 0.5 %"},
    {"promotedHarm1_5xRetried", "the same of 1.5 times, where what ends undecided is tried again up to five times",
     "–"},
    {"inconclusiveRetried", "better settings left undecided after all of that", "–"},
    {"promotedBursts", "settings promoted with which every fiftieth window is four times as slow", "–"},
    {"escaped", "those of twice the tolerance that the watch did not take back either", "0"},
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
            << " s on one core, with the real rules, judge and state machine: " << world.replicas
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
               "not, and the "
               "judge knows it.\n";
}

int run(const Part& part, bool as_json) {
  const auto begun = std::chrono::steady_clock::now();
  json report{{"count", part.count}, {"seed", part.seed}};
  int rollouts = 0;
  for (const Placement placement : kDesigns) {
    for (const SimulatedJudge judge : kJudges) {
      if (!part.has(placement) || !part.has(judge)) continue;
      std::map<std::string, Tally> tallies;
      for (const Scenario& scenario : kScenarios) {
        if (!part.has(scenario)) continue;
        RolloutWorld world;
        world.placement = placement;
        world.judge = judge;
        world.autocorrelation = part.autocorrelation.value_or(world.autocorrelation);
        scenario.change(world);
        for (int i = 0; i < part.count; ++i) {
          const std::uint64_t own = part.seed + static_cast<std::uint64_t>(i);
          const RolloutResult result = simulate_rollout(world, own);
          if (!result.broken.empty()) {
            std::cerr << scenario.name << ", " << to_string(placement) << ", " << to_string(judge) << ", seed " << own
                      << ": " << result.broken << "\n";
            return 1;
          }
          tallies[scenario.name].add(result);
          ++rollouts;
        }
      }
      report["designs"][to_string(placement)][to_string(judge)] = to_json(tallies);
    }
  }
  report["rollouts"] = rollouts;
  report["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  if (as_json) {
    std::cout << report.dump() << "\n";
  } else {
    print_page(report);
  }
  return 0;
}

}  // namespace
}  // namespace gopacer

int main(int argc, char** argv) {
  CLI::App app("Whole rollouts in simulation, and how often their verdicts are wrong.");
  gopacer::Part part;
  bool as_json = false;
  app.add_option("--count", part.count, "rollouts of each scenario and design")->check(CLI::Range(1, 1'000'000));
  app.add_option("--seed", part.seed, "of the first one; each has the next one");
  app.add_option("--scenario", part.scenarios, "only these; with --json")
      ->check(CLI::IsMember(gopacer::scenario_names()));
  app.add_option("--design", part.design, "only sameNode or anywhere; with --json")
      ->check(CLI::IsMember({"sameNode", "anywhere"}));
  app.add_option("--judge", part.judge, "only this one; with --json")
      ->check(CLI::IsMember({"ours", "mannWhitney", "threshold"}));
  app.add_option("--autocorrelation", part.autocorrelation, "of neighbouring windows")->check(CLI::Range(0.0, 0.95));
  app.add_flag("--json", as_json, "one object, with the reasons of all ends");
  CLI11_PARSE(app, argc, argv);
  if (!as_json && !part.is_all()) {
    std::cerr << "rollouts: the page is of all rollouts; add --json for a part of them\n";
    return 2;
  }
  return gopacer::run(part, as_json);
}
