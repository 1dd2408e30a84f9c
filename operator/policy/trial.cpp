#include <algorithm>
#include <utility>

#include "policy/sentences.h"

namespace gopacer::policy {
namespace {

/// An arm that allocates, or is asked, so many times as much as its twin does other work: a queue's worker, a leader.
constexpr double kFarApart = 4;
/// Requests of the busier arm below which their ratio says nothing.
constexpr double kEnoughRequests = 100;
/// Least share of the target's replicas that must be available while a trial runs.
constexpr double kLeastAvailable = 0.5;
/// For so long; an autoscaler's step and a drained node are over sooner.
constexpr Duration kLongestUnavailable = std::chrono::minutes(2);

const Trial& trial_of(const Facts& facts) { return *facts.desired.trial; }

bool our_profile(const Facts& facts) {
  return facts.desired.profile && facts.desired.profile->uid == trial_of(facts).spec.profile_uid;
}

bool has_new_settings(const Facts& facts, const Pod& pod) {
  const TrialSpec& trial = trial_of(facts).spec;
  return std::any_of(pod.containers.begin(), pod.containers.end(), [&](const ContainerSpec& container) {
    return container.name == trial.container && readable_settings(env_of(container)) == trial.to;
  });
}

/// It was there when a live trial's turns began, and has run the new settings since.
bool takes_turns(const Facts& facts, const Pod& pod) {
  const auto& processes = trial_of(facts).status.arm_pods;
  return std::any_of(processes.begin(), processes.end(),
                     [&](const std::string& process) { return pod_of(process) == pod.uid; });
}

/// Pods that ended long ago may be there for months, and may have run the same settings then.
bool is_promoted_one(const Facts& facts, const Pod& pod) {
  const TrialStatus& trial = trial_of(facts).status;
  if (trial_of(facts).spec.live) return takes_turns(facts, pod);
  if (!trial.promoted || !pod.created) return false;
  // The patch itself may have been noted much later than it was sent, by a successor.
  const Time before_patch = entered(trial, TrialPhase::kPromoting).value_or(*trial.promoted);
  return *pod.created >= before_patch - kClockSkew && has_new_settings(facts, pod);
}

const Pod* evicted_for_memory(const Facts& facts, Track track) {
  for (const OwnedPod& owned : facts.desired.pods) {
    const Pod& pod = *owned.pod;
    const bool for_memory = pod.reason == "Evicted" && pod.message.find("resource: memory") != std::string::npos;
    if (owned.track != track || !for_memory) continue;
    if (track != Track::kStable || is_promoted_one(facts, pod)) return &pod;
  }
  return nullptr;
}

/// Whether the kernel or the kubelet ended a pod of the arm for its memory.
bool ran_out_of_memory(const Facts& facts, Track track) {
  return evicted_for_memory(facts, track) != nullptr ||
         std::any_of(facts.observed.pods.begin(), facts.observed.pods.end(),
                     [&](const PodSeries& pod) { return pod.track == track && pod.oom_killed; });
}

/// Bytes a second that a pod of the arm allocated over the latest samples of one process; none without two of them.
std::optional<double> alloc_rate(const Facts& facts, Track track) {
  double sum = 0;
  int pods = 0;
  for (const PodSeries& pod : facts.observed.pods) {
    if (pod.track != track) continue;
    const Sample* first = nullptr;
    const Sample* last = nullptr;
    for (const Sample& sample : pod.samples) {
      if (!sample.mem || sample.at < trial_of(facts).status.measuring_since.value_or(Time{})) continue;
      if (first == nullptr) first = &sample;
      last = &sample;
    }
    if (first == nullptr || last->at <= first->at) continue;
    sum += (last->mem->total_alloc - first->mem->total_alloc).value() / to_seconds(last->at - first->at);
    ++pods;
  }
  return pods > 0 ? std::optional<double>(sum / pods) : std::nullopt;
}

Answer unequal(const std::string& done_by_each) {
  return done_by_each +
         ": the two do not do the same work and can't be compared. Is one of them a leader, or the worker of a queue?";
}

/// "set GOGC=150 and removed GOMEMLIMIT": only what is neither as it was nor as the trial may have put it.
std::string change(const Settings& before, const Settings& ours, const Settings& now) {
  std::string text;
  const auto tell = [&](const char* variable, bool differs, const std::optional<std::string>& value) {
    if (!differs) return;
    text += (text.empty() ? "" : " and ") +
            (value ? "set " + std::string(variable) + "=" + *value : "removed " + std::string(variable));
  };
  const EnvText env = to_env(now);
  tell(kGogcVariable, now.gogc != before.gogc && now.gogc != ours.gogc, env.gogc);
  tell(kGoMemLimitVariable, now.go_mem_limit != before.go_mem_limit && now.go_mem_limit != ours.go_mem_limit,
       env.go_mem_limit);
  return text;
}

bool far_apart(double a, double b) { return std::max(a, b) > kFarApart * std::min(a, b); }

}  // namespace

bool nobody_knows(const Facts& facts) {
  return trial_unknown(facts).has_value() || trial_unreadable(facts).has_value();
}

bool is_a_persons(const std::string& reason) { return reason == "FieldConflict" || reason == "SettingsChanged"; }

bool half_gone(const Facts& facts) {
  if (!facts.desired.target) return false;
  const Workload& target = *facts.desired.target;
  int expected = target.replicas;
  if (facts.desired.trial && facts.desired.trial->status.phase == TrialPhase::kWatching) {
    // An autoscaler that adds pods before there are nodes for them takes nothing away.
    const auto homeless =
        std::count_if(facts.desired.pods.begin(), facts.desired.pods.end(), [](const OwnedPod& owned) {
          return owned.track == Track::kStable && !owned.pod->deleting && owned.pod->phase == "Pending" &&
                 owned.pod->node.empty();
        });
    const int before = std::min(facts.desired.trial->status.watched_replicas, target.replicas);
    expected = std::max(target.replicas - static_cast<int>(homeless), before);
  }
  return target.available_replicas < kLeastAvailable * expected;
}

Answer profile_gone(const Facts& facts) {
  if (facts.desired.profile) return std::nullopt;
  return "The profile is gone, and with it all that says what the trial was for.";
}

Answer trial_unknown(const Facts& facts) {
  if (our_profile(facts) && facts.desired.profile->memory.active_trial == trial_of(facts).key.name) {
    return std::nullopt;
  }
  return "The profile's status does not name this trial: gopacer did not start it, or has finished with it. The target "
         "is left alone.";
}

Answer target_gone(const Facts& facts) {
  const bool there = facts.desired.target && facts.desired.target->uid == trial_of(facts).spec.target.uid;
  if (there) return std::nullopt;
  return "The target is gone" + std::string(facts.desired.target ? ": another one of its name took its place." : ".");
}

Answer settings_changed(const Facts& facts) {
  const Trial& trial = trial_of(facts);
  const Settings& current = facts.desired.current;
  const bool old_ones = current == trial.spec.from;
  const bool new_ones = current == trial.spec.to;
  switch (trial.status.phase) {
    case TrialPhase::kPending:
    case TrialPhase::kWarmUp:
    case TrialPhase::kMeasuring:
      if (old_ones) return std::nullopt;
      break;
    case TrialPhase::kPromoting:
      // Before our patch the old ones are there, after it the new ones.
      if (new_ones || (old_ones && !trial.status.promoted)) return std::nullopt;
      break;
    case TrialPhase::kWatching:
      if (new_ones) return std::nullopt;
      break;
    case TrialPhase::kRollingBack:  // puts back what is not theirs already
    case TrialPhase::kEnded:
      return std::nullopt;
  }
  if (old_ones) return "Somebody put " + describe(current) + " back into the target; that stands.";
  const bool ours_are_there = trial.status.promoted || trial.status.phase == TrialPhase::kWatching;
  const Settings& before = ours_are_there ? trial.spec.to : trial.spec.from;
  // A patch may have arrived whose note was lost.
  const Settings& ours = trial.status.phase == TrialPhase::kPromoting ? trial.spec.to : before;
  const std::string done = change(before, ours, current);
  return "Somebody " + (done.empty() ? change(ours, ours, current) : done) + " on the target; that stands.";
}

Answer trial_unreadable(const Facts& facts) {
  if (trial_of(facts).unreadable.empty()) return std::nullopt;
  return trial_of(facts).unreadable;
}

Answer trial_deleted(const Facts& facts) {
  if (!trial_of(facts).deleting) return std::nullopt;
  return "Somebody deleted the trial.";
}

Answer profile_deleted(const Facts& facts) {
  if (!facts.desired.profile || !facts.desired.profile->deleting) return std::nullopt;
  return "The profile was deleted.";
}

Answer no_longer_wanted(const Facts& facts) {
  if (!facts.desired.profile) return std::nullopt;
  const ProfileSpec& spec = facts.desired.profile->spec;
  if (spec.update_mode == UpdateMode::kCanary && !spec.suspend) return std::nullopt;
  return "The profile was suspended, or its updateMode is no longer Canary.";
}

Answer template_changed(const Facts& facts) {
  if (!facts.desired.target || facts.desired.target->template_hash == trial_of(facts).spec.template_hash) {
    return std::nullopt;
  }
  return "Somebody changed the target's pod template; what was measured no longer speaks of it.";
}

Answer apply_changed(const Facts& facts) {
  if (!our_profile(facts)) return std::nullopt;
  const bool live = facts.desired.profile->spec.apply == ApplyMode::kLive;
  if (live == trial_of(facts).spec.live.has_value()) return std::nullopt;
  return live ? "spec.updatePolicy.apply is Live now." : "spec.updatePolicy.apply is Restart now.";
}

Answer profile_changed(const Facts& facts) {
  if (!facts.desired.profile) return std::nullopt;
  const ProfileSpec& spec = facts.desired.profile->spec;
  const TrialSpec& trial = trial_of(facts).spec;
  const bool container = spec.container.empty() || spec.container == trial.container;
  // The node agents set the one that the profile names.
  if (trial.live && !container) return "The profile now names another container.";
  if (!before_promotion(trial_of(facts).status.phase)) return std::nullopt;
  // A member that the person leaves out stays as the target has it.
  const bool fixed = spec.strategy != Strategy::kFixed ||
                     ((!spec.fixed.gogc || spec.fixed.gogc == trial.to.gogc) &&
                      (!spec.fixed.go_mem_limit || spec.fixed.go_mem_limit == trial.to.go_mem_limit));
  if (!container || spec.strategy != trial.strategy || !fixed) return "The profile now asks for other settings.";
  const std::string beyond = beyond_bounds(trial.to, trial.live ? trial.live->own : std::nullopt, facts);
  if (beyond.empty()) return std::nullopt;
  return "What is tried is not allowed any more: " + beyond;
}

Answer target_unavailable(const Facts& facts) {
  const TrialPhase phase = trial_of(facts).status.phase;
  if ((!before_promotion(phase) && phase != TrialPhase::kWatching) || !facts.desired.target) return std::nullopt;
  const Workload& target = *facts.desired.target;
  const Time since = trial_of(facts).status.unavailable_since.value_or(facts.now);
  if (!half_gone(facts) || facts.now - since < kLongestUnavailable) return std::nullopt;
  return "For more than " + format_duration(kLongestUnavailable) + " only " +
         std::to_string(target.available_replicas) + " of " + std::to_string(target.replicas) + " replicas of " +
         describe(target) + " are available: this is no time for a trial.";
}

Answer evicted(const Facts& facts) {
  const bool before = before_promotion(trial_of(facts).status.phase);
  const bool has_arms = before && !trial_of(facts).spec.live;
  const Pod* const pod = evicted_for_memory(facts, has_arms ? Track::kCanary : Track::kStable);
  if (pod == nullptr || (has_arms && evicted_for_memory(facts, Track::kBaseline) != nullptr)) return std::nullopt;
  return "Pod " + pod->key.name + " was evicted with the new settings: " + pod->message;
}

Answer both_arms_killed(const Facts& facts) {
  const TrialStatus& status = trial_of(facts).status;
  // What the trial ends for already need not be seen again.
  const bool new_ones =
      status.reason == kOomKilled || (before_promotion(status.phase) && ran_out_of_memory(facts, Track::kCanary));
  if (!new_ones || !ran_out_of_memory(facts, Track::kBaseline)) return std::nullopt;
  return "Pods of both arms ran out of memory, so that it says nothing about the new settings: raise the memory limit "
         "of " +
         ObjectKey{trial_of(facts).key.ns, trial_of(facts).spec.target.name}.text() + ", or see what fills it.";
}

/// What is compared then is not what the trial says.
Answer arms_overridden(const Facts& facts) {
  for (const auto& [arm, track] :
       {std::pair{facts.desired.canary, Track::kCanary}, std::pair{facts.desired.baseline, Track::kBaseline}}) {
    if (!arm) continue;
    const ContainerSpec* const container = container_named(arm->containers, trial_of(facts).spec.container);
    const Settings& asked = track == Track::kCanary ? trial_of(facts).spec.to : trial_of(facts).spec.from;
    if (container != nullptr && readable_settings(env_of(*container)) != asked) {
      return describe(*arm) + " has " + describe(readable_settings(env_of(*container))) + " and the trial compares " +
             describe(asked) + ": somebody, or an admission policy, changed it. Nothing can be learned of it.";
    }
    if (auto words = overridden(facts, *arm, track)) return words;
  }
  return std::nullopt;
}

Answer arms_unequal(const Facts& facts) {
  const Evidence& evidence = facts.verdict.evidence;
  const double canary = static_cast<double>(evidence.canary_requests);
  const double baseline = static_cast<double>(evidence.baseline_requests);
  if (std::max(canary, baseline) >= kEnoughRequests && far_apart(canary, baseline)) {
    return unequal("The canary answered " + std::to_string(evidence.canary_requests) + " requests and the baseline " +
                   std::to_string(evidence.baseline_requests));
  }
  const auto canary_rate = alloc_rate(facts, Track::kCanary);
  const auto baseline_rate = alloc_rate(facts, Track::kBaseline);
  if (canary_rate && baseline_rate && far_apart(*canary_rate, *baseline_rate)) {
    return unequal("The canary allocated " + format_bytes(Bytes::of(*canary_rate)) + " a second and the baseline " +
                   format_bytes(Bytes::of(*baseline_rate)));
  }
  return std::nullopt;
}

Answer arms_idle(const Facts& facts) {
  const auto target_rate = alloc_rate(facts, Track::kStable);
  const auto canary_rate = alloc_rate(facts, Track::kCanary);
  const auto baseline_rate = alloc_rate(facts, Track::kBaseline);
  if (!target_rate || !canary_rate || !baseline_rate) return std::nullopt;
  const double busier = std::max(*canary_rate, *baseline_rate);
  if (*target_rate <= kFarApart * busier) return std::nullopt;
  return "A pod of the target allocated " + format_bytes(Bytes::of(*target_rate)) +
         " a second and none of the trial's more than " + format_bytes(Bytes::of(busier)) +
         ": they do little of its work, and show little of what it costs. Does a leader do it, or do clients keep the "
         "connections that they have?";
}

}  // namespace gopacer::policy
