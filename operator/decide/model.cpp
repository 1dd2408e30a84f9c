#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "decide/guards.h"
#include "decide/strategies.h"
#include "gopacer/decide/go_pacer.h"
#include "gopacer/domain/trial.h"

namespace gopacer::deciding {
namespace {

/// A GOMEMLIMIT above this share of the container stops no heap in time, whatever else is in the container.
constexpr double kMostOfContainer = 0.95;
/// Of the container, what GOMEMLIMIT and memory outside of Go may come to: trials and watches stop at 93 %, and nothing
/// may be aimed above that.
constexpr double kMostPeak = 0.92;
/// Of the container: a GOMEMLIMIT that is lower by less is about the same.
constexpr double kNotablyLower = 0.02;
constexpr double kMiB = 1024.0 * 1024;
constexpr const char* kTrustRegion = "trust region";

/// Below it collections crowd near the limit: then the limit must not be tightened, more memory is needed.
constexpr double kLeastEffectiveGogc = 50;
constexpr int kLeastGogc = 50;
constexpr int kMostGogc = 800;
/// Without GOMEMLIMIT behind it a larger GOGC is a burst bomb.
constexpr int kMostGogcWithoutLimit = 100;
/// Where the container has no limit, GOMEMLIMIT may be so many times what the program takes now.
constexpr double kRoomWithoutContainerLimit = 1.2;
/// Where more memory would save next to nothing.
constexpr double kEnoughShare = 0.02;
/// The same for those who ask for memory to be spent.
constexpr double kEnoughShareForSpenders = 0.01;
/// Latency's upper quantiles flatten when marking takes less than this share of the time.
constexpr double kEnoughDuty = 0.01;
/// Memory may cost at most so much CPU.
constexpr double kMostShareForMemory = 0.10;
constexpr double kMostShareForBalance = 0.05;
/// Memory counts this much more under the objective Memory.
constexpr double kMemoryWeight = 4;
constexpr double kStepUp = 2;
constexpr double kStepUpWithRoom = 4;
constexpr double kLeastStandardErrors = 3;
/// In this time a change has to have saved what trying it and rolling it out costs.
constexpr double kRepaidWithin = 7 * 24 * 3600;  // seconds
/// CPU seconds until a fresh pod serves as an old one does: more than most Go services take.
constexpr double kStartOfAPod = 30;
/// The judge's least.
constexpr double kWindowsOfATrial = 20;
/// Relative standard error of collection's CPU from which on more readings would tell more.
constexpr double kRoughError = 0.1;
constexpr double kCrowded = 0.9;
constexpr double kLeastRelief = 0.02;
/// So many points draw the trade-off.
constexpr int kChoices = 5;
/// A trial, the watch after it, and the time in which a growth is seen at all.
constexpr double kHoursAhead = 1.5;

Bytes whole_mib(Bytes size) { return mib(std::ceil(size.value() / kMiB)); }

/// The GOMEMLIMIT that is in force is gopacer's own work.
bool is_ours(const DecideInput& input, Bytes limit) {
  const auto& applied = input.memory.applied;
  return applied && applied->go_mem_limit == limit;
}

/// GOMEMLIMIT where the container has no limit. Nobody says there what would be too much, so a burst is held near to
/// what the program takes now or has requested. What lives may double before collections crowd. A GOMEMLIMIT of a
/// person's own is their word of what may be taken. None where nothing is said, and nobody would raise it later.
std::optional<Bytes> burst_limit(const DecideInput& input, const Estimate& estimate) {
  const auto& present = estimate.settings.go_mem_limit;
  if (present && !is_ours(input, *present)) return present;
  if (input.no_trial_follows && !input.memory_request) return std::nullopt;
  const Bytes twice = estimate.live_heap * 2;
  const Bytes room = go_pacer::gogc_goal({twice, estimate.roots}, kLeastEffectiveGogc / 100) + estimate.non_heap;
  const Bytes requested = input.memory_request.value_or(Bytes(0)) - estimate.non_go;
  const Bytes least = input.spec.bounds.min_go_mem_limit.value_or(Bytes(0));
  const Bytes found = std::max({estimate.mapped * kRoomWithoutContainerLimit, requested, room});
  return std::max({whole_mib(found), present.value_or(Bytes(0)), least});
}

/// A GOMEMLIMIT without a container's limit behind it makes the program collect nearly all of the time.
bool is_crowded(const Estimate& estimate) {
  const auto& limit = estimate.settings.go_mem_limit;
  if (estimate.container_limit || !limit) return false;
  const go_pacer::Heap heap{estimate.live_heap, estimate.roots};
  const Bytes room = go_pacer::limit_goal(heap, *limit, estimate.non_heap) - heap.live;
  return 100 * room.value() < kLeastEffectiveGogc * (heap.live + heap.roots).value();
}

struct Candidate {
  Settings settings;
  std::string binding;
};

/// Steps 2 to 6: from the estimate to settings. One object for each decision.
class Model {
 public:
  Model(const DecideInput& input, const Estimate& estimate, const Physics& physics)
      : input_(input), estimate_(estimate), physics_(physics), old_go_(!knows_memory_limit(estimate.go_version)) {
    if (estimate.container_limit) {
      limit_ = safe_limit(*estimate.container_limit, estimate, input.spec.bounds.max_go_mem_limit_percent);
      // Room for what grows outside the Go heap, as far as the heap can spare it.
      const Bytes least = least_limit(estimate);
      if (*limit_ > least) limit_ = std::max(least, *limit_ - whole_mib(estimate.non_go_growth * kHoursAhead));
    } else if (!old_go_) {
      limit_ = burst_limit(input, estimate);
    }
  }

