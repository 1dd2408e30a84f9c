#include "gopacer/domain/workload.h"

#include <algorithm>

namespace gopacer {

bool selects(const Labels& selector, const Labels& labels) {
  return !selector.empty() && std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

const ContainerSpec* container_named(const std::vector<ContainerSpec>& containers, const std::string& name) {
  const auto found =
      std::find_if(containers.begin(), containers.end(), [&](const ContainerSpec& one) { return one.name == name; });
  return found == containers.end() ? nullptr : &*found;
}

EnvText env_of(const ContainerSpec& container) {
  EnvText env;
  for (const EnvEntry& entry : container.env) {
    if (!entry.from_source) (entry.name == kGogcVariable ? env.gogc : env.go_mem_limit) = entry.value;
  }
  return env;
}

std::string describe(const Workload& workload) { return "Deployment " + workload.key.text(); }

}  // namespace gopacer
