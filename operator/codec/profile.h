#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"

namespace gopacer::codec {

/// A GoRuntimeProfile with what gopacer remembers in its status. Members that are missing take the schema's defaults.
/// Errors, all terminal: the object has no name, or a value that this version of gopacer does not understand. One that
/// is being deleted is always read, so that it can be cleaned up after.
Result<Profile> decode_profile(const nlohmann::json& object);

}  // namespace gopacer::codec
