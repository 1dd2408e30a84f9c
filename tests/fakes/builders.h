#pragma once

#include <optional>

#include "gopacer/decide/decision.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/trial.h"
#include "gopacer/judge/verdict.h"
#include "gopacer/rollout/advance.h"

/// Values with sane defaults: profile shop/checkout tunes Deployment shop/checkout, which has one container, app. A
/// test changes what it is about.
namespace gopacer::builders {

inline const Time kStart{std::chrono::seconds(1714557600)};  // 2024-05-01T10:00:00Z

/// That long after kStart.
inline Time after(Duration duration) { return kStart + duration; }

Settings settings(std::optional<int> gogc, std::optional<Bytes> go_mem_limit = std::nullopt);
/// What the target has before: Go's defaults.
inline Settings old_settings() { return {}; }
/// What is tried: GOGC=200 GOMEMLIMIT=430MiB.
Settings new_settings();

/// In mode Canary; warm-up 2m, windows of 15s, at most 30m; watch 30m; cool-down 6h.
Profile profile();
/// Three replicas, all of them there and up to date.
Workload deployment();
/// The target of `deployment()` with its own pods in the middle of a rollout.
Workload unsettled_deployment();

/// A trial of new_settings() as its status has it when it has just entered `phase`; begun at kStart.
Trial trial(TrialPhase phase);
/// When `trial(phase)` entered its phase.
Time entered(TrialPhase phase);

Decision keep();
Decision change(const Settings& settings = new_settings());
Verdict verdict(Outcome outcome, const std::string& reason, bool hard_stop = false);
inline Verdict better() { return verdict(Outcome::kBetter, "Better"); }
inline Verdict worse() { return verdict(Outcome::kWorse, "LatencyRegression"); }
inline Verdict hard_stop() { return verdict(Outcome::kWorse, "OOMKilled", true); }
inline Verdict undecided() { return verdict(Outcome::kUndecided, "Measuring"); }
inline Verdict no_data() { return verdict(Outcome::kNoData, "NoData"); }

}  // namespace gopacer::builders
