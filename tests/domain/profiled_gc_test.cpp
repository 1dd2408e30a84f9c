#include "gopacer/domain/profiled_gc.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

using std::chrono::seconds;

GcProfile profile_of(double gc, double total, std::int64_t stacks) { return {seconds(10), total, gc, stacks}; }

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

GcProfile counted(double gc, int collections) {
  GcProfile profile = profile_of(gc, 5, 500);
  profile.collections = collections;
  return profile;
}

TEST(CollectionsDuring, AreThoseThatEndedWhileTheProfileWasTaken) {
  GcProfile profile = profile_of(1, 5, 500);
  MemStats mem;
  for (const int second : {5, 10, 11, 20, 21}) mem.pauses.push_back({Time(seconds(second)), Duration(1)});
  mem.num_gc = 400;
  EXPECT_FALSE(collections_during(profile, mem)) << "it does not tell when it began";
  profile.began = Time(seconds(10));
  EXPECT_EQ(collections_during(profile, mem), 2) << "after its begin, and up to its end";
  profile.began = Time(seconds(4));
  EXPECT_FALSE(collections_during(profile, mem)) << "the ring may have lost some";
  mem.num_gc = 5;
  EXPECT_EQ(collections_during(profile, mem), 3) << "there never were any others";
  EXPECT_EQ(collections_during(profile, MemStats{}), 0);
}

TEST(ProfiledGc, TellsWhatACollectionCostsWhereAllAreCounted) {
  ProfiledGc profiled;
  profiled.add(counted(0.4, 4), std::nullopt);
  EXPECT_FALSE(profiled.per_collection()) << "too few for a mean";
  profiled.add(counted(0.2, 2), std::nullopt);
  EXPECT_NEAR(*profiled.per_collection(), 0.1, 1e-12);
  ProfiledGc both = profiled;
  both.add(profiled);
  EXPECT_NEAR(*both.per_collection(), 0.1, 1e-12);
  EXPECT_EQ(both.profiles(), 4);
  profiled.add(profile_of(0.3, 5, 500), std::nullopt);
  EXPECT_NEAR(*profiled.per_collection(), 0.1, 1e-12) << "nobody knows how many the last one holds";
}

TEST(ProfiledGc, TellsWhichPartOfCollectionIsSweeping) {
  GcProfile profile = profile_of(0.4, 5, 500);
  profile.uses[CpuUse::kSweeping] = 0.1;
  ProfiledGc profiled;
  EXPECT_EQ(profiled.sweep_part(), 0);
  profiled.add(profile, std::nullopt);
  EXPECT_NEAR(profiled.sweep_part(), 0.25, 1e-12);
  EXPECT_NEAR(profiled.gc_stacks(), 40, 1e-9);
  profile.uses[CpuUse::kSweeping] = 5;
  profiled.add(profile, std::nullopt);
  EXPECT_EQ(profiled.sweep_part(), 1) << "no more than all of it";
}

TEST(ProfiledGc, TellsWhatRequestsHadToMarkThemselves) {
  ProfiledGc one, other;
  GcProfile profile = profile_of(0.5, 2, 200);
  profile.uses[CpuUse::kAssist] = 0.2;
  one.add(profile, 0.4);
  EXPECT_DOUBLE_EQ(one.share_of(CpuUse::kAssist), 0.05);
  profile.uses[CpuUse::kAssist] = 0.6;
  other.add(profile, 0.4);
  one.add(other);
  EXPECT_DOUBLE_EQ(one.share_of(CpuUse::kAssist), 0.1);
  EXPECT_DOUBLE_EQ(one.share_of(CpuUse::kFutex), 0);
  EXPECT_DOUBLE_EQ(ProfiledGc().share_of(CpuUse::kAssist), 0);
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
