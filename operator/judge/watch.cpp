#include <algorithm>
#include <cmath>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/verdict.h"
#include "judge/hard_stops.h"
#include "judge/measure.h"
#include "judge/metrics.h"
#include "judge/pod_spread.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

using judging::Arm;
using judging::GcShare;
using judging::Window;

/// Windows of the trial that tell by how much target and baseline differ.
constexpr int kFewestPeers = 10;
/// Target and baseline are compared where the requests of a pod of each are within this factor.
constexpr double kMostUneven = 1.5;
/// Windows after which the comparison begins anew.
constexpr int kStretch = 40;
/// What violations in a row are counted against, as the metric's source tells.
constexpr const char* kBaseline = "baseline";
constexpr const char* kPromise = "max";
/// A rollout makes all pods young and moves them to other nodes; only what is clearly beyond that counts.
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
      if (pod.track == Track::kCanary && plan.within_pods) compared_.push_back(&pod);
      if (pod.track != Track::kBaseline) continue;
      // Of processes that take turns nobody knows whose doing it was that they ended.
      if (!plan.within_pods) witnesses_.push_back(&pod);
      if (plan.beside_baseline) baseline_.push_back(&pod);
    }
  }

  Verdict verdict() {
    if (stop(judging::killed(pods_, witnesses_, {plan_.usual_restarts_per_day, now_ - plan_.since, plan_.warm_up})) ||
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
    metric.relative = judging::is_relative(slo);
    metric.unit = judging::unit_of(slo);
    metric.threshold =
        metric.relative ? std::log1p(std::max(kLeastTolerance, kToleranceFactor * slo.max_regression_percent / 100.0))
                        : kToleranceFactor * judging::tolerated(slo);
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
    for (const Slo& slo : plan_.slos) {
      const bool seen = count_slo(warm, slo, window, &slo == judging::counting(plan_.slos));
      const MetricEvidence* const before = find(plan_.before, slo.name);
      any |= seen;
      whole &= seen || slo.on_no_data == NoDataAction::kIgnore || before == nullptr || before->stats.n == 0;
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

  bool count_slo(const Arm& warm, const Slo& slo, const Window& window, bool count_requests) {
    MetricEvidence& metric = judging::metric_named(verdict_.evidence, slo.name);
    const auto seen = judging::counted_in(warm, window, slo);
    const Window lately{window.to - judging::length_of_comparison(slo, plan_.interval), window.to};
    const auto seen_lately = judging::counted_in(warm, lately, slo);
    const bool any = seen_lately && judging::has_data(*seen_lately, slo);
    const bool enough = seen && seen->count() >= judging::fewest_requests(slo);
    if (enough && count_requests) judging::add_requests(verdict_.evidence.canary_requests, seen->count());
    if (compare_with_baseline(metric, slo, window)) return any;
    if (!enough) return any;
    // Without a baseline that answers there is nothing to tell the settings from the hour by, but for what was promised
    // in so many words. And a promise that was not kept before can't be broken by the new settings.
    const MetricEvidence* before = find(plan_.before, slo.name);
    const bool kept_before =
        before == nullptr || !slo.max ||
        (metric.relative ? before->baseline * std::exp(usual_of(slo)) : before->baseline + usual_of(slo)) <= *slo.max;
    refer_to(metric, kPromise);
    const bool broken =
        kept_before && judging::violates(*seen, slo) && !baseline_suffers(slo, window, per_pod(*seen, warm));
    metric.violations = broken ? metric.violations + 1 : 0;
    return true;
  }

  /// A baseline that does less work is no measure, but what it suffers as well is not the settings'. One that does more
  /// than `requests` a pod may be slow by itself.
  bool baseline_suffers(const Slo& slo, const Window& window, double requests) const {
    const auto seen = judging::counted_in(baseline_, window, slo);
    return seen && seen->count() > 0 && per_pod(*seen, baseline_) <= kMostUneven * requests &&
           judging::violates(*seen, slo);
  }

  static double per_pod(const Histogram& counted, const Arm& pods) {
    return counted.count() / static_cast<double>(pods.size());
  }

  /// Without a baseline each window counts by itself.
  int allowed_violations(const MetricEvidence& metric, const Slo& slo) const {
    const bool by_window = metric.source == kPromise;
    return judging::windows_allowed(slo, plan_.interval,
                                    by_window ? plan_.interval : judging::length_of_comparison(slo, plan_.interval));
  }

  /// Violations in a row count against one and the same.
  static void refer_to(MetricEvidence& metric, const char* reference) {
    if (metric.source != reference) metric.violations = 0;
    metric.source = reference;
  }

  /// What a rollout, which moves pods to other nodes, may make of the difference between target and baseline.
  double move_margin(const Slo& slo) const {
    if (plan_.within_pods) return 0;
    const MetricEvidence* const before = find(plan_.before, slo.name);
    const MetricEvidence trial = before != nullptr ? *before : MetricEvidence{};
    const double places = 1.0 / static_cast<double>(baseline_.size()) + 1.0 / static_cast<double>(pods_.size());
    const EarlierTrials moved{.trials = 1, .nodes = places};
    return judging::pod_confidence(trial, moved) * std::sqrt(judging::pod_variance(trial).anywhere * places);
  }

  /// By how much the target's pods differed from the baseline with the old settings. No more of it is believed than
  /// nodes explain: old pods are larger and warmer than fresh ones, and that is over by now.
  double usual_of(const Slo& slo) const {
    const MetricEvidence* const before = find(plan_.before, slo.name);
    if (before == nullptr || before->peers.n < kFewestPeers || baseline_.empty() || pods_.empty()) return 0;
    const double most = judging::is_relative(slo) ? move_margin(slo) : judging::tolerated(slo);
    return std::clamp(before->peers.mean, -most, most);
  }

  /// By how much the target's pods were faster than expected in the first stretch, as a negative number: luck with
  /// their nodes is not to hide what begins later. No more of it than nodes explain: the rest is what the settings were
  /// promoted for, and may go with the load. Had they been slower, that would be harm as well.
  double head_start(const MetricEvidence& metric, const Slo& slo) const {
    if (!metric.relative || metric.peers.n == 0) return 0;
    return std::clamp(metric.peers.mean, -move_margin(slo), 0.0);
  }

  /// False where the baseline shows nothing, or does other work than the target.
  bool compare_with_baseline(MetricEvidence& metric, const Slo& slo, const Window& window) {
    if (baseline_.empty()) return false;
    Arm warm;
    for (const PodSeries* pod : plan_.within_pods ? compared_ : pods_) {
      if (pod->started + plan_.warm_up <= metric.pending_since.value_or(window.from)) warm.push_back(pod);
    }
    const judging::Pooled pooled = judging::pool(metric, warm, baseline_, window, slo, plan_.interval);
    if (!pooled.sides) return metric.pending_since.has_value();
    const auto& [ours, theirs] = *pooled.sides;
    const double uneven = per_pod(ours, warm) / per_pod(theirs, baseline_);
    if (slo.counts_requests() && (uneven > kMostUneven || uneven < 1 / kMostUneven)) return false;
    const auto difference = judging::difference(ours, theirs, slo);
    const double change = difference.value_or(0) - usual_of(slo) - head_start(metric, slo);
    const double explained = judging::tolerated(slo) + (metric.relative ? move_margin(slo) : 0);
    const bool by_the_move = difference && change <= explained;
    refer_to(metric, kBaseline);
    metric.violations = judging::only_canary_violates(ours, theirs, slo) && !by_the_move ? metric.violations + 1 : 0;
    if (!difference) return true;
    // What begins late would drown in all that was well before.
    if (metric.stats.n >= kStretch) {
      if (metric.peers.n == 0) metric.peers = metric.stats;
      metric.stats = {};
      metric.counted = 0;
    }
    judging::count(metric, change, ours, theirs, slo);
    return true;
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
    const double usual = before != nullptr ? before->baseline : seen->share;
    const auto reference = before != nullptr ? std::optional(usual) : std::nullopt;
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
      judging::weigh(metric, plan_.alpha, judging::unseen(metric));
      metric.summary = judging::tell(metric);
      if (slo.max && metric.violations >= allowed_violations(metric, slo)) {
        verdict_.broken = slo.name;
        return worse("SloViolated", slo.name + " was above " + judging::max_text(slo) + " in " +
                                        std::to_string(metric.violations) +
                                        " windows in a row after the promotion: " + judging::tell(metric) + ".");
      }
      if (metric.state == MetricState::kFail) {
        const judging::Harm harm = judging::harm_of(slo);
        const char* const reference =
            plan_.within_pods ? "the same pods with the old settings, by turns: " : "the baseline beside it: ";
        return worse(harm.reason, harm.in_target + reference + judging::tell(metric) + ".");
      }
      if (metric.stats.n > 0 && slo.is_latency() && !verdict_.p99_change)
        verdict_.p99_change = std::expm1(metric.stats.mean);
      story += (story.empty() ? "" : "; ") + judging::tell(metric);
    }
    const MetricEvidence& gc = judging::metric_named(evidence, kGcCpuMetric);
    if (gc.baseline > 0) verdict_.gc_change = gc.canary / gc.baseline - 1;
    if (windows >= judging::kSilentWindows && evidence.windows == 0) {
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
                       " windows" + (story.empty() ? "" : ": " + story) + "." +
                       (baseline_.empty() && !plan_.slos.empty()
                            ? " There is no baseline beside the target: of SLOs only max is looked at."
                            : "");
  }

  const WatchPlan& plan_;
  const Time now_;
  Arm pods_;
  Arm compared_;   ///< of pods that take turns, what they do with the new settings
  Arm baseline_;   ///< empty once it is gone, or no longer the one that was measured
  Arm witnesses_;  ///< the baseline whether or not: what kills it kills the target's pods, too
  Verdict verdict_;
};

}  // namespace

Verdict watch_after_promotion(const WatchPlan& plan, const Evidence& so_far, const Observation& observed, Time now) {
  return Watch(plan, so_far, observed, now).verdict();
}

}  // namespace gopacer
