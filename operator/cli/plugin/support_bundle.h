#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"

namespace gopacer {
class ApiServer;
}

namespace gopacer::plugin {

/// What somebody who helps from afar needs to see: profiles and trials whole, and of their targets, the targets' pods
/// and the events about them what GOGC and GOMEMLIMIT depend on. Of strangers' objects only chosen fields are taken, so
/// that no value of another variable, no annotation, no command and no header is in it. `missing`: sentences on what
/// could not be read. Of a namespace, or of all where it is empty. Error: the profiles can't be listed.
Result<nlohmann::json> support_bundle(ApiServer& api, const std::string& ns, Time now);

}  // namespace gopacer::plugin
