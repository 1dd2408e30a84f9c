#pragma once

#include "gopacer/rollout/advance.h"

namespace gopacer {

// A running trial's phases are in the files of their names. What its two ways to compare do in them is in pod_trial.cpp
// and live_trial.cpp, and what all of them share in trial_pass.h.

/// advance() of a profile that has a running trial.
Step advance_running(const Facts& facts);

}  // namespace gopacer
