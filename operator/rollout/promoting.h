#pragma once

#include <string>

#include "rollout/trial_pass.h"

namespace gopacer {

// How a trial's settings get into the target, by pods as well as live.

/// The comparison is over. `why`: a sentence's begin; `reason`: CamelCase.
Step promote(TrialPass& pass, const std::string& why, const std::string& reason);

/// Until all of the target's pods run the settings.
Step promoting(TrialPass& pass);

}  // namespace gopacer
