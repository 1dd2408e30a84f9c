#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <tuple>

#include "rollout/scene.h"

namespace gopacer {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// A world that a trial can find itself in, likely or not.
struct World {
  Profile profile = builders::profile();
  bool profile_is_there = true;
  Workload target = builders::deployment();
  bool target_is_there = true;
  Trial trial;
  Settings current;
  std::string conflict;
  bool pods_ready = true;
  bool collected = true;
  Decision decision;
  Verdict verdict;
  Time now;

  Step step() const {
    scenes::Scene scene;
    scene.profile = profile;
    scene.profile_is_there = profile_is_there;
    scene.target = target;
    scene.target_is_there = target_is_there;
    if (!conflict.empty()) scene.give_gogc_to(conflict);
    scene.trial = trial;
    scene.current = current;
    scene.pods_ready = pods_ready;
    scene.collected = collected;
    scene.arms_are_there = before_promotion(trial.status.phase);
    scene.decision = decision;
    scene.verdict = verdict;
    scene.now = now;
    return scene.step();
  }
};

TrialPhase any_running_phase() {
  return *rc::gen::element(TrialPhase::kPending, TrialPhase::kWarmUp, TrialPhase::kMeasuring, TrialPhase::kPromoting,
                           TrialPhase::kWatching, TrialPhase::kRollingBack);
}

Settings any_settings() {
  Settings settings;
  if (*rc::gen::arbitrary<bool>()) settings.gogc = Gogc(*rc::gen::inRange(10, 900));
  if (*rc::gen::arbitrary<bool>()) settings.go_mem_limit = mib(*rc::gen::inRange(16, 4096));
  return settings;
}

/// True in one case out of `cases`.
bool rarely(int cases) { return *rc::gen::inRange(0, cases) == 0; }

World any_world() {
  World world;
  const TrialPhase phase = any_running_phase();
  world.trial = builders::trial(phase);
  world.trial.spec.from = any_settings();
  world.trial.spec.to = any_settings();
  if (phase == TrialPhase::kPromoting && *rc::gen::arbitrary<bool>()) {
    world.trial.status.promoted = builders::entered(phase) + seconds(1);
  }
  if (rarely(6)) {
    world.trial.status.verdict = *rc::gen::element(TrialVerdict::kRollBack, TrialVerdict::kInconclusive,
                                                   TrialVerdict::kSuperseded, TrialVerdict::kAborted);
  }
  // What an operator of another version may have left out.
  if (rarely(10)) {
    world.trial.status.steps.clear();
    world.trial.status.warm_until.reset();
    world.trial.status.watching_since.reset();
  }
  if (rarely(6)) world.trial.spec.strategy = Strategy::kFixed;

  world.profile_is_there = !rarely(6);
  world.profile.deleting = rarely(6);
  world.profile.spec.suspend = rarely(6);
  if (rarely(8)) world.profile.uid = "another-uid";
  if (rarely(4)) world.profile.memory.applied = any_settings();
  world.profile.memory.active_trial = rarely(4) ? "" : world.trial.key.name;
  world.target_is_there = !rarely(8);
  if (rarely(8)) world.target.uid = "another-uid";
  if (rarely(6)) world.target.template_hash = "hash-2";
  if (*rc::gen::arbitrary<bool>()) world.target = builders::unsettled_deployment();
  if (!rarely(6)) {
    // Else bounds would end nearly all of them before their promotion.
    world.profile.spec.bounds = {1, 10'000, std::nullopt, 95};
    world.target.containers.front().memory_limit.reset();
  }
  if (rarely(8)) world.conflict = "somebody owns it";
  const int of = *rc::gen::inRange(0, 5);
  world.current = of < 2 ? world.trial.spec.from : of < 4 ? world.trial.spec.to : any_settings();
  world.pods_ready = *rc::gen::arbitrary<bool>();
  world.collected = *rc::gen::arbitrary<bool>();
  world.decision = *rc::gen::arbitrary<bool>() ? builders::keep() : builders::change(any_settings());
  world.verdict = *rc::gen::element(builders::better(), builders::worse(), builders::hard_stop(), builders::undecided(),
                                    builders::no_data());
  world.now = builders::kStart + seconds(*rc::gen::inRange(0, 3 * 3600));
  return world;
}

void describe_failure(const World& world) {
  RC_LOG() << "phase " << to_string(world.trial.status.phase) << ", verdict '" << to_string(world.trial.status.verdict)
           << "', from " << describe(world.trial.spec.from) << ", to " << describe(world.trial.spec.to) << ", current "
           << describe(world.current) << ", judged " << world.verdict.reason << ", at " << format_time(world.now);
}

RC_GTEST_PROP(AnyTrial, PromotesOnlyAfterItWasWrittenThatTheCanaryPassed, ()) {
  const World world = any_world();
  describe_failure(world);
  const Step step = world.step();
  if (step.kind == StepKind::kPromote) {
    RC_ASSERT(world.trial.status.phase == TrialPhase::kPromoting);
    RC_ASSERT(world.trial.status.verdict == TrialVerdict::kPromote);
  }
  if (step.trial && step.trial->phase == TrialPhase::kPromoting && world.trial.status.phase != TrialPhase::kPromoting) {
    RC_ASSERT(world.trial.status.phase == TrialPhase::kMeasuring);
    RC_ASSERT(world.verdict.outcome == Outcome::kBetter);
    RC_ASSERT(step.kind == StepKind::kHold);
  }
}

RC_GTEST_PROP(AnyTrial, PutsOnlyItsOwnTwoSettingsIntoTheTarget, ()) {
  const World world = any_world();
  describe_failure(world);
  const Step step = world.step();
  RC_ASSERT(step.settings.has_value() == (step.kind == StepKind::kPromote || step.kind == StepKind::kRollBack));
  if (step.kind == StepKind::kPromote) RC_ASSERT(*step.settings == world.trial.spec.to);
  if (step.kind == StepKind::kRollBack) {
    const TrialSpec& trial = world.trial.spec;
    const bool gogc_is_ours = world.conflict.empty() && world.current.gogc == trial.to.gogc;
    RC_ASSERT(step.settings->gogc == (gogc_is_ours ? trial.from : world.current).gogc);
    const bool limit_is_ours = world.current.go_mem_limit == trial.to.go_mem_limit;
    RC_ASSERT(step.settings->go_mem_limit == (limit_is_ours ? trial.from : world.current).go_mem_limit);
    RC_ASSERT(step.settings->bounded_by(trial.from) || step.settings->bounded_by(world.current));
    RC_ASSERT(*step.settings != world.current);
  }
  RC_ASSERT(!step.start.has_value());
}

RC_GTEST_PROP(AnyTrial, NeverWritesOverSettingsThatAreNeitherOfItsTwo, ()) {
  World world = any_world();
  world.current = any_settings();
  RC_PRE(world.current != world.trial.spec.from && world.current != world.trial.spec.to);
  describe_failure(world);
  const Step step = world.step();
  RC_ASSERT(step.kind != StepKind::kPromote);
  if (step.kind != StepKind::kRollBack) return;
  const Settings& to = world.trial.spec.to;
  RC_ASSERT(step.settings->gogc == world.current.gogc || world.current.gogc == to.gogc);
  RC_ASSERT(step.settings->go_mem_limit == world.current.go_mem_limit || world.current.go_mem_limit == to.go_mem_limit);
}

RC_GTEST_PROP(AnyTrial, TakesTheSameStepWhenItIsRepeated, ()) {
  const World world = any_world();
  describe_failure(world);
  const Step first = world.step();
  const Step second = world.step();
  RC_ASSERT(first.kind == second.kind);
  RC_ASSERT(first.settings == second.settings);
  RC_ASSERT(first.memory == second.memory);
  RC_ASSERT(first.reason == second.reason);
  RC_ASSERT(first.trial.has_value() == second.trial.has_value());
  if (first.trial) {
    RC_ASSERT(first.trial->phase == second.trial->phase);
    RC_ASSERT(first.trial->verdict == second.trial->verdict);
    RC_ASSERT(first.trial->steps.size() == second.trial->steps.size());
  }
}

RC_GTEST_PROP(AnyTrial, TakesTheSameStepWhenOnlyItsWriteToTheProfileArrived, ()) {
  World world = any_world();
  if (!world.step().memory) {  // else few of them would say anything of it
    world.trial.status.verdict = TrialVerdict::kAborted;
    world.profile_is_there = true;
    world.profile.uid = world.trial.spec.profile_uid;
    world.profile.memory.active_trial = world.trial.key.name;
  }
  describe_failure(world);
  const Step first = world.step();
  RC_PRE(first.memory.has_value());
  world.profile.memory = *first.memory;
  const Step second = world.step();
  RC_ASSERT(first.kind == second.kind);
  RC_ASSERT(first.trial->phase == second.trial->phase);
  RC_ASSERT(first.trial->verdict == second.trial->verdict);
  if (second.memory) RC_ASSERT(*first.memory == *second.memory);
}

RC_GTEST_PROP(AnyTrial, AlwaysComesBack, ()) {
  const World world = any_world();
  const Step step = world.step();
  RC_ASSERT(step.requeue_after >= milliseconds(50));
  RC_ASSERT(step.requeue_after <= minutes(1));
}

/// Lets the trial run with nothing else happening; `patches_stick` says whether what it puts into the target stays.
std::optional<TrialStatus> outlive(World world, bool patches_stick) {
  const Time most = world.now + hours(8);
  while (world.now < most) {
    const Step step = world.step();
    if (patches_stick && step.settings) world.current = *step.settings;
    if (step.memory) world.profile.memory = *step.memory;
    if (step.trial) world.trial.status = *step.trial;
    if (!world.trial.running()) return world.trial.status;
    world.now += std::max<Duration>(step.requeue_after, seconds(5));
  }
  return std::nullopt;
}

RC_GTEST_PROP(AnyTrial, EndsWhenTimeGoesOnAndNothingElseChanges, ()) {
  const World world = any_world();
  describe_failure(world);
  const auto end = outlive(world, true);
  RC_ASSERT(end.has_value());
  RC_ASSERT(end->verdict != TrialVerdict::kNone);
  RC_ASSERT(end->ended.has_value());
  RC_ASSERT(!end->reason.empty() || !world.trial.status.reason.empty() ||
            world.trial.status.verdict != TrialVerdict::kNone);
}

RC_GTEST_PROP(AnyTrial, EndsThoughItsPromotionDoesNotStick, ()) {
  World world = any_world();
  RC_PRE(before_promotion(world.trial.status.phase) || world.trial.status.phase == TrialPhase::kPromoting);
  world.current = world.trial.spec.from;
  describe_failure(world);
  RC_ASSERT(outlive(world, false).has_value());
}

RC_GTEST_PROP(AnyTrial, EndsWithTheSettingsInTheTargetThatItsVerdictSays, ()) {
  World world = any_world();
  describe_failure(world);
  const TrialVerdict written = world.trial.status.verdict;
  const Time most = world.now + hours(8);
  while (world.now < most && world.trial.running()) {
    const Step step = world.step();
    if (step.settings) world.current = *step.settings;
    if (step.memory) world.profile.memory = *step.memory;
    if (step.trial) world.trial.status = *step.trial;
    world.now += std::max<Duration>(step.requeue_after, seconds(5));
  }
  const TrialVerdict verdict = world.trial.status.verdict;
  if (verdict == TrialVerdict::kPromote) RC_ASSERT(world.current == world.trial.spec.to);
  // One that was written before is kept, though a person may have changed the target since.
  const bool target_is_the_same = world.target_is_there && world.target.uid == world.trial.spec.target.uid;
  if (verdict == TrialVerdict::kRollBack && written != verdict && target_is_the_same) {
    // What is left of it belongs to somebody, or holds a heap that they let grow.
    const auto& [from, to] = std::tie(world.trial.spec.from, world.trial.spec.to);
    const bool gogc_is_theirs = world.current.gogc != to.gogc || !world.conflict.empty();
    const bool limit_is_theirs = world.current.go_mem_limit != to.go_mem_limit;
    RC_ASSERT(world.current == from || gogc_is_theirs || limit_is_theirs);
  }
}

}  // namespace
}  // namespace gopacer
