#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"

namespace gopacer::codec {

/// A GoRuntimeProfile with what gopacer remembers in its status. Members that are missing take the schema's defaults.
/// A value that this version of gopacer does not understand makes the profile `unreadable`, not invisible: what runs
/// for it must still be brought to an end. Error: the object has no name.
Result<Profile> decode_profile(const nlohmann::json& object);

}  // namespace gopacer::codec
