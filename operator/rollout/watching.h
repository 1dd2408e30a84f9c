#pragma once

#include <string>

#include "rollout/trial_pass.h"

namespace gopacer {

// The watch over what was promoted, by pods as well as live: how it begins, and all that ends it.

/// `who`: runs the settings, the beginning of a sentence.
Step begin_watch(TrialPass& pass, const std::string& who);

Step watching(TrialPass& pass);

/// The target itself does worse with the promoted settings.
Step worse_than_before(TrialPass& pass);

}  // namespace gopacer
