#pragma once

#include <functional>

#include "gopacer/base/clock.h"
#include "observe/plan.h"
#include "ports/http_fetcher.h"

namespace gopacer {

/// What is known while a process is being read.
struct SamplingProgress {
  Duration elapsed{0};
  Duration wanted{0};
  const PodSeries& series;
};

struct LiveSampling {
  PodTarget target;
  ScrapePlan plan;  ///< without its pods
  Duration duration = std::chrono::seconds(60);
  /// Of each CPU profile. They follow each other, with a reading in between.
  Duration profile_length = std::chrono::seconds(4);
};

/// Reads one process for a while by the operator's own scraper. Ends when the readings span `duration`, when several
/// readings in a row gave nothing, or a few intervals later than planned. Blocks.
Observation sample_live(HttpFetcher& fetcher, const Clock& clock, UsageFallback* usage, const LiveSampling& what,
                        const std::function<void(const SamplingProgress&)>& progress);

}  // namespace gopacer
