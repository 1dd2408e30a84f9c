#include "observe/pod_history.h"

#include <algorithm>
#include <cmath>
#include <utility>

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
  return std::any_of(next.latency.begin(), next.latency.end(), [&](const auto& slo) {
    const auto was = before.latency.find(slo.first);
    return was != before.latency.end() && slo.second.count() < was->second.count();
  });
}

void PodHistory::append(Sample sample, std::size_t most) {
  if (!samples_.empty() && is_another_process(samples_.back(), sample)) clear();
  const auto with_mem =
      std::find_if(samples_.rbegin(), samples_.rend(), [](const Sample& s) { return s.mem.has_value(); });
  if (sample.mem && with_mem != samples_.rend() && !with_mem->mem->pauses.empty()) {
    std::vector<GcPause>& pauses = with_mem->mem->pauses;
    const Time newest = pauses.back().end;
    std::erase_if(pauses, [&](const GcPause& pause) { return pause.end <= known_until_ && pause.end != newest; });
    pauses.shrink_to_fit();
    known_until_ = std::max(known_until_, newest);
  }
  if (!first_read_) first_read_ = sample.at;
  samples_.push_back(std::move(sample));
  if (samples_.size() > kHistograms) samples_[samples_.size() - kHistograms - 1].latency.clear();
  while (samples_.size() > most) samples_.pop_front();
}

void PodHistory::clear() {
  samples_.clear();
  first_read_.reset();
  known_until_ = Time{};
}

}  // namespace gopacer
