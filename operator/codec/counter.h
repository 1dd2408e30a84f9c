#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"

namespace gopacer::codec {

/// A counter of a podRatio, in the profile's spec and in the trial's. Error: it has no metric, or more labels than the
/// CRDs allow.
Result<Counter> decode_counter(const nlohmann::json& object);
nlohmann::json encode(const Counter& counter);

}  // namespace gopacer::codec
