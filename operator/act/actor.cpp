#include "act/actor.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "act/documents.h"
#include "codec/fields.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "ports/api_server.h"

namespace gopacer {
namespace {

using nlohmann::json;

constexpr const char* kOurCause = "gopacer: ";

Result<void> without_value(const Result<json>& result) {
  if (result) return {};
  return tl::unexpected(result.error());
}

ObjectPath deployment(const ObjectKey& key) { return {resources::kDeployments, key.ns, key.name}; }

bool belongs_to(const json& object, const Trial& trial) {
  return codec::text(codec::child(codec::child(object, "metadata"), "labels"), kTrialLabel) ==
         label_value(trial.key.name);
}

bool is_guarded(const Profile& profile) {
  return std::find(profile.finalizers.begin(), profile.finalizers.end(), kRevertFinalizer) != profile.finalizers.end();
}

}  // namespace

ActResult Actor::perform(const Desired& desired, const Step& step) {
  const auto act = [&]() -> Result<void> {
    // Whatever is the matter with the profile, it must not keep bad settings in the target.
    const bool puts_right = step.kind == StepKind::kRollBack || step.kind == StepKind::kEnd;
    if (desired.profile && !puts_right) {
      if (auto guarded = guard(*desired.profile); !guarded) return guarded;
    }
    switch (step.kind) {
      case StepKind::kHold:
        return {};
      case StepKind::kStartTrial:
        return start_trial(desired, *step.start);
      case StepKind::kRunCanary:
        return run_canary(desired);
      case StepKind::kPromote:
        return put_settings(desired, *step.settings, act::promotion_cause(*desired.trial));
      case StepKind::kRetireCanary: {
        if (auto retired = retire_canary(*desired.trial); !retired) return retired;
        // Our revision has its line in the history now. Left on the Deployment, the line would be copied to revisions
        // that somebody else makes.
        return put_settings(desired, desired.current, "");
      }
      case StepKind::kRollBack: {
        Trial told = *desired.trial;
        told.status = step.trial.value_or(told.status);
        return put_settings(desired, *step.settings, act::rollback_cause(told));
      }
      case StepKind::kRevert:
        return revert(desired);
      case StepKind::kEnd: {
        if (auto retired = retire_canary(*desired.trial); !retired) return retired;
        const bool our_cause_is_there = desired.target && desired.target->uid == desired.trial->spec.target_uid &&
                                        desired.target->change_cause.starts_with(kOurCause);
        if (our_cause_is_there && desired.conflict.empty()) return put_settings(desired, desired.current, "");
        return {};
      }
    }
    return {};
  };
  const Result<void> result = act();
  return result ? ActResult{} : ActResult{result.error()};
}

Result<void> Actor::start_trial(const Desired& desired, const TrialSpec& spec) {
  // The profile's watch may be ahead of the trials': then the trial that it notes runs, and is not in our picture yet.
  if (const std::string& noted = desired.profile->memory.active_trial; !noted.empty()) {
    const Result<json> running = api_.get({resources::kTrials, desired.key.ns, noted});
    if (!running && running.error().kind != ErrorKind::kNotFound) return without_value(running);
    const bool ended =
        running && codec::text(codec::child(*running, "status"), "phase") == to_string(TrialPhase::kEnded);
    if (running && !ended) {
      return fail(ErrorKind::kConflict, "trial " + desired.key.ns + "/" + noted + " of profile " + desired.key.text() +
                                            " still runs; waiting until it shows in the watch");
    }
  }
  // Nor may our picture of the profile be an old one, which lacks the ban or the cool-down of a trial that just ended.
  const Result<json> profile = api_.get({resources::kProfiles, desired.key.ns, desired.key.name});
  if (!profile) return without_value(profile);
  if (codec::text(codec::child(*profile, "metadata"), "resourceVersion") != desired.profile->resource_version) {
    return fail(ErrorKind::kConflict,
                "profile " + desired.key.text() + " has changed; starting no trial on an old version of it");
  }
  TrialSpec complete = spec;
  complete.container = desired.container;
  const ObjectKey key{desired.key.ns, trial_name(spec.profile, spec.number)};
  const Result<json> created = api_.create(resources::kTrials, key.ns, codec::trial_object(key, complete));
  // It is there already when we died, or our cache lagged, between creating it and noting it in the profile.
  if (!created && created.error().kind == ErrorKind::kConflict) return {};
  return without_value(created);
}

Result<void> Actor::run_canary(const Desired& desired) {
  for (const auto& [track, known] :
       {std::pair{Track::kBaseline, desired.baseline}, std::pair{Track::kCanary, desired.canary}}) {
    if (auto running = run_track(desired, track, known); !running) return running;
  }
  return {};
}

Result<void> Actor::run_track(const Desired& desired, Track track, const std::shared_ptr<const Deployment>& known) {
  if (known) return {};
  const Trial& trial = *desired.trial;
  const Result<json> target = api_.get(deployment(desired.target->key));
  if (!target) return without_value(target);
  const Result<json> document = act::track_deployment(*target, trial, track);
  if (!document) return without_value(document);
  const Result<json> created = api_.create(resources::kDeployments, trial.key.ns, *document);
  if (created || created.error().kind != ErrorKind::kConflict) return without_value(created);

  // The name is taken: by ourselves a moment ago, by what an earlier trial left, or by somebody else.
  const ObjectPath path = deployment({trial.key.ns, track_deployment_name(trial.spec.target, track)});
  const Result<json> existing = api_.get(path);
  if (!existing) return without_value(existing);
  if (belongs_to(*existing, trial)) return {};
  const json& metadata = codec::child(*existing, "metadata");
  if (codec::text(codec::child(metadata, "labels"), "app.kubernetes.io/managed-by") != "gopacer") {
    return invalid("Deployment " + path.ns + "/" + path.name +
                   " is not gopacer's, but has the name that the trial needs: rename or delete it");
  }
  if (auto removed = api_.remove(path, codec::text(metadata, "uid")); !removed) return removed;
  return retriable("Deployment " + path.ns + "/" + path.name +
                   " of an earlier trial was in the way and is being deleted");
}

Result<void> Actor::retire_canary(const Trial& trial) {
  for (const Track track : {Track::kCanary, Track::kBaseline}) {
    const ObjectPath path = deployment({trial.key.ns, track_deployment_name(trial.spec.target, track)});
    const Result<json> existing = api_.get(path);
    if (!existing) {
      if (existing.error().kind == ErrorKind::kNotFound) continue;
      return without_value(existing);
    }
    if (!belongs_to(*existing, trial)) continue;
    const std::string uid = codec::text(codec::child(*existing, "metadata"), "uid");
    if (auto removed = api_.remove(path, uid); !removed) return removed;
  }
  return {};
}

Result<void> Actor::put_settings(const Desired& desired, const Settings& settings, const std::string& change_cause) {
  const Deployment& target = *desired.target;
  // A cause that a person wrote is theirs; setting ours would be a conflict.
  const bool may_tell = target.change_cause.empty() || target.change_cause.starts_with(kOurCause);
  const std::string& container = desired.trial ? desired.trial->spec.container : desired.container;
  return without_value(api_.apply(
      deployment(target.key), act::settings_document(target, container, settings, may_tell ? change_cause : ""), {}));
}

/// The profile with or without our finalizer, written as of the version that was read.
Result<void> Actor::set_finalizer(const Profile& profile, bool wanted) {
  std::vector<std::string> finalizers = profile.finalizers;
  std::erase(finalizers, kRevertFinalizer);
  if (wanted) finalizers.emplace_back(kRevertFinalizer);
  const json patch{{"metadata", {{"resourceVersion", profile.resource_version}, {"finalizers", finalizers}}}};
  return without_value(api_.merge_patch({resources::kProfiles, profile.key.ns, profile.key.name}, patch, ""));
}

/// A profile that wants its settings released on deletion must not vanish before that is done.
Result<void> Actor::guard(const Profile& profile) {
  const bool wanted = profile.spec.revert_on_deletion && !profile.deleting;
  if (profile.deleting || is_guarded(profile) == wanted) return {};
  if (const Result<void> patched = set_finalizer(profile, wanted); !patched) return patched;
  return fail(ErrorKind::kConflict,
              "the finalizer of profile " + profile.key.text() + " was just changed; going on with the new version");
}

Result<void> Actor::revert(const Desired& desired) {
  const Profile& profile = *desired.profile;
  if (!is_guarded(profile)) return {};
  if (desired.target && profile.memory.applied) {
    const Result<json> released =
        api_.apply(deployment(desired.target->key), act::release_document(*desired.target), {});
    if (!released && released.error().kind != ErrorKind::kNotFound) return without_value(released);
  }
  const Result<void> patched = set_finalizer(profile, false);
  if (!patched && patched.error().kind == ErrorKind::kNotFound) return {};
  return patched;
}

}  // namespace gopacer
