#include "codec/pod.h"

#include <nlohmann/json.hpp>

#include "codec/container.h"
#include "codec/fields.h"

namespace gopacer::codec {

using nlohmann::json;

Result<Pod> decode_pod(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& metadata = child(object, "metadata");
  const json& spec = child(object, "spec");
  const json& status = child(object, "status");
  Pod out;
  out.key = *key;
  out.uid = text(metadata, "uid");
  out.created = time(metadata, "creationTimestamp");
  out.ip = text(status, "podIP");
  out.node = text(spec, "nodeName");
  out.phase = text(status, "phase");
  out.deleting = codec::deleting(object);
  out.labels = texts(metadata, "labels");
  out.containers = containers_of(spec);
  for (const json& condition : elements(status, "conditions")) {
    if (text(condition, "type") == "Ready") out.ready = text(condition, "status") == "True";
  }
  for (const json& from : elements(status, "containerStatuses")) {
    ContainerState state;
    state.name = text(from, "name");
    state.ready = boolean(from, "ready");
    state.restarts = small(from, "restartCount");
    const json& now = child(from, "state");
    state.started = time(child(now, "running"), "startedAt");
    state.last_termination_reason = text(child(now, "terminated"), "reason");
    if (state.last_termination_reason.empty()) {
      state.last_termination_reason = text(child(child(from, "lastState"), "terminated"), "reason");
    }
    // A resize in place shows here once it is in force; the spec only says what is wanted.
    if (const json& resources = child(from, "resources"); resources.contains("limits")) {
      for (ContainerSpec& container : out.containers) {
        if (container.name == state.name) read_resources(resources, container);
      }
    }
    out.states.push_back(std::move(state));
  }
  return out;
}

}  // namespace gopacer::codec
