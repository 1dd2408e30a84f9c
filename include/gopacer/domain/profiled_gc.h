#pragma once

#include <algorithm>
#include <optional>

#include "gopacer/domain/sample.h"

namespace gopacer {

/// How many collections ended while the profile was taken, by MemStats that were read after it. None where their ring
/// does not reach back so far, or the profile does not tell when it began.
std::optional<int> collections_during(const GcProfile& profile, const MemStats& mem);

/// GC's share of the CPU in use, from one CPU profile or several.
///
/// What a profile counts is not all CPU that was used: the kernel looks at a thread's timer only at its own ticks, and
/// misses work of threads that run for less than a tick at a time, 8 to 18 % of all CPU time in recordings at the usual
/// rate. Requests are served like that; marking mostly runs on. So GC's time in the profile is set against the CPU time
/// by the kernel's account.
class ProfiledGc {
 public:
  /// `cores`: in use while the profile was taken, by the kernel's account; none where that is not known.
  void add(const GcProfile& profile, std::optional<double> cores);
  void add(const ProfiledGc& other);

  bool empty() const { return profiled_ <= 0; }
  /// CPU seconds of a collection, by the profiles of which it is known how many there were. A profile of some seconds
  /// holds whole collections, so that their share of its CPU is as much chance as how many happened to begin in it.
  std::optional<double> per_collection() const;
  int profiles() const { return profiles_; }
  /// In the profiles of which that is known.
  int collections() const { return collections_; }
  double seconds() const { return seconds_; }
  /// Within 0 and 1. The whole is the profile's own where it holds more than the kernel's account says.
  double share() const;
  /// What part of the CPU in use goes that way, within 0 and 1.
  double share_of(CpuUse use) const { return share_of(uses_[use]); }
  /// Of collection's CPU, what the background sweeper took, and how many of collection's stacks tell so.
  double sweep_part() const { return gc_ > 0 ? std::clamp(uses_[CpuUse::kSweeping] / gc_, 0.0, 1.0) : 0; }
  double gc_stacks() const { return profiled_ > 0 ? stacks_ * std::clamp(gc_ / profiled_, 0.0, 1.0) : 0; }
  /// Relative standard error of share(), as the number of stacks makes it; 1 when no stack is collection's.
  double rel_error() const;
  /// Cores that the profiles themselves show.
  double profiled_cores() const { return profiled_ / seconds_; }
  /// Relative standard error of profiled_cores().
  double profiled_cores_error() const;

 private:
  double share_of(double seconds) const;

  double seconds_ = 0;
  double gc_ = 0;
  CpuUses uses_;
  double profiled_ = 0;
  double used_ = 0;  ///< profiled_ where the kernel's account is missing
  double stacks_ = 0;
  int profiles_ = 0;
  int collections_ = 0;    ///< in the profiles whose collections are known
  double counted_gc_ = 0;  ///< CPU seconds, in those
};

}  // namespace gopacer
