#include "fakes/fake_observations.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "codec/profile.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "fakes/objects.h"

namespace gopacer {
namespace {

constexpr double kMedianSeconds = 0.010;
constexpr double kSigma = 0.5;
constexpr Duration kEvery = std::chrono::seconds(5);
constexpr Duration kKept = std::chrono::minutes(3);
/// What the agents read, and for how long that is kept.
constexpr Duration kLiveEvery = std::chrono::seconds(1);
constexpr Duration kLiveKept = std::chrono::minutes(4);
/// The target's pods were there long before the test began.
constexpr Duration kAge = std::chrono::minutes(30);

/// Log-normal service times in buckets from 1 ms on, in steps of 50 %.
Histogram latency(const std::map<double, double>& requests_by_slowdown) {
  std::map<double, double> cumulative;
  double total = 0;
  for (const auto& [slower, requests] : requests_by_slowdown) total += requests;
  double bound = 0.001;
  for (int i = 0; i < 15; ++i, bound *= 1.5) {
    double& count = cumulative[bound];
    for (const auto& [slower, requests] : requests_by_slowdown) {
      count += requests * 0.5 * std::erfc(-std::log(bound / (kMedianSeconds * slower)) / (kSigma * std::sqrt(2.0)));
    }
  }
  cumulative[std::numeric_limits<double>::infinity()] = total;
  return Histogram(cumulative);
}

}  // namespace

void FakeObservations::follow_cluster() {
  if (agents) follow_agents();
  std::map<std::string, Pods> now;
  for (const nlohmann::json& object : objects::all(api_, resources::kDeployments)) {
    const nlohmann::json& metadata = object["metadata"];
    Pods pods;
    pods.uid = metadata["uid"];
    pods.settings = *parse_settings({objects::env_value(object, "GOGC"), objects::env_value(object, "GOMEMLIMIT")});
    const std::string name = metadata["name"];
    const auto known = pods_.find(name);
    if (known != pods_.end() && known->second.uid == pods.uid && known->second.settings == pods.settings) {
      pods = std::move(known->second);
    } else {
      const std::string track = metadata.value("labels", nlohmann::json::object()).value(kTrackLabel, "");
      pods.track = track == "canary" ? Track::kCanary : track == "baseline" ? Track::kBaseline : Track::kStable;
      pods.started = pods_.empty() ? clock_.now() - kAge : clock_.now();
    }
    pods.replicas = object["spec"].value("replicas", 1);
    read(pods);
    now[name] = std::move(pods);
  }
  pods_ = std::move(now);
}

int FakeObservations::processes_with(const std::function<bool(const Gogc&)>& gogc) const {
  return static_cast<int>(std::count_if(processes_.begin(), processes_.end(), [&](const Process& process) {
    return gogc(process.runs.gogc.value_or(Gogc(100)));
  }));
}

void FakeObservations::follow_agents() {
  const nlohmann::json target = api_.peek(objects::deployment_path(objects::kTarget));
  const std::string generation =
      target["metadata"]["uid"].get<std::string>() + "-" + std::to_string(target["metadata"]["generation"].get<int>());
  const Settings environment =
      *parse_settings({objects::env_value(target, "GOGC"), objects::env_value(target, "GOMEMLIMIT")});
  const bool first = processes_.empty();
  // A changed template makes new pods.
  if (!first && !processes_.front().uid.starts_with(generation)) processes_.clear();
  const auto replicas = static_cast<std::size_t>(target["spec"].value("replicas", 1));
  while (processes_.size() < replicas) {
    Process process;
    process.uid = generation + "-" + std::to_string(processes_.size());
    process.runs = environment;
    process.read = clock_.now();
    process.started = first ? clock_.now() - kAge : clock_.now();
    process.collections = first ? 100 : 0;
    processes_.push_back(std::move(process));
  }
  for (Process& process : processes_) {
    while (process.read + kLiveEvery <= clock_.now()) live_on(process, process.read + kLiveEvery);
    process.runs = ordered(process, environment);
  }
}

Settings FakeObservations::ordered(const Process& process, const Settings& environment) {
  usual_ = environment;
  const nlohmann::json object = api_.peek(objects::profile_path());
  if (object.is_null()) return environment;
  const Profile profile = *codec::decode_profile(object);
  if (profile.spec.apply != ApplyMode::kLive || profile.deleting) return environment;
  usual_ = in_force(profile.memory, environment);
  const nlohmann::json made = api_.peek(objects::trial_path({"shop", profile.memory.active_trial}));
  if (made.is_null() || profile.spec.suspend) return usual_;
  if (const nlohmann::json status = made.value("status", nlohmann::json()); !word_ || *word_ != status) {
    word_ = status;
    heard_ = clock_.now();
  }
  const Trial trial = *codec::decode_trial(made);
  const bool may_try = trial.status.live && !trial.deleting && trial.running() && trial.spec.from == usual_;
  if (!may_try || clock_.now() - heard_ > kLiveLease) return usual_;
  const auto& pods = trial.status.live->pods;
  return std::find(pods.begin(), pods.end(), process.uid) != pods.end() ? trial.spec.to : usual_;
}

/// Under the settings that it runs with until then, and read at the end.
void FakeObservations::live_on(Process& process, Time to) const {
  testing::GoService like = service;
  like.settings = process.runs;
  like.profiles = false;
  const double seconds = to_seconds(to - process.read);
  process.cpu_seconds += like.work_cores * seconds;
  for (double left = like.alloc_rate * seconds; left > 0;) {
    const double done = std::min(left, process.to_next);
    process.allocated += done;
    process.to_next -= done;
    left -= done;
    if (process.to_next > 0) continue;
    process.to_next = like.volume();
    if (done <= 0) continue;  // the first one
    ++process.collections;
    process.cpu_seconds += like.gc_seconds_per_cycle;
    process.gc_seconds += like.gc_seconds_per_cycle;
    process.pauses.push_back(
        {to - Duration(static_cast<std::int64_t>(left / like.alloc_rate * 1e9)), std::chrono::microseconds(100)});
    if (process.pauses.size() > 64) process.pauses.erase(process.pauses.begin());
  }
  process.requests_by_slowdown[slowdown(Track::kStable, process.runs, to)] += requests_per_second * seconds;
  process.read = to;
  Sample sample = like.sample(to, to_seconds(to - process.started));
  sample.mem->total_alloc = Bytes::of(process.allocated);
  sample.mem->num_gc = process.collections;
  sample.mem->pauses = process.pauses;
  ProcessMetrics& told = sample.process.emplace();
  told.gogc = process.runs.gogc.value_or(Gogc(100));
  told.go_mem_limit = process.runs.go_mem_limit;
  told.max_procs = 4;
  told.cpu_seconds = process.cpu_seconds;
  told.gc_cpu_seconds = process.gc_seconds;
  if (sample.usage) sample.usage->cpu_seconds = process.cpu_seconds;
  for (const std::string& slo : slos) sample.latency[slo] = latency(process.requests_by_slowdown);
  process.samples.push_back(std::move(sample));
  process.samples.erase_if([&](const Sample& kept) { return to - kept.at > kLiveKept; });
}

void FakeObservations::read(Pods& pods) const {
  testing::GoService like = service;
  like.settings = pods.settings;
  for (; pods.started + pods.readings * kEvery <= clock_.now(); ++pods.readings) {
    const Duration age = pods.readings * kEvery;
    const Time at = pods.started + age;
    // A pod that becomes slower adds slower requests to the ones that it has counted.
    if (pods.readings > 0) {
      pods.requests_by_slowdown[slowdown(pods.track, pods.settings, at)] += requests_per_second * to_seconds(kEvery);
    }
    if (clock_.now() - at > kKept) continue;
    Sample sample = like.sample(at, to_seconds(age));
    for (const std::string& slo : slos) sample.latency[slo] = latency(pods.requests_by_slowdown);
    pods.samples.push_back(std::move(sample));
  }
  pods.samples.erase_if([&](const Sample& sample) { return clock_.now() - sample.at > kKept; });
}

Observation FakeObservations::snapshot(const ObjectKey&, Time now) const {
  Observation observed;
  observed.at = now;
  observed.container_source = "kubelet";
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    const Process& process = processes_[i];
    PodSeries series;
    series.pod = "checkout-" + std::to_string(i);
    series.uid = process.uid;
    series.ready = true;
    series.created = series.started = process.started;
    series.settings = usual_;
    series.memory_limit = service.container;
    series.cpu_limit = 4;
    if (readable) series.samples = process.samples;
    if (!readable) series.error = "no agent is ready on the node of pod shop/" + series.pod;
    observed.pods.push_back(std::move(series));
  }
  if (agents) return observed;
  for (const auto& [deployment, pods] : pods_) {
    for (int i = 0; i < pods.replicas; ++i) {
      PodSeries series;
      series.pod = deployment + "-" + std::to_string(i);
      series.track = pods.track;
      series.ready = true;
      series.started = pods.started;
      series.settings = pods.settings;
      series.memory_limit = service.container;
      series.cpu_limit = 4;
      if (pods.track == Track::kCanary && canary_was_oom_killed) {
        series.restarts = 1;
        series.oom_killed = true;
      }
      if (readable) {
        series.samples = pods.samples;
      } else {
        series.error = "pod shop/" + series.pod + " answered /debug/pprof/heap with HTTP 404: import net/http/pprof";
      }
      observed.pods.push_back(std::move(series));
    }
  }
  return observed;
}

}  // namespace gopacer
