#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "fakes/builders.h"
#include "gopacer/rollout/advance.h"

namespace gopacer::scenes {

/// Everything that one call of advance() looks at. Members may be changed before step().
struct Scene {
  Profile profile = builders::profile();
  bool profile_is_there = true;
  Workload target = builders::deployment();
  bool target_is_there = true;
  std::optional<Trial> trial;
  Settings current = builders::old_settings();
  bool pods_ready = true;
  bool collected = true;
  /// Of both arms; there are none once they are retired.
  bool arms_are_there = true;
  std::vector<OwnedPod> pods;
  std::vector<Trial> ended_trials;
  std::vector<Workload> leftovers;
  Decision decision = builders::keep();
  Verdict verdict = builders::undecided();
  Verdict guarded;
  Time now = builders::kStart;

  /// Somebody else owns one of our entries.
  void give_gogc_to(const std::string& manager) { target.env_owners.push_back({"app", "GOGC", manager}); }

  Facts facts() const {
    Facts facts;
    facts.now = now;
    Desired& desired = facts.desired;
    desired.key = profile.key;
    if (profile_is_there) desired.profile = std::make_shared<Profile>(profile);
    desired.target_name = target.key.name;
    if (target_is_there) desired.target = std::make_shared<Workload>(with_settings(target, current));
    if (trial) desired.trial = std::make_shared<Trial>(*trial);
    if (trial && arms_are_there) {
      const Workload arm = pods_ready ? builders::deployment() : builders::unsettled_deployment();
      desired.canary = std::make_shared<Workload>(with_settings(arm, trial->spec.to));
      desired.baseline = std::make_shared<Workload>(with_settings(arm, trial->spec.from));
    }
    for (const Trial& ended : ended_trials) desired.ended_trials.push_back(std::make_shared<Trial>(ended));
    for (const Workload& arm : leftovers) desired.leftovers.push_back(std::make_shared<Workload>(arm));
    desired.pods = pods;
    desired.container = "app";
    desired.environment = current;
    desired.current = current;
    facts.observed = observed();
    facts.decision = decision;
    facts.verdict = verdict;
    facts.guarded = guarded;
    return facts;
  }

  Step step() const { return advance(facts()); }

  /// The two passes that end a trial: the verdict is written down, then the trial is closed.
  Step end() {
    Step written = step();
    EXPECT_EQ(written.kind, StepKind::kHold) << written.message;
    if (!written.trial) return written;
    EXPECT_NE(written.trial->verdict, TrialVerdict::kNone) << written.message;
    EXPECT_EQ(written.trial->phase, trial->status.phase);
    trial->status = *written.trial;
    return step();
  }

 private:
  static Workload with_settings(Workload workload, const Settings& settings) {
    const EnvText env = to_env(settings);
    if (env.gogc) workload.containers.front().env.push_back({kGogcVariable, *env.gogc});
    if (env.go_mem_limit) workload.containers.front().env.push_back({kGoMemLimitVariable, *env.go_mem_limit});
    return workload;
  }

  inline static const std::map<double, double> kNoRequests{{0.1, 0}};

  /// A pod in each arm that went through some collections, and one of the target that tells collection's CPU.
  Observation observed() const {
    Observation out;
    for (const auto& [name, track] : {std::pair{"stable", Track::kStable}, std::pair{"canary", Track::kCanary},
                                      std::pair{"baseline", Track::kBaseline}}) {
      PodSeries pod;
      pod.pod = name;
      pod.track = track;
      pod.ready = true;
      MemStats mem;
      Sample sample;
      sample.at = now - std::chrono::seconds(10);
      sample.mem = mem;
      pod.samples.push_back(sample);
      mem.num_gc = collected ? 9 : 0;
      sample.at = now;
      sample.mem = mem;
      sample.profile.emplace();
      for (const Slo& slo : profile.spec.slos) sample.latency[slo.name] = Histogram(kNoRequests);
      pod.samples.push_back(sample);
      out.pods.push_back(pod);
    }
    return out;
  }
};

/// Long enough after the trial entered `phase` for one window, and for our own patch to show.
inline Scene in(TrialPhase phase) {
  Scene scene;
  scene.trial = builders::trial(phase);
  scene.now = builders::entered(phase) + std::chrono::seconds(20);
  scene.profile.memory.trial_count = 1;
  scene.profile.memory.active_trial = "checkout-1";
  const bool promoting = phase == TrialPhase::kPromoting;
  if (promoting || phase == TrialPhase::kWatching || phase == TrialPhase::kRollingBack) scene.arms_are_there = false;
  if (phase == TrialPhase::kWatching || phase == TrialPhase::kRollingBack) {
    scene.current = builders::new_settings();
    scene.profile.memory.applied = builders::new_settings();
  }
  return scene;
}

inline constexpr TrialPhase kBeforePromotion[] = {TrialPhase::kPending, TrialPhase::kWarmUp, TrialPhase::kMeasuring};

}  // namespace gopacer::scenes
