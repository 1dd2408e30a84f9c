#pragma once

#include <string>

#include "rollout/trial_pass.h"

namespace gopacer {

// How a trial's settings leave the target again, by pods as well as live.

/// The target's settings without what the trial put there. A variable that somebody else has set stays. With it stays
/// the other one, too, where the two that would come together let the heap grow further than those before and those
/// now.
Settings taken_back(const TrialPass& pass);

/// The target has settings of ours that nobody has judged to the end.
bool unconfirmed(const TrialPass& pass);

/// `verdict`, `reason` and `message`: how the trial ends once the old settings are back; `told`: what its story says
/// now.
Step start_rollback(TrialPass& pass, TrialVerdict verdict, const std::string& reason, const std::string& message,
                    const std::string& told);

Step rolling_back(TrialPass& pass);

/// The trial ends, with a word about pods that the rollback has not reached.
Step rolled_back(TrialPass& pass);

}  // namespace gopacer
