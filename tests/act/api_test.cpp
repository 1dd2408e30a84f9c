// What only a real kube-apiserver can tell of the documents that gopacer applies.

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "act/actor.h"
#include "apply/deployment_env.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "codec/workload.h"
#include "fakes/api_contract.h"
#include "fakes/builders.h"
#include "fakes/objects.h"
#include "kube/real_api_server.h"
#include "source_dir.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::old_settings;
using kube::RealApiServer;
using nlohmann::json;
using objects::env_value;
using testing::HasSubstr;

constexpr const char* kCause = "kubernetes.io/change-cause";

json find_or_null(ApiServer& api, const ObjectPath& path) {
  const Result<json> found = api.get(path);
  if (!found && found.error().kind != ErrorKind::kNotFound) throw std::logic_error(found.error().message);
  return found.value_or(json());
}

void install_crds(ApiServer& api) {
  RealApiServer::kubectl("apply --server-side -f '" + in_source("crds") + "'");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!api.list({resources::kTrials, "", "", ""}, "") || !api.list({resources::kProfiles, "", "", ""}, "")) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the CRDs are not served";
  }
}

/// What api_contract_test.cpp asks of the fake.
class Real {
 public:
  Real() { install_crds(*client_); }
  ApiServer& api() { return *client_; }
  const std::string& ns() const { return ns_; }
  void person_updates(const std::string& manager, const std::string& name, const json& patch) {
    RealApiServer::kubectl("-n " + ns_ + " patch deployment " + name + " --type=merge --field-manager=" + manager +
                               " --patch-file=/dev/stdin",
                           patch.dump());
  }

 private:
  std::unique_ptr<kube::Client> client_ = RealApiServer::client();
  std::string ns_ = RealApiServer::make_namespace(*client_);
};

INSTANTIATE_TYPED_TEST_SUITE_P(Real, ApiContract, Real);

/// A namespace with a target that a person applied, and a trial of it.
class ActOnRealApi : public testing::Test {
 protected:
  void SetUp() override {
    install_crds(*client_);
    apply_manifest();
    make_trial();
  }

  /// kubectl apply, as people do it.
  void apply_manifest() {
    json manifest = objects::deployment_object();
    manifest["metadata"]["namespace"] = ns_;
    RealApiServer::kubectl("apply -f -", manifest.dump());
  }
  void make_trial() {
    Trial trial = builders::trial(TrialPhase::kPromoting);
    trial.key = {ns_, "checkout-1"};
    trial.spec.target.uid = target()["metadata"]["uid"];
    const Result<json> made = client_->create(resources::kTrials, ns_, codec::trial_object(trial.key, trial.spec));
    ASSERT_TRUE(made) << made.error().message;
  }

  ObjectPath path(const std::string& name) const { return objects::deployment_path({ns_, name}); }
  json target() { return find_or_null(*client_, path("checkout")); }

  Desired desired() {
    Desired out;
    out.key = {ns_, "checkout"};
    out.target = std::make_shared<Workload>(*codec::decode_deployment(target()));
    out.container = "app";
    out.current = readable_settings({env_value(target(), "GOGC"), env_value(target(), "GOMEMLIMIT")});
    out.trial = std::make_shared<Trial>(*codec::decode_trial(*client_->get({resources::kTrials, ns_, "checkout-1"})));
    return out;
  }
  static Step step(StepKind kind, std::optional<Settings> settings = std::nullopt) {
    Step out;
    out.kind = kind;
    out.settings = settings;
    return out;
  }
  void perform(const Step& step) {
    const ActResult result = actor_.perform(desired(), step);
    ASSERT_TRUE(result.done()) << result.error->message;
  }
  SettingsPlace place() { return {{ns_, "checkout"}, target()["metadata"]["uid"], "app"}; }
  /// As kubectl edit would.
  void patch_env(const std::string& entry) {
    RealApiServer::kubectl(
        "-n " + ns_ + " patch deployment checkout --field-manager=kubectl-edit --patch-file=/dev/stdin",
        R"({"spec":{"template":{"spec":{"containers":[{"name":"app","env":[)" + entry + "]}]}}}}");
  }
  /// kubectl apply --server-side of the manifest, with GOGC in it.
  void force_gogc(const std::string& value, const std::string& option) {
    json manifest = objects::deployment_object();
    manifest["metadata"]["namespace"] = ns_;
    manifest["spec"]["template"]["spec"]["containers"][0]["env"].push_back({{"name", "GOGC"}, {"value", value}});
    RealApiServer::kubectl("apply --server-side --field-manager=argocd" + option + " -f -", manifest.dump());
  }
  void promote() { perform(step(StepKind::kPromote, new_settings())); }

