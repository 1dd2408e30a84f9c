#include "decide/guards.h"

#include <charconv>
#include <cmath>

namespace gopacer::deciding {
namespace {

/// Whether it is `go1.minor` or later. An unknown version counts as that.
bool is_at_least(std::string_view go_version, int minor) {
  constexpr std::string_view kPrefix = "go1.";
  if (!go_version.starts_with(kPrefix)) return true;
  const std::string_view digits = go_version.substr(kPrefix.size());
  int found = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), found);
  return error != std::errc() || found >= minor;
}

}  // namespace

bool knows_memory_limit(std::string_view go_version) { return is_at_least(go_version, 19); }
bool follows_cpu_limit(std::string_view go_version) { return is_at_least(go_version, 25); }

Settings in_force(Settings settings, const Settings& current, const Settings& seen) {
  const bool elsewhere = !settings.gogc && !current.gogc;
  if (elsewhere && seen.gogc != Gogc(Gogc::kDefaultPercent)) settings.gogc = seen.gogc;
  if (!settings.go_mem_limit && !current.go_mem_limit) settings.go_mem_limit = seen.go_mem_limit;
  return settings;
}

const BannedRegion* ban_of(const DecideInput& input, const Settings& settings) {
  for (const BannedRegion& ban : input.memory.banned) {
    if (ban.template_hash == input.template_hash && about_equal(ban.settings, settings)) return &ban;
  }
  return nullptr;
}

const BannedRegion* ban_towards(const DecideInput& input, double now_gogc, int wanted_gogc) {
  for (const BannedRegion& ban : input.memory.banned) {
    if (ban.template_hash != input.template_hash || !ban.settings.gogc || ban.settings.gogc->is_off()) continue;
    const double banned = ban.settings.gogc->percent();
    const bool up = banned > now_gogc && wanted_gogc >= banned * (1 - 2 * kAboutEqual);
    const bool down = banned < now_gogc && wanted_gogc <= banned * (1 + 2 * kAboutEqual);
    if (up || down) return &ban;
  }
  return nullptr;
}

}  // namespace gopacer::deciding
