#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/domain/evidence.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "gopacer/domain/settings.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// Where a trial is. Each is kept in the cluster before what it announces is done, so that a successor can go on.
enum class TrialPhase { kPending, kWarmUp, kMeasuring, kPromoting, kWatching, kRollingBack, kEnded };

enum class TrialVerdict { kNone, kPromote, kRollBack, kInconclusive, kSuperseded, kAborted };

/// The target has not been touched in this phase, nor is it about to be.
bool before_promotion(TrialPhase phase);
std::string to_string(TrialPhase phase);
std::string to_string(TrialVerdict verdict);
/// Inverse of to_string; none for an unknown word.
std::optional<TrialPhase> parse_trial_phase(const std::string& text);
std::optional<TrialVerdict> parse_trial_verdict(const std::string& text);

/// What the model expected when the trial began; for the story that it tells.
struct TrialPrediction {
  std::string gc_cpu_percent;
  std::string saving_percent;
  std::string peak_memory;
  std::string cycle_volume;  ///< in GOMEMLIMIT's syntax, exact
  std::string destination;   ///< where steps like this one lead; empty where the trial goes all the way
};

/// Arms of one size, and how long they are compared before they grow.
struct ArmStep {
  int replicas = 1;   ///< pods of each arm
  Duration pause{0};  ///< of the last step without meaning
  bool operator==(const ArmStep&) const = default;
};

/// How a trial tries settings in running processes: in blocks, in each of which about half of its pods have them.
struct LivePlan {
  Duration block{0};  ///< length of a block; two make a period, in which each pod has both settings once
  /// What the processes have of their own where the environment leaves GOMEMLIMIT to them: some derive it from the
  /// container's limit. None: what the environment says.
  std::optional<Settings> own = std::nullopt;
  bool operator==(const LivePlan&) const = default;
};

/// Who has a live trial's settings at the moment, in its comparison and while it is promoted, and in its watch who has
/// the old ones. The node agents go by it, and take that back where it has not changed for kLiveLease.
struct LiveTurn {
  Time since;                     ///< the first block began; of a promotion: this stage of it
  std::int64_t block = 0;         ///< its number, from 0 on; of a promotion: the stage's
  std::vector<std::string> pods;  ///< uids of those that have other settings than the rest
  Time renewed;
  bool operator==(const LiveTurn&) const = default;
};

/// So long a trial's settings stay in a process after the latest word of the operator.
inline constexpr Duration kLiveLease = std::chrono::seconds(10);
/// Pods of a live trial.
inline constexpr std::size_t kMostLivePods = 80;

/// Immutable: what is tried, on what, and by which rules.
struct TrialSpec {
  std::string profile;
  std::string profile_uid;
  WorkloadRef target;
  std::string container;
  int number = 0;
  Settings from;
  Settings to;
  Strategy strategy = Strategy::kModel;
  std::string reason;
  TrialPrediction predicted;
  std::string template_hash;
  std::vector<Slo> slos;
  CanaryPlan canary;
  std::vector<ArmStep> steps;    ///< the arms' sizes one after another; empty: canary.replicas all the time
  std::optional<LivePlan> live;  ///< none: canary and baseline pods
  Duration watch_for{0};
  /// Least saving of GC CPU, as a share of the container's CPU, that makes the new settings worth having; negative when
  /// a loss up to that share is accepted.
  double min_saving = 0;
  /// Of the target's pods before the trial, each: restarts a day, at most kMostRestartsPerDay. What happened before is
  /// no fault of the new settings.
  double usual_restarts_per_day = 0;
  /// Whoever runs the operator then ends the trial at this time if nothing was promoted.
  Time deadline;
};

/// uid of the pod of one of TrialStatus::arm_pods.
std::string pod_of(const std::string& process);
/// Those processes by the uid of their pods, with the restarts that each had when it was noted.
std::map<std::string, int> restarts_of(const std::vector<std::string>& processes);

struct TrialStep {
  Time at;
  TrialPhase phase = TrialPhase::kPending;
  std::string message;
};

