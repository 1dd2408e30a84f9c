#pragma once

#include <optional>

#include "gopacer/rollout/advance.h"

namespace gopacer {

/// With updatePolicy.persist Env, what the agents keep in force goes into the pod template with the next rollout that
/// is not ours: then it restarts nothing that would not have been restarted anyway. None where nothing is to be done
/// about it. Until the last pod of another template is gone the agents keep the settings in force in those.
std::optional<Step> persist(const Facts& facts);

}  // namespace gopacer
