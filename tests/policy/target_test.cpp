#include <gmock/gmock.h>

#include "policy/world.h"

namespace gopacer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using worlds::World;

/// The words of the first rule that stands against tuning, or against a trial.
std::string against_tuning(World& world) { return world.words(policy::may_be_tuned()); }
std::string against_a_trial(World& world) { return world.words(policy::may_start()); }

TEST(TargetRules, SayWhatIsUnreadable) {
  World world;
  world.profile.unreadable = "spec.objective.strategy: no such strategy 'Best'.";
  EXPECT_EQ(against_tuning(world), world.profile.unreadable);
}

TEST(TargetRules, SayWhatDoesNotExist) {
  World world;
  Facts facts = world.read();
  facts.desired.target = nullptr;
  EXPECT_EQ(
      policy::first_objection(policy::may_be_tuned(), facts)->message,
      "Deployment shop/checkout does not exist: create it, or delete this profile and make one for the right name "
      "(targetRef can't be changed).");
  facts.desired.target_name.clear();
  EXPECT_THAT(policy::objections(policy::may_be_tuned(), facts), IsEmpty()) << "nothing names one";
}

TEST(TargetRules, TellWhatCannotBeReadFromWhatIsNotThere) {
  World world;
  Facts facts = world.read();
  facts.desired.target = nullptr;
  facts.desired.target_unreadable = "spec.replicas is no number";
  const auto against = policy::objections(policy::may_be_tuned(), facts);
  ASSERT_EQ(against.size(), 1U);
  EXPECT_EQ(against[0].reason(), "TargetUnreadable");
  EXPECT_EQ(
      against[0].message,
      "Deployment shop/checkout is there, but can't be read: spec.replicas is no number. Nothing is done until it "
      "can.");
}

TEST(TargetRules, AskNothingOfWhatIsNotThere) {
  World world;
  Facts facts = world.read();
  facts.desired.rival = facts.desired.profile;
  facts.desired.autoscalers = {std::make_shared<Autoscaler>()};
  facts.desired.target = nullptr;
  facts.desired.target_name.clear();
  EXPECT_THAT(policy::objections(policy::may_be_tuned(), facts), IsEmpty());
  EXPECT_THAT(policy::objections(policy::may_start(), facts), IsEmpty());
  // Nor of a target that has all that a profile would have to allow.
  world.target.recreates = true;
  world.target.single_use = {{"HostPort", "it takes port 80"}};
  facts = world.read();
  facts.desired.profile = nullptr;
  EXPECT_THAT(policy::objections(policy::may_be_tuned(), facts), IsEmpty());
  EXPECT_THAT(policy::objections(policy::may_start(), facts), IsEmpty());
}

TEST(TargetRules, NameTheProfileThatCameFirst) {
  World world;
  Profile rival = builders::profile();
  rival.key.name = "older";
  world.facts.desired.rival = std::make_shared<Profile>(rival);
  EXPECT_EQ(against_tuning(world),
            "Deployment shop/checkout is already tuned by profile 'older': delete one of the two profiles.");
}

TEST(TargetRules, NameTheContainersThereAre) {
  World world;
  world.facts.desired.container.clear();
  world.target.containers.emplace_back().name = "proxy";
  EXPECT_EQ(against_tuning(world),
            "Deployment shop/checkout has several containers (app, proxy): set spec.containerName to the one that runs "
            "the Go program.");
  world.profile.spec.container = "web";
  EXPECT_EQ(against_tuning(world),
            "Deployment shop/checkout has no container 'web': set spec.containerName to one of app, proxy.");
}

TEST(TargetRules, SayWhichVariableComesFromElsewhere) {
  World world;
  world.target.containers[0].env = {{"PORT", "80", false}, {"GOGC", "", true}};
  EXPECT_EQ(
      against_tuning(world),
      "GOGC of container app of Deployment shop/checkout comes from valueFrom, which gopacer can't change: remove "
      "the entry, or give it a plain value and leave it to gopacer.");
}

