#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/settings.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

enum class UpdateMode {
  kOff,         ///< recommends only
  kCanary,      ///< tries a recommendation, and applies what is better
  kContinuous,  ///< applies each recommendation at once, in the running processes
};
/// As the CRD writes them.
inline constexpr std::array<std::pair<const char*, UpdateMode>, 3> kUpdateModeNames{
    {{"Off", UpdateMode::kOff}, {"Canary", UpdateMode::kCanary}, {"Continuous", UpdateMode::kContinuous}}};
std::string to_string(UpdateMode mode);

/// How settings get into force.
enum class ApplyMode {
  kRestart,  ///< by the pod template, which makes new pods
  kLive,     ///< by the node agents, in the running processes; the template stays as it is
};
/// As the CRD writes them.
inline constexpr std::array<std::pair<const char*, ApplyMode>, 2> kApplyModeNames{
    {{"Restart", ApplyMode::kRestart}, {"Live", ApplyMode::kLive}}};

/// Who tells what the runtime does.
enum class RuntimeSource {
  kPages,  ///< the program's own pages, expvar or pprof
  kAgent,  ///< the node's agent, from the program's memory
};
/// As the CRD writes them.
inline constexpr std::array<std::pair<const char*, RuntimeSource>, 2> kRuntimeSourceNames{
    {{"Pages", RuntimeSource::kPages}, {"Agent", RuntimeSource::kAgent}}};

enum class Objective { kBalanced, kThroughput, kLatency, kMemory };
/// As the CRD writes them.
inline constexpr std::array<std::pair<const char*, Objective>, 4> kObjectiveNames{
    {{"Balanced", Objective::kBalanced},
     {"Throughput", Objective::kThroughput},
     {"Latency", Objective::kLatency},
     {"Memory", Objective::kMemory}}};
std::string to_string(Objective objective);

enum class Strategy {
  kModel,              ///< a model of Go's pacer
  kFixed,              ///< what a person gives
  kLatencyMemoryRate,  ///< from p99 and the heap's growth
  kTwoFactor,          ///< from requests per second and the heap's utilization
  kPauseFeedback,      ///< from the latest pauses
  kWaterLevel,         ///< from p99 and the node's memory
};
/// As the CRD writes them.
inline constexpr std::array<std::pair<const char*, Strategy>, 6> kStrategyNames{
    {{"Model", Strategy::kModel},
     {"Fixed", Strategy::kFixed},
     {"LatencyMemoryRate", Strategy::kLatencyMemoryRate},
     {"TwoFactor", Strategy::kTwoFactor},
     {"PauseFeedback", Strategy::kPauseFeedback},
     {"WaterLevel", Strategy::kWaterLevel}}};
std::string to_string(Strategy strategy);

/// What a person allows. Defaults are those of the CRD.
struct Bounds {
  int min_gogc = 50;
  int max_gogc = 400;
  std::optional<Bytes> min_go_mem_limit;
  /// Of the container's memory limit.
  int max_go_mem_limit_percent = 90;
};

struct MetricsEndpoint {
  int port = 6060;
  std::string path = "/debug/pprof";
  Duration interval = std::chrono::seconds(15);
  /// A person's word that what listens at a node's address, for pods that use its network, is the program.
  bool allow_host_network = false;
  RuntimeSource source = RuntimeSource::kPages;
};

/// Where a histogram of an application's latency is read, and what of it counts.
struct PodHistogram {
  std::string metric;
  double quantile = 0.99;  ///< in (0, 1)
  Labels labels;           ///< only series with these labels count
  double unit = 1;         ///< of its bounds, in seconds
  bool operator==(const PodHistogram&) const = default;
};

/// A counter or a gauge, added up over all of its series that have these labels.
struct MetricSum {
  std::string metric;
  Labels labels;
  Labels label_prefixes;  ///< what the values of these labels begin with
  bool operator==(const MetricSum&) const = default;
};

/// The part of what is counted that is bad: errors among requests.
struct PodRatio {
  MetricSum bad;
  MetricSum total;
  double max_increase = 0.005;  ///< over the baseline's share, in (0, 1]
  bool operator==(const PodRatio&) const = default;
};

/// A number that each pod tells as it is at the moment: the length of a queue. More of it is worse.
struct PodGauge {
  MetricSum gauge;
  bool operator==(const PodGauge&) const = default;
};

