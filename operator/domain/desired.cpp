#include "gopacer/domain/desired.h"

#include <algorithm>

namespace gopacer {

bool leaves_the_template(const Desired& desired) {
  return desired.trial ? desired.trial->spec.live.has_value()
                       : desired.profile && desired.profile->spec.apply == ApplyMode::kLive;
}

LocalContainer local_container(const Desired& desired, const ContainerSpec& container) {
  LocalContainer local;
  local.name = container.name;
  local.environment = readable_settings(env_of(container));
  local.memory_limit = container.memory_limit;
  local.own = desired.own;
  return local;
}

std::optional<LocalContainer> roomiest_container(const Desired& desired) {
  const ContainerSpec* const spec =
      desired.target ? container_named(desired.target->containers, desired.container) : nullptr;
  if (spec == nullptr) return std::nullopt;
  LocalContainer roomiest = local_container(desired, *spec);
  for (const OwnedPod& owned : desired.pods) {
    const ContainerSpec* const there = container_named(owned.pod->containers, spec->name);
    if (there == nullptr || owned.track != Track::kStable || !owned.pod->lives() || !roomiest.memory_limit) continue;
    roomiest.memory_limit =
        there->memory_limit ? std::optional(std::max(*roomiest.memory_limit, *there->memory_limit)) : std::nullopt;
  }
  return roomiest;
}

std::optional<Settings> own_of_applied(const Desired& desired) {
  if (!desired.profile || !desired.profile->memory.applied) return std::nullopt;
  const auto tried_it = [&](const std::shared_ptr<const Trial>& trial) {
    return trial && trial->spec.live && trial->spec.to == *desired.profile->memory.applied;
  };
  if (tried_it(desired.trial)) return desired.trial->spec.live->own;
  const auto found = std::find_if(desired.ended_trials.rbegin(), desired.ended_trials.rend(), tried_it);
  if (found != desired.ended_trials.rend()) return (*found)->spec.live->own;
  const ProfileMemory& memory = desired.profile->memory;
  const bool own_limit = !memory.changes.empty() && memory.applied_over && memory.applied_over->go_mem_limit &&
                         memory.applied_beside && !memory.applied_beside->go_mem_limit;
  return own_limit ? memory.applied_over : std::nullopt;
}

}  // namespace gopacer
