#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "gopacer/domain/settings.h"
#include "gopacer/domain/workload.h"

namespace gopacer {
class ApiServer;
}

/// What `kubectl gopacer` knows, read from the objects that anybody sees by kubectl. Texts and JSON are made of these
/// structs only, so that they tell the same.
namespace gopacer::plugin {

/// A figure that a trial compares.
struct MetricStory {
  std::string name;
  std::string change;   ///< "+1.2%"
  std::string verdict;  ///< "better", "worse", "no data" or "undecided"
  std::string summary;  ///< all of it in a line
};

/// One side of a trial that has pods of its own.
struct ArmStory {
  std::string track;  ///< "canary" or "baseline"
  std::string deployment;
  int ready = 0;
  int wanted = 0;
};

struct TrialStory {
  std::string name;
  std::string uid;
  int number = 0;
  std::string from;  ///< in words
  std::string to;
  Settings tried;
  bool live = false;  ///< in running processes
  std::string phase;
  std::string verdict;  ///< empty until there is one
  std::string reason;
  std::string message;
  std::string why;  ///< it was begun
  std::string requested_by;
  std::string decided_by;
  std::optional<Time> created;
  std::optional<Time> ended;
  std::string duration;
  std::string latency_change;
  std::string gc_change;
  std::string predicted_saving_percent;
  bool watching = false;  ///< `metrics` and what was counted are of its watch
  int windows = 0;
  std::int64_t canary_requests = 0;
  std::int64_t baseline_requests = 0;
  std::vector<MetricStory> metrics;
  std::vector<std::pair<Time, std::string>> steps;  ///< what happened, oldest first

  bool running() const { return phase != "Ended"; }
};

/// What got into force without a trial.
struct ChangeStory {
  Time at;
  std::string from;
  std::string to;
  std::string why;
};

struct ConditionStory {
  std::string type;
  bool holds = false;
  std::string reason;
  std::string message;
  std::optional<Time> since;
};

struct ProfileStory {
  ObjectKey key;
  std::string target;
  std::string container;
  std::string mode;
  bool suspended = false;
  std::string apply;
  std::string objective;
  std::string strategy;
  std::string phase;
  bool up_to_date = false;  ///< the status is about the present spec
  std::vector<ConditionStory> conditions;
  Settings current;  ///< in the target's pod template
  bool recommends = false;
  Settings recommended;
  std::string recommendation_why;
  std::string binding;
  std::string destination;
  std::string saving;
  std::string predicted_gc;
  std::string predicted_peak;
  /// Of what is observed, by name, as the status has it: figures with their units.
  std::vector<std::pair<std::string, std::string>> observed;
  std::vector<std::pair<std::string, std::string>> sources;
  std::vector<std::string> tradeoff;
  Settings applied;               ///< what gopacer has put in force, and into which container
  std::string applied_container;  ///< empty: nothing
  bool applied_live = false;      ///< by node agents, beside the template
  std::optional<Time> cool_down_until;
  std::string undone_to;
  std::string undo_wanted;
  std::string retried;
  bool waits_for_retry = false;  ///< somebody has asked for another trial, and gopacer has not seen it yet
  std::vector<ChangeStory> changes;
  std::vector<TrialStory> trials;  ///< that are kept, oldest first
  std::vector<ArmStory> arms;      ///< of the running trial
  std::string arms_unknown;        ///< why they are not told

  const ConditionStory* condition(const std::string& type) const;
  /// The figure of `observed`; empty when it is not known.
  std::string figure(const std::string& name) const;
  const TrialStory* running_trial() const;
  const TrialStory* latest_trial() const;
  /// Null where none of this name is kept.
  const TrialStory* trial_named(const std::string& name) const;
};

/// The profile with its trials and the arms of the one that runs. Error: it can't be read, with what is needed.
Result<ProfileStory> read_profile(ApiServer& api, const ObjectKey& key);

/// All profiles of a namespace, or of all where it is empty, without trials and arms; by name.
Result<std::vector<ProfileStory>> read_profiles(ApiServer& api, const std::string& ns);

/// All that text tells, and more.
nlohmann::json to_json(const ProfileStory& story);
nlohmann::json to_json(const TrialStory& trial);

/// The error of a request, with what its sender needs: the right by name, or the definitions.
Error explained(const Error& error, const std::string& verb, const std::string& resource, const std::string& ns);

}  // namespace gopacer::plugin
