#include "act/actor.h"

#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "apply/deployment_env.h"
#include "codec/profile.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "codec/workload.h"
#include "fakes/accident_prone_api_server.h"
#include "fakes/builders.h"
#include "fakes/objects.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::old_settings;
using builders::settings;
using nlohmann::json;
using objects::env_value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const ObjectKey kTrialKey{"shop", "checkout-1"};
constexpr const char* kCause = "kubernetes.io/change-cause";

/// A cluster with a target, its profile and, if wanted, a trial; and an actor that works on it through a connection to
/// which accidents can happen.
struct Cluster {
  FakeApiServer api;
  AccidentProneApiServer connection{api};
  DeploymentEnv applier{connection};
  Actor actor{connection, applier};

  Cluster() {
    objects::deploy(api);
    must(api.create(resources::kProfiles, "shop", objects::profile_object()));
  }

  static void must(const Result<json>& result) {
    if (!result) throw std::logic_error(result.error().message);
  }

  /// The trial's uids are those of the objects here.
  void begin_trial(TrialPhase phase, const Settings& from = old_settings()) {
    Trial trial = builders::trial(phase);
    trial.spec.target.uid = target()["metadata"]["uid"];
    trial.spec.profile_uid = profile()["metadata"]["uid"];
    trial.spec.from = from;
    trial.spec.predicted.saving_percent = "5.1";
    objects::put_trial(api, trial);
    note_trial();
    must(api.merge_patch(objects::profile_path(), {{"metadata", {{"finalizers", {kRevertFinalizer}}}}}, ""));
  }
  void note_trial() {
    must(api.merge_patch(objects::profile_path(), {{"status", {{"activeTrial", "checkout-1"}, {"trialCount", 1}}}},
                         "status"));
  }
  void make_canary() {
    ASSERT_TRUE(perform(StepKind::kRunCanary).done());
    objects::settle_deployments(api);
  }
  void promote() {
    Step step;
    step.kind = StepKind::kPromote;
    step.settings = new_settings();
    ASSERT_TRUE(perform(step).done());
    objects::settle_deployments(api);
  }

  json target() const { return api.peek(objects::deployment_path(objects::kTarget)); }
  json profile() const { return api.peek(objects::profile_path()); }
  json canary() const { return api.peek(objects::deployment_path(objects::kCanary)); }
  json baseline() const { return api.peek(objects::deployment_path(objects::kBaseline)); }
  json trial() const { return api.peek(objects::trial_path(kTrialKey)); }

  /// What the watches would show now.
  Desired desired() const {
    Desired desired;
    desired.key = objects::kProfile;
    if (!profile().is_null()) desired.profile = std::make_shared<Profile>(*codec::decode_profile(profile()));
    if (!target().is_null()) {
      desired.target = std::make_shared<Workload>(*codec::decode_deployment(target()));
      desired.container = "app";
      desired.current = *parse_settings({env_value(target(), "GOGC"), env_value(target(), "GOMEMLIMIT")});
    }
    if (!trial().is_null()) {
      auto trial_now = std::make_shared<Trial>(*codec::decode_trial(trial()));
      if (trial_now->running()) desired.trial = trial_now;
    }
    if (!canary().is_null()) desired.canary = std::make_shared<Workload>(*codec::decode_deployment(canary()));
    if (!baseline().is_null()) desired.baseline = std::make_shared<Workload>(*codec::decode_deployment(baseline()));
    return desired;
  }

  ActResult perform(const Step& step) { return actor.perform(desired(), step); }
  ActResult perform(StepKind kind) {
    Step step;
    step.kind = kind;
    return perform(step);
  }
};

Step note_step() {
  Step step;
  step.kind = StepKind::kNoteTrial;
  step.settings = new_settings();
  step.memory.emplace();
  step.memory->active_trial = "checkout-1";
  return step;
}

Step start_step(const Cluster& cluster) {
  Step step;
  step.kind = StepKind::kStartTrial;
  step.start = builders::trial(TrialPhase::kPending).spec;
  step.start->profile_uid = cluster.profile()["metadata"]["uid"];
  step.start->target.uid = cluster.target()["metadata"]["uid"];
  return step;
}

Step settings_step(StepKind kind, const Settings& settings) {
  Step step;
  step.kind = kind;
  step.settings = settings;
  return step;
}

/// Asks for the canary's Deployment, of which the watch shows none.
ActResult run_canary_that_nobody_sees(Cluster& cluster) {
  Desired desired = cluster.desired();
  desired.canary = nullptr;
  Step step;
  step.kind = StepKind::kRunCanary;
  return cluster.actor.perform(desired, step);
}

