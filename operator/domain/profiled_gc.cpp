#include "gopacer/domain/profiled_gc.h"

#include <algorithm>
#include <cmath>

namespace gopacer {

void ProfiledGc::add(const GcProfile& profile, std::optional<double> cores) {
  const auto is_amount = [](double value) { return std::isfinite(value) && value >= 0; };
  if (!is_amount(profile.gc_cpu_seconds) || !is_amount(profile.total_cpu_seconds)) return;
  const double seconds = to_seconds(profile.length);
  seconds_ += seconds;
  gc_ += profile.gc_cpu_seconds;
  assist_ += is_amount(profile.assist_cpu_seconds) ? profile.assist_cpu_seconds : 0;
  profiled_ += profile.total_cpu_seconds;
  used_ += cores ? *cores * seconds : profile.total_cpu_seconds;
  stacks_ += static_cast<double>(profile.stacks);
}

void ProfiledGc::add(const ProfiledGc& other) {
  seconds_ += other.seconds_;
  gc_ += other.gc_;
  assist_ += other.assist_;
  profiled_ += other.profiled_;
  used_ += other.used_;
  stacks_ += other.stacks_;
}

double ProfiledGc::share_of(double seconds) const {
  const double whole = std::max(profiled_, used_);
  return whole > 0 ? std::clamp(seconds / whole, 0.0, 1.0) : 0;
}

double ProfiledGc::share() const { return share_of(gc_); }

double ProfiledGc::assist_share() const { return share_of(assist_); }

double ProfiledGc::rel_error() const {
  const double of_collection = empty() ? 0 : stacks_ * gc_ / profiled_;
  return of_collection > 0 ? std::min(1.0, 1 / std::sqrt(of_collection)) : 1;
}

double ProfiledGc::profiled_cores_error() const { return stacks_ > 0 ? 1 / std::sqrt(stacks_) : 1; }

}  // namespace gopacer
