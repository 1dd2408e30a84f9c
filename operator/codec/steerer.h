#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"

namespace gopacer::codec {

/// A Rollout of argoproj.io/v1alpha1. One that has a pod template of its own steers nothing else. Error: the object has
/// no name.
Result<Steerer> decode_rollout(const nlohmann::json& object);
/// A Canary of flagger.app/v1beta1. Error: the object has no name.
Result<Steerer> decode_canary(const nlohmann::json& object);

}  // namespace gopacer::codec
