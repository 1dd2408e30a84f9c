#include "fakes/fake_observations.h"

#include <cmath>
#include <limits>

#include "codec/resources.h"
#include "fakes/objects.h"

namespace gopacer {
namespace {

constexpr double kMedianSeconds = 0.010;
constexpr double kSigma = 0.5;
constexpr Duration kEvery = std::chrono::seconds(5);
constexpr Duration kKept = std::chrono::minutes(3);
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
