#include "observe/pod_history.h"

#include <gmock/gmock.h>

namespace gopacer {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

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

TEST(PodHistory, KeepsTheLatestSamples) {
  PodHistory history;
  for (int i = 1; i <= 10; ++i) history.append(sample(i), 4);
  ASSERT_EQ(history.samples().size(), 4U);
  EXPECT_EQ(history.samples().front().at, at(7));
  EXPECT_EQ(history.samples().back().at, at(10));
  EXPECT_EQ(history.first_read(), at(1)) << "whether it is still kept or not";
}

TEST(PodHistory, HoldsEachCycleOnceButTheNewestSampleWhole) {
  PodHistory history;
  for (int i = 10; i <= 50; i += 10) history.append(sample(i), 400);
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
  history.append(sample(5), 400);
  for (int i = 6; i <= 8; ++i) {
    Sample idle = sample(5);
    idle.at = at(i);
    history.append(idle, 400);
  }
  ASSERT_EQ(history.samples().size(), 4U);
  for (const std::size_t i : {1, 2}) {
    ASSERT_EQ(history.samples()[i].mem->pauses.size(), 1U);
    EXPECT_EQ(history.samples()[i].mem->pauses.back().end, at(5));
  }
}

TEST(PodHistory, KeepsTheHistogramsOfTheNewestSamples) {
  PodHistory history;
  for (int i = 1; i <= 300; ++i) {
    Sample next = sample(i);
    next.latency["p99"] = Histogram(std::map<double, double>{{1, i}});
    history.append(next, 250);
  }
  ASSERT_EQ(history.samples().size(), 250U);
  for (std::size_t i = 0; i < 250; ++i) {
    EXPECT_EQ(history.samples()[i].latency.empty(), i < 250 - PodHistory::kHistograms) << i;
  }
}

TEST(PodHistory, SharesTheBoundsOfAHistogramThatStayTheSame) {
  PodHistory history;
  for (int i = 1; i <= 2; ++i) {
    Sample next = sample(i);
    next.latency["p99"] = Histogram({{1, 5}, {2, 5}});
    history.append(next, 400);
  }
  const auto bounds = [&](std::size_t i) { return history.samples()[i].latency.at("p99").bounds; };
  EXPECT_EQ(bounds(0), bounds(1));
}

TEST(PodHistory, CopiesShareTheirSamplesAndNothingTheyHoldChanges) {
  PodHistory history;
  history.append(sample(10), 400);
  const SampleRow before = history.samples();
  EXPECT_EQ(&before.back(), &history.samples().back());
  history.append(sample(20), 400);
  history.append(sample(30), 400);
  history.append(sample(40), 2);
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before.back().mem->pauses, sample(10).mem->pauses);
}

TEST(PodHistory, BeginsAnewWhenACounterWentBack) {
  for (const auto change : {+[](Sample& s) { s.mem->total_alloc = mib(1); }, +[](Sample& s) { s.mem->num_gc = 1; }}) {
    PodHistory history;
    history.append(sample(5), 400);
    history.append(sample(6), 400);
    Sample next = sample(7);
    change(next);
    history.append(next, 400);
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
  history.append(first, 400);
  history.append(second, 400);
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
    history.append(next, 400);
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

TEST(PodHistory, GoesOnAcrossSamplesThatLackAPart) {
  PodHistory history;
  history.append(sample(5), 400);
  Sample without;
  without.at = at(6);
  history.append(without, 400);
  history.append(sample(7), 400);
  EXPECT_EQ(history.samples().size(), 3U);
}

}  // namespace
}  // namespace gopacer
