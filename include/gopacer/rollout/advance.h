#pragma once

#include <optional>
#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/decide/decision.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/trial.h"
#include "gopacer/judge/verdict.h"

namespace gopacer {

/// What the cluster looks like to a trial, besides the trial itself. Plain facts; advance() draws the conclusions.
struct Situation {
  /// Empty when the profile is gone: its running trial still has to be brought to an end.
  const Profile* profile = nullptr;
  /// Empty when the target is gone.
  const Deployment* target = nullptr;
  /// What the target's pod template has now, read as Go would.
  Settings current;
  /// Why nothing may be started, as a sentence; empty when nothing stands against it.
  std::string blocked;
  /// Somebody else owns one of our two env entries, as a sentence; empty when nobody does.
  std::string conflict;
  /// All canary and baseline pods are ready.
  bool pods_ready = false;
  /// Each arm's pods went through the collections that warm-up asks for.
  bool collected = false;
  /// The highest number of a trial that was ever made under this profile's name and is still there.
  int last_trial_number = 0;
};

enum class StepKind {
  kHold,          ///< nothing to do to the cluster but to record
  kStartTrial,    ///< create the trial object
  kRunCanary,     ///< make sure that the trial's two Deployments are there
  kPromote,       ///< put the trial's settings into the target
  kRetireCanary,  ///< delete the trial's two Deployments; the trial goes on watching the target
  kRollBack,      ///< put back what the target had before
  kRevert,        ///< release everything: the profile is being deleted and asks for it
  kEnd,           ///< delete the trial's two Deployments and close the trial
};

std::string to_string(StepKind kind);

/// What to do next, and what is to be written down once it is done.
struct Step {
  StepKind kind = StepKind::kHold;
  std::string reason;                   ///< CamelCase
  std::string message;                  ///< a sentence
  std::optional<TrialSpec> start;       ///< for kStartTrial
  std::optional<Settings> settings;     ///< for kPromote and kRollBack
  std::optional<TrialStatus> trial;     ///< the running trial's status after the step
  std::optional<ProfileMemory> memory;  ///< the profile's memory after the step, when it changes
  Duration requeue_after{0};
};

/// The trial's state machine. Every transition is recorded before what it announces is done, and each step may be
/// repeated, so an operator that dies anywhere is followed by one that goes on.
/// `trial` is the profile's running trial, or null. Pure.
Step advance(const Trial* trial, const Situation& situation, const Decision& decision, const Verdict& verdict,
             Time now);

/// Least saving of GC CPU (share of the container's CPU) that the trial has to show; negative accepts a loss.
double least_saving(Strategy strategy, const std::optional<Prediction>& predicted);

}  // namespace gopacer
