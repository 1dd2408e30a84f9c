#include "cli/memory_sampling.h"

#include <thread>

#include "cli/local_process.h"
#include "runtime_memory/sample_of.h"

namespace gopacer {
Observation sample_memory(const GoRuntime& runtime, const Clock& clock, UsageFallback& usage, const LiveSampling& what,
                          const std::function<void(const SamplingProgress&)>& progress) {
  Observation observed;
  observed.container_source = usage.name();
  PodSeries& series = observed.pods.emplace_back();
  series.pod = what.target.pod.name;
  series.uid = what.target.uid;
  series.ready = true;
  series.started = what.target.started;
  series.memory_limit = what.target.memory_limit;
  series.cpu_limit = what.target.cpu_limit;
  CycleCounter counter;
  const Time began = clock.now();
  while (true) {
    const auto state = runtime.read();
    const Time now = observed.at = clock.now();
    if (!state) {
      series.error = state.error().message;
      return observed;
    }
    counter.add(*state);
    if (series.samples.empty() || now - series.samples.back().at >= what.plan.interval) {
      Sample sample = sample_of(*state, counter, now);
      if (auto used = usage.list(what.target.pod.ns); used && !used->empty()) sample.usage = used->front().usage;
      series.samples.push_back(std::move(sample));
      if (!series.first_read) series.first_read = now;
      if (progress) progress({now - began, what.duration, series});
      if (now - series.samples.front().at >= what.duration) return observed;
    }
    std::this_thread::sleep_for(counter.next());
  }
}

Result<MemorySubject> observe_memory(int pid, const GoRuntime& runtime, const Clock& clock, LiveSampling what,
                                     const std::function<void(const SamplingProgress&)>& progress) {
  what.target.pod = {"", "process-" + std::to_string(pid)};
  what.target.uid = what.target.pod.name;
  auto process = LocalProcess::open(pid, what.target.pod, {}, clock);
  if (!process) return tl::unexpected(process.error());
  what.target.started = process->started();
  if (!what.target.memory_limit) what.target.memory_limit = process->memory_limit();
  if (!what.target.cpu_limit) what.target.cpu_limit = process->cpus();
  MemorySubject subject{sample_memory(runtime, clock, *process, what, progress), process->go_version()};
  subject.observed.pods.front().samples.change_each(
      [&](Sample& sample) { sample.process->go_version = subject.go_version; });
  return subject;
}

}  // namespace gopacer
