#include "codec/pod.h"

#include <nlohmann/json.hpp>

#include "codec/container.h"
#include "codec/fields.h"
#include "gopacer/base/text.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

std::string trouble_of(const json& status) {
  for (const json& condition : elements(status, "conditions")) {
    if (text(condition, "type") == "PodScheduled" && text(condition, "status") == "False") {
      return text(condition, "message");
    }
  }
  for (const char* const list : {"initContainerStatuses", "containerStatuses"}) {
    for (const json& container : elements(status, list)) {
      const json& waiting = child(child(container, "state"), "waiting");
      const std::string reason = text(waiting, "reason");
      // What every container goes through.
      if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing") continue;
      const std::string message = text(waiting, "message");
      return "container " + text(container, "name") + ": " + reason + (message.empty() ? "" : ": " + message);
    }
  }
  return {};
}

}  // namespace

Result<Pod> decode_pod(const json& object) {
  const Result<ObjectKey> key = named(object);
  if (!key) return tl::unexpected(key.error());
  const json& metadata = child(object, "metadata");
  const json& spec = child(object, "spec");
  const json& status = child(object, "status");
  Pod out;
  out.key = *key;
  out.uid = text(metadata, "uid");
  out.controller = controller_of(object);
  out.created = time(metadata, "creationTimestamp");
  out.ip = text(status, "podIP");
  out.host_network = boolean(spec, "hostNetwork");
  out.node = text(spec, "nodeName");
  out.phase = text(status, "phase");
  out.reason = strange(status, "reason", kLongestName);
  out.message = strange(status, "message", kLongestSentence);
  out.trouble = shown(trouble_of(status), kLongestSentence);
  out.deleting = codec::deleting(object);
  out.containers = containers_of(spec);
  for (const json& condition : elements(status, "conditions")) {
    if (text(condition, "type") == "Ready") out.ready = text(condition, "status") == "True";
    if (text(condition, "type") == "PodScheduled") out.unschedulable = text(condition, "reason") == "Unschedulable";
  }
  for (const json& from : elements(status, "containerStatuses")) {
    if (out.states.size() == kMostKept) break;
    ContainerState state;
    state.name = text(from, "name");
    state.ready = boolean(from, "ready");
    state.restarts = small(from, "restartCount");
    const json& now = child(from, "state");
    state.started = time(child(now, "running"), "startedAt");
    state.last_termination_reason = strange(child(now, "terminated"), "reason", kLongestName);
    if (state.last_termination_reason.empty()) {
      state.last_termination_reason = strange(child(child(from, "lastState"), "terminated"), "reason", kLongestName);
    }
    // A resize in place shows here once it is in force; the spec only says what is wanted. Memory that is to become
    // less does so at any moment.
    if (const json& resources = child(from, "resources"); resources.contains("limits")) {
      for (ContainerSpec& container : out.containers) {
        if (container.name != state.name) continue;
        const std::optional<Bytes> wanted = container.memory_limit;
        read_resources(resources, container);
        if (wanted && (!container.memory_limit || *wanted < *container.memory_limit)) container.memory_limit = wanted;
      }
    }
    out.states.push_back(std::move(state));
  }
  return out;
}

}  // namespace gopacer::codec
