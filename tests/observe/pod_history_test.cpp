#include "observe/pod_history.h"

#include <gmock/gmock.h>

namespace gopacer {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

constexpr Duration kLong = std::chrono::hours(24);

Time at(int second) { return Time(seconds(second)); }

/// A reading at `second` of a process that collects once a second and allocates a MiB each time.
Sample sample(int second) {
  Sample out;
  out.at = at(second);
  out.mem.emplace();
  out.mem->total_alloc = mib(second);
  out.mem->num_gc = static_cast<std::uint32_t>(second);
  for (int i = std::max(1, second - 255); i <= second; ++i) out.mem->pauses.push_back({at(i), Duration(i)});
  return out;
}

TEST(PodHistory, KeepsTheSamplesOfALengthOfTimeAndOneBeforeIt) {
  PodHistory history;
  for (int i = 1; i <= 10; ++i) history.append(sample(i), seconds(3));
  ASSERT_EQ(history.samples().size(), 5U);
  EXPECT_EQ(history.samples().front().at, at(6));
  EXPECT_EQ(history.samples().back().at, at(10));
  EXPECT_EQ(history.first_read(), at(1)) << "whether it is still kept or not";
}

TEST(PodHistory, HoldsEachCycleOnceButTheNewestSampleWhole) {
  PodHistory history;
  for (int i = 10; i <= 50; i += 10) history.append(sample(i), kLong);
  EXPECT_EQ(history.samples().back().mem->pauses.size(), 50U);
  std::vector<GcPause> all;
  for (std::size_t i = 0; i + 1 < history.samples().size(); ++i) {
    const auto& pauses = history.samples()[i].mem->pauses;
    all.insert(all.end(), pauses.begin(), pauses.end());
  }
  EXPECT_EQ(all, sample(40).mem->pauses);
}

TEST(PodHistory, KeepsTheLastCycleOfASampleInWhichNoneEnded) {
  PodHistory history;
  history.append(sample(5), kLong);
  for (int i = 6; i <= 8; ++i) {
    Sample idle = sample(5);
    idle.at = at(i);
    history.append(idle, kLong);
  }
  ASSERT_EQ(history.samples().size(), 4U);
  for (const std::size_t i : {1, 2}) {
    ASSERT_EQ(history.samples()[i].mem->pauses.size(), 1U);
    EXPECT_EQ(history.samples()[i].mem->pauses.back().end, at(5));
  }
}

std::vector<int> seconds_of(const PodHistory& history) {
  std::vector<int> found;
  for (const Sample& one : history.samples()) found.push_back(static_cast<int>(to_seconds(one.at.time_since_epoch())));
  return found;
}

/// With a profile of the ten seconds before.
Sample profiled(int second) {
  Sample out = sample(second);
  GcProfile& profile = out.profile.emplace();
  profile.length = seconds(10);
  profile.began = at(second - 10);
  return out;
}

TEST(PodHistory, KeepsProfilesLongerThanTheirSamples) {
  PodHistory history;
  for (int i = 20; i <= 20 * 40; i += 20) history.append(profiled(i), seconds(40));
  ASSERT_EQ(history.earlier_profiles().size(), PodHistory::kEarlierProfiles);
  EXPECT_EQ(history.earlier_profiles().back().began, history.samples().front().at - seconds(30));
  EXPECT_EQ(history.earlier_profiles().back().collections, 10);
  EXPECT_EQ(history.samples().front().profile->collections, 10) << "counted while the ring was whole";
  history.clear();
  EXPECT_TRUE(history.earlier_profiles().empty());
}

TEST(PodHistory, ForgetsProfilesThatWereTakenWithOtherSettings) {
  const auto with = [](int second, int gogc) {
    Sample out = profiled(second);
    out.process.emplace().gogc = Gogc(gogc);
    return out;
  };
  PodHistory history;
  for (int i = 20; i <= 100; i += 20) history.append(with(i, 100), seconds(40));
  EXPECT_FALSE(history.earlier_profiles().empty());
  history.append(with(120, 200), seconds(40));
  EXPECT_TRUE(history.earlier_profiles().empty());
  for (int i = 140; i <= 180; i += 20) history.append(with(i, 200), seconds(40));
  ASSERT_EQ(history.earlier_profiles().size(), 0U) << "that of 120 was taken before it was told, half of it at least";
  for (int i = 200; i <= 220; i += 20) history.append(with(i, 200), seconds(40));
  EXPECT_EQ(history.earlier_profiles().size(), 1U);
}

TEST(PodHistory, GivesUpEverySecondOfItsOlderSamples) {
  PodHistory history;
  for (int i = 1; i <= 12; ++i) history.append(sample(i), kLong);
  EXPECT_FALSE(history.is_sparse());
  EXPECT_EQ(history.thin(), 4U);
  EXPECT_THAT(seconds_of(history), ElementsAre(1, 3, 5, 7, 9, 10, 11, 12));
  EXPECT_EQ(history.samples()[3].mem->pauses.size(), 1U) << "of older samples only the last cycle is looked at";
  EXPECT_EQ(history.samples().back().mem->pauses.size(), 12U);
}

TEST(PodHistory, GivesUpASampleWithoutACpuProfileRatherThanItsNeighbourWithOne) {
  PodHistory history;
  for (int i = 1; i <= 12; ++i) {
    Sample next = sample(i);
    if (i == 2 || i == 6 || i == 7) next.profile.emplace();
    history.append(next, kLong);
  }
  history.thin();
  EXPECT_THAT(seconds_of(history), ElementsAre(1, 2, 4, 6, 7, 9, 10, 11, 12));
}

TEST(PodHistory, IsSparseWhenALongerGapWouldLookLikeATroubleOfTheClock) {
  PodHistory history;
  for (int i = 0; i <= 48; ++i) history.append(sample(1 + 15 * i), kLong);
  while (!history.is_sparse()) EXPECT_GT(history.thin(), 0U);
  EXPECT_LE(history.samples().size(), 12U);
  EXPECT_EQ(history.samples().back().at - history.samples().front().at, seconds(48 * 15)) << "it spans what it did";
  for (std::size_t i = 1; i < history.samples().size(); ++i) {
    EXPECT_LE(history.samples()[i].at - history.samples()[i - 1].at, PodHistory::kLongestGap);
  }
}

TEST(PodHistory, GivesUpTheOlderHalfOfFewSamplesButNeverTheLastOne) {
  PodHistory history;
  for (int i = 1; i <= 5; ++i) history.append(sample(i), kLong);
  EXPECT_TRUE(history.is_sparse());
  EXPECT_EQ(history.thin(), 2U);
  EXPECT_EQ(history.thin(), 1U);
  EXPECT_EQ(history.thin(), 1U);
  EXPECT_EQ(history.thin(), 0U);
  EXPECT_THAT(seconds_of(history), ElementsAre(5));
}

TEST(PodHistory, GivesUpTheHistogramsOfItsLastSample) {
  PodHistory history;
  EXPECT_TRUE(history.is_bare());
  EXPECT_EQ(history.thin(), 0U);
  Sample only = sample(1);
  only.latency["p99"] = Histogram(std::map<double, double>{{1, 10}});
  history.append(only, kLong);
  EXPECT_FALSE(history.is_bare());
  const std::size_t before = history.bytes();
  EXPECT_EQ(history.thin(), 0U);
  EXPECT_TRUE(history.is_bare());
  EXPECT_LT(history.bytes(), before);
  EXPECT_EQ(history.samples().front().mem->total_alloc, mib(1));
}

TEST(PodHistory, SharesTheBoundsOfAHistogramThatStayTheSame) {
  PodHistory history;
  for (const double second : {2, 2, 3}) {
    Sample next = sample(static_cast<int>(history.samples().size()) + 1);
    next.latency["p99"] = Histogram({{1, 5}, {second, 5}});
    history.append(next, kLong);
  }
  const auto bounds = [&](std::size_t i) { return history.samples()[i].latency.at("p99").bounds; };
  EXPECT_EQ(bounds(0), bounds(1));
}

TEST(PodHistory, CopiesShareTheirSamplesAndNothingTheyHoldChanges) {
  PodHistory history;
  history.append(sample(10), kLong);
  const SampleRow before = history.samples();
  EXPECT_EQ(&before.back(), &history.samples().back());
  history.append(sample(20), kLong);
  history.append(sample(30), kLong);
  history.append(sample(40), seconds(1));
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before.back().mem->pauses, sample(10).mem->pauses);
}

