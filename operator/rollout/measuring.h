#pragma once

#include <optional>
#include <string>

#include "rollout/trial_pass.h"

namespace gopacer {

// How a trial compares, by pods as well as live, until it is decided.

/// From what the latest trial like this one has seen already, where that ended without an answer. `how`: a sentence
/// without its end.
Step begin_measuring(TrialPass& pass, const std::string& how);

/// Whom the comparison began with is no longer there: a cold successor would flatter the other arm. Of those that take
/// turns each is compared with itself, so half of them are enough to go on with. None where enough are left.
std::optional<Step> begun_anew(TrialPass& pass);

Step measuring(TrialPass& pass);

/// The target was never touched: the trial is over as soon as its pods are gone.
Step end_badly(TrialPass& pass);

/// Whatever is measured says nothing of the settings.
Step end_pointless(TrialPass& pass);

/// The trial's deadline has come before its promotion, in any phase, or canary.maxDuration is over.
Step timed_out(TrialPass& pass);

}  // namespace gopacer
