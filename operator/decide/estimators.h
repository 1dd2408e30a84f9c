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
  /// It runs a GOGC that its environment does not ask for, and may heed the variable: a sentence; empty when it does
  /// not.
  std::string own_default;
};

/// Samples older than this say little of the present load.
inline constexpr Duration kLongestWindow = std::chrono::minutes(10);

/// Estimates what the model needs from the stable pods that run `current`, over the latest ten minutes without each
/// pod's warm-up.
///
/// A = ΔTotalAlloc/Δt; V = ΔTotalAlloc/ΔNumGC, or NextGC − M when the program forces collections;
/// M = (NextGC − γ·S)/(1 + γ) where GOGC rules, NextGC − V where GOMEMLIMIT does;
/// GC's CPU from CPU profiles, the runtime's own metrics or differences of GCCPUFraction, whichever is best;
/// m = GC's CPU / collections a second.
Estimation estimate(const ProfileSpec& spec, const Settings& current, const Observation& observed, Time now);

}  // namespace gopacer::deciding
