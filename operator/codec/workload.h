#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"

namespace gopacer::codec {

/// Members that are missing take the API's defaults; members of the wrong type count as missing, because the server has
/// checked them against the kind's schema. Error: the object has no name.
Result<Workload> decode_deployment(const nlohmann::json& object);

/// The uid of the trial whose arm this Deployment is: of the one that controls it, whoever else owns it; empty when it
/// is none. The chart's admission policies ask for the same, and let nobody else make one.
std::string arm_of(const nlohmann::json& deployment);

/// A ReplicaSet; its metadata is enough. Error: the object has no name.
Result<ReplicaSet> decode_replica_set(const nlohmann::json& object);

/// Fingerprint of a pod template: 16 hexadecimal digits of SHA-256 over its canonical JSON, without GOGC and GOMEMLIMIT
/// of any container and without the mark of `kubectl rollout restart`. It is the same before and after our own patch.
std::string template_hash(const nlohmann::json& pod_template);

}  // namespace gopacer::codec
