#pragma once

#include <optional>
#include <string>

#include "agent/agent.h"
#include "control/controller.h"
#include "net/http_server.h"
#include "record/captures.h"

namespace gopacer {

/// What a liveness probe is answered. A pass that hangs does not come back by itself, and a new process takes its trial
/// over.
HttpServer::Answer health_page(const Controller& controller);

/// What a readiness probe is answered by the replica that leads.
HttpServer::Answer leaders_ready_page(const Controller& controller);

/// The same by a replica that stands by, which is ready too: it is what a rollout of the operator itself waits for.
/// `trouble` keeps it from following the lease; empty when nothing does.
HttpServer::Answer standbys_ready_page(const std::string& trouble);

/// The same of a node's agent. One whose thread hangs is started anew, and puts back what it had changed.
HttpServer::Answer health_page(const Agent& agent);
HttpServer::Answer agents_ready_page(const Agent& agent);

/// What was captured of pods, and one of these by its path, "/captures/NAME"; none when there is no such.
HttpServer::Answer captures_page(const Captures& captures);
std::optional<HttpServer::Answer> capture_page(const Captures& captures, const std::string& path);

}  // namespace gopacer