  std::unique_ptr<kube::Client> client_ = RealApiServer::client();
  std::string ns_ = RealApiServer::make_namespace(*client_);
  DeploymentEnv applier_{*client_};
  Actor actor_{*client_, applier_};
};

TEST_F(ActOnRealApi, APromotionOwnsTwoEntriesAndTheCause) {
  promote();
  const json now = target();
  EXPECT_EQ(env_value(now, "GOGC"), "200");
  EXPECT_EQ(env_value(now, "GOMEMLIMIT"), "430MiB");
  EXPECT_EQ(env_value(now, "LOG_LEVEL"), "info");
  EXPECT_THAT(objects::annotation(now, kCause), HasSubstr("trial checkout-1"));
  json ours;
  for (const json& entry : now["metadata"]["managedFields"]) {
    if (entry["manager"] == kFieldManager) ours = entry;
  }
  EXPECT_EQ(ours["operation"], "Apply");
  EXPECT_EQ(ours["fieldsV1"], json::parse(R"({
    "f:metadata": {"f:annotations": {"f:kubernetes.io/change-cause": {}}},
    "f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {
      ".": {}, "f:name": {},
      "f:env": {"k:{\"name\":\"GOGC\"}": {".": {}, "f:name": {}, "f:value": {}},
                "k:{\"name\":\"GOMEMLIMIT\"}": {".": {}, "f:name": {}, "f:value": {}}}}}}}}
  })"))
      << ours.dump(1);
}

TEST_F(ActOnRealApi, APromotionSurvivesThePersonsNextApply) {
  promote();
  apply_manifest();
  EXPECT_EQ(env_value(target(), "GOGC"), "200");
  EXPECT_EQ(env_value(target(), "GOMEMLIMIT"), "430MiB");
}

TEST_F(ActOnRealApi, ThePodTemplateHasTheSameHashBeforeAndAfter) {
  const std::string before = codec::decode_deployment(target())->template_hash;
  promote();
  EXPECT_EQ(codec::decode_deployment(target())->template_hash, before);
}

TEST_F(ActOnRealApi, ARollbackRestoresThePodTemplateExactly) {
  const json before = target()["spec"]["template"];
  promote();
  perform(step(StepKind::kRollBack, old_settings()));
  EXPECT_EQ(target()["spec"]["template"], before);
}

TEST_F(ActOnRealApi, TheCauseGoesWithoutAnotherRevision) {
  promote();
  const json before = target();
  perform(step(StepKind::kRetireCanary));
  EXPECT_EQ(objects::annotation(target(), kCause), "");
  EXPECT_EQ(target()["spec"], before["spec"]);
  EXPECT_EQ(env_value(target(), "GOGC"), "200");
}

TEST_F(ActOnRealApi, APersonsKubectlSetEnvIsAConflictThatNamesIt) {
  RealApiServer::kubectl("-n " + ns_ + " set env deployment/checkout GOGC=80");
  const json before = target();
  const ActResult result = actor_.perform(desired(), step(StepKind::kPromote, new_settings()));
  ASSERT_FALSE(result.done());
  EXPECT_EQ(result.error->kind, ErrorKind::kOwned);
  EXPECT_THAT(result.error->message, HasSubstr("kubectl-set"));
  EXPECT_EQ(target(), before);
}

TEST_F(ActOnRealApi, APersonsKubectlSetEnvAfterThePromotionShowsAsAnotherOwner) {
  promote();
  RealApiServer::kubectl("-n " + ns_ + " set env deployment/checkout GOGC=80");
  bool found = false;
  const Result<Workload> now = codec::decode_deployment(target());
  for (const EnvOwner& owner : now->env_owners) {
    found |= owner.variable == "GOGC" && owner.manager == "kubectl-set";
  }
  EXPECT_TRUE(found);
}

