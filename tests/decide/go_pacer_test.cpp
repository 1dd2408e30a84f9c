#include "gopacer/decide/go_pacer.h"

#include <gtest/gtest.h>

#include <limits>

namespace gopacer::go_pacer {
namespace {

constexpr Heap kHeap{mib(100), mib(10)};

TEST(GogcGoal, IsTheLiveHeapAndGammaTimesWhatIsScanned) {
  EXPECT_EQ(gogc_goal(kHeap, 1.0), mib(210));  // 100 + 110·1
  EXPECT_EQ(gogc_goal(kHeap, 0.5), mib(155));  // 100 + 110·½
  EXPECT_EQ(gogc_goal(kHeap, 4.0), mib(540));  // 100 + 110·4
}

TEST(GogcGoal, IsAtLeastFourMebibytesTimesGamma) {
  EXPECT_EQ(gogc_goal({mib(1), Bytes(0)}, 1.0), mib(4));
  EXPECT_EQ(gogc_goal({mib(1), Bytes(0)}, 2.0), mib(8));
}

TEST(GogcGoal, HasNoEndWhenGogcIsOff) {
  EXPECT_EQ(gogc_goal(kHeap, std::numeric_limits<double>::infinity()).count(),
            std::numeric_limits<std::int64_t>::max());
}

TEST(LimitGoal, LeavesThreePercentOfWhatIsLeftForTheHeap) {
  // 400 − 20 = 380; 3 % of it is 11.4.
  EXPECT_EQ(limit_goal(kHeap, mib(400), mib(20)), mib(368.6));
}

TEST(LimitGoal, LeavesAtLeastOneMebibyte) { EXPECT_EQ(limit_goal({mib(1), Bytes(0)}, mib(30), mib(10)), mib(19)); }

TEST(LimitGoal, TakesWhatIsMappedOverTheLimitFromTheHeap) {
  // 400 − 20 − 30 = 350; less 3 % is 339.5.
  EXPECT_EQ(limit_goal(kHeap, mib(400), mib(20), mib(30)), mib(339.5));
}

TEST(LimitGoal, NeverFallsBelowTheLiveHeap) {
  EXPECT_EQ(limit_goal(kHeap, mib(90), mib(20)), mib(100));
  EXPECT_EQ(limit_goal(kHeap, mib(20), mib(20)), mib(100));
}

TEST(Goal, IsTheLowerOfTheTwo) {
  const Settings roomy{Gogc(100), mib(400)};
  EXPECT_EQ(goal(kHeap, roomy, mib(20)), mib(210));
  const Settings tight{Gogc(400), mib(400)};
  EXPECT_EQ(goal(kHeap, tight, mib(20)), mib(368.6));
  const Settings off{Gogc::off(), mib(400)};
  EXPECT_EQ(goal(kHeap, off, mib(20)), mib(368.6));
  EXPECT_EQ(goal(kHeap, {}, mib(20)), mib(210));
}

TEST(Trigger, LiesARunwayBeforeTheGoalWithinItsBounds) {
  const Heap heap{mib(100), Bytes(0)};
  // Distance 64 MiB: between 100 + 45 and the higher of 100 + 61 and 164 − 4.
  EXPECT_EQ(trigger(heap, mib(164), mib(10)), mib(154));
  EXPECT_EQ(trigger(heap, mib(164), mib(50)), mib(145));
  EXPECT_EQ(trigger(heap, mib(164), Bytes(0)), mib(161));
}

TEST(Trigger, IsTheLiveHeapWhenThereIsNoRoom) { EXPECT_EQ(trigger(kHeap, mib(100), mib(1)), mib(100)); }

TEST(LiveHeap, FollowsFromTheGoalThatGogcSet) {
  EXPECT_EQ(live_heap_from_goal(mib(210), mib(10), 1.0), mib(100));
  EXPECT_EQ(live_heap_from_goal(mib(540), mib(10), 4.0), mib(100));
  EXPECT_EQ(live_heap_from_goal(mib(1), mib(10), 1.0), Bytes(0));
}

}  // namespace
}  // namespace gopacer::go_pacer
