#pragma once

#include "gopacer/base/result.h"
#include "gopacer/domain/desired.h"

namespace gopacer {

class ApiServer;

/// The trial objects of a profile, as the API server has them now and not as a watch has seen them. Thread-safe.
class Trials {
 public:
  explicit Trials(ApiServer& api) : api_(api) {}

  /// No object has the name. Error kTerminal: one has.
  Result<void> check_free(const ObjectKey& trial);
  /// Creates the trial that the profile notes; success when it is there already as it should be. Error kTerminal:
  /// another object has its name.
  Result<void> start(const Desired& desired, const TrialSpec& spec);
  /// The trial has ended or is not there. Error kConflict: it runs, and will show in the watch.
  Result<void> check_over(const ObjectKey& trial);
  /// A running trial that the profile as we see it does not name is not named by the present one either. Error
  /// kConflict: it is.
  Result<void> check_unknown(const Desired& desired);

 private:
  ApiServer& api_;
};

}  // namespace gopacer
