#include "gopacer/domain/episodes.h"

#include <gtest/gtest.h>

#include <vector>

namespace gopacer {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Time kStart{seconds(1'800'000'000)};
constexpr std::size_t kRing = 256;

/// A program that collects, and is read.
class Program {
 public:
  /// Collections at equal distances, the first of them one distance from now.
  void collect(int count, Duration distance, Duration pause = microseconds(50)) {
    for (int i = 0; i < count; ++i) {
      now_ += distance;
      ring_.push_back({now_, pause});
      ++collections_;
    }
    if (ring_.size() > kRing) ring_.erase(ring_.begin(), ring_.end() - kRing);
  }
  void rest(Duration time) { now_ += time; }

  void read(bool with_pauses = true) {
    // Of all readings but the latest a history keeps only what was new.
    if (!samples_.empty() && samples_.back().mem) {
      samples_.change_last([this](Sample& sample) {
        std::erase_if(sample.mem->pauses, [this](const GcPause& pause) { return pause.end <= known_until_; });
        if (!sample.mem->pauses.empty()) known_until_ = sample.mem->pauses.back().end;
      });
    }
    Sample sample;
    sample.at = now_;
    sample.mem.emplace().num_gc = collections_;
    if (with_pauses) sample.mem->pauses = ring_;
    samples_.push_back(sample);
  }
  /// One without MemStats.
  void read_in_vain() {
    Sample sample;
    sample.at = now_;
    samples_.push_back(sample);
  }

  const SampleRow& samples() const { return samples_; }

 private:
  Time now_ = kStart;
  Time known_until_;
  std::uint32_t collections_ = 0;
  std::vector<GcPause> ring_;
  SampleRow samples_;
};

TEST(AllocationStorm, IsEightShortCollectionsOfTenSeconds) {
  Program program;
  program.read();
  EXPECT_EQ(allocation_storm(program.samples()), std::nullopt) << "of one reading";
  program.collect(7, seconds(1));
  program.read();
  EXPECT_EQ(allocation_storm(program.samples()), std::nullopt) << "seven";
  program.collect(1, seconds(1));
  program.read();
  EXPECT_EQ(allocation_storm(program.samples()), (AllocationStorm{8, seconds(10), microseconds(50)}));
}

TEST(AllocationStorm, IsNoneWherePausesAreLong) {
  Program program;
  program.read();
  program.collect(20, seconds(1), milliseconds(1));
  program.read();
  EXPECT_EQ(allocation_storm(program.samples()), std::nullopt);
}

TEST(AllocationStorm, IsOverOnceNothingIsCollectedAnyMore) {
  Program program;
  program.read();
  program.collect(20, milliseconds(500));
  program.read();
  program.read_in_vain();
  EXPECT_TRUE(allocation_storm(program.samples()));
  program.rest(seconds(15));
  program.read();
  EXPECT_EQ(allocation_storm(program.samples()), std::nullopt);
}

TEST(AllocationStorm, IsSeenByCollectionsAloneWhereNobodyMeasuresPauses) {
  Program program;
  program.read(false);
  program.collect(11, seconds(1));
  program.rest(seconds(4));
  program.read(false);
  EXPECT_EQ(allocation_storm(program.samples()), std::nullopt) << "seven in ten seconds";
  program.collect(12, seconds(1));
  program.rest(seconds(3));
  program.read(false);
  EXPECT_EQ(allocation_storm(program.samples()), (AllocationStorm{12, seconds(15), std::nullopt}));
}

TEST(AllocationStorm, BeginsWhereTheReadingBeforeTellsOfNone) {
  Program program;
  program.read();
  program.collect(20, milliseconds(500));
  program.read();
  EXPECT_FALSE(storm_began(program.samples())) << "perhaps it was there when the program was first read";
  program.collect(20, milliseconds(500));
  program.read();
  EXPECT_FALSE(storm_began(program.samples())) << "it goes on";
  program.collect(1, seconds(15));
  program.read();
  program.collect(20, milliseconds(500));
  program.read_in_vain();
  program.read();
  EXPECT_TRUE(storm_began(program.samples()));
}

TEST(AllocationStorm, BeginsOnceHoweverOftenAProgramIsRead) {
  Program program;
  program.read();
  for (int i = 0; i < 4; ++i) {
    program.collect(1, seconds(20));
    program.read();
  }
  int begun = 0;
  for (int i = 0; i < 20; ++i) {
    program.collect(3, seconds(1));
    program.read();
    begun += storm_began(program.samples()) ? 1 : 0;
  }
  EXPECT_EQ(begun, 1);
}

TEST(LongPause, IsThreeTimesAsLongAsWhatTheProgramIsUsedTo) {
  Program program;
  program.collect(95, milliseconds(100), microseconds(200));
  program.collect(5, milliseconds(100), microseconds(400));
  program.read();
  program.collect(3, milliseconds(100), microseconds(200));
  program.collect(1, milliseconds(100), microseconds(1100));
  program.collect(3, milliseconds(100), microseconds(200));
  program.read();
  const auto pause = long_pause(program.samples());
  ASSERT_TRUE(pause);
  EXPECT_EQ(pause->pause, microseconds(1100));
  EXPECT_EQ(pause->usual, microseconds(200)) << "the P95 of the hundred";
  EXPECT_EQ(pause->end, kStart + 104 * milliseconds(100));

  program.collect(3, milliseconds(100), microseconds(200));
  program.read();
  EXPECT_EQ(long_pause(program.samples()), std::nullopt) << "that is over";
}

TEST(LongPause, IsNotOneOfLessThanAMillisecond) {
  Program program;
  program.collect(100, milliseconds(100), microseconds(100));
  program.read();
  program.collect(1, milliseconds(100), microseconds(990));
  program.read();
  EXPECT_EQ(long_pause(program.samples()), std::nullopt);
}

TEST(LongPause, WantsAHundredThatAreKeptEachCountedOnce) {
  Program program;
  for (int reading = 0; reading < 9; ++reading) {
    program.collect(11, milliseconds(100));
    program.read();
  }
  program.collect(1, milliseconds(100), milliseconds(5));
  program.read();
  EXPECT_EQ(long_pause(program.samples()), std::nullopt) << "99 before, told of many times over";
  program.collect(1, milliseconds(100), milliseconds(5));
  program.read();
  EXPECT_TRUE(long_pause(program.samples()));
}

TEST(LongPause, IsMeasuredByThoseOfEarlierReadingsToo) {
  Program program;
  program.collect(200, milliseconds(100), milliseconds(2));
  program.read();
  program.collect(200, milliseconds(100), microseconds(100));
  program.read();
  program.collect(200, milliseconds(100), microseconds(100));
  program.collect(1, milliseconds(100), milliseconds(4));
  program.read();
  EXPECT_EQ(long_pause(program.samples()), std::nullopt) << "a third of those before were half as long";
}

TEST(LongPause, IsNoneWhereNobodyMeasuresThem) {
  Program program;
  program.collect(200, milliseconds(100));
  program.read(false);
  program.collect(1, milliseconds(100), milliseconds(5));
  program.read(false);
  EXPECT_EQ(long_pause(program.samples()), std::nullopt);
}

}  // namespace
}  // namespace gopacer