TEST(LiveSteps, LeaveTheDeploymentAsItIs) {
  for (const bool with_trial : {false, true}) {
    Cluster cluster;
    if (with_trial) {
      cluster.begin_trial(TrialPhase::kPromoting);
      Cluster::must(
          cluster.api.merge_patch(objects::trial_path(kTrialKey), {{"spec", {{"live", {{"block", "10s"}}}}}}, ""));
    } else {
      Cluster::must(cluster.api.merge_patch(
          objects::profile_path(), {{"spec", {{"updatePolicy", {{"apply", "Live"}, {"updateMode", "Canary"}}}}}}, ""));
    }
    const json before = cluster.target();
    for (const StepKind kind :
         {StepKind::kPromote, StepKind::kRollBack, StepKind::kPutBack, StepKind::kRetireCanary, StepKind::kRevert}) {
      const bool of_trial =
          kind == StepKind::kPromote || kind == StepKind::kRollBack || kind == StepKind::kRetireCanary;
      if (of_trial != with_trial) continue;
      const ActResult result = cluster.perform(settings_step(kind, new_settings()));
      EXPECT_TRUE(result.done()) << to_string(kind);
      EXPECT_EQ(cluster.target(), before) << to_string(kind);
    }
    EXPECT_TRUE(cluster.canary().is_null());
  }
}

TEST(LiveSteps, NoteATrialWithoutARehearsalOnTheDeployment) {
  Cluster cluster;
  Cluster::must(
      cluster.api.merge_patch(objects::profile_path(), {{"spec", {{"updatePolicy", {{"apply", "Live"}}}}}}, ""));
  EXPECT_EQ(cluster.perform(note_step()).error->kind, ErrorKind::kConflict) << "the finalizer comes first";
  const json before = cluster.target();
  EXPECT_TRUE(cluster.perform(note_step()).done());
  EXPECT_EQ(cluster.target(), before);
}

TEST(LiveSteps, ReleaseWhatARestartLeftInTheTemplateWithTheProfile) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  objects::drop_trial(cluster.api, kTrialKey);
  Cluster::must(cluster.api.merge_patch(
      objects::profile_path(), {{"spec", {{"updatePolicy", {{"apply", "Live"}, {"revertOnDeletion", true}}}}}}, ""));
  ASSERT_NE(env_value(cluster.target(), "GOGC"), "");
  EXPECT_TRUE(cluster.perform(StepKind::kRevert).done());
  EXPECT_EQ(env_value(cluster.target(), "GOGC"), "");
}

TEST(Hold, WritesNothing) {
  Cluster cluster;
  cluster.api.forget_writes();
  EXPECT_TRUE(cluster.perform(StepKind::kHold).done());
  EXPECT_THAT(cluster.api.writes(), IsEmpty());
}

/// A cluster whose profile has noted the trial that is about to be made, and waits for it.
void note(Cluster& cluster) {
  cluster.note_trial();
  Cluster::must(
      cluster.api.merge_patch(objects::profile_path(), {{"metadata", {{"finalizers", {kRevertFinalizer}}}}}, ""));
}

TEST(NoteTrial, KeepsTheProfileAndRehearsesThePromotion) {
  Cluster cluster;
  EXPECT_EQ(cluster.perform(note_step()).error->kind, ErrorKind::kConflict) << "the finalizer comes first";
  EXPECT_EQ(cluster.profile()["metadata"]["finalizers"], json::array({kRevertFinalizer}));
  const json before = cluster.target();
  EXPECT_TRUE(cluster.perform(note_step()).done());
  EXPECT_EQ(cluster.target(), before);
}

TEST(NoteTrial, IsRefusedAsThePromotionWouldBe) {
  Cluster cluster;
  note(cluster);
  const json theirs = json::parse(R"({"spec": {"template": {"spec": {"containers": [
      {"name": "app", "env": [{"name": "GOGC", "value": "80"}]}]}}}})");
  cluster.api.apply_as("kubectl-set", objects::deployment_path(objects::kTarget), theirs);
  const ActResult result = cluster.perform(note_step());
  ASSERT_FALSE(result.done());
  EXPECT_EQ(result.error->kind, ErrorKind::kOwned);
  EXPECT_THAT(result.error->message, HasSubstr("kubectl-set"));
}

TEST(NoteTrial, IsRefusedWhereAnotherObjectHasTheName) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kEnded);
  const ActResult result = cluster.perform(note_step());
  ASSERT_FALSE(result.done());
  EXPECT_TRUE(result.refused());
  EXPECT_THAT(result.error->message, HasSubstr("GoRuntimeTrial shop/checkout-1"));
}

TEST(StartTrial, MakesTheTrialThatIsLetGoOnlyByUs) {
  Cluster cluster;
  note(cluster);
  ASSERT_TRUE(cluster.perform(start_step(cluster)).done());
  EXPECT_EQ(cluster.trial()["spec"]["container"], "app");
  EXPECT_EQ(cluster.trial()["metadata"]["finalizers"], json::array({kTrialFinalizer}));
  EXPECT_TRUE(codec::decode_trial(cluster.trial()));
}

TEST(StartTrial, TouchesNothingElse) {
  Cluster cluster;
  note(cluster);
  const json before = cluster.target();
  cluster.api.forget_writes();
  cluster.perform(start_step(cluster));
  EXPECT_THAT(cluster.api.writes(), ElementsAre("create GoRuntimeTrial shop/checkout-1"));
  EXPECT_EQ(cluster.target(), before);
}

TEST(StartTrial, DoesNotStartOneThatEndedWithoutOurSeeingIt) {
  Cluster cluster;
  note(cluster);
  const Desired desired = cluster.desired();
  Cluster::must(cluster.api.merge_patch(objects::profile_path(), {{"status", {{"activeTrial", ""}}}}, "status"));
  const ActResult result = cluster.actor.perform(desired, start_step(cluster));
  ASSERT_FALSE(result.done());
  EXPECT_EQ(result.error->kind, ErrorKind::kConflict);
  EXPECT_TRUE(cluster.trial().is_null());
}