TEST(PodHistory, BeginsAnewWhenACounterWentBack) {
  for (const auto change : {+[](Sample& s) { s.mem->total_alloc = mib(1); }, +[](Sample& s) { s.mem->num_gc = 1; }}) {
    PodHistory history;
    history.append(sample(5), kLong);
    history.append(sample(6), kLong);
    Sample next = sample(7);
    change(next);
    history.append(next, kLong);
    EXPECT_EQ(history.samples().size(), 1U);
    EXPECT_EQ(history.first_read(), at(7));
  }
}

TEST(PodHistory, BeginsAnewWhenTheProcessSaysThatItBeganLater) {
  PodHistory history;
  Sample first = sample(5);
  first.process.emplace();
  first.process->started = at(1);
  Sample second = sample(500);
  second.process.emplace();
  second.process->started = at(490);
  history.append(first, kLong);
  history.append(second, kLong);
  EXPECT_EQ(history.samples().size(), 1U);
}

/// A history of readings in which an SLO's histogram had these counts.
PodHistory history_of(const std::vector<double>& counts) {
  PodHistory history;
  int t = 5;
  for (const double count : counts) {
    Sample next = sample(t++);
    next.latency["p99"] = Histogram(std::map<double, double>{{1, count}});
    next.latency["other"] = Histogram(std::map<double, double>{{1, 10.0 * t}});
    history.append(next, kLong);
  }
  return history;
}

