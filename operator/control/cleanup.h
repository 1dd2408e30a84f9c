#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"

namespace gopacer {

class ApiServer;

/// What came of cleaning up, as sentences that name the object.
struct CleanupReport {
  std::vector<std::string> done;
  std::vector<std::string> left;    ///< on purpose, and what a person may want to do about it
  std::vector<std::string> failed;  ///< and what to do now
};

/// Takes out of the cluster what would stay for ever, or hold up a deletion, once gopacer is gone: running trials are
/// aborted, settings that they promoted and nobody has confirmed are put back, their arms are deleted, and gopacer's
/// finalizers are taken off. Settings that were confirmed, profiles and ended trials stay. In namespace `ns`, or in all
/// where it is empty.
///
/// It is the operator's own passes, for profiles that have something of the kind, until nothing is left or `wait` says
/// that the time is up: it is called between rounds and gives false then. May be repeated at any time. No operator may
/// work in the meantime.
CleanupReport clean_up(ApiServer& api, const std::string& ns, const Clock& clock, const std::function<bool()>& wait);

}  // namespace gopacer
