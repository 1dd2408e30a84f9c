#pragma once

#include <optional>
#include <string>

#include "rollout/trial_pass.h"

namespace gopacer {

// How a trial by pods of its own goes on, canaries beside a baseline.

/// Until the pods of both arms are ready.
Step start_arms(TrialPass& pass);

Step warm_up(TrialPass& pass);

/// The target's rollout of what was promoted, and the watch once it is done; none while it goes on.
std::optional<Step> roll_out(TrialPass& pass);

/// While somebody has paused the target's rollout.
Step wait_for_resume(const TrialPass& pass);

/// The trial's pods were not ready in time.
Step not_started(TrialPass& pass);

/// The trial is over with the server's words.
Step refused(TrialPass& pass, const std::string& what, const std::string& words);

/// Has the baseline removed as soon as it is not needed any more, or takes the room that the target's pods need.
void let_baseline_go(const TrialPass& pass, Step& step);

}  // namespace gopacer