TEST(StartTrial, KnowsItsOwnWhenItWouldTryOtherSettingsByNow) {
  Cluster cluster;
  note(cluster);
  const Desired desired = cluster.desired();
  ASSERT_TRUE(cluster.actor.perform(desired, start_step(cluster)).done());
  Step later = start_step(cluster);
  later.start->to.gogc = Gogc(205);
  const ActResult result = cluster.actor.perform(desired, later);  // the watch is late
  ASSERT_FALSE(result.done());
  EXPECT_EQ(result.error->kind, ErrorKind::kConflict);
  EXPECT_FALSE(result.refused());
}

TEST(StartTrial, DoesNotTakeSomebodyElsesTrialForItsOwn) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  Desired desired = cluster.desired();
  desired.trial = nullptr;  // made between the note and now
  const ActResult result = cluster.actor.perform(desired, start_step(cluster));
  ASSERT_FALSE(result.done());
  EXPECT_TRUE(result.refused());
}

TEST(ForgetTrial, WaitsForATrialThatRunsAndIsNotInThePictureYet) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  Desired desired = cluster.desired();
  desired.trial = nullptr;  // the watch of the trials is late
  Step step;
  step.kind = StepKind::kForgetTrial;
  const ActResult result = cluster.actor.perform(desired, step);
  ASSERT_FALSE(result.done());
  EXPECT_EQ(result.error->kind, ErrorKind::kConflict);
  EXPECT_THAT(result.error->message, HasSubstr("checkout-1"));
}

TEST(ForgetTrial, IsDoneWhenTheTrialIsGoneOrHasEnded) {
  Cluster gone;
  note(gone);
  EXPECT_TRUE(gone.perform(StepKind::kForgetTrial).done());
  Cluster ended;
  ended.begin_trial(TrialPhase::kEnded);
  EXPECT_TRUE(ended.perform(StepKind::kForgetTrial).done());
}

TEST(End, OfATrialThatTheProfileNamesByNowWaits) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  Desired desired = cluster.desired();
  auto older = std::make_shared<Profile>(*desired.profile);
  older->memory.active_trial = "";
  desired.profile = older;
  Step step;
  step.kind = StepKind::kEnd;
  EXPECT_EQ(cluster.actor.perform(desired, step).error->kind, ErrorKind::kConflict);
}

TEST(Leftovers, AreDeletedOnAnyStep) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  cluster.make_canary();
  Step step;
  step.leftovers = {cluster.desired().canary};
  EXPECT_TRUE(cluster.perform(step).done());
  EXPECT_TRUE(cluster.canary().is_null());
  EXPECT_FALSE(cluster.baseline().is_null());
}

TEST(Finished, TrialsAreLetGo) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kEnded);
  Step step;
  step.finished = {std::make_shared<Trial>(*codec::decode_trial(cluster.trial()))};
  cluster.perform(step);
  EXPECT_TRUE(cluster.trial()["metadata"].value("finalizers", json::array()).empty());
}

TEST(RunCanary, MakesBothArmsFromTheTargetAsItIs) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  ASSERT_TRUE(cluster.perform(StepKind::kRunCanary).done());
  EXPECT_EQ(env_value(cluster.canary(), "GOGC"), "200");
  EXPECT_EQ(env_value(cluster.baseline(), "GOGC"), "");
  EXPECT_EQ(env_value(cluster.baseline(), "LOG_LEVEL"), "info");
  EXPECT_EQ(cluster.canary()["metadata"]["ownerReferences"][0]["uid"], cluster.trial()["metadata"]["uid"]);
}

TEST(RunCanary, DoesNothingWhenBothAreThere) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  cluster.make_canary();
  cluster.api.forget_writes();
  EXPECT_TRUE(cluster.perform(StepKind::kRunCanary).done());
  EXPECT_THAT(cluster.api.writes(), IsEmpty());
}

/// The trial's second step has three pods in each arm.
void ask_for_larger_arms(Cluster& cluster) {
  Trial trial = *codec::decode_trial(cluster.trial());
  trial.spec.steps = {{1, Duration(0)}, {3, Duration(0)}};
  trial.status.step = 1;
  objects::drop_trial(cluster.api, kTrialKey);
  objects::put_trial(cluster.api, trial);
}

TEST(RunCanary, GrowsBothArmsWhenTheTrialsStepAsksForMore) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  cluster.make_canary();
  ask_for_larger_arms(cluster);
  const json target = cluster.target();
  ASSERT_TRUE(cluster.perform(StepKind::kRunCanary).done());
  EXPECT_EQ(cluster.canary()["spec"]["replicas"], 3);
  EXPECT_EQ(cluster.baseline()["spec"]["replicas"], 3);
  EXPECT_EQ(cluster.target(), target);
}

