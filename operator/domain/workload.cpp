#include "gopacer/domain/workload.h"

#include <algorithm>

namespace gopacer {

const ContainerSpec* container_named(const std::vector<ContainerSpec>& containers, const std::string& name) {
  const auto found =
      std::find_if(containers.begin(), containers.end(), [&](const ContainerSpec& one) { return one.name == name; });
  return found == containers.end() ? nullptr : &*found;
}

EnvText env_of(const ContainerSpec& container) {
  EnvText env;
  for (const EnvEntry& entry : container.env) {
    const bool known = !entry.from_source || !entry.value.empty();
    if (known) (entry.name == kGogcVariable ? env.gogc : env.go_mem_limit) = entry.value;
  }
  return env;
}

bool set_by_another(const Workload& workload, const std::string& container, const char* variable) {
  return std::any_of(workload.env_owners.begin(), workload.env_owners.end(), [&](const EnvOwner& owner) {
    return owner.container == container && owner.variable == variable && owner.manager != kFieldManager;
  });
}

std::string describe(const Workload& workload) { return "Deployment " + workload.key.text(); }

std::string describe(const Steerer& steerer) {
  return steerer.kind + " " + steerer.key.text() + " of " + steerer.product;
}

}  // namespace gopacer
