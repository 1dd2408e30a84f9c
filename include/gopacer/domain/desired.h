#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gopacer/domain/profile.h"
#include "gopacer/domain/trial.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// Something that stands against tuning, in words for a condition and an event.
struct Problem {
  std::string condition;  ///< "Ready", "FieldConflict" or "ConfigUnsupported"
  std::string reason;     ///< CamelCase
  std::string message;    ///< what is the matter, with which object, and what to do
};

/// All that the cluster says about one profile at the start of a pass. Read-only for the rest of it.
struct Desired {
  ObjectKey key;
  std::shared_ptr<const Profile> profile;                  ///< empty: deleted
  std::shared_ptr<const Deployment> target;                ///< empty: not there
  std::shared_ptr<const Trial> trial;                      ///< the running one
  std::vector<std::shared_ptr<const Trial>> ended_trials;  ///< oldest first
  std::shared_ptr<const Deployment> canary;                ///< of the running trial
  std::shared_ptr<const Deployment> baseline;              ///< of the running trial
  std::vector<std::shared_ptr<const Pod>> pods;            ///< of the target and of the running trial
  std::string container;          ///< name of the container to tune; empty when it is not known
  Settings current;               ///< of that container in the target's pod template
  std::vector<Problem> problems;  ///< the first is the one to show
  std::string conflict;           ///< who else owns our env entries, as a sentence; empty when nobody does
};

}  // namespace gopacer
