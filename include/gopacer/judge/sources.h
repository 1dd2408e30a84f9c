#pragma once

#include <string>
#include <vector>

#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"

namespace gopacer {

/// What judge() would need and no stable pod has given yet: each SLO's histogram, with buckets in which a change of its
/// quantile would show, and something that tells collection's CPU. A sentence each, with the pod's own words where it
/// was asked; empty when a trial's verdict has all its sources.
std::vector<std::string> unread_sources(const Observation& observed, const std::vector<Slo>& slos);

}  // namespace gopacer