TEST(RunCanary, LeavesADeploymentAloneThatIsNotOurs) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  json foreign = objects::deployment_object();
  foreign["metadata"]["name"] = objects::kBaseline.name;
  objects::deploy(cluster.api, foreign);
  const json before = cluster.baseline();
  Desired desired = cluster.desired();
  desired.baseline = nullptr;  // it has not our label
  Step step;
  step.kind = StepKind::kRunCanary;
  const ActResult result = cluster.actor.perform(desired, step);
  ASSERT_FALSE(result.done());
  EXPECT_EQ(result.error->kind, ErrorKind::kTerminal);
  EXPECT_THAT(result.error->message, HasSubstr("shop/checkout-gopacer-baseline"));
  EXPECT_THAT(result.error->message, HasSubstr("rename or delete"));
  EXPECT_EQ(cluster.baseline(), before);
}

TEST(RunCanary, MeasuresNothingThatSomebodyElseMadeInItsName) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  json made_up = objects::arm_object("canary", "checkout-1", "made-up");
  made_up["metadata"].erase("ownerReferences");
  objects::deploy(cluster.api, made_up);
  const ActResult result = run_canary_that_nobody_sees(cluster);
  ASSERT_FALSE(result.done());
  EXPECT_THAT(result.error->message, HasSubstr("rename or delete"));
}

TEST(Leftovers, ThatCannotBeRemovedKeepNoStepFromBeingTaken) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kRollingBack);
  cluster.promote();
  Workload left;
  left.key = {"shop", "somebodys"};
  Step step = settings_step(StepKind::kRollBack, old_settings());
  step.leftovers = {std::make_shared<Workload>(left)};
  cluster.api.fail_next("delete", {ErrorKind::kTerminal, "gopacer may delete only Deployments of its own trials"});
  EXPECT_TRUE(cluster.perform(step).done());
  EXPECT_FALSE(cluster.target()["spec"]["template"]["spec"]["containers"][0].dump().find("GOMEMLIMIT") !=
               std::string::npos);
}

TEST(RunCanary, ReplacesWhatAnEarlierTrialLeft) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  objects::deploy(cluster.api, objects::arm_object("canary", "checkout-0", "of-an-earlier-trial"));
  Desired desired = cluster.desired();
  desired.canary = nullptr;
  Step step;
  step.kind = StepKind::kRunCanary;
  const ActResult first = cluster.actor.perform(desired, step);
  ASSERT_FALSE(first.done());
  EXPECT_TRUE(first.error->retriable());
  EXPECT_TRUE(cluster.perform(step).done());
  EXPECT_EQ(cluster.canary()["metadata"]["labels"][kTrialLabel], "checkout-1");
}

TEST(Promote, SetsTheTwoEntriesAndTellsTheHistoryWhy) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  json expected = cluster.target()["spec"];
  cluster.promote();
  json& env = expected["template"]["spec"]["containers"][0]["env"];
  env.push_back({{"name", "GOGC"}, {"value", "200"}});
  env.push_back({{"name", "GOMEMLIMIT"}, {"value", "430MiB"}});
  EXPECT_EQ(cluster.target()["spec"], expected);
  EXPECT_THAT(objects::annotation(cluster.target(), kCause), HasSubstr("trial checkout-1"));
}

TEST(Promote, OwnsTheTwoEntriesAndTheCauseAndNothingElse) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  const json target = cluster.target();
  for (const json& entry : target["metadata"]["managedFields"]) {
    if (entry["manager"] != "gopacer" || entry["operation"] != "Apply") continue;
    const json& env =
        entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]["k:{\"name\":\"app\"}"]["f:env"];
    EXPECT_EQ(env.size(), 2U) << entry;
    EXPECT_EQ(entry["fieldsV1"]["f:spec"].size(), 1U) << entry;
    EXPECT_EQ(entry["fieldsV1"]["f:metadata"].size(), 1U) << entry;
    return;
  }
  ADD_FAILURE() << "gopacer owns nothing";
}

TEST(Promote, NeverTakesAnEntryFromItsOwner) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  const json theirs = json::parse(R"({"spec": {"template": {"spec": {"containers": [
      {"name": "app", "env": [{"name": "GOGC", "value": "80"}]}]}}}})");
  cluster.api.apply_as("kubectl-set", objects::deployment_path(objects::kTarget), theirs);
  const json before = cluster.target();
  const ActResult result = cluster.perform(settings_step(StepKind::kPromote, new_settings()));
  ASSERT_FALSE(result.done());
  EXPECT_EQ(result.error->kind, ErrorKind::kOwned);
  EXPECT_THAT(result.error->message, HasSubstr("kubectl-set"));
  EXPECT_EQ(cluster.target(), before);
}

TEST(ChangeCause, OfAPersonIsNeverOverwritten) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  const json theirs{{"metadata", {{"annotations", {{kCause, "fix the login"}}}}}};
  cluster.api.apply_as("kubectl-annotate", objects::deployment_path(objects::kTarget), theirs);
  cluster.promote();
  EXPECT_EQ(env_value(cluster.target(), "GOGC"), "200");
  EXPECT_EQ(objects::annotation(cluster.target(), kCause), "fix the login");
  ASSERT_TRUE(cluster.perform(StepKind::kRetireCanary).done());
  EXPECT_EQ(objects::annotation(cluster.target(), kCause), "fix the login");
  ASSERT_TRUE(cluster.perform(settings_step(StepKind::kRollBack, old_settings())).done());
  EXPECT_EQ(objects::annotation(cluster.target(), kCause), "fix the login");
}

