#pragma once

#include <memory>
#include <optional>
#include <string>

#include "simulate/cluster.h"
#include "simulate/operator_process.h"

namespace gopacer::simulating {

/// What must hold whatever goes wrong. The first thing that does not is kept.
class Invariants {
 public:
  explicit Invariants(const ApiServer& api) : api_(api) {}

  /// The operator wrote something.
  void wrote(const Objects& before, Time now);
  /// A person put something else into the target.
  void person_set();
  /// The operator's clock was set ahead, or back.
  void clock_stepped(Duration step);
  /// The node agents have done what they were asked for, at `now` by the true clock.
  void obeyed(const Cluster& cluster, Time now);
  /// The operator has made a pass at `now`, by its own clock. `calm`: nothing went wrong in it or since the one before.
  void passed(const OperatorProcess::Pass& pass, Time now, bool calm);
  const std::string& broken() const { return broken_; }

 private:
  /// Whose word the present value of a variable is.
  struct Variables {
    bool gogc = false;
    bool limit = false;
  };

  void expect(bool holds, const std::string& otherwise);
  void settings_written(const Objects& before, const Settings& from, const Settings& to);
  void has_its_turn(const Cluster::LivingPod& living, const Cluster::Agent& agent, Time now);
  void trial_written(const Objects& before, Time now);
  void trial_begun(const Trial& trial, const Objects& before, Time now);
  void trial_ended(const Trial& trial);
  void arms_in_time(Time now);
  void trial_in_time(const Trial& trial, Time now);
  /// `noted`: a trial was noted a moment ago.
  void memory_is_true(bool noted);
  void windows_count_once(const TrialStatus& status, const TrialSpec& spec);
  void gets_on(const OperatorProcess::Pass& pass, bool calm);

  const ApiServer& api_;
  std::string broken_;
  Settings current_ = kFirstSettings;  ///< of the target, in its template or by agents
  Variables persons_;
  std::optional<Settings> ours_;       ///< the target has what the operator put there, and nobody changed it since
  bool person_acted_ = false;          ///< on the target's settings, since the latest trial began
  Time free_since_;                    ///< the profile has no trial any more
  std::string over_;                   ///< uid of the latest trial of which an arm was removed
  std::shared_ptr<const Trial> live_;  ///< the running trial, as agents could last see it
  Time live_since_;                    ///< it is as it is, by the true clock
  int calm_passes_ = 0;                ///< in a row
  Duration clock_ahead_{0};            ///< all steps ahead: what is measured from after one has not begun before it
  Time latest_;                        ///< that the operator's clock has ever shown
  std::string last_step_;
  int repeated_ = 0;  ///< the same step, in a row
  int failed_ = 0;    ///< passes in a row in which nothing else went wrong
};

}  // namespace gopacer::simulating
