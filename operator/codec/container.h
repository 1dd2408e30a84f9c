#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "gopacer/domain/workload.h"

namespace gopacer::codec {

/// Whether it is one of the two environment variables that gopacer owns.
bool is_ours(const std::string& variable);

/// `resources` of a container, as a spec or a status has it, into the container's limits and requests.
void read_resources(const nlohmann::json& resources, ContainerSpec& container);

/// The first kMostKept containers of a pod's spec or of a pod template's.
std::vector<ContainerSpec> containers_of(const nlohmann::json& pod_spec);

}  // namespace gopacer::codec
