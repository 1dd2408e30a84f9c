#pragma once

#include <optional>

#include "gopacer/base/result.h"
#include "gopacer/domain/desired.h"
#include "gopacer/rollout/advance.h"

namespace gopacer {

class ApiServer;

/// What became of a step. On an error the step counts as not taken, and is tried again.
struct ActResult {
  std::optional<Error> error;
  bool done() const { return !error.has_value(); }
};

/// Carries out steps. Every step may be repeated after a crash at any point of it.
/// Thread-safe for different profiles.
class Actor {
 public:
  explicit Actor(ApiServer& api) : api_(api) {}

  ActResult perform(const Desired& desired, const Step& step);

 private:
  Result<void> start_trial(const Desired& desired, const TrialSpec& spec);
  Result<void> run_track(const Desired& desired, Track track, const std::shared_ptr<const Deployment>& known);
  Result<void> run_canary(const Desired& desired);
  Result<void> retire_canary(const Trial& trial);
  Result<void> put_settings(const Desired& desired, const Settings& settings, const std::string& change_cause);
  Result<void> revert(const Desired& desired);
  Result<void> set_finalizer(const Profile& profile, bool wanted);
  Result<void> guard(const Profile& profile);

  ApiServer& api_;
};

}  // namespace gopacer
