#pragma once

#include <string>
#include <vector>

#include "agent/agent.h"

namespace gopacer {

/// An agent's own figures in Prometheus's text format: what it did, and of each program whose pauses are measured the
/// stops of its world by kind, and for how long its collections marked.
std::string agent_metrics(const AgentCounts& counts, const std::vector<ContainerStops>& stops);

}  // namespace gopacer
