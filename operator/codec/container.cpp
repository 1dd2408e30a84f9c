#include "codec/container.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

/// Of a list that people are shown.
constexpr std::size_t kLongestSources = 300;

std::optional<Bytes> memory(const json& resources, const char* list) {
  const std::string quantity = text(child(resources, list), "memory");
  if (quantity.empty()) return std::nullopt;
  const Result<Bytes> bytes = parse_quantity(quantity);
  return bytes ? std::optional<Bytes>(*bytes) : std::nullopt;
}

std::optional<double> cpu_limit(const json& resources) {
  const std::string quantity = text(child(resources, "limits"), "cpu");
  if (quantity.empty()) return std::nullopt;
  const Result<double> cores = parse_cpu_quantity(quantity);
  return cores ? std::optional<double>(*cores) : std::nullopt;
}

/// Twice is once too often: of more, the first and the last tell all.
void put_env(std::vector<EnvEntry>& entries, EnvEntry entry) {
  const auto has_name = [&](const EnvEntry& known) { return known.name == entry.name; };
  const auto last = std::find_if(entries.rbegin(), entries.rend(), has_name);
  if (std::count_if(entries.begin(), entries.end(), has_name) < 2) {
    entries.push_back(std::move(entry));
  } else {
    *last = std::move(entry);
  }
}

/// What the entry's resourceFieldRef to the memory of its own container comes to, as the kubelet works it out; empty
/// where it is none, or the container has no such figure.
std::string of_resource_field(const json& entry, const ContainerSpec& container) {
  const json& field = child(child(entry, "valueFrom"), "resourceFieldRef");
  const std::string whose = text(field, "containerName");
  if (!whose.empty() && whose != container.name) return {};
  const std::string what = text(field, "resource");
  const auto bytes = what == "limits.memory"     ? container.memory_limit
                     : what == "requests.memory" ? container.memory_request
                                                 : std::nullopt;
  if (!bytes) return {};
  const Result<Bytes> divisor = parse_quantity(text(field, "divisor"));
  const std::int64_t by = divisor && divisor->count() > 0 ? divisor->count() : 1;
  return std::to_string((bytes->count() - 1) / by + 1);
}

/// As ContainerSpec::env_from has it. Its keys are nobody's business here: gopacer may not read ConfigMaps and Secrets.
std::string env_from(const json& container, const std::vector<EnvEntry>& env) {
  const auto may_bring = [&](const std::string& variable, const std::string& prefix) {
    return variable.size() > prefix.size() && variable.starts_with(prefix) &&
           std::none_of(env.begin(), env.end(), [&](const EnvEntry& entry) { return entry.name == variable; });
  };
  std::string sources;
  for (const json& source : elements(container, "envFrom")) {
    const std::string prefix = text(source, "prefix");
    if (!may_bring(kGogcVariable, prefix) && !may_bring(kGoMemLimitVariable, prefix)) continue;
    const bool secret = source.contains("secretRef");
    const std::string name = text(child(source, secret ? "secretRef" : "configMapRef"), "name");
    sources += (sources.empty() ? "" : ", ") + std::string(secret ? "Secret " : "ConfigMap ") + name;
  }
  return clipped(sources, kLongestSources);
}

}  // namespace

bool is_ours(const std::string& variable) { return variable == kGogcVariable || variable == kGoMemLimitVariable; }

void read_resources(const json& resources, ContainerSpec& container) {
  container.memory_limit = memory(resources, "limits");
  container.memory_request = memory(resources, "requests");
  container.cpu_limit = cpu_limit(resources);
}

std::vector<ContainerSpec> containers_of(const json& pod_spec) {
  std::vector<ContainerSpec> out;
  for (const json& from : elements(pod_spec, "containers")) {
    if (out.size() == kMostKept) break;
    ContainerSpec container;
    container.name = text(from, "name");
    read_resources(child(from, "resources"), container);
    for (const json& entry : elements(from, "env")) {
      const std::string name = text(entry, "name");
      if (!is_ours(name)) continue;
      const bool from_source = entry.contains("valueFrom");
      put_env(container.env,
              {name, from_source ? of_resource_field(entry, container) : strange(entry, "value", kLongestEnv),
               from_source});
    }
    container.env_from = env_from(from, container.env);
    out.push_back(std::move(container));
  }
  return out;
}

}  // namespace gopacer::codec
