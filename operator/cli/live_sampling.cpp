#include "cli/live_sampling.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "observe/scraper.h"

namespace gopacer {
namespace {

/// Readings in a row without MemStats after which nothing more is expected.
constexpr int kMostFailures = 3;
constexpr Duration kFetchTimeout = std::chrono::seconds(5);

/// Counts readings, and lets a thread wait for the next one.
class Readings {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  /// The number of readings once it is above `known`, or after `patience`.
  int wait_for_more_than(int known, Duration patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return count_ > known; });
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace

Observation sample_live(HttpFetcher& fetcher, const Clock& clock, UsageFallback* usage, const LiveSampling& what,
                        const std::function<void(const SamplingProgress&)>& progress) {
  // A reading may still be told while the scraper goes away.
  const auto readings = std::make_shared<Readings>();
  ScraperOptions options;
  options.history.samples_per_pod = 4000;
  options.history.bytes_per_pod = options.history.bytes;
  options.fetch_timeout = kFetchTimeout;
  options.background_profile_every = Duration(0);
  options.background_profile_length = what.profile_length;
  options.random = [] { return 0.0; };
  options.on_reading = [readings](const ObjectKey&) { readings->add(); };
  options.fallback_interval = what.plan.interval;
  Scraper scraper(fetcher, clock, nullptr, usage, options);
  ScrapePlan plan = what.plan;
  plan.pods = {what.target};
  plan.profiling = Profiling::kBackground;
  plan.keep = std::max(plan.keep, 2 * what.duration);
  scraper.set_targets(what.target.pod, plan);
  const Time began = clock.now();
  if (usage != nullptr) scraper.run_fallback();
  scraper.start();

  const Duration last_call = what.duration + 3 * plan.interval + what.profile_length + 2 * kFetchTimeout;
  int known = 0;
  int failures = 0;
  while (true) {
    const int count = readings->wait_for_more_than(known, std::chrono::seconds(1));
    const Time now = clock.now();
    Observation observation = scraper.snapshot(what.target.pod, now);
    const PodSeries& series = observation.pods.front();
    if (count > known) failures = series.error.empty() ? 0 : failures + 1;
    known = count;
    if (progress) progress({now - began, what.duration, series});
    const bool spanned =
        !series.samples.empty() && series.samples.back().at - series.samples.front().at >= what.duration;
    if (spanned || failures >= kMostFailures || now - began >= last_call) return observation;
  }
}

}  // namespace gopacer
