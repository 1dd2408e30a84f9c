#pragma once

#include <functional>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"

namespace gopacer {
class ApiServer;
}

/// What a person tells gopacer to do. Each is one write that plain kubectl could do as well, and a sentence that says
/// what was written, and what follows.
namespace gopacer::plugin {

/// No trial begins any more and a running one is aborted, or trials may begin again. Recommendations go on.
Result<std::string> suspend(ApiServer& api, const ObjectKey& profile, bool suspended);

/// Ends the running trial. Error: none runs.
Result<std::string> abort_trial(ApiServer& api, const ObjectKey& profile);

/// Puts the settings of an earlier trial back. Error: the trial is not kept, or is what was undone to last.
Result<std::string> undo_to(ApiServer& api, const ObjectKey& profile, const std::string& trial);

/// Puts the settings of the running trial in force without its verdict. Error: none runs, or it has promoted already.
Result<std::string> promote(ApiServer& api, const ObjectKey& profile);

/// Lets another trial begin at once, with the settings of `trial`, too; the latest one where it is empty. Error: it is
/// not kept, or one is running.
Result<std::string> retry(ApiServer& api, const ObjectKey& profile, const std::string& trial);

/// Profiles of a fleet, by what became of the order.
struct FleetOrder {
  int done = 0;
  int failed = 0;
};

/// Told of each profile what became of it.
using Told = std::function<void(bool done, const std::string& sentence)>;

/// Suspends every profile of a namespace, or of all where it is empty, and marks those that were not suspended before.
/// Error: they can't be listed.
Result<FleetOrder> stop_all(ApiServer& api, const std::string& ns, Time now, const Told& tell);

/// Lets those go on again that stop_all() marked, and no others.
Result<FleetOrder> resume_all(ApiServer& api, const std::string& ns, const Told& tell);

/// On a profile that stop_all() suspended: when.
inline constexpr const char* kStoppedAnnotation = "gopacer.dev/stopped-at";

}  // namespace gopacer::plugin
