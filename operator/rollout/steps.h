#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gopacer/rollout/advance.h"

namespace gopacer {

// What steps are made of, with a running trial and without one.

/// Between passes when nothing is going on; changes in the cluster wake the key earlier.
inline constexpr Duration kIdlePass = std::chrono::seconds(15);

/// A rollout that gets on no further after this may lack what the baseline holds, and pods that their agents have not
/// set by then are not waited for.
inline constexpr Duration kPatience = std::chrono::minutes(2);
/// A rollout of the target that makes no progress for so long is undone. Kubernetes itself calls one stuck after ten
/// minutes, and says so before this where it watches.
inline constexpr Duration kLongestStandstill = std::chrono::minutes(15);
/// Pods that don't run by then hold room for nothing.
inline constexpr Duration kLongestStart = std::chrono::minutes(5);

/// A step that leaves the cluster as it is.
Step hold(std::string reason, std::string message, Duration requeue);

/// Adds the region to those that are not tried again. It is banned once, with what was learned last, and
/// counts its trials.
void ban(ProfileMemory& memory, BannedRegion region);

/// All pods of both arms run and are ready.
bool arms_ready(const Facts& facts);

/// Whom the comparison is about: the processes of both arms, sorted. A pod that is replaced and a container that is
/// restarted are other processes.
std::vector<std::string> arm_pods(const Facts& facts);

/// The same of these pods.
std::vector<std::string> processes_of(const Facts& facts, const std::vector<const Pod*>& pods);

/// Of the trial's processes those of the baseline alone are left, all of them, and no others than it measured.
bool baseline_is_the_same(const Facts& facts);

/// For kPatience a pod of the target has found no node, or may not be created. A moment of that is a node that is only
/// just being added, or a preemption that goes on.
bool lacks_room(const Facts& facts);

/// How long the target's rollout, begun at `since`, has not got on.
Duration without_progress(Time since, const Facts& facts);

/// A sentence when the target's rollout, begun at `since`, does not get on.
std::optional<std::string> standstill(Time since, const Facts& facts);

/// Pods of the running trial's target whose container has these settings in its environment, ready or not.
int pods_with(const Settings& settings, const Facts& facts);

/// What keeps the pods of an arm from starting, in the words of the server, the scheduler or a kubelet; empty when
/// nothing is known.
std::string arm_trouble(const Facts& facts);

/// Restarts of a pod of the target in a day, over the time that its pods have run.
double usual_restarts_per_day(const Facts& facts);

}  // namespace gopacer