struct TrialStatus {
  TrialPhase phase = TrialPhase::kPending;
  TrialVerdict verdict = TrialVerdict::kNone;
  std::string reason;   ///< CamelCase
  std::string message;  ///< a sentence
  std::optional<Time> started;
  std::optional<Time> waiting_since;  ///< the trial's pods are being waited for
  std::optional<Time> warm_until;
  std::optional<Time> measuring_since;
  int step = 0;                         ///< of TrialSpec::steps
  std::vector<std::string> arm_pods;    ///< whom the comparison is about, sorted; another set begins it anew
  std::optional<LiveTurn> live;         ///< of a live trial, until all of the target's pods have its settings
  std::optional<Time> promoted;         ///< the target was patched
  std::int64_t applied_generation = 0;  ///< of the target after our latest write: an older picture of it says nothing
  /// How the trial ends once the old settings are back, where no harm of the new ones is the cause.
  TrialVerdict after_rollback = TrialVerdict::kNone;
  /// What is put back instead of what was there before the trial, as an SLO's action asks.
  std::optional<Settings> put_back;
  std::optional<Time> unavailable_since;  ///< the target has too few pods
  std::optional<Time> watching_since;     ///< all of the target's pods run the new settings
  int watched_replicas = 0;               ///< the fewest that the target wanted since then
  std::optional<Time> ended;
  Evidence evidence;                     ///< canary against baseline
  Evidence watch_evidence;               ///< after promotion
  std::optional<double> latency_change;  ///< relative
  std::optional<double> gc_change;       ///< relative: -0.5 halves GC's share of the container's CPU
  std::vector<TrialStep> steps;          ///< at most kMostTrialSteps, oldest first
};

inline constexpr std::size_t kMostTrialSteps = 30;
/// Pods of an arm, whatever the target's size.
inline constexpr int kMostArmReplicas = 40;

/// So that a trial's arms stay a small part of what serves: a quarter of the target's replicas, and one at least.
int arm_size(int wanted, int replicas);
/// Pods of each arm at such a share of the target's replicas.
int arm_at(int percent, int replicas);
/// Pods of each arm at their most.
int largest_arm(const CanaryPlan& plan, int replicas);
inline constexpr double kMostRestartsPerDay = 10'000;

/// When the trial entered the phase, the latest time; none when its steps do not tell.
std::optional<Time> entered(const TrialStatus& status, TrialPhase phase);

struct Trial {
  ObjectKey key;
  std::string uid;
  std::string resource_version;
  Time created;
  bool deleting = false;
  std::vector<std::string> finalizers;
  /// What of it this version of gopacer can't use, a sentence; what stands in its place is a default. Empty nearly
  /// always: another version made it, or clocks went wrong.
  std::string unreadable;
  TrialSpec spec;
  TrialStatus status;

  bool running() const { return status.phase != TrialPhase::kEnded; }
  /// Pods that each arm has now, by the trial's step.
  int arm_replicas() const;
  bool at_last_step() const { return status.step + 1 >= static_cast<int>(spec.steps.size()); }
};

/// Names and labels of what a trial makes in the cluster.
inline constexpr const char* kTrialLabel = "gopacer.dev/trial";
inline constexpr const char* kTrackLabel = "gopacer.dev/track";
inline constexpr const char* kProfileLabel = "gopacer.dev/profile";
/// On a Deployment: why its latest revision came about; kubectl rollout history shows it.
inline constexpr const char* kChangeCauseAnnotation = "kubernetes.io/change-cause";
inline constexpr const char* kExpiresAnnotation = "gopacer.dev/expires-at";
inline constexpr const char* kRevertFinalizer = "gopacer.dev/revert";
/// Of a trial: it goes only when what it did to the target is confirmed or taken back.
inline constexpr const char* kTrialFinalizer = "gopacer.dev/trial";

/// `name` as a label value: itself, or shortened with a hash when it is longer than the 63 characters allowed.
std::string label_value(const std::string& name);
/// The trial's object name: "<profile>-<number>".
std::string trial_name(const std::string& profile, int number);
/// The name of the trial's Deployment of one track: "<target>-gopacer-canary" or "…-baseline".
std::string track_deployment_name(const std::string& target, Track track);

}  // namespace gopacer
