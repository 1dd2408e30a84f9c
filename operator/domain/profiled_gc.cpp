#include "gopacer/domain/profiled_gc.h"

#include <algorithm>
#include <cmath>

namespace gopacer {

namespace {

/// Fewer give no mean.
constexpr int kFewestCollections = 5;

}  // namespace

std::optional<int> collections_during(const GcProfile& profile, const MemStats& mem) {
  if (!profile.began) return std::nullopt;
  const Time from = *profile.began;
  const Time to = from + profile.length;
  const bool has_all = mem.pauses.size() >= mem.num_gc || (!mem.pauses.empty() && mem.pauses.front().end <= from);
  if (!has_all) return std::nullopt;
  return static_cast<int>(
      std::ranges::count_if(mem.pauses, [&](const GcPause& pause) { return pause.end > from && pause.end <= to; }));
}

void ProfiledGc::add(const GcProfile& profile, std::optional<double> cores) {
  const auto is_amount = [](double value) { return std::isfinite(value) && value >= 0; };
  if (!is_amount(profile.gc_cpu_seconds) || !is_amount(profile.total_cpu_seconds)) return;
  const double seconds = to_seconds(profile.length);
  seconds_ += seconds;
  gc_ += profile.gc_cpu_seconds;
  if (std::ranges::all_of(profile.uses.values, is_amount)) uses_ += profile.uses;
  profiled_ += profile.total_cpu_seconds;
  used_ += cores ? *cores * seconds : profile.total_cpu_seconds;
  stacks_ += static_cast<double>(profile.stacks);
  ++profiles_;
  if (profile.collections) collections_ += *profile.collections, counted_gc_ += profile.gc_cpu_seconds;
}

void ProfiledGc::add(const ProfiledGc& other) {
  seconds_ += other.seconds_;
  gc_ += other.gc_;
  uses_ += other.uses_;
  profiled_ += other.profiled_;
  used_ += other.used_;
  stacks_ += other.stacks_;
  profiles_ += other.profiles_;
  collections_ += other.collections_;
  counted_gc_ += other.counted_gc_;
}

double ProfiledGc::share_of(double seconds) const {
  const double whole = std::max(profiled_, used_);
  return whole > 0 ? std::clamp(seconds / whole, 0.0, 1.0) : 0;
}

std::optional<double> ProfiledGc::per_collection() const {
  if (collections_ < kFewestCollections) return std::nullopt;
  return counted_gc_ / collections_;
}

double ProfiledGc::share() const { return share_of(gc_); }

double ProfiledGc::rel_error() const { return gc_stacks() > 0 ? std::min(1.0, 1 / std::sqrt(gc_stacks())) : 1; }

double ProfiledGc::profiled_cores_error() const { return stacks_ > 0 ? 1 / std::sqrt(stacks_) : 1; }

}  // namespace gopacer
