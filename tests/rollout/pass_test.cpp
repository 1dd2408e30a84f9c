#include "gopacer/rollout/pass.h"

#include <gmock/gmock.h>

#include "decide/go_service.h"
#include "fakes/builders.h"

namespace gopacer {
namespace {

using builders::kStart;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// All that a pass reads, with a profile, its target and pods that were read.
struct Scene {
  Profile profile = builders::profile();
  Workload target = builders::deployment();
  Workload canary = builders::deployment();
  Workload baseline = builders::deployment();
  std::optional<Trial> trial;
  bool trial_is_known = true;
  testing::GoService service;
  Desired desired;
  Time now = kStart;

  Facts facts() {
    Facts facts;
    facts.now = now;
    facts.desired = read();
    facts.observed = observed();
    return facts;
  }

  const Desired& read() {
    if (trial && trial_is_known) profile.memory.active_trial = trial->key.name;
    desired.key = profile.key;
    desired.target_name = target.key.name;
    desired.profile = std::make_shared<Profile>(profile);
    desired.target = std::make_shared<Workload>(target);
    desired.container = "app";
    if (trial) {
      desired.trial = std::make_shared<Trial>(*trial);
      desired.canary = std::make_shared<Workload>(canary);
      desired.baseline = std::make_shared<Workload>(baseline);
    }
    return desired;
  }