TEST_F(ActOnRealApi, ARollbackLeavesAPersonsVariableAndTakesOursBack) {
  promote();
  RealApiServer::kubectl("-n " + ns_ + " set env deployment/checkout GOGC=80");
  perform(step(StepKind::kRollBack, builders::settings(80)));
  EXPECT_EQ(env_value(target(), "GOGC"), "80");
  EXPECT_EQ(env_value(target(), "GOMEMLIMIT"), "");
}

TEST_F(ActOnRealApi, WhatAPersonLeftOfOursIsReleased) {
  promote();
  RealApiServer::kubectl("-n " + ns_ + " set env deployment/checkout GOGC-");
  ASSERT_EQ(env_value(target(), "GOMEMLIMIT"), "430MiB");
  ASSERT_TRUE(applier_.release(place()));
  EXPECT_EQ(env_value(target(), "GOMEMLIMIT"), "");
  EXPECT_EQ(env_value(target(), "LOG_LEVEL"), "info");
}

TEST_F(ActOnRealApi, NothingTakesAPersonsValueAway) {
  // The entry is still gopacer's, only its value is not; and another text of the same value is a conflict.
  promote();
  RealApiServer::kubectl("-n " + ns_ + " set env deployment/checkout GOGC=080 GOMEMLIMIT=1024MiB");
  const json theirs = target()["spec"];
  perform(step(StepKind::kRetireCanary));
  EXPECT_EQ(target()["spec"], theirs);
  EXPECT_EQ(objects::annotation(target(), kCause), "");
  perform(step(StepKind::kRollBack, desired().current));
  EXPECT_EQ(target()["spec"], theirs);
  DeploymentEnv applier(*client_);
  ASSERT_TRUE(applier.release({desired().target->key, desired().target->uid, "app"}));
  EXPECT_EQ(target()["spec"], theirs);
}

TEST_F(ActOnRealApi, NothingTakesAPersonsReferenceAway) {
  promote();
  patch_env(R"({"name":"GOGC","value":null,"valueFrom":{"configMapKeyRef":{"name":"tuning","key":"GOGC"}}})");
  const json theirs = target()["spec"]["template"]["spec"]["containers"][0]["env"];
  ASSERT_THAT(theirs.dump(), HasSubstr("configMapKeyRef"));
  perform(step(StepKind::kRollBack, old_settings()));
  EXPECT_THAT(target().dump(), HasSubstr("configMapKeyRef"));
  EXPECT_EQ(env_value(target(), "GOMEMLIMIT"), "");
  ASSERT_TRUE(applier_.release(place()));
  EXPECT_THAT(target().dump(), HasSubstr("configMapKeyRef"));
}

TEST_F(ActOnRealApi, AValueThatGoCannotReadIsLeftAsItIs) {
  promote();
  patch_env(R"({"name":"GOGC","value":"50\n"})");
  perform(step(StepKind::kRollBack, old_settings()));
  EXPECT_EQ(env_value(target(), "GOGC"), "50\n");
  EXPECT_EQ(env_value(target(), "GOMEMLIMIT"), "");
}

TEST_F(ActOnRealApi, WhoForcedAValueMayChangeItWithoutForceAfterARollback) {
  promote();
  force_gogc("50", " --force-conflicts");
  perform(step(StepKind::kRollBack, builders::settings(50)));
  EXPECT_EQ(env_value(target(), "GOGC"), "50");
  ASSERT_TRUE(applier_.release(place()));
  force_gogc("60", "");
  EXPECT_EQ(env_value(target(), "GOGC"), "60");
}

TEST_F(ActOnRealApi, AnotherContainerKeepsWhatItGotBefore) {
  RealApiServer::kubectl("-n " + ns_ + " patch deployment checkout --patch-file=/dev/stdin",
                         R"({"spec":{"template":{"spec":{"containers":[{"name":"worker","image":"worker"}]}}}})");
  promote();
  const auto env_of_app = [&] {
    const json now = target();
    for (const json& container : now["spec"]["template"]["spec"]["containers"]) {
      if (container["name"] == "app") return container["env"];
    }
    return json();
  };
  const json before = env_of_app();
  ASSERT_THAT(before.dump(), HasSubstr("430MiB"));
  SettingsPlace worker = place();
  worker.container = "worker";
  ASSERT_TRUE(applier_.rehearse(worker, new_settings()));
  const auto version = [&] { return target()["metadata"]["resourceVersion"].get<std::string>(); };
  ASSERT_TRUE(applier_.put(worker, new_settings(), version(), ""));
  EXPECT_EQ(env_of_app(), before);
  ASSERT_TRUE(applier_.put(worker, old_settings(), version(), ""));
  EXPECT_EQ(env_of_app(), before);
  ASSERT_TRUE(applier_.release(place()));
  EXPECT_THAT(env_of_app().dump(), testing::Not(HasSubstr("430MiB")));
}

