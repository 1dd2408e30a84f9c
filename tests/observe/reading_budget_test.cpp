#include "observe/reading_budget.h"

#include <gmock/gmock.h>

namespace gopacer {
namespace {

class ReadingBudgetTest : public testing::Test {
 protected:
  std::shared_ptr<ReadingBudget> budget_ = std::make_shared<ReadingBudget>(1200);
};

TEST_F(ReadingBudgetTest, ANamespaceTakesNoMoreThanItLeavesFree) {
  ReadingBudget::Account one(budget_, "crowd");
  ReadingBudget::Account other(budget_, "crowd");
  EXPECT_TRUE(one.keep(400));
  EXPECT_TRUE(other.keep(200));
  EXPECT_FALSE(other.keep(201));
  EXPECT_EQ(budget_->bytes(), 600U);
}

TEST_F(ReadingBudgetTest, WhoeverComesLaterFindsRoomAndAllStayWithinTheLimit) {
  ReadingBudget::Account crowd(budget_, "crowd");
  ReadingBudget::Account quiet(budget_, "quiet");
  ReadingBudget::Account last(budget_, "last");
  EXPECT_TRUE(crowd.keep(600));
  EXPECT_TRUE(quiet.keep(300));
  EXPECT_FALSE(quiet.keep(301));
  EXPECT_TRUE(last.keep(150));
}

TEST_F(ReadingBudgetTest, WhatEndsGivesItsBytesBack) {
  {
    ReadingBudget::Account one(budget_, "crowd");
    EXPECT_TRUE(one.keep(600));
    EXPECT_TRUE(one.keep(100));
    EXPECT_EQ(budget_->bytes(), 100U);
  }
  EXPECT_EQ(budget_->bytes(), 0U);
  ReadingBudget::Account other(budget_, "crowd");
  EXPECT_TRUE(other.keep(600));
}

TEST_F(ReadingBudgetTest, WhoeverHasTooMuchMayStillGetSmaller) {
  ReadingBudget::Account one(budget_, "crowd");
  ReadingBudget::Account other(budget_, "quiet");
  EXPECT_TRUE(one.keep(600));
  EXPECT_TRUE(other.keep(300));
  EXPECT_TRUE(one.keep(590)) << "although it is above what it could get now";
  EXPECT_FALSE(one.keep(591));
}

}  // namespace
}  // namespace gopacer
