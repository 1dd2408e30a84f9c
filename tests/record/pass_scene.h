#pragma once

#include <memory>
#include <optional>

#include "fakes/builders.h"
#include "record/profile_status.h"

namespace gopacer {

/// The parts of one pass, which a test may change before it asks for the whole. By default an idle one: two pods of the
/// target were read, and nothing is worth a restart.
struct PassScene {
  Profile profile = builders::profile();
  Workload target = builders::deployment();
  Facts facts;
  Desired& desired = facts.desired;
  Observation& observed = facts.observed;
  Decision& decision = facts.decision;
  Verdict& verdict = facts.verdict;
  Time& now = facts.now;
  Step step;
  std::optional<Error> error;
  bool target_is_there = true;

  PassScene() {
    now = builders::kStart;
    decision = builders::keep();
    desired.key = profile.key;
    desired.target_name = "checkout";
    desired.container = "app";
    add_pod("checkout-a", "");
    add_pod("checkout-b", "");
    step.reason = decision.reason;
    step.message = decision.message;
  }

  void add_pod(const std::string& name, const std::string& error_of_pod, Track track = Track::kStable) {
    PodSeries pod;
    pod.pod = name;
    pod.track = track;
    pod.error = error_of_pod;
    Sample sample;
    sample.profile.emplace();
    if (error_of_pod.empty()) pod.samples.push_back(sample);
    observed.pods.push_back(pod);
  }

  /// A trial in `before`, which the step takes to `after`.
  void run_trial(TrialPhase before, TrialPhase after) {
    desired.trial = std::make_shared<Trial>(builders::trial(before));
    step.trial = builders::trial(after).status;
  }

  record::Pass pass() {
    desired.profile = std::make_shared<Profile>(profile);
    desired.target = target_is_there ? std::make_shared<Workload>(target) : nullptr;
    return record::Pass{facts, step, error};
  }
};

}  // namespace gopacer
