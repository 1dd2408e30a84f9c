#include "gopacer/domain/profiled_gc.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

using std::chrono::seconds;

GcProfile profile_of(double gc, double total, std::int64_t stacks) { return {seconds(10), total, gc, 0, stacks}; }

TEST(ProfiledGc, TakesTheProfileForTheWholeWhereNothingElseIsKnown) {
  ProfiledGc profiled;
  profiled.add(profile_of(0.5, 2, 200), std::nullopt);
  EXPECT_DOUBLE_EQ(profiled.share(), 0.25);
  EXPECT_DOUBLE_EQ(profiled.profiled_cores(), 0.2);
}

TEST(ProfiledGc, SetsCollectionAgainstTheKernelsAccountWhenTheProfileMissedWork) {
  ProfiledGc profiled;
  profiled.add(profile_of(0.5, 2, 200), 0.4);
  EXPECT_DOUBLE_EQ(profiled.share(), 0.125);
}

TEST(ProfiledGc, KeepsToTheProfileWhereItHoldsMoreThanTheKernelsAccount) {
  ProfiledGc profiled;
  profiled.add(profile_of(0.5, 2, 200), 0.1);
  EXPECT_DOUBLE_EQ(profiled.share(), 0.25);
}

TEST(ProfiledGc, TellsWhatRequestsHadToMarkThemselves) {
  ProfiledGc one, other;
  one.add({seconds(10), 2, 0.5, 0.2, 200}, 0.4);
  EXPECT_DOUBLE_EQ(one.assist_share(), 0.05);
  other.add({seconds(10), 2, 0.5, 0.6, 200}, 0.4);
  one.add(other);
  EXPECT_DOUBLE_EQ(one.assist_share(), 0.1);
  EXPECT_DOUBLE_EQ(ProfiledGc().assist_share(), 0);
}

TEST(ProfiledGc, AddsUpProfilesOfOnePodAndOfSeveral) {
  ProfiledGc one, other;
  one.add(profile_of(0.5, 2, 200), 0.4);
  one.add(profile_of(0, 2, 200), 0.4);
  other.add(profile_of(1.5, 3, 300), std::nullopt);
  one.add(other);
  EXPECT_DOUBLE_EQ(one.share(), 2.0 / 11);
}

TEST(ProfiledGc, IsAsUncertainAsTheNumberOfStacksOfCollection) {
  ProfiledGc profiled;
  EXPECT_DOUBLE_EQ(profiled.rel_error(), 1);
  profiled.add(profile_of(0, 1, 100), std::nullopt);
  EXPECT_DOUBLE_EQ(profiled.rel_error(), 1);
  EXPECT_DOUBLE_EQ(profiled.share(), 0);
  profiled.add(profile_of(0.25, 1, 100), std::nullopt);
  EXPECT_DOUBLE_EQ(profiled.rel_error(), 0.2);
}

TEST(ProfiledGc, SaysNothingWithoutAProfile) {
  const ProfiledGc profiled;
  EXPECT_TRUE(profiled.empty());
  EXPECT_DOUBLE_EQ(profiled.share(), 0);
}

}  // namespace
}  // namespace gopacer