TEST(TargetRules, ShowWhatToPutInThePlaceOfTheContainersLimit) {
  World world;
  world.target.containers[0].env = {{"GOMEMLIMIT", "536870912", true}};
  world.facts.decision.settings = {Gogc(200), mib(471)};
  const std::string what =
      "GOMEMLIMIT of container app of Deployment shop/checkout comes from valueFrom (536870912), which gopacer can't "
      "change: remove the entry and leave it to gopacer";
  EXPECT_EQ(world.words(policy::may_start()), what + ".") << "nothing is recommended yet";
  world.facts.decision.kind = Decision::Kind::kChange;
  EXPECT_EQ(
      world.words(policy::may_start()),
      what + ", or, to have what is recommended by hand, put {name: GOMEMLIMIT, value: \"471MiB\"} in its place.");
  EXPECT_THAT(world.reasons(policy::may_be_tuned()), IsEmpty()) << "what it comes to is known";
  world.profile.spec.apply = ApplyMode::kLive;
  EXPECT_THAT(world.reasons(policy::may_be_tuned()), ElementsAre("EnvFromSource"))
      << "it changes with the container, and would look like a person's change";
}

TEST(TargetRules, SayWhichVariableIsSetTwice) {
  World world;
  world.target.containers[0].env = {{"GOGC", "9", false}, {"GOMEMLIMIT", "1GiB", false}, {"GOMEMLIMIT", "2GiB", false}};
  EXPECT_EQ(against_tuning(world),
            "GOMEMLIMIT is set twice in container app of Deployment shop/checkout: remove one of the entries.");
}

TEST(TargetRules, SayWithWhichValueGoWouldNotStart) {
  World world;
  world.target.containers[0].env = {{"GOMEMLIMIT", "440Mi", false}};
  EXPECT_THAT(against_tuning(world), testing::StartsWith("container app of Deployment shop/checkout: "));
  EXPECT_THAT(against_tuning(world),
              testing::EndsWith(". Go takes such a GOGC for 100, and does not start with such a GOMEMLIMIT."));
}

TEST(TargetRules, LookAtTheContainerThatIsTunedOnly) {
  World world;
  ContainerSpec& proxy = world.target.containers.emplace_back();
  proxy.name = "proxy";
  proxy.env = {{"GOGC", "no number", false}, {"GOGC", "", true}};
  world.target.env_owners = {{"proxy", "GOGC", "argocd"}};
  EXPECT_THAT(world.reasons(policy::may_be_tuned()), IsEmpty());
  EXPECT_THAT(world.reasons(policy::may_start()), IsEmpty());
  world.facts.desired.container = "proxy";
  EXPECT_THAT(world.reasons(policy::may_be_tuned()), ElementsAre("EnvFromSource", "EnvDuplicated", "EnvInvalid"));
  EXPECT_THAT(world.reasons(policy::may_start()), ElementsAre("FieldConflict"));
}

TEST(TargetRules, TellNobodyToSetWhatIsSetAlready) {
  World world;
  world.target.env_owners = {{"app", "GOGC", "terraform"}};
  const auto told = [&] { return policy::objections(policy::may_start(), world.read()).back().message; };
  world.profile.spec.update_mode = UpdateMode::kCanary;
  EXPECT_THAT(told(), testing::EndsWith("to let gopacer tune it, or set updateMode Off."));
  world.profile.spec.update_mode = UpdateMode::kOff;
  EXPECT_THAT(told(), testing::EndsWith("to let gopacer tune it."));
}

TEST(TargetRules, LeaveOutAutoscalersThatDoNotGoByTheContainersMemory) {
  World world;
  Autoscaler by_cpu;
  Autoscaler of_the_proxy;
  of_the_proxy.by_memory_of = {{"proxy", true}};
  world.facts.desired.autoscalers = {std::make_shared<Autoscaler>(by_cpu), std::make_shared<Autoscaler>(of_the_proxy)};
  EXPECT_THAT(world.reasons(policy::may_start()), IsEmpty());
  Autoscaler horizontal;
  horizontal.key = {"shop", "checkout-hpa"};
  horizontal.by_memory = true;
  world.facts.desired.autoscalers.push_back(std::make_shared<Autoscaler>(horizontal));
  EXPECT_EQ(
      world.words(policy::may_start()),
      "HorizontalPodAutoscaler shop/checkout-hpa scales Deployment shop/checkout on memory: the heap's size would "
      "change the number of pods. Scale on CPU or on requests instead.");
  Autoscaler vertical = horizontal;
  vertical.key.name = "checkout-vpa";
  vertical.vertical = true;
  world.facts.desired.autoscalers = {std::make_shared<Autoscaler>(vertical)};
  EXPECT_EQ(
      world.words(policy::may_start()),
      "VerticalPodAutoscaler shop/checkout-vpa sets the memory of container app: its limit would move, and "
      "GOMEMLIMIT would not follow. Set the container's controlledValues to RequestsOnly or its controlledResources "
      "to [cpu], or updatePolicy.updateMode to Off.");
}

