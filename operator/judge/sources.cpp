#include "gopacer/judge/sources.h"

#include <algorithm>

#include "gopacer/judge/verdict.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

using judging::Arm;

bool has_read(const PodSeries& pod, const std::string& slo) {
  return std::any_of(pod.samples.begin(), pod.samples.end(),
                     [&](const Sample& sample) { return sample.latency.contains(slo); });
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
    if (std::any_of(pods.begin(), pods.end(), [&](const PodSeries* pod) { return has_read(*pod, slo.name); })) continue;
    unread.push_back("SLO " + slo.name + ": " + why_unread(pods, slo.name));
  }
  if (std::none_of(pods.begin(), pods.end(), [](const PodSeries* pod) { return judging::tells_gc_cpu(*pod); })) {
    unread.push_back(std::string(kGcCpuMetric) + ": nothing has told collection's CPU yet. " + judging::kGcCpuNeeds);
  }
  return unread;
}

}  // namespace gopacer