TEST(ChangeCause, IsTakenBackOnceTheRevisionHasIt) {
  // It would be copied to the next revision, which is somebody else's.
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  const json before = cluster.target()["spec"];
  ASSERT_TRUE(cluster.perform(StepKind::kRetireCanary).done());
  EXPECT_EQ(objects::annotation(cluster.target(), kCause), "");
  EXPECT_EQ(cluster.target()["spec"], before) << "or it would be another rollout";
}

TEST(ChangeCause, ThatAPersonWroteOverOursStays) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  const json theirs{{"metadata", {{"annotations", {{kCause, "fix the login"}}}}}};
  cluster.api.apply_as("kubectl-annotate", objects::deployment_path(objects::kTarget), theirs);
  ASSERT_TRUE(cluster.perform(StepKind::kRetireCanary).done());
  EXPECT_EQ(objects::annotation(cluster.target(), kCause), "fix the login");
}

/// The guard puts Go's defaults back instead of what a trial had promoted.
void put_back(Cluster& cluster) {
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  objects::drop_trial(cluster.api, kTrialKey);
  Step step = settings_step(StepKind::kPutBack, old_settings());
  step.cause = "RolledBack from GOGC=200 GOMEMLIMIT=430MiB";
  ASSERT_TRUE(cluster.perform(step).done());
}

TEST(PutBack, TellsTheHistoryWhyAndTakesThatBackOnceTheRevisionHasIt) {
  Cluster cluster;
  put_back(cluster);
  EXPECT_EQ(env_value(cluster.target(), "GOGC"), "");
  EXPECT_EQ(objects::annotation(cluster.target(), kCause),
            "gopacer: back to Go's defaults (RolledBack from GOGC=200 GOMEMLIMIT=430MiB)");
  ASSERT_TRUE(cluster.perform(StepKind::kHold).done());
  EXPECT_NE(objects::annotation(cluster.target(), kCause), "") << "the rollout has not begun yet";
  objects::settle_deployments(cluster.api);
  ASSERT_TRUE(cluster.perform(StepKind::kHold).done());
  EXPECT_EQ(objects::annotation(cluster.target(), kCause), "");
}

TEST(PutBack, LeavesTheHistorysLineWhereAPersonHasChangedTheSettings) {
  Cluster cluster;
  put_back(cluster);
  const json theirs{
      {"spec",
       {{"template",
         {{"spec", {{"containers", {{{"name", "app"}, {"env", {{{"name", "GOGC"}, {"value", "77"}}}}}}}}}}}}}};
  cluster.api.apply_as("kubectl-set", objects::deployment_path(objects::kTarget), theirs);
  objects::settle_deployments(cluster.api);
  cluster.api.forget_writes();
  ASSERT_TRUE(cluster.perform(StepKind::kHold).done());
  EXPECT_THAT(cluster.api.writes(), IsEmpty()) << "what is there is theirs";
}

TEST(RetireCanary, IsDoneThoughTheChangeCauseCannotBeTakenBack) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.make_canary();
  cluster.promote();
  cluster.api.fail_next("apply", {ErrorKind::kTerminal, "denied by policy no-changes"});
  EXPECT_TRUE(cluster.perform(StepKind::kRetireCanary).done());
  EXPECT_TRUE(cluster.canary().is_null());
}

TEST(RetireCanary, LeavesTheBaseline) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.make_canary();
  ASSERT_TRUE(cluster.perform(StepKind::kRetireCanary).done());
  EXPECT_TRUE(cluster.canary().is_null());
  EXPECT_FALSE(cluster.baseline().is_null());
  ASSERT_TRUE(cluster.perform(StepKind::kRetireCanary).done()) << "gone already";
}

TEST(End, DeletesTheTwoDeploymentsOfItsOwnTrialOnly) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.make_canary();
  // All that our own has, but for the trial's uid, which nobody knows beforehand.
  const json foreign = objects::arm_object("baseline", "checkout-1", "made-up");
  ASSERT_TRUE(cluster.api.remove(objects::deployment_path(objects::kBaseline), ""));
  objects::deploy(cluster.api, foreign);
  ASSERT_TRUE(cluster.perform(StepKind::kEnd).done());
  EXPECT_TRUE(cluster.canary().is_null());
  EXPECT_FALSE(cluster.baseline().is_null());
  EXPECT_FALSE(cluster.target().is_null());
}

/// Somebody else's wish: nobody controls the canary any more.
void disown_canary(Cluster& cluster) {
  const json nobody{{"metadata", {{"ownerReferences", json::array()}}}};
  Cluster::must(cluster.api.merge_patch(objects::deployment_path(objects::kCanary), nobody, ""));
}

TEST(End, SaysWhatToDeleteWhereAnArmIsNoLongerKnownForItsOwn) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kMeasuring);
  cluster.make_canary();
  disown_canary(cluster);
  const ActResult result = cluster.perform(StepKind::kEnd);
  ASSERT_FALSE(result.done());
  EXPECT_EQ(result.error->kind, ErrorKind::kTerminal);
  EXPECT_THAT(result.error->message, HasSubstr("was made for trial checkout-1"));
  EXPECT_THAT(result.error->message, HasSubstr("kubectl -n shop delete deployment checkout-gopacer-canary"));
  EXPECT_FALSE(cluster.canary().is_null());
  EXPECT_TRUE(cluster.baseline().is_null()) << "nothing stands against that";
  ASSERT_TRUE(cluster.api.remove(objects::deployment_path(objects::kCanary), ""));
  EXPECT_TRUE(cluster.perform(StepKind::kEnd).done());
}

