#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gopacer/simulate/score.h"

namespace gopacer {

/// One trace under one strategy, for people: figures, rollouts, plots.
std::string simulation_text(const simulate::Trace& trace, const simulate::Plan& plan, const simulate::Score& score);
/// The same for programs.
std::string simulation_json(const simulate::Trace& trace, const simulate::Plan& plan, const simulate::Score& score);

/// One run of many.
struct ScoredRun {
  std::string trace;
  std::uint64_t seed = 0;
  simulate::Score score;
};

/// What all runs come to, trace by trace, and the goals' figures over all of them.
std::string summary_text(const std::vector<ScoredRun>& runs);
std::string summary_json(const std::vector<ScoredRun>& runs);

}  // namespace gopacer
