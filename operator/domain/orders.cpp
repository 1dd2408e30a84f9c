#include "gopacer/domain/orders.h"

#include <algorithm>
#include <cmath>

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

/// What a GOMEMLIMIT that gopacer gives may be; none where the container has no limit.
std::optional<Bytes> most_allowed(const LocalContainer& container, const Bounds& bounds) {
  if (!container.memory_limit) return std::nullopt;
  return Bytes::of(container.memory_limit->value() * bounds.max_go_mem_limit_percent / 100);
}

bool is_own_limit(const LocalContainer& container, const Settings& settings) {
  return settings.go_mem_limit && container.own && container.own->go_mem_limit == settings.go_mem_limit;
}

/// With less GOMEMLIMIT where the container has no room for it any more.
Settings fitted(const LocalContainer& container, const ProfileSpec& spec, Settings settings) {
  const auto most = most_allowed(container, spec.bounds);
  if (!settings.go_mem_limit || !most || settings.go_mem_limit == container.environment.go_mem_limit) return settings;
  const bool no_bounds = given_by_person(spec, settings).go_mem_limit || is_own_limit(container, settings);
  const bool fits = no_bounds ? *settings.go_mem_limit < *container.memory_limit : *settings.go_mem_limit <= *most;
  if (!fits) settings.go_mem_limit = mib(std::floor(most->value() / mib(1).value()));
  return settings;
}

/// What the profile notes of the container, whether or not it fits.
Settings noted_for(const LocalContainer& container, const Profile& profile) {
  // What was confirmed for another container is nothing to this one.
  const std::string& noted = profile.memory.applied_container;
  const bool is_ours = noted.empty() || noted == container.name;
  return is_ours && profile.spec.apply == ApplyMode::kLive ? in_force(profile.memory, container.environment)
                                                           : container.environment;
}

}  // namespace

Settings confirmed_for(const LocalContainer& container, const Profile& profile) {
  return fitted(container, profile.spec, noted_for(container, profile));
}

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
  if (given.go_mem_limit || is_own_limit(container, settings)) return {};
  if (limit && bounds.min_go_mem_limit && *limit < *bounds.min_go_mem_limit) {
    return describe(settings) + " is asked for, and bounds.minAllowed.goMemLimit is " +
           format_go_size(*bounds.min_go_mem_limit) + ".";
  }
  if (most && (!limit || *limit > *most_allowed(container, bounds))) {
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
  Settings usual = noted_for(container, profile);
  const bool is_its_trial = trial != nullptr && trial->spec.live && trial->unreadable.empty() &&
                            trial->key.name == profile.memory.active_trial && trial->spec.profile_uid == profile.uid &&
                            trial->spec.container == container.name;
  const bool goes_back = is_its_trial && trial->status.phase == TrialPhase::kRollingBack;
  // Bad settings wait for no second write.
  if (goes_back && usual == trial->spec.to) usual = trial->spec.from;
  const bool in_turns = spec.update_mode == UpdateMode::kCanary && !spec.suspend && lease_holds && is_its_trial &&
                        trial->status.live && !trial->deleting && !goes_back &&
                        trial->status.phase != TrialPhase::kEnded && has_turn(container, *trial);
  // In the watch a turn is with the old settings, so that there is something to compare the new ones with.
  const bool watched = in_turns && trial->status.phase == TrialPhase::kWatching;
  const bool tries = in_turns && usual == (watched ? trial->spec.to : trial->spec.from);
  usual = fitted(container, spec, usual);
  std::string refused = out_of_bounds(container, spec, usual);
  if (!refused.empty()) usual = environment;
  if (!tries) return {usual, usual, false, std::move(refused)};
  const Settings& turn = watched ? trial->spec.from : trial->spec.to;
  refused = out_of_bounds(container, spec, turn);
  if (!refused.empty()) return {usual, usual, false, std::move(refused)};
  return {turn, usual, true, {}};
}

}  // namespace gopacer
