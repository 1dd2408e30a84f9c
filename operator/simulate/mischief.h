#pragma once

#include <functional>
#include <optional>
#include <string>

#include "gopacer/simulate/rollout.h"
#include "simulate/api_server.h"
#include "simulate/cluster.h"

namespace gopacer::simulating {

/// All that goes wrong in a rollout: decides when, and does it.
class Mischief {
 public:
  /// `live`: settings are tried in running processes, by agents.
  Mischief(const Faults& faults, bool live, std::uint64_t seed, ApiServer& api, Cluster& cluster);

  /// What happens in the window that ends at `now`, by the true clock.
  void pass(Duration window, Time now);

  bool operator_is_away(Time now) const { return now < away_until_; }
  /// The operator died in its latest pass.
  void bury_operator(Time now);
  /// What the watches of the operator show in this pass.
  const Objects& picture();
  /// What is to be added to the true time.
  Duration clock_error() const { return clock_error_; }
  double load() const { return load_; }

  int accidents() const { return accidents_; }
  /// Nothing has happened since it was asked last.
  bool is_calm();

  /// A person has put something else into the target.
  std::function<void()> on_settings_by_person = [] {};
  std::function<void(Duration)> on_clock_step = [](Duration) {};

 private:
  bool chance(double probability);
  bool happens(double per_hour, Duration window);
  int any(int from, int to);
  void note() { ++accidents_; }

  Accident accident(bool of_target);
  void step_clock();
  void befall_pods(Time now);
  void act_as_person(Time now);
  void set_as_person(const Settings& settings);
  void change_profile();

  const Faults faults_;
  const bool live_;
  Random random_;
  ApiServer& api_;
  Cluster& cluster_;
  Objects seen_;
  bool has_seen_ = false;
  /// A write to the target went wrong a moment ago: when more goes wrong now, it does most harm.
  bool in_trouble_ = false;
  Time away_until_;
  Duration clock_error_{0};
  double load_ = 1;
  Time load_until_;
  std::optional<Time> suspended_until_;
  int templates_ = 1;
  int targets_ = 1;
  int accidents_ = 0;
  int known_accidents_ = 0;
};

}  // namespace gopacer::simulating