  /// GOGC that everything starts from: what the heap really does where GOMEMLIMIT or "off" rules.
  double present_gogc() const {
    const Gogc gogc = estimate_.settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
    const bool limit_rules = estimate_.limit_rules && !is_crowded(estimate_);
    return limit_rules || gogc.is_off() ? estimate_.effective_gogc : gogc.percent();
  }

  bool limit_is_feasible() const {
    const go_pacer::Heap heap{estimate_.live_heap, estimate_.roots};
    if (!limit_ || *limit_ <= estimate_.non_heap) return false;
    const Bytes room = go_pacer::limit_goal(heap, *limit_, estimate_.non_heap) - heap.live;
    return 100 * room.value() >= kLeastEffectiveGogc * (heap.live + heap.roots).value();
  }

  std::optional<Bytes> limit() const { return limit_; }

  /// Why there can be no GOMEMLIMIT, as a binding; null when there can be one.
  const char* missing_limit() const {
    if (old_go_) return kOldGo;
    return limit_ ? nullptr : kNoContainerLimit;
  }

  /// What to do so that more memory may be taken.
  std::string advice() const {
    return old_go_ ? "build the program with Go 1.19 or later, which has GOMEMLIMIT" : "set resources.limits.memory";
  }

  /// The settings that the objective asks for: as far as one step may go, or all the way.
  Candidate wanted(bool in_steps) const {
    Candidate candidate;
    candidate.binding = "objective";
    double volume = wanted_volume();
    if (limit_ && volume > most_volume()) {
      volume = most_volume();
      candidate.binding = estimate_.container_limit ? "memory limit" : kNoContainerLimit;
    }
    double gogc = physics_.gogc_for(volume);
    const auto bound = [&](double low, double high, const char* low_name, const char* high_name) {
      if (gogc > high) {
        gogc = high;
        candidate.binding = high_name;
      } else if (gogc < low) {
        gogc = low;
        candidate.binding = low_name;
      }
    };
    if (in_steps) bound(0, present_gogc() * step(), "", kTrustRegion);
    bound(bounded(kLeastGogc), bounded(kMostGogc), "bounds.minAllowed.gogc", "bounds.maxAllowed.gogc");
    if (missing_limit() != nullptr) bound(0, highest_gogc(), "", missing_limit());
    candidate.settings = with_limit(rounded(gogc, lowest_gogc(), highest_gogc()));
    return candidate;
  }

  /// Settings from the smallest GOGC that is sensible to the largest, evenly by their ratio.
  std::vector<Settings> choices() const {
    const double lowest = lowest_gogc();
    double highest = highest_gogc();
    if (limit_) highest = std::min(highest, physics_.gogc_for(most_volume()));
    std::vector<Settings> choices;
    for (int i = 0; i < kChoices; ++i) {
      const double gogc = lowest * std::pow(std::max(1.0, highest / lowest), i / (kChoices - 1.0));
      const Settings one = with_limit(rounded(gogc, lowest_gogc(), highest_gogc()));
      if (choices.empty() || choices.back() != one) choices.push_back(one);
    }
    return choices;
  }

