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

}  // namespace gopacer
