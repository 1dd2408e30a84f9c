#include "act/arms.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "act/documents.h"
#include "codec/fields.h"
#include "codec/resources.h"
#include "codec/workload.h"
#include "ports/api_server.h"

namespace gopacer {
namespace {

using nlohmann::json;

ObjectPath path_of(const ObjectKey& deployment) { return {resources::kDeployments, deployment.ns, deployment.name}; }

ObjectPath path_of(const Trial& trial, Track track) {
  return path_of({trial.key.ns, track_deployment_name(trial.spec.target.name, track)});
}

/// The trial, as a label has it, that the Deployment was made for as an arm, whoever it belongs to by now: what a
/// Deployment selects can't be changed. Empty for others.
std::string made_for(const json& deployment) {
  const json& selector = codec::child(codec::child(deployment, "spec"), "selector");
  return codec::text(codec::child(selector, "matchLabels"), kTrialLabel);
}

/// It may be somebody's by now, and goes on serving.
tl::unexpected<Error> disowned(const ObjectPath& path, const std::string& trial) {
  return invalid("Deployment " + path.ns + "/" + path.name + " was made for trial " + trial +
                 ", and by its labels and owner references is no longer that trial's: somebody changed them. Its pods "
                 "serve, with settings that nobody judges. Delete it: kubectl -n " +
                 path.ns + " delete deployment " + path.name);
}

std::string uid_of(const json& object) { return codec::text(codec::child(object, "metadata"), "uid"); }

Result<void> without_value(const Result<json>& result) {
  if (result) return {};
  return tl::unexpected(result.error());
}

}  // namespace

Result<void> Arms::run(const Desired& desired) {
  for (const auto& [arm, track] :
       {std::pair{desired.baseline, Track::kBaseline}, std::pair{desired.canary, Track::kCanary}}) {
    if (auto running = arm ? grow(*arm, *desired.trial) : run(desired, track); !running) return running;
  }
  return {};
}

/// The arms are ours, and the only Deployments whose replicas are.
Result<void> Arms::grow(const Workload& arm, const Trial& trial) {
  if (arm.replicas >= trial.arm_replicas()) return {};
  const json larger{{"metadata", {{"uid", arm.uid}}}, {"spec", {{"replicas", trial.arm_replicas()}}}};
  return without_value(api_.merge_patch(path_of(arm.key), larger, ""));
}

Result<void> Arms::run(const Desired& desired, Track track) {
  const Trial& trial = *desired.trial;
  Result<json> target = api_.get(path_of(desired.target->key));
  if (!target) return without_value(target);
  const Result<json> document = act::arm_deployment(std::move(*target), trial, track);
  if (!document) return without_value(document);
  const Result<json> created = api_.create(resources::kDeployments, trial.key.ns, *document);
  if (created || created.error().kind != ErrorKind::kConflict) return without_value(created);

  // The name is taken: by ourselves a moment ago, by what an earlier trial left, or by somebody else.
  const ObjectPath path = path_of(trial, track);
  const Result<json> existing = api_.get(path);
  if (!existing) return without_value(existing);
  const std::string owner = codec::arm_of(*existing);
  if (owner == trial.uid) return {};
  if (owner.empty()) {
    if (const std::string earlier = made_for(*existing); !earlier.empty()) return disowned(path, earlier);
    return invalid("Deployment " + path.ns + "/" + path.name +
                   " is not gopacer's, but has the name that the trial needs: rename or delete it");
  }
  if (auto removed = api_.remove(path, uid_of(*existing)); !removed) return removed;
  return retriable("Deployment " + path.ns + "/" + path.name +
                   " of an earlier trial was in the way and is being deleted");
}

Result<void> Arms::retire(const Trial& trial, Track track) {
  const ObjectPath path = path_of(trial, track);
  const Result<json> existing = api_.get(path);
  if (!existing && existing.error().kind == ErrorKind::kNotFound) return {};
  if (!existing) return without_value(existing);
  const std::string owner = codec::arm_of(*existing);
  if (owner == trial.uid) return api_.remove(path, uid_of(*existing));
  const std::string name = label_value(trial.key.name);
  // A stranger's, or another trial's, is nothing that this trial has to clear up.
  if (!owner.empty() || made_for(*existing) != name) return {};
  return disowned(path, name);
}

Result<void> Arms::remove(const Workload& arm) { return api_.remove(path_of(arm.key), arm.uid); }

}  // namespace gopacer
