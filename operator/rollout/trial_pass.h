#pragma once

#include <string>

#include "gopacer/rollout/advance.h"

namespace gopacer {

/// Before another trial is made after the server refused one.
inline constexpr Duration kRefusedPause = std::chrono::minutes(10);

/// One pass of a running trial, as its phases hand it on: what is known, the status that is to be written, and the
/// steps that several of them take. It must not outlive the facts.
struct TrialPass {
  /// Of the trial that runs; there has to be one.
  explicit TrialPass(const Facts& all);

  const Facts& facts;
  const Trial& trial;  ///< as the cluster has it
  const Verdict& verdict;
  const Time now;
  TrialStatus next;  ///< the trial's status after the pass

  const Workload* target() const { return facts.desired.target.get(); }
  const Settings& current() const { return facts.desired.current; }
  bool is_live() const { return trial.spec.live.has_value(); }
  bool target_is_the_same() const { return target() != nullptr && target()->uid == trial.spec.target.uid; }
  /// The profile's status names the trial.
  bool known() const;
  /// The agents have put back what the pods had, and set nothing any more.
  bool agents_are_off() const;
  /// Whoever takes the trial, the profile or gopacer away is not to be kept waiting.
  bool somebody_waits() const;
  /// The trial ends because a pod with the new settings was killed, and whether its twin is killed as well is still to
  /// be seen.
  bool baseline_may_be_next() const;
  /// What is measured must not go on.
  bool hard_stop() const { return verdict.outcome == Outcome::kWorse && verdict.hard_stop; }
  /// What the target is to have instead of the trial's settings.
  Settings before() const { return trial.status.put_back.value_or(trial.spec.from); }
  /// The profile's memory with these settings as those that the target has now.
  ProfileMemory with_applied(const Settings& settings) const;

  void enter(TrialPhase phase, std::string message);
  void take_evidence();

  /// A step that only writes the trial's status.
  Step record(std::string reason) const;
  /// A step that puts settings into the target.
  Step apply(StepKind kind, const Settings& settings) const;
  /// In two passes: how the trial ends is written down first, so that clearing up can't take away what it rests on. A
  /// trial that its profile does not know has nothing to rest on.
  Step end(TrialVerdict how, std::string reason, std::string message);
};

}  // namespace gopacer
