#include "gopacer/judge/sources.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/verdict.h"
#include "judge/measure.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

using judging::Arm;

/// The latest histogram of each pod, added up; none when there is none.
std::optional<Histogram> latest_latency(const Arm& pods, const std::string& slo) {
  std::optional<Histogram> sum;
  for (const PodSeries* pod : pods) {
    const Sample* const latest =
        latest_sample(*pod, [&](const Sample& sample) { return sample.latency.contains(slo); });
    if (latest == nullptr) continue;
    if (!sum) sum.emplace();
    merge(*sum, latest->latency.at(slo));
  }
  return sum;
}

/// Whether no number of requests would make a trial see a change through these buckets.
bool too_wide(const Histogram& counted, const Slo& slo) {
  return counted.count() >= judging::fewest_requests(slo) &&
         std::isinf(judging::requests_needed(counted, counted, slo));
}

/// Empty when some pod has told it.
std::string what_runtime_lacks(const Arm& pods, const Slo& slo) {
  const auto any = [&](const auto& tells) {
    return std::any_of(pods.begin(), pods.end(), [&](const PodSeries* pod) { return tells(*pod); });
  };
  const auto* const share = std::get_if<RuntimeShare>(&slo.source);
  if (share == nullptr) {
    const bool known = any([](const PodSeries& pod) {
      return latest_sample(pod, [](const Sample& sample) { return sample.mem.has_value(); }) != nullptr;
    });
    return known ? "" : "no pod of the target has told its pauses yet";
  }
  // Of collection's CPU it is asked for every trial.
  if (share->of == RuntimePart::kGcCpu) return "";
  if (share->of == RuntimePart::kMarkAssist) {
    const bool profiled = any([](const PodSeries& pod) {
      return latest_sample(pod, [](const Sample& sample) { return sample.profile.has_value(); }) != nullptr;
    });
    return profiled ? "" : "no pod of the target has given a CPU profile yet";
  }
  const bool known = any([](const PodSeries& pod) {
    const auto told = [](const Sample& sample) { return sample.usage && sample.usage->throttled_seconds; };
    return latest_sample(pod, told) != nullptr;
  });
  return known ? ""
               : "no kubelet has told how long the target's containers were throttled: they need a CPU limit, and the "
                 "operator the kubelet's figures";
}

std::string why_unread(const Arm& pods, const std::string& slo) {
  for (const PodSeries* pod : pods) {
    if (const auto why = pod->unread.find(slo); why != pod->unread.end()) return why->second;
  }
  for (const PodSeries* pod : pods) {
    if (!pod->error.empty()) return pod->error;
  }
  return "no pod of the target has been read for it yet";
}

}  // namespace

std::vector<std::string> unread_sources(const Observation& observed, const std::vector<Slo>& slos) {
  const Arm pods = judging::arm_of(observed, Track::kStable);
  std::vector<std::string> unread;
  for (const Slo& slo : slos) {
    if (slo.is_of_runtime()) {
      if (const std::string lack = what_runtime_lacks(pods, slo); !lack.empty())
        unread.push_back("SLO " + slo.name + ": " + lack);
      continue;
    }
    const auto latency = latest_latency(pods, slo.name);
    if (!latency && slo.on_no_data == NoDataAction::kIgnore) continue;
    if (!latency) {
      unread.push_back("SLO " + slo.name + ": " + why_unread(pods, slo.name));
    } else if (too_wide(*latency, slo)) {
      unread.push_back("SLO " + slo.name + ": " + slo.histogram().metric +
                       " can't show a change: " + judging::what_it_lacks(*latency, slo));
    }
  }
  if (std::none_of(pods.begin(), pods.end(), [](const PodSeries* pod) { return judging::tells_gc_cpu(*pod); })) {
    unread.push_back(std::string(kGcCpuMetric) + ": nothing has told collection's CPU yet. " + judging::kGcCpuNeeds);
  }
  return unread;
}

}  // namespace gopacer
