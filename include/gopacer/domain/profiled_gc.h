#pragma once

#include <optional>

#include "gopacer/domain/sample.h"

namespace gopacer {

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
  /// Within 0 and 1. The whole is the profile's own where it holds more than the kernel's account says.
  double share() const;
  /// The part of share() that goroutines which allocate had to do themselves.
  double assist_share() const;
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
  double assist_ = 0;
  double profiled_ = 0;
  double used_ = 0;  ///< profiled_ where the kernel's account is missing
  double stacks_ = 0;
};

}  // namespace gopacer
