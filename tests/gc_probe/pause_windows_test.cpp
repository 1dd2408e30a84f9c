#include "gc_probe/pause_windows.h"

#include <gtest/gtest.h>

#include "gc_probe/pauses_of.h"

namespace gopacer {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::pauses_of;

/// A program that is read every half second.
class Program {
 public:
  void collects(int times, nanoseconds pause) {
    for (int i = 0; i < times; ++i) {
      pauses_.sweep_termination += pauses_of({pause});
      pauses_.mark_termination += pauses_of({pause});
    }
  }
  void is_read(milliseconds after = milliseconds(500)) { windows_.add(now_ += after, pauses_); }
  void becomes_another() { pauses_ = {}; }

  const PauseWindows& windows() const { return windows_; }
  Pauses& pauses() { return pauses_; }

 private:
  PauseWindows::Time now_{};
  Pauses pauses_;
  PauseWindows windows_;
};

TEST(PauseWindows, LooksAtTheLatestSecond) {
  Program program;
  program.is_read();
  EXPECT_FALSE(program.windows().latest());
  program.collects(1, microseconds(50));
  program.is_read();
  EXPECT_FALSE(program.windows().latest()) << "half a second is no window";
  program.collects(2, microseconds(50));
  program.is_read();
  ASSERT_TRUE(program.windows().latest());
  EXPECT_EQ(program.windows().latest()->collections, 3U);
  EXPECT_EQ(program.windows().latest()->pauses.count(), 6U);
  EXPECT_EQ(program.windows().latest()->length, seconds(1));
  program.is_read();
  EXPECT_EQ(program.windows().latest()->collections, 2U) << "the first half second is past";
}

TEST(PauseWindows, SaysHowLongAWindowIsWhenReadingsComeLate) {
  Program program;
  program.is_read();
  program.collects(3, microseconds(50));
  program.is_read(seconds(30));
  ASSERT_TRUE(program.windows().latest());
  EXPECT_EQ(program.windows().latest()->length, seconds(30));
  EXPECT_FALSE(program.windows().allocation_storm()) << "nobody knows when in those they were";
}

TEST(PauseWindows, LeavesOutReadingsThatComeTooSoon) {
  Program program;
  for (int i = 0; i < 20; ++i) program.is_read(milliseconds(100));
  program.collects(1, microseconds(50));
  program.is_read(milliseconds(500));
  EXPECT_EQ(program.windows().latest()->collections, 1U);
}

TEST(PauseWindows, SeeAStormInEightShortCollectionsOfTenSeconds) {
  Program program;
  program.is_read();
  program.collects(7, microseconds(100));
  program.is_read();
  EXPECT_FALSE(program.windows().allocation_storm());
  program.collects(1, microseconds(100));
  program.is_read();
  const auto storm = program.windows().allocation_storm();
  ASSERT_TRUE(storm);
  EXPECT_EQ(storm->window.collections, 8U);
  EXPECT_LE(storm->p99, microseconds(112));
  for (int i = 0; i < 19; ++i) program.is_read();
  EXPECT_FALSE(program.windows().allocation_storm()) << "ten seconds later";
}

TEST(PauseWindows, SeeNoStormInLongPauses) {
  Program program;
  program.is_read();
  program.collects(20, milliseconds(2));
  program.is_read();
  EXPECT_FALSE(program.windows().allocation_storm());
}

TEST(PauseWindows, SeeAPauseThatIsLongerThanTheProgramIsUsedTo) {
  Program program;
  program.collects(60, microseconds(100));
  program.is_read();
  program.is_read();
  program.is_read();
  EXPECT_FALSE(program.windows().long_pause());
  program.collects(1, microseconds(200));
  program.is_read();
  EXPECT_FALSE(program.windows().long_pause()) << "twice is no finding";
  program.collects(1, milliseconds(1));
  program.is_read();
  const auto found = program.windows().long_pause();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->longest, milliseconds(1));
  EXPECT_LE(found->usual, microseconds(112));
  program.is_read();
  EXPECT_TRUE(program.windows().long_pause()) << "it is in two windows";
  program.is_read();
  EXPECT_FALSE(program.windows().long_pause());
}

TEST(PauseWindows, WantAHistoryBeforeAPauseIsLong) {
  Program program;
  program.collects(10, microseconds(100));
  program.is_read();
  program.is_read();
  program.collects(1, milliseconds(10));
  program.is_read();
  EXPECT_FALSE(program.windows().long_pause());
}

TEST(PauseWindows, LeaveOutStopsThatAreNotForTheCollector) {
  Program program;
  program.collects(60, microseconds(100));
  program.is_read();
  program.is_read();
  program.pauses().other = pauses_of({milliseconds(50)});
  program.is_read();
  EXPECT_FALSE(program.windows().long_pause());
}

TEST(PauseWindows, BeginAnewWithAnotherProgram) {
  Program program;
  program.collects(60, microseconds(100));
  for (int i = 0; i < 4; ++i) program.is_read();
  program.becomes_another();
  program.collects(1, milliseconds(10));
  program.is_read();
  EXPECT_FALSE(program.windows().latest());
  EXPECT_FALSE(program.windows().long_pause());
}

}  // namespace
}  // namespace gopacer
