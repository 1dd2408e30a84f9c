#pragma once

#include "gopacer/rollout/advance.h"

namespace gopacer {

/// advance() of a profile that has a running trial.
Step advance_running(const Trial& trial, const Situation& situation, const Decision& decision, const Verdict& verdict,
                     Time now);

}  // namespace gopacer
