#include "observe/pod_history.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "gopacer/domain/histogram.h"

namespace gopacer {

bool is_another_process(const Sample& before, const Sample& next) {
  if (before.mem && next.mem &&
      (next.mem->total_alloc < before.mem->total_alloc || next.mem->num_gc < before.mem->num_gc)) {
    return true;
  }
  if (before.process && next.process) {
    const auto& a = *before.process;
    const auto& b = *next.process;
    // The time is a float of seconds: it comes out the same each time for the same process.
    if (a.started && b.started && std::chrono::abs(*b.started - *a.started) > std::chrono::seconds(1)) return true;
    if (a.cpu_seconds && b.cpu_seconds && *b.cpu_seconds < *a.cpu_seconds) return true;
  }
  return false;
}

/// A page may lack some series of a histogram, which then come back with all that they ever counted: neither the fall
/// nor the rise is what happened. Counts that stay low have begun anew.
void PodHistory::drop_fallen(Sample& sample) {
  for (auto slo = sample.latency.begin(); slo != sample.latency.end();) {
    const auto before = std::find_if(samples_.rbegin(), samples_.rend(),
                                     [&](const Sample& kept) { return kept.latency.contains(slo->first); });
    const bool fell = before != samples_.rend() && !difference(slo->second, before->latency.at(slo->first));
    int& readings = fallen_[slo->first];
    readings = fell ? readings + 1 : 0;
    const bool anew = readings == kFallenReadings;
    if (anew) readings = 0;
    slo = fell && !anew ? sample.latency.erase(slo) : std::next(slo);
  }
}

void PodHistory::append(Sample sample, std::size_t most) {
  if (!samples_.empty() && is_another_process(samples_.back(), sample)) clear();
  drop_fallen(sample);
  if (sample.mem) forget_known_cycles();
  share_bounds(sample);
  if (!first_read_) first_read_ = sample.at;
  samples_.push_back(std::move(sample));
  if (samples_.size() > kHistograms) {
    samples_.change(samples_.size() - kHistograms - 1, [](Sample& old) { old.latency.clear(); });
  }
  while (samples_.size() > most) samples_.pop_front();
}

/// Of the newest reading of MemStats, before another one follows it.
void PodHistory::forget_known_cycles() {
  std::size_t i = samples_.size();
  while (i > 0 && !samples_[i - 1].mem) --i;
  if (i == 0 || samples_[i - 1].mem->pauses.empty()) return;
  const Time newest = samples_[i - 1].mem->pauses.back().end;
  samples_.change(i - 1, [&](Sample& sample) {
    std::vector<GcPause>& pauses = sample.mem->pauses;
    std::erase_if(pauses, [&](const GcPause& pause) { return pause.end <= known_until_ && pause.end != newest; });
    pauses.shrink_to_fit();
  });
  known_until_ = std::max(known_until_, newest);
}

void PodHistory::share_bounds(Sample& sample) const {
  if (samples_.empty()) return;
  for (auto& [slo, histogram] : sample.latency) {
    const auto before = samples_.back().latency.find(slo);
    if (before != samples_.back().latency.end() && *before->second.bounds == *histogram.bounds) {
      histogram.bounds = before->second.bounds;
    }
  }
}

void PodHistory::clear() {
  samples_.clear();
  first_read_.reset();
  fallen_.clear();
  known_until_ = Time{};
}

}  // namespace gopacer
