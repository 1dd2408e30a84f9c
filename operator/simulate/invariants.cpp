#include "simulate/invariants.h"

#include <algorithm>

namespace gopacer::simulating {
namespace {

using std::chrono::minutes;

/// Passes in which nothing goes wrong, after which everything has to be as it should.
constexpr int kSettled = 6;
/// Of one step in one phase of a trial. For its pods an operator waits five minutes, and looks at each window.
constexpr int kMostRepeats = 40;
/// A pass is late by a window.
constexpr Duration kLate = minutes(1);
/// A live trial is looked at as often, and its agents with it.
constexpr Duration kLateAgent = std::chrono::seconds(3);
/// What may take long after the deadline: a promotion that does not stick or stands still, a watch that lacks data, a
/// rollback.
constexpr Duration kLongestAfter = minutes(15) + minutes(16) + minutes(31) + minutes(10);

bool equal(const Settings& settings, const Settings& wanted, bool but_gogc, bool but_limit) {
  return (but_gogc || settings.gogc == wanted.gogc) && (but_limit || settings.go_mem_limit == wanted.go_mem_limit);
}

/// However urgent it is, and however short the pause that the profile asks for.
constexpr Duration kLeastPause = minutes(10);

/// Reasons by which a trial ends and leaves the target alone.
bool leaves_target(const std::string& reason) {
  return reason == "ProfileGone" || reason == "TrialUnknown" || reason == "TargetGone";
}

std::string story(const Trial& trial) {
  return trial.key.name + " (" + to_string(trial.status.phase) + ", " + to_string(trial.status.verdict) + " " +
         trial.status.reason + ", from " + describe(trial.spec.from) + " to " + describe(trial.spec.to) + ")";
}

}  // namespace

void Invariants::expect(bool holds, const std::string& otherwise) {
  if (!holds && broken_.empty()) broken_ = otherwise;
}

void Invariants::person_set() {
  const Settings now = settings_now(api_.objects);
  persons_.gogc = persons_.gogc || now.gogc != current_.gogc;
  persons_.limit = persons_.limit || now.go_mem_limit != current_.go_mem_limit;
  current_ = now;
  ours_.reset();
  person_acted_ = true;
  calm_passes_ = 0;
}

void Invariants::clock_stepped(Duration step) { clock_ahead_ += std::max(step, Duration(0)); }

void Invariants::wrote(const Objects& before, Time now) {
  const Objects& after = api_.objects;
  const Settings from = settings_now(before);
  const Settings to = settings_now(after);
  if (before.target != after.target || from != to) settings_written(before, from, to);
  const bool was_free = before.profile->memory.active_trial.empty();
  if (!was_free && before.running_trial() && after.profile->memory.active_trial.empty()) free_since_ = now;
  if (before.trials != after.trials) trial_written(before, now);
  for (const Track track : {Track::kCanary, Track::kBaseline}) {
    const auto& arm = after.arm(track);
    if (before.arm(track) && !arm) over_ = before.arm(track)->arm_of;
    expect(!arm || before.arm(track) || arm->arm_of != over_, "an arm comes back that had been removed");
  }
  const auto running =
      std::count_if(after.trials.begin(), after.trials.end(), [](const auto& trial) { return trial->running(); });
  expect(running <= 1, "two trials run");
}

/// In the target's template, or in its processes by what the agents obey.
void Invariants::settings_written(const Objects& objects, const Settings& from, const Settings& to) {
  const Workload& before = *objects.target;
  const Workload& after = *api_.objects.target;
  expect(before.replicas == after.replicas && before.template_hash == after.template_hash,
         "more of the target was written than its two settings");
  const auto trial = objects.running_trial();
  const std::string what = describe(from) + " became " + describe(to) + " in the target";
  const Profile& profile = *objects.profile;
  const bool live = trial ? trial->spec.live.has_value() : profile.spec.apply == ApplyMode::kLive;
  expect(!live || objects.target == api_.objects.target, what + "'s template");
  const bool forgotten = live && !api_.objects.profile->memory.applied && to == settings_of(after);
  const ProfileMemory& memory = profile.memory;
  if (forgotten && !memory.applied_uid.empty() && memory.applied_uid != after.uid) {
    // Made anew, it knows nothing of what the one before had.
    expect(!trial || trial->spec.target.uid != after.uid, what + ", which a trial is about");
  } else if (!trial) {
    const auto wanted = std::find_if(objects.trials.begin(), objects.trials.end(),
                                     [&](const auto& one) { return one->key.name == profile.wishes.undo_to; });
    expect(wanted != objects.trials.end() && (*wanted)->spec.to == to, what + ", and no trial runs");
  } else if (trial->status.phase == TrialPhase::kPromoting) {
    expect(trial->status.verdict == TrialVerdict::kPromote && to == trial->spec.to,
           what + " in the promotion of " + story(*trial));
  } else {
    const Settings& old = trial->spec.from;
    expect(trial->status.phase == TrialPhase::kRollingBack, what + " before it was recorded, in " + story(*trial));
    expect((to.gogc == from.gogc || to.gogc == old.gogc) &&
               (to.go_mem_limit == from.go_mem_limit || to.go_mem_limit == old.go_mem_limit),
           what + " in the rollback of " + story(*trial));
    const bool theirs =
        (persons_.gogc && to.gogc != from.gogc) || (persons_.limit && to.go_mem_limit != from.go_mem_limit);
    expect(!theirs, what + ", which a person had set, in " + story(*trial));
  }
  if (to.gogc != from.gogc) persons_.gogc = false;
  if (to.go_mem_limit != from.go_mem_limit) persons_.limit = false;
  current_ = to;
  ours_ = persons_.gogc || persons_.limit ? std::nullopt : std::optional(to);
  calm_passes_ = 0;
}

void Invariants::trial_written(const Objects& before, Time now) {
  for (const auto& trial : api_.objects.trials) {
    const auto known = std::find_if(before.trials.begin(), before.trials.end(),
                                    [&](const auto& one) { return one->uid == trial->uid; });
    if (known == before.trials.end()) {
      trial_begun(*trial, before, now);
    } else if (*known != trial) {
      expect((*known)->running(), "a trial that had ended was written to: " + story(*trial));
      if ((*known)->status.phase != trial->status.phase) calm_passes_ = 0;
      if (!trial->running()) trial_ended(*trial);
    }
  }
}

void Invariants::trial_begun(const Trial& trial, const Objects& before, Time now) {
  person_acted_ = settings_now(api_.objects) != trial.spec.from;
  calm_passes_ = 0;
  for (const auto& known : before.trials) {
    const bool same_program = known->spec.template_hash == trial.spec.template_hash;
    const bool banned = known->status.verdict == TrialVerdict::kRollBack && same_program;
    const bool again = banned && about_equal(known->spec.to, trial.spec.to);
    const auto until = banned_until({known->spec.to, "", known->status.reason, *known->status.ended});
    expect(!again || (until && *until <= now), "settings that were rolled back are tried again: " + story(*known));
  }
  if (before.trials.empty()) return;
  const Trial& last = *before.trials.back();
  const TrialVerdict verdict = last.status.verdict;
  const bool by_others = verdict == TrialVerdict::kSuperseded || verdict == TrialVerdict::kAborted;
  const bool goes_on =
      verdict == TrialVerdict::kPromote && !last.spec.predicted.destination.empty() && trial.spec.from == last.spec.to;
  expect(by_others || goes_on || last.status.reason == "Refused" || now >= free_since_ + kLeastPause,
         "a trial begins too soon after " + story(last));
}

void Invariants::trial_ended(const Trial& trial) {
  repeated_ = 0;
  const Workload& target = *api_.objects.target;
  if (leaves_target(trial.status.reason) || target.uid != trial.spec.target.uid) return;
  const Settings current = settings_now(api_.objects);
  const bool by_person = trial.status.reason == "SettingsChanged" || trial.status.reason == "FieldConflict";
  expect(!by_person || person_acted_, "nobody changed the settings in " + story(trial));
  const bool promoted = trial.status.verdict == TrialVerdict::kPromote;
  const std::string what = "the target has " + describe(current) + " after " + story(trial);
  if (promoted) return expect(equal(current, trial.spec.to, persons_.gogc, persons_.limit), what);
  Settings old = current;
  if (!persons_.gogc) old.gogc = trial.spec.from.gogc;
  if (!persons_.limit) old.go_mem_limit = trial.spec.from.go_mem_limit;
  // Beside a person's value the old one might let the heap grow further than either of them meant.
  const bool safe = old.bounded_by(trial.spec.from) || old.bounded_by(current);
  expect(current == old || !safe, what);
}

void Invariants::arms_in_time(Time now) {
  for (const auto& arm : {api_.objects.canary, api_.objects.baseline}) {
    if (!arm) continue;
    const auto trial = api_.objects.running_trial();
    expect(trial && arm->arm_of == trial->uid, "an arm is left whose trial is over");
    expect(!trial || !trial->spec.live, "a live trial has an arm");
    expect(now <= *arm->expires + clock_ahead_ + kLate, "an arm outlives its expiry");
    if (!trial) continue;
    const TrialPhase phase = trial->status.phase;
    const bool canary = arm == api_.objects.canary;
    expect(before_promotion(phase) || !canary || phase == TrialPhase::kPromoting,
           "a canary is left in " + story(*trial));
    expect(phase != TrialPhase::kRollingBack, "a baseline is left in " + story(*trial));
  }
}

void Invariants::trial_in_time(const Trial& trial, Time now) {
  const Time deadline = trial.spec.deadline;
  expect(!before_promotion(trial.status.phase) || now <= deadline + kLate, "the deadline is over of " + story(trial));
  const Duration watch = 2 * trial.spec.watch_for + trial.spec.canary.warm_up;
  expect(now <= deadline + watch + kLongestAfter + clock_ahead_, "there is no end of " + story(trial));
}

void Invariants::memory_is_true(bool noted) {
  const ProfileMemory& memory = api_.objects.profile->memory;
  const Settings current = settings_now(api_.objects);
  const bool has_ours = ours_ && *ours_ != Settings{};
  const std::string applied = memory.applied ? describe(*memory.applied) : "nothing";
  // What agents keep in force beside the template is there again once a person has taken away what they had set there.
  const bool beside = memory.applied && memory.applied_beside && memory.applied == current;
  expect(memory.applied == (has_ours ? ours_ : std::nullopt) || (!has_ours && beside),
         "the profile remembers that it applied " + applied + ", and the target has " + describe(current) +
             (has_ours ? " of ours" : " of a person"));
  expect(memory.active_trial.empty() || noted, "the profile names a trial that does not run");
}

/// Each window counts once, whoever has counted it and however often it is looked at.
void Invariants::windows_count_once(const TrialStatus& status, const TrialSpec& spec) {
  const auto expect_once = [&](const Evidence& evidence, const std::optional<Time>& since, Duration length) {
    if (!since) return;
    const int windows = evidence.windows + evidence.empty_windows;
    expect((windows - 1) * length <= latest_ - *since,
           std::to_string(windows) + " windows in " + format_duration(latest_ - *since));
  };
  expect_once(status.evidence, status.measuring_since, spec.live ? 2 * spec.live->block : spec.canary.interval);
  expect_once(status.watch_evidence, status.watching_since, spec.canary.interval);
}

/// No step is repeated for ever.
void Invariants::gets_on(const OperatorProcess::Pass& pass, bool calm) {
  const auto& trial = pass.facts.desired.trial;
  const std::string step = to_string(pass.step.kind) + (trial ? to_string(trial->status.phase) + trial->key.name : "");
  const bool same = step == last_step_ && pass.step.kind != StepKind::kHold;
  repeated_ = same ? repeated_ + 1 : 0;
  last_step_ = step;
  failed_ = calm && pass.error ? failed_ + 1 : 0;
  expect(failed_ < kSettled, "a step fails again and again: " + to_string(pass.step.kind) + ", " +
                                 (pass.error ? pass.error->message : "") + (trial ? " in " + story(*trial) : ""));
  expect(repeated_ <= kMostRepeats, "the same step again and again: " + to_string(pass.step.kind) + ", " +
                                        pass.step.message + (trial ? " in " + story(*trial) : ""));
}

/// Whatever else a process runs with than what it is to have for good, is the running trial's, by a word of the
/// operator that is no older than the lease.
void Invariants::has_its_turn(const Cluster::LivingPod& living, const Cluster::Agent& agent, Time now) {
  const Objects& there = api_.objects;
  const bool deaf = now < agent.deaf_until;
  const Profile& profile = deaf ? *agent.profile : *there.profile;
  const Settings& environment = living.pod.series().settings;
  const Settings& runs = living.pod.runs();
  Settings usual = profile.spec.apply == ApplyMode::kLive ? in_force(profile.memory, environment) : environment;
  const auto& trial = deaf ? agent.trial : live_;
  const bool goes_back = trial && trial->spec.live && trial->status.phase == TrialPhase::kRollingBack &&
                         trial->key.name == profile.memory.active_trial;
  if (goes_back && usual == trial->spec.to) usual = trial->spec.from;
  if (runs == usual) return;
  // Whoever has just come, or hears again, takes what is there for news.
  const Time since = deaf ? agent.heard : std::max({live_since_, agent.since, agent.deaf_until});
  const std::string what = living.pod.series().pod + " runs " + describe(runs) + " instead of " + describe(usual);
  const bool watched = trial && trial->status.phase == TrialPhase::kWatching;
  expect(trial && trial->running() && trial->status.live && !trial->deleting &&
             runs == (watched ? trial->spec.from : trial->spec.to),
         what + ", which no trial asks for");
  expect(now - since <= kLiveLease + kLateAgent, what + ", although nobody has cared for longer than the lease");
}

void Invariants::obeyed(const Cluster& cluster, Time now) {
  const Objects& there = api_.objects;
  if (const auto trial = there.running_trial(); trial != live_) {
    live_ = trial;
    live_since_ = now;
  }
  std::size_t tried = 0;
  for (const auto& living : cluster.pods()) {
    const Cluster::Agent& agent = cluster.agent_of(living);
    if (living.owner != there.target->uid || now < living.agent_finds_at || now < agent.away_until || !agent.profile)
      continue;
    has_its_turn(living, agent, now);
    if (live_ && live_->status.live && living.pod.runs() == live_->spec.to && now >= agent.deaf_until) ++tried;
  }
  if (!live_ || live_->status.phase != TrialPhase::kMeasuring || now - live_since_ > kLateAgent) return;
  expect(tried <= (live_->status.arm_pods.size() + 1) / 2,
         "more than half of the pods have a turn in " + story(*live_));
}

void Invariants::passed(const OperatorProcess::Pass& pass, Time now, bool calm) {
  latest_ = std::max(latest_, now);
  gets_on(pass, calm);
  const bool yields = !pass.facts.desired.trial && pass.step.reason == "SettingsChanged";
  expect(!yields || !ours_, "it is held for a person's change that the target has " + describe(current_));
  if (pass.step.start) {
    const int most = std::max(1, pass.facts.desired.target->replicas / 4);
    expect(pass.step.start->canary.replicas <= most, "an arm is larger than a quarter of the target");
  }
  if (pass.step.trial) windows_count_once(*pass.step.trial, pass.facts.desired.trial->spec);
  calm_passes_ = calm ? calm_passes_ + 1 : 0;
  if (calm_passes_ < kSettled) return;
  arms_in_time(now);
  if (const auto trial = api_.objects.running_trial()) {
    trial_in_time(*trial, now);
    const bool noted = api_.objects.profile->memory.applied == trial->spec.to;
    expect(noted || trial->status.phase != TrialPhase::kWatching || persons_.gogc || persons_.limit,
           "the profile does not remember the promotion of " + story(*trial));
  } else {
    memory_is_true(pass.step.kind == StepKind::kNoteTrial);
  }
}

}  // namespace gopacer::simulating
