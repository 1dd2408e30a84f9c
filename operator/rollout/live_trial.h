#pragma once

#include <optional>

#include "rollout/trial_pass.h"

namespace gopacer {

// How a trial in the target's running processes goes on: turns in the comparison, a promotion that grows, and turns of
// a few in the watch.

/// Until the agents read enough pods. These are warm already; what a turn leaves to the next one is left out by whoever
/// compares them.
Step begin_turns(TrialPass& pass);

/// Hands the turn on in the comparison.
void take_turns(TrialPass& pass);

/// The promotion in one process, a quarter of the target's, and then all; none once it is time for all.
std::optional<Step> grow(TrialPass& pass);

/// The agents set all of the target's pods, and the watch follows; none while that goes on.
std::optional<Step> reach_all(TrialPass& pass);

/// Hands the turn on among the witnesses() of the watch, whose first one began at `since`.
void take_turns_in_the_watch(TrialPass& pass, Time since);

}  // namespace gopacer
