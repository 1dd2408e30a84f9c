#pragma once

#include "gopacer/base/result.h"
#include "gopacer/domain/desired.h"

namespace gopacer {

class ApiServer;

/// A trial's two arms as Deployments beside the target. Thread-safe for different trials.
class Arms {
 public:
  explicit Arms(ApiServer& api) : api_(api) {}

  /// Makes sure that both are there, as large as the trial's step asks. Error kTerminal: the server refuses one, in its
  /// own words.
  Result<void> run(const Desired& desired);
  /// Deletes one of them; success when it is gone already. Error kTerminal: it is there, and somebody has changed it so
  /// that it is not the trial's any more.
  Result<void> retire(const Trial& trial, Track track);
  /// Deletes one that was left over.
  Result<void> remove(const Workload& arm);

 private:
  Result<void> run(const Desired& desired, Track track);
  Result<void> grow(const Workload& arm, const Trial& trial);

  ApiServer& api_;
};

}  // namespace gopacer