  /// GOGC for people: a multiple of 5 where the bounds leave one.
  static Gogc rounded(double gogc, double lowest, double highest) {
    const double tidy = 5 * std::round(gogc / 5);
    return Gogc(static_cast<int>(std::clamp(tidy, std::ceil(lowest), std::floor(highest))));
  }

 private:
  /// A limit that the program's Go knows nothing of stays as it is, and so does one that nothing asks for.
  Settings with_limit(Gogc gogc) const {
    const bool is_asked_for =
        estimate_.container_limit || gogc.percent() > kMostGogcWithoutLimit || is_crowded(estimate_);
    return {gogc, old_go_ || !is_asked_for ? input_.current.go_mem_limit : limit_};
  }

  /// V where GOMEMLIMIT begins to start the collections.
  double most_volume() const {
    const go_pacer::Heap heap{estimate_.live_heap, estimate_.roots};
    return physics_.volume_at(go_pacer::limit_goal(heap, *limit_, estimate_.non_heap));
  }

  /// Within the person's bounds, of which the upper one counts more.
  int bounded(int gogc) const {
    return std::min({kMostGogc, input_.spec.bounds.max_gogc, std::max(gogc, input_.spec.bounds.min_gogc)});
  }
  int highest_gogc() const { return std::min(bounded(kMostGogc), missing_limit() ? kMostGogcWithoutLimit : kMostGogc); }
  int lowest_gogc() const { return std::min(bounded(kLeastGogc), highest_gogc()); }

  /// Step 4: V by the objective, without any bound.
  double wanted_volume() const {
    // min p_cpu·A·m/V + p_mem·V, in cores: V* = √(A·m·bytes per core).
    const double traded =
        std::sqrt(estimate_.alloc_rate * physics_.marking() * bytes_per_core(input_.spec.memory_price));
    // Memory that the container has requested is paid for, used or not: up to it more is free, while it still helps.
    const double enough = physics_.volume_for_share(kEnoughShare);
    const double paid = input_.memory_request ? std::min(enough, physics_.volume_within(*input_.memory_request)) : 0;
    const double balanced = std::max(traded, paid);
    switch (input_.spec.objective) {
      case Objective::kThroughput:
        return std::max(traded, physics_.volume_for_share(kEnoughShareForSpenders));
      case Objective::kLatency:
        return std::max(
            {traded, physics_.volume_for_share(kEnoughShareForSpenders), physics_.volume_for_duty(kEnoughDuty)});
      case Objective::kMemory:
        return std::min(traded,
                        std::max(traded / std::sqrt(kMemoryWeight), physics_.volume_for_share(kMostShareForMemory)));
      case Objective::kBalanced:
        break;
    }
    return balanced;
  }

  /// Step 6: how far GOGC may rise at once.
  double step() const {
    const auto& most = estimate_.container_limit ? estimate_.container_limit : limit_;
    const bool room = limit_ && estimate_.peak_memory < *most * 0.5;
    return room ? kStepUpWithRoom : kStepUp;
  }

