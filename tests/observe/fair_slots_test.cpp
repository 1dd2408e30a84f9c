#include "observe/fair_slots.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace gopacer {
namespace {

using testing::ElementsAre;

const ObjectKey kA{"", "a"};
const ObjectKey kB{"", "b"};
const ObjectKey kC{"", "c"};

struct Work {
  std::vector<std::string> begun;
  FairSlots::Start named(const std::string& name) {
    return [this, name] {
      begun.push_back(name);
      return true;
    };
  }
};

TEST(FairSlots, BeginAtOnceWhileThereIsRoom) {
  Work work;
  FairSlots slots({2, 2, 2});
  slots.submit(kA, work.named("1"));
  slots.submit(kA, work.named("2"));
  slots.submit(kA, work.named("3"));
  EXPECT_THAT(work.begun, ElementsAre("1", "2"));
  EXPECT_EQ(slots.waiting(), 1U);
  slots.release(kA);
  EXPECT_THAT(work.begun, ElementsAre("1", "2", "3"));
  EXPECT_EQ(slots.running(), 2U);
}

TEST(FairSlots, AnOwnerWithManyLeavesRoomToTheOthers) {
  Work work;
  FairSlots slots({3, 3, 2});
  for (int i = 0; i < 100; ++i) slots.submit(kA, work.named("a"));
  slots.submit(kB, work.named("b"));
  EXPECT_THAT(work.begun, ElementsAre("a", "a", "b"));
}

TEST(FairSlots, OwnersTakeTurns) {
  Work work;
  FairSlots slots({1, 1, 1});
  slots.submit(kA, work.named("a1"));
  for (const char* name : {"a2", "a3"}) slots.submit(kA, work.named(name));
  slots.submit(kB, work.named("b1"));
  slots.submit(kC, work.named("c1"));
  slots.release(kA);
  slots.release(kA);
  slots.release(kB);
  slots.release(kC);
  EXPECT_THAT(work.begun, ElementsAre("a1", "a2", "b1", "c1", "a3"));
}

TEST(FairSlots, NamespacesTakeTurnsHoweverManyOwnersTheyHave) {
  Work work;
  FairSlots slots({1, 1, 1});
  for (const char* name : {"1", "2", "3"}) slots.submit({"crowd", name}, work.named(name));
  slots.submit({"quiet", "a"}, work.named("a"));
  slots.submit({"quiet", "a"}, work.named("a again"));
  slots.release({"crowd", "1"});
  slots.release({"crowd", "2"});
  slots.release({"quiet", "a"});
  slots.release({"crowd", "3"});
  EXPECT_THAT(work.begun, ElementsAre("1", "2", "a", "3", "a again"));
  slots.release({"quiet", "a"});
  EXPECT_EQ(slots.running(), 0U);
  EXPECT_EQ(slots.waiting(), 0U);
}

TEST(FairSlots, ANamespaceLeavesRoomToTheOthersHoweverManyOwnersItHas) {
  Work work;
  FairSlots slots({4, 3, 2});
  for (const char* name : {"1", "2", "3", "4", "5"}) slots.submit({"crowd", name}, work.named(name));
  EXPECT_THAT(work.begun, ElementsAre("1", "2", "3"));
  EXPECT_FALSE(slots.try_start({"crowd", "6"}, work.named("6")));
  slots.submit({"quiet", "a"}, work.named("a"));
  EXPECT_THAT(work.begun, ElementsAre("1", "2", "3", "a"));
}

TEST(FairSlots, WorkThatHasNothingToDoTakesNoPlace) {
  Work work;
  FairSlots slots({1, 1, 1});
  slots.submit(kA, [] { return false; });
  slots.submit(kB, work.named("b"));
  EXPECT_THAT(work.begun, ElementsAre("b"));
  slots.submit(kA, [] { return false; });
  slots.submit(kA, work.named("a"));
  slots.release(kB);
  EXPECT_THAT(work.begun, ElementsAre("b", "a"));
}

TEST(FairSlots, CanBeTriedWithoutWaiting) {
  Work work;
  FairSlots slots({2, 2, 1});
  EXPECT_TRUE(slots.try_start(kA, work.named("a")));
  EXPECT_FALSE(slots.try_start(kA, work.named("a again")));
  EXPECT_TRUE(slots.try_start(kB, work.named("b")));
  EXPECT_FALSE(slots.try_start(kC, work.named("c")));
  slots.release(kB);
  EXPECT_TRUE(slots.try_start(kC, work.named("c")));
  EXPECT_EQ(slots.waiting(), 0U);
}

}  // namespace
}  // namespace gopacer
