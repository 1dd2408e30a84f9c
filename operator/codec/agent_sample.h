#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/sample.h"

namespace gopacer::codec {

/// What a node's agent says of one process.
struct AgentSample {
  Sample sample;     ///< mem and process
  std::string note;  ///< why the agent does not do what the cluster asks of it, a sentence; empty: it does
};

/// A body of the agent's page of one container.
nlohmann::json encode(const AgentSample& said);
/// The same for a process that can't be read, with the reason.
nlohmann::json encode_unread(const std::string& why);
/// The error is the agent's own reason, or says that the body is none of an agent. Numbers that no process has are an
/// error.
Result<AgentSample> decode_agent_sample(const std::string& body);

}  // namespace gopacer::codec