  Observation observed() const {
    Observation out;
    out.at = now;
    for (const auto& [name, track] : {std::pair{"stable", Track::kStable}, std::pair{"canary", Track::kCanary},
                                      std::pair{"baseline", Track::kBaseline}}) {
      out.pods.push_back(service.pod(now, name));
      out.pods.back().track = track;
    }
    return out;
  }
};

TEST(DecideOn, SaysNothingOfAProfileThatIsGone) {
  Facts facts = Scene().facts();
  facts.desired.profile = nullptr;
  EXPECT_EQ(decide_on(facts).kind, Decision::Kind::kNoData);
}

TEST(DecideOn, RepeatsTheProblemInsteadOfDeciding) {
  Scene scene;
  scene.target.rollout.paused = true;
  const Decision decision = decide_on(scene.facts());
  EXPECT_EQ(decision.kind, Decision::Kind::kNoData);
  EXPECT_EQ(decision.reason, "TargetPaused");
  EXPECT_THAT(decision.message, ::testing::HasSubstr("is paused"));
}

TEST(DecideOn, KnowsThatVariablesMayComeFromElsewhere) {
  Scene scene;
  scene.target.containers[0].env_from = "ConfigMap checkout-env";
  EXPECT_THAT(decide_on(scene.facts()).message, ::testing::HasSubstr("envFrom (ConfigMap checkout-env)"));
}

TEST(DecideOn, DecidesNothingWhileSuspended) {
  Scene scene;
  scene.profile.spec.suspend = true;
  EXPECT_EQ(decide_on(scene.facts()).reason, "Suspended");
}

TEST(DecideOn, HandsOverWhatItWasTold) {
  Scene scene;
  EXPECT_EQ(decide_on(scene.facts()).kind, Decision::Kind::kChange);
  scene.target = builders::unsettled_deployment();
  EXPECT_EQ(decide_on(scene.facts()).reason, "TargetNotSettled");
}

TEST(DecideOn, RemembersTheCoolDownAndTheBans) {
  Scene scene;
  scene.profile.memory.cool_down_until = scene.now + hours(1);
  const Decision cooling = decide_on(scene.facts());
  EXPECT_EQ(cooling.reason, "CoolDown");
  ASSERT_TRUE(cooling.recommended);

  scene.profile.memory.cool_down_until.reset();
  scene.profile.memory.banned = {{*cooling.recommended, scene.target.template_hash, "GcShare", kStart}};
  const Decision banned = decide_on(scene.facts());
  EXPECT_FALSE(banned.kind == Decision::Kind::kChange && banned.settings == *cooling.recommended);
}

TEST(DecideOn, ForgetsABanWhoseTimeIsOver) {
  Scene scene;
  const Settings wanted = decide_on(scene.facts()).settings;
  for (const auto& [ago, banned] : {std::pair{hours(23), true}, {hours(24), false}}) {
    scene.profile.memory.banned = {{wanted, scene.target.template_hash, "NoBenefit", scene.now - ago}};
    const Decision decision = decide_on(scene.facts());
    EXPECT_EQ(decision.kind == Decision::Kind::kChange && decision.settings == wanted, !banned);
  }
}

/// Collection takes more CPU than was promised, with settings of ours in the target.
Scene broken_promise() {
  Scene scene;
  Slo slo;
  slo.name = "collection";
  slo.source = RuntimeShare{RuntimePart::kGcCpu};
  slo.max = 0.001;
  scene.profile.spec.slos = {slo};
  scene.profile.spec.rollback.guard = true;
  scene.desired.current = scene.service.settings = builders::new_settings();
  scene.profile.memory.applied = builders::new_settings();
  scene.profile.memory.applied_over = builders::old_settings();
  return scene;
}

TEST(JudgeInForce, FindsABrokenPromise) {
  const Verdict verdict = judge_in_force(broken_promise().facts());
  EXPECT_EQ(verdict.outcome, Outcome::kWorse);
  EXPECT_EQ(verdict.broken, "collection");
}

TEST(JudgeInForce, LooksAsWellWhileATrialMeasuresButNotInItsWatch) {
  Scene scene = broken_promise();
  scene.trial = builders::trial(TrialPhase::kMeasuring);
  scene.trial->spec.slos = scene.profile.spec.slos;
  EXPECT_EQ(judge_in_force(scene.facts()).outcome, Outcome::kWorse);
  scene.trial = builders::trial(TrialPhase::kWatching);
  EXPECT_NE(judge_in_force(scene.facts()).outcome, Outcome::kWorse);
}

TEST(JudgeInForce, SaysNothingWhereNobodyAsksOrThereIsNothingOfOurs) {
  const auto silent = [](const auto& change) {
    Scene scene = broken_promise();
    change(scene);
    return judge_in_force(scene.facts()).outcome == Outcome::kNoData;
  };
  EXPECT_TRUE(silent([](Scene& scene) { scene.profile.spec.rollback.guard = false; }));
  EXPECT_TRUE(silent([](Scene& scene) { scene.profile.memory.forget_applied(); }));
  EXPECT_TRUE(silent([](Scene& scene) { scene.profile.memory.applied = builders::settings(77); }))
      << "a person has changed it";
  EXPECT_TRUE(silent([](Scene& scene) { scene.profile.memory.applied_over.reset(); })) << "nothing to go back to";
}

TEST(JudgeTrial, SaysNothingWithoutATrial) {
  Scene scene;
  EXPECT_EQ(judge_trial(scene.facts()).outcome, Outcome::kNoData);
}

TEST(JudgeTrial, OnlyLooksForHardStopsBeforeItMeasures) {
  for (const TrialPhase phase : {TrialPhase::kPending, TrialPhase::kWarmUp}) {
    Scene scene;
    scene.trial = builders::trial(phase);
    Facts facts = scene.facts();
    EXPECT_EQ(judge_trial(facts).reason, "WarmUp");
    facts.observed.pods[1].oom_killed = true;
    facts.observed.pods[1].restarts = 1;
    EXPECT_TRUE(judge_trial(facts).hard_stop);
  }
}

TEST(JudgeTrial, DoesNotLookAtOneThatNobodyKnowsOrThatCannotBeRead) {
  Scene scene;
  scene.trial = builders::trial(TrialPhase::kMeasuring);
  scene.trial_is_known = false;
  EXPECT_EQ(judge_trial(scene.facts()).evidence.metrics.size(), 0U);
  scene.trial_is_known = true;
  scene.trial->unreadable = "It can't be used.";
  EXPECT_EQ(judge_trial(scene.facts()).evidence.metrics.size(), 0U);
}

TEST(JudgeTrial, CountsWindowsOfTheTrialsOwnLengthFromWhereMeasuringBegan) {
  Scene scene;
  scene.trial = builders::trial(TrialPhase::kMeasuring);
  scene.trial->spec.canary.interval = seconds(10);
  scene.now = *scene.trial->status.measuring_since + seconds(40);
  EXPECT_EQ(judge_trial(scene.facts()).evidence.windows, 4);
}

TEST(JudgeTrial, GoesOnWithTheEvidenceThatTheTrialKeeps) {
  Scene scene;
  scene.trial = builders::trial(TrialPhase::kMeasuring);
  scene.trial->status.evidence.windows = 30;
  scene.trial->status.evidence.until = *scene.trial->status.measuring_since + seconds(30 * 15);
  scene.now = *scene.trial->status.measuring_since + seconds(31 * 15);
  EXPECT_EQ(judge_trial(scene.facts()).evidence.windows, 31);
}

TEST(JudgeTrial, KnowsWhichPairsDoNotShareANode) {
  const auto told = [](const std::vector<std::string>& canaries, const std::vector<std::string>& baselines) {
    Scene scene;
    scene.trial = builders::trial(TrialPhase::kMeasuring);
    scene.trial->spec.canary.replicas = static_cast<int>(canaries.size());
    scene.now = *scene.trial->status.measuring_since + seconds(40);
    for (const auto& [nodes, track] : {std::pair(&canaries, Track::kCanary), {&baselines, Track::kBaseline}}) {
      for (const std::string& node : *nodes) {
        Pod pod;
        pod.node = node;
        pod.phase = "Running";
        scene.desired.pods.push_back({std::make_shared<Pod>(pod), track});
      }
    }
    const Evidence evidence = judge_trial(scene.facts()).evidence;
    EXPECT_EQ(evidence.pairs, scene.trial->spec.canary.replicas);
    return evidence.nodes_apart;
  };
  EXPECT_EQ(told({"a"}, {"a"}), 0);
  EXPECT_EQ(told({"a"}, {"b"}), 2);
  EXPECT_EQ(told({"a", "b"}, {"b", "a"}), 0) << "in whatever order";
  EXPECT_EQ(told({"a", "a"}, {"a", "b"}), 2) << "one of two";
  EXPECT_EQ(told({"a", "b"}, {"c", "d"}), 4);
  EXPECT_EQ(told({"a", "a"}, {"b", "b"}), 8) << "two pods of one node are slow together";
}

TEST(JudgeTrial, WatchesTheTargetsOwnPodsAfterThePromotion) {
  Scene scene;
  scene.service.settings = builders::new_settings();
  scene.trial = builders::trial(TrialPhase::kWatching);
  scene.trial->status.evidence.windows = 30;
  scene.now = *scene.trial->status.watching_since + minutes(4);
  const Verdict verdict = judge_trial(scene.facts());
  EXPECT_NE(verdict.outcome, Outcome::kBetter);
  EXPECT_NE(verdict.evidence.windows, 30) << "the canary's evidence is not the watch's";
}

TEST(JudgeTrial, TakesRestartsOfTheBaselineFromBeforeThePromotionForNoExcuse) {
  const auto reason_with = [](const std::string& measured) {
    Scene scene;
    scene.service.settings = builders::new_settings();
    scene.trial = builders::trial(TrialPhase::kWatching);
    scene.trial->status.arm_pods = {measured};
    scene.now = *scene.trial->status.watching_since + minutes(1);
    Facts facts = scene.facts();
    facts.observed.pods[0].restarts = 4;
    facts.observed.pods[2].restarts = 4;
    facts.observed.pods[2].uid = "b";
    return judge_trial(facts).reason;
  };
  EXPECT_NE(reason_with("b"), "Restarted") << "both ended as often";
  EXPECT_EQ(reason_with("b#4"), "Restarted");
}

}  // namespace
}  // namespace gopacer
