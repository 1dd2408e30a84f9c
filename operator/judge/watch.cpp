#include <algorithm>
#include <cmath>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/verdict.h"
#include "judge/hard_stops.h"
#include "judge/metrics.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

using judging::Arm;
using judging::GcShare;
using judging::Window;

constexpr int kViolationsAllowed = 3;
/// What the target's pods are compared with, as the metric's source tells.
constexpr const char* kBaseline = "baseline";
constexpr const char* kTimeBefore = "time before";
/// Load and the age of heaps move latency between one hour and the next; only what is clearly beyond that counts.
constexpr double kLeastTolerance = 0.25;
constexpr double kToleranceFactor = 3;

const MetricEvidence* find(const Evidence& evidence, const std::string& name) {
  for (const MetricEvidence& metric : evidence.metrics) {
    if (metric.name == name && metric.stats.n > 0) return &metric;
  }
  return nullptr;
}

class Watch {
 public:
  Watch(const WatchPlan& plan, const Evidence& so_far, const Observation& observed, Time now) : plan_(plan), now_(now) {
    verdict_.evidence = so_far;
    verdict_.outcome = Outcome::kUndecided;
    for (const PodSeries& pod : observed.pods) {
      if (pod.track == Track::kStable && pod.settings == plan.settings) pods_.push_back(&pod);
      if (pod.track == Track::kBaseline) baseline_.push_back(&pod);
    }
  }

  Verdict verdict() {
    const Arm nothing;
    if (stop(judging::killed(pods_, nothing, {plan_.usual_restarts_per_day, now_ - plan_.since, plan_.warm_up})) ||
        stop(judging::near_memory_limit(pods_, plan_.before.baseline_memory)))
      return verdict_;
    for (const Slo& slo : plan_.slos) declare(slo);
    MetricEvidence& gc = judging::metric_named(verdict_.evidence, kGcCpuMetric);
    if (const MetricEvidence* before = find(plan_.before, kGcCpuMetric)) gc.source = before->source;

    for (const Window& window :
         judging::take_due_windows(verdict_.evidence, plan_.since, plan_.interval, now_, {&pods_, &baseline_})) {
      if (count_window(window)) return verdict_;
    }
    conclude();
    return verdict_;
  }

 private:
  bool stop(const std::optional<judging::HardStop>& found) {
    if (!found) return false;
    worse(found->reason, found->message);
    verdict_.hard_stop = true;
    return true;
  }

  void worse(std::string reason, std::string message) {
    verdict_.outcome = Outcome::kWorse;
    verdict_.reason = std::move(reason);
    verdict_.message = std::move(message);
  }

  void declare(const Slo& slo) {
    MetricEvidence& metric = judging::metric_named(verdict_.evidence, slo.name);
    metric.ratio = true;
    metric.threshold = std::log1p(std::max(kLeastTolerance, kToleranceFactor * slo.max_regression_percent / 100.0));
  }

  /// True when it ended in a hard stop.
  bool count_window(const Window& window) {
    Arm warm;
    for (const PodSeries* pod : pods_) {
      if (pod->started + plan_.warm_up <= window.from) warm.push_back(pod);
    }
    if (warm.empty() && !pods_.empty()) return false;
    bool any = false;
    // What the trial was judged by has to be seen here too, or a service that answers nobody would confirm anything.
    bool whole = true;
    for (std::size_t i = 0; i < plan_.slos.size(); ++i) {
      const bool seen = count_latency(warm, plan_.slos[i], window, i == 0);
      const MetricEvidence* const before = find(plan_.before, plan_.slos[i].name);
      any |= seen;
      whole &= seen || before == nullptr || before->stats.n == 0;
    }
    any |= count_gc(warm, window);
    ++(any && whole ? verdict_.evidence.windows : verdict_.evidence.empty_windows);

    const MetricEvidence& gc = judging::metric_named(verdict_.evidence, kGcCpuMetric);
    if (gc.violations >= judging::kHighShareWindows) {
      return stop(judging::HardStop{"GcShare", "Collection takes " + format_fixed(gc.canary * 100, 1) +
                                                   " % of the target's CPU with " + describe(plan_.settings) + "."});
    }
    return stop(judging::collection_runs_away(warm, baseline_, window));
  }

  bool count_latency(const Arm& warm, const Slo& slo, const Window& window, bool count_requests) {
    MetricEvidence& metric = judging::metric_named(verdict_.evidence, slo.name);
    const auto seen = judging::latency_in(warm, window, slo.name);
    const double q = slo.histogram.quantile;
    const bool any = seen && seen->count() > 0;
    const bool enough = seen && seen->count() >= judging::fewest_requests(q);
    if (enough && count_requests) judging::add_requests(verdict_.evidence.canary_requests, seen->count());
    compare_by(metric, baseline_.empty() ? kTimeBefore : kBaseline);
    if (!baseline_.empty()) compare_with_baseline(metric, warm, slo, window);
    if (!baseline_.empty() || !enough) return any;
    const MetricEvidence* before = find(plan_.before, slo.name);
    const double now_at = quantile(*seen, q)->value;
    // A promise that was not kept before can't be broken by the new settings.
    const bool kept_before = before == nullptr || !slo.max || before->baseline <= to_seconds(*slo.max);
    metric.violations = kept_before && judging::violates(*seen, slo) ? metric.violations + 1 : 0;
    if (before != nullptr && before->baseline > 0 && now_at > 0) {
      judging::count(metric, std::log(now_at / before->baseline), now_at, before->baseline);
    }
    return true;
  }