TEST(RunCanary, SaysWhatToDeleteWhereAnArmIsNoLongerKnownForItsOwn) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPending);
  cluster.make_canary();
  disown_canary(cluster);
  const ActResult result = run_canary_that_nobody_sees(cluster);
  ASSERT_FALSE(result.done());
  EXPECT_THAT(result.error->message, HasSubstr("kubectl -n shop delete deployment checkout-gopacer-canary"));
}

TEST(End, DeletesAnArmThatAnotherControllerHasTouched) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kMeasuring);
  cluster.make_canary();
  json owners = cluster.canary()["metadata"]["ownerReferences"];
  owners.push_back(
      {{"apiVersion", "app.k8s.io/v1beta1"}, {"kind", "Application"}, {"name", "shop"}, {"uid", "app-uid"}});
  const json touched{
      {"metadata", {{"ownerReferences", owners}, {"labels", {{"app.kubernetes.io/managed-by", "Helm"}}}}}};
  Cluster::must(cluster.api.merge_patch(objects::deployment_path(objects::kCanary), touched, ""));
  ASSERT_TRUE(cluster.perform(StepKind::kEnd).done());
  EXPECT_TRUE(cluster.canary().is_null());
}

TEST(RollBack, ReleasesWhatWasNotThereBefore) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kRollingBack);
  const json before = cluster.target()["spec"];
  cluster.promote();
  ASSERT_TRUE(cluster.perform(settings_step(StepKind::kRollBack, old_settings())).done());
  EXPECT_EQ(cluster.target()["spec"], before);
  EXPECT_THAT(objects::annotation(cluster.target(), kCause), HasSubstr("back to Go's defaults"));
}

TEST(RollBack, RestoresWhatAnEarlierTrialHadPutThere) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kRollingBack, settings(150));
  cluster.promote();
  ASSERT_TRUE(cluster.perform(settings_step(StepKind::kRollBack, settings(150))).done());
  EXPECT_EQ(env_value(cluster.target(), "GOGC"), "150");
  EXPECT_EQ(env_value(cluster.target(), "GOMEMLIMIT"), "");
}

TEST(RollBack, DoesNotWaitForAProfileThatCannotBeWritten) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kRollingBack);
  cluster.promote();
  // The finalizer is asked for, and may not be set.
  const json wish{{"spec", {{"updatePolicy", {{"revertOnDeletion", true}}}}}};
  Cluster::must(cluster.api.merge_patch(objects::profile_path(), wish, ""));
  cluster.api.fail_next("patch", {ErrorKind::kTerminal, "forbidden"}, 100, "goruntimeprofiles");
  EXPECT_TRUE(cluster.perform(settings_step(StepKind::kRollBack, old_settings())).done());
  EXPECT_EQ(env_value(cluster.target(), "GOGC"), "");
}

TEST(End, LeavesNothingBehind) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kMeasuring);
  const json before = objects::lasting_state(cluster.api);
  cluster.make_canary();
  ASSERT_TRUE(cluster.perform(StepKind::kEnd).done());
  EXPECT_EQ(objects::lasting_state(cluster.api), before);
}

TEST(End, DoesNotTouchATargetThatSomebodyElseSets) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  const json theirs = json::parse(R"({"spec": {"template": {"spec": {"containers": [
      {"name": "app", "env": [{"name": "GOGC", "value": "80"}]}]}}}})");
  cluster.api.apply_as("kubectl-set", objects::deployment_path(objects::kTarget), theirs);
  const json before = cluster.target()["spec"];
  EXPECT_TRUE(cluster.perform(StepKind::kEnd).done());
  EXPECT_EQ(cluster.target()["spec"], before);
  EXPECT_EQ(objects::annotation(cluster.target(), kCause), "");
  const Workload target = codec::decode_deployment(cluster.target()).value();
  EXPECT_TRUE(set_by_another(target, "app", kGogcVariable));
  EXPECT_FALSE(set_by_another(target, "app", kGoMemLimitVariable));
}

TEST(End, DoesNotTouchATargetThatWasReplaced) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  const json copy = cluster.target();
  ASSERT_TRUE(cluster.api.remove(objects::deployment_path(objects::kTarget), ""));
  json again = objects::deployment_object();
  again["metadata"]["annotations"] = copy["metadata"]["annotations"];  // as from kubectl get -o yaml
  objects::deploy(cluster.api, again);
  const json before = cluster.target();
  EXPECT_TRUE(cluster.perform(StepKind::kEnd).done());
  EXPECT_EQ(cluster.target(), before);
}

TEST(End, WorksWhenTheTargetIsGone) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kMeasuring);
  cluster.make_canary();
  ASSERT_TRUE(cluster.api.remove(objects::deployment_path(objects::kTarget), ""));
  EXPECT_TRUE(cluster.perform(StepKind::kEnd).done());
  EXPECT_TRUE(cluster.canary().is_null());
}

