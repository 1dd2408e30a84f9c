#include "apply/deployment_env.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "codec/resources.h"
#include "codec/workload.h"
#include "gopacer/domain/trial.h"
#include "ports/api_server.h"

namespace gopacer {
namespace {

using nlohmann::json;

ObjectPath path_of(const SettingsPlace& place) {
  return {resources::kDeployments, place.workload.ns, place.workload.name};
}

/// All that an apply of ours names; what a former one named and this one does not is released.
json document_of(const SettingsPlace& place) {
  return {{"apiVersion", api_version(resources::kDeployments)},
          {"kind", resources::kDeployments.kind},
          {"metadata",
           {{"namespace", place.workload.ns},
            {"name", place.workload.name},
            // Makes the apply fail if the target is another object by now.
            {"uid", place.uid}}}};
}

bool is_ours(const std::string& manager) { return manager == kFieldManager; }

json entry_of(const char* variable, const std::string& value) { return {{"name", variable}, {"value", value}}; }

/// How an apply names an entry that is to stay as it is: not at all where nothing of it is ours. Where somebody else
/// has the value, or a valueFrom, the entry itself may still be ours: left out it would go with what they set, so it is
/// named without it.
std::optional<json> kept(const Workload& workload, const std::string& container, const char* variable,
                         const std::optional<std::string>& live) {
  bool ours = false;
  bool value_is_ours = false;
  bool value_is_theirs = false;
  for (const EnvOwner& owner : workload.env_owners) {
    if (owner.container != container || owner.variable != variable) continue;
    ours = ours || is_ours(owner.manager);
    if (owner.of_value) (is_ours(owner.manager) ? value_is_ours : value_is_theirs) = true;
  }
  if (!ours) return std::nullopt;
  if (value_is_ours && !value_is_theirs && live) return entry_of(variable, *live);
  return json{{"name", variable}};
}

/// A container's entries as an apply names them; `wanted` is null where all stay as they are.
json entries_of(const Workload& workload, const ContainerSpec& container, const Settings* wanted) {
  const EnvText live = env_of(container);
  const Settings present = readable_settings(live);
  const EnvText text = wanted != nullptr ? to_env(*wanted) : EnvText();
  json entries = json::array();
  const auto add = [&](const char* variable, bool changes, const std::optional<std::string>& is,
                       const std::optional<std::string>& becomes) {
    // What somebody else has set stays, unless it is to become another value.
    const bool stays = wanted == nullptr || (!changes && set_by_another(workload, container.name, variable));
    std::optional<json> entry = stays ? kept(workload, container.name, variable, is) : std::nullopt;
    if (!stays && becomes) entry = entry_of(variable, *becomes);
    if (entry) entries.push_back(std::move(*entry));
  };
  add(kGogcVariable, text.gogc && wanted->gogc != present.gogc, live.gogc, text.gogc);
  add(kGoMemLimitVariable, text.go_mem_limit && wanted->go_mem_limit != present.go_mem_limit, live.go_mem_limit,
      text.go_mem_limit);
  return entries;
}

/// An apply that puts `settings` into the container of the place, or into all of them. What it does not name of ours is
/// released.
json document_with(const Workload& workload, const SettingsPlace& place, const Settings& settings, bool everywhere) {
  json document = document_of(place);
  for (const ContainerSpec& container : workload.containers) {
    const bool is_meant = everywhere || container.name == place.container;
    json entries = entries_of(workload, container, is_meant ? &settings : nullptr);
    if (entries.empty()) continue;
    document["spec"]["template"]["spec"]["containers"].push_back(
        {{"name", container.name}, {"env", std::move(entries)}});
  }
  return document;
}

/// A cause that somebody else wrote is theirs; setting ours would be a conflict.
bool may_tell(const Workload& workload) {
  const auto& owners = workload.change_cause_owners;
  return workload.change_cause.empty() || (!owners.empty() && std::all_of(owners.begin(), owners.end(), is_ours));
}

bool has_ours(const Workload& workload) {
  const auto& causes = workload.change_cause_owners;
  return std::any_of(causes.begin(), causes.end(), is_ours) ||
         std::any_of(workload.env_owners.begin(), workload.env_owners.end(),
                     [](const EnvOwner& owner) { return is_ours(owner.manager); });
}

}  // namespace

Result<Workload> DeploymentEnv::workload(const SettingsPlace& place) {
  const Result<json> object = api_.get(path_of(place));
  if (!object) return tl::unexpected(object.error());
  Result<Workload> workload = codec::decode_deployment(*object);
  if (workload && workload->uid != place.uid) {
    return fail(ErrorKind::kConflict, "Deployment " + place.workload.text() + " was made anew; waiting for the watch");
  }
  return workload;
}

Result<SettingsInForce> DeploymentEnv::read(const SettingsPlace& place) {
  const Result<Workload> found = workload(place);
  if (!found) return tl::unexpected(found.error());
  const ContainerSpec* const container = container_named(found->containers, place.container);
  if (container == nullptr) {
    return invalid("Deployment " + place.workload.text() + " has no container '" + place.container + "' any more");
  }
  return SettingsInForce{readable_settings(env_of(*container)),
                         found->env_owners,
                         found->rollout,
                         found->settled(),
                         found->template_hash,
                         found->generation,
                         found->resource_version};
}

Result<Receipt> DeploymentEnv::put(const SettingsPlace& place, const Settings& settings, const std::string& version,
                                   const std::string& why) {
  const Result<Workload> found = workload(place);
  if (!found) return tl::unexpected(found.error());
  json document = document_with(*found, place, settings, false);
  document["metadata"]["resourceVersion"] = version;
  if (!why.empty() && may_tell(*found)) document["metadata"]["annotations"] = {{kChangeCauseAnnotation, why}};
  return apply(place, document);
}

Result<void> DeploymentEnv::rehearse(const SettingsPlace& place, const Settings& settings) {
  const Result<Workload> found = workload(place);
  if (!found) return tl::unexpected(found.error());
  ApplyOptions options;
  options.dry_run = true;
  const Result<json> applied = api_.apply(path_of(place), document_with(*found, place, settings, false), options);
  if (!applied) return tl::unexpected(applied.error());
  const Result<Workload> would_be = codec::decode_deployment(*applied);
  const ContainerSpec* const container = would_be ? container_named(would_be->containers, place.container) : nullptr;
  if (container != nullptr && readable_settings(env_of(*container)) != settings) {
    return invalid("asked for " + describe(settings) + " in Deployment " + place.workload.text() +
                   ", the API server would keep " + describe(readable_settings(env_of(*container))) +
                   ": an admission webhook or policy changes GOGC or GOMEMLIMIT. Let it leave them alone, or set "
                   "updateMode Off");
  }
  return {};
}

Result<void> DeploymentEnv::release(const SettingsPlace& place) {
  const Result<Workload> found = workload(place);
  if (!found) return tl::unexpected(found.error());
  if (!has_ours(*found)) return {};
  json document = document_with(*found, place, Settings(), true);
  document["metadata"]["resourceVersion"] = found->resource_version;
  const Result<Receipt> receipt = apply(place, document);
  if (!receipt) return tl::unexpected(receipt.error());
  return {};
}

Result<Receipt> DeploymentEnv::apply(const SettingsPlace& place, const json& document) {
  const Result<json> applied = api_.apply(path_of(place), document, ApplyOptions());
  if (!applied) return tl::unexpected(applied.error());
  return Receipt{codec::integer(codec::child(*applied, "metadata"), "generation")};
}

}  // namespace gopacer
