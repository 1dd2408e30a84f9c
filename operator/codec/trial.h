#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gopacer/base/result.h"
#include "gopacer/domain/trial.h"

namespace gopacer::codec {

/// The whole GoRuntimeTrial object as it is created, without status.
nlohmann::json trial_object(const ObjectKey& key, const TrialSpec& spec);
/// The object's status. Times are kept to the microsecond.
nlohmann::json encode(const TrialStatus& status);
/// Error: the object has no spec that a trial needs (it was not made by gopacer).
Result<Trial> decode_trial(const nlohmann::json& object);

/// For a column: "+3.1%", "-12.0%".
std::string signed_percent(double share);

}  // namespace gopacer::codec
