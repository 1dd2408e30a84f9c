#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gopacer/domain/settings.h"

namespace gopacer::codec {

/// {"gogc": "180", "goMemLimit": "430MiB"}; a member that is left out is an unset variable.
nlohmann::json encode(const Settings& settings);
/// Inverse of encode; a member that Go would not accept counts as unset.
Settings decode_settings(const nlohmann::json& object);

}  // namespace gopacer::codec