TEST_F(ActOnRealApi, AManifestThatTookTheValuesOverOwnsThem) {
  promote();
  json manifest = objects::deployment_object();
  manifest["metadata"]["namespace"] = ns_;
  json& env = manifest["spec"]["template"]["spec"]["containers"][0]["env"];
  env.push_back({{"name", "GOGC"}, {"value", "200"}});
  env.push_back({{"name", "GOMEMLIMIT"}, {"value", "430MiB"}});
  RealApiServer::kubectl("apply -f -", manifest.dump());
  for (const char* const variable : {kGogcVariable, kGoMemLimitVariable}) {
    EXPECT_TRUE(set_by_another(*codec::decode_deployment(target()), "app", variable)) << variable;
  }
}

TEST_F(ActOnRealApi, ATargetThatIsGoneIsNotMadeAgain) {
  const Desired old = desired();
  ASSERT_TRUE(client_->remove(path("checkout"), ""));
  const ActResult result = actor_.perform(old, step(StepKind::kPromote, new_settings()));
  EXPECT_FALSE(result.done());
  EXPECT_TRUE(target().is_null());
}

TEST_F(ActOnRealApi, ATargetThatWasReplacedIsNotTouched) {
  const Desired old = desired();
  ASSERT_TRUE(client_->remove(path("checkout"), ""));
  apply_manifest();
  const json before = target();
  const ActResult result = actor_.perform(old, step(StepKind::kPromote, new_settings()));
  EXPECT_FALSE(result.done());
  EXPECT_EQ(target(), before);
}

TEST_F(ActOnRealApi, BothArmsAreAcceptedAndDoNotSelectEachOthersPods) {
  perform(step(StepKind::kRunCanary));
  const json canary = find_or_null(*client_, path("checkout-gopacer-canary"));
  const json baseline = find_or_null(*client_, path("checkout-gopacer-baseline"));
  ASSERT_FALSE(canary.is_null());
  ASSERT_FALSE(baseline.is_null());
  EXPECT_EQ(env_value(canary, "GOGC"), "200");
  EXPECT_EQ(env_value(baseline, "GOGC"), "");
  const auto canary_pods = canary["spec"]["template"]["metadata"]["labels"].get<Labels>();
  const auto selected_by = [&](const json& arm) {
    const auto wanted = arm["spec"]["selector"]["matchLabels"].get<Labels>();
    return std::includes(canary_pods.begin(), canary_pods.end(), wanted.begin(), wanted.end());
  };
  EXPECT_TRUE(selected_by(canary));
  EXPECT_FALSE(selected_by(baseline));
  perform(step(StepKind::kRunCanary));
  perform(step(StepKind::kEnd));
  EXPECT_TRUE(find_or_null(*client_, path("checkout-gopacer-canary")).is_null());
  EXPECT_TRUE(find_or_null(*client_, path("checkout-gopacer-baseline")).is_null());
}

TEST_F(ActOnRealApi, ATrialOfLongNamesIsAccepted) {
  json manifest = objects::deployment_object();
  const std::string name(63, 'c');
  manifest["metadata"]["namespace"] = ns_;
  manifest["metadata"]["name"] = name;
  RealApiServer::kubectl("apply -f -", manifest.dump());
  Trial trial = builders::trial(TrialPhase::kPending);
  trial.spec.profile = std::string(63, 'p');
  trial.spec.target.name = name;
  trial.key = {ns_, trial_name(trial.spec.profile, 123)};
  const Result<json> made = client_->create(resources::kTrials, ns_, codec::trial_object(trial.key, trial.spec));
  ASSERT_TRUE(made) << made.error().message;
  Desired wanted;
  wanted.trial = std::make_shared<Trial>(*codec::decode_trial(*made));
  wanted.target = std::make_shared<Workload>(*codec::decode_deployment(*client_->get(path(name))));
  const ActResult result = actor_.perform(wanted, step(StepKind::kRunCanary));
  EXPECT_TRUE(result.done()) << result.error->message;
}

}  // namespace
}  // namespace gopacer
