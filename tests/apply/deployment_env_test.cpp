#include "apply/deployment_env.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "fakes/builders.h"
#include "fakes/objects.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::settings;
using nlohmann::json;
using objects::env_value;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kCause = "kubernetes.io/change-cause";

class DeploymentEnvTest : public testing::Test {
 protected:
  DeploymentEnvTest() { objects::deploy(api_); }

  json target() const { return api_.peek(objects::deployment_path(objects::kTarget)); }
  SettingsPlace place() const { return {objects::kTarget, target()["metadata"]["uid"], "app"}; }
  SettingsInForce in_force() { return applier_.read(place()).value(); }
  Result<Receipt> put(const Settings& settings, const std::string& why = "gopacer: why") {
    return applier_.put(place(), settings, in_force().version, why);
  }
  void apply_as(const std::string& manager, const char* document) {
    api_.apply_as(manager, objects::deployment_path(objects::kTarget), json::parse(document));
  }

  FakeApiServer api_;
  DeploymentEnv applier_{api_};
};

TEST_F(DeploymentEnvTest, PutsTheTwoEntriesAndNothingElseOfTheTemplate) {
  json expected = target()["spec"];
  ASSERT_TRUE(put(new_settings()));
  json& env = expected["template"]["spec"]["containers"][0]["env"];
  env.push_back({{"name", "GOGC"}, {"value", "200"}});
  env.push_back({{"name", "GOMEMLIMIT"}, {"value", "430MiB"}});
  EXPECT_EQ(target()["spec"], expected);
  EXPECT_EQ(objects::annotation(target(), kCause), "gopacer: why");
}

TEST_F(DeploymentEnvTest, ReadsWhatItPut) {
  const std::int64_t before = in_force().generation;
  const Receipt receipt = put(new_settings()).value();
  EXPECT_GT(receipt.generation, before);
  EXPECT_EQ(in_force().settings, new_settings());
  EXPECT_EQ(in_force().generation, receipt.generation);
}

TEST_F(DeploymentEnvTest, ReleasesAnEntryThatIsNotSetAnyMore) {
  ASSERT_TRUE(put(new_settings()));
  ASSERT_TRUE(put(settings(150)));
  EXPECT_EQ(env_value(target(), "GOGC"), "150");
  EXPECT_EQ(env_value(target(), "GOMEMLIMIT"), "");
}

TEST_F(DeploymentEnvTest, WritesOnlyOntoTheVersionThatWasRead) {
  const std::string version = in_force().version;
  apply_as("kubectl-set", R"({"spec": {"template": {"spec": {"containers": [
      {"name": "app", "env": [{"name": "LOG_LEVEL", "value": "debug"}]}]}}}})");
  const json before = target();
  const auto result = applier_.put(place(), new_settings(), version, "");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(target(), before);
}

TEST_F(DeploymentEnvTest, LeavesATargetAloneThatWasMadeAnew) {
  SettingsPlace old = place();
  old.uid = "an-older-uid";
  EXPECT_EQ(applier_.read(old).error().kind, ErrorKind::kConflict);
  EXPECT_FALSE(applier_.put(old, new_settings(), in_force().version, ""));
  EXPECT_EQ(env_value(target(), "GOGC"), "");
}

TEST_F(DeploymentEnvTest, RehearsesWithoutAChange) {
  const json before = target();
  EXPECT_TRUE(applier_.rehearse(place(), new_settings()));
  EXPECT_EQ(target(), before);
  apply_as("kubectl-set", R"({"spec": {"template": {"spec": {"containers": [
      {"name": "app", "env": [{"name": "GOGC", "value": "80"}]}]}}}})");
  const auto result = applier_.rehearse(place(), new_settings());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kOwned);
  EXPECT_THAT(result.error().message, HasSubstr("kubectl-set"));
}

TEST(DeploymentEnv, SeesInARehearsalThatAdmissionWouldDropWhatItPuts) {
  class WithPolicy final : public FakeApiServer {
   public:
    Result<json> apply(const ObjectPath& object, const json& document, const ApplyOptions& options) override {
      Result<json> applied = FakeApiServer::apply(object, document, options);
      if (applied) (*applied)["spec"]["template"]["spec"]["containers"][0]["env"] = json::array();
      return applied;
    }
  } api;
  objects::deploy(api);
  DeploymentEnv applier(api);
  const SettingsPlace place{objects::kTarget, api.peek(objects::deployment_path(objects::kTarget))["metadata"]["uid"],
                            "app"};
  const auto result = applier.rehearse(place, new_settings());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kTerminal);
  EXPECT_EQ(
      result.error().message,
      "asked for GOGC=200 GOMEMLIMIT=430MiB in Deployment shop/checkout, the API server would keep Go's defaults: "
      "an admission webhook or policy changes GOGC or GOMEMLIMIT. Let it leave them alone, or set updateMode Off");
}

TEST_F(DeploymentEnvTest, WritesNoCauseOverThatOfAnotherEvenIfItIsOneOfOurs) {
  // kubectl rollout undo copies a revision's annotations, and owns them from then on.
  apply_as("kubectl-rollout", R"({"metadata": {"annotations": {"kubernetes.io/change-cause": "gopacer: GOGC=180"}}})");
  ASSERT_TRUE(put(new_settings()));
  EXPECT_EQ(env_value(target(), "GOGC"), "200");
  EXPECT_EQ(objects::annotation(target(), kCause), "gopacer: GOGC=180");
}

TEST_F(DeploymentEnvTest, ReleasesAllThatIsOursAlsoWhenAPersonTookOneAway) {
  ASSERT_TRUE(put(new_settings()));
  // kubectl set env GOGC- takes the entry away; the other one is still ours.
  ASSERT_TRUE(put(settings(std::nullopt, mib(430))));
  ASSERT_TRUE(applier_.release(place()));
  EXPECT_EQ(env_value(target(), "GOMEMLIMIT"), "");
  EXPECT_EQ(objects::annotation(target(), kCause), "");
}

TEST_F(DeploymentEnvTest, WritesNothingToReleaseWhereNothingIsOurs) {
  api_.forget_writes();
  EXPECT_TRUE(applier_.release(place()));
  EXPECT_THAT(api_.writes(), IsEmpty());
}

}  // namespace
}  // namespace gopacer
