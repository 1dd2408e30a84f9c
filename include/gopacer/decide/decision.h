#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/base/units.h"
#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "gopacer/domain/settings.h"

namespace gopacer {

/// What the estimators found of a target's pods over one window. Per pod: means over pods where a benefit is computed,
/// the highest pod where memory is.
struct Estimate {
  int pods = 0;                     ///< that gave samples
  std::int64_t cycles = 0;          ///< collections over all pods, forced ones included
  std::int64_t forced = 0;          ///< of them, asked for by the program or by the runtime's two-minute timer
  Duration window{0};               ///< the longest time that a pod's samples cover
  double alloc_rate = 0;            ///< A, bytes a second
  double alloc_rate_rel_error = 0;  ///< relative standard error of A, as of those below
  Bytes cycle_volume;               ///< V, bytes allocated between two collections that the heap's growth starts
  double cycle_volume_rel_error = 0;
  std::string cycle_volume_source;  ///< "GC times", "GC count" or "heap goal"
  Bytes live_heap;                  ///< M, of the highest pod
  Bytes mean_live_heap;             ///< M, mean over pods
  double live_heap_rel_error = 0;
  std::string live_heap_source;  ///< "runtime metrics", "heap goal" or "heap goal and GC volume"
  Bytes roots;                   ///< S + Gl: what a collection scans besides the heap
  Bytes heap_goal;               ///< N, of the highest pod
  Bytes non_heap;  ///< Sys − HeapIdle − HeapAlloc of the highest pod: what GOMEMLIMIT counts besides the heap
  Bytes mapped;    ///< Sys − HeapReleased of the highest pod: all that GOMEMLIMIT counts
  Bytes non_go;    ///< container memory outside the Go runtime, of the highest pod
  bool non_go_known = false;  ///< false: nothing reported the container's memory, and `non_go` is a guess
  Bytes non_go_growth;        ///< of `non_go`, in an hour, where it is steady; 0 when it is not
  Bytes spike;                ///< largest growth of `non_go` between two readings
  double heap_growth = 0;     ///< relative growth of M over the window where it is steady; 0 when it is not
  double cpu = 0;             ///< cores used by a pod
  double cpu_rel_error = 0;
  std::string cpu_source;       ///< "process", "container", "CPU profile" or "runtime metrics"
  double gc_cpu = 0;            ///< of them, by collection
  double gc_cpu_per_cycle = 0;  ///< m, CPU seconds
  double gc_cpu_fraction = 0;   ///< gc_cpu / cpu
  double gc_cpu_rel_error = 0;  ///< relative standard error of gc_cpu
  /// "CPU profile", "runtime metrics", "GCCPUFraction", "earlier CPU profiles" or "live heap"
  std::string gc_cpu_source;
  /// What the other sources say of gc_cpu_fraction, where there are any: "runtime metrics 3.5%, GCCPUFraction 1.0%".
  std::string gc_cpu_others;
  /// Of gc_cpu, what sweeping takes: by CPU profiles, drawn to what is usual where these are few. 0 where the source of
  /// gc_cpu leaves sweeping out, as the runtime's own account does.
  double sweep_part = 0;
  /// Shares of the CPU in use, by CPU profiles; none where there are no profiles.
  std::optional<CpuUses> cpu_uses;
  double cycles_per_minute = 0;
  double max_procs = 0;  ///< GOMAXPROCS as read, or as Go derives it from the CPU limit; 0 when unknown
  Bytes peak_memory;     ///< of the highest container; what the runtime has mapped where no container is read
  /// Where the container's memory comes from: "container", without page cache; "working set", which may hold some;
  /// "process"; empty when nothing tells.
  std::string memory_source;
  /// Of the live heap, what was allocated and never touched, to make collections rarer; of the highest pod.
  Bytes ballast;
  std::optional<Bytes> container_limit;
  double effective_gogc = 0;    ///< 100·V/(M + roots): what GOGC comes to, whichever of the two settings rules
  bool limit_rules = false;     ///< GOMEMLIMIT starts the collections, not GOGC
  bool limiter_active = false;  ///< the runtime kept collection to half of the CPU within the window
  std::string go_version;       ///< "go1.22.3"; empty when the process does not tell
  /// In force in the process: what its own metrics say, else what the pod's spec has.
  Settings settings;
};

/// What the model expects of settings.
struct Prediction {
  double gc_cpu_fraction = 0;       ///< of the container's CPU
  double gc_cpu_fraction_low = 0;   ///< two standard errors below
  double gc_cpu_fraction_high = 0;  ///< two standard errors above
  double saving = 0;                ///< share of the container's present CPU; negative: a cost
  double saving_low = 0;            ///< two standard errors below
  /// What the memory that is taken for it is worth, where that counts: a share of the container's present CPU.
  double memory_cost = 0;
  Bytes cycle_volume;  ///< V
  Bytes peak_memory;   ///< of the container
  Bytes peak_memory_low;
  Bytes peak_memory_high;
  double cycles_per_minute = 0;
  double cycles_per_minute_low = 0;   ///< two standard errors below
  double cycles_per_minute_high = 0;  ///< two standard errors above
};

/// Settings, and what the model expects of them.
struct Outlook {
  Settings settings;
  Prediction predicted;
  std::string binding;  ///< what keeps them from going further; empty where nothing was asked to
};

/// Least saving that is worth anybody's attention: a share of the container's CPU.
inline constexpr double kLeastSaving = 0.01;

struct Decision {
  enum class Kind {
    kNoData,  ///< nothing can be said yet, or the target can't be read
    kKeep,    ///< what is in force stays
    kChange,  ///< `settings` are worth a trial
    kRefuse,  ///< something stands against tuning this target; a person has to change it
  };
  Kind kind = Kind::kNoData;
  /// kChange: what to try. Otherwise what is in force.
  Settings settings;
  /// What would be tried if a cool-down, a ban or a missed prediction did not hold it back; for people to see.
  std::optional<Settings> recommended;
  std::string reason;   ///< CamelCase
  std::string message;  ///< a sentence, or a few
  /// What keeps the settings from going further: "objective", "memory limit", "bounds.maxAllowed.gogc",
  /// "bounds.minAllowed.gogc", "bounds.maxAllowed.goMemLimitPercent", "trust region", "no memory limit on the
  /// container", "Go older than 1.19", "banned region", "settings" (Fixed), "strategy" (a published formula). Empty
  /// when nothing was computed.
  std::string binding;
  std::optional<Estimate> estimate;
  /// Of `recommended` where it is there, else of `settings`.
  std::optional<Prediction> predicted;
  /// Strategy Model, where `settings` or `recommended` go only as far as one step may: where the steps lead as things
  /// are.
  std::optional<Outlook> destination;
  /// Strategy Model: what other GOGCs would cost and save, from the smallest to the largest that the bounds and the
  /// container allow; five at most. Empty where nothing was computed.
  std::vector<Outlook> tradeoff;
  /// The container is about to run out of memory under what is in force: missed predictions do not hold the
  /// change back, and a cool-down for ten minutes at most.
  bool urgent = false;
  /// The container's memory limit that would make tuning worth while, where the present one is too small.
  std::optional<Bytes> needs_memory;
};

struct DecideInput {
  ProfileSpec spec;
  ProfileMemory memory;
  Settings current;           ///< what the env list of the target's pod template has
  std::string env_from;       ///< ContainerSpec::env_from there: the processes may run other settings than `current`
  std::string template_hash;  ///< Deployment::template_hash
  Observation observed;       ///< only its stable pods are looked at
  int replicas = 1;           ///< of the target: each of them saves what one does
  /// A person asks: a change costs fresh pods, and no trial's, and nobody looks at the service later.
  bool no_trial_follows = false;
  /// The container's memory request: up to it memory is reserved on the node, used or not.
  std::optional<Bytes> memory_request;
  /// What is being done to the target's pods, in a sentence: a rollout, a scaling. Empty: they are as they will be.
  std::string under_way;
};

/// The brain: what the target's settings should be, and why. Pure; safe to call from any thread.
/// Formulas: docs of each step in operator/decide/model.cpp.
Decision decide(const DecideInput& input, Time now);

/// Whether what is seen now differs from what was predicted by more than 25 % in GC CPU or V. Differences of GC CPU
/// below one point are noise.
bool prediction_missed(const Prediction& predicted, const Estimate& seen);

/// What collection costs a byte of live heap by these figures; none where CPU profiles do not tell it well.
std::optional<MarkingCost> marking_cost(const Estimate& seen, const std::string& template_hash);

std::string to_string(Decision::Kind kind);

}  // namespace gopacer
