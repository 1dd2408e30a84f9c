#include "decide/signals.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "decide/series.h"
#include "gopacer/domain/histogram.h"

namespace gopacer::deciding {
namespace {

constexpr Duration kMinute = std::chrono::seconds(60);
constexpr double kMegabyte = 1e6;
/// Readings come at their own times: a "minute" may be a little shorter.
constexpr Duration kNearlyAMinute = std::chrono::seconds(45);

/// Adds up what several pods say.
class Mean {
 public:
  void add(double value) { sum_ += value, ++count_; }
  std::optional<double> value() const { return count_ == 0 ? std::nullopt : std::optional(sum_ / count_); }

 private:
  double sum_ = 0;
  int count_ = 0;
};

/// Those of the latest minute, and one before it where there is one; with MemStats when `mem`.
template <typename Wanted>
Samples latest_minute(const PodSeries& pod, Time now, const Wanted& wanted) {
  Samples samples;
  for (auto sample = pod.samples.rbegin(); sample != pod.samples.rend(); ++sample) {
    if (sample->at > now || !wanted(*sample)) continue;
    samples.push_back(&*sample);
    if (now - sample->at >= kMinute) break;
  }
  std::reverse(samples.begin(), samples.end());
  // A pod that was last read long ago says nothing of this minute.
  if (samples.empty() || now - samples.back()->at >= kMinute) return {};
  return samples;
}

double growth_mb(const Sample& from, const Sample& to) {
  return (to.mem->heap_alloc - from.mem->heap_alloc).value() / kMegabyte / to_seconds(to.at - from.at);
}

std::optional<PauseFactors> factors_of(const Samples& samples) {
  const MemStats& last = *samples.back()->mem;
  if (samples.size() < 3) return std::nullopt;
  const auto rate = [](const Sample& from, const Sample& to) {
    return (to.mem->total_alloc - from.mem->total_alloc).value() / to_seconds(to.at - from.at);
  };
  const double mean_rate = rate(*samples.front(), *samples.back());
  const double objects = std::accumulate(samples.begin(), samples.end(), 0.0, [](double sum, const Sample* sample) {
    return sum + static_cast<double>(sample->mem->heap_objects);
  });
  double pauses = 0;
  int count = 0;
  for (const GcPause& pause : last.pauses) {
    if (pause.end <= samples.front()->at) continue;
    pauses += to_seconds(pause.pause) * 1000;
    ++count;
  }
  // Each factor is of something that has to be there.
  if (!(mean_rate > 0) || !(objects > 0) || count == 0) return std::nullopt;
  PauseFactors factors;
  factors.mean_pause_ms = pauses / count;
  factors.last_pause_ms = to_seconds(last.pauses.back().pause) * 1000;
  factors.alloc_rate_ratio = rate(*samples[samples.size() - 2], *samples.back()) / mean_rate;
  factors.live_objects_ratio = static_cast<double>(last.heap_objects) / (objects / static_cast<double>(samples.size()));
  return factors;
}

/// Since when the process tells the settings that it tells now; none where it does not tell any.
std::optional<Time> settled_since(const PodSeries& pod) {
  Samples telling;
  for (const Sample& sample : pod.samples) {
    if (sample.process && sample.process->gogc) telling.push_back(&sample);
  }
  return telling.empty() ? std::nullopt : std::optional(telling[with_other_settings(telling)]->at);
}

/// None where the reading is older than what the pod runs now: what a change gives back was not seen yet.
std::optional<double> node_share_of(const PodSeries& pod, Time now) {
  const Sample* const latest = latest_sample(pod, [](const Sample& sample) { return sample.usage.has_value(); });
  if (latest == nullptr || now - latest->at >= kMinute) return std::nullopt;
  const Time at = latest->usage->at == Time{} ? latest->at : latest->usage->at;
  const auto since = settled_since(pod);
  return since && at < *since ? std::nullopt : latest->usage->node_share;
}

}  // namespace

Signals read_signals(const DecideInput& input, Time now) {
  Signals signals;
  Mean requests, minute_growth, latest_growth, utilization, heap;
  std::optional<Histogram> all_latency;
  std::array<Mean, 3> pauses;
  PauseFactors factors;
  const auto with_histogram =
      std::find_if(input.spec.slos.begin(), input.spec.slos.end(), [](const Slo& slo) { return slo.is_latency(); });
  const std::string slo = with_histogram == input.spec.slos.end() ? std::string() : with_histogram->name;

  for (const PodSeries& pod : input.observed.pods) {
    if (pod.track != Track::kStable || pod.settings != input.current) continue;
    const Samples with_mem = latest_minute(pod, now, [](const Sample& sample) { return sample.mem.has_value(); });
    if (with_mem.size() >= 2) {
      const Sample& first = *with_mem.front();
      const Sample& last = *with_mem.back();
      if (last.at - first.at >= kNearlyAMinute) minute_growth.add(growth_mb(first, last));
      latest_growth.add(growth_mb(*with_mem[with_mem.size() - 2], last));
      if (last.mem->heap_sys > Bytes(0)) utilization.add(last.mem->heap_in_use / last.mem->heap_sys);
      heap.add(last.mem->heap_alloc.value());
      const std::vector<GcPause>& ring = last.mem->pauses;
      if (ring.size() >= 3) {
        for (std::size_t i = 0; i < 3; ++i) pauses[i].add(to_seconds(ring[ring.size() - 3 + i].pause));
      }
      const auto found = factors_of(with_mem);
      if (found && found->mean_pause_ms >= factors.mean_pause_ms) signals.pause_factors = factors = *found;
    }
    if (const auto share = node_share_of(pod, now)) {
      signals.node_share = std::max(signals.node_share.value_or(0), *share);
    }
    if (slo.empty()) continue;
    const Samples with_latency =
        latest_minute(pod, now, [&](const Sample& sample) { return sample.latency.contains(slo); });
    if (with_latency.size() < 2) continue;
    const auto delta = difference(with_latency.back()->latency.at(slo), with_latency.front()->latency.at(slo));
    if (!delta) continue;
    requests.add(delta->count() / to_seconds(with_latency.back()->at - with_latency.front()->at));
    if (!all_latency) {
      all_latency = delta;
    } else {
      merge(*all_latency, *delta);
    }
  }

  signals.requests_per_second = requests.value();
  signals.minute_growth = minute_growth.value();
  signals.latest_growth = latest_growth.value();
  signals.heap_utilization = utilization.value();
  if (heap.value()) signals.heap = Bytes::of(*heap.value());
  if (pauses[0].value()) {
    signals.last_pauses.emplace();
    for (std::size_t i = 0; i < 3; ++i) {
      (*signals.last_pauses)[i] = Duration(static_cast<std::int64_t>(*pauses[i].value() * 1e9));
    }
  }
  if (all_latency) {
    if (const auto p99 = quantile(*all_latency, 0.99)) signals.p99_ms = p99->value * 1000;
  }
  return signals;
}

}  // namespace gopacer::deciding
