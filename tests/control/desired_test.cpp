#include "control/desired.h"

#include <gmock/gmock.h>

#include <functional>

#include "fakes/builders.h"
#include "fakes/fake_cluster_view.h"
#include "gopacer/policy/rules.h"

namespace gopacer {
namespace {

using builders::kStart;
using builders::new_settings;
using std::chrono::minutes;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const ObjectKey kKey{"shop", "checkout"};

/// A cluster with one profile and its target; both may be changed before desired() reads them.
struct Scene {
  FakeClusterView cluster;
  Profile profile = builders::profile();
  Workload target = builders::deployment();
  bool target_is_there = true;
  bool profile_is_there = true;

  ContainerSpec& app() { return target.containers.front(); }
  void set_env(const std::string& name, const std::string& value, bool from_source = false) {
    app().env.push_back({name, value, from_source});
  }
  void add_container(const std::string& name) {
    ContainerSpec container;
    container.name = name;
    target.containers.push_back(container);
  }
  /// A pod that the Deployment with the uid controls by way of a ReplicaSet.
  void add_pod(const std::string& name, const std::string& deployment_uid) {
    ReplicaSet set;
    set.key = {"shop", "set-of-" + deployment_uid};
    set.uid = set.key.name;
    set.controller = {"Deployment", "checkout", deployment_uid};
    FakeClusterView::put(cluster.all_replica_sets, set);
    Pod pod;
    pod.key = {"shop", name};
    pod.controller = {"ReplicaSet", set.key.name, set.uid};
    FakeClusterView::put(cluster.all_pods, pod);
  }
  Trial add_trial(int number, TrialPhase phase) {
    Trial trial = builders::trial(phase);
    trial.key.name = "checkout-" + std::to_string(number);
    trial.uid = "uid-of-" + trial.key.name;
    trial.spec.number = number;
    trial.created = kStart + minutes(number);
    if (trial.running()) profile.memory.active_trial = trial.key.name;
    FakeClusterView::put(cluster.all_trials, trial);
    return trial;
  }
  void add_track(Track track, const std::string& trial) {
    Workload arm = builders::deployment();
    arm.key.name = track_deployment_name("checkout", track);
    arm.uid = "arm-of-" + trial;
    arm.labels = {{kTrialLabel, trial}, {kProfileLabel, "checkout"}};
    arm.arm_of = "uid-of-" + trial;
    arm.expires = kStart;
    FakeClusterView::put(cluster.all_deployments, arm);
  }

