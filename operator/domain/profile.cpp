#include "gopacer/domain/profile.h"

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

std::string to_string(Objective objective) { return name_of(kObjectiveNames, objective); }
std::string to_string(Strategy strategy) { return name_of(kStrategyNames, strategy); }

std::optional<Time> banned_until(const BannedRegion& region) {
  constexpr Duration kOneTrialAlone = std::chrono::hours(24);
  const bool may_be_chance =
      region.reason == "CpuRegression" || region.reason == "Restarted" || region.reason == "NoBenefit";
  if (!may_be_chance || region.trials > 1) return std::nullopt;
  return region.at + kOneTrialAlone;
}

}  // namespace gopacer
