#include "control/desired.h"

#include <gmock/gmock.h>

#include "fakes/builders.h"
#include "fakes/fake_cluster_view.h"

namespace gopacer {
namespace {

using builders::after;
using builders::kStart;
using builders::new_settings;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const ObjectKey kKey{"shop", "checkout"};

/// A cluster with one profile and its target; both may be changed before desired() reads them.
struct Scene {
  FakeClusterView cluster;
  Profile profile = builders::profile();
  Deployment target = builders::deployment();
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
  void add_pod(const std::string& name, Labels labels) {
    Pod pod;
    pod.key = {"shop", name};
    pod.labels = std::move(labels);
    FakeClusterView::put(cluster.all_pods, pod);
  }
  Trial add_trial(int number, TrialPhase phase) {
    Trial trial = builders::trial(phase);
    trial.key.name = "checkout-" + std::to_string(number);
    trial.spec.number = number;
    trial.created = kStart + minutes(number);
    FakeClusterView::put(cluster.all_trials, trial);
    return trial;
  }
  void add_track(Track track, const std::string& trial) {
    Deployment arm = builders::deployment();
    arm.key.name = track_deployment_name("checkout", track);
    arm.labels = {{kTrialLabel, trial}};
    FakeClusterView::put(cluster.all_deployments, arm);
  }

  Desired desired() {
    if (profile_is_there) FakeClusterView::put(cluster.all_profiles, profile);
    if (target_is_there) FakeClusterView::put(cluster.all_deployments, target);
    return read_desired(cluster, kKey);
  }
  /// Reason of the first problem, which is the one to show; empty when there is none.
  Problem problem() {
    const Desired read = desired();
    return read.problems.empty() ? Problem() : read.problems.front();
  }
};

TEST(Desired, HasAllThatBearsOnAProfile) {
  Scene scene;
  scene.set_env("GOGC", "200");
  scene.set_env("GOMEMLIMIT", "430MiB");
  const Desired desired = scene.desired();
  ASSERT_TRUE(desired.profile);
  ASSERT_TRUE(desired.target);
  EXPECT_EQ(desired.container, "app");
  EXPECT_EQ(desired.current, new_settings());
  EXPECT_THAT(desired.problems, IsEmpty());
  EXPECT_THAT(desired.conflict, IsEmpty());
  EXPECT_FALSE(desired.trial);
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
  const Problem problem = scene.problem();
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
  scene.target.paused = true;
  EXPECT_EQ(scene.problem().reason, "TargetPaused");
  EXPECT_THAT(scene.problem().message, HasSubstr("kubectl rollout resume"));
}

TEST(BadTarget, WithSeveralContainersAndNoContainerName) {
  Scene scene;
  scene.add_container("proxy");
  const Problem problem = scene.problem();
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
  EXPECT_THAT(desired.problems, IsEmpty());
  EXPECT_EQ(desired.container, "proxy");
  EXPECT_EQ(desired.current, builders::settings(50));
}

TEST(BadTarget, ThatTakesAVariableFromElsewhere) {
  for (const char* const variable : {"GOGC", "GOMEMLIMIT"}) {
    Scene scene;
    scene.set_env(variable, "", true);
    const Problem problem = scene.problem();
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
  EXPECT_THAT(scene.desired().problems, IsEmpty());
}

TEST(GoodTarget, IsExactlyOneOfTwoProfilesOfTheSameAge) {
  Scene scene;
  Profile twin = builders::profile();
  twin.key.name = "checkout-b";
  FakeClusterView::put(scene.cluster.all_profiles, twin);
  EXPECT_THAT(scene.desired().problems, IsEmpty());
  EXPECT_THAT(read_desired(scene.cluster, twin.key).problems, SizeIs(1));
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
  EXPECT_THAT(scene.desired().problems, IsEmpty());
}

TEST(Conflict, NamesTheManagerAndWhatToDo) {
  for (const char* const variable : {"GOGC", "GOMEMLIMIT"}) {
    Scene scene;
    scene.target.env_owners = {{"app", variable, "kubectl-set"}};
    const std::string conflict = scene.desired().conflict;
    EXPECT_THAT(conflict, HasSubstr(variable));
    EXPECT_THAT(conflict, HasSubstr("'kubectl-set'"));
    EXPECT_THAT(conflict, HasSubstr("remove the entry"));
  }
}

TEST(Conflict, IsNoneWithOurselvesOrOverAnotherContainer) {
  Scene scene;
  scene.target.env_owners = {{"app", "GOGC", "gopacer"}, {"proxy", "GOGC", "kubectl-set"}};
  EXPECT_THAT(scene.desired().conflict, IsEmpty());
}

TEST(Conflict, IsOneWhenTheEntryIsShared) {
  Scene scene;
  scene.target.env_owners = {{"app", "GOGC", "gopacer"}, {"app", "GOGC", "argocd"}};
  EXPECT_THAT(scene.desired().conflict, HasSubstr("'argocd'"));
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

TEST(Trials, ThatAreBeingDeletedDoNotCount) {
  Scene scene;
  Trial trial = builders::trial(TrialPhase::kMeasuring);
  trial.deleting = true;
  FakeClusterView::put(scene.cluster.all_trials, trial);
  EXPECT_FALSE(scene.desired().trial);
}

TEST(Trials, HaveTheirOwnTwoDeployments) {
  Scene scene;
  scene.add_trial(1, TrialPhase::kMeasuring);
  scene.add_track(Track::kCanary, "checkout-1");
  scene.add_track(Track::kBaseline, "checkout-0");
  const Desired desired = scene.desired();
  EXPECT_TRUE(desired.canary);
  EXPECT_FALSE(desired.baseline) << "it was left by another trial";
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

TEST(Pods, AreTheTargetsAndTheRunningTrials) {
  Scene scene;
  scene.add_trial(2, TrialPhase::kMeasuring);
  scene.add_pod("stable", {{"app", "checkout"}});
  scene.add_pod("canary", {{"app", "checkout"}, {kTrialLabel, "checkout-2"}, {kTrackLabel, "canary"}});
  scene.add_pod("left", {{"app", "checkout"}, {kTrialLabel, "checkout-1"}, {kTrackLabel, "canary"}});
  scene.add_pod("other", {{"app", "cart"}});
  const Desired desired = scene.desired();
  std::vector<std::string> names;
  for (const auto& pod : desired.pods) names.push_back(pod->key.name);
  EXPECT_THAT(names, ElementsAre("canary", "stable"));
}

TEST(Pods, OfATrialAreNotTakenForTheTargets) {
  Scene scene;
  scene.add_pod("left", {{"app", "checkout"}, {kTrialLabel, "checkout-1"}, {kTrackLabel, "canary"}});
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
    for (const Problem& problem : scene_.desired().problems) {
      if (problem.reason == "MemoryAutoscaler") return problem.message;
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

}  // namespace
}  // namespace gopacer
