// What watching many pods costs: the scheduling thread at each of its wakes, against a walk over all pods; and the
// memory of their histories, as malloc() counts it.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "observe/history_budget.h"
#include "observe/scraper.h"
#include "ports/http_fetcher.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

constexpr int kPodsPerProfile = 10;
constexpr Duration kInterval = seconds(15);

class StandingClock final : public Clock {
 public:
  Time now() const override { return Time(seconds(1'800'000'000)); }
};

class NoFetcher final : public HttpFetcher {
 public:
  void fetch(HttpRequest, BodySink, FetchDone) override {}
};

PodTarget target(int number) {
  PodTarget pod;
  pod.pod = {"shop", "checkout-7d9c6b5f4-" + std::to_string(number)};
  pod.uid = "6f1c1c1e-0000-4000-8000-" + std::to_string(number);
  pod.ip = "10.0.0.1";
  pod.node = "node-" + std::to_string(number / 100);
  pod.container = "app";
  return pod;
}

/// No pod is due: what is left is finding that out.
void Wake(benchmark::State& state) {
  const StandingClock clock;
  NoFetcher fetcher;
  ScraperOptions options;
  options.random = [] { return 0.5; };
  Scraper scraper(fetcher, clock, nullptr, nullptr, options);
  const int pods = static_cast<int>(state.range(0));
  for (int first = 0; first < pods; first += kPodsPerProfile) {
    ScrapePlan plan;
    for (int i = first; i < first + kPodsPerProfile; ++i) plan.pods.push_back(target(i));
    scraper.set_targets({"shop", "profile-" + std::to_string(first)}, plan);
  }
  for ([[maybe_unused]] const auto _ : state) benchmark::DoNotOptimize(scraper.run_due());
}
BENCHMARK(Wake)->Arg(100)->Arg(10'000);

/// The plain way: every pod is looked at, and so is the interval of its node.
void WakeByWalkingAllPods(benchmark::State& state) {
  struct Pod {
    PodTarget target;
    Time due;
    bool busy = false;
  };
  const StandingClock clock;
  std::map<ObjectKey, std::map<ObjectKey, std::shared_ptr<Pod>>> profiles;
  for (int i = 0; i < state.range(0); ++i) {
    auto pod = std::make_shared<Pod>();
    pod->target = target(i);
    pod->due = clock.now() + kInterval / 2;
    profiles[{"shop", "profile-" + std::to_string(i / kPodsPerProfile)}][pod->target.pod] = pod;
  }
  for ([[maybe_unused]] const auto _ : state) {
    const Time now = clock.now();
    Time next = now + seconds(1);
    std::map<std::string, Duration> intervals;
    for (const auto& [key, pods] : profiles) {
      for (const auto& [name, pod] : pods) {
        const auto [entry, added] = intervals.emplace(pod->target.node, kInterval);
        if (!added) entry->second = std::min(entry->second, kInterval);
        if (pod->busy || pod->target.ip.empty()) continue;
        if (pod->due > now) next = std::min(next, pod->due);
      }
    }
    benchmark::DoNotOptimize(next);
  }
}
BENCHMARK(WakeByWalkingAllPods)->Arg(100)->Arg(10'000);

/// A reading of a service that collects once a second: MemStats, client_golang's metrics, the kernel's account, and one
/// SLO's histogram with Prometheus' 12 default buckets.
Sample reading(int number) {
  Sample sample;
  sample.at = Time(seconds(1'800'000'000)) + number * kInterval;
  sample.mem.emplace();
  sample.mem->num_gc = static_cast<std::uint32_t>(15 * number);
  for (int i = 0; i < 256; ++i) {
    sample.mem->pauses.push_back({sample.at - seconds(255 - i), std::chrono::microseconds(50)});
  }
  sample.process.emplace();
  sample.process->go_version = "go1.26.1";
  sample.usage.emplace();
  std::map<double, double> buckets;
  for (int i = 1; i <= 12; ++i) buckets[i] = i * number;
  sample.latency["latency-p99"] = Histogram(buckets);
  return sample;
}

/// Twelve minutes of samples of each pod, as much as is kept without a trial.
void HistoryOfPods(benchmark::State& state) {
  double counted = 0;
  double estimated = 0;
  for ([[maybe_unused]] const auto _ : state) {
    BudgetLimits limits;
    limits.bytes = std::size_t{8} << 30;
    HistoryBudget budget(limits);
    std::deque<HistoryBudget::Account> accounts(static_cast<std::size_t>(state.range(0)));
    for (auto& account : accounts) budget.assign(account, "shop", false);
    const double before = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd);
    for (int number = 1; number <= 60; ++number) {
      for (auto& account : accounts) budget.append(account, reading(number), std::chrono::minutes(12));
    }
    counted = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd) - before;
    estimated = static_cast<double>(budget.bytes());
  }
  const double pods = static_cast<double>(state.range(0));
  state.counters["bytes_per_pod"] = counted / pods;
  state.counters["estimated_per_pod"] = estimated / pods;
  state.counters["pods_in_96MiB"] = 96.0 * 1024 * 1024 / (counted / pods);
}
BENCHMARK(HistoryOfPods)->Arg(1)->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond)->Iterations(1);

/// All that one more pod costs the scraper beside its samples.
void ScraperOfPods(benchmark::State& state) {
  double counted = 0;
  for ([[maybe_unused]] const auto _ : state) {
    const StandingClock clock;
    NoFetcher fetcher;
    Scraper scraper(fetcher, clock, nullptr, nullptr);
    const double before = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd);
    for (int first = 0; first < state.range(0); first += kPodsPerProfile) {
      ScrapePlan plan;
      for (int i = first; i < first + kPodsPerProfile; ++i) plan.pods.push_back(target(i));
      scraper.set_targets({"shop", "profile-" + std::to_string(first)}, plan);
    }
    counted = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd) - before;
  }
  state.counters["bytes_per_pod"] = counted / static_cast<double>(state.range(0));
}
BENCHMARK(ScraperOfPods)->Arg(1000)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace gopacer
