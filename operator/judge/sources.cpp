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
    const auto latency = latest_latency(pods, slo.name);
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
