#include "control/observation_feed.h"

#include <algorithm>

#include "gopacer/rollout/pass.h"
#include "observe/scraper.h"

namespace gopacer {
namespace {

constexpr int kReadingsOfABlock = 8;

/// How often the pod is read for the sake of its turns; 0 where it takes none.
Duration reading_of_turns(const Trial* trial, const std::string& uid) {
  if (trial == nullptr || !trial->spec.live) return Duration(0);
  const TrialStatus& status = trial->status;
  const bool one_of_them =
      std::ranges::any_of(status.arm_pods, [&](const std::string& process) { return pod_of(process) == uid; }) ||
      (status.live && std::ranges::find(status.live->pods, uid) != status.live->pods.end());
  return one_of_them ? std::max<Duration>(trial->spec.live->block / kReadingsOfABlock, kShortestTurn) : Duration(0);
}

template <typename T>
const T* named(const std::vector<T>& all, const std::string& name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const T& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

PodTarget pod_target(const Pod& pod, const ContainerSpec& container) {
  PodTarget target;
  target.pod = pod.key;
  target.uid = pod.uid;
  target.created = pod.created.value_or(Time{});
  target.node = pod.node;
  target.container = container.name;
  target.ready = pod.ready;
  // What can't be read was already told of the target's template; the pod runs with whatever Go made of it.
  target.settings = readable_settings(env_of(container));
  target.memory_limit = container.memory_limit;
  target.cpu_limit = container.cpu_limit;
  if (const ContainerState* const state = named(pod.states, container.name)) {
    target.started = state->started.value_or(Time{});
    target.restarts = state->restarts;
    target.oom_killed = state->last_termination_reason == "OOMKilled";
  }
  return target;
}

ScrapePlan scrape_plan(const Desired& desired) {
  ScrapePlan plan;
  plan.in_trial = desired.trial != nullptr;
  if (desired.profile) {
    plan.target = desired.profile->spec.target;
    plan.endpoint = desired.profile->spec.metrics;
    plan.slos = desired.profile->spec.slos;
    plan.interval = plan.endpoint.interval;
    if (desired.profile->spec.apply == ApplyMode::kLive) plan.endpoint.source = RuntimeSource::kAgent;
    plan.keep = std::max(plan.keep, guarded_time(*desired.profile));
  }
  if (plan.in_trial) {
    plan.target = desired.trial->spec.target.name;
    plan.slos = desired.trial->spec.slos;
    plan.interval = std::min(plan.interval, desired.trial->spec.canary.interval);
    plan.profiling = Profiling::kTrial;
    // A window is the difference of two samples, of which the first may be up to two windows older.
    plan.keep = std::max(plan.keep, 4 * desired.trial->spec.canary.interval);
    // Eight are added up where requests are few; a period of turns is a window.
    if (const auto& live = desired.trial->spec.live) plan.keep = std::max(plan.keep, 10 * 2 * live->block);
  }
  // What it counts of collection is the same in both arms, and the program need not serve anything.
  if (plan.endpoint.source == RuntimeSource::kAgent && plan.in_trial) plan.profiling = Profiling::kNever;
  for (const Slo& slo : plan.slos) {
    // What is compared at once has to be there as a whole.
    if (const PrometheusQuery* const query = slo.query())
      plan.keep = std::max(plan.keep, 2 * query->window + 4 * plan.interval);
  }
  for (const auto& [pod, track] : desired.pods) {
    const ContainerSpec* const container = named(pod->containers, desired.container);
    if (container == nullptr || pod->deleting || pod->phase != "Running") continue;
    PodTarget target = pod_target(*pod, *container);
    if (pod->host_network && !plan.endpoint.allow_host_network) {
      target.unasked = pod->key.text() +
                       " uses its node's network (hostNetwork), so that a request would go to whatever listens at the "
                       "node's address: set spec.runtimeMetrics.allowHostNetwork: true if that is this program";
    } else {
      target.ip = pod->ip;
    }
    target.track = track;
    if (track == Track::kStable) target.settings = in_force(desired, *container);
    target.every = reading_of_turns(desired.trial.get(), pod->uid);
    plan.pods.push_back(std::move(target));
  }
  return plan;
}

void ObservationFeed::follow(const Desired& desired) {
  const bool wanted = desired.profile && !desired.profile->spec.suspend && !desired.container.empty() && !desired.rival;
  if (wanted || desired.trial) {
    scraper_.set_targets(desired.key, scrape_plan(desired));
  } else {
    scraper_.remove(desired.key);
  }
}

Observation ObservationFeed::snapshot(const ObjectKey& profile, Time now) const {
  Observation observed = scraper_.snapshot(profile, now);
  observed.long_row = long_row(profile, observed);
  return observed;
}

std::shared_ptr<const LongRow> ObservationFeed::long_row(const ObjectKey& profile, const Observation& observed) const {
  const std::lock_guard lock(mutex_);
  const auto known = long_rows_.find(profile);
  const bool has_one = known != long_rows_.end();
  if (has_one && !known->second->is_due(observed.at)) return known->second;
  const auto point = long_point(observed);
  if (!point) return has_one ? known->second : nullptr;
  // Passes may still look at the one before.
  auto row = has_one ? std::make_shared<LongRow>(*known->second) : std::make_shared<LongRow>();
  row->add(*point);
  long_rows_[profile] = row;
  return row;
}

void ObservationFeed::forget(const ObjectKey& profile) {
  scraper_.remove(profile);
  const std::lock_guard lock(mutex_);
  long_rows_.erase(profile);
}

}  // namespace gopacer
