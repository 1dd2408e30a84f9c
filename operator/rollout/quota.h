#pragma once

#include <string>

namespace gopacer {

/// What a ResourceQuota has to allow so that so many more pods like the refused one may be made, by the server's words:
/// "exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2". A sentence; empty when these are no such
/// words, or no pod is missing.
std::string quota_needed(const std::string& refusal, int missing_pods);

}  // namespace gopacer