/// The key of a Secret in the profile's own namespace.
struct SecretKey {
  std::string name;
  std::string key;
  auto operator<=>(const SecretKey&) const = default;
};

/// The number that a Prometheus server answers to a query, asked once for each arm. More of it is worse.
struct PrometheusQuery {
  std::string address;  ///< one of the operator's; empty: the first of them
  /// PromQL, with {{ namespace }}, {{ target }}, {{ arm }}, {{ pods }} and {{ window }} to be filled in.
  std::string query;
  Duration window = std::chrono::minutes(1);  ///< what {{ window }} stands for, and what is compared at once
  std::map<std::string, std::string> headers;
  std::optional<SecretKey> authorization;  ///< that has the value of the header Authorization
  bool operator==(const PrometheusQuery&) const = default;
};

/// The times for which collections stopped the program: a quantile of them, in seconds. Known of every Go process.
struct RuntimePauses {
  double quantile = 0.99;  ///< in (0, 1)
  bool operator==(const RuntimePauses&) const = default;
};

enum class RuntimePart {
  kGcCpu,       ///< collection's, of the CPU that is used
  kMarkAssist,  ///< what goroutines that allocate have to mark themselves, of the CPU that is used
  kThrottling,  ///< CPU time that the kernel held back at the container's CPU limit, of time: of all CPUs together
};
/// As the CRD writes them.
inline constexpr std::array<std::pair<const char*, RuntimePart>, 3> kRuntimePartNames{
    {{"GcCpu", RuntimePart::kGcCpu},
     {"MarkAssist", RuntimePart::kMarkAssist},
     {"Throttling", RuntimePart::kThrottling}}};

/// A share that is known without a page of its own.
struct RuntimeShare {
  RuntimePart of = RuntimePart::kGcCpu;
  bool operator==(const RuntimeShare&) const = default;
};

/// What follows when the target's pods break a promise, Slo::max, with settings that gopacer has put there.
enum class BreachAction {
  kRollBack,  ///< to what the target had before them
  kStepDown,  ///< halfway there, as a geometric mean; broken again, the other half is halved
  kSwitch,    ///< to the latest other settings that a trial has confirmed; where there are none as kRollBack
};
/// As the CRD writes them.
inline constexpr std::array<std::pair<const char*, BreachAction>, 3> kBreachActionNames{
    {{"RollBack", BreachAction::kRollBack}, {"StepDown", BreachAction::kStepDown}, {"Switch", BreachAction::kSwitch}}};

/// What follows when an SLO has no data in a trial.
enum class NoDataAction {
  kInconclusive,  ///< nothing is promoted
  kIgnore,        ///< the other metrics decide
  kRollBack,      ///< the new settings count as bad where only the canary has none
};
/// As the CRD writes them.
inline constexpr std::array<std::pair<const char*, NoDataAction>, 3> kNoDataActionNames{
    {{"Inconclusive", NoDataAction::kInconclusive},
     {"Ignore", NoDataAction::kIgnore},
     {"RollBack", NoDataAction::kRollBack}}};

/// What must not get worse, and what tells it: a page of each pod, a Prometheus server, or what is read anyway.
struct Slo {
  std::string name;
  int port = 8080;                ///< of pods
  std::string path = "/metrics";  ///< of pods
  std::variant<PodHistogram, PodRatio, PodGauge, PrometheusQuery, RuntimePauses, RuntimeShare> source;
  std::optional<double> max;  ///< seconds of a histogram's quantile, a ratio's share, or a number that is read
  Duration max_for{0};        ///< for so long `max` has to be broken, and for three windows at least
  BreachAction action = BreachAction::kRollBack;  ///< when `max` is broken after a promotion
  NoDataAction on_no_data = NoDataAction::kInconclusive;
  int max_regression_percent = 10;  ///< of a histogram's quantile or the mean of numbers that are read

