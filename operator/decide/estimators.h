#pragma once

#include <optional>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/decide/decision.h"

namespace gopacer::deciding {

struct Estimation {
  /// Empty when nothing can be estimated yet.
  std::optional<Estimate> estimate;
  /// Why not, or what was seen that stands against trusting it; CamelCase and a sentence.
  std::string reason;
  std::string message;
  /// The program sets GOGC or its memory limit itself, whatever the environment says: a sentence; empty when it does
  /// not.
  std::string self_tuned;
  /// It may run settings of envFrom, which nobody tells and its collections contradict the env list: a sentence.
  std::string unknown_settings;
  /// It runs settings that its env list does not ask for, or may do so, and would heed the variables: a sentence; empty
  /// when it does not.
  std::string unasked;
};

/// Samples older than this say little of the present load.
inline constexpr Duration kLongestWindow = std::chrono::minutes(10);

/// Estimates what the model needs from the stable pods whose env list has `input.current`, over the latest ten minutes
/// without each pod's warm-up.
///
/// A = ΔTotalAlloc/Δt; V = ΔTotalAlloc/ΔNumGC, or NextGC − M when the program forces collections;
/// M = (NextGC − γ·S)/(1 + γ) where GOGC rules, NextGC − V where GOMEMLIMIT does;
/// GC's CPU from CPU profiles, the runtime's own metrics or differences of GCCPUFraction, whichever is best;
/// m = GC's CPU / collections a second.
Estimation estimate(const DecideInput& input, Time now);

}  // namespace gopacer::deciding
