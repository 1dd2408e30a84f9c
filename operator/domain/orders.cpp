#include "gopacer/domain/orders.h"

#include <algorithm>

namespace gopacer {
namespace {

Gogc spelled_out(const std::optional<Gogc>& gogc) { return gogc.value_or(Gogc(Gogc::kDefaultPercent)); }

bool has_turn(const LocalContainer& container, const Trial& trial) {
  const auto& pods = trial.status.live->pods;
  return std::find(pods.begin(), pods.end(), container.pod_uid) != pods.end();
}

/// The members of these settings that a person asks for by name; none where the settings differ from what they ask for.
Settings given_by_person(const ProfileSpec& spec, const Settings& settings) {
  const Settings& fixed = spec.fixed;
  const bool agrees = (!fixed.gogc || fixed.gogc == settings.gogc) &&
                      (!fixed.go_mem_limit || fixed.go_mem_limit == settings.go_mem_limit);
  return spec.strategy == Strategy::kFixed && agrees ? fixed : Settings{};
}

}  // namespace

std::string out_of_bounds(const LocalContainer& container, const ProfileSpec& spec, const Settings& settings) {
  const Bounds& bounds = spec.bounds;
  const Settings given = given_by_person(spec, settings);
  const Gogc gogc = spelled_out(settings.gogc);
  if (gogc != spelled_out(container.environment.gogc) && !given.gogc) {
    const bool within = !gogc.is_off() && gogc.percent() >= bounds.min_gogc && gogc.percent() <= bounds.max_gogc;
    if (!within) {
      return describe(settings) + " is asked for, and bounds allow a GOGC of " + std::to_string(bounds.min_gogc) +
             " to " + std::to_string(bounds.max_gogc) + ".";
    }
  }
  const auto& limit = settings.go_mem_limit;
  const auto& most = container.memory_limit;
  if (limit == container.environment.go_mem_limit) return {};
  // Whoever gave it: it may have been lowered since.
  if (limit && most && *limit >= *most) {
    return describe(settings) + " is asked for, which is not below the container's memory limit of " +
           format_bytes(*most) + ".";
  }
  const bool is_own = limit && container.own && container.own->go_mem_limit == limit;
  if (given.go_mem_limit || is_own) return {};
  if (limit && bounds.min_go_mem_limit && *limit < *bounds.min_go_mem_limit) {
    return describe(settings) + " is asked for, and bounds.minAllowed.goMemLimit is " +
           format_go_size(*bounds.min_go_mem_limit) + ".";
  }
  if (most && (!limit || limit->value() > most->value() * bounds.max_go_mem_limit_percent / 100)) {
    return describe(settings) + " is asked for, and bounds.maxAllowed.goMemLimitPercent allows a GOMEMLIMIT of " +
           std::to_string(bounds.max_go_mem_limit_percent) + " % of the container's " + format_bytes(*most) + ".";
  }
  return {};
}

Order order_for(const LocalContainer& container, const Profile& profile, const Trial* trial, bool lease_holds) {
  const Settings& environment = container.environment;
  const ProfileSpec& spec = profile.spec;
  if (spec.apply != ApplyMode::kLive || profile.deleting || !profile.unreadable.empty()) {
    return {environment, environment, false, {}};
  }
  // What was confirmed for another container is nothing to this one.
  const std::string& confirmed_for = profile.memory.applied_container;
  const bool is_ours = confirmed_for.empty() || confirmed_for == container.name;
  Settings usual = is_ours ? in_force(profile.memory, environment) : environment;
  const bool is_its_trial = trial != nullptr && trial->spec.live && trial->unreadable.empty() &&
                            trial->key.name == profile.memory.active_trial && trial->spec.profile_uid == profile.uid &&
                            trial->spec.container == container.name;
  const bool goes_back = is_its_trial && trial->status.phase == TrialPhase::kRollingBack;
  // Bad settings wait for no second write.
  if (goes_back && usual == trial->spec.to) usual = trial->spec.from;
  const auto bounded = [&](const Settings& settings, bool is_turn) {
    std::string refused = out_of_bounds(container, spec, settings);
    if (!refused.empty()) return Order{environment, environment, false, std::move(refused)};
    return Order{settings, usual, is_turn, {}};
  };
  const bool may_try = spec.update_mode == UpdateMode::kCanary && !spec.suspend;
  if (!may_try || !lease_holds || !is_its_trial || !trial->status.live || trial->deleting || goes_back ||
      trial->status.phase == TrialPhase::kEnded || trial->spec.from != usual || !has_turn(container, *trial)) {
    return bounded(usual, false);
  }
  // Nothing to take back to where even that is not allowed.
  Order order = bounded(trial->spec.to, true);
  if (!out_of_bounds(container, spec, usual).empty()) order.usual = environment;
  return order;
}

}  // namespace gopacer
