#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/simulate/rollout.h"

namespace gopacer::lab {

/// Which rollouts to run.
struct Part {
  int count = 1000;
  std::uint64_t seed = 1;
  std::vector<std::string> scenarios;  ///< empty: all
  std::string design;                  ///< empty: all
  std::string judge;                   ///< empty: all
  std::optional<double> autocorrelation;

  bool has(const std::string& scenario) const;
  bool has(Placement placement) const { return design.empty() || design == to_string(placement); }
  bool has(SimulatedJudge wanted) const { return judge.empty() || judge == to_string(wanted); }
  bool is_all() const { return scenarios.empty() && design.empty() && judge.empty(); }
};

// Each adds what it finds to the report, with the number of its rollouts and of those in which an invariant did not
// hold; and prints its section of the page from there.

/// How often verdicts are wrong, by design of the comparison and by judge.
void add_verdicts(nlohmann::json& report, const Part& part);
void print_verdicts(const nlohmann::json& report);
std::vector<std::string> verdict_scenarios();

/// How long a trial takes where there is little traffic, and what makes it shorter.
void add_times(nlohmann::json& report, const Part& part);
void print_times(const nlohmann::json& report);

/// How small a difference of CPU a trial shows.
void add_power(nlohmann::json& report, const Part& part);
void print_power(const nlohmann::json& report);

/// What becomes of trials around which much goes wrong.
void add_faults(nlohmann::json& report, const Part& part);
void print_faults(const nlohmann::json& report);

}  // namespace gopacer::lab
