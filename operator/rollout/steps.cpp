#include "rollout/steps.h"

#include <utility>
#include <vector>

namespace gopacer {
namespace {

constexpr std::size_t kMostBannedRegions = 10;

}  // namespace

Step hold(std::string reason, std::string message, Duration requeue) {
  Step step;
  step.reason = std::move(reason);
  step.message = std::move(message);
  step.requeue_after = requeue;
  return step;
}

void ban(ProfileMemory& memory, BannedRegion region) {
  std::erase_if(memory.banned, [&](const BannedRegion& known) {
    return known.settings == region.settings && known.template_hash == region.template_hash;
  });
  memory.banned.push_back(std::move(region));
  if (memory.banned.size() > kMostBannedRegions) memory.banned.erase(memory.banned.begin());
}

bool wants_changes(const Profile& profile) {
  return profile.spec.update_mode == UpdateMode::kCanary && !profile.spec.suspend && !profile.deleting;
}

}  // namespace gopacer
