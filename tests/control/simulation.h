#pragma once

#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "apply/deployment_env.h"
#include "codec/resources.h"
#include "control/reconciler.h"
#include "fakes/accident_prone_api_server.h"
#include "fakes/crd_schema.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_cluster_view.h"
#include "fakes/fake_observations.h"
#include "fakes/objects.h"
#include "fakes/recorded_events.h"
#include "record/operator_metrics.h"
#include "record/recorder.h"

namespace gopacer {

inline constexpr Time kBegin{std::chrono::seconds(1714557600)};

/// An operator that runs on a cluster in memory, on simulated time. Everything in it is real but the cluster, the pods'
/// samples and the clock. The cluster knows our kinds as a real one does: it fills in their defaults and drops what
/// their schemas lack.
struct Simulation {
  using json = nlohmann::json;

  FakeClock clock{kBegin};
  FakeApiServer api;
  AccidentProneApiServer connection{api};
  FakeObservations observations{api, clock};
  FakeClusterView view;
  RecordedEvents events;

  /// What is lost when the operator's process dies.
  struct Process {
    OperatorMetrics metrics;
    DeploymentEnv applier;
    Actor actor;
    Recorder recorder;
    Reconciler reconciler;
    explicit Process(Simulation& in)
        : applier(in.connection),
          actor(in.connection, applier),
          recorder(in.connection, in.events, metrics),
          reconciler(in.view, in.observations, actor, recorder, metrics, in.clock) {}
  };
  std::unique_ptr<Process> process;

  bool restart_before_each_pass = false;
  /// Plural of the kind whose watch shows changes only in every third pass.
  std::string late;
  /// Time that the kubelets need to do what a Deployment asks.
  Duration rollout_time = std::chrono::seconds(4);
  /// Calls in which an accident is most telling: the first of each kind in each phase of the trial.
  std::vector<int> telling_calls;
  int passes = 0;
  int failed_passes = 0;
  int deaths = 0;
  /// Times that Deployments were gone at last: delete_deployments_slowly().
  int slow_deletions = 0;

  explicit Simulation(const json& profile = objects::profile_object()) {
    for (const ResourceType& type : {resources::kProfiles, resources::kTrials}) {
      api.use_schema(type.plural, schema_of(type.plural));
    }
    api.set_now(clock.now());
    objects::deploy(api);
    if (!api.create(resources::kProfiles, "shop", profile)) throw std::logic_error("no profile");
    observations.follow_cluster();
    process = std::make_unique<Process>(*this);
  }

  /// From now on a Deployment that is deleted is there for `time` more, as when its deletion waits for its pods.
  void delete_deployments_slowly(Duration time) {
    api.delete_slowly(resources::kDeployments.plural);
    deletion_time_ = time;
  }

  /// One pass, and the time until the next one.
  void pass() {
    ++passes;
    if (restart_before_each_pass) process = std::make_unique<Process>(*this);
    const auto shows = [&](const ResourceType& type) { return type.plural != late || passes % 3 == 1; };
    if (shows(resources::kProfiles)) view.see_profiles(api);
    if (shows(resources::kDeployments)) {
      view.see_deployments(api);
      view.see_pods_of_deployments();
    }
    if (shows(resources::kTrials)) view.see_trials(api);
    const std::string phase = trial_phase();
    const int calls_before = connection.calls();
    Requeue requeue;
    try {
      requeue = process->reconciler.reconcile(objects::kProfile);
    } catch (const Death&) {
      ++deaths;
      process = std::make_unique<Process>(*this);
      requeue = {std::chrono::seconds(2), true};
    }
    for (int call = calls_before; call < connection.calls(); ++call) {
      if (seen_.insert(phase + connection.log()[static_cast<std::size_t>(call)]).second) telling_calls.push_back(call);
    }
    if (requeue.failed) {
      ++failed_passes;
      requeue.after = std::max<Duration>(requeue.after, std::chrono::milliseconds(200));
    }
    clock.advance(std::clamp<Duration>(requeue.after, std::chrono::milliseconds(50), std::chrono::seconds(5)));
    api.set_now(clock.now());
    if (deletion_time_ > Duration(0) && !marked_since_ && is_marked()) marked_since_ = clock.now();
    if (marked_since_ && clock.now() - *marked_since_ >= deletion_time_) {
      api.finish_deletions();
      ++slow_deletions;
      marked_since_.reset();
    }
    observations.follow_cluster();
    if (!unsettled_since_ && is_unsettled()) unsettled_since_ = clock.now();
    if (unsettled_since_ && clock.now() - *unsettled_since_ >= rollout_time) {
      objects::settle_deployments(api);
      unsettled_since_.reset();
    }
  }

