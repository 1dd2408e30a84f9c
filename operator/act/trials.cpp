#include "act/trials.h"

#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "ports/api_server.h"

namespace gopacer {
namespace {

using nlohmann::json;

ObjectPath path_of(const ObjectKey& trial) { return {resources::kTrials, trial.ns, trial.name}; }

bool is_missing(const Result<json>& object) { return !object && object.error().kind == ErrorKind::kNotFound; }

tl::unexpected<Error> taken(const ObjectKey& trial) {
  return invalid("GoRuntimeTrial " + trial.text() + " is there already and was not made for this: delete it");
}

}  // namespace

Result<void> Trials::check_free(const ObjectKey& trial) {
  const Result<json> found = api_.get(path_of(trial));
  if (is_missing(found)) return {};
  if (!found) return tl::unexpected(found.error());
  return taken(trial);
}

Result<void> Trials::start(const Desired& desired, const TrialSpec& spec) {
  const ObjectKey key{desired.key.ns, trial_name(spec.profile, spec.number)};
  // Our picture of the profile may be an old one, from before the trial ended and was forgotten.
  const Result<json> profile = api_.get({resources::kProfiles, desired.key.ns, desired.key.name});
  if (!profile) return tl::unexpected(profile.error());
  if (codec::text(codec::child(*profile, "status"), "activeTrial") != key.name) {
    return fail(ErrorKind::kConflict,
                "profile " + desired.key.text() + " does not name trial " + key.name + " any more; starting nothing");
  }
  const json object = codec::trial_object(key, spec);
  const Result<json> created = api_.create(resources::kTrials, key.ns, object);
  if (created) return {};
  if (created.error().kind != ErrorKind::kConflict) return tl::unexpected(created.error());
  // We died, or our cache lagged, after creating it; or somebody was faster than we.
  const Result<json> found = api_.get(path_of(key));
  if (!found) return tl::unexpected(found.error());
  const Result<Trial> trial = codec::decode_trial(*found);
  if (!trial || trial->spec.profile_uid != spec.profile_uid || trial->spec.target.uid != spec.target.uid ||
      trial->spec.number != spec.number || trial->status.phase != TrialPhase::kPending) {
    return taken(key);
  }
  if (trial->spec.to == spec.to && trial->spec.from == spec.from) return {};
  // It is ours, and what we would try has changed since it was made.
  return fail(ErrorKind::kConflict, "trial " + key.text() + " was made already; waiting until the watch shows it");
}

Result<void> Trials::check_over(const ObjectKey& trial) {
  const Result<json> found = api_.get(path_of(trial));
  if (is_missing(found)) return {};
  if (!found) return tl::unexpected(found.error());
  if (codec::text(codec::child(*found, "status"), "phase") == to_string(TrialPhase::kEnded)) return {};
  return fail(ErrorKind::kConflict, "trial " + trial.text() + " still runs; waiting until it shows in the watch");
}

Result<void> Trials::check_unknown(const Desired& desired) {
  const Trial& trial = *desired.trial;
  if (desired.profile && desired.profile->memory.active_trial == trial.key.name) return {};
  const Result<json> profile = api_.get({resources::kProfiles, desired.key.ns, desired.key.name});
  if (is_missing(profile)) return {};
  if (!profile) return tl::unexpected(profile.error());
  const bool same = codec::text(codec::child(*profile, "metadata"), "uid") == trial.spec.profile_uid;
  if (!same || codec::text(codec::child(*profile, "status"), "activeTrial") != trial.key.name) return {};
  return fail(ErrorKind::kConflict, "profile " + desired.key.text() + " names trial " + trial.key.name +
                                        " by now; waiting until it shows in the watch");
}

}  // namespace gopacer
