#pragma once

#include "gopacer/rollout/advance.h"

namespace gopacer {

/// advance() of a profile that has a running trial.
Step advance_running(const Facts& facts);

}  // namespace gopacer
