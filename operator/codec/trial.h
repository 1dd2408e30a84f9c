#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gopacer/base/result.h"
#include "gopacer/domain/trial.h"

namespace gopacer::codec {

/// The whole GoRuntimeTrial object as it is created, without status.
nlohmann::json trial_object(const ObjectKey& key, const TrialSpec& spec);
/// The object's status. Times are kept to the microsecond.
nlohmann::json encode(const TrialStatus& status);
/// A value out of the bounds of kSpecFields, or a word that this version does not know, makes the trial `unreadable`,
/// not invisible: what it did has to be brought to an end. Error: it lacks what a trial needs, or its settings are
/// none. The message names all of it and says what to do.
Result<Trial> decode_trial(const nlohmann::json& object);

}  // namespace gopacer::codec
