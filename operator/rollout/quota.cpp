#include "rollout/quota.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>

#include "gopacer/base/units.h"

namespace gopacer {
namespace {

/// Bytes, thousandths of a core, or a number of objects.
using Amounts = std::map<std::string, double>;

bool of_cpu(std::string_view resource) { return resource.ends_with("cpu"); }

/// "limits.memory=256Mi,pods=1", as the server lists amounts.
Amounts amounts_of(std::string_view list) {
  Amounts amounts;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view one = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string resource(one.substr(0, equals));
    const std::string_view quantity = one.substr(equals + 1);
    if (of_cpu(resource)) {
      if (const auto cores = parse_cpu_quantity(quantity)) amounts[resource] = std::round(*cores * 1000);
    } else if (const auto bytes = parse_quantity(quantity)) {
      amounts[resource] = bytes->value();
    }
  }
  return amounts;
}

/// The words between a mark and the next ", " or the end.
std::string_view after(std::string_view words, std::string_view mark) {
  const std::size_t found = words.find(mark);
  if (found == std::string_view::npos) return {};
  words.remove_prefix(found + mark.size());
  return words.substr(0, words.find(", "));
}

std::string quantity(const std::string& resource, double amount) {
  constexpr double kMost = 9e18;
  const auto whole = static_cast<std::int64_t>(std::min(amount, kMost));
  if (of_cpu(resource)) return whole % 1000 == 0 ? std::to_string(whole / 1000) : std::to_string(whole) + "m";
  if (!resource.ends_with("memory") && !resource.ends_with("storage")) return std::to_string(whole);
  constexpr std::int64_t kMi = std::int64_t{1024} * 1024;
  return whole % kMi == 0 ? std::to_string(whole / kMi) + "Mi" : std::to_string(whole);
}

}  // namespace

std::string quota_needed(const std::string& refusal, int missing_pods) {
  const std::string_view quota = after(refusal, "exceeded quota: ");
  if (quota.empty() || missing_pods <= 0) return {};
  const Amounts requested = amounts_of(after(refusal, "requested: "));
  const Amounts used = amounts_of(after(refusal, "used: "));
  std::string needed;
  for (const auto& [resource, amount] : requested) {
    const auto in_use = used.find(resource);
    if (in_use == used.end()) continue;
    needed +=
        (needed.empty() ? "" : ", ") + resource + "=" + quantity(resource, in_use->second + missing_pods * amount);
  }
  if (needed.empty()) return {};
  return "ResourceQuota " + std::string(quota) + " has to allow " + needed + " at least, for " +
         std::to_string(missing_pods) + (missing_pods == 1 ? " pod" : " pods") + " that the trial lacks.";
}

}  // namespace gopacer
