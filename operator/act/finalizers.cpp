#include "act/finalizers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/resources.h"
#include "ports/api_server.h"

namespace gopacer {
namespace {

using nlohmann::json;

bool has(const std::vector<std::string>& finalizers, const char* finalizer) {
  return std::find(finalizers.begin(), finalizers.end(), finalizer) != finalizers.end();
}

/// The object's finalizers with or without ours, written as of the version that was read. An object that is gone is
/// fine.
Result<void> write(ApiServer& api, const ObjectPath& object, const std::string& version,
                   std::vector<std::string> finalizers, const char* ours, bool wanted) {
  std::erase(finalizers, ours);
  if (wanted) finalizers.emplace_back(ours);
  const json patch{{"metadata", {{"resourceVersion", version}, {"finalizers", finalizers}}}};
  const Result<json> patched = api.merge_patch(object, patch, "");
  if (!patched && patched.error().kind != ErrorKind::kNotFound) return tl::unexpected(patched.error());
  return {};
}

}  // namespace

Result<void> Finalizers::keep(const Profile& profile, bool has_trial, bool reverts) {
  const bool wanted = (profile.spec.revert_on_deletion && reverts) || has_trial;
  if (profile.deleting || has(profile.finalizers, kRevertFinalizer) == wanted) return {};
  const ObjectPath path{resources::kProfiles, profile.key.ns, profile.key.name};
  auto written = write(api_, path, profile.resource_version, profile.finalizers, kRevertFinalizer, wanted);
  if (!written) return written;
  return fail(ErrorKind::kConflict,
              "the finalizer of profile " + profile.key.text() + " was just changed; going on with the new version");
}

Result<void> Finalizers::let_go(const Profile& profile) {
  if (!has(profile.finalizers, kRevertFinalizer)) return {};
  return write(api_, {resources::kProfiles, profile.key.ns, profile.key.name}, profile.resource_version,
               profile.finalizers, kRevertFinalizer, false);
}

Result<void> Finalizers::let_go(const Trial& trial) {
  if (!has(trial.finalizers, kTrialFinalizer)) return {};
  return write(api_, {resources::kTrials, trial.key.ns, trial.key.name}, trial.resource_version, trial.finalizers,
               kTrialFinalizer, false);
}

}  // namespace gopacer
