#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// From the API server's JSON to the domain. Members that are missing take the API's defaults; members of the wrong
/// type count as missing, because the server has checked them against the kind's schema.
///
/// Errors, all terminal: the object has no name, or (profiles) a value that this version of gopacer does not
/// understand.

Result<Deployment> decode_deployment(const nlohmann::json& object);
Result<Pod> decode_pod(const nlohmann::json& object);
/// A HorizontalPodAutoscaler of autoscaling/v2.
Result<Autoscaler> decode_autoscaler(const nlohmann::json& object);
/// A VerticalPodAutoscaler of autoscaling.k8s.io/v1.
Result<Autoscaler> decode_vertical_autoscaler(const nlohmann::json& object);
Result<Profile> decode_profile(const nlohmann::json& object);

/// Fingerprint of a pod template: 16 hexadecimal digits of SHA-256 over its canonical JSON, without GOGC and GOMEMLIMIT
/// of any container and without the mark of `kubectl rollout restart`. It is the same before and after our own patch.
std::string template_hash(const nlohmann::json& pod_template);

}  // namespace gopacer
