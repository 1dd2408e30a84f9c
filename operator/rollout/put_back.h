#pragma once

#include <optional>

#include "gopacer/rollout/advance.h"

namespace gopacer {

// Settings that go back into the target without a trial.

/// The profile's settings get into force by its status, which the node agents go by.
bool is_applied_live(const Facts& facts);

/// Notes in `memory` what the target has of ours. `over`: what the guard would go back to.
void note_applied(ProfileMemory& memory, const Settings& settings, const std::optional<Settings>& over,
                  const std::string& target_uid, const std::string& container, const Facts& facts);

/// What the target had before `settings`, by the latest trial of it that confirmed them; none where that was found bad
/// on this pod template.
std::optional<Settings> settings_before(const Settings& settings, const Facts& facts);

/// What the guard would put back; none where the target has nothing of ours, or nothing is known that is better.
std::optional<Settings> guard_goes_back_to(const Facts& facts);

/// The target has settings of ours that the profile's guard looks after, and something to go back to.
bool is_guarded(const Facts& facts);

/// Length of the windows in which the guard looks for broken promises, at least.
Duration guarded_interval(const Profile& profile);

/// The SLOs whose promise the target keeps with other settings: of those that the latest confirmed trial compared,
/// those that its baseline kept.
std::vector<Slo> kept_promises(const Facts& facts);

/// Where an SLO's action leads from `settings` that were put there instead of `before`. None where all of that was
/// found bad on this pod template, or asks for more memory than the container has.
std::optional<PutBack> answer_to_breach(BreachAction action, const Settings& settings, const Settings& before,
                                        const Facts& facts);

/// What a broken promise asks for while settings of ours are in the target and no trial runs; none when nothing does.
/// Three passes: it is announced in the profile's status, done, and noted. A successor goes on at any of them.
std::optional<Step> put_back(const Facts& facts);

}  // namespace gopacer
