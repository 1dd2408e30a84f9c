#include <algorithm>
#include <cmath>

#include "decide/estimators.h"
#include "decide/guards.h"
#include "decide/physics.h"
#include "decide/strategies.h"
#include "gopacer/decide/decision.h"

namespace gopacer {
namespace {

/// After so many misses the model does not understand this service.
constexpr int kMissesAllowed = 2;
constexpr double kPredictionTolerance = 0.25;
/// A change that memory can't wait for is kept back only so long: without it one trial that ends without a verdict
/// would follow the other.
constexpr Duration kUrgentCoolDown = std::chrono::minutes(10);
/// Of the container's CPU.
constexpr double kNoise = 0.01;

/// A change that may not be made now stays visible as a recommendation.
void hold_back(Decision& decision, const Settings& current, std::string reason, const std::string& why) {
  decision.kind = Decision::Kind::kKeep;
  decision.recommended = decision.settings;
  decision.settings = current;
  decision.reason = std::move(reason);
  decision.message = why + " " + decision.message;
}

/// A ballast is as large as the heap that it replaces: its GOGC times two would be more than anybody means.
std::string ballast_text(const Estimate& estimate) {
  return "Of the live heap of " + format_bytes(estimate.live_heap) + ", " + format_bytes(estimate.ballast) +
         " were never touched: a ballast, which makes collections rarer by making the heap look larger. Remove it and "
         "use GOMEMLIMIT, which does the same: gopacer recommends one for the heap that is left. (A large buffer that "
         "is still to be filled looks the same: then wait until it is.)";
}

/// When the next trial may begin; none: at any time. What is left of a short pause, after a refusal, is waited for
/// whatever the matter.
std::optional<Time> next_trial(const DecideInput& input, bool urgent, Time now) {
  const std::optional<Time> until = input.memory.cool_down_until;
  const Duration cool_down = input.spec.rollback.cool_down;
  // Without trials it is the guard's word alone, and holds as long as it says.
  if (input.spec.update_mode == UpdateMode::kContinuous) return until;
  if (!until || !urgent || cool_down <= kUrgentCoolDown || *until - now <= kUrgentCoolDown) return until;
  return *until - (cool_down - kUrgentCoolDown);
}

}  // namespace

Decision decide(const DecideInput& input, Time now) {
  Decision decision;
  decision.settings = input.current;

  // 1. Is there anything to decide on?
  if (!input.under_way.empty()) {
    decision.reason = "TargetNotSettled";
    decision.message = input.under_way + " Its pods are measured once that is done.";
    return decision;
  }
  const deciding::Estimation estimation = deciding::estimate(input, now);
  if (!estimation.estimate) {
    decision.reason = estimation.reason;
    decision.message = estimation.message;
    if (estimation.reason == "Idle") decision.kind = Decision::Kind::kKeep;
    return decision;
  }
  decision.estimate = estimation.estimate;

  // 2. Does anything stand against tuning this target at all?
  if (!estimation.self_tuned.empty()) {
    decision.kind = Decision::Kind::kRefuse;
    decision.reason = "SelfTuned";
    decision.message = estimation.self_tuned;
    return decision;
  }
  // A person's settings are tried beside what the pods run, whatever that is.
  if (!estimation.unknown_settings.empty() && input.spec.strategy != Strategy::kFixed) {
    decision.kind = Decision::Kind::kRefuse;
    decision.reason = "SettingsUnknown";
    decision.message = estimation.unknown_settings;
    return decision;
  }
  if (decision.estimate->ballast > Bytes(0) && input.spec.strategy != Strategy::kFixed) {
    decision.kind = Decision::Kind::kRefuse;
    decision.reason = "Ballast";
    decision.message = ballast_text(*decision.estimate);
    return decision;
  }
  if (!estimation.reason.empty()) {
    decision.reason = estimation.reason;
    decision.message = estimation.message;
    return decision;
  }

  // 3. What should the settings be?
  const deciding::Physics physics(*decision.estimate);
  switch (input.spec.strategy) {
    case Strategy::kModel:
      deciding::decide_by_model(input, physics, decision);
      break;
    case Strategy::kFixed:
      deciding::decide_fixed(input, physics, decision);
      break;
    case Strategy::kLatencyMemoryRate:
    case Strategy::kTwoFactor:
    case Strategy::kPauseFeedback:
    case Strategy::kWaterLevel:
      deciding::decide_by_formula(input, physics, now, decision);
      break;
  }
  const std::string& note = estimation.unknown_settings.empty() ? estimation.unasked : estimation.unknown_settings;
  if (!note.empty()) decision.message += " " + note;
  if (decision.kind != Decision::Kind::kChange) return decision;

  // 4. May they be tried now?
  const std::optional<Time> from = next_trial(input, decision.urgent, now);
  const int misses = input.memory.missed_on(input.template_hash);
  if (input.spec.strategy == Strategy::kModel && misses >= kMissesAllowed && !decision.urgent) {
    hold_back(
        decision, input.current, "PredictionsMissed",
        "The model's last " + std::to_string(misses) +
            " predictions were off by more than a quarter: gopacer only observes this service. Settings of your own go "
            "with strategy Fixed. The model would set:");
  } else if (from && now < *from) {
    hold_back(
        decision, input.current, "CoolDown",
        std::string(input.spec.update_mode == UpdateMode::kContinuous ? "Nothing is changed" : "No trial begins") +
            " before " + format_time(*from) + " (rollback.coolDown). Next:");
  }
  return decision;
}

bool prediction_missed(const Prediction& predicted, const Estimate& seen) {
  const auto off = [](double expected, double found) {
    return std::abs(found - expected) > kPredictionTolerance * expected;
  };
  const bool share_off = off(predicted.gc_cpu_fraction, seen.gc_cpu_fraction) &&
                         std::abs(predicted.gc_cpu_fraction - seen.gc_cpu_fraction) > kNoise;
  return share_off || off(predicted.cycle_volume.value(), seen.cycle_volume.value());
}

std::string to_string(Decision::Kind kind) {
  switch (kind) {
    case Decision::Kind::kNoData:
      return "NoData";
    case Decision::Kind::kKeep:
      return "Keep";
    case Decision::Kind::kChange:
      return "Change";
    case Decision::Kind::kRefuse:
      return "Refuse";
  }
  return {};
}

}  // namespace gopacer