TEST(TargetRules, SayHowAPausedTargetGoesOn) {
  World world;
  world.target.rollout.paused = true;
  EXPECT_EQ(against_tuning(world),
            "Deployment shop/checkout is paused, and nothing can be rolled out: run kubectl rollout resume "
            "deployment/checkout.");
}

TEST(TargetRules, NameTheFieldsOwnerUnlessThatIsGopacer) {
  World world;
  world.target.env_owners = {{"app", "GOGC", "gopacer"}};
  EXPECT_THAT(world.reasons(policy::may_start()), IsEmpty());
  world.target.env_owners.push_back({"app", "GOMEMLIMIT", "terraform"});
  EXPECT_EQ(
      against_a_trial(world),
      "GOMEMLIMIT of container app of Deployment shop/checkout is set by 'terraform', and gopacer never takes a field "
      "over: remove the entry there to let gopacer tune it, or set updateMode Off.");
}

TEST(TargetRules, SayHowAToolTakesAnEntryOutOfWhatItRenders) {
  const auto told = [](const char* manager) {
    World world;
    world.target.env_owners = {{"app", "GOGC", manager}};
    return against_a_trial(world);
  };
  const std::string patch =
      "{target: {kind: Deployment, name: checkout}, patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: "
      "checkout}, spec: {template: {spec: {containers: [{name: app, env: [{name: GOGC, $patch: delete}]}]}}}}'}";
  EXPECT_THAT(
      told("argocd-controller"),
      testing::EndsWith(", or set updateMode Off. Where it can't be removed in the manifest, add to the Argo CD "
                        "Application: spec: {source: {kustomize: {patches: [" +
                        patch + "]}}}"));
  EXPECT_THAT(told("kustomize-controller"),
              testing::EndsWith("add to the Flux Kustomization: spec: {patches: [" + patch + "]}"));
  EXPECT_THAT(told("helm-controller"),
              testing::EndsWith("add to the Flux HelmRelease: spec: {postRenderers: [{kustomize: {patches: [" + patch +
                                "]}}]}"));
  EXPECT_THAT(told("helm"), testing::EndsWith("(helm --post-renderer): patches: [" + patch + "]"));
  EXPECT_THAT(told("kubectl-set"), testing::EndsWith("or set updateMode Off."));
}

TEST(TargetRules, SayWhichPodHasOtherVariablesThanItsTemplate) {
  World world;
  world.target.containers[0].env = {{"GOGC", "150"}, {"GOMEMLIMIT", "", true}};
  world.facts.desired.container = "app";
  Pod pod;
  pod.key = {"shop", "checkout-1"};
  pod.containers = world.target.containers;
  const auto told = [&](Track track) {
    world.facts.desired.pods = {{std::make_shared<Pod>(pod), track}};
    return policy::first_objection(policy::may_start(), world.read());
  };
  EXPECT_FALSE(told(Track::kStable));
  pod.containers[0].env.clear();
  EXPECT_FALSE(told(Track::kCanary)) << "the trial's own are its matter";
  EXPECT_EQ(told(Track::kStable)->message,
            "Pod checkout-1 has neither GOGC nor GOMEMLIMIT and Deployment shop/checkout says GOGC=150 "
            "GOMEMLIMIT=valueFrom: an admission webhook or policy changes the variables of pods. Let it leave GOGC and "
            "GOMEMLIMIT alone, or tune the service where it takes them from.");
  world.target.updated_replicas = 1;
  EXPECT_EQ(told(Track::kStable)->reason(), "TargetRolling") << "it may be of the old template";
  world.target.updated_replicas = world.target.replicas;
  pod.deleting = true;
  EXPECT_FALSE(told(Track::kStable));
  pod.deleting = false;
  pod.phase = "Succeeded";
  EXPECT_FALSE(told(Track::kStable));
}

TEST(TargetRules, NameTheControllerThatWouldPutItsEnvBack) {
  World world;
  world.target.controller = {"Rollout", "checkout", "uid"};
  EXPECT_EQ(
      against_a_trial(world),
      "Deployment shop/checkout is controlled by Rollout 'checkout', which would put its own env back: set GOGC and "
      "GOMEMLIMIT there, as the recommendation says.");
}

