// What one decision costs, by the number of pods: it is made on every pass.

#include <benchmark/benchmark.h>

#include "gopacer/decide/decision.h"

namespace gopacer {
namespace {

constexpr Time kStart{std::chrono::hours(24 * 365 * 55)};
constexpr int kSamples = 100;
constexpr Duration kInterval = std::chrono::seconds(15);

PodSeries pod(int number) {
  PodSeries series;
  series.pod = "pod-" + std::to_string(number);
  series.ready = true;
  series.started = kStart;
  series.memory_limit = mib(512);
  for (int i = 0; i < kSamples; ++i) {
    Sample sample;
    sample.at = kStart + i * kInterval;
    MemStats mem;
    mem.heap_alloc = mib(90);
    mem.total_alloc = mib(150.0 * i);
    mem.sys = mib(180);
    mem.heap_sys = mib(160);
    mem.heap_idle = mib(60);
    mem.heap_in_use = mib(100);
    mem.heap_released = mib(20);
    mem.stack_in_use = mib(2);
    mem.next_gc = mib(128);
    mem.num_gc = static_cast<std::uint32_t>(2 * i);
    mem.gc_cpu_fraction = 0.02;
    mem.pauses = {{sample.at - kInterval / 2, std::chrono::microseconds(50)},
                  {sample.at, std::chrono::microseconds(60)}};
    sample.mem = mem;
    ContainerUsage usage;
    usage.limit = mib(512);
    usage.working_set = mib(190);
    usage.anonymous = mib(185);
    usage.cpu_seconds = 3.0 * i;
    sample.usage = usage;
    series.samples.push_back(std::move(sample));
  }
  return series;
}

void Decide(benchmark::State& state) {
  DecideInput input;
  for (int i = 0; i < state.range(0); ++i) input.observed.pods.push_back(pod(i));
  input.observed.at = kStart + kSamples * kInterval;
  for ([[maybe_unused]] const auto _ : state) benchmark::DoNotOptimize(decide(input, input.observed.at));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(Decide)->Arg(1)->Arg(10)->Arg(100);

}  // namespace
}  // namespace gopacer
