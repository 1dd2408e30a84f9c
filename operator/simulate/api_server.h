#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/trial.h"
#include "gopacer/domain/workload.h"

namespace gopacer::simulating {

/// All that outlives an operator. What is there never changes: another one takes its place, so that a picture of it
/// stays what it was, and one of the same address is of the same version.
struct Objects {
  std::shared_ptr<const Profile> profile;
  std::shared_ptr<const Workload> target;
  std::vector<std::shared_ptr<const Trial>> trials;  ///< oldest first
  std::shared_ptr<const Workload> canary;
  std::shared_ptr<const Workload> baseline;

  std::shared_ptr<const Workload>& arm(Track track) { return track == Track::kCanary ? canary : baseline; }
  const std::shared_ptr<const Workload>& arm(Track track) const { return track == Track::kCanary ? canary : baseline; }
  /// The last one that has not ended; null when all have.
  std::shared_ptr<const Trial> running_trial() const;
};

/// What becomes of one write.
enum class Accident {
  kNone,
  kFailed,      ///< it was not done, and may go well next time
  kRefused,     ///< it was not done, and a webhook or a quota is said to stand against it
  kAnswerLost,  ///< it was done, and fails all the same
  kDeath,       ///< it was done, and the operator has died before it knew
};

/// The part of a Kubernetes API server that an operator's writes need: the preconditions of each, and field ownership.
/// What each write does is what operator/act, apply and record do with the real one.
class ApiServer {
 public:
  Objects objects;
  /// Asked at each write of the operator's; whether it is one to the target.
  std::function<Accident(bool of_target)> accident = [](bool) { return Accident::kNone; };
  /// Told after each that was done, with what was there before.
  std::function<void(const Objects& before)> on_write = [](const Objects&) {};

  /// An operator that has died sends nothing any more. True until the next one begins.
  bool operator_is_dead() const { return dead_; }
  void begin_operator() { dead_ = false; }

  // --- The operator's writes. Each errs when the operator is dead.
  Result<void> create_trial(const TrialSpec& spec, Time now);
  Result<void> create_arm(const Trial& trial, Track track);
  Result<void> remove_arm(Track track, const std::string& trial_uid);
  /// Gives the target's generation after it. Only onto the settings and the template of `seen`; never forced.
  Result<std::int64_t> put_settings(const Workload& seen, const Settings& settings);
  Result<void> write_memory(const std::shared_ptr<const Profile>& seen, const ProfileMemory& memory);
  Result<void> write_status(const std::shared_ptr<const Trial>& seen, const TrialStatus& status);

  // --- What others do.
  template <typename Edit>
  void edit_profile(const Edit& edit) {
    objects.profile = edited(*objects.profile, edit);
  }
  template <typename Edit>
  void edit_target(const Edit& edit) {
    objects.target = edited(*objects.target, edit);
  }
  template <typename Edit>
  void edit_trial(const std::shared_ptr<const Trial>& trial, const Edit& edit) {
    for (auto& one : objects.trials) {
      if (one == trial) one = edited(*one, edit);
    }
  }

 private:
  template <typename Object, typename Edit>
  static std::shared_ptr<const Object> edited(Object object, const Edit& edit) {
    edit(object);
    return std::make_shared<const Object>(std::move(object));
  }
  enum class Kind { kTarget, kMade, kNoted };
  Result<void> write(Kind kind, const std::function<Result<void>()>& effect);

  bool dead_ = false;
  int uids_ = 0;
};

/// The settings of the workload's one container.
Settings settings_of(const Workload& workload);

/// What the target's processes are to run with: the same, or what the agents keep in force.
Settings settings_now(const Objects& objects);

/// Who has set the variable: a field manager; empty: it is as it was when the workload was made.
std::string owner_of(const Workload& workload, const char* variable);

/// Puts both variables in, and notes `manager` at each that changes. One that is taken away has no owner.
void set_settings(Workload& workload, const Settings& settings, const std::string& manager);

/// With one container.
Workload new_workload(const std::string& name, const std::string& uid, int replicas);

}  // namespace gopacer::simulating
