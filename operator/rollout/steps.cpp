#include "rollout/steps.h"

#include <algorithm>
#include <utility>

namespace gopacer {
namespace {

constexpr std::size_t kMostBannedRegions = 10;
constexpr double kDay = 24 * 3600;

bool runs_all_pods(const std::shared_ptr<const Workload>& arm, int replicas) {
  return arm && arm->settled() && arm->available_replicas >= replicas;
}

int restarts_of(const Pod& pod, const std::string& container) {
  for (const ContainerState& state : pod.states) {
    if (state.name == container) return state.restarts;
  }
  return 0;
}

}  // namespace

Step hold(std::string reason, std::string message, Duration requeue) {
  Step step;
  step.reason = std::move(reason);
  step.message = std::move(message);
  step.requeue_after = requeue;
  return step;
}

void ban(ProfileMemory& memory, BannedRegion region) {
  std::erase_if(memory.banned, [&](const BannedRegion& known) {
    const bool same = about_equal(known.settings, region.settings) && known.template_hash == region.template_hash;
    if (same) region.trials = known.trials + 1;
    return same;
  });
  memory.banned.push_back(std::move(region));
  while (memory.banned.size() > kMostBannedRegions) {
    // Another template's first, for it is another program; then one that lasts for a day only; then the oldest.
    auto goes = std::find_if(memory.banned.begin(), memory.banned.end(), [&](const BannedRegion& known) {
      return known.template_hash != memory.banned.back().template_hash;
    });
    if (goes == memory.banned.end()) {
      goes = std::find_if(memory.banned.begin(), memory.banned.end(),
                          [](const BannedRegion& known) { return banned_until(known).has_value(); });
    }
    memory.banned.erase(goes == memory.banned.end() ? memory.banned.begin() : goes);
  }
}

bool arms_ready(const Facts& facts) {
  const int replicas = facts.desired.trial->arm_replicas();
  return runs_all_pods(facts.desired.canary, replicas) && runs_all_pods(facts.desired.baseline, replicas);
}

std::vector<std::string> processes_of(const Facts& facts, const std::vector<const Pod*>& pods) {
  std::vector<std::string> names;
  for (const Pod* const pod : pods) {
    const int restarts = restarts_of(*pod, facts.desired.container);
    names.push_back(pod->uid + (restarts > 0 ? "#" + std::to_string(restarts) : ""));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> arm_pods(const Facts& facts) {
  std::vector<const Pod*> pods;
  for (const OwnedPod& owned : facts.desired.pods) {
    if (owned.track != Track::kStable && owned.pod->lives()) pods.push_back(owned.pod.get());
  }
  return processes_of(facts, pods);
}

bool baseline_is_the_same(const Facts& facts) {
  const Trial& trial = *facts.desired.trial;
  const std::vector<std::string> now = arm_pods(facts);
  const std::vector<std::string>& measured = trial.status.arm_pods;
  return static_cast<int>(now.size()) == trial.arm_replicas() &&
         std::includes(measured.begin(), measured.end(), now.begin(), now.end());
}

bool lacks_room(const Facts& facts) {
  const auto lasts = [&](const std::optional<Time>& since) { return since && facts.now - *since >= kPatience; };
  const Rollout& rollout = facts.desired.target->rollout;
  if (!rollout.refusal.empty() && lasts(rollout.refused_since)) return true;
  return std::any_of(facts.desired.pods.begin(), facts.desired.pods.end(), [&](const OwnedPod& owned) {
    const Pod& pod = *owned.pod;
    // One that finds no node has had none since it was made.
    return owned.track == Track::kStable && pod.lives() && pod.unschedulable && lasts(pod.created);
  });
}

Duration without_progress(Time since, const Facts& facts) {
  return facts.now - std::max(since, facts.desired.target->rollout.last_progress.value_or(since));
}

std::optional<std::string> standstill(Time since, const Facts& facts) {
  const Workload& target = *facts.desired.target;
  if (target.rollout.gave_up) {
    return "Kubernetes gave the target's rollout up: no progress within progressDeadlineSeconds.";
  }
  const Duration longest = kLongestStandstill + target.min_ready;
  if (without_progress(since, facts) <= longest) return std::nullopt;
  return "The target's rollout made no progress within " + format_duration(longest) + ".";
}

int pods_with(const Settings& settings, const Facts& facts) {
  const auto has_them = [&](const OwnedPod& owned) {
    if (owned.track != Track::kStable || !owned.pod->lives()) return false;
    const ContainerSpec* const container = container_named(owned.pod->containers, facts.desired.trial->spec.container);
    return container != nullptr && readable_settings(env_of(*container)) == settings;
  };
  return static_cast<int>(std::count_if(facts.desired.pods.begin(), facts.desired.pods.end(), has_them));
}

std::string arm_trouble(const Facts& facts) {
  for (const auto& arm : {facts.desired.baseline, facts.desired.canary}) {
    if (arm && !arm->rollout.refusal.empty()) return arm->rollout.refusal;
  }
  for (const OwnedPod& owned : facts.desired.pods) {
    if (owned.track != Track::kStable && owned.pod->lives() && !owned.pod->trouble.empty()) {
      return "pod " + owned.pod->key.name + ": " + owned.pod->trouble;
    }
  }
  return {};
}

double usual_restarts_per_day(const Facts& facts) {
  int restarts = 0;
  double seconds = 0;
  for (const OwnedPod& owned : facts.desired.pods) {
    if (owned.track != Track::kStable || !owned.pod->created) continue;
    restarts += restarts_of(*owned.pod, facts.desired.container);
    seconds += std::max(0.0, to_seconds(facts.now - *owned.pod->created));
  }
  return seconds > 0 ? std::min(restarts / (seconds / kDay), kMostRestartsPerDay) : 0;
}

}  // namespace gopacer