  /// What was added up against something else is no use.
  static void compare_by(MetricEvidence& metric, const char* reference) {
    if (metric.source == reference) return;
    metric.source = reference;
    metric.stats = {};
    metric.violations = 0;
    metric.pending_since.reset();
  }

  void compare_with_baseline(MetricEvidence& metric, const Arm& warm, const Slo& slo, const Window& window) {
    const judging::Pooled pooled = judging::pool(metric, warm, baseline_, window, slo, plan_.interval);
    if (!pooled.sides) return;
    const auto& [ours, theirs] = *pooled.sides;
    const double q = slo.histogram.quantile;
    metric.violations = judging::only_canary_violates(ours, theirs, slo) ? metric.violations + 1 : 0;
    const MetricEvidence* const before = find(plan_.before, slo.name);
    const double usual = before != nullptr && before->peers.n > 0 ? before->peers.mean : 0;
    if (const auto slowdown = judging::log_slowdown(ours, theirs, q)) {
      judging::count(metric, *slowdown - usual, quantile(ours, q)->value, quantile(theirs, q)->value);
    }
  }

  bool count_gc(const Arm& warm, const Window& window) {
    MetricEvidence& metric = judging::metric_named(verdict_.evidence, kGcCpuMetric);
    std::optional<GcShare> seen;
    if (const auto known = judging::gc_source_named(metric.source)) seen = judging::gc_share_in(warm, window, *known);
    for (const auto source : judging::kGcSources) {
      if (!metric.source.empty()) break;
      seen = judging::gc_share_in(warm, window, source);
      if (seen) metric.source = judging::to_string(source);
    }
    if (!seen) return false;
    const MetricEvidence* before = find(plan_.before, kGcCpuMetric);
    std::optional<double> reference;
    if (before != nullptr) reference = before->baseline;
    if (const auto beside = judging::gc_share_in(baseline_, window, *judging::gc_source_named(metric.source))) {
      reference = beside->share;
    }
    const double usual = reference.value_or(seen->share);
    judging::count(metric, seen->share - usual, seen->share, usual);
    metric.violations = judging::gc_share_too_high(*seen, reference) ? metric.violations + 1 : 0;
    return true;
  }

  void conclude() {
    Evidence& evidence = verdict_.evidence;
    const int windows = evidence.windows + evidence.empty_windows;
    std::string story;
    for (const Slo& slo : plan_.slos) {
      MetricEvidence& metric = judging::metric_named(evidence, slo.name);
      judging::weigh(metric, plan_.alpha, windows);
      if (slo.max && metric.violations >= kViolationsAllowed) {
        return worse("SloViolated", slo.name + " was above " + format_duration(*slo.max) + " in " +
                                        std::to_string(metric.violations) +
                                        " windows in a row after the promotion: " + judging::tell(metric) + ".");
      }
      if (metric.state == MetricState::kFail) {
        return worse("LatencyRegression",
                     std::string("Slower than ") +
                         (metric.source == kBaseline ? "the baseline beside it" : "before the promotion") + ": " +
                         judging::tell(metric) + ".");
      }
      if (metric.stats.n > 0 && !verdict_.p99_change) verdict_.p99_change = std::expm1(metric.stats.mean);
      story += (story.empty() ? "" : "; ") + judging::tell(metric);
    }
    const MetricEvidence& gc = judging::metric_named(evidence, kGcCpuMetric);
    if (gc.baseline > 0) verdict_.gc_change = gc.canary / gc.baseline - 1;
    if (windows >= 4 && evidence.windows == 0) {
      verdict_.outcome = Outcome::kNoData;
      verdict_.reason = "NoData";
      verdict_.message =
          "No data from the target's pods in " + std::to_string(windows) + " windows after the promotion.";
      for (const PodSeries* pod : pods_) {
        if (!pod->error.empty()) verdict_.message += " " + pod->error;
      }
      return;
    }
    verdict_.reason = "Watching";
    verdict_.message = "Nothing speaks against the settings so far, in " + std::to_string(evidence.windows) +
                       " windows" + (story.empty() ? "" : ": " + story) + ".";
  }

  const WatchPlan& plan_;
  const Time now_;
  Arm pods_;
  Arm baseline_;  ///< empty once it is gone
  Verdict verdict_;
};

}  // namespace

Verdict watch_after_promotion(const WatchPlan& plan, const Evidence& so_far, const Observation& observed, Time now) {
  return Watch(plan, so_far, observed, now).verdict();
}

}  // namespace gopacer
