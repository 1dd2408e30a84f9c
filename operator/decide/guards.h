#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gopacer/decide/decision.h"

namespace gopacer::deciding {

/// What holds settings back, as Decision::binding has it.
inline constexpr const char* kNoContainerLimit = "no memory limit on the container";
inline constexpr const char* kOldGo = "Go older than 1.19";

/// GOMEMLIMIT came with Go 1.19. An unknown version ("", "devel …") counts as new enough.
bool knows_memory_limit(std::string_view go_version);

/// From Go 1.25 on GOMAXPROCS comes from the container's CPU limit; before, it is the node's number of CPUs. An unknown
/// version counts as new enough.
bool follows_cpu_limit(std::string_view go_version);

/// `settings` of an env list as pods would run them: what neither they nor the present list set stays as it was `seen`,
/// since it comes from elsewhere (the program, envFrom).
Settings in_force(Settings settings, const Settings& current, const Settings& seen);

/// The ban that `settings` themselves fall under, on the present pod template.
const BannedRegion* ban_of(const DecideInput& input, const Settings& settings);

/// The ban in whose direction GOGC lies: at it or beyond it, as seen from what is in force now.
const BannedRegion* ban_towards(const DecideInput& input, double now_gogc, int wanted_gogc);

}  // namespace gopacer::deciding
