#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/domain/trial.h"

namespace gopacer::act {

/// The document that server-side apply gets: our env entries of one container, and nothing else of the pod template.
/// An entry that `settings` leaves out is released: it goes away, or stays with whoever else owns it.
/// `change_cause`, if not empty, becomes the revision's line in `kubectl rollout history`.
nlohmann::json settings_document(const Deployment& target, const std::string& container, const Settings& settings,
                                 const std::string& change_cause);

/// The document that releases everything that we own on the target.
nlohmann::json release_document(const Deployment& target);

/// One of the trial's two Deployments, made from the target as the API server returned it: the same pod template with
/// labels that tell the tracks apart and, for the canary, the trial's settings. Owned by the trial.
/// Error: the target has no container of the trial's name.
Result<nlohmann::json> track_deployment(const nlohmann::json& target, const Trial& trial, Track track);

/// The line for `kubectl rollout history`.
std::string promotion_cause(const Trial& trial);
std::string rollback_cause(const Trial& trial);

}  // namespace gopacer::act
