#include "cli/cleanup_command.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "codec/resources.h"
#include "fakes/builders.h"
#include "fakes/fake_api_server.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_steady_clock.h"
#include "fakes/objects.h"

namespace gopacer {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;

const ResourceType kLeases{"coordination.k8s.io", "v1", "leases", "Lease", true};
const ObjectPath kLease{kLeases, "gopacer", "gopacer"};

/// A cluster with a trial that was promoted and is not confirmed, and its arms.
class CleanupCommand : public ::testing::Test {
 protected:
  void run_trial() {
    api_.set_now(clock_.now());
    objects::deploy(api_);
    json profile = api_.create(resources::kProfiles, "shop", objects::profile_object()).value();
    Trial trial = builders::trial(TrialPhase::kMeasuring);
    trial.spec.profile_uid = profile["metadata"]["uid"];
    trial.spec.target.uid = api_.peek(objects::deployment_path(objects::kTarget))["metadata"]["uid"];
    ASSERT_TRUE(api_.merge_patch(objects::profile_path(), {{"status", {{"activeTrial", trial.key.name}}}}, "status"));
    objects::put_trial(api_, trial);
    trial_ = trial.key;
  }
  int run() {
    return run_cleanup(
        api_, options_, clock_, steady_,
        [this](Duration time) {
          slept_.push_back(time);
          clock_.advance(time);
          steady_.advance(time);
        },
        out_, err_);
  }
  void lead(const std::string& who) {
    ASSERT_TRUE(api_.create(
        kLeases, "gopacer",
        {{"metadata", {{"name", "gopacer"}}}, {"spec", {{"holderIdentity", who}, {"leaseDurationSeconds", 15}}}}));
  }
  json lease() { return api_.peek(kLease)["spec"]; }
  std::string trial_phase() { return api_.peek(objects::trial_path(trial_))["status"]["phase"]; }

  FakeApiServer api_;
  FakeClock clock_{builders::kStart};
  FakeSteadyClock steady_;
  CleanupOptions options_;
  std::vector<Duration> slept_;
  std::ostringstream out_;
  std::ostringstream err_;
  ObjectKey trial_;
};

TEST_F(CleanupCommand, StopsTheOperatorFirstAndSaysWhatItDid) {
  run_trial();
  lead("gopacer-7d-x");
  EXPECT_EQ(run(), 0) << err_.str();
  EXPECT_EQ(slept_.at(0), Duration(seconds(15)));
  EXPECT_EQ(trial_phase(), "Ended");
  EXPECT_THAT(out_.str(), HasSubstr("Took lease gopacer/gopacer from gopacer-7d-x"));
  EXPECT_THAT(out_.str(), HasSubstr("GoRuntimeTrial shop/checkout-1 was ended: Aborted."));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CleanupCommand, KeepsOperatorsAwayWhileItWorksAndAMinuteLonger) {
  run_trial();
  lead("gopacer-7d-x");
  json during;
  api_.before("list", [&](const std::string&) { during = lease(); });
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(during["holderIdentity"], lease()["holderIdentity"]);
  EXPECT_EQ(during["leaseDurationSeconds"], 15 + 2 * 120);
  EXPECT_EQ(lease()["leaseDurationSeconds"], 60);
}

TEST_F(CleanupCommand, WaitsForNobodyWhereNobodyLeads) {
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(slept_, ::testing::IsEmpty());
  EXPECT_THAT(out_.str(), HasSubstr("nothing to clean up"));
}

TEST_F(CleanupCommand, ChangesNothingWithoutTheLease) {
  run_trial();
  lead("gopacer-7d-x");
  api_.fail_next("replace", {ErrorKind::kTerminal, "leases is forbidden"}, 10);
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(trial_phase(), "Measuring");
  EXPECT_THAT(err_.str(), HasSubstr("lease gopacer/gopacer can't be taken: leases is forbidden"));
  EXPECT_THAT(err_.str(), HasSubstr("nothing was changed"));
}

TEST_F(CleanupCommand, CleansUpWhereTheOperatorsNamespaceIsGone) {
  run_trial();
  api_.fail_next("create", {ErrorKind::kNotFound, "namespaces \"gopacer\" not found"}, 10, "leases");
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(trial_phase(), "Ended");
}

TEST_F(CleanupCommand, GivesTheLeaseBackWhenSomethingIsLeftOver) {
  run_trial();
  lead("gopacer-7d-x");
  api_.fail_next("patch", {ErrorKind::kTerminal, "denied by a policy"}, 10'000);
  options_.timeout = "10s";
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(err_.str(), HasSubstr("GoRuntimeProfile shop/checkout and its trials are not cleaned up: denied by"));
  EXPECT_EQ(lease()["leaseDurationSeconds"], 1);
  EXPECT_EQ(clock_.now(), builders::after(seconds(15 + 10))) << "it is bounded";
}

TEST_F(CleanupCommand, RefusesATimeThatIsNone) {
  for (const char* const time : {"soon", "1h"}) {
    options_.timeout = time;
    EXPECT_EQ(run(), 2) << time;
  }
  EXPECT_THAT(err_.str(), HasSubstr("--timeout soon"));
}

}  // namespace
}  // namespace gopacer
