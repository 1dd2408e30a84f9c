#pragma once

#include <vector>

#include "gopacer/rollout/pass.h"
#include "gopacer/simulate/rollout.h"

namespace gopacer::simulating {

/// The judges that others have. They look at the canary only, and at no window twice.
class OthersJudge {
 public:
  OthersJudge(SimulatedJudge kind, int tolerance_percent) : kind_(kind), tolerance_(tolerance_percent / 100.0) {}

  Verdict judge(const Facts& facts);

 private:
  void by_threshold(Verdict& verdict) const;

  SimulatedJudge kind_;
  double tolerance_;
  Time judged_at_;
  std::vector<double> canaries_;
  std::vector<double> baselines_;
};

}  // namespace gopacer::simulating