void ask_for_revert(Cluster& cluster) {
  const json wish{{"spec", {{"updatePolicy", {{"revertOnDeletion", true}}}}}};
  Cluster::must(cluster.api.merge_patch(objects::profile_path(), wish, ""));
}

TEST(Finalizer, IsSetBeforeAnythingElseIsDone) {
  Cluster cluster;
  ask_for_revert(cluster);
  const ActResult first = cluster.perform(StepKind::kHold);
  EXPECT_FALSE(first.done());
  EXPECT_EQ(cluster.profile()["metadata"]["finalizers"], json::array({kRevertFinalizer}));
  EXPECT_TRUE(cluster.perform(StepKind::kHold).done());
}

TEST(Finalizer, GoesAwayWhenItIsNoLongerWantedAndOthersStay) {
  Cluster cluster;
  const json guarded{{"metadata", {{"finalizers", {"example.com/theirs", kRevertFinalizer}}}}};
  Cluster::must(cluster.api.merge_patch(objects::profile_path(), guarded, ""));
  cluster.perform(StepKind::kHold);
  EXPECT_EQ(cluster.profile()["metadata"]["finalizers"], json::array({"example.com/theirs"}));
}

void delete_profile(Cluster& cluster) {
  ask_for_revert(cluster);
  cluster.perform(StepKind::kHold);  // sets the finalizer
  const json applied{{"status", {{"applied", {{"gogc", "200"}, {"goMemLimit", "430MiB"}}}}}};
  Cluster::must(cluster.api.merge_patch(objects::profile_path(), applied, "status"));
  ASSERT_TRUE(cluster.api.remove(objects::profile_path(), ""));
}

TEST(Revert, ReleasesTheSettingsAndLetsTheProfileGo) {
  Cluster cluster;
  const json before = cluster.target()["spec"];
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  delete_profile(cluster);
  objects::drop_trial(cluster.api, kTrialKey);
  ASSERT_FALSE(cluster.profile().is_null()) << "the finalizer keeps it";
  ASSERT_TRUE(cluster.perform(StepKind::kRevert).done());
  EXPECT_EQ(cluster.target()["spec"], before);
  EXPECT_TRUE(cluster.profile().is_null());
}

TEST(Revert, LeavesASettingThatAPersonHasMadeTheirs) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  const json theirs = json::parse(R"({"spec": {"template": {"spec": {"containers": [
      {"name": "app", "env": [{"name": "GOGC", "value": "80"}]}]}}}})");
  cluster.api.apply_as("kubectl-set", objects::deployment_path(objects::kTarget), theirs);
  delete_profile(cluster);
  objects::drop_trial(cluster.api, kTrialKey);
  ASSERT_TRUE(cluster.perform(StepKind::kRevert).done());
  EXPECT_EQ(env_value(cluster.target(), "GOGC"), "80");
  EXPECT_EQ(env_value(cluster.target(), "GOMEMLIMIT"), "");
}

TEST(Revert, ReleasesWhatIsLeftAfterAPersonTookTheOtherAway) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  // As kubectl set env GOGC- does.
  cluster.api.update_as("kubectl-set", objects::deployment_path(objects::kTarget), [](json& target) {
    auto& env = target["spec"]["template"]["spec"]["containers"][0]["env"].get_ref<json::array_t&>();
    std::erase_if(env, [](const json& entry) { return entry["name"] == "GOGC"; });
  });
  ASSERT_EQ(env_value(cluster.target(), "GOMEMLIMIT"), "430MiB");
  delete_profile(cluster);
  // The pass after a person's change forgets what was applied.
  Cluster::must(cluster.api.merge_patch(objects::profile_path(), {{"status", {{"applied", nullptr}}}}, "status"));
  objects::drop_trial(cluster.api, kTrialKey);
  ASSERT_TRUE(cluster.perform(StepKind::kRevert).done());
  EXPECT_EQ(env_value(cluster.target(), "GOMEMLIMIT"), "");
  EXPECT_EQ(env_value(cluster.target(), "LOG_LEVEL"), "info");
}

TEST(Revert, LeavesWhatTheProfileThatTunesTheTargetHasApplied) {
  Cluster cluster;
  cluster.begin_trial(TrialPhase::kPromoting);
  cluster.promote();
  const json promoted = cluster.target()["spec"];
  delete_profile(cluster);
  objects::drop_trial(cluster.api, kTrialKey);
  Desired desired = cluster.desired();
  desired.rival = std::make_shared<Profile>();
  Step step;
  step.kind = StepKind::kRevert;
  ASSERT_TRUE(cluster.actor.perform(desired, step).done());
  EXPECT_EQ(cluster.target()["spec"], promoted);
  EXPECT_TRUE(cluster.profile().is_null());
}

TEST(Revert, LetsTheProfileGoThoughTheTargetIsGone) {
  Cluster cluster;
  delete_profile(cluster);
  ASSERT_TRUE(cluster.api.remove(objects::deployment_path(objects::kTarget), ""));
  ASSERT_TRUE(cluster.perform(StepKind::kRevert).done());
  EXPECT_TRUE(cluster.profile().is_null());
}

/// A step, and the cluster that it is taken in.
struct Case {
  const char* name;
  std::function<void(Cluster&)> prepare;
  Step step;
};

