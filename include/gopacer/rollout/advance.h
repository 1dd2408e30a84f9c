#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/trial.h"
#include "gopacer/policy/rules.h"

namespace gopacer {

enum class StepKind {
  kHold,          ///< nothing to do to the cluster but to record
  kNoteTrial,     ///< make sure that the trial can begin, and note it in the profile
  kStartTrial,    ///< create the trial object that the profile notes
  kForgetTrial,   ///< make sure that the trial which the profile notes does not run
  kRunCanary,     ///< make sure that the trial's two arms are there
  kPromote,       ///< put the trial's settings into the target
  kRetireCanary,  ///< delete the trial's canary; the trial goes on
  kRollBack,      ///< put back what the target had before
  kPutBack,       ///< put earlier settings into the target without a trial, as a person or a broken promise asks
  kRevert,        ///< release everything: the profile is being deleted and asks for it
  kEnd,           ///< delete the trial's two arms and close the trial
};

std::string to_string(StepKind kind);

/// What to do next, and what is to be written down once it is done.
struct Step {
  StepKind kind = StepKind::kHold;
  std::string reason;                   ///< CamelCase
  std::string message;                  ///< a sentence
  std::optional<TrialSpec> start;       ///< for kStartTrial
  std::optional<Settings> settings;     ///< for kNoteTrial, kPromote, kRollBack and kPutBack
  std::string cause;                    ///< for kPutBack: in brief, for the target's history
  std::optional<TrialStatus> trial;     ///< the running trial's status after the step
  std::optional<ProfileMemory> memory;  ///< the profile's memory after the step, when it changes
  /// Arms that nobody needs any more, to be deleted. Nothing waits for that.
  std::vector<std::shared_ptr<const Workload>> leftovers;
  std::vector<std::shared_ptr<const Trial>> finished;  ///< ended trials that need not be kept any longer
  /// Something that a person has to put right keeps the step from being taken; `message` says what.
  bool refused = false;
  Duration requeue_after{0};
};

/// The trial's state machine. Every transition is recorded before what it announces is done, and each step may be
/// repeated, so an operator that dies anywhere is followed by one that goes on. Pure.
Step advance(const Facts& facts);

/// What follows when the API server refused `step` for good: the trial ends, or does not begin, with the server's own
/// words. None where the step has to be tried again and again.
std::optional<Step> after_refusal(const Facts& facts, const Step& step, const std::string& words);

/// Least saving of GC CPU (share of the container's CPU) that the trial has to show; negative accepts a loss. From −1
/// to 1.
double least_saving(Strategy strategy, const std::optional<Prediction>& predicted);

}  // namespace gopacer