  const DecideInput& input_;
  const Estimate& estimate_;
  const Physics& physics_;
  bool old_go_;
  std::optional<Bytes> limit_;
};

/// What trying a change and rolling it out costs, in CPU seconds: fresh pods, and one arm of the trial for the shortest
/// comparison, as if it served nothing of what the target's pods would serve otherwise. A running process is changed
/// for nothing.
double cost_of_change(const DecideInput& input, const Estimate& estimate) {
  if (input.spec.apply == ApplyMode::kLive) return 0;
  if (input.no_trial_follows) return input.replicas * kStartOfAPod;
  const CanaryPlan& plan = input.spec.canary;
  const int arm = largest_arm(plan, input.replicas);
  const double compared = to_seconds(plan.warm_up) + kWindowsOfATrial * to_seconds(plan.interval);
  return (input.replicas + 2 * arm) * kStartOfAPod + arm * compared * estimate.cpu;
}

/// Step 7: is it worth a restart?
struct Worth {
  bool enough = false;
  std::string why;  ///< for the message
  bool urgent = false;
  bool unsure = false;      ///< it may well be worth it, but the estimate is too rough to tell
  bool too_dear = false;    ///< it would be, but for what trial and rollout cost
  double repaid_after = 0;  ///< seconds in which it saves what it costs; negative: never
  double memory_price = 0;  ///< of more memory, where it counts: as a share of the pod's CPU
};

/// What a change of the highest pod's memory comes to in a pod like most: each of them saves CPU, and each pays.
double of_a_usual_pod(const Estimate& estimate) {
  const double highest = (estimate.live_heap + estimate.roots).value();
  return highest > 0 ? std::min(1.0, (estimate.mean_live_heap + estimate.roots).value() / highest) : 1;
}

/// What the memory costs by which the peak grows beyond what is requested, and so paid for anyway.
double price_of_growth(const DecideInput& input, const Estimate& estimate, const Prediction& predicted) {
  const Bytes paid = std::max(estimate.peak_memory, input.memory_request.value_or(Bytes(0)));
  const Bytes growth = std::max(Bytes(0), predicted.peak_memory - paid) * of_a_usual_pod(estimate);
  return growth.value() / bytes_per_core(input.spec.memory_price) / std::max(1e-9, estimate.cpu);
}

Worth worth_of(const DecideInput& input, const Estimate& estimate, const Settings& wanted,
               const Prediction& predicted) {
  const auto& limit_now = estimate.settings.go_mem_limit;
  if (is_crowded(estimate) && wanted.go_mem_limit && *wanted.go_mem_limit > *limit_now) {
    return {true, "GOMEMLIMIT leaves too little to a live heap that has grown. ", true};
  }
  const bool lower_limit = wanted.go_mem_limit && limit_now && estimate.container_limit &&
                           *wanted.go_mem_limit + *estimate.container_limit * kNotablyLower < *limit_now;
  if (lower_limit && nothing_stops(estimate)) return {true, too_high_text(estimate) + " ", true};
  const Bytes soon = estimate.non_go_growth * kHoursAhead;
  if (lower_limit && estimate.peak_memory + soon > *estimate.container_limit * kCrowded) {
    return {true, "Memory outside the Go heap has grown, and leaves less of the container to it. ", true};
  }
  if (estimate.container_limit && estimate.peak_memory > *estimate.container_limit * kCrowded &&
      predicted.peak_memory < estimate.peak_memory - *estimate.container_limit * kLeastRelief) {
    return {true, "The container is close to its memory limit. ", true};
  }
  // `share`: of a pod's CPU, or of what memory is worth in CPU.
  const auto repaid_after = [&](double share) {
    const double cores = input.replicas * estimate.cpu * share;
    return cores > 0 ? cost_of_change(input, estimate) / cores : -1;
  };
  const auto is_in_time = [](double seconds) { return seconds >= 0 && seconds <= kRepaidWithin; };
  const double error = (predicted.saving - predicted.saving_low) / 2;
  const bool balanced = input.spec.objective == Objective::kBalanced;
  if (predicted.saving > 0) {
    Worth worth;
    if (balanced) worth.memory_price = price_of_growth(input, estimate, predicted);
    const double least = predicted.saving_low - worth.memory_price;
    const double likely = predicted.saving - worth.memory_price;
    worth.repaid_after = repaid_after(likely);
    // The trial tells how much it is; that CPU is saved, and no more memory taken than that is worth, is to be sure.
    const bool is_sure =
        predicted.saving_low >= kLeastSaving && least >= 0 && predicted.saving >= kLeastStandardErrors * error;
    const bool in_time = is_in_time(worth.repaid_after);
    worth.enough = is_sure && likely >= kLeastSaving && in_time;
    worth.too_dear = is_sure && likely >= kLeastSaving && !in_time;
    // Where the best guess is worth it and only the least is not, better readings may still show it.
    worth.unsure = !is_sure && likely >= kLeastSaving && in_time && estimate.gc_cpu_rel_error > kRoughError;
    return worth;
  }
  // Less memory for more CPU: only where the objective weighs the two.
  if (!balanced && input.spec.objective != Objective::kMemory) return {};
  if (predicted.gc_cpu_fraction_high > (balanced ? kMostShareForBalance : 1.2 * kMostShareForMemory)) return {};
  // What is requested is paid for, used or not.
  const Bytes requested = input.memory_request.value_or(Bytes(0));
  const Bytes freed = std::max(estimate.peak_memory, requested) - std::max(predicted.peak_memory, requested);
  if (freed < std::max(mib(16), estimate.peak_memory * 0.05)) return {};
  const double cores = freed.value() * of_a_usual_pod(estimate) / bytes_per_core(input.spec.memory_price) *
                       (balanced ? 1 : kMemoryWeight);
  const double net = cores / std::max(1e-9, estimate.cpu) + predicted.saving_low;
  Worth worth{.why = "It frees " + format_bytes(freed) + " of memory. ", .repaid_after = repaid_after(net)};
  worth.enough = net >= kLeastSaving && is_in_time(worth.repaid_after);
  return worth;
}

/// "40m", "14h", "9d": for people, and rounded up.
std::string in_words(double seconds) {
  const auto whole = [](double count) { return format_fixed(std::ceil(count), 0); };
  if (seconds <= 2 * 3600) return whole(seconds / 60) + "m";
  return seconds <= 48 * 3600 ? whole(seconds / 3600) + "h" : whole(seconds / 86400) + "d";
}

/// What is saved, and why that is no reason to restart anything.
std::string too_little(const Prediction& predicted, const Worth& worth) {
  if (predicted.saving <= 0) return "no CPU.";
  const auto share = [](double value) { return format_fixed(value * 100, 1) + " %"; };
  const std::string saved = share(predicted.saving) + " of the CPU, ";
  const std::string memory =
      worth.memory_price > 0 ? ", and costs memory that is worth " + share(worth.memory_price) : "";
  if (worth.unsure) {
    return saved + "or only " + share(predicted.saving_low) + memory +
           ": the estimate is too rough to act on yet. More readings, and CPU profiles above all, make it better.";
  }
  if (worth.too_dear) {
    return saved + "which a trial and a rollout to fresh pods cost so much that it takes " +
           in_words(worth.repaid_after) + " to repay them; it has to be " + in_words(kRepaidWithin) + " at most.";
  }
  return saved + "at least " + share(predicted.saving_low) + memory + "; a change has to save " +
         format_fixed(kLeastSaving * 100, 0) + " %" + (memory.empty() ? "." : " more than that.");
}

std::string destination_text(const Decision& decision) {
  return decision.destination ? " Steps like this one lead to " + describe(decision.destination->settings) + "." : "";
}

/// When the change has paid for itself; empty where it costs nothing, or is no question of cost.
std::string repaid_text(const Worth& worth) {
  return worth.repaid_after > 0 ? " Its rollout is repaid within " + in_words(worth.repaid_after) + "." : "";
}

/// Too much of a good thing: less of it may be right. A missing benefit, or a person who put the old settings back,
/// says nothing of the kind.
bool went_too_far(const std::string& reason) {
  constexpr std::string_view kReasons[] = {"LatencyRegression", "ShareRegression", "PauseRegression", "ValueRegression",
                                           "SloViolated",       "MemoryNearLimit", "OOMKilled"};
  return std::find(std::begin(kReasons), std::end(kReasons), reason) != std::end(kReasons);
}

/// Where a ban lies in the way, half of the way to it, once; none when even that is not worth trying.
std::optional<Candidate> avoid_bans(const DecideInput& input, const Model& model, Candidate candidate) {
  const BannedRegion* ban = ban_towards(input, model.present_gogc(), candidate.settings.gogc->percent());
  if (ban == nullptr && ban_of(input, candidate.settings) == nullptr) return candidate;
  if (ban == nullptr || !went_too_far(ban->reason)) return std::nullopt;
  const double half = std::sqrt(model.present_gogc() * ban->settings.gogc->percent());
  const double most = std::min(kMostGogc, input.spec.bounds.max_gogc);
  candidate.settings.gogc = Model::rounded(half, std::min<double>(input.spec.bounds.min_gogc, most), most);
  candidate.binding = "banned region";
  if (ban_towards(input, model.present_gogc(), candidate.settings.gogc->percent()) != nullptr) return std::nullopt;
  if (ban_of(input, candidate.settings) != nullptr) return std::nullopt;
  return candidate;
}

}  // namespace

namespace {

/// What stays free between GOMEMLIMIT and what the container has for Go: for memory that grew since it was read. In all
/// groups of the lab peaks stayed 5 to 28 MiB below GOMEMLIMIT itself. What is outside of Go nobody bounds: of that a
/// fifth more may come. Where the container's memory is a guess, or may hold page cache, more may be wrong.
double margin_of(double container, const Estimate& estimate) {
  const bool is_known = estimate.memory_source == "container";
  const double least = is_known ? std::clamp(estimate.non_go.value() / 5, 8 * kMiB, 32 * kMiB) : 32 * kMiB;
  return std::max({0.03 * container, least, estimate.spike.value()});
}

}  // namespace

Bytes safe_limit(Bytes container, const Estimate& estimate, int max_percent) {
  const double c = container.value();
  const double margin = margin_of(c, estimate);
  const double safe = std::min(kMostOfContainer * c, c - 1.1 * estimate.non_go.value()) - margin;
  const double below_the_stop = kMostPeak * c - estimate.non_go.value();
  return mib(std::floor(std::min({safe, below_the_stop, c * max_percent / 100}) / kMiB));
}

bool nothing_stops(const Estimate& estimate) {
  const auto& limit = estimate.settings.go_mem_limit;
  return limit && estimate.container_limit && *limit > *estimate.container_limit * kMostOfContainer;
}

std::string too_high_text(const Estimate& estimate) {
  return "GOMEMLIMIT=" + format_go_size(*estimate.settings.go_mem_limit) + " is more than the container's " +
         format_bytes(*estimate.container_limit) + " leave to Go, so nothing stops the heap in time.";
}

Bytes least_limit(const Estimate& estimate) {
  const double scanned = (estimate.live_heap + estimate.roots).value();
  const double goal = estimate.live_heap.value() + kLeastEffectiveGogc / 100 * scanned;
  const double heap_share = std::max(goal / 0.97, goal + kMiB);
  return whole_mib(Bytes::of(heap_share) + estimate.non_heap);
}

Bytes container_needed(const Estimate& estimate, int max_percent) {
  const double limit = least_limit(estimate).value();
  double container = limit;
  // The margin is a share of the result: a few rounds settle it.
  for (int round = 0; round < 30; ++round) {
    const double margin = margin_of(container, estimate);
    container = std::max({(limit + margin) / kMostOfContainer, limit + margin + 1.1 * estimate.non_go.value(),
                          (limit + estimate.non_go.value()) / kMostPeak, limit * 100 / max_percent});
  }
  return mib(std::ceil(container / kMiB));
}

void keep_for_want_of_memory(const DecideInput& input, const Settings& now, Decision& decision) {
  const Estimate& estimate = *decision.estimate;
  decision.kind = Decision::Kind::kKeep;
  decision.needs_memory = container_needed(estimate, input.spec.bounds.max_go_mem_limit_percent);
  decision.reason = "NeedsMemory";
  decision.binding = "memory limit";
  decision.message = "The container's " + format_bytes(*estimate.container_limit) + " are too few for a live heap of " +
                     format_bytes(estimate.live_heap) + " to be collected at ease; " +
                     format_bytes(*decision.needs_memory) + " would do. Raise resources.limits.memory; until then " +
                     describe(now) + " stay.";
}

bool refuse_unsatisfiable(const DecideInput& input, Bytes safe, Decision& decision) {
  const auto& least = input.spec.bounds.min_go_mem_limit;
  if (!least || *least <= safe) return false;
  decision.kind = Decision::Kind::kRefuse;
  decision.settings = input.current;
  decision.reason = "BoundsUnsatisfiable";
  decision.binding = "bounds.minAllowed.goMemLimit";
  decision.message = "bounds.minAllowed.goMemLimit is " + format_go_size(*least) +
                     ", but the highest GOMEMLIMIT that is safe in this container is " + format_go_size(safe) +
                     ". Lower the bound or raise resources.limits.memory.";
  return true;
}

std::string expectation(const Estimate& estimate, const Prediction& predicted) {
  return "Collection takes " + format_fixed(estimate.gc_cpu_fraction * 100, 1) + " % of " +
         format_fixed(estimate.cpu, 2) + " cores now (" + estimate.gc_cpu_source + ") and is expected to take " +
         format_fixed(predicted.gc_cpu_fraction * 100, 1) + " %; peak memory " + format_bytes(estimate.peak_memory) +
         " now, expected " + format_bytes(predicted.peak_memory) +
         (estimate.container_limit ? " of " + format_bytes(*estimate.container_limit) : std::string()) + ".";
}

void decide_by_model(const DecideInput& input, const Physics& physics, Decision& decision) {
  const Estimate& estimate = *decision.estimate;
  const Model model(input, estimate, physics);
  const auto keep = [&](std::string reason, std::string message) {
    decision.kind = Decision::Kind::kKeep;
    decision.reason = std::move(reason);
    decision.message = std::move(message);
  };
  decision.predicted = physics.predict(estimate.settings);
  const auto as_run = [&](const Settings& settings) { return in_force(settings, input.current, estimate.settings); };
  const Settings now = as_run(input.current);
  const std::string now_text = describe(now);

  if (model.limit() && !model.limit_is_feasible()) {
    if (estimate.container_limit) return keep_for_want_of_memory(input, now, decision);
    decision.binding = "memory limit";
    return keep("NeedsMemory", "GOMEMLIMIT=" + format_go_size(*model.limit()) + " is too little for a live heap of " +
                                   format_bytes(estimate.live_heap) + " to be collected at ease; " +
                                   format_bytes(least_limit(estimate)) +
                                   " would do. gopacer did not set it, so it stays: raise it.");
  }
  if (estimate.container_limit && model.limit() && refuse_unsatisfiable(input, *model.limit(), decision)) return;
  if (estimate.heap_growth > 0.2) {
    return keep("HeapGrowing", "The live heap grew steadily by " + format_fixed(estimate.heap_growth * 100, 0) +
                                   " % in " +
                                   format_duration(std::chrono::floor<std::chrono::seconds>(estimate.window)) +
                                   ": a leak, or a cache that still fills. Nothing is changed until it is steady.");
  }

  for (const Settings& choice : model.choices()) {
    decision.tradeoff.push_back({choice, physics.predict(as_run(choice)), ""});
  }
  Candidate candidate = model.wanted(true);
  const bool held_by_missing_limit = candidate.binding == kNoContainerLimit || candidate.binding == kOldGo;
  // What a person chose is behind nothing, or behind a GOMEMLIMIT that this Go knows nothing of. Lowering it would cost
  // CPU; what is missing is the limit.
  const char* missing = model.missing_limit();
  if (missing == nullptr && !estimate.container_limit && !now.go_mem_limit) missing = kNoContainerLimit;
  const bool is_beyond = candidate.settings.gogc->percent() > kMostGogcWithoutLimit || held_by_missing_limit;
  if (missing != nullptr && is_beyond && model.present_gogc() > kMostGogcWithoutLimit) {
    decision.binding = missing;
    return keep("NoMemoryLimit", "Nothing is behind " + now_text + " that would stop the heap: " + model.advice() +
                                     ". Until then nothing is changed.");
  }
  decision.binding = candidate.binding;
  if (about_equal(as_run(candidate.settings), now)) {
    if (held_by_missing_limit) {
      return keep("NoMemoryLimit",
                  "A larger GOGC would save CPU, but without a memory limit nothing tells how far the heap may grow: " +
                      model.advice() + ". " + now_text + " stay.");
    }
    return keep("AlreadyBest",
                now_text + " is what the model would set. " + expectation(estimate, *decision.predicted));
  }
  const auto allowed = avoid_bans(input, model, candidate);
  if (!allowed) {
    return keep("Banned", describe(candidate.settings) +
                              " would be next, but a trial there failed with this pod template" +
                              ". It is tried again once the pod template changes.");
  }
  candidate = *allowed;
  Prediction predicted = physics.predict(as_run(candidate.settings));
  const Worth worth = worth_of(input, estimate, candidate.settings, predicted);
  if (!worth.enough) {
    const bool no_limit = held_by_missing_limit && predicted.saving > 0;
    return keep(no_limit ? "NoMemoryLimit" : "NotWorthIt",
                now_text + " stay: " + describe(candidate.settings) + " would save " + too_little(predicted, worth) +
                    (no_limit ? " A larger GOGC needs a memory limit: " + model.advice() + "." : ""));
  }

  // What can't wait is no step on a way.
  const auto all_the_way = avoid_bans(input, model, model.wanted(false));
  const bool is_a_step = candidate.binding == kTrustRegion && !worth.urgent && all_the_way;
  if (is_a_step && !about_equal(all_the_way->settings, candidate.settings)) {
    decision.destination =
        Outlook{all_the_way->settings, physics.predict(as_run(all_the_way->settings)), all_the_way->binding};
  }
  predicted.memory_cost = worth.memory_price;
  decision.predicted = predicted;
  decision.binding = candidate.binding;
  decision.urgent = worth.urgent;
  decision.kind = Decision::Kind::kChange;
  decision.settings = candidate.settings;
  decision.reason = "Recommended";
  decision.message = describe(candidate.settings) + " instead of " + now_text + ". " + worth.why +
                     expectation(estimate, predicted) + " Held by: " + candidate.binding + "." +
                     destination_text(decision) + repaid_text(worth);
}

}  // namespace gopacer::deciding
