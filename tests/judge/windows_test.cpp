#include "judge/windows.h"

#include <gtest/gtest.h>

#include "trial_pods.h"

namespace gopacer::judging {
namespace {

using std::chrono::seconds;
using testing::kStart;

/// A pod that serves 20 requests a second with half a core, and whose container the kernel is asked about at `asked`.
Sample sample_at(Duration at, Duration asked, double requests) {
  Sample sample;
  sample.at = kStart + at;
  ContainerUsage usage;
  usage.at = kStart + asked;
  usage.cpu_seconds = 100 + 0.5 * to_seconds(asked);
  sample.usage = usage;
  Histogram latency = testing::empty_histogram();
  testing::observe(latency, 0.01, requests);
  sample.latency["p99"] = latency;
  return sample;
}

TEST(Windows, TakeTheKernelsCounterOverTheTimesAtWhichTheKernelWasAsked) {
  PodSeries pod;
  pod.samples = {sample_at(seconds(0), seconds(-14), 0), sample_at(seconds(10), seconds(-1), 200)};
  const auto cost = work_in({&pod}, {kStart, kStart + seconds(10)}, "p99");
  ASSERT_TRUE(cost);
  // 6.5 CPU seconds between readings that are 13 s apart, and not in the window's 10 s.
  EXPECT_NEAR(cost->cpu / cost->requests, 0.025, 1e-9);
}

TEST(Windows, SayNothingOfCpuBetweenTwoSamplesWithTheSameReading) {
  PodSeries pod;
  pod.samples = {sample_at(seconds(0), seconds(-4), 0), sample_at(seconds(10), seconds(-4), 200)};
  EXPECT_FALSE(work_in({&pod}, {kStart, kStart + seconds(10)}, "p99"));
}

}  // namespace
}  // namespace gopacer::judging
