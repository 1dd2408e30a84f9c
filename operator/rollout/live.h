#pragma once

#include "gopacer/judge/crossover.h"
#include "rollout/steps.h"

namespace gopacer {

// What a trial in running processes is made of: no pods of its own, but turns of the target's.

/// The processes that take part: up to twice as many as an arm would have pods, of the ready pods of the target, as
/// arm_pods() tells them. Empty where the agents do not read all of them yet.
std::vector<std::string> live_pods(const Facts& facts);

/// Why an agent does not read or set one of the target's pods, in its own words; empty when nothing is known.
std::string live_trouble(const Facts& facts);

/// The trial's processes are all still there.
bool live_pods_are_there(const Facts& facts);

/// Long enough for a handful of collections under either settings, from kShortestBlock to kLongestBlock.
Duration block_for(const Decision& decision);
inline constexpr Duration kShortestBlock = std::chrono::seconds(4);
inline constexpr Duration kLongestBlock = std::chrono::seconds(150);

/// What the processes run with by themselves, where that is not what their environment says: a GOMEMLIMIT that it
/// leaves to them. None where it is, or where settings of ours are in force.
std::optional<Settings> own_settings(const Facts& facts);

/// Whose turn it is now.
LiveTurn turn_at(const Trial& trial, Time since, const std::vector<std::string>& pods, Time now);

/// So many of the trial's pods that have the settings for good, after `had` of them: the first, then a quarter of the
/// target's, then all of the trial's.
LiveTurn growing_turn(const Facts& facts, std::size_t had, Time now);

/// The processes of these pods, or of all of the target's pods that are ready where none are named, run these
/// settings, by their own memory.
bool run_by_now(const Facts& facts, const std::vector<std::string>& pods, const Settings& settings);

/// uid of one of live_pods().
std::string uid_of(const std::string& process);

}  // namespace gopacer
