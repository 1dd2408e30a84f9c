#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gopacer/base/result.h"
#include "gopacer/rollout/advance.h"

namespace gopacer::record {

/// All that one pass has to tell of a profile.
struct Pass {
  const Facts& facts;
  const Step& step;
  const std::optional<Error>& error;  ///< why the step was not taken
};

/// What is recommended, whether or not something holds it back; null where nothing is.
const Settings* recommended(const Decision& decision);

/// The one word for `kubectl get grp`.
std::string phase(const Pass& pass);

/// The profile's conditions; the time of a condition that did not change is kept.
std::vector<Condition> conditions(const Pass& pass);

/// The whole status, as the merge patch that replaces the present one: members that have nothing to say are null.
nlohmann::json profile_status(const Pass& pass);

/// The part of a status whose change must be written at once; the rest is figures that drift with each sample.
nlohmann::json lasting_part(const nlohmann::json& status);

/// What the conditions say of troubles, and of a trial under way: that changes while type, status and reason stay.
nlohmann::json troubles_of(const nlohmann::json& status);

}  // namespace gopacer::record
