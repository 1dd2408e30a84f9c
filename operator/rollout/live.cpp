#include "rollout/live.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

namespace gopacer {
namespace {

/// So long a stage of a promotion lasts at least, so that memory which runs short is read meanwhile.
constexpr Duration kShortestStage = std::chrono::seconds(15);

/// A process that is younger may not have been set, or read, since it began.
constexpr Duration kYoung = std::chrono::seconds(30);

std::string pods_in_words(std::size_t pods) {
  return std::to_string(pods) + (pods == 1 ? " pod of the target" : " pods of the target");
}

/// Whether a sample tells what the process runs.
bool tells(const Sample& sample) { return sample.process && sample.process->gogc; }

bool tells_of(const Sample& sample, const Settings& settings) {
  return about_equal(Settings{sample.process->gogc, sample.process->go_mem_limit}, settings);
}

/// The latest reading, if it told what is in force. Null where it did not, or where there is none.
const Sample* latest(const PodSeries& pod) {
  if (!pod.error.empty() || pod.samples.empty() || !tells(pod.samples.back())) return nullptr;
  return &pod.samples.back();
}

/// One of the target's, with what was read of it.
struct LivePod {
  const Pod* pod;
  const PodSeries* series;  ///< null where it is not read at all

  bool is_read() const { return series != nullptr && latest(*series) != nullptr; }
  /// It was not resized to less than the trial's settings, old or new, need.
  bool has_room(const Facts& facts) const {
    if (series == nullptr || series->settings != facts.desired.current) return false;
    const auto& limit = facts.desired.trial->spec.to.go_mem_limit;
    return !limit || !series->memory_limit || *limit < *series->memory_limit;
  }
};

/// The oldest first: whoever takes pods away, or moves them, takes young ones.
std::vector<LivePod> living_pods(const Facts& facts) {
  std::map<std::string_view, const PodSeries*> series;
  for (const PodSeries& pod : facts.observed.pods) series.emplace(pod.uid, &pod);
  std::vector<LivePod> pods;
  for (const OwnedPod& owned : facts.desired.pods) {
    if (owned.track != Track::kStable || !owned.pod->lives()) continue;
    const auto found = series.find(owned.pod->uid);
    pods.push_back({owned.pod.get(), found == series.end() ? nullptr : found->second});
  }
  const auto age = [](const Pod* pod) {
    return std::tuple(pod->created.value_or(Time::max()), std::string_view(pod->uid));
  };
  std::sort(pods.begin(), pods.end(), [&](const LivePod& a, const LivePod& b) { return age(a.pod) < age(b.pod); });
  return pods;
}

std::vector<LivePod> ready_pods(const Facts& facts) {
  std::vector<LivePod> pods = living_pods(facts);
  std::erase_if(pods, [](const LivePod& live) { return !live.pod->ready; });
  return pods;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

/// When the process began to run the settings, by its own word; none where it does not run them now. The first reading
/// where it has never told of others.
std::optional<Time> running_since(const PodSeries& pod, const Settings& settings) {
  const Sample* const last = latest(pod);
  if (last == nullptr || !tells_of(*last, settings)) return std::nullopt;
  Time since = last->at;
  for (auto sample = pod.samples.rbegin(); sample != pod.samples.rend(); ++sample) {
    if (!tells(*sample)) continue;
    if (!tells_of(*sample, settings)) break;
    since = sample->at;
  }
  return since;
}

/// Whether the pod is one of those that run something else, or that nobody reads.
bool count(InForce& found, const LivePod& live, const Settings& settings, const Facts& facts) {
  if (!live.is_read()) {
    ++found.unread;
    return true;
  }
  // What is noted for all is in force in a container that was resized as far as it fits.
  const Settings& its = facts.desired.current == settings ? live.series->settings : settings;
  if (const auto since = running_since(*live.series, its)) {
    ++found.pods;
    found.since = std::max(found.since.value_or(*since), *since);
    return false;
  }
  const bool others = facts.now - live.series->started > kYoung;
  if (others) ++found.others;
  return others;
}

/// " on n1, n2, n3 and others", or empty.
std::string on_nodes(const std::set<std::string>& nodes) {
  constexpr std::size_t kMostNamed = 3;
  std::string text;
  std::size_t named = 0;
  for (const std::string& node : nodes) {
    if (named++ == kMostNamed) return text + " and others";
    text += (text.empty() ? " on " : ", ") + node;
  }
  return text;
}

}  // namespace

std::vector<std::string> live_pods(const Facts& facts, bool patient) {
  const std::vector<LivePod> ready = ready_pods(facts);
  std::vector<const Pod*> fit;
  for (const LivePod& live : ready) {
    if (live.is_read() && live.has_room(facts)) fit.push_back(live.pod);
  }
  const std::size_t most =
      std::min(kMostLivePods, std::size_t{2} * static_cast<std::size_t>(facts.desired.trial->arm_replicas()));
  const bool enough = fit.size() >= std::min(most, ready.size());
  if (!enough && (patient || 2 * fit.size() < ready.size())) return {};
  if (fit.size() > most) fit.resize(most);
  return processes_of(facts, fit);
}

std::string live_trouble(const Facts& facts) {
  for (const PodSeries& pod : facts.observed.pods) {
    if (!pod.error.empty()) return pod.error;
    if (!pod.notes.empty()) return pod.pod + ": " + pod.notes.front();
  }
  return {};
}

std::string agents_words(const Facts& facts) {
  const std::string trouble = live_trouble(facts);
  return trouble.empty() ? "." : ": " + trouble;
}

std::vector<std::string> live_pods_left(const Facts& facts) {
  std::vector<std::string> left = facts.desired.trial->status.arm_pods;
  const std::map<std::string, int> begun_with = restarts_of(left);
  std::vector<const Pod*> living;
  for (const OwnedPod& owned : facts.desired.pods) {
    // One that is not ready for a moment is the same process.
    const bool lives = owned.track == Track::kStable && owned.pod->lives();
    if (lives && begun_with.contains(owned.pod->uid)) living.push_back(owned.pod.get());
  }
  const std::vector<std::string> now = processes_of(facts, living);
  std::erase_if(left, [&](const std::string& process) { return !contains(now, process); });
  return left;
}

int restarts_since_begun(const Facts& facts) {
  const std::map<std::string, int> begun_with = restarts_of(facts.desired.trial->status.arm_pods);
  int restarts = 0;
  for (const PodSeries& pod : facts.observed.pods) {
    const auto before = begun_with.find(pod.uid);
    if (before != begun_with.end()) restarts += std::max(0, pod.restarts - before->second);
  }
  return restarts;
}

std::optional<Settings> own_settings(const Facts& facts) {
  const Settings& environment = facts.desired.environment;
  if (!facts.decision.estimate || facts.desired.current != environment || environment.go_mem_limit) return std::nullopt;
  const auto& limit = facts.decision.estimate->settings.go_mem_limit;
  return limit ? std::optional(Settings{environment.gogc, limit}) : std::nullopt;
}

LiveTurn turn_at(const Trial& trial, Time since, const std::vector<std::string>& left, Time now) {
  LiveTurn turn{since, std::max<std::int64_t>(0, (now - since) / trial.spec.live->block), {}, now};
  const std::vector<std::string>& all = trial.status.arm_pods;
  // Who is named has other settings than the rest.
  const bool named_run_new = trial.status.phase == TrialPhase::kMeasuring;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    const bool named = runs_new(trial.uid, rank, turn.block) == named_run_new;
    if (named && contains(left, all[rank])) turn.pods.push_back(pod_of(all[rank]));
  }
  return turn;
}

Duration watch_interval(const TrialSpec& spec) {
  const Duration period = 2 * spec.live->block;
  return (spec.canary.interval + period - Duration(1)) / period * period;
}

std::vector<std::string> witnesses(const Facts& facts) {
  constexpr int kFewestWindows = 10;
  const Trial& trial = *facts.desired.trial;
  const int replicas = facts.desired.target ? facts.desired.target->replicas : 0;
  if (replicas < 2 || trial.spec.watch_for < kFewestWindows * watch_interval(trial.spec)) return {};
  std::vector<std::string> left = live_pods_left(facts);
  const int most = std::clamp(replicas / 4, 1, std::max(1, trial.arm_replicas()));
  left.resize(std::min(left.size(), static_cast<std::size_t>(most)));
  return left;
}

LiveTurn growing_turn(const Facts& facts, std::int64_t stage, const std::vector<std::string>& before, Time now) {
  std::vector<LivePod> pods = ready_pods(facts);
  const std::size_t quarter = std::clamp<std::size_t>(pods.size() / 4, 1, kMostLivePods);
  // What has them keeps them, whatever an autoscaler does to the quarter.
  const std::size_t wanted = std::max(stage == 0 ? 1 : quarter, before.size());
  const std::map<std::string, int> begun_with = restarts_of(facts.desired.trial->status.arm_pods);
  const auto had_them = [&](const LivePod& live) { return contains(before, live.pod->uid); };
  std::erase_if(pods,
                [&](const LivePod& live) { return !had_them(live) && (!live.is_read() || !live.has_room(facts)); });
  const auto rank = [&](const LivePod& live) {
    return had_them(live) ? 0 : begun_with.contains(live.pod->uid) ? 1 : 2;
  };
  std::stable_sort(pods.begin(), pods.end(), [&](const LivePod& a, const LivePod& b) { return rank(a) < rank(b); });
  LiveTurn turn{now, stage, {}, now};
  for (std::size_t i = 0; i < std::min(pods.size(), wanted); ++i) turn.pods.push_back(pods[i].pod->uid);
  return turn;
}

bool is_due(const LiveTurn& turn, Time now) { return turn.renewed > now || now - turn.renewed >= kRenewal; }

Duration until_turn(const Trial& trial, const LiveTurn& turn, Time now) {
  Time next = std::min<Time>(now + std::chrono::seconds(1), turn.renewed + kRenewal);
  if (trial.status.phase != TrialPhase::kPromoting) {
    next = std::min(next, turn.since + (turn.block + 1) * trial.spec.live->block);
  }
  return std::clamp<Duration>(next - now, std::chrono::milliseconds(50), std::chrono::seconds(1));
}

LiveTurn renewed(const std::optional<LiveTurn>& turn, Time now) {
  LiveTurn next = turn.value_or(LiveTurn{now, 0, {}, now});
  if (next.renewed > now || now - next.renewed > kLiveLease) next.since = now;
  if (is_due(next, now)) next.renewed = now;
  return next;
}

Growth growing(const Facts& facts) {
  const Trial& trial = *facts.desired.trial;
  const Settings& settings = trial.spec.to;
  const Time now = facts.now;
  Growth growth;
  growth.turn = renewed(trial.status.live, now);
  // Pods come and go.
  const LiveTurn stage = growing_turn(facts, growth.turn.block, growth.turn.pods, now);
  if (stage.pods != growth.turn.pods) growth.turn = stage;

  const InForce there = in_force_on(facts, stage.pods, settings);
  const bool set = !stage.pods.empty() && there.complete() && there.pods == static_cast<int>(stage.pods.size());
  const bool too_long = now - entered(trial.status, TrialPhase::kPromoting).value_or(now) > kLongestStandstill;
  if (!set && now - growth.turn.since > kPatience) {
    growth.kind = Growth::Kind::kStuck;
    growth.message = "The agents did not put " + describe(settings) + " in force" + agents_words(facts);
    return growth;
  }
  if (too_long) {
    growth.kind = Growth::Kind::kStuck;
    growth.message = "The first pods that had " + describe(settings) + " for good came and went for longer than " +
                     format_duration(kLongestStandstill) + ", too fast to look at them.";
    return growth;
  }
  const std::string pods = pods_in_words(stage.pods.size());
  const Duration lasts = std::max(trial.spec.live->block, kShortestStage);
  if (!set) {
    growth.message = "Waiting for the agents to set " + pods + ".";
  } else if (now - *there.since < lasts) {
    growth.message = "Looking at " + pods + " with " + describe(settings) + " for " + format_duration(lasts) +
                     " before more get it.";
  } else if (stage.block + 1 < kGrowingStages) {
    growth.turn = growing_turn(facts, stage.block + 1, stage.pods, now);
    growth.message = "Setting " + pods_in_words(growth.turn.pods.size()) + " for good.";
  } else {
    growth.kind = Growth::Kind::kDone;
  }
  return growth;
}

Spread spread_of(const Settings& settings, const Facts& facts) {
  const InForce there = in_force_on(facts, {}, settings);
  if (there.complete() && there.unread == 0) return Spread::kDone;
  const auto& turn = facts.desired.trial->status.live;
  if (facts.now - renewed(turn, facts.now).since <= kPatience) return Spread::kGoesOn;
  // A node without an agent keeps nobody from what the others have.
  return there.complete() && there.pods >= there.unread ? Spread::kDone : Spread::kStuck;
}

std::string who_runs(const Settings& settings, const Facts& facts) {
  const InForce there = in_force_on(facts, {}, settings);
  if (there.unread == 0) return "All of the target's pods run";
  const std::string trouble = live_trouble(facts);
  return pods_in_words(static_cast<std::size_t>(there.pods)) + ", and not " + std::to_string(there.unread) +
         " which no agent reads" + (trouble.empty() ? "" : " (" + trouble + ")") + ", run";
}

bool is_back(const Settings& old, Time since, const Facts& facts) {
  const InForce there = in_force_on(facts, {}, old);
  return there.others == 0 && (there.unread == 0 || facts.now - since > kPatience);
}

std::string not_back(const Settings& old, Time since, const Facts& facts) {
  InForce left;
  std::set<std::string> nodes;
  for (const LivePod& live : living_pods(facts)) {
    const bool never_had_others = live.pod->phase != "Running" || live.pod->created.value_or(Time{}) >= since;
    if (never_had_others) continue;
    if (count(left, live, old, facts) && !live.pod->node.empty()) nodes.insert(live.pod->node);
  }
  std::string words;
  if (left.others > 0) {
    words = pods_in_words(static_cast<std::size_t>(left.others)) + (left.others == 1 ? " does" : " do") +
            " not run what was put back";
  }
  if (left.unread > 0) {
    words += (words.empty() ? "" : ", and ") + pods_in_words(static_cast<std::size_t>(left.unread)) +
             (left.unread == 1 ? " is" : " are") + " read by no agent";
  }
  if (words.empty()) return {};
  const std::string trouble = live_trouble(facts);
  return words + ": look at the node agents" + on_nodes(nodes) + (trouble.empty() ? "." : " (" + trouble + ").");
}

InForce in_force_on(const Facts& facts, const std::vector<std::string>& pods, const Settings& settings) {
  InForce found;
  for (const LivePod& live : ready_pods(facts)) {
    if (pods.empty() || contains(pods, live.pod->uid)) count(found, live, settings, facts);
  }
  return found;
}

Observation since_they_run(const Facts& facts, const Settings& settings) {
  const TrialStatus& status = facts.desired.trial->status;
  const std::map<std::string, int> known = restarts_of(status.arm_pods);
  const Time began = entered(status, TrialPhase::kPromoting).value_or(facts.now);
  Observation observed = facts.observed;
  for (PodSeries& pod : observed.pods) {
    const bool noted = facts.desired.current == settings;
    const bool has_turn = status.live && contains(status.live->pods, pod.uid);
    // As much of them as fits into a container that was resized.
    const Settings its = noted ? pod.settings : settings;
    pod.settings = noted || has_turn ? settings : facts.desired.current;
    const auto before = known.find(pod.uid);
    if (before != known.end()) {
      pod.restarts = std::max(0, pod.restarts - before->second);
      pod.oom_killed = pod.oom_killed && pod.restarts > 0;
    } else {
      only_ended_since(pod, began);
    }
    without_other_settings(pod, its);
  }
  return observed;
}

void only_ended_since(PodSeries& pod, Time since) {
  if (pod.created >= since) return;
  // How often it had ended before nobody has written down.
  pod.restarts = pod.started >= since ? std::min(1, pod.restarts) : 0;
  pod.oom_killed = pod.oom_killed && pod.restarts > 0;
}

void without_other_settings(PodSeries& pod, const Settings& settings) {
  const Sample* const other =
      latest_sample(pod, [&](const Sample& sample) { return tells(sample) && !tells_of(sample, settings); });
  if (other == nullptr) return;
  const Time until = other->at;
  pod.samples.erase_if([&](const Sample& sample) { return sample.at <= until; });
}

}  // namespace gopacer