TEST(TargetRules, NameWhatRollsTheTargetOut) {
  World world;
  Steerer rollout;
  rollout.key = {"shop", "front"};
  rollout.kind = "Rollout";
  rollout.product = "Argo Rollouts";
  world.facts.desired.steerers = {std::make_shared<Steerer>(rollout)};
  EXPECT_EQ(against_a_trial(world),
            "Deployment shop/checkout is steered by Rollout shop/front of Argo Rollouts, which scales it and rolls out "
            "each change of its template in a way of its own: set GOGC and GOMEMLIMIT in the manifest of the "
            "Deployment, as the recommendation says, and let Argo Rollouts roll them out.");
  EXPECT_THAT(world.reasons(policy::may_be_tuned()), IsEmpty()) << "the recommendation goes on";
}

TEST(TargetRules, SayWhatThereIsOnlyOnce) {
  World world;
  world.target.single_use = {{"HostPath", "it writes to /data"}, {"HostPort", "it takes port 80"}};
  EXPECT_THAT(world.reasons(policy::may_start()), ElementsAre("HostPort", "HostPath"));
  EXPECT_THAT(against_a_trial(world),
              testing::StartsWith("Deployment shop/checkout is not run twice: it takes port 80. A trial would start"));
  world.target.single_use.clear();
  world.target.recreates = true;
  EXPECT_THAT(against_a_trial(world),
              testing::StartsWith("Deployment shop/checkout has strategy Recreate, or one replica and maxSurge 0: "));
}

TEST(TargetRules, SayWhatTheyWaitFor) {
  World world;
  world.target.updated_replicas = 1;
  EXPECT_EQ(against_a_trial(world),
            "Waiting for the rollout or the scaling of Deployment shop/checkout to finish: of 3 replicas 1 run its "
            "present template and 3 are available.");
  world.target.replicas = world.target.updated_replicas = world.target.available_replicas =
      world.target.total_replicas = 0;
  EXPECT_EQ(against_a_trial(world), "Deployment shop/checkout is scaled to zero, so nothing of it may run.");
  world.target.replicas = world.target.updated_replicas = world.target.available_replicas =
      world.target.total_replicas = 1;
  EXPECT_EQ(against_a_trial(world), "");
}

/// Ten replicas, all of the present template.
World of_ten(int available) {
  World world;
  world.target.replicas = world.target.updated_replicas = world.target.total_replicas = 10;
  world.target.available_replicas = available;
  world.target.max_unavailable = 2;
  return world;
}

TEST(TargetRules, BearThatSoManyPodsAreMissingAsTheTargetLetsBeMissing) {
  World world = of_ten(8);
  EXPECT_THAT(world.reasons(policy::may_start()), ElementsAre("TargetRolling")) << "the rollout has not been complete";
  world.target.rollout.complete = true;
  EXPECT_THAT(world.reasons(policy::may_start()), IsEmpty());
  EXPECT_EQ(policy::under_way(world.read()), "");
  world.target.available_replicas = 7;
  EXPECT_EQ(against_a_trial(world),
            "Waiting for the rollout or the scaling of Deployment shop/checkout to finish: of 10 replicas 10 run its "
            "present template and 7 are available, and maxUnavailable lets 2 be missing.");
  world.target.available_replicas = 10;
  world.target.updated_replicas = 9;
  EXPECT_THAT(world.reasons(policy::may_start()), ElementsAre("TargetRolling")) << "two programs run";
}

TEST(TargetRules, SaySinceWhenTheyHaveWaited) {
  World world = of_ten(5);
  world.target.rollout.last_progress = builders::kStart - std::chrono::minutes(4);
  EXPECT_THAT(
      against_a_trial(world),
      testing::HasSubstr("to finish, since " + format_time(builders::kStart - std::chrono::minutes(4)) + ": of 10"));
  world.target.rollout.complete = true;
  EXPECT_THAT(against_a_trial(world), testing::HasSubstr("to finish: of 10")) << "that was another one";
  const auto add = [&](const char* phase, bool ready, std::chrono::seconds age, Track track) {
    Pod pod;
    pod.phase = phase;
    pod.ready = ready;
    pod.created = builders::kStart - age;
    world.facts.desired.pods.push_back({std::make_shared<Pod>(pod), track});
  };
  add("Running", true, std::chrono::hours(9), Track::kStable);
  add("Failed", false, std::chrono::hours(8), Track::kStable);
  add("Pending", false, std::chrono::hours(7), Track::kCanary);
  add("Pending", false, std::chrono::seconds(30), Track::kStable);
  add("Running", false, std::chrono::seconds(90), Track::kStable);
  add("Pending", false, std::chrono::seconds(60), Track::kStable);
  EXPECT_THAT(
      against_a_trial(world),
      testing::HasSubstr("to finish, since " + format_time(builders::kStart - std::chrono::seconds(90)) + ": of 10"));
}

}  // namespace
}  // namespace gopacer
