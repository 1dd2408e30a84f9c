#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/domain/trial.h"
#include "gopacer/rollout/advance.h"

namespace gopacer::act {

/// One of the trial's two Deployments, made from the target as the API server returned it: the same pod template with
/// labels that tell the tracks apart, the wish to run on the node of a pod of the other arm and, for the canary, the
/// trial's settings. Owned by the trial.
/// Error: the target has no container of the trial's name.
Result<nlohmann::json> arm_deployment(nlohmann::json target, const Trial& trial, Track track);

/// The line for `kubectl rollout history`.
std::string promotion_cause(const Trial& trial);
/// Of settings that come back without a trial.
std::string put_back_cause(const Step& step);
std::string rollback_cause(const Trial& trial, const Settings& settings);

}  // namespace gopacer::act