  /// Its observations are the program's requests; those of gauges and queries are gopacer's own readings.
  bool counts_requests() const { return is_latency() || std::holds_alternative<PodRatio>(source); }
  /// Neither a page nor a server has to be named for it.
  bool is_of_runtime() const {
    return std::holds_alternative<RuntimePauses>(source) || std::holds_alternative<RuntimeShare>(source);
  }
  /// Null for what pods themselves tell.
  const PrometheusQuery* query() const { return std::get_if<PrometheusQuery>(&source); }
  bool is_latency() const { return std::holds_alternative<PodHistogram>(source); }
  /// Its readings are those of `other`, whatever is asked of them.
  bool reads_the_same_as(const Slo& other) const {
    return source == other.source && port == other.port && path == other.path;
  }
  /// For those that are one.
  PodHistogram& histogram() { return std::get<PodHistogram>(source); }
  const PodHistogram& histogram() const { return std::get<PodHistogram>(source); }
  bool operator==(const Slo&) const = default;
};

/// A part of a trial with arms of one size.
struct CanaryStep {
  int percent = 0;    ///< of the target's replicas, in each arm; 1 to 100
  Duration pause{0};  ///< so long the pods are compared before the next step; the last one lasts until the verdict
  bool operator==(const CanaryStep&) const = default;
};

/// Null where none has this name.
const Slo* slo_named(const std::vector<Slo>& slos, const std::string& name);

inline constexpr std::size_t kMostCanarySteps = 5;

/// What a GiB of memory costs, in cores. Clouds sell a core for the price of 8 to 13 GiB.
inline constexpr double kUsualMemoryPrice = 0.083;
inline constexpr double kLeastMemoryPrice = 0.001;
inline constexpr double kMostMemoryPrice = 10;

struct CanaryPlan {
  int replicas = 1;               ///< pods of each arm; where there are steps, of the last one
  std::vector<CanaryStep> steps;  ///< growing; empty: one step with `replicas`
  Duration warm_up = std::chrono::minutes(2);
  Duration interval = std::chrono::seconds(15);
  Duration max_duration = std::chrono::minutes(30);
  int min_samples = 2000;  ///< requests per arm before anything is promoted
  /// A person's word that several instances of the target may run at once although its template speaks against it.
  bool allow_duplicates = false;
};

struct RollbackPlan {
  Duration watch_for = std::chrono::minutes(30);
  Duration cool_down = std::chrono::hours(6);
  bool guard = false;  ///< SLOs' max hold for as long as settings of ours are in the target
};

struct HistoryLimits {
  int successful = 5;
  int unsuccessful = 5;
};

struct ProfileSpec {
  std::string target;     ///< name of the Deployment
  std::string container;  ///< empty: the pod's only one
  UpdateMode update_mode = UpdateMode::kOff;
  ApplyMode apply = ApplyMode::kRestart;
  bool suspend = false;
  bool revert_on_deletion = false;
  Objective objective = Objective::kBalanced;
  double memory_price = kUsualMemoryPrice;  ///< of a GiB, in cores
  Strategy strategy = Strategy::kModel;
  Settings fixed;  ///< for Strategy::kFixed
  Bounds bounds;
  MetricsEndpoint metrics;
  std::vector<Slo> slos;
  CanaryPlan canary;
  RollbackPlan rollback;
  HistoryLimits history;

  /// Trials are turns in running processes.
  bool tries_by_turns() const { return apply == ApplyMode::kLive && update_mode != UpdateMode::kContinuous; }
  /// SLOs' max hold for as long as settings of ours are in force; where no trial comes before, they always do.
  bool guards() const { return rollback.guard || update_mode == UpdateMode::kContinuous; }
};

/// Settings that a trial found bad; not to be tried again while the workload is the same.
struct BannedRegion {
  Settings settings;
  std::string template_hash;
  std::string reason;
  Time at;         ///< of the latest trial that found so
  int trials = 1;  ///< that found so
  bool operator==(const BannedRegion&) const = default;
};

/// Whether the settings are banned for the pod template at that time.
bool is_banned(const std::vector<BannedRegion>& regions, const Settings& settings, const std::string& template_hash,
               Time now);

/// Until when the region is banned: a day where the harm may have come from anywhere (CPU for each request, restarts,
/// too small a saving) and one trial alone has seen it; none for as long as the workload is the same.
std::optional<Time> banned_until(const BannedRegion& region);

/// Settings that the guard is about to put into the target.
struct PutBack {
  Settings settings;
  std::optional<Settings> over;    ///< where the guard would go back to from them
  std::string reason;              ///< CamelCase
  std::string message = {};        ///< a sentence
  std::string slo = {};            ///< name of the one that is broken
  std::string template_hash = {};  ///< of the target that broke it
  Time at = {};
  std::string ban_reason = {};  ///< CamelCase: why what it takes away is not tried again
  bool operator==(const PutBack&) const = default;
};

