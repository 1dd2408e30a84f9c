#pragma once

#include <optional>
#include <string>

#include "gopacer/policy/rules.h"

// What rules of several lists ask. Each gives the sentence that stands against it, or nothing.

namespace gopacer::policy {

using Answer = std::optional<std::string>;

/// A pod of the Deployment that does not have its GOGC and GOMEMLIMIT, in a sentence that says who may do that.
Answer overridden(const Facts& facts, const Workload& workload, Track track);

// The target (target.cpp)
Answer profile_unreadable(const Facts& facts);
Answer target_unreadable(const Facts& facts);
Answer target_not_found(const Facts& facts);
Answer target_taken(const Facts& facts);
Answer container_ambiguous(const Facts& facts);
Answer container_not_found(const Facts& facts);
Answer env_from_source(const Facts& facts);
Answer env_from_field(const Facts& facts);
Answer env_duplicated(const Facts& facts);
Answer env_invalid(const Facts& facts);
Answer memory_autoscaler(const Facts& facts);
Answer target_paused(const Facts& facts);
Answer field_conflict(const Facts& facts);
Answer target_owned(const Facts& facts);
Answer target_steered(const Facts& facts);
Answer recreates(const Facts& facts);
Answer host_network(const Facts& facts);
Answer host_port(const Facts& facts);
Answer host_path(const Facts& facts);
Answer writable_volume(const Facts& facts);
Answer device_claim(const Facts& facts);
Answer scaled_to_zero(const Facts& facts);
Answer live_slo(const Facts& facts);
Answer turns_too_long(const Facts& facts);
Answer target_rolling(const Facts& facts);
Answer template_rolling(const Facts& facts);
Answer env_overridden(const Facts& facts);

// What the person asks for (profile.cpp)
Answer uninstalling(const Facts& facts);
Answer suspended(const Facts& facts);
Answer recommend_only(const Facts& facts);
Answer sources_unread(const Facts& facts);
Answer picture_old(const Facts& facts);
Answer undo_asked(const Facts& facts);
Answer promise_broken(const Facts& facts);

// The running trial (trial.cpp)
Answer profile_gone(const Facts& facts);
Answer trial_unknown(const Facts& facts);
Answer target_gone(const Facts& facts);
Answer settings_changed(const Facts& facts);
Answer trial_unreadable(const Facts& facts);
Answer trial_deleted(const Facts& facts);
Answer profile_deleted(const Facts& facts);
Answer no_longer_wanted(const Facts& facts);
Answer template_changed(const Facts& facts);
Answer apply_changed(const Facts& facts);
Answer profile_changed(const Facts& facts);
Answer target_unavailable(const Facts& facts);
Answer evicted(const Facts& facts);
Answer arms_overridden(const Facts& facts);
Answer arms_unequal(const Facts& facts);
Answer arms_idle(const Facts& facts);

}  // namespace gopacer::policy
