#include "fakes/builders.h"

#include <algorithm>
#include <iterator>

namespace gopacer::builders {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Settings settings(std::optional<int> gogc, std::optional<Bytes> go_mem_limit) {
  Settings out;
  if (gogc) out.gogc = Gogc(*gogc);
  out.go_mem_limit = go_mem_limit;
  return out;
}

Settings new_settings() { return settings(200, mib(430)); }

Profile profile() {
  Profile out;
  out.key = {"shop", "checkout"};
  out.uid = "profile-uid";
  out.resource_version = "1";
  out.generation = 1;
  out.created = kStart - hours(1);
  out.spec.target = "checkout";
  out.spec.update_mode = UpdateMode::kCanary;
  out.spec.canary.warm_up = minutes(2);
  out.spec.canary.interval = seconds(15);
  out.spec.canary.max_duration = minutes(30);
  out.spec.rollback.watch_for = minutes(30);
  out.spec.rollback.cool_down = hours(6);
  return out;
}

Workload deployment() {
  Workload out;
  out.key = {"shop", "checkout"};
  out.uid = "target-uid";
  out.resource_version = "1";
  out.generation = out.observed_generation = 4;
  out.replicas = out.updated_replicas = out.available_replicas = out.total_replicas = 3;
  ContainerSpec container;
  container.name = "app";
  container.memory_limit = mib(512);
  out.containers.push_back(container);
  out.template_hash = "hash-1";
  return out;
}

Workload unsettled_deployment() {
  Workload out = deployment();
  out.updated_replicas = 1;
  return out;
}

Time entered(TrialPhase phase) {
  switch (phase) {
    case TrialPhase::kPending:
      return kStart;
    case TrialPhase::kWarmUp:
      return after(seconds(20));
    case TrialPhase::kMeasuring:
      return after(minutes(3));
    case TrialPhase::kPromoting:
      return after(minutes(10));
    case TrialPhase::kWatching:
      return after(minutes(11));
    case TrialPhase::kRollingBack:
      return after(minutes(15));
    case TrialPhase::kEnded:
      return after(minutes(45));
  }
  return kStart;
}

Trial trial(TrialPhase phase) {
  Trial out;
  out.key = {"shop", "checkout-1"};
  out.uid = "trial-uid";
  out.resource_version = "1";
  out.created = kStart;
  out.spec.profile = "checkout";
  out.spec.profile_uid = "profile-uid";
  out.spec.target.name = "checkout";
  out.spec.target.uid = "target-uid";
  out.spec.container = "app";
  out.spec.number = 1;
  out.spec.from = old_settings();
  out.spec.to = new_settings();
  out.spec.template_hash = "hash-1";
  out.spec.canary = profile().spec.canary;
  out.spec.watch_for = profile().spec.rollback.watch_for;
  out.spec.deadline = after(minutes(37));

  out.status.phase = phase;
  constexpr TrialPhase kOrder[] = {TrialPhase::kPending,   TrialPhase::kWarmUp,   TrialPhase::kMeasuring,
                                   TrialPhase::kPromoting, TrialPhase::kWatching, TrialPhase::kRollingBack,
                                   TrialPhase::kEnded};
  const auto reached = [&](TrialPhase other) {
    return phase != TrialPhase::kPending && std::find(std::begin(kOrder), std::end(kOrder), other) <=
                                                std::find(std::begin(kOrder), std::end(kOrder), phase);
  };
  for (const TrialPhase passed : {TrialPhase::kWarmUp, TrialPhase::kMeasuring, TrialPhase::kPromoting,
                                  TrialPhase::kWatching, TrialPhase::kRollingBack, TrialPhase::kEnded}) {
    if (reached(passed)) out.status.steps.push_back({entered(passed), passed, "entered " + to_string(passed)});
  }
  if (reached(TrialPhase::kWarmUp)) {
    out.status.started = kStart;
    out.status.warm_until = entered(TrialPhase::kWarmUp) + out.spec.canary.warm_up;
  }
  if (reached(TrialPhase::kMeasuring)) out.status.measuring_since = entered(TrialPhase::kMeasuring);
  if (reached(TrialPhase::kPromoting)) {
    out.status.verdict = TrialVerdict::kPromote;
    out.status.reason = "Better";
    out.status.message = "The canary is better.";
  }
  if (reached(TrialPhase::kWatching)) {
    out.status.promoted = entered(TrialPhase::kPromoting);
    out.status.watching_since = entered(TrialPhase::kWatching);
  }
  if (phase == TrialPhase::kRollingBack) {
    out.status.verdict = TrialVerdict::kNone;
    out.status.reason = "LatencyRegression";
    out.status.message = "It became slower.";
  }
  if (phase == TrialPhase::kEnded) out.status.ended = entered(TrialPhase::kEnded);
  return out;
}

Decision keep() {
  Decision out;
  out.kind = Decision::Kind::kKeep;
  out.reason = "GoodEnough";
  out.message = "Nothing is worth a restart.";
  return out;
}

Decision change(const Settings& settings) {
  Decision out;
  out.kind = Decision::Kind::kChange;
  out.settings = settings;
  out.reason = "Recommended";
  out.message = "Fewer collections would do.";
  out.binding = "objective";
  return out;
}

Verdict verdict(Outcome outcome, const std::string& reason, bool hard_stop) {
  Verdict out;
  out.outcome = outcome;
  out.hard_stop = hard_stop;
  out.reason = reason;
  out.message = "Because of " + reason + ".";
  return out;
}

}  // namespace gopacer::builders
