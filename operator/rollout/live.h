#pragma once

#include "gopacer/judge/crossover.h"
#include "rollout/steps.h"

namespace gopacer {

// What a trial in running processes is made of: no pods of its own, but turns of the target's.

/// The processes that take part: up to twice as many as an arm would have pods, of the ready pods of the target that
/// agents read and that have room for the settings, the oldest, as arm_pods() tells them. Empty where fewer can be had:
/// while `patient` at once, and else only where they are less than half of the ready ones.
std::vector<std::string> live_pods(const Facts& facts, bool patient);

/// Why an agent does not read or set one of the target's pods, in its own words; empty when nothing is known.
std::string live_trouble(const Facts& facts);
/// The same as a sentence's end: ": why", or a full stop.
std::string agents_words(const Facts& facts);

/// Those of the trial's processes that are still there.
std::vector<std::string> live_pods_left(const Facts& facts);

/// Of the trial's pods' containers, since its comparison began.
int restarts_since_begun(const Facts& facts);

/// What the processes run with by themselves, where that is not what their environment says: a GOMEMLIMIT that it
/// leaves to them. None where it is, or where settings of ours are in force.
std::optional<Settings> own_settings(const Facts& facts);

/// Windows of a live trial's watch: whole periods of its turns, as long as the others'.
Duration watch_interval(const TrialSpec& spec);
/// Those of the trial's processes that go on taking turns in the watch: what the new settings do there is compared with
/// what the old ones do at the same time in the same pods. A quarter of the target's pods, and no more than an arm has,
/// but one at least. None where the target has one pod only, which is to show what the settings do all the time, and
/// where the watch has no room for ten windows.
std::vector<std::string> witnesses(const Facts& facts);
/// Whose turn it is now, of those of the trial's processes that are `left`: in the comparison those that have the new
/// settings, later those that have the old ones.
LiveTurn turn_at(const Trial& trial, Time since, const std::vector<std::string>& left, Time now);

/// The operator's word is to be given again: agents take a trial's settings back after kLiveLease without. Another
/// operator's clock may have been ahead of ours.
bool is_due(const LiveTurn& turn, Time now);
inline constexpr Duration kRenewal = std::chrono::seconds(3);
/// Until the next turn, or until the agents want to hear of us.
Duration until_turn(const Trial& trial, const LiveTurn& turn, Time now);

/// The pods that have the settings for good at this stage of the promotion (LiveTurn::block): one, or a quarter of the
/// target's. Those of `before` that are ready stay; then the trial's come first, and the oldest.
LiveTurn growing_turn(const Facts& facts, std::int64_t stage, const std::vector<std::string>& before, Time now);
inline constexpr std::int64_t kGrowingStages = 2;

/// How a promotion grows, before it is noted for all of the target's pods.
struct Growth {
  enum class Kind { kGoesOn, kDone, kStuck };
  Kind kind = Kind::kGoesOn;
  LiveTurn turn;        ///< to be written
  std::string message;  ///< a sentence; empty when done
};

/// From the turn in the trial's status on. Each stage lasts a block, and long enough for a container's memory to be
/// read; stuck is one whose pods do not run the settings after kPatience.
Growth growing(const Facts& facts);

/// The same turn, or a first one, with the operator's word for it given again where it is due. What pods had to give
/// back while nobody gave it begins anew (LiveTurn::since), and with it the time that they have.
LiveTurn renewed(const std::optional<LiveTurn>& turn, Time now);

/// How far settings are in force, by the processes' own memory.
struct InForce {
  int pods = 0;               ///< of the target's that are ready, those that run them
  int others = 0;             ///< those that run something else
  int unread = 0;             ///< those that nobody reads
  std::optional<Time> since;  ///< when the latest of `pods` began to, as far as is known; none without any

  /// All that are read have them, and there are some.
  bool complete() const { return pods > 0 && others == 0; }
};

/// On these pods, or on all of the target's that are ready where none are named.
InForce in_force_on(const Facts& facts, const std::vector<std::string>& pods, const Settings& settings);

/// Whether settings that are noted for all of the target's pods run there by now. Done without those that no agent
/// reads after kPatience, if they are no more than the others.
enum class Spread { kGoesOn, kDone, kStuck };
Spread spread_of(const Settings& settings, const Facts& facts);

/// "All of the target's pods run", or who does and who does not.
std::string who_runs(const Settings& settings, const Facts& facts);

/// No pod that is read runs anything else than `old`, since when it is to be put back. What no agent reads by then has
/// lost its lease, or never had anything of ours.
bool is_back(const Settings& old, Time since, const Facts& facts);

/// Which of the target's pods, ready or not, do not run `old` again or are not read: a sentence that says where to
/// look. Pods that were made after `since`, when the rollback began, never had anything else. Empty where all are back.
std::string not_back(const Settings& old, Time since, const Facts& facts);

/// What the target's pods told since they run the settings, as pods that have them: those that have their turn, or all
/// once they are promoted. What ended before the promotion began is no fault of the settings, and is not counted.
Observation since_they_run(const Facts& facts, const Settings& settings);

/// Takes out what the process told when it ran other settings, by turns or before these were put in force.
void without_other_settings(PodSeries& pod, const Settings& settings);

/// Counts of its restarts only what came after that.
void only_ended_since(PodSeries& pod, Time since);

}  // namespace gopacer
