#include <gmock/gmock.h>

#include "policy/world.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using worlds::World;

std::string against_a_trial(World& world) { return world.words(policy::may_start()); }

TEST(ProfileRules, SayWhatThePersonAskedFor) {
  World world;
  world.profile.spec.update_mode = UpdateMode::kOff;
  EXPECT_EQ(against_a_trial(world), "updateMode is Off: the recommendation is shown and nothing is applied.");
  world.profile.spec.suspend = true;
  EXPECT_EQ(against_a_trial(world), "spec.updatePolicy.suspend is true.");
}

TEST(ProfileRules, TellWhatStaysWhenGopacerIsUninstalled) {
  World world;
  world.facts.desired.uninstalling = true;
  const auto told = [&] { return world.words(policy::may_be_tuned()); };
  const std::string nothing = "gopacer was uninstalled: nothing is tuned here until it is installed again.";
  world.profile.memory.applied = builders::settings(150);
  EXPECT_EQ(told(), nothing);
  world.profile.spec.revert_on_deletion = true;
  EXPECT_THAT(told(), HasSubstr("keeps GOGC=150 although revertOnDeletion is set"));
  EXPECT_THAT(told(), HasSubstr("kubectl -n shop set env deployment/checkout GOGC- GOMEMLIMIT-"));
  world.profile.memory.applied_beside = Settings{};
  for (const bool reverts : {true, false}) {
    world.profile.spec.revert_on_deletion = reverts;
    EXPECT_THAT(told(), StartsWith(nothing + " GOGC=150 was in running processes only"));
    EXPECT_THAT(told(), Not(HasSubstr("set env")));
  }
}

TEST(ProfileRules, TellTheFirstSourceThatIsUnread) {
  World world;
  world.facts.observed.pods.clear();
  EXPECT_THAT(against_a_trial(world),
              StartsWith("No trial starts before everything that its verdict needs was read once. gc-cpu: "));
  Facts facts = world.read();
  facts.desired.profile = nullptr;
  EXPECT_THAT(policy::objections(policy::may_start(), facts), IsEmpty()) << "nobody asks for a verdict";
}

TEST(ProfileRules, TakeAPictureOfMoreThanSixMinutesForOld) {
  World world;
  world.facts.desired.picture_age = minutes(6);
  EXPECT_EQ(against_a_trial(world), "");
  world.facts.desired.picture_age = minutes(6) + seconds(1) + std::chrono::milliseconds(7);
  EXPECT_THAT(against_a_trial(world), StartsWith("A watch of the API server has been silent for 6m1s: "));
}

}  // namespace
}  // namespace gopacer
