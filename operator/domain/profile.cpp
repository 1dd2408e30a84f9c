#include "gopacer/domain/profile.h"

#include <algorithm>

namespace gopacer {
namespace {

template <typename Names, typename Value>
std::string name_of(const Names& names, Value value) {
  for (const auto& [name, known] : names) {
    if (known == value) return name;
  }
  return {};
}

}  // namespace

std::string to_string(UpdateMode mode) { return name_of(kUpdateModeNames, mode); }
std::string to_string(Objective objective) { return name_of(kObjectiveNames, objective); }
std::string to_string(Strategy strategy) { return name_of(kStrategyNames, strategy); }

const Slo* slo_named(const std::vector<Slo>& slos, const std::string& name) {
  const auto found = std::find_if(slos.begin(), slos.end(), [&](const Slo& slo) { return slo.name == name; });
  return found == slos.end() ? nullptr : &*found;
}

Settings in_force(const ProfileMemory& memory, const Settings& environment) {
  const bool live = memory.applied && memory.applied_beside == environment;
  return live ? *memory.applied : environment;
}

bool is_banned(const std::vector<BannedRegion>& regions, const Settings& settings, const std::string& template_hash,
               Time now) {
  return std::any_of(regions.begin(), regions.end(), [&](const BannedRegion& region) {
    return region.template_hash == template_hash && about_equal(region.settings, settings) &&
           banned_until(region).value_or(Time::max()) > now;
  });
}

std::optional<Time> banned_until(const BannedRegion& region) {
  constexpr Duration kOneTrialAlone = std::chrono::hours(24);
  const bool may_be_chance = region.reason == "CpuRegression" || region.reason == "GcCpuRegression" ||
                             region.reason == "Restarted" || region.reason == "NoBenefit";
  if (!may_be_chance || region.trials > 1) return std::nullopt;
  return region.at + kOneTrialAlone;
}

}  // namespace gopacer
