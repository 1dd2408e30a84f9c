#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rollout/scene.h"

namespace gopacer::scenes {

/// A process of the target, as the agents tell of it.
struct LiveProcess {
  std::string uid;
  int restarts = 0;
  bool oom_killed = false;  ///< at the latest restart
  Time started = builders::kStart - std::chrono::hours(5);
  bool ready = true;
  std::optional<Settings> runs = Settings{Gogc(100), std::nullopt};  ///< none: the agent does not read it
  Time since;                                                        ///< when it began to run them
  bool obeys = true;                                                 ///< its agent does as the statuses say
  std::string error;
  explicit LiveProcess(std::string name) : uid(std::move(name)) {}
};

/// A profile with apply: Live, and the target's processes. What the operator writes is kept as the recorder keeps it.
struct LiveScene {
  Scene scene;
  Settings environment;  ///< in the pod template
  std::vector<LiveProcess> processes;
  /// The agents do as the statuses say.
  bool agents_obey = true;

  LiveScene() {
    scene.profile.spec.apply = ApplyMode::kLive;
    scene.decision = builders::change();
    for (const char* const uid : {"a", "b", "c"}) processes.push_back(LiveProcess(uid));
  }

  /// With a trial that has just entered `phase`; everything is as the agents had left it then.
  explicit LiveScene(TrialPhase phase) : LiveScene() {
    scene = in(phase);
    scene.profile.spec.apply = ApplyMode::kLive;
    scene.profile.memory.forget_applied();
    scene.arms_are_there = false;
    Trial& trial = *scene.trial;
    trial.spec.live = LivePlan{kBlock};
    trial.spec.canary.replicas = 2;
    trial.spec.canary.interval = 2 * kBlock;
    trial.status.warm_until.reset();
    scene.now = builders::entered(phase);
    if (phase == TrialPhase::kPending) return;
    trial.status.arm_pods = {"a", "b", "c"};
    if (phase == TrialPhase::kMeasuring) trial.status.live = LiveTurn{scene.now, 0, {"a"}, scene.now};
    if (phase == TrialPhase::kPromoting) trial.status.live = LiveTurn{scene.now, 9, {"a"}, scene.now};
    if (phase == TrialPhase::kWatching || phase == TrialPhase::kRollingBack) {
      keep(trial.spec.to);
    }
    obey();
  }

  /// As after a promotion: the agents keep these in force beside the template.
  void keep(const Settings& settings) {
    ProfileMemory& memory = scene.profile.memory;
    memory.applied = settings;
    memory.applied_beside = environment;
    memory.applied_uid = scene.target.uid;
    memory.applied_container = "app";
  }

  void of_replicas(int replicas) {
    Workload& target = scene.target;
    target.replicas = target.updated_replicas = target.available_replicas = target.total_replicas = replicas;
  }

  TrialStatus& status() { return scene.trial->status; }
  ProfileMemory& memory() { return scene.profile.memory; }

  Settings current() const {
    const Profile& profile = scene.profile;
    const bool live = profile.spec.apply == ApplyMode::kLive && profile.memory.applied_uid == scene.target.uid;
    return live ? in_force(profile.memory, environment) : environment;
  }

