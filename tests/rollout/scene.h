#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "fakes/builders.h"
#include "gopacer/rollout/advance.h"

namespace gopacer::scenes {

/// Everything that one call of advance() looks at. Members may be changed before step().
struct Scene {
  Profile profile = builders::profile();
  bool profile_is_there = true;
  Deployment target = builders::deployment();
  bool target_is_there = true;
  std::optional<Trial> trial;
  Settings current = builders::old_settings();
  std::string blocked;
  std::string conflict;
  bool pods_ready = true;
  bool collected = true;
  int last_trial_number = 0;
  Decision decision = builders::keep();
  Verdict verdict = builders::undecided();
  Time now = builders::kStart;

  Step step() const {
    Situation situation;
    situation.profile = profile_is_there ? &profile : nullptr;
    situation.target = target_is_there ? &target : nullptr;
    situation.current = current;
    situation.blocked = blocked;
    situation.conflict = conflict;
    situation.pods_ready = pods_ready;
    situation.collected = collected;
    situation.last_trial_number = last_trial_number;
    return advance(trial ? &*trial : nullptr, situation, decision, verdict, now);
  }

  /// The two passes that end a trial: the verdict is written down, then the trial is closed.
  Step end() {
    const Step written = step();
    EXPECT_EQ(written.kind, StepKind::kHold) << written.message;
    if (!written.trial) return written;
    EXPECT_NE(written.trial->verdict, TrialVerdict::kNone) << written.message;
    EXPECT_EQ(written.trial->phase, trial->status.phase);
    trial->status = *written.trial;
    return step();
  }
};

/// Long enough after the trial entered `phase` for one window, and for our own patch to show.
inline Scene in(TrialPhase phase) {
  Scene scene;
  scene.trial = builders::trial(phase);
  scene.now = builders::entered(phase) + std::chrono::seconds(20);
  scene.profile.memory.trial_count = 1;
  scene.profile.memory.active_trial = "checkout-1";
  if (phase == TrialPhase::kWatching || phase == TrialPhase::kRollingBack) {
    scene.current = builders::new_settings();
    scene.profile.memory.applied = builders::new_settings();
  }
  return scene;
}

inline constexpr TrialPhase kBeforePromotion[] = {TrialPhase::kPending, TrialPhase::kWarmUp, TrialPhase::kMeasuring};

}  // namespace gopacer::scenes
