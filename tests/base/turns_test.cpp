#include "base/turns.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace gopacer {
namespace {

using testing::ElementsAre;

std::vector<std::string> all_of(Turns<std::string>& turns) {
  std::vector<std::string> out;
  while (const auto next = turns.pop()) out.push_back(*next);
  return out;
}

class TurnsTest : public testing::Test {
 protected:
  TurnsTest() {
    for (const char* const thing : {"a1", "a2", "a3", "b1", "c1", "c2"}) turns_.push(std::string(1, *thing), thing);
  }
  Turns<std::string> turns_;
};

TEST_F(TurnsTest, GoRoundTheOwners) {
  EXPECT_EQ(turns_.size(), 6U);
  EXPECT_THAT(all_of(turns_), ElementsAre("a1", "b1", "c1", "a2", "c2", "a3"));
  EXPECT_EQ(turns_.size(), 0U);
}

TEST_F(TurnsTest, AreOfThoseWithTheLeastLoad) {
  const auto load = [](const std::string& owner) { return owner == "a" ? 2 : 1; };
  EXPECT_EQ(turns_.pop(load), "b1");
  EXPECT_EQ(turns_.pop(load), "c1");
  EXPECT_EQ(turns_.pop(load), "c2");
  EXPECT_EQ(turns_.pop(load), "a1");
}

TEST_F(TurnsTest, GiveWhatWasPutBackAtOnce) {
  turns_.put_back("a", turns_.pop().value());
  EXPECT_THAT(all_of(turns_), ElementsAre("a1", "b1", "c1", "a2", "c2", "a3"));
}

TEST_F(TurnsTest, GiveWhatWasPutBackOfAnOwnerThatHasNothingElse) {
  Turns<std::string> turns;
  turns.push("a", "a1");
  turns.put_back("a", turns.pop().value());
  turns.push("a", "a2");
  EXPECT_THAT(all_of(turns), ElementsAre("a1", "a2"));
}

TEST_F(TurnsTest, DropTheLatestOfTheOwnerThatHasMost) {
  turns_.drop_from_longest("b");
  EXPECT_THAT(all_of(turns_), ElementsAre("a1", "b1", "c1", "a2", "c2"));
}

TEST_F(TurnsTest, DropRatherOfTheOneThatIsNamedWhenNobodyHasMore) {
  turns_.drop_from_longest("b");
  turns_.drop_from_longest("c");
  EXPECT_THAT(all_of(turns_), ElementsAre("a1", "b1", "c1", "a2"));
  turns_.push("b", "b2");
  turns_.push("c", "c3");
  turns_.drop_from_longest("c");
  EXPECT_EQ(turns_.size(), 1U);
  EXPECT_THAT(all_of(turns_), ElementsAre("b2")) << "an owner without anything has no turn";
}

}  // namespace
}  // namespace gopacer