  Facts facts() const {
    Scene there = scene;
    there.current = environment;
    Facts facts = there.facts();
    Desired& desired = facts.desired;
    desired.canary = desired.baseline = nullptr;
    desired.environment = environment;
    desired.current = current();
    desired.own = own_of_applied(desired);
    desired.pods.clear();
    facts.observed.pods.clear();
    for (const LiveProcess& process : processes) {
      Pod pod;
      pod.key = {"shop", "checkout-" + process.uid};
      pod.uid = process.uid;
      pod.phase = "Running";
      pod.ready = process.ready;
      pod.states.emplace_back();
      pod.states.back().name = "app";
      pod.states.back().restarts = process.restarts;
      desired.pods.push_back({std::make_shared<Pod>(pod), Track::kStable});
      PodSeries series;
      series.pod = pod.key.name;
      series.uid = pod.uid;
      series.ready = process.ready;
      series.settings = desired.current;
      series.error = process.error;
      series.created = builders::kStart - std::chrono::hours(5);
      series.started = process.started;
      series.restarts = process.restarts;
      series.oom_killed = process.oom_killed;
      Sample sample;
      sample.at = scene.now;
      for (const Slo& slo : scene.profile.spec.slos) sample.latency[slo.name] = Histogram({{0.1, 0}});
      sample.mem.emplace();
      if (process.runs) {
        sample.process.emplace();
        sample.process->gogc = process.runs->gogc.value_or(Gogc(100));
        sample.process->go_mem_limit = process.runs->go_mem_limit;
        sample.process->cpu_seconds = 1;
        sample.process->gc_cpu_seconds = 0;
        Sample first = sample;
        first.at = std::max(process.since, scene.now - std::chrono::hours(1));
        if (first.at < scene.now) series.samples.push_back(first);
      }
      series.samples.push_back(sample);
      facts.observed.pods.push_back(std::move(series));
    }
    return facts;
  }

  Step step() const { return advance(facts()); }

  /// What is written of a step: the profile's memory first, then the trial's status.
  void write(const Step& step) {
    write_memory(step);
    if (step.trial) status() = *step.trial;
    if (step.kind == StepKind::kStartTrial) {
      Trial made;
      made.key = {"shop", memory().active_trial};
      made.uid = "trial-uid";
      made.created = scene.now;
      made.spec = *step.start;
      scene.trial = made;
    }
    if (step.kind == StepKind::kEnd) {
      scene.ended_trials.push_back(*scene.trial);
      scene.trial.reset();
    }
  }
  void write_memory(const Step& step) {
    if (step.memory) memory() = *step.memory;
  }

  /// What the agents do by the statuses that are written.
  void obey() {
    if (!agents_obey) return;
    const Settings usual = current();
    for (LiveProcess& process : processes) {
      if (!process.runs || !process.obeys) continue;
      const bool watched = scene.trial && scene.trial->status.phase == TrialPhase::kWatching;
      Settings ordered = usual;
      if (has_turn(process.uid, usual)) ordered = watched ? scene.trial->spec.from : scene.trial->spec.to;
      if (!ordered.gogc) ordered.gogc = Gogc(100);
      if (process.runs != ordered) process.since = scene.now;
      process.runs = ordered;
    }
  }

  /// One pass, the agents' work, and the time until the next pass.
  Step pass() {
    const Step taken = step();
    write(taken);
    obey();
    scene.now += taken.requeue_after;
    return taken;
  }

  /// Passes until the trial is over, or `done`.
  template <typename Done>
  bool run_until(const Done& done, Duration most = std::chrono::hours(3)) {
    const Time end = scene.now + most;
    while (!done()) {
      if (scene.now >= end) return false;
      pass();
    }
    return true;
  }
  bool run_to_the_end() {
    return run_until([&] { return !scene.trial; });
  }
  bool run_until_phase(TrialPhase phase) {
    return run_until([&] { return scene.trial && status().phase == phase; });
  }

  std::vector<std::string> uids_with(const Settings& settings) const {
    std::vector<std::string> uids;
    for (const LiveProcess& process : processes) {
      if (process.runs && about_equal(*process.runs, settings)) uids.push_back(process.uid);
    }
    return uids;
  }

  static constexpr Duration kBlock = std::chrono::seconds(10);

 private:
  bool has_turn(const std::string& uid, const Settings& usual) const {
    const Profile& profile = scene.profile;
    if (!scene.trial || !scene.trial->status.live || scene.trial->deleting) return false;
    const bool watched = scene.trial->status.phase == TrialPhase::kWatching;
    const Settings& rest = watched ? scene.trial->spec.to : scene.trial->spec.from;
    if (profile.spec.apply != ApplyMode::kLive || profile.spec.suspend || rest != usual) return false;
    if (profile.memory.active_trial != scene.trial->key.name) return false;
    const auto& pods = scene.trial->status.live->pods;
    return std::find(pods.begin(), pods.end(), uid) != pods.end();
  }
};

}  // namespace gopacer::scenes
