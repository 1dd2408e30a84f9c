#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fakes/builders.h"
#include "gopacer/policy/rules.h"

namespace gopacer::worlds {

/// A pass of a profile whose target may be tuned and tried; members may be changed before facts().
struct World {
  Profile profile = builders::profile();
  bool profile_is_there = true;
  Workload target = builders::deployment();
  bool target_is_there = true;
  std::optional<Trial> trial;
  Facts facts;

  World() {
    facts.now = builders::kStart;
    facts.desired.key = profile.key;
    facts.desired.target_name = "checkout";
    facts.desired.container = "app";
    facts.observed.pods = {pod("stable", Track::kStable)};
  }

  static PodSeries pod(const std::string& name, Track track) {
    PodSeries series;
    series.pod = name;
    series.track = track;
    for (int i = 0; i < 2; ++i) {
      MemStats mem;
      mem.total_alloc = mib(100 * i);
      Sample sample;
      sample.at = builders::kStart + std::chrono::seconds(60 * i);
      sample.mem = mem;
      sample.profile.emplace();
      series.samples.push_back(sample);
    }
    return series;
  }

  void run_trial(TrialPhase phase) {
    trial = builders::trial(phase);
    profile.memory.active_trial = trial->key.name;
    facts.observed.pods.push_back(pod("canary", Track::kCanary));
    facts.observed.pods.push_back(pod("baseline", Track::kBaseline));
    if (phase == TrialPhase::kWatching || phase == TrialPhase::kRollingBack) {
      facts.desired.current = builders::new_settings();
    }
  }

  /// An arm's Deployment with these settings.
  static std::shared_ptr<const Workload> arm(const Settings& settings) {
    Workload workload = builders::deployment();
    const EnvText env = to_env(settings);
    if (env.gogc) workload.containers[0].env.push_back({kGogcVariable, *env.gogc});
    if (env.go_mem_limit) workload.containers[0].env.push_back({kGoMemLimitVariable, *env.go_mem_limit});
    return std::make_shared<Workload>(workload);
  }

  void add_pod(Track track, const std::string& reason, const std::string& message) {
    Pod pod;
    pod.key = {"shop", "of-" + std::to_string(static_cast<int>(track))};
    pod.phase = "Failed";
    pod.reason = reason;
    pod.message = message;
    facts.desired.pods.push_back({std::make_shared<Pod>(pod), track});
  }

  const Facts& read() {
    facts.desired.profile = profile_is_there ? std::make_shared<Profile>(profile) : nullptr;
    const bool has_target = target_is_there && !facts.desired.target_name.empty();
    facts.desired.target = has_target ? std::make_shared<Workload>(target) : nullptr;
    if (trial) facts.desired.trial = std::make_shared<Trial>(*trial);
    return facts;
  }

  std::vector<std::string> reasons(std::span<const policy::Rule> rules) {
    std::vector<std::string> out;
    for (const auto& against : policy::objections(rules, read())) out.push_back(against.reason());
    return out;
  }
  /// The words of the first objection.
  std::string words(std::span<const policy::Rule> rules) {
    const auto against = policy::first_objection(rules, read());
    return against ? against->message : "";
  }
};

}  // namespace gopacer::worlds
