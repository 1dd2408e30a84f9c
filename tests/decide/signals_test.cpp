#include "decide/signals.h"

#include <gtest/gtest.h>

#include "decide/go_service.h"

namespace gopacer::deciding {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::kNow;

/// Read every ten seconds for 70 s, until now; its heap grows by `growth` MB/s, and its requests come 100 a second.
PodSeries pod(double growth) {
  PodSeries out;
  for (int i = 0; i <= 7; ++i) {
    Sample sample;
    sample.at = kNow - seconds(70 - 10 * i);
    sample.mem.emplace();
    sample.mem->heap_alloc = Bytes::of(100e6 + growth * 1e6 * 10 * i);
    sample.mem->heap_sys = mib(400);
    sample.mem->heap_in_use = mib(100);
    sample.mem->total_alloc = mib(100) * i;
    sample.mem->heap_objects = 1000;
    for (int ago = 90; ago >= 0; ago -= 10) {
      sample.mem->pauses.push_back({sample.at - seconds(ago), milliseconds(2)});
    }
    const double count = 1000.0 * i;
    sample.latency["latency"] = Histogram({{0.04, 0}, {0.06, count}, {1, count}}, 0);
    out.samples.push_back(sample);
  }
  return out;
}

DecideInput input_of(std::vector<PodSeries> pods) {
  DecideInput input;
  input.observed.pods = std::move(pods);
  input.spec.slos.emplace_back().name = "latency";
  return input;
}

Signals signals_of(std::vector<PodSeries> pods) { return read_signals(input_of(std::move(pods)), kNow); }

TEST(Signals, AreMeansOverPods) {
  PodSeries other = pod(4);
  other.samples.change_last([](Sample& sample) {
    sample.mem->heap_in_use = mib(300);
    sample.mem->pauses.back().pause = milliseconds(8);
  });
  const Signals signals = signals_of({pod(2), other});
  EXPECT_NEAR(*signals.minute_growth, 3, 1e-9);
  EXPECT_NEAR(*signals.latest_growth, 3, 1e-9);
  EXPECT_NEAR(*signals.heap_utilization, 0.5, 1e-9);
  EXPECT_NEAR(signals.heap->value(), 100e6 + (140e6 + 280e6) / 2, 1);
  EXPECT_NEAR(*signals.requests_per_second, 100, 1e-9);
  EXPECT_NEAR(*signals.p99_ms, 59.8, 1e-9);
  EXPECT_EQ((*signals.last_pauses)[0], milliseconds(2));
  EXPECT_EQ((*signals.last_pauses)[2], milliseconds(5));
}

TEST(Signals, AreOfStablePodsWithTheCurrentSettingsOnly) {
  PodSeries canary = pod(9);
  canary.track = Track::kCanary;
  PodSeries old = pod(9);
  old.settings.gogc = Gogc(50);
  EXPECT_NEAR(*signals_of({canary, old, pod(2)}).minute_growth, 2, 1e-9);
  EXPECT_FALSE(signals_of({canary, old}).minute_growth);
  EXPECT_FALSE(signals_of({canary, old}).heap);
  EXPECT_FALSE(signals_of({canary, old}).last_pauses);
}

TEST(Signals, AreOfTheLatestMinute) {
  PodSeries jumped = pod(2);
  // What was 70 s ago does not count, nor what has yet to come.
  jumped.samples.change(0, [](Sample& sample) { sample.mem->heap_alloc = Bytes(0); });
  Sample later = jumped.samples.back();
  later.at = kNow + seconds(1);
  later.mem->heap_alloc = Bytes(0);
  jumped.samples.push_back(later);
  EXPECT_NEAR(*signals_of({jumped}).minute_growth, 2, 1e-9);
  EXPECT_NEAR(*signals_of({jumped}).latest_growth, 2, 1e-9);
  const auto seen_after = [](Duration since_last) { return read_signals(input_of({pod(2)}), kNow + since_last); };
  EXPECT_TRUE(seen_after(seconds(59)).latest_growth);
  EXPECT_FALSE(seen_after(seconds(60)).latest_growth) << "a pod that was last read a minute ago says nothing";
}

TEST(Signals, WantNearlyAMinuteForTheMinutesGrowth) {
  const auto with_first_at = [](int ago) {
    PodSeries young = pod(2);
    young.samples.erase_if([&](const Sample& sample) { return sample.at < kNow - seconds(40); });
    young.samples.change(0, [&](Sample& sample) { sample.at = kNow - seconds(ago); });
    return signals_of({young});
  };
  EXPECT_TRUE(with_first_at(45).minute_growth);
  EXPECT_FALSE(with_first_at(44).minute_growth);
  EXPECT_TRUE(with_first_at(44).latest_growth);
}

TEST(Signals, NeedTwoReadingsAndThreePauses) {
  PodSeries once = pod(2);
  once.samples.erase_if([](const Sample& sample) { return sample.at < kNow; });
  EXPECT_FALSE(signals_of({once}).latest_growth);
  EXPECT_FALSE(signals_of({once}).requests_per_second);
  PodSeries twice = pod(2);
  twice.samples.erase_if([](const Sample& sample) { return sample.at < kNow - seconds(10); });
  EXPECT_TRUE(signals_of({twice}).latest_growth);
  EXPECT_TRUE(signals_of({twice}).requests_per_second);
  EXPECT_FALSE(signals_of({twice}).pause_factors) << "two readings have no mean to compare the latest with";
  twice.samples.change_last([](Sample& sample) { sample.mem->pauses.resize(3); });
  EXPECT_TRUE(signals_of({twice}).last_pauses);
  twice.samples.change_last([](Sample& sample) { sample.mem->pauses.resize(2); });
  EXPECT_FALSE(signals_of({twice}).last_pauses);
}

TEST(Signals, HaveNoUtilizationOfNoHeapAndNoLatencyOfARestart) {
  PodSeries odd = pod(2);
  odd.samples.change_last([](Sample& sample) {
    sample.mem->heap_sys = Bytes(0);
    sample.latency["latency"] = Histogram({{0.04, 0}, {0.06, 1}, {1, 1}}, 0);
  });
  EXPECT_FALSE(signals_of({odd}).heap_utilization);
  EXPECT_FALSE(signals_of({odd}).requests_per_second);
  EXPECT_FALSE(signals_of({odd}).p99_ms);
  DecideInput input = input_of({pod(2)});
  input.spec.slos.clear();
  EXPECT_FALSE(read_signals(input, kNow).requests_per_second);
}

TEST(PauseFactors, CompareTheLatestReadingWithTheMinute) {
  PodSeries busy = pod(2);
  busy.samples.change_last([](Sample& sample) {
    // 700 MiB in the last ten seconds, after 500 in the fifty before: 70 of a mean of 20 a second.
    sample.mem->total_alloc = mib(600) + mib(700);
    // Of a mean of (6·1000 + 8000)/7 = 2000.
    sample.mem->heap_objects = 8000;
    sample.mem->pauses.back().pause = milliseconds(5);
  });
  const auto factors = signals_of({busy}).pause_factors;
  ASSERT_TRUE(factors);
  EXPECT_NEAR(factors->alloc_rate_ratio, 3.5, 1e-9);
  EXPECT_NEAR(factors->live_objects_ratio, 4, 1e-9);
  EXPECT_NEAR(factors->last_pause_ms, 5, 1e-9);
}

TEST(PauseFactors, TakeTheMeanOfTheMinutesPauses) {
  PodSeries steady = pod(2);
  steady.samples.change_last([](Sample& sample) {
    // Six within the minute: five of 2 ms, one of 8. Those of before were long.
    for (GcPause& pause : sample.mem->pauses) {
      if (pause.end <= kNow - seconds(60)) pause.pause = milliseconds(500);
    }
    sample.mem->pauses.back().pause = milliseconds(8);
  });
  EXPECT_NEAR(signals_of({steady}).pause_factors->mean_pause_ms, 3, 1e-9);
}

TEST(PauseFactors, AreThoseOfThePodWithTheLongestPauses) {
  PodSeries slow = pod(2);
  slow.samples.change_each([](Sample& sample) {
    for (GcPause& pause : sample.mem->pauses) pause.pause = milliseconds(20);
  });
  EXPECT_NEAR(signals_of({pod(2), slow}).pause_factors->mean_pause_ms, 20, 1e-9);
  EXPECT_NEAR(signals_of({slow, pod(2)}).pause_factors->mean_pause_ms, 20, 1e-9);
}

TEST(PauseFactors, AreUnknownWhereNothingWasAllocatedCollectedOrAlive) {
  PodSeries still = pod(2);
  still.samples.change_each([](Sample& sample) { sample.mem->total_alloc = mib(100); });
  EXPECT_FALSE(signals_of({still}).pause_factors);
  PodSeries empty = pod(2);
  empty.samples.change_each([](Sample& sample) { sample.mem->heap_objects = 0; });
  EXPECT_FALSE(signals_of({empty}).pause_factors);
  PodSeries idle = pod(2);
  idle.samples.change_each([](Sample& sample) { sample.mem->pauses.resize(1); });
  EXPECT_FALSE(signals_of({idle}).pause_factors) << "collected 90 s ago for the last time";
  idle.samples.change_each([](Sample& sample) { sample.mem->pauses.clear(); });
  EXPECT_FALSE(signals_of({idle}).pause_factors);
}

}  // namespace
}  // namespace gopacer::deciding
