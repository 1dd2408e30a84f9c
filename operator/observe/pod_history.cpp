#include "observe/pod_history.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "gopacer/domain/histogram.h"
#include "gopacer/domain/profiled_gc.h"

namespace gopacer {
namespace {

/// What glibc's malloc() takes for `bytes` on a 64-bit machine: 8 more, in steps of 16, and 32 at least.
std::size_t allocated(std::size_t bytes) {
  return bytes == 0 ? 0 : std::max<std::size_t>(32, (bytes + 8 + 15) / 16 * 16);
}

template <typename T>
std::size_t bytes_of(const std::vector<T>& values) {
  return allocated(values.capacity() * sizeof(T));
}

std::size_t bytes_of(const std::string& text) {
  const auto* const begin = reinterpret_cast<const char*>(&text);
  const auto* const end = reinterpret_cast<const char*>(&text + 1);
  const bool inside = text.data() >= begin && text.data() < end;
  return inside ? 0 : allocated(text.capacity() + 1);
}

/// Of what std::make_shared puts before an object: two words.
constexpr std::size_t kSharedHead = 16;
/// Of what a std::map puts before an entry: a colour and three pointers.
constexpr std::size_t kNodeHead = 32;

/// Bounds that the sample before it has too are not counted again.
std::size_t bytes_of(const Sample& sample, const Sample* before) {
  std::size_t bytes = allocated(kSharedHead + sizeof(Sample));
  if (sample.mem) bytes += bytes_of(sample.mem->pauses);
  if (sample.process && sample.process->go_version) bytes += bytes_of(*sample.process->go_version);
  for (const auto& [slo, histogram] : sample.latency) {
    bytes += allocated(kNodeHead + sizeof(std::pair<const std::string, Histogram>)) + bytes_of(slo);
    bytes += bytes_of(histogram.counts);
    if (before != nullptr) {
      const auto same = before->latency.find(slo);
      if (same != before->latency.end() && same->second.bounds == histogram.bounds) continue;
    }
    bytes += allocated(kSharedHead + sizeof(BucketBounds::element_type)) + bytes_of(*histogram.bounds);
  }
  return bytes;
}

}  // namespace

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
  std::erase_if(fallen_, [&](const auto& entry) { return !sample.latency.contains(entry.first); });
  for (auto slo = sample.latency.begin(); slo != sample.latency.end();) {
    const auto before = std::find_if(samples_.rbegin(), samples_.rend(),
                                     [&](const Sample& kept) { return kept.latency.contains(slo->first); });
    const bool fell = before != samples_.rend() && !difference(slo->second, before->latency.at(slo->first));
    const bool anew = fell && ++fallen_[slo->first] == kFallenReadings;
    if (!fell || anew) fallen_.erase(slo->first);
    slo = fell && !anew ? sample.latency.erase(slo) : std::next(slo);
  }
}

void PodHistory::append(Sample sample, Duration keep) {
  if (!samples_.empty() && is_another_process(samples_.back(), sample)) clear();
  drop_fallen(sample);
  note_settings(sample);
  if (sample.profile && sample.mem) sample.profile->collections = collections_during(*sample.profile, *sample.mem);
  if (sample.mem) forget_known_cycles();
  share_bounds(sample);
  if (!first_read_) first_read_ = sample.at;
  // One that is older stays, so that there is something to compare the oldest of the others with.
  while (samples_.size() > 1 && sample.at - samples_[1].at > keep) {
    keep_profile(samples_.front());
    samples_.pop_front();
  }
  samples_.push_back(std::move(sample));
  weigh();
}

/// What a collection costs depends on how much there is to sweep, and that on the settings.
void PodHistory::note_settings(const Sample& next) {
  const auto told = [](const Sample& sample) { return sample.process && sample.process->gogc; };
  if (!told(next)) return;
  const auto before = std::find_if(samples_.rbegin(), samples_.rend(), told);
  if (before == samples_.rend()) return;
  if (before->process->gogc == next.process->gogc && before->process->go_mem_limit == next.process->go_mem_limit)
    return;
  earlier_.clear();
  settings_since_ = next.at;
}

void PodHistory::keep_profile(const Sample& leaving) {
  const auto& profile = leaving.profile;
  if (!profile || !profile->collections || leaving.at - profile->length < settings_since_) return;
  if (earlier_.size() == kEarlierProfiles) earlier_.erase(earlier_.begin());
  earlier_.push_back(*profile);
}

bool PodHistory::is_bare() const {
  return samples_.empty() || (samples_.size() == 1 && samples_.front().latency.empty());
}

std::size_t PodHistory::thin() {
  const std::size_t before = samples_.size();
  if (before <= 1) {
    if (before == 1) samples_.change(0, [](Sample& sample) { sample.latency.clear(); });
    weigh();
    return 0;
  }
  std::vector<bool> given_up = to_spare();
  if (std::find(given_up.begin(), given_up.end(), true) == given_up.end()) {
    std::fill_n(given_up.begin(), before / 2, true);
  }
  std::size_t at = 0;
  samples_.erase_if([&](const Sample& sample) {
    const bool goes = given_up[at++];
    if (goes) keep_profile(sample);
    return goes;
  });
  samples_.shrink_to_fit();
  for (std::size_t i = 0; i + kWhole < samples_.size(); ++i) {
    if (!samples_[i].mem || samples_[i].mem->pauses.size() <= 1) continue;
    samples_.change(i, [](Sample& sample) { sample.mem->pauses = std::vector<GcPause>{sample.mem->pauses.back()}; });
  }
  weigh();
  return before - samples_.size();
}

bool PodHistory::is_sparse() const {
  const std::vector<bool> spare = to_spare();
  return std::find(spare.begin(), spare.end(), true) == spare.end();
}

/// Which of the samples can go without leaving a gap that is too long. The oldest stays: it says how far back one can
/// look.
std::vector<bool> PodHistory::to_spare() const {
  std::vector<bool> spare(samples_.size(), false);
  for (std::size_t i = 1; i + kWhole < samples_.size(); ++i) {
    const bool leaves_no_gap = samples_[i + 1].at - samples_[i - 1].at <= kLongestGap;
    const bool tells_no_more = !samples_[i].profile || samples_[i + 1].profile;
    spare[i] = !spare[i - 1] && leaves_no_gap && tells_no_more;
  }
  return spare;
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
  samples_.shrink_to_fit();
  earlier_.clear();
  earlier_.shrink_to_fit();
  settings_since_ = Time{};
  fallen_.clear();
  known_until_ = Time{};
  first_read_.reset();
  bytes_ = 0;
}

void PodHistory::forget(const std::string& slo) {
  samples_.change_each([&](Sample& sample) { sample.latency.erase(slo); });
  fallen_.erase(slo);
  weigh();
}

void PodHistory::weigh() {
  bytes_ = allocated(samples_.capacity() * sizeof(SampleRow::Shared)) + bytes_of(earlier_);
  const Sample* before = nullptr;
  for (const Sample& sample : samples_) {
    bytes_ += bytes_of(sample, before);
    before = &sample;
  }
}

}  // namespace gopacer
