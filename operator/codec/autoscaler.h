#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"

namespace gopacer::codec {

/// A HorizontalPodAutoscaler of autoscaling/v2. Error: the object has no name.
Result<Autoscaler> decode_autoscaler(const nlohmann::json& object);
/// A VerticalPodAutoscaler of autoscaling.k8s.io/v1. Error: the object has no name.
Result<Autoscaler> decode_vertical_autoscaler(const nlohmann::json& object);

}  // namespace gopacer::codec