/// Settings that got into force without a trial.
struct AppliedChange {
  Time at;
  Settings from;
  Settings to;
  std::string why;  ///< a sentence, or a few
  bool operator==(const AppliedChange&) const = default;
};

inline constexpr std::size_t kMostChanges = 20;

/// What a collection was seen to cost, by a target's CPU profiles.
struct MarkingCost {
  double nanoseconds_per_byte = 0;  ///< CPU time for each byte of live heap; in (0, kMost]
  double rel_error = 0;             ///< relative standard error, in [0, 1]
  std::string template_hash;        ///< Deployment::template_hash that it was seen on
  static constexpr double kMost = 1000;
  bool operator==(const MarkingCost&) const = default;
};

/// The part of a profile's status that gopacer reads back: its memory between passes and across restarts.
struct ProfileMemory {
  int trial_count = 0;
  std::string active_trial;
  /// What gopacer itself put into the target and still stands; empty when it applied nothing. When the target has
  /// something else, a person changed it. Kept in status.applied.
  std::optional<Settings> applied;
  std::optional<Settings> applied_over;  ///< what the target had before: the guard goes back to it
  std::string applied_uid;               ///< of the target that has `applied`: one made anew knows nothing of it
  std::string applied_container;         ///< that has it: another one knows nothing of it either
  /// Where the node agents keep `applied` in force in running processes: what the pod template had when they began.
  /// Where it has something else, a person has changed it, and that stands.
  std::optional<Settings> applied_beside;
  /// The guard's announcement, written before its patch: what the target has after that is no person's change.
  std::optional<PutBack> putting_back;
  std::vector<AppliedChange> changes;  ///< of updateMode Continuous: at most kMostChanges, oldest first
  std::optional<Time> cool_down_until;
  std::vector<BannedRegion> banned;
  int missed_predictions = 0;   ///< in a row
  std::string missed_template;  ///< hash of the pod template that they were missed on: another is another program
  std::string undone_to;        ///< the trial that Wishes::undo_to named when it was obeyed last
  std::string retried;          ///< the same of Wishes::retry

  /// For processes that no profile has been taken of yet.
  std::optional<MarkingCost> marking;

  /// Predictions in a row that were missed on this pod template.
  int missed_on(const std::string& template_hash) const {
    return missed_template == template_hash ? missed_predictions : 0;
  }
  void forget_applied() {
    applied.reset();
    applied_over.reset();
    applied_uid.clear();
    applied_container.clear();
    applied_beside.reset();
  }
  bool operator==(const ProfileMemory&) const = default;
};

/// What a process that was started with `environment` is to run with, trials apart.
Settings in_force(const ProfileMemory& memory, const Settings& environment);

struct Condition {
  std::string type;
  bool status = false;
  std::string reason;
  std::string message;
  Time since;
  bool operator==(const Condition&) const = default;
};

/// On a profile: the name of the trial whose settings are to be put back without another trial.
inline constexpr const char* kUndoAnnotation = "gopacer.dev/undo-to";
/// On a profile: the name of the running trial whose settings are to be promoted without a verdict.
inline constexpr const char* kPromoteAnnotation = "gopacer.dev/promote";
/// On a profile: the name of the trial after which another one may begin at once, with the same settings, too.
inline constexpr const char* kRetryAnnotation = "gopacer.dev/retry";

/// What a person wants done once: names of trials, empty where nobody wants it.
struct Wishes {
  std::string undo_to;  ///< by kUndoAnnotation
  std::string promote;  ///< by kPromoteAnnotation
  std::string retry;    ///< by kRetryAnnotation
  bool operator==(const Wishes&) const = default;
};

struct Profile {
  ObjectKey key;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  Time created;
  bool deleting = false;
  std::vector<std::string> finalizers;
  Wishes wishes;
  /// Why the spec can't be used, as a sentence; empty when it can. Then `spec` has only what could be read.
  std::string unreadable;
  ProfileSpec spec;
  ProfileMemory memory;
  std::vector<Condition> conditions;
};

}  // namespace gopacer
