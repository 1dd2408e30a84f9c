#pragma once

#include "rollout/trial_pass.h"

namespace gopacer {

// How a trial's settings get into the target, by pods as well as live.

/// The comparison is won.
Step promote(TrialPass& pass);

/// Until all of the target's pods run the settings.
Step promoting(TrialPass& pass);

}  // namespace gopacer
