#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/domain/orders.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "gopacer/domain/trial.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// A pod that the target or one of a trial's arms controls.
struct OwnedPod {
  std::shared_ptr<const Pod> pod;
  Track track = Track::kStable;
};

/// A watch that says nothing for longer than this is not believed any more. Every five minutes each ends and begins
/// anew, and most servers send a bookmark each minute.
inline constexpr Duration kLongestSilence = std::chrono::minutes(6);

/// All that the cluster says about one profile at the start of a pass; nothing in it is a conclusion. Read-only for the
/// rest of the pass.
struct Desired {
  ObjectKey key;
  /// gopacer is being taken away: what runs is brought to an end, and nothing is begun.
  bool uninstalling = false;
  Duration picture_age{0};  ///< since the API server last said anything of the kind that is silent longest
  std::shared_ptr<const Profile> profile;  ///< empty: deleted
  /// Another profile that tunes the same target and came first; empty when there is none.
  std::shared_ptr<const Profile> rival;
  std::string target_name;                                     ///< empty when nothing names one
  std::shared_ptr<const Workload> target;                      ///< empty: not there, or not readable
  std::string target_unreadable;                               ///< why it is not, though it is there
  std::vector<std::shared_ptr<const Autoscaler>> autoscalers;  ///< that scale the target
  std::vector<std::shared_ptr<const Steerer>> steerers;        ///< that roll the target out
  std::shared_ptr<const Trial> trial;                          ///< the running one that the profile's status names
  std::vector<std::shared_ptr<const Trial>> ended_trials;      ///< oldest first
  std::shared_ptr<const Workload> canary;                      ///< of the running trial
  std::shared_ptr<const Workload> baseline;                    ///< of the running trial
  std::vector<std::shared_ptr<const Workload>> leftovers;      ///< arms of trials of this profile that do not run
  std::vector<OwnedPod> pods;                                  ///< of the target and of the running trial
  std::string container;  ///< name of the container to tune; empty when it is not known
  Settings environment;   ///< of that container in the target's pod template; Go's defaults where it can't be read
  Settings current;       ///< what its processes are to run with: the same, or what the agents keep in force
  std::optional<Settings> own;  ///< own_of_applied()
};

/// Settings get into force in running processes: the agents go by the statuses of profile and trial, and nothing is
/// written to the target.
bool leaves_the_template(const Desired& desired);

/// What the processes had of their own when `applied` was tried in them; none where that was their environment's, or
/// where the trial is no longer kept.
std::optional<Settings> own_of_applied(const Desired& desired);

/// The container as an agent sees it, in one of the target's pods or as the target's template has it.
LocalContainer local_container(const Desired& desired, const ContainerSpec& container);

/// The tuned container as the target's template has it, with the largest memory limit that it has there or in a living
/// pod, which may have been resized: each agent fits its own, and what has no room here has none anywhere. None where
/// the template has no such container.
std::optional<LocalContainer> roomiest_container(const Desired& desired);

}  // namespace gopacer
