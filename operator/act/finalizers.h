#pragma once

#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/trial.h"

namespace gopacer {

class ApiServer;

/// Keeps objects from vanishing before what hangs on them is put in order. Thread-safe.
class Finalizers {
 public:
  explicit Finalizers(ApiServer& api) : api_(api) {}

  /// A profile with a running trial, or one that wants its settings released on deletion and `reverts` (somebody is
  /// there to do it), stays until that is done.
  /// Error kConflict: the finalizer was just changed; the pass has to go on with the new version.
  Result<void> keep(const Profile& profile, bool has_trial, bool reverts);
  /// Lets a profile that is being deleted go.
  Result<void> let_go(const Profile& profile);
  /// Lets an ended trial go whenever somebody deletes it.
  Result<void> let_go(const Trial& trial);

 private:
  ApiServer& api_;
};

}  // namespace gopacer
