#pragma once

#include "gopacer/decide/decision.h"
#include "gopacer/domain/desired.h"
#include "gopacer/domain/sample.h"
#include "gopacer/judge/verdict.h"
#include "gopacer/rollout/advance.h"

namespace gopacer {

/// The pure middle of a pass: each function puts what was read into the form that the next stage takes.

/// No decision where something stands against tuning the target.
Decision decide_on(const Desired& desired, const Observation& observed, Time now);

/// No verdict without a running trial. Before the measuring begins only hard stops count; after the promotion the
/// target's own pods are judged.
Verdict judge_trial(const Desired& desired, const Observation& observed, Time now);

Situation situation_of(const Desired& desired, const Observation& observed);

}  // namespace gopacer
