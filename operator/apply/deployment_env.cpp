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

bool owned_by_us(const Workload& workload, const std::string& container, const char* variable) {
  return std::any_of(workload.env_owners.begin(), workload.env_owners.end(), [&](const EnvOwner& owner) {
    return owner.container == container && owner.variable == variable && is_ours(owner.manager);
  });
}

/// The entries that an apply has to name. Of one whose value somebody else has set the entry itself may still be ours:
/// left out, it would be taken off the list with their value. So it is named as it is, unless it is to become another.
EnvText entries_of(const Workload& workload, const std::string& container, const Settings& settings) {
  EnvText entries = to_env(settings);
  const ContainerSpec* const found = container_named(workload.containers, container);
  const EnvText live = found != nullptr ? env_of(*found) : EnvText();
  const Settings present = readable_settings(live);
  const auto keep_theirs = [&](const char* variable, bool stays, std::optional<std::string>& entry,
                               const std::optional<std::string>& theirs) {
    if (!stays || !set_by_another(workload, container, variable)) return;
    entry = owned_by_us(workload, container, variable) ? theirs : std::nullopt;
  };
  keep_theirs(kGogcVariable, !settings.gogc || settings.gogc == present.gogc, entries.gogc, live.gogc);
  keep_theirs(kGoMemLimitVariable, !settings.go_mem_limit || settings.go_mem_limit == present.go_mem_limit,
              entries.go_mem_limit, live.go_mem_limit);
  return entries;
}

void put_env(json& document, const std::string& container, const EnvText& env) {
  json entries = json::array();
  if (env.gogc) entries.push_back({{"name", kGogcVariable}, {"value", *env.gogc}});
  if (env.go_mem_limit) entries.push_back({{"name", kGoMemLimitVariable}, {"value", *env.go_mem_limit}});
  if (entries.empty()) return;
  document["spec"]["template"]["spec"]["containers"] =
      json::array({{{"name", container}, {"env", std::move(entries)}}});
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
  json document = document_of(place);
  document["metadata"]["resourceVersion"] = version;
  if (!why.empty() && may_tell(*found)) document["metadata"]["annotations"] = {{kChangeCauseAnnotation, why}};
  put_env(document, place.container, entries_of(*found, place.container, settings));
  return apply(place, document, false);
}

Result<void> DeploymentEnv::rehearse(const SettingsPlace& place, const Settings& settings) {
  json document = document_of(place);
  put_env(document, place.container, to_env(settings));
  const Result<Receipt> receipt = apply(place, document, true);
  if (!receipt) return tl::unexpected(receipt.error());
  return {};
}

Result<void> DeploymentEnv::release(const SettingsPlace& place) {
  const Result<Workload> found = workload(place);
  if (!found) return tl::unexpected(found.error());
  if (!has_ours(*found)) return {};
  json document = document_of(place);
  put_env(document, place.container, entries_of(*found, place.container, Settings()));
  const Result<Receipt> receipt = apply(place, document, false);
  if (!receipt) return tl::unexpected(receipt.error());
  return {};
}

Result<Receipt> DeploymentEnv::apply(const SettingsPlace& place, const json& document, bool dry_run) {
  ApplyOptions options;
  options.dry_run = dry_run;
  const Result<json> applied = api_.apply(path_of(place), document, options);
  if (!applied) return tl::unexpected(applied.error());
  return Receipt{codec::integer(codec::child(*applied, "metadata"), "generation")};
}

}  // namespace gopacer
