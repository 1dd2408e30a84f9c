#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"

namespace gopacer::codec {

/// Members that are missing take the API's defaults; members of the wrong type count as missing, because the server has
/// checked them against the kind's schema. Error: the object has no name.
Result<Pod> decode_pod(const nlohmann::json& object);

}  // namespace gopacer::codec
