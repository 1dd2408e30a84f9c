#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/decide/decision.h"
#include "gopacer/domain/desired.h"
#include "gopacer/judge/verdict.h"

namespace gopacer {

/// All that one pass knows. It is filled from top to bottom as the pass goes on; a rule looks at what is there by then.
struct Facts {
  Time now;
  Desired desired;
  Observation observed;
  Decision decision;
  Verdict verdict;  ///< of the running trial
  Verdict guarded;  ///< of the settings that are in force
};

namespace policy {

/// What becomes of settings that the trial has put into the target and its watch has not confirmed.
enum class Unconfirmed {
  kTakenBack,  ///< what was there before the trial is put back, except where somebody else has set a variable by now
  kLeft,       ///< the target, or all that says what they were for, is gone
};

/// One rule: a question to the facts whose answer may be a sentence that says what stands against it, with which
/// object, and what to do. A rule is one line in a list below and one function in operator/policy/.
struct Rule {
  const char* reason;  ///< CamelCase: as conditions, events and trials name it
  const char* means;   ///< one line for the docs
  std::optional<std::string> (*objects)(const Facts&);
  const char* condition = "Ready";                 ///< the profile's condition that tells of it besides Ready
  TrialVerdict verdict = TrialVerdict::kNone;      ///< how a trial ends by it
  Unconfirmed settings = Unconfirmed::kTakenBack;  ///< of a trial that ends by it
};

/// The rollout or the scaling of the target that goes on, and for how long, in a sentence; empty when there is none.
std::string under_way(const Facts& facts);

/// Less than half of the target's replicas are available; in a watch those that find no place don't count as missing.
bool half_gone(const Facts& facts);

/// Pods with the old settings ran out of memory as well as some with the new ones, so that it is no fault of these: a
/// sentence that says what to do. After the promotion only of a trial that is rolled back for such a kill.
std::optional<std::string> both_arms_killed(const Facts& facts);
inline constexpr const char* kBothArmsKilled = "BothArmsKilled";

/// The running trial is none that the profile's status names, or none that this version can read.
bool nobody_knows(const Facts& facts);

/// The ended trial of this target and container that has the name; null when no such trial is kept.
const Trial* kept_trial(const std::string& name, const Facts& facts);

/// The ended trial of this target and container whose settings a person wants back; null when there is no such wish, it
/// was fulfilled, or no such trial is kept.
const Trial* wanted_back(const Facts& facts);

/// The container's memory limit where the settings' GOMEMLIMIT does not fit into it any more.
std::optional<Bytes> limit_exceeded_by(const Settings& settings, const Facts& facts);

/// Why the profile's bounds, as they are now, do not allow the tuned container these settings, a sentence; empty when
/// they do. `own`: what its processes have by themselves, where the trial that is spoken of noted it.
std::string beyond_bounds(const Settings& settings, const std::optional<Settings>& own, const Facts& facts);

/// Why all pods would suffer from the trial's settings, without another trial that would show it, or why no agent would
/// set them: a sentence's end; empty when nothing is known.
std::string danger_of_undo(const Trial& trial, const Facts& facts);

/// How long a pod of a live trial keeps either settings at a time: a handful of collections, and six times as long as
/// the slowest requests that an SLO is about, from kShortestBlock to kLongestBlock.
Duration block_of_turns(const Facts& facts);
inline constexpr Duration kShortestBlock = std::chrono::seconds(4);
inline constexpr Duration kLongestBlock = std::chrono::seconds(150);

/// Whether a trial that ended by this reason ended because somebody set one of the variables.
bool is_a_persons(const std::string& reason);

/// A rule that objected, and its words.
struct Objection {
  const Rule* rule = nullptr;
  std::string message;
  std::string reason() const { return rule->reason; }
};

/// The lists, each in the order in which its rules are asked.

/// May this target be tuned at all? Where one objects nothing is computed for it.
std::span<const Rule> may_be_tuned();
/// May a trial start now? Where one objects the recommendation is shown and nothing is done.
std::span<const Rule> may_start();
/// May earlier settings be put back without a trial, because a promise is broken? Where one objects that waits.
std::span<const Rule> may_put_back();
/// Must the running trial end, whatever its own figures say?
std::span<const Rule> must_end();
/// May what the judge found better be promoted? Where one objects the trial goes on, or ends if the rule has a verdict.
std::span<const Rule> may_be_promoted();

/// The first rule that objects.
std::optional<Objection> first_objection(std::span<const Rule> rules, const Facts& facts);
/// All rules that object, in order.
std::vector<Objection> objections(std::span<const Rule> rules, const Facts& facts);

/// The reasons of all lists as a Markdown document: docs/reasons.md.
std::string reasons_document();

}  // namespace policy
}  // namespace gopacer
