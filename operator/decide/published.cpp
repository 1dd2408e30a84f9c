#include <algorithm>
#include <cmath>

#include "decide/guards.h"
#include "decide/signals.h"
#include "decide/strategies.h"

namespace gopacer::deciding {
namespace {

/// What a formula gives, or what it lacks.
struct Wanted {
  std::optional<double> gogc;
  std::string missing;
  std::string inputs;                     ///< what went into it, for people
  std::optional<double> limit_part = {};  ///< of the container's limit, what GOMEMLIMIT should be; none: it stays
};

/// Formulas look at no CPU. What would cost as much of it again as the program uses now is not worth trying.
constexpr double kMostCost = 1;

constexpr const char* kHistogramAdvice =
    ": a latency histogram of the service has to be read (spec.slos[].podHistogram; --latency-metric of gopacer "
    "advise)";
constexpr const char* kMinuteAdvice = ": MemStats of the last minute have to be read";
constexpr const char* kPausesAdvice = ": the process has to have collected at least three times";

Wanted by_latency_memory_rate(const Signals& signals) {
  if (!signals.p99_ms) return {{}, std::string("p99 of the last minute's requests") + kHistogramAdvice, {}};
  if (!signals.minute_growth) return {{}, std::string("the heap's growth over 60 s") + kMinuteAdvice, {}};
  return {latency_memory_rate(*signals.minute_growth, *signals.p99_ms),
          {},
          "p99 " + format_fixed(*signals.p99_ms, 1) + " ms, heap growth " + format_fixed(*signals.minute_growth, 2) +
              " MB/s over 60 s"};
}

Wanted by_two_factor(const Signals& signals) {
  if (!signals.requests_per_second) return {{}, std::string("requests per second") + kHistogramAdvice, {}};
  if (!signals.heap_utilization) return {{}, std::string("the heap's utilization") + kMinuteAdvice, {}};
  Wanted wanted{two_factor(*signals.requests_per_second, *signals.heap_utilization),
                {},
                format_fixed(*signals.requests_per_second, 1) + " requests/s per pod, " +
                    format_fixed(*signals.heap_utilization * 100, 0) + " % of the heap in use"};
  if (signals.pause_factors) {
    wanted.inputs +=
        ", forecast of the next pause " + format_fixed(pause_forecast_ms(*signals.pause_factors), 2) + " ms";
  }
  return wanted;
}

Wanted by_pause_feedback(const Signals& signals, double present) {
  if (!signals.heap || !signals.latest_growth) return {{}, std::string("the heap's size") + kMinuteAdvice, {}};
  if (!signals.last_pauses) return {{}, std::string("the last three pauses") + kPausesAdvice, {}};
  const auto& last = *signals.last_pauses;
  const double mean_ms = to_seconds(last[0] + last[1] + last[2]) / 3 * 1000;
  return {pause_feedback(present, *signals.heap, last, *signals.latest_growth),
          {},
          "mean of the last 3 pauses " + format_fixed(mean_ms, 2) + " ms, heap " + format_bytes(*signals.heap) +
              ", growing by " + format_fixed(*signals.latest_growth, 2) + " MB/s"};
}

/// `part`: of the container's limit what GOMEMLIMIT is now; none where the container has no limit.
Wanted by_water_level(const Signals& signals, double present, const std::optional<double>& part) {
  if (!signals.p99_ms) return {{}, std::string("p99 of the last minute's requests") + kHistogramAdvice, {}};
  Wanted wanted{water_level_gogc(present, *signals.p99_ms), {}, "p99 " + format_fixed(*signals.p99_ms, 1) + " ms", {}};
  if (!signals.node_share) {
    wanted.inputs += ", the node's memory is not known yet";
    return wanted;
  }
  wanted.inputs += ", " + format_fixed(*signals.node_share * 100, 0) + " % of the node's memory in use";
  const double next = part ? water_level_limit(*part, *signals.node_share) : 1;
  if (part && next != *part) wanted.limit_part = next;
  return wanted;
}

Wanted wanted_by(Strategy strategy, const Signals& signals, double present, const std::optional<double>& part) {
  switch (strategy) {
    case Strategy::kWaterLevel:
      return by_water_level(signals, present, part);
    case Strategy::kLatencyMemoryRate:
      return by_latency_memory_rate(signals);
    case Strategy::kTwoFactor:
      return by_two_factor(signals);
    case Strategy::kPauseFeedback:
      return by_pause_feedback(signals, present);
    case Strategy::kModel:
    case Strategy::kFixed:
      break;
  }
  return {};
}

}  // namespace

void decide_by_formula(const DecideInput& input, const Physics& physics, Time now, Decision& decision) {
  const Estimate& estimate = *decision.estimate;
  const std::string name = to_string(input.spec.strategy);
  const Gogc gogc_now = estimate.settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  const double present = gogc_now.is_off() ? estimate.effective_gogc : gogc_now.percent();
  const Bounds& bounds = input.spec.bounds;
  const auto as_run = [&](const Settings& asked) { return in_force(asked, input.current, estimate.settings); };
  const Settings running = as_run(input.current);
  const bool old_go = !knows_memory_limit(estimate.go_version);
  const auto& container = estimate.container_limit;
  const bool has_limit = container && running.go_mem_limit && !old_go;
  const double part_now = has_limit ? std::min(1.0, *running.go_mem_limit / *container) : 1;
  const auto part = container && !old_go ? std::optional(part_now) : std::nullopt;
  Wanted wanted = wanted_by(input.spec.strategy, read_signals(input, now), present, part);
  if (!wanted.gogc) {
    decision.reason = "StrategyInputMissing";
    decision.message = "Strategy " + name + " lacks " + wanted.missing + ".";
    return;
  }

  // What holds for all strategies comes on top: a person's bounds, no limit that the container can't bear, and no GOGC
  // above 100 without a limit behind it.
  Settings settings = input.current;
  // A limit at or above the container's stops nothing: the kernel is there first.
  const bool is_idle = has_limit && *running.go_mem_limit >= *container;
  const bool too_high = nothing_stops(estimate);
  const bool out_of_bounds =
      has_limit && running.go_mem_limit->count() * 100 > container->count() * bounds.max_go_mem_limit_percent;
  const Bytes safe =
      container && !old_go ? safe_limit(*container, estimate, bounds.max_go_mem_limit_percent) : Bytes(0);
  const bool has_room = safe > estimate.live_heap + estimate.non_heap;
  decision.predicted = physics.predict(estimate.settings);
  bool stops = estimate.settings.go_mem_limit && !is_idle;
  if ((too_high || out_of_bounds) && has_room) {
    settings.go_mem_limit = safe;
    stops = true;
  } else if (is_idle) {
    settings.go_mem_limit.reset();
  } else if (too_high || out_of_bounds) {
    // To take it away would leave nothing that stops the heap.
    return keep_for_want_of_memory(input, running, decision);
  }
  if (wanted.limit_part) {
    const Bytes stage = mib(std::floor(std::min(safe, *container * *wanted.limit_part).value() / mib(1).value()));
    if (stage >= least_limit(estimate)) {
      settings.go_mem_limit = stage;
    } else {
      wanted.inputs += ", and what lives needs its GOMEMLIMIT";
    }
  }
  decision.binding = "strategy";
  double gogc = *wanted.gogc;
  if (gogc < bounds.min_gogc) {
    gogc = bounds.min_gogc;
    decision.binding = "bounds.minAllowed.gogc";
  } else if (gogc > bounds.max_gogc) {
    gogc = bounds.max_gogc;
    decision.binding = "bounds.maxAllowed.gogc";
  }
  if (std::round(gogc) > Gogc::kDefaultPercent && !stops) {
    if (has_room) {
      settings.go_mem_limit = safe;
    } else {
      gogc = Gogc::kDefaultPercent;
      decision.binding = old_go ? kOldGo : kNoContainerLimit;
    }
  }
  settings.gogc = Gogc(std::max(1, static_cast<int>(std::lround(gogc))));
  const std::optional<Bytes> limit = as_run(settings).go_mem_limit;
  if (limit && !old_go && bounds.min_go_mem_limit && *limit < *bounds.min_go_mem_limit) {
    if (container && refuse_unsatisfiable(input, safe, decision)) return;
    settings.go_mem_limit = bounds.min_go_mem_limit;
  }

  decision.predicted = physics.predict(as_run(settings));
  const std::string limit_wanted =
      wanted.limit_part ? " and GOMEMLIMIT at " + format_percent(*wanted.limit_part) + " of the container" : "";
  const std::string formula =
      name + " wants GOGC=" + format_fixed(*wanted.gogc, 1) + limit_wanted + " (" + wanted.inputs + ")";
  const std::string expected = expectation(estimate, *decision.predicted);
  const auto keep = [&](std::string reason, std::string message) {
    decision.kind = Decision::Kind::kKeep;
    decision.predicted = physics.predict(estimate.settings);
    decision.reason = std::move(reason);
    decision.message = std::move(message);
  };
  if (about_equal(as_run(settings), running)) {
    return keep("AlreadyBest", describe(running) + " stay: " + formula + ". " +
                                   expectation(estimate, physics.predict(estimate.settings)));
  }
  if (ban_of(input, settings) != nullptr || ban_towards(input, present, settings.gogc->percent()) != nullptr) {
    return keep("Banned", describe(settings) + " would be next (" + formula +
                              "), but a trial there failed with this pod template. It is tried again once the pod "
                              "template changes.");
  }
  if (const double cost = -decision.predicted->saving; cost > kMostCost) {
    return keep("NotWorthIt", describe(running) + " stay: " + formula + ", and " + describe(settings) +
                                  " is expected to cost " + format_fixed(cost * 100, 0) +
                                  " % more CPU than is used now. Raise bounds.minAllowed.gogc, or choose another "
                                  "strategy.");
  }
  decision.kind = Decision::Kind::kChange;
  decision.settings = settings;
  decision.urgent = too_high;
  decision.reason = "Recommended";
  decision.message = describe(settings) + " instead of " + describe(running) + ": " + formula + ". " +
                     (too_high ? too_high_text(estimate) + " " : std::string()) + expected +
                     " Held by: " + decision.binding + ".";
}

}  // namespace gopacer::deciding
