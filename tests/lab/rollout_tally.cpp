#include "rollout_tally.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace gopacer::lab {

double slowdown_of(const RolloutWorld& world, double times) { return 1 + times * world.tolerance_percent / 100.0; }

void Tally::add(const RolloutResult& result) {
  ++rollouts;
  promoted += result.promoted ? 1 : 0;
  confirmed += result.in_force ? 1 : 0;
  if (result.verdict == TrialVerdict::kRollBack) ++(result.promoted ? taken_back : rolled_back);
  if (result.verdict == TrialVerdict::kInconclusive) ++undecided;
  broken += result.broken.empty() ? 0 : 1;
  trials += result.trials;
  accidents += result.accidents;
  // To the hundredth, as people read it.
  minutes.push_back(std::round(to_seconds(result.until_decided) * 100 / 60) / 100);
  ++reasons[(result.promoted && !result.in_force ? "watch:" : "") + result.reason];
}

double Tally::share(int count) const { return static_cast<double>(count) / std::max(1, rollouts); }
double Tally::of_promoted(int count) const { return static_cast<double>(count) / std::max(1, promoted); }

double Tally::minutes_of(double part) {
  if (minutes.empty()) return 0;
  const auto at = minutes.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(minutes.size() - 1) + 0.5);
  std::nth_element(minutes.begin(), at, minutes.end());
  return *at;
}

double Tally::decided_within(double most) const {
  const auto early = std::count_if(minutes.begin(), minutes.end(), [&](double one) { return one <= most; });
  return static_cast<double>(early) / static_cast<double>(std::max<std::size_t>(1, minutes.size()));
}

Tally rollouts(const RolloutWorld& world, const std::string& name, int count, std::uint64_t seed) {
  Tally tally;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t own = seed + static_cast<std::uint64_t>(i);
    const RolloutResult result = simulate_rollout(world, own);
    tally.add(result);
    if (!result.broken.empty()) std::cerr << name << ", seed " << own << ": " << result.broken << "\n";
  }
  return tally;
}

std::string percent(double share) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << 100 * share << " %";
  return text.str();
}

}  // namespace gopacer::lab
