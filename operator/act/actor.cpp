#include "act/actor.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "act/documents.h"

namespace gopacer {
namespace {

SettingsPlace place_of(const Desired& desired) {
  return {desired.target->key, desired.target->uid, desired.trial ? desired.trial->spec.container : desired.container};
}

bool tells_of_us(const Workload& workload) {
  const auto& owners = workload.change_cause_owners;
  return std::find(owners.begin(), owners.end(), kFieldManager) != owners.end();
}

std::optional<Receipt> nothing_written() { return std::nullopt; }

Result<std::optional<Receipt>> without_receipt(const Result<void>& result) {
  if (!result) return tl::unexpected(result.error());
  return nothing_written();
}

Result<std::optional<Receipt>> with_receipt(const Result<Receipt>& result) {
  if (!result) return tl::unexpected(result.error());
  return std::optional<Receipt>(*result);
}

/// Whatever is the matter with the profile, it must not keep bad settings in the target.
bool puts_right(StepKind kind) { return kind == StepKind::kRollBack || kind == StepKind::kEnd; }

}  // namespace

ActResult Actor::perform(const Desired& desired, const Step& step) {
  if (desired.profile && !puts_right(step.kind)) {
    const bool runs =
        desired.trial || !desired.profile->memory.active_trial.empty() || step.kind == StepKind::kNoteTrial;
    const auto kept = finalizers_.keep(*desired.profile, runs, !desired.uninstalling && !desired.rival);
    if (!kept) return {kept.error()};
  }
  const auto done = act(desired, step);
  clear_up(step);
  if (step.kind == StepKind::kHold && !desired.trial) untell_put_back(desired);
  if (!done) return {done.error()};
  return {std::nullopt, *done};
}

/// What was left behind must not stand in the way of the step: the next pass tries again.
void Actor::clear_up(const Step& step) {
  for (const auto& arm : step.leftovers) {
    if (const auto removed = arms_.remove(*arm); !removed) {
      spdlog::warn("what a trial left is not removed deployment={} error=\"{}\"", arm->key.text(),
                   removed.error().message);
    }
  }
  for (const auto& trial : step.finished) {
    if (const auto let_go = finalizers_.let_go(*trial); !let_go) {
      spdlog::warn("an ended trial keeps its finalizer trial={} error=\"{}\"", trial->key.text(),
                   let_go.error().message);
    }
  }
}

Result<std::optional<Receipt>> Actor::act(const Desired& desired, const Step& step) {
  switch (step.kind) {
    case StepKind::kHold:
      return nothing_written();
    case StepKind::kNoteTrial:
      return without_receipt(note_trial(desired, step));
    case StepKind::kStartTrial:
      return without_receipt(trials_.start(desired, *step.start));
    case StepKind::kForgetTrial:
      return without_receipt(trials_.check_over({desired.key.ns, desired.profile->memory.active_trial}));
    case StepKind::kRunCanary:
      return without_receipt(arms_.run(desired));
    case StepKind::kRetireCanary: {
      const auto retired = arms_.retire(*desired.trial, Track::kCanary);
      if (!retired) return tl::unexpected(retired.error());
      return without_receipt(untell(desired));
    }
    case StepKind::kPromote:
      return with_receipt(put(desired, *step.settings, act::promotion_cause(*desired.trial)));
    case StepKind::kRollBack: {
      Trial told = *desired.trial;
      told.status = step.trial.value_or(told.status);
      return with_receipt(put(desired, *step.settings, act::rollback_cause(told, *step.settings)));
    }
    case StepKind::kPutBack:
      return with_receipt(put(desired, *step.settings, act::put_back_cause(step)));
    case StepKind::kRevert:
      return without_receipt(revert(desired));
    case StepKind::kEnd: {
      if (const auto seen = check_unpatched(desired); !seen) return tl::unexpected(seen.error());
      if (const auto fresh = trials_.check_unknown(desired); !fresh) return tl::unexpected(fresh.error());
      // What stands against deleting one of them keeps nobody from deleting the other.
      const auto canary = arms_.retire(*desired.trial, Track::kCanary);
      const auto baseline = arms_.retire(*desired.trial, Track::kBaseline);
      for (const auto& retired : {canary, baseline}) {
        if (!retired) return tl::unexpected(retired.error());
      }
      return without_receipt(untell(desired));
    }
  }
  return nothing_written();
}

Result<void> Actor::note_trial(const Desired& desired, const Step& step) {
  if (leaves_the_template(desired)) return trials_.check_free({desired.key.ns, step.memory->active_trial});
  if (const auto rehearsed = applier_.rehearse(place_of(desired), *step.settings); !rehearsed) return rehearsed;
  return trials_.check_free({desired.key.ns, step.memory->active_trial});
}

/// Only onto what the pass has seen: a person may have changed the target a moment ago.
Result<Receipt> Actor::put(const Desired& desired, const Settings& settings, const std::string& why) {
  if (leaves_the_template(desired)) return Receipt{desired.target->generation};
  const SettingsPlace place = place_of(desired);
  const Result<SettingsInForce> in_force = applier_.read(place);
  if (!in_force) return tl::unexpected(in_force.error());
  if (in_force->settings != desired.current || in_force->template_hash != desired.target->template_hash) {
    return fail(ErrorKind::kConflict, describe(*desired.target) + " has changed; going on with the new version");
  }
  return applier_.put(place, settings, in_force->version, why);
}

/// A promotion that nobody could note, because its answer or the note was lost, must not be left behind.
Result<void> Actor::check_unpatched(const Desired& desired) {
  if (leaves_the_template(desired)) return {};
  const TrialStatus& trial = desired.trial->status;
  const bool may_be_patched = trial.phase == TrialPhase::kPromoting && !trial.promoted && desired.target &&
                              desired.target->uid == desired.trial->spec.target.uid;
  if (!may_be_patched) return {};
  const Result<SettingsInForce> in_force = applier_.read(place_of(desired));
  if (!in_force && in_force.error().kind == ErrorKind::kRetriable) return tl::unexpected(in_force.error());
  if (!in_force || in_force->settings == desired.current) return {};
  return fail(ErrorKind::kConflict, describe(*desired.target) + " has changed; going on with the new version");
}

/// Our revision has its line in the history now. Left on the workload, the line would be copied to revisions that
/// somebody else makes. But nothing rests on it: a server that refuses it keeps no trial open.
Result<void> Actor::untell(const Desired& desired) {
  const bool ours = desired.target && (!desired.trial || desired.target->uid == desired.trial->spec.target.uid);
  if (!ours || !tells_of_us(*desired.target)) return {};
  const Result<Receipt> put_back = put(desired, desired.current, "");
  if (put_back) return {};
  if (put_back.error().kind != ErrorKind::kTerminal) return tl::unexpected(put_back.error());
  spdlog::warn("the change cause stays at the target deployment={} error=\"{}\"", desired.target->key.text(),
               put_back.error().message);
  return {};
}

/// The same where no trial runs. Nothing waits for it.
void Actor::untell_put_back(const Desired& desired) {
  if (!desired.profile || !desired.target || desired.uninstalling || desired.rival) return;
  const bool all_ours = desired.profile->memory.applied.value_or(Settings{}) == desired.current;
  if (!all_ours || !desired.target->rolled_out()) return;
  if (const auto untold = untell(desired); !untold) {
    spdlog::warn("the change cause stays at the target for now deployment={} error=\"{}\"", desired.target->key.text(),
                 untold.error().message);
  }
}

Result<void> Actor::revert(const Desired& desired) {
  const Profile& profile = *desired.profile;
  // What is in the target of another profile is that one's.
  if (profile.spec.revert_on_deletion && desired.target && !desired.rival) {
    const auto released = applier_.release(place_of(desired));
    if (!released && released.error().kind != ErrorKind::kNotFound) return released;
  }
  return finalizers_.let_go(profile);
}

}  // namespace gopacer
