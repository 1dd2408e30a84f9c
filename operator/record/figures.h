#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "record/operator_metrics.h"
#include "record/profile_status.h"

namespace gopacer::record {

/// What a pass shows of its profile, of the target and of the running trial, for /metrics. What is not known is left
/// out. `conditions` are those of the pass.
std::vector<ProfileFigure> figures_of(const Pass& pass, const std::vector<Condition>& conditions);

/// The heap in use over GOMEMLIMIT, of the target's pod where it is highest, in the time `within` before its latest
/// reading. None where no pod has a GOMEMLIMIT.
std::optional<double> fullest_heap(const Observation& observed, Duration within);

/// Cores that the target's settings save against those before gopacer's, as the trials that promoted them measured it:
/// each that is kept and led to the settings of the next, up to those in force. None where no such trial is kept.
std::optional<double> saved_cores(const Facts& facts);

/// Collections' pauses that ended since a pod's latest reading that is in `read`.
struct PauseCount {
  int all = 0;
  int long_ones = 0;  ///< of kLongJitter and more
};
inline constexpr Duration kLongJitter = std::chrono::milliseconds(5);

/// Of the target's own pods. Of a pod that is new only the latest collection counts: when the others ended is another
/// operator's time. `read`: times of the latest readings that were counted, by the pods' uids.
PauseCount new_pauses(const Observation& observed, const std::map<std::string, Time>& read);

}  // namespace gopacer::record
