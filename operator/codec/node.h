#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"

namespace gopacer::codec {

/// Address and port of a node's kubelet. Never fails: a node without an address can't be asked, and that is all.
Result<Node> decode_node(const nlohmann::json& object);

}  // namespace gopacer::codec