std::vector<Case> all_cases() {
  const auto with_trial = [](TrialPhase phase, bool canary, bool promoted) {
    return [=](Cluster& cluster) {
      cluster.begin_trial(phase);
      if (canary) cluster.make_canary();
      if (promoted) cluster.promote();
    };
  };
  Cluster model;
  const Step start = start_step(model);
  Step run_canary;
  run_canary.kind = StepKind::kRunCanary;
  Step retire;
  retire.kind = StepKind::kRetireCanary;
  Step end;
  end.kind = StepKind::kEnd;
  Step revert;
  revert.kind = StepKind::kRevert;
  return {
      {"NoteTrial", [](Cluster&) {}, note_step()},
      {"StartTrial", note, start},
      {"RunCanary", with_trial(TrialPhase::kPending, false, false), run_canary},
      {"RunCanaryOverLeftovers",
       [&](Cluster& cluster) {
         cluster.begin_trial(TrialPhase::kPending);
         objects::deploy(cluster.api, objects::arm_object("canary", "checkout-0", "of-an-earlier-trial"));
       },
       run_canary},
      {"Promote", with_trial(TrialPhase::kPromoting, true, false), settings_step(StepKind::kPromote, new_settings())},
      {"RetireCanary", with_trial(TrialPhase::kPromoting, true, true), retire},
      {"RollBack", with_trial(TrialPhase::kRollingBack, false, true),
       settings_step(StepKind::kRollBack, old_settings())},
      {"GrowArms",
       [](Cluster& cluster) {
         cluster.begin_trial(TrialPhase::kPending);
         cluster.make_canary();
         ask_for_larger_arms(cluster);
       },
       run_canary},
      {"PutBack",
       [](Cluster& cluster) {
         cluster.begin_trial(TrialPhase::kPromoting);
         cluster.promote();
         objects::drop_trial(cluster.api, kTrialKey);
       },
       settings_step(StepKind::kPutBack, old_settings())},
      {"EndBeforeAPromotion", with_trial(TrialPhase::kMeasuring, true, false), end},
      {"EndAfterAPromotion", with_trial(TrialPhase::kWatching, true, true), end},
      {"Revert",
       [](Cluster& cluster) {
         cluster.begin_trial(TrialPhase::kPromoting);
         cluster.promote();
         delete_profile(cluster);
         objects::drop_trial(cluster.api, kTrialKey);
       },
       revert},
  };
}

/// Repeats the step as passes would, until it is done.
void finish(Cluster& cluster, const Step& step) {
  for (int attempt = 0; attempt < 6; ++attempt) {
    Desired desired = cluster.desired();
    // What is not the trial's is not taken for its arm.
    const auto is_of_trial = [&](const auto& arm) {
      return arm && desired.trial && arm->labels.contains(kTrialLabel) &&
             arm->labels.at(kTrialLabel) == desired.trial->key.name;
    };
    if (!is_of_trial(desired.canary)) desired.canary = nullptr;
    if (!is_of_trial(desired.baseline)) desired.baseline = nullptr;
    if (!desired.profile && step.kind == StepKind::kRevert) return;
    if (cluster.actor.perform(desired, step).done()) return;
  }
  ADD_FAILURE() << to_string(step.kind) << " is never done";
}

class EachStep : public testing::TestWithParam<Case> {};

TEST_P(EachStep, EndsInTheSameStateWhateverBefallsAnyOfItsCalls) {
  Cluster smooth;
  GetParam().prepare(smooth);
  smooth.connection.plan(0, Accident::kNone);
  finish(smooth, GetParam().step);
  const int calls = smooth.connection.calls();
  const json wanted = objects::lasting_state(smooth.api);
  ASSERT_GT(calls, 0);

  for (int call = 0; call < calls; ++call) {
    for (const Accident accident :
         {Accident::kRefused, Accident::kAnswerLost, Accident::kDeath, Accident::kDeathAfter}) {
      Cluster cluster;
      GetParam().prepare(cluster);
      cluster.connection.plan(call, accident);
      try {
        finish(cluster, GetParam().step);
      } catch (const Death&) {
        finish(cluster, GetParam().step);
      }
      ASSERT_EQ(objects::lasting_state(cluster.api), wanted)
          << "call " << call << " of " << calls << ", accident " << static_cast<int>(accident);
    }
  }
}

TEST_P(EachStep, ChangesNothingWhenItIsTakenAgain) {
  Cluster cluster;
  GetParam().prepare(cluster);
  finish(cluster, GetParam().step);
  const json once = objects::lasting_state(cluster.api);
  finish(cluster, GetParam().step);
  EXPECT_EQ(objects::lasting_state(cluster.api), once);
}

TEST_P(EachStep, NeverSetsTheTargetsReplicas) {
  Cluster cluster;
  GetParam().prepare(cluster);
  finish(cluster, GetParam().step);
  const json target = cluster.target();
  for (const json& entry : target["metadata"]["managedFields"]) {
    if (entry["manager"] == "gopacer" && entry["operation"] == "Apply") {
      EXPECT_FALSE(entry["fieldsV1"].value("f:spec", json::object()).contains("f:replicas")) << entry;
    }
  }
  EXPECT_EQ(target["spec"]["replicas"], 3);
}

INSTANTIATE_TEST_SUITE_P(Actor, EachStep, testing::ValuesIn(all_cases()),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace gopacer
