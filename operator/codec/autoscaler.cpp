#include "codec/autoscaler.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer::codec {

using nlohmann::json;

Result<Autoscaler> decode_autoscaler(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& spec = child(object, "spec");
  Autoscaler out;
  out.key = *key;
  out.target_kind = strange(child(spec, "scaleTargetRef"), "kind", kLongestName);
  out.target_name = strange(child(spec, "scaleTargetRef"), "name", kLongestName);
  for (const json& metric : elements(spec, "metrics")) {
    if (text(child(metric, "resource"), "name") == "memory") out.by_memory = true;
    const json& of_one = child(metric, "containerResource");
    if (text(of_one, "name") == "memory" && out.by_memory_of.size() < kMostKept) {
      out.by_memory_of[strange(of_one, "container", kLongestName)] = true;
    }
  }
  return out;
}

Result<Autoscaler> decode_vertical_autoscaler(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& spec = child(object, "spec");
  Autoscaler out;
  out.key = *key;
  out.vertical = true;
  out.target_kind = strange(child(spec, "targetRef"), "kind", kLongestName);
  out.target_name = strange(child(spec, "targetRef"), "name", kLongestName);
  const bool acts = text(child(spec, "updatePolicy"), "updateMode") != "Off";
  out.by_memory = acts;
  for (const json& policy : elements(child(spec, "resourcePolicy"), "containerPolicies")) {
    if (out.by_memory_of.size() == kMostKept) break;
    const auto& resources = elements(policy, "controlledResources");
    const bool memory = !policy.contains("controlledResources") ||
                        std::find(resources.begin(), resources.end(), "memory") != resources.end();
    const bool moves_limit = text(policy, "controlledValues") != "RequestsOnly";
    const bool by_memory = acts && memory && moves_limit && text(policy, "mode") != "Off";
    const std::string container = strange(policy, "containerName", kLongestName);
    (container == "*" ? out.by_memory : out.by_memory_of[container]) = by_memory;
  }
  return out;
}

}  // namespace gopacer::codec
