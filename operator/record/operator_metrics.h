#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// A figure of a profile, of its target or of its running trial. `family` is one of those that docs/metrics.md lists.
struct ProfileFigure {
  using Labels = std::map<std::string, std::string>;
  std::string family;
  Labels labels;  ///< beside those of the profile
  double value = 0;
};

/// gopacer's own figures in Prometheus's text format. Thread-safe.
class OperatorMetrics {
 public:
  OperatorMetrics();
  ~OperatorMetrics();

  void pass_done(const ObjectKey& profile, Duration took, bool failed);
  void step_taken(const std::string& step);
  void trial_ended(const ObjectKey& profile, const std::string& verdict);
  /// In place of all that was shown of the profile before: a series that is not among them is gone.
  void show(const ObjectKey& profile, const std::vector<ProfileFigure>& figures);
  /// Of the target's pods, since they were last counted.
  void pauses(const ObjectKey& profile, int all, int long_ones);
  void forget(const ObjectKey& profile);
  void leading(bool is_leader);
  /// `silent`: since the server last said anything of this kind.
  void watch_age(const std::string& kind, Duration silent);
  void unreadable_object(const std::string& kind);
  /// Since the start.
  void events_dropped(double total);
  void scrapes(double total, double failed, double bytes);
  /// Readings of pods in which a pause stood out, and storms of allocations that began, since the start.
  void episodes(double long_pauses, double storms);
  /// What the histories of pods take, and how many samples were given up since the start to keep within that.
  void histories(double bytes, double limit, double shed_by_pod, double shed_outside_trials, double shed_in_trials);

  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
