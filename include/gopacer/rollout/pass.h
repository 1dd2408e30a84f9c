#pragma once

#include "gopacer/policy/rules.h"

namespace gopacer {

/// The pure middle of a pass: each function puts what was read into the form that the next stage takes.

/// No decision where a rule stands against tuning the target.
Decision decide_on(const Facts& facts);

/// No verdict without a running trial. Before the measuring begins only hard stops count; after the promotion the
/// target's own pods are judged.
Verdict judge_trial(const Facts& facts);

/// How far back the guard looks in what the pods told; 0 without one.
Duration guarded_time(const Profile& profile);

/// On settings that earlier trials left in the target. No verdict where the profile does not ask for the guard, where
/// the target has nothing of ours, or where the running trial's watch looks at it.
Verdict judge_in_force(const Facts& facts);

}  // namespace gopacer
