// Whole rollouts in simulation, many of them: how often the verdict was wrong, how long it took, and what became of
// those around which much went wrong.
//   rollouts [--count N] [--seed S] [--json] [--verdicts] [--times] [--power] [--faults]
//            [--scenario NAME…] [--design NAME] [--judge NAME] [--autocorrelation R]
// Prints the page docs/lab/rollouts.md, or one JSON object.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "rollout_parts.h"

namespace gopacer::lab {
namespace {

using nlohmann::json;

struct Wanted {
  bool verdicts = false;
  bool times = false;
  bool power = false;
  bool faults = false;
};

void print_page(const json& report, const Wanted& wanted) {
  std::cout << "# Rollouts in simulation\n\nWritten by `./dev lab --rollouts --count " << report["count"] << " --seed "
            << report["seed"] << "`; do not edit.\n\n"
            << report["rollouts"] << " rollouts in " << std::lround(report["seconds"].get<double>())
            << " s on one core, with the real decide(), rules, judge and state machine.\n\n";
  if (wanted.verdicts) print_verdicts(report);
  if (wanted.times) print_times(report);
  if (wanted.power) print_power(report);
  if (wanted.faults) print_faults(report);
}

int run(const Part& part, const Wanted& wanted, bool as_json) {
  const auto begun = std::chrono::steady_clock::now();
  json report{{"count", part.count}, {"seed", part.seed}, {"rollouts", 0}, {"broken", 0}};
  if (wanted.verdicts) add_verdicts(report, part);
  if (wanted.times) add_times(report, part);
  if (wanted.power) add_power(report, part);
  if (wanted.faults) add_faults(report, part);
  report["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  if (as_json) {
    std::cout << report.dump() << "\n";
  } else {
    print_page(report, wanted);
  }
  return report["broken"] == 0 ? 0 : 1;
}

}  // namespace

bool Part::has(const std::string& scenario) const {
  return scenarios.empty() || std::find(scenarios.begin(), scenarios.end(), scenario) != scenarios.end();
}

}  // namespace gopacer::lab

int main(int argc, char** argv) {
  CLI::App app("Whole rollouts in simulation, and how often their verdicts are wrong.");
  gopacer::lab::Part part;
  gopacer::lab::Wanted wanted;
  bool as_json = false;
  app.add_option("--count", part.count, "rollouts of each scenario and design")->check(CLI::Range(1, 1'000'000));
  app.add_option("--seed", part.seed, "of the first one; each has the next one");
  app.add_flag("--verdicts", wanted.verdicts, "only how often verdicts are wrong");
  app.add_flag("--times", wanted.times, "only how long they take with little traffic");
  app.add_flag("--power", wanted.power, "only how small a difference of CPU shows; half as many");
  app.add_flag("--faults", wanted.faults, "only what comes of faults; an eighth as many, of four hours each");
  app.add_option("--scenario", part.scenarios, "only these verdicts; with --json")
      ->check(CLI::IsMember(gopacer::lab::verdict_scenarios()));
  app.add_option("--design", part.design, "only sameNode, anywhere or withinPods; with --json")
      ->check(CLI::IsMember({"sameNode", "anywhere", "withinPods"}));
  app.add_option("--judge", part.judge, "only this one; with --json")
      ->check(CLI::IsMember({"ours", "mannWhitney", "threshold"}));
  app.add_option("--autocorrelation", part.autocorrelation, "of neighbouring windows")->check(CLI::Range(0.0, 0.95));
  app.add_flag("--json", as_json, "one object, with the reasons of all ends");
  CLI11_PARSE(app, argc, argv);
  if (!as_json && !part.is_all()) {
    std::cerr << "rollouts: the page is of all rollouts; add --json for a part of them\n";
    return 2;
  }
  if (!part.is_all() && !wanted.faults && !wanted.power) wanted.verdicts = true;
  if (!wanted.verdicts && !wanted.times && !wanted.power && !wanted.faults) wanted = {true, true, true, true};
  return gopacer::lab::run(part, wanted, as_json);
}