  Desired desired() {
    if (profile_is_there) FakeClusterView::put(cluster.all_profiles, profile);
    if (target_is_there) FakeClusterView::put(cluster.all_deployments, target);
    return read_desired(cluster, kKey);
  }
  std::vector<policy::Objection> objections(std::span<const policy::Rule> rules) {
    Facts facts;
    facts.desired = desired();
    return policy::objections(rules, facts);
  }
  std::vector<policy::Objection> problems() { return objections(policy::may_be_tuned()); }
  /// What is shown first; empty when nothing stands against tuning.
  struct Problem {
    std::string reason;
    std::string message;
    std::string condition;
  };
  Problem problem() {
    const auto all = problems();
    return all.empty() ? Problem() : Problem{all[0].reason(), all[0].message, all[0].rule->condition};
  }
  /// Who else owns our entries, as a sentence.
  std::string conflict() {
    for (const auto& against : objections(policy::may_start())) {
      if (against.reason() == "FieldConflict") return against.message;
    }
    return {};
  }
};

TEST(Desired, HasAllThatBearsOnAProfile) {
  Scene scene;
  scene.set_env("GOGC", "200");
  scene.set_env("GOMEMLIMIT", "430MiB");
  scene.cluster.silence = minutes(3);
  const Desired desired = scene.desired();
  ASSERT_TRUE(desired.profile);
  ASSERT_TRUE(desired.target);
  EXPECT_EQ(desired.picture_age, minutes(3));
  EXPECT_EQ(desired.container, "app");
  EXPECT_EQ(desired.current, new_settings());
  EXPECT_THAT(scene.problems(), IsEmpty());
  EXPECT_THAT(scene.conflict(), IsEmpty());
  EXPECT_FALSE(desired.trial);
}

TEST(Desired, TellsTheTemplatesSettingsFromThoseThatTheAgentsKeepInForce) {
  const auto current = [](const std::function<void(Scene&)>& change) {
    Scene scene;
    scene.set_env("GOGC", "80");
    scene.profile.spec.apply = ApplyMode::kLive;
    ProfileMemory& memory = scene.profile.memory;
    memory.applied = new_settings();
    memory.applied_beside = builders::settings(80);
    memory.applied_uid = scene.target.uid;
    memory.applied_container = "app";
    change(scene);
    const Desired desired = scene.desired();
    EXPECT_EQ(desired.environment, readable_settings(env_of(scene.app())));
    return desired.current;
  };
  EXPECT_EQ(current([](Scene&) {}), new_settings());
  const Settings theirs = builders::settings(80);
  EXPECT_EQ(current([](Scene& scene) { scene.profile.spec.apply = ApplyMode::kRestart; }), theirs);
  EXPECT_EQ(current([](Scene& scene) { scene.profile.memory.applied_beside.reset(); }), theirs) << "not by the agents";
  EXPECT_EQ(current([](Scene& scene) { scene.target.uid = "made-anew"; }), theirs);
  EXPECT_EQ(current([](Scene& scene) { scene.profile.memory.applied_container = "sidecar"; }), theirs);
  EXPECT_EQ(current([](Scene& scene) { scene.app().env[0].value = "90"; }), builders::settings(90))
      << "a person has changed the template since, and that stands";
}

TEST(Desired, TellsATargetThatCannotBeReadFromOneThatIsNotThere) {
  Scene scene;
  scene.cluster.unreadable = "it is too large";
  EXPECT_THAT(scene.desired().target_unreadable, IsEmpty());
  Scene without;
  without.cluster.unreadable = "it is too large";
  without.target_is_there = false;
  EXPECT_EQ(without.desired().target_unreadable, "it is too large");
}

TEST(Desired, TakesVariablesThatAreNotThereForUnset) { EXPECT_EQ(Scene().desired().current, Settings{}); }

TEST(Desired, IsEmptyForAProfileThatIsGone) {
  Scene scene;
  scene.profile_is_there = false;
  const Desired desired = scene.desired();
  EXPECT_FALSE(desired.profile);
  EXPECT_FALSE(desired.target);
  EXPECT_FALSE(desired.trial);
}

TEST(Desired, FindsTheTargetOfARunningTrialWhoseProfileIsGone) {
  Scene scene;
  scene.profile_is_there = false;
  scene.set_env("GOGC", "200");
  scene.add_trial(1, TrialPhase::kRollingBack);
  const Desired desired = scene.desired();
  ASSERT_TRUE(desired.trial);
  ASSERT_TRUE(desired.target);
  EXPECT_EQ(desired.container, "app");
  EXPECT_EQ(desired.current, builders::settings(200));
}

// What stands against tuning: each says what is the matter, with which object, and what to do.

TEST(BadTarget, ThatDoesNotExist) {
  Scene scene;
  scene.target_is_there = false;
  const auto problem = scene.problem();
  EXPECT_EQ(problem.reason, "TargetNotFound");
  EXPECT_EQ(problem.condition, "Ready");
  EXPECT_THAT(problem.message, HasSubstr("Deployment shop/checkout does not exist: create it"));
}

TEST(BadTarget, ThatIsBeingDeletedIsAsGoodAsGone) {
  Scene scene;
  scene.target.deleting = true;
  EXPECT_EQ(scene.problem().reason, "TargetNotFound");
}

TEST(BadTarget, ThatIsPaused) {
  Scene scene;
  scene.target.rollout.paused = true;
  EXPECT_EQ(scene.problem().reason, "TargetPaused");
  EXPECT_THAT(scene.problem().message, HasSubstr("kubectl rollout resume"));
}

TEST(BadTarget, WithSeveralContainersAndNoContainerName) {
  Scene scene;
  scene.add_container("proxy");
  const auto problem = scene.problem();
  EXPECT_EQ(problem.reason, "ContainerAmbiguous");
  EXPECT_EQ(problem.condition, "ConfigUnsupported");
  EXPECT_THAT(problem.message, HasSubstr("app, proxy"));
  EXPECT_THAT(problem.message, HasSubstr("spec.containerName"));
}

TEST(BadTarget, WithoutTheContainerThatTheProfileNames) {
  Scene scene;
  scene.profile.spec.container = "web";
  EXPECT_EQ(scene.problem().reason, "ContainerNotFound");
  EXPECT_THAT(scene.problem().message, HasSubstr("'web'"));
  EXPECT_THAT(scene.problem().message, HasSubstr("app"));
}

TEST(GoodTarget, HasSeveralContainersAndTheProfileNamesOne) {
  Scene scene;
  scene.add_container("proxy");
  scene.target.containers.back().env.push_back({"GOGC", "50", false});
  scene.profile.spec.container = "proxy";
  const Desired desired = scene.desired();
  EXPECT_THAT(scene.problems(), IsEmpty());
  EXPECT_EQ(desired.container, "proxy");
  EXPECT_EQ(desired.current, builders::settings(50));
}

TEST(BadTarget, ThatTakesAVariableFromElsewhere) {
  for (const char* const variable : {"GOGC", "GOMEMLIMIT"}) {
    Scene scene;
    scene.set_env(variable, "", true);
    const auto problem = scene.problem();
    EXPECT_EQ(problem.reason, "EnvFromSource");
    EXPECT_EQ(problem.condition, "ConfigUnsupported");
    EXPECT_THAT(problem.message, HasSubstr(variable));
    EXPECT_THAT(problem.message, HasSubstr("container app of Deployment shop/checkout"));
    EXPECT_THAT(problem.message, HasSubstr("remove the entry"));
  }
}

TEST(BadTarget, ThatSetsAVariableTwice) {
  Scene scene;
  scene.set_env("GOGC", "100");
  scene.set_env("GOGC", "200");
  EXPECT_EQ(scene.problem().reason, "EnvDuplicated");
  EXPECT_THAT(scene.problem().message, HasSubstr("GOGC is set twice"));
}

TEST(BadTarget, ThatSetsAVariableToWhatGoRefuses) {
  Scene scene;
  scene.set_env("GOMEMLIMIT", "440Mi");
  EXPECT_EQ(scene.problem().reason, "EnvInvalid");
  EXPECT_THAT(scene.problem().message, HasSubstr("440MiB"));
}

TEST(BadTarget, ThatAnotherProfileTunesAlready) {
  Scene scene;
  Profile older = builders::profile();
  older.key.name = "checkout-old";
  older.uid = "older-uid";
  older.created = scene.profile.created - minutes(1);
  FakeClusterView::put(scene.cluster.all_profiles, older);
  EXPECT_EQ(scene.problem().reason, "TargetTaken");
  EXPECT_THAT(scene.problem().message, HasSubstr("'checkout-old'"));
}

TEST(GoodTarget, IsTheOlderOfTwoProfiles) {
  Scene scene;
  Profile younger = builders::profile();
  younger.key.name = "a-younger-one";
  younger.created = scene.profile.created + minutes(1);
  FakeClusterView::put(scene.cluster.all_profiles, younger);
  EXPECT_THAT(scene.problems(), IsEmpty());
}

TEST(GoodTarget, IsExactlyOneOfTwoProfilesOfTheSameAge) {
  Scene scene;
  Profile twin = builders::profile();
  twin.key.name = "checkout-b";
  FakeClusterView::put(scene.cluster.all_profiles, twin);
  EXPECT_THAT(scene.problems(), IsEmpty());
  EXPECT_EQ(read_desired(scene.cluster, twin.key).rival->key, kKey);
}

TEST(GoodTarget, IsFreeOnceTheOtherProfileIsBeingDeletedOrInAnotherNamespace) {
  Scene scene;
  Profile older = builders::profile();
  older.key.name = "checkout-old";
  older.created = scene.profile.created - minutes(1);
  older.deleting = true;
  FakeClusterView::put(scene.cluster.all_profiles, older);
  older.deleting = false;
  older.key.ns = "warehouse";
  FakeClusterView::put(scene.cluster.all_profiles, older);
  EXPECT_THAT(scene.problems(), IsEmpty());
}

TEST(Conflict, NamesTheManagerAndWhatToDo) {
  for (const char* const variable : {"GOGC", "GOMEMLIMIT"}) {
    Scene scene;
    scene.target.env_owners = {{"app", variable, "kubectl-set"}};
    const std::string conflict = scene.conflict();
    EXPECT_THAT(conflict, HasSubstr(variable));
    EXPECT_THAT(conflict, HasSubstr("'kubectl-set'"));
    EXPECT_THAT(conflict, HasSubstr("remove the entry"));
  }
}

TEST(Conflict, IsNoneWithOurselvesOrOverAnotherContainer) {
  Scene scene;
  scene.target.env_owners = {{"app", "GOGC", "gopacer"}, {"proxy", "GOGC", "kubectl-set"}};
  EXPECT_THAT(scene.conflict(), IsEmpty());
}

TEST(Conflict, IsOneWhenTheEntryIsShared) {
  Scene scene;
  scene.target.env_owners = {{"app", "GOGC", "gopacer"}, {"app", "GOGC", "argocd"}};
  EXPECT_THAT(scene.conflict(), HasSubstr("'argocd'"));
}

// Trials

TEST(Trials, AreSortedByAgeAndTheRunningOneStandsApart) {
  Scene scene;
  scene.add_trial(3, TrialPhase::kMeasuring);
  scene.add_trial(2, TrialPhase::kEnded);
  scene.add_trial(1, TrialPhase::kEnded);
  const Desired desired = scene.desired();
  ASSERT_TRUE(desired.trial);
  EXPECT_EQ(desired.trial->spec.number, 3);
  ASSERT_THAT(desired.ended_trials, SizeIs(2));
  EXPECT_EQ(desired.ended_trials[0]->spec.number, 1);
  EXPECT_EQ(desired.ended_trials[1]->spec.number, 2);
}

TEST(Trials, OfOtherProfilesAndNamespacesAreNotOurs) {
  Scene scene;
  Trial other = builders::trial(TrialPhase::kMeasuring);
  other.key.name = "cart-1";
  other.spec.profile = "cart";
  FakeClusterView::put(scene.cluster.all_trials, other);
  other = builders::trial(TrialPhase::kMeasuring);
  other.key.ns = "warehouse";
  FakeClusterView::put(scene.cluster.all_trials, other);
  EXPECT_FALSE(scene.desired().trial);
}

TEST(Trials, ThatAreBeingDeletedStillHaveToBeBroughtToAnEnd) {
  Scene scene;
  Trial trial = builders::trial(TrialPhase::kMeasuring);
  trial.deleting = true;
  FakeClusterView::put(scene.cluster.all_trials, trial);
  ASSERT_TRUE(scene.desired().trial);
  EXPECT_TRUE(scene.desired().trial->deleting);
}

TEST(Trials, ThatTheProfilesStatusNamesGoBeforeOthers) {
  for (const char* const known : {"checkout-1", "checkout-2"}) {
    Scene scene;
    scene.add_trial(1, TrialPhase::kMeasuring);
    scene.add_trial(2, TrialPhase::kMeasuring);
    scene.profile.memory.active_trial = known;
    EXPECT_EQ(scene.desired().trial->key.name, known);
  }
}

TEST(Trials, HaveTheirOwnTwoDeployments) {
  Scene scene;
  scene.add_trial(1, TrialPhase::kMeasuring);
  scene.add_track(Track::kCanary, "checkout-1");
  scene.add_track(Track::kBaseline, "checkout-0");
  const Desired desired = scene.desired();
  EXPECT_TRUE(desired.canary);
  EXPECT_FALSE(desired.baseline) << "it was left by another trial";
  ASSERT_THAT(desired.leftovers, SizeIs(1));
  EXPECT_EQ(desired.leftovers.front()->uid, "arm-of-checkout-0");
}

TEST(Trials, GoOnWithTheContainerThatTheyBeganWith) {
  Scene scene;
  scene.set_env("GOGC", "200");
  scene.add_container("proxy");
  scene.profile.spec.container = "proxy";
  scene.add_trial(1, TrialPhase::kMeasuring);
  const Desired desired = scene.desired();
  EXPECT_EQ(desired.container, "app");
  EXPECT_EQ(desired.current, builders::settings(200));
}

TEST(Pods, AreThoseThatTheTargetAndTheArmsControl) {
  Scene scene;
  scene.add_trial(2, TrialPhase::kMeasuring);
  scene.add_track(Track::kCanary, "checkout-2");
  scene.add_pod("stable", "target-uid");
  scene.add_pod("canary", "arm-of-checkout-2");
  scene.add_pod("left", "arm-of-checkout-1");
  scene.add_pod("other", "another-uid");
  const Desired desired = scene.desired();
  ASSERT_THAT(desired.pods, SizeIs(2));
  EXPECT_EQ(desired.pods[0].pod->key.name, "canary");
  EXPECT_EQ(desired.pods[0].track, Track::kCanary);
  EXPECT_EQ(desired.pods[1].pod->key.name, "stable");
  EXPECT_EQ(desired.pods[1].track, Track::kStable);
}

TEST(Pods, WithTheTargetsLabelsAreNotThereforeTheTargets) {
  Scene scene;
  Pod pod;
  pod.key = {"shop", "of-a-job"};
  pod.controller = {"Job", "nightly", "job-uid"};
  FakeClusterView::put(scene.cluster.all_pods, pod);
  pod.key.name = "of-nobody";
  pod.controller = {};
  FakeClusterView::put(scene.cluster.all_pods, pod);
  EXPECT_THAT(scene.desired().pods, IsEmpty());
}

TEST(Pods, OfASetThatWasMadeAnewAreNotTheTargets) {
  Scene scene;
  scene.add_pod("stable", "target-uid");
  ReplicaSet set;
  set.key = {"shop", "set-of-target-uid"};
  set.uid = "another";
  set.controller = {"Deployment", "checkout", "target-uid"};
  FakeClusterView::put(scene.cluster.all_replica_sets, set);
  EXPECT_THAT(scene.desired().pods, IsEmpty());
}

class MemoryAutoscaler : public testing::Test {
 protected:
  MemoryAutoscaler() {
    autoscaler_.key = {"shop", "scaler"};
    autoscaler_.target_kind = "Deployment";
    autoscaler_.target_name = "checkout";
    autoscaler_.by_memory = true;
  }
  /// The message of the problem; empty when there is none.
  std::string problem() {
    FakeClusterView::put(scene_.cluster.all_autoscalers, autoscaler_);
    for (const auto& problem : scene_.objections(policy::may_start())) {
      if (problem.reason() == "MemoryAutoscaler") return problem.message;
    }
    return {};
  }
  Scene scene_;
  Autoscaler autoscaler_;
};

TEST_F(MemoryAutoscaler, StandsAgainstTuningItsTarget) {
  EXPECT_THAT(problem(), HasSubstr("HorizontalPodAutoscaler shop/scaler scales"));
  autoscaler_.vertical = true;
  EXPECT_THAT(problem(), HasSubstr("VerticalPodAutoscaler shop/scaler sets the memory of container app"));
}

TEST_F(MemoryAutoscaler, OfOtherTargetsIsNoMatter) {
  autoscaler_.target_name = "cart";
  EXPECT_EQ(problem(), "");
  autoscaler_.target_name = "checkout";
  autoscaler_.target_kind = "StatefulSet";
  EXPECT_EQ(problem(), "");
}

TEST_F(MemoryAutoscaler, OfOtherContainersIsNoMatter) {
  autoscaler_.by_memory = false;
  autoscaler_.by_memory_of["sidecar"] = true;
  EXPECT_EQ(problem(), "");
  autoscaler_.by_memory_of["app"] = true;
  EXPECT_NE(problem(), "");
}

TEST(ReadDesired, FindsWhatRollsTheTargetOut) {
  Scene scene;
  Steerer canary{{"shop", "front"}, "Canary", "Flagger", "Deployment", "checkout"};
  FakeClusterView::put(scene.cluster.all_steerers, canary);
  ASSERT_EQ(scene.desired().steerers.size(), 1U);
  EXPECT_EQ(describe(*scene.desired().steerers[0]), "Canary shop/front of Flagger");
  canary.target_name = "cart";
  FakeClusterView::put(scene.cluster.all_steerers, canary);
  EXPECT_THAT(scene.desired().steerers, IsEmpty());
  canary.target_name = "checkout";
  canary.target_kind = "DaemonSet";
  FakeClusterView::put(scene.cluster.all_steerers, canary);
  EXPECT_THAT(scene.desired().steerers, IsEmpty());
}

}  // namespace
}  // namespace gopacer