std::vector<double> counts_of(const PodHistory& history, const std::string& slo) {
  std::vector<double> counts;
  for (const Sample& kept : history.samples()) {
    if (kept.latency.contains(slo)) counts.push_back(kept.latency.at(slo).count());
  }
  return counts;
}

TEST(PodHistory, LeavesOutAHistogramThatLackedSomeOfItsSeries) {
  // Every fourth page lacks some: what they ever counted must not look like the requests of one window.
  const PodHistory history = history_of({900, 1000, 1100, 300, 1300, 1400, 1500, 310, 1700});
  EXPECT_EQ(history.samples().size(), 9U) << "the process is the same";
  EXPECT_THAT(counts_of(history, "p99"), ElementsAre(900, 1000, 1100, 1300, 1400, 1500, 1700));
  EXPECT_EQ(counts_of(history, "other").size(), 9U);
}

TEST(PodHistory, TakesCountsThatBeganAnewOnceTheyStay) {
  const PodHistory history = history_of({1000, 1100, 20, 120, 220, 320, 420});
  EXPECT_EQ(history.samples().size(), 7U) << "the process is the same";
  EXPECT_THAT(counts_of(history, "p99"), ElementsAre(1000, 1100, 220, 320, 420));
}

TEST(PodHistory, RemembersNothingOfHistogramsThatNobodyAsksForAnyMore) {
  // A profile may name its SLOs anew each second.
  PodHistory history;
  for (int t = 1; t <= 100; ++t) {
    Sample next = sample(t);
    for (int i = 0; i < 8; ++i) {
      next.latency["slo-" + std::to_string(t % 2 == 0 ? 0 : t) + "-" + std::to_string(i)] =
          Histogram(std::map<double, double>{{1, t % 2 == 0 ? 100.0 / t : 1.0}});
    }
    history.append(next, kLong);
    EXPECT_LE(history.fallen(), 8U);
  }
}

TEST(PodHistory, GoesOnAcrossSamplesThatLackAPart) {
  PodHistory history;
  history.append(sample(5), kLong);
  Sample without;
  without.at = at(6);
  history.append(without, kLong);
  history.append(sample(7), kLong);
  EXPECT_EQ(history.samples().size(), 3U);
}

}  // namespace
}  // namespace gopacer
