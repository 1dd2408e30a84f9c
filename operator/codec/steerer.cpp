#include "codec/steerer.h"

#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

Result<Steerer> decode(const json& object, const char* kind, const char* product, const char* reference) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& target = child(child(object, "spec"), reference);
  return Steerer{*key, kind, product, strange(target, "kind", kLongestName), strange(target, "name", kLongestName)};
}

}  // namespace

Result<Steerer> decode_rollout(const json& object) { return decode(object, "Rollout", "Argo Rollouts", "workloadRef"); }
Result<Steerer> decode_canary(const json& object) { return decode(object, "Canary", "Flagger", "targetRef"); }

}  // namespace gopacer::codec
