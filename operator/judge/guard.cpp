#include <algorithm>
#include <cstdint>

#include "gopacer/judge/verdict.h"
#include "judge/hard_stops.h"
#include "judge/measure.h"
#include "judge/metrics.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

using judging::Arm;
using judging::Window;

/// Fewer in a row may be chance; and older samples are sparse, so that many short windows would be without any.
constexpr std::int64_t kFewestWindows = 3;
constexpr std::int64_t kMostWindows = 6;

/// Windows end so long after a reading, or a quarter of their length. A pod that is read once a window is never read on
/// the dot: with edges where the readings are, chance would have it in the next one.
constexpr Duration kAfterReading = std::chrono::seconds(1);

struct LookBack {
  Duration window;
  std::int64_t count = 0;
};

LookBack look_back(const Slo& slo, Duration interval) {
  const Duration window = std::max(judging::length_of_comparison(slo, interval), slo.max_for / kMostWindows);
  const std::int64_t enough = (slo.max_for + window - Duration(1)) / window;
  return {window, std::max(kFewestWindows, enough)};
}

/// The latest moment that all pods have told of, but for those that have been silent for a window.
Time told_until(const Arm& pods, Duration window, Time now) {
  Time until = now;
  for (const PodSeries* pod : pods) {
    if (!pod->samples.empty()) until = std::min(until, pod->samples.back().at);
  }
  return std::max(until, now - window);
}

/// What the pods told that were warm before the window.
std::optional<Histogram> told_by_warm_pods(const Arm& pods, const Window& window, const GuardPlan& plan,
                                           const Slo& slo) {
  Arm warm = pods;
  std::erase_if(warm, [&](const PodSeries* pod) { return pod->started + plan.warm_up > window.from; });
  const auto told = judging::counted_in(warm, window, slo);
  return told && told->count() >= judging::fewest_requests(slo) ? told : std::nullopt;
}

std::optional<judging::HardStop> hard_stop(const GuardPlan& plan, const Arm& pods, Time now) {
  if (!plan.hard_stops_since || pods.empty()) return std::nullopt;
  const judging::UsualRestarts usual{0, now - *plan.hard_stops_since, plan.warm_up};
  if (auto stop = judging::killed(pods, {}, usual)) return stop;
  return now >= plan.memory_since ? judging::near_memory_limit(pods, 0) : std::nullopt;
}

}  // namespace

Duration guarded_time(const Slo& slo, Duration interval) {
  if (!slo.max) return Duration(0);
  const auto [window, count] = look_back(slo, interval);
  // The first window's begin is told by a sample before it, and the last one may have to wait for its readings.
  return (count + 2) * window;
}

bool baseline_broke(const Slo& slo, const Evidence& trial) {
  return slo.max && std::any_of(trial.metrics.begin(), trial.metrics.end(), [&](const MetricEvidence& metric) {
           return metric.name == slo.name && metric.stats.n > 0 && metric.baseline > *slo.max;
         });
}

Verdict guard(const GuardPlan& plan, const Observation& observed, Time now) {
  Verdict verdict;
  verdict.outcome = Outcome::kUndecided;
  Arm pods = judging::arm_of(observed, Track::kStable);
  std::erase_if(pods, [&](const PodSeries* pod) { return pod->settings != plan.settings; });
  if (const auto stop = hard_stop(plan, pods, now)) {
    verdict.outcome = Outcome::kWorse;
    verdict.hard_stop = true;
    verdict.reason = stop->reason;
    verdict.message = stop->message;
    return verdict;
  }
  for (const Slo& slo : plan.slos) {
    if (!slo.max) continue;
    const auto [length, count] = look_back(slo, plan.interval);
    Time to = told_until(pods, length, now) + std::min(kAfterReading, length / 4);
    double latest = 0;
    std::int64_t broken = 0;
    for (; broken < count; ++broken, to -= length) {
      const auto told = told_by_warm_pods(pods, {to - length, to}, plan, slo);
      if (!told || !judging::violates(*told, slo)) break;
      if (broken == 0) latest = judging::value(*told, slo);
    }
    if (broken < count) continue;
    verdict.outcome = Outcome::kWorse;
    verdict.reason = "SloViolated";
    verdict.broken = slo.name;
    verdict.message = slo.name + " was above " + judging::max_text(slo) + " in each window of " +
                      format_duration(count * length) + ", at last " +
                      judging::value_text(latest, judging::unit_of(slo)) + ", with " + describe(plan.settings) + ".";
    break;
  }
  return verdict;
}

}  // namespace gopacer
