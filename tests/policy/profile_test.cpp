#include <gmock/gmock.h>

#include "policy/world.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;
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
