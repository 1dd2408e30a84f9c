#include "gc_probe/pause_histogram.h"

#include <gtest/gtest.h>

#include "gc_probe/pauses_of.h"

namespace gopacer {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::pauses_of;

TEST(PauseBucket, BeginsAtItsLowerEdge) {
  for (std::size_t i = 1; i < kPauseBuckets; ++i) {
    const auto edge = static_cast<__u64>(lower_edge(i).count());
    EXPECT_EQ(pause_bucket(edge), i);
    EXPECT_EQ(pause_bucket(edge - 1), i - 1);
    EXPECT_LE(static_cast<double>(lower_edge(i + 1).count()), 1.25 * static_cast<double>(edge));
  }
}

TEST(PauseBucket, TakesAllThatIsShorterOrLonger) {
  EXPECT_EQ(pause_bucket(0), 0U);
  EXPECT_EQ(pause_bucket(1), 0U);
  EXPECT_EQ(pause_bucket(~__u64{0}), kPauseBuckets - 1U);
}

TEST(PauseHistogram, TellsQuantilesToAQuarter) {
  PauseHistogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram += pauses_of({microseconds(i)});
  EXPECT_EQ(histogram.count(), 1000U);
  EXPECT_EQ(histogram.sum, microseconds(500'500));
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.5)->count()), 500e3, 10e3) << "even within its bucket";
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.99)->count()), 990e3, 30e3);
  EXPECT_EQ(histogram.quantile(1), microseconds(1000)) << "never longer than the longest";
  EXPECT_LE(*histogram.quantile(0), microseconds(2));
  EXPECT_FALSE(PauseHistogram{}.quantile(0.5));
}

TEST(PauseHistogram, CountsWhatIsBelowAnOctavesEdge) {
  PauseHistogram pauses;
  ++pauses.buckets[pause_bucket(1)];
  ++pauses.buckets[pause_bucket((1U << 14U) - 1)];
  ++pauses.buckets[pause_bucket(1U << 14U)];
  ++pauses.buckets[pause_bucket(1ULL << 40U)];
  EXPECT_EQ(below_octave(pauses, 10), 0U) << "the first bucket reaches to above 2^10";
  EXPECT_EQ(below_octave(pauses, 14), 2U);
  EXPECT_EQ(below_octave(pauses, 15), 3U);
  EXPECT_EQ(below_octave(pauses, 60), 4U);
}

TEST(PauseHistogram, TellsWhatCameSince) {
  const PauseHistogram earlier = pauses_of({microseconds(20), milliseconds(5)});
  PauseHistogram now = earlier;
  EXPECT_EQ(since(now, earlier), PauseHistogram{});
  now += pauses_of({microseconds(100)});
  const PauseHistogram between = since(now, earlier);
  EXPECT_EQ(between.count(), 1U);
  EXPECT_EQ(between.sum, microseconds(100));
  EXPECT_GE(between.longest, microseconds(100)) << "the longest of all came before, so only its bucket is known";
  EXPECT_LE(between.longest, microseconds(125));
  now += pauses_of({milliseconds(7)});
  EXPECT_EQ(since(now, earlier).longest, milliseconds(7));
}

TEST(Pauses, AreTheCollectorsAtBothItsEnds) {
  Pauses all;
  all.sweep_termination = pauses_of({microseconds(10), microseconds(20)});
  all.mark_termination = pauses_of({microseconds(40)});
  all.other = pauses_of({milliseconds(1)});
  EXPECT_EQ(all.collections(), 2U);
  EXPECT_EQ(all.of_collector().count(), 3U);
  EXPECT_EQ(all.of_collector().longest, microseconds(40));
}

}  // namespace
}  // namespace gopacer
