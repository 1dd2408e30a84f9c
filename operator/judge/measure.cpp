#include "judge/measure.h"

#include <algorithm>
#include <cmath>

#include "gopacer/base/clock.h"
#include "gopacer/base/units.h"
#include "gopacer/domain/histogram.h"
#include "judge/metrics.h"

namespace gopacer::judging {
namespace {

/// One-sided 5 %, three times in a row.
constexpr double kClearly = 1.645;
constexpr double kFewestForAShare = 50;
/// Collections come seldom, and where they become fewer that is the aim.
constexpr double kFewestPauses = 10;
/// Of so few the normal approximation is too far off.
constexpr double kFewExpected = 20;
/// Fewer in a row may be chance.
constexpr int kFewestViolations = 3;

/// Of durations, whose quantile is compared.
template <typename Source>
concept Durations = requires(const Source& source) { source.quantile; };

template <typename... Cases>
struct Kinds : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Kinds(Cases...) -> Kinds<Cases...>;

/// The cases are: durations, shares of what is counted, and, for `const auto&`, numbers that are read.
template <typename... Cases>
auto by_kind(const Slo& slo, const Cases&... cases) {
  return std::visit(Kinds{cases...}, slo.source);
}

/// The part of what was counted that the promise is about, for sure: slower than `max`, or bad. The mean of
/// readings breaks it or does not.
double share_against(const Histogram& counted, const Slo& slo) {
  return by_kind(
      slo, [&](const Durations auto&) { return share_surely_slower(counted, *slo.max); },
      [&](const PodRatio&) { return share_bad(counted); },
      [&](const auto&) { return mean_of(counted) > *slo.max ? 1.0 : 0.0; });
}

/// How much of it may be.
double share_allowed(const Slo& slo) {
  return by_kind(
      slo, [](const Durations auto& durations) { return 1 - durations.quantile; },
      [&](const PodRatio&) { return *slo.max; }, [](const auto&) { return 0.0; });
}

/// log(a/b), but finite where one of them is 0: a hundredth of their mean is added to both.
std::optional<double> log_ratio(double a, double b) {
  const double little = a / 200 + b / 200;
  if (!std::isfinite(little)) return std::nullopt;
  return little > 0 ? std::log((a + little) / (b + little)) : 0;
}

bool of_gc_cpu(const Slo& slo) {
  const auto* const share = std::get_if<RuntimeShare>(&slo.source);
  return share != nullptr && share->of == RuntimePart::kGcCpu;
}

std::optional<double> share_in(const Arm& arm, const Window& window, RuntimePart part) {
  switch (part) {
    case RuntimePart::kGcCpu:
      return any_gc_share_in(arm, window);
    case RuntimePart::kMarkAssist:
      return assist_share_in(arm, window);
    case RuntimePart::kThrottling:
      break;
  }
  return throttled_in(arm, window);
}

const char* needs_of(RuntimePart part) {
  switch (part) {
    case RuntimePart::kGcCpu:
      return kGcCpuNeeds;
    case RuntimePart::kMarkAssist:
      return "It needs CPU profiles.";
    case RuntimePart::kThrottling:
      break;
  }
  return "It needs a CPU limit, and the kubelet's figures.";
}

std::optional<Histogram> one_reading(const std::optional<double>& value) {
  return value ? std::optional(reading_of(*value)) : std::nullopt;
}

double fewest_pauses(const RuntimePauses& pauses) { return std::max(kFewestPauses, 2 / (1 - pauses.quantile)); }

/// Whether chance gives `found` or more in less than 5 % of cases where `expected` are usual (Poisson).
bool rarely_so_many(double found, double expected) {
  double fewer = 0;
  double term = std::exp(-expected);
  for (int i = 0; i < found - 0.5; ++i) {
    fewer += term;
    term *= expected / (i + 1);
  }
  return 1 - fewer < 0.05;
}

bool surely_tolerated(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  const bool shows = by_kind(
      slo, [&](const Durations auto& durations) { return both_resolve(canary, baseline, durations.quantile); },
      [](const auto&) { return true; });
  return shows && difference(canary, baseline, slo).value_or(0) <= tolerated(slo);
}

bool is_reading(const Slo& slo) {
  return by_kind(
      slo, [](const Durations auto&) { return false; }, [](const PodRatio&) { return false; },
      [](const auto&) { return true; });
}

}  // namespace

bool is_relative(const Slo& slo) { return !std::holds_alternative<PodRatio>(slo.source); }

MetricUnit unit_of(const Slo& slo) {
  return by_kind(
      slo, [](const Durations auto&) { return MetricUnit::kSeconds; },
      [](const PodRatio&) { return MetricUnit::kShare; }, [](const RuntimeShare&) { return MetricUnit::kShare; },
      [](const auto&) { return MetricUnit::kNumber; });
}

Harm harm_of(const Slo& slo) {
  return by_kind(
      slo, [](const PodHistogram&) { return Harm{"LatencyRegression", "The canary is slower", "Slower than "}; },
      [](const RuntimePauses&) {
        return Harm{"PauseRegression", "Pauses are longer in the canary", "Longer pauses than in "};
      },
      [](const PodRatio&) {
        return Harm{"ShareRegression", "More goes wrong in the canary", "More goes wrong than in "};
      },
      [](const auto&) { return Harm{"ValueRegression", "It is higher in the canary", "Higher than in "}; });
}

double tolerated(const Slo& slo) {
  const double relative = std::log1p(slo.max_regression_percent / 100.0);
  return by_kind(slo, [](const PodRatio& ratio) { return ratio.max_increase; }, [&](const auto&) { return relative; });
}

double fewest_requests(const Slo& slo) {
  return by_kind(
      slo, [](const Durations auto& durations) { return fewest_requests(durations.quantile); },
      [](const RuntimePauses& pauses) { return fewest_pauses(pauses); },
      [](const PodRatio&) { return kFewestForAShare; }, [](const auto&) { return 1.0; });
}

double requests_needed(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  return by_kind(
      slo, [&](const Durations auto& durations) { return requests_needed(canary, baseline, durations.quantile); },
      [](const RuntimePauses& pauses) { return fewest_pauses(pauses); },
      [](const PodRatio&) { return kFewestForAShare; }, [](const auto&) { return 1.0; });
}

std::optional<double> difference(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  return by_kind(
      slo, [&](const Durations auto& durations) { return log_slowdown(canary, baseline, durations.quantile); },
      [&](const PodRatio&) { return std::optional(share_bad(canary) - share_bad(baseline)); },
      [&](const auto&) { return log_ratio(mean_of(canary), mean_of(baseline)); });
}

double value(const Histogram& counted, const Slo& slo) {
  return by_kind(
      slo, [&](const Durations auto& durations) { return quantile(counted, durations.quantile)->value; },
      [&](const PodRatio&) { return share_bad(counted); }, [&](const auto&) { return mean_of(counted); });
}

std::string what_it_lacks(const Histogram& counted, const Slo& slo) {
  return by_kind(
      slo, [&](const Durations auto& durations) { return where_buckets_lack(counted, durations.quantile); },
      [](const PodRatio&) { return std::string(); }, [](const auto&) { return std::string(); });
}

std::string what_it_needs(const Slo& slo) {
  return by_kind(
      slo,
      [](const RuntimePauses& pauses) {
        return "It needs " + format_fixed(fewest_pauses(pauses), 0) + " collections of each side within eight windows.";
      },
      [](const RuntimeShare& share) { return std::string(needs_of(share.of)); },
      [](const PodGauge&) { return std::string("Are the SLO's port, path, metric and labels right?"); },
      [](const PrometheusQuery&) { return std::string("Does the query give one number for the pods of each side?"); },
      [](const auto&) {
        return std::string("Do requests reach both arms, and are the SLO's port, path, metrics and labels right?");
      });
}

bool only_canary_violates(const Histogram& canary, const Histogram& baseline, const Slo& slo) {
  if (!slo.max) return false;
  const double ours = share_against(canary, slo);
  const double usual = share_against(baseline, slo);
  const double allowed = share_allowed(slo);
  if (ours <= allowed || usual > allowed || surely_tolerated(canary, baseline, slo)) return false;
  // Readings are no drawings of chance; that it takes several windows in a row is all there is against it.
  if (is_reading(slo)) return true;
  const double pooled = (ours * canary.count() + usual * baseline.count()) / (canary.count() + baseline.count());
  const double error = std::sqrt(pooled * (1 - pooled) * (1 / canary.count() + 1 / baseline.count()));
  return ours - usual > kClearly * error;
}

bool violates(const Histogram& counted, const Slo& slo) {
  if (!slo.max) return false;
  const double allowed = share_allowed(slo);
  if (is_reading(slo)) return share_against(counted, slo) > allowed;
  const double expected = allowed * counted.count();
  if (expected < kFewExpected) return rarely_so_many(share_against(counted, slo) * counted.count(), expected);
  const double error = std::sqrt(allowed * (1 - allowed) / counted.count());
  return share_against(counted, slo) - allowed > kClearly * error;
}

const Slo* counting(const std::vector<Slo>& slos) {
  for (const auto wanted : {&Slo::is_latency, &Slo::counts_requests}) {
    const auto found = std::find_if(slos.begin(), slos.end(), [&](const Slo& slo) { return (slo.*wanted)(); });
    if (found != slos.end()) return &*found;
  }
  return nullptr;
}

std::optional<Histogram> counted_in(const Arm& arm, const Window& window, const Slo& slo) {
  if (const auto* const share = std::get_if<RuntimeShare>(&slo.source))
    return one_reading(share_in(arm, window, share->of));
  if (std::holds_alternative<RuntimePauses>(slo.source)) return pauses_in(arm, window);
  return latency_in(arm, window, slo.name);
}

BothSides counted_in_both(const Arm& ours, const Arm& theirs, const Window& window, const Slo& slo) {
  if (!of_gc_cpu(slo)) return {counted_in(ours, window, slo), counted_in(theirs, window, slo)};
  for (const GcSource source : kGcSources) {
    const auto our = gc_share_in(ours, window, source);
    const auto their = gc_share_in(theirs, window, source);
    if (our && their) return {reading_of(our->share), reading_of(their->share)};
  }
  return {};
}

bool has_data(const Histogram& counted, const Slo& slo) {
  return counted.count() > 0 || std::holds_alternative<RuntimePauses>(slo.source);
}

Duration length_of_comparison(const Slo& slo, Duration interval) {
  const PrometheusQuery* const query = slo.query();
  return query != nullptr ? std::max(interval, query->window) : interval;
}

int windows_allowed(const Slo& slo, Duration interval, Duration step) {
  const Duration least = kFewestViolations * length_of_comparison(slo, interval);
  return static_cast<int>(std::ceil(to_seconds(std::max(least, slo.max_for)) / to_seconds(step)));
}

std::string max_text(const Slo& slo) {
  return by_kind(
      slo,
      [&](const Durations auto&) {
        return format_duration(std::chrono::round<Duration>(std::chrono::duration<double>(*slo.max)));
      },
      [&](const PodRatio&) { return format_percent(*slo.max); },
      [&](const RuntimeShare&) { return format_percent(*slo.max); },
      [&](const auto&) { return number_text(*slo.max); });
}

}  // namespace gopacer::judging