  /// Passes until `done`, for `most` of simulated time; false when the time is over.
  template <typename Done>
  bool run_until(const Done& done, Duration most = std::chrono::minutes(12)) {
    const Time end = clock.now() + most;
    while (!done()) {
      if (clock.now() >= end) return false;
      pass();
    }
    return true;
  }
  void run_for(Duration time) {
    run_until([] { return false; }, time);
  }

  json target() { return api.peek(objects::deployment_path(objects::kTarget)); }
  json profile() { return api.peek(objects::profile_path()); }
  json trial(int number = 1) { return api.peek(objects::trial_path({"shop", "checkout-" + std::to_string(number)})); }
  std::string trial_phase(int number = 1) {
    const json object = trial(number);
    return object.is_null() ? "" : object.value("status", json::object()).value("phase", "");
  }
  std::string trial_verdict(int number = 1) { return trial(number)["status"].value("verdict", ""); }
  std::string gogc() { return objects::env_value(target(), "GOGC"); }
  bool canary_is_there() { return !api.peek(objects::deployment_path(objects::kCanary)).is_null(); }
  bool arms_are_there() { return canary_is_there() || baseline_is_there(); }
  bool baseline_is_there() { return !api.peek(objects::deployment_path(objects::kBaseline)).is_null(); }
  bool trial_is_in(const std::string& phase, int number = 1) { return trial_phase(number) == phase; }
  bool run_until_phase(const std::string& phase, int number = 1) {
    return run_until([&] { return trial_is_in(phase, number); });
  }

  /// As a person: kubectl apply of a change to the profile's spec.
  void change_profile(const json& spec) {
    if (!api.merge_patch(objects::profile_path(), {{"spec", spec}}, "")) throw std::logic_error("no profile");
  }
  /// As a person: kubectl set image, kubectl set env and so on.
  void change_target(const std::string& manager, const json& container) {
    json document = json::parse(R"({"spec": {"template": {"spec": {"containers": []}}}})");
    document["spec"]["template"]["spec"]["containers"].push_back(container);
    api.apply_as(manager, objects::deployment_path(objects::kTarget), document);
  }

 private:
  /// Read once: it takes longer than most of what a test does.
  static const json& schema_of(const std::string& plural) {
    static std::map<std::string, json> read;
    const auto [at, is_new] = read.try_emplace(plural);
    if (is_new) at->second = crds::schema_of(plural);
    return at->second;
  }

  /// A Deployment is being deleted.
  bool is_marked() {
    for (const json& object : objects::all(api, resources::kDeployments)) {
      if (object["metadata"].contains("deletionTimestamp")) return true;
    }
    return false;
  }
  bool is_unsettled() {
    for (const json& object : objects::all(api, resources::kDeployments)) {
      const json status = object.value("status", json::object());
      if (status.value("observedGeneration", 0) != object["metadata"]["generation"]) return true;
    }
    return false;
  }

  std::optional<Time> unsettled_since_;
  Duration deletion_time_{0};
  std::optional<Time> marked_since_;
  std::set<std::string> seen_;  ///< kinds of calls by phase
};

}  // namespace gopacer
