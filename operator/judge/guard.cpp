#include <algorithm>

#include "gopacer/judge/verdict.h"
#include "judge/measure.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

using judging::Arm;
using judging::Window;

/// The target's pods that run the settings and were warm before the window.
Arm warm_pods(const GuardPlan& plan, const Observation& observed, const Window& window) {
  Arm pods = judging::arm_of(observed, Track::kStable);
  std::erase_if(pods, [&](const PodSeries* pod) {
    return pod->settings != plan.settings || pod->started + plan.warm_up > window.from;
  });
  return pods;
}

/// The last complete windows, as many as the promise has to be broken in.
std::vector<Window> look_back(const Slo& slo, const GuardPlan& plan, const Observation& observed, Time now) {
  const int wanted = judging::windows_allowed(slo, plan.interval, plan.interval);
  const Arm pods = judging::arm_of(observed, Track::kStable);
  Evidence counted;
  // The latest window may have to wait for its readings, and one more is begun.
  std::vector<Window> windows =
      judging::take_due_windows(counted, now - (wanted + 2) * plan.interval, plan.interval, now, {&pods});
  const auto surplus = std::max<std::ptrdiff_t>(0, std::ssize(windows) - wanted);
  windows.erase(windows.begin(), windows.begin() + surplus);
  if (std::ssize(windows) < wanted) windows.clear();
  return windows;
}

}  // namespace

Verdict guard(const GuardPlan& plan, const Observation& observed, Time now) {
  Verdict verdict;
  verdict.outcome = Outcome::kUndecided;
  for (const Slo& slo : plan.slos) {
    if (!slo.max) continue;
    const std::vector<Window> windows = look_back(slo, plan, observed, now);
    double latest = 0;
    const bool broken = !windows.empty() && std::all_of(windows.begin(), windows.end(), [&](const Window& window) {
      const auto seen = judging::counted_in(warm_pods(plan, observed, window), window, slo);
      if (!seen || seen->count() < judging::fewest_requests(slo) || !judging::violates(*seen, slo)) return false;
      latest = judging::value(*seen, slo);
      return true;
    });
    if (!broken) continue;
    verdict.outcome = Outcome::kWorse;
    verdict.reason = "SloViolated";
    verdict.broken = slo.name;
    verdict.message = slo.name + " was above " + judging::max_text(slo) + " in each window of " +
                      format_duration(std::ssize(windows) * plan.interval) + ", at last " +
                      judging::value_text(latest, slo) + ", with " + describe(plan.settings) + ".";
    break;
  }
  return verdict;
}

}  // namespace gopacer
