#include "rollout/live.h"

#include <algorithm>
#include <cmath>

namespace gopacer {
namespace {

/// Collections in a block: two that are left out, and some to measure.
constexpr double kCollectionsOfABlock = 6;

const PodSeries* series_of(const Facts& facts, const std::string& uid) {
  for (const PodSeries& pod : facts.observed.pods) {
    if (pod.uid == uid) return &pod;
  }
  return nullptr;
}

/// The latest reading, if it told what is in force.
const ProcessMetrics* latest(const Facts& facts, const std::string& uid) {
  const PodSeries* const pod = series_of(facts, uid);
  if (pod == nullptr || !pod->error.empty() || pod->samples.empty()) return nullptr;
  const Sample& sample = pod->samples.back();
  return sample.process && sample.process->gogc ? &*sample.process : nullptr;
}

bool has(const ProcessMetrics& process, const Settings& settings) {
  return about_equal(Settings{process.gogc, process.go_mem_limit}, settings);
}

std::vector<const Pod*> living_pods(const Facts& facts) {
  std::vector<const Pod*> pods;
  for (const OwnedPod& owned : facts.desired.pods) {
    if (owned.track == Track::kStable && owned.pod->lives()) pods.push_back(owned.pod.get());
  }
  return pods;
}

std::vector<const Pod*> ready_pods(const Facts& facts) {
  std::vector<const Pod*> pods = living_pods(facts);
  std::erase_if(pods, [](const Pod* pod) { return !pod->ready; });
  return pods;
}

}  // namespace

std::string uid_of(const std::string& process) { return process.substr(0, process.find('#')); }

std::vector<std::string> live_pods(const Facts& facts) {
  std::vector<std::string> pods = processes_of(facts, ready_pods(facts));
  const std::size_t most =
      std::min(kMostLivePods, std::size_t{2} * static_cast<std::size_t>(facts.desired.trial->arm_replicas()));
  if (pods.size() > most) pods.resize(most);
  const bool all_read = std::all_of(pods.begin(), pods.end(),
                                    [&](const std::string& pod) { return latest(facts, uid_of(pod)) != nullptr; });
  return all_read ? pods : std::vector<std::string>();
}

std::string live_trouble(const Facts& facts) {
  for (const PodSeries& pod : facts.observed.pods) {
    if (!pod.error.empty()) return pod.error;
    if (!pod.notes.empty()) return pod.pod + ": " + pod.notes.front();
  }
  return {};
}

bool live_pods_are_there(const Facts& facts) {
  // One that is not ready for a moment is the same process.
  const std::vector<std::string> now = processes_of(facts, living_pods(facts));
  const auto& ours = facts.desired.trial->status.arm_pods;
  return !ours.empty() && std::includes(now.begin(), now.end(), ours.begin(), ours.end());
}

Duration block_for(const Decision& decision) {
  if (!decision.estimate || !(decision.estimate->alloc_rate > 0)) return kShortestBlock;
  double volume = decision.estimate->cycle_volume.value();
  if (decision.predicted) volume = std::max(volume, decision.predicted->cycle_volume.value());
  const double seconds = kCollectionsOfABlock * volume / decision.estimate->alloc_rate;
  const auto wanted = std::chrono::seconds(static_cast<std::int64_t>(std::min(std::ceil(seconds), 1e6)));
  return std::clamp<Duration>(wanted, kShortestBlock, kLongestBlock);
}

std::optional<Settings> own_settings(const Facts& facts) {
  const Settings& environment = facts.desired.environment;
  if (!facts.decision.estimate || facts.desired.current != environment || environment.go_mem_limit) return std::nullopt;
  const auto& limit = facts.decision.estimate->settings.go_mem_limit;
  return limit ? std::optional(Settings{environment.gogc, limit}) : std::nullopt;
}

LiveTurn turn_at(const Trial& trial, Time since, const std::vector<std::string>& pods, Time now) {
  LiveTurn turn{since, std::max<std::int64_t>(0, (now - since) / trial.spec.live->block), {}, now};
  for (std::size_t rank = 0; rank < pods.size(); ++rank) {
    if (runs_new(trial.uid, rank, turn.block)) turn.pods.push_back(uid_of(pods[rank]));
  }
  return turn;
}

LiveTurn growing_turn(const Facts& facts, std::size_t had, Time now) {
  const TrialStatus& status = facts.desired.trial->status;
  const std::vector<std::string>& all = status.arm_pods;
  const std::size_t quarter = std::max<std::size_t>(1, (ready_pods(facts).size() + 3) / 4);
  const std::size_t wanted = std::min(all.size(), had == 0 ? 1 : had < quarter ? quarter : all.size());
  LiveTurn turn{status.live ? status.live->since : now, status.live ? status.live->block : 0, {}, now};
  for (std::size_t i = 0; i < wanted; ++i) turn.pods.push_back(uid_of(all[i]));
  return turn;
}

bool run_by_now(const Facts& facts, const std::vector<std::string>& pods, const Settings& settings) {
  const auto runs = [&](const std::string& uid) {
    const ProcessMetrics* const process = latest(facts, uid);
    return process != nullptr && has(*process, settings);
  };
  if (!pods.empty()) return std::all_of(pods.begin(), pods.end(), runs);
  const std::vector<const Pod*> all = ready_pods(facts);
  return !all.empty() && std::all_of(all.begin(), all.end(), [&](const Pod* pod) { return runs(pod->uid); });
}

}  // namespace gopacer
