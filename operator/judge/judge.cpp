#include <algorithm>
#include <cmath>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/sequential.h"
#include "gopacer/judge/verdict.h"
#include "judge/bursts.h"
#include "judge/hard_stops.h"
#include "judge/measure.h"
#include "judge/metrics.h"
#include "judge/pod_spread.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

using judging::Arm;
using judging::GcSource;
using judging::HardStop;
using judging::kSilentWindows;
using judging::Window;

/// CPU for each request may rise by so much beyond the loss of GC CPU that was accepted (page faults of a grown heap,
/// noise of neighbours), or by what the profile tolerates of latency where that is more.
constexpr double kCpuTolerance = 0.05;

/// Collections come one after the other: of fewer there is no share to speak of.
constexpr double kFewestCollections = 8;

/// CPU for each request is compared where the arms' numbers of requests are within this factor.
constexpr double kMostUneven = 1.25;

/// One call of judge(): counts the windows that are complete, and concludes.
class Comparison {
 public:
  Comparison(const JudgePlan& plan, const Evidence& so_far, const Observation& observed, Time now)
      : plan_(plan),
        now_(now),
        canary_(judging::arm_of(observed, Track::kCanary)),
        baseline_(judging::arm_of(observed, Track::kBaseline)),
        target_(judging::arm_of(observed, Track::kStable)),
        counting_(judging::counting(plan.slos)) {
    verdict_.evidence = so_far;
  }

  Verdict verdict() {
    if (stopped(judging::killed(
            canary_, baseline_,
            {plan_.usual_restarts_per_day, now_ - plan_.measuring_since, Duration(0), evidence().restarts})))
      return verdict_;
    evidence().baseline_memory = std::max(evidence().baseline_memory, judging::memory_share(baseline_));
    if (stopped(judging::near_memory_limit(canary_, evidence().baseline_memory))) return verdict_;
    if (const std::string found = judging::self_tuned(canary_); !found.empty()) {
      return say(Outcome::kPointless, "SelfTuned", found);
    }
    if (now_ < plan_.measuring_since) return say(Outcome::kUndecided, "WarmUp", "The pods are warming up.");
    evidence().pairs = plan_.pairs;
    evidence().nodes_apart = plan_.within_pods ? 0 : plan_.nodes_apart;
    evidence().within_pods = plan_.within_pods;
    declare_metrics();
    const std::optional<HardStop> stop = count_windows();
    measure_spreads();
    note_changes();
    if (stopped(stop)) return verdict_;
    conclude();
    return verdict_;
  }

 private:
  Evidence& evidence() { return verdict_.evidence; }

  Verdict& say(Outcome outcome, std::string reason, std::string message) {
    verdict_.outcome = outcome;
    verdict_.reason = std::move(reason);
    verdict_.message = std::move(message);
    return verdict_;
  }

  bool stopped(const std::optional<HardStop>& stop) {
    if (!stop) return false;
    say(Outcome::kWorse, stop->reason, stop->message);
    verdict_.hard_stop = true;
    for (MetricEvidence& metric : evidence().metrics) metric.summary = judging::tell(metric);
    return true;
  }

  void declare_metrics() {
    for (const Slo& slo : plan_.slos) {
      MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
      metric.relative = judging::is_relative(slo);
      metric.unit = judging::unit_of(slo);
      metric.threshold = judging::tolerated(slo);
    }
    MetricEvidence& gc = judging::metric_named(evidence(), kGcCpuMetric);
    gc.threshold = -plan_.min_saving;
    if (counting_ == nullptr) return;
    MetricEvidence& cpu = judging::metric_named(evidence(), kCpuMetric);
    cpu.relative = true;
    cpu.unit = MetricUnit::kSeconds;
    double tolerated = kCpuTolerance;
    for (const Slo& slo : plan_.slos) {
      if (slo.is_latency()) tolerated = std::max(tolerated, slo.max_regression_percent / 100.0);
    }
    cpu.threshold = std::log1p(tolerated + std::max(0.0, -plan_.min_saving));
  }

  std::optional<HardStop> count_windows() {
    for (const Window& window :
         judging::take_due_windows(evidence(), plan_.measuring_since, plan_.interval, now_, {&canary_, &baseline_})) {
      if (const auto stop = count_window(window)) return stop;
    }
    return std::nullopt;
  }

  std::optional<HardStop> count_window(const Window& window) {
    bool any = false;
    // Trials that go on from each other weigh by their windows: one in which what was compared before is silent, as at
    // night, is not to pass for another pair's evidence.
    bool whole = true;
    for (const Slo& slo : plan_.slos) {
      const bool seen = count_slo(slo, window, &slo == counting_);
      any |= seen;
      whole &=
          seen || slo.on_no_data == NoDataAction::kIgnore || judging::metric_named(evidence(), slo.name).stats.n == 0;
    }
    any |= count_gc(window);
    if (counting_ != nullptr) count_cpu(window);
    ++(any && whole ? evidence().windows : evidence().empty_windows);

    const MetricEvidence& gc = judging::metric_named(evidence(), kGcCpuMetric);
    if (gc.violations >= judging::kHighShareWindows) {
      return HardStop{"GcShare",
                      "Collection takes more than a quarter of the canary's CPU: " + judging::tell(gc) + "."};
    }
    return judging::collection_runs_away(canary_, baseline_, window);
  }

  bool count_slo(const Slo& slo, const Window& window, bool count_requests) {
    MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
    const judging::Pooled pooled = judging::pool(metric, canary_, baseline_, window, slo, plan_.interval);
    if (!pooled.sides) return pooled.requests;
    const auto& [canary, baseline] = *pooled.sides;
    if (count_requests) {
      judging::add_requests(evidence().canary_requests, canary.count());
      judging::add_requests(evidence().baseline_requests, baseline.count());
    }
    const auto difference = judging::difference(canary, baseline, slo);
    // A node that is slow stays slow: three windows in a row are no protection from it.
    const bool by_its_node = metric.relative && evidence().nodes_apart > 0 && difference &&
                             *difference <= metric.threshold + pod_margin(metric);
    metric.violations =
        judging::only_canary_violates(canary, baseline, slo) && !by_its_node ? metric.violations + 1 : 0;
    if (slo.is_latency()) judging::count_bursts(metric, {canary_, baseline_, target_}, pooled.span, slo);
    if (difference) {
      judging::count(metric, *difference, canary, baseline, slo);
    } else {
      ++metric.unresolved;
    }
    const auto [target, beside] = judging::counted_in_both(target_, baseline_, pooled.span, slo);
    if (target && beside && target->count() >= judging::fewest_requests(slo)) {
      if (const auto usual = judging::difference(*target, *beside, slo)) metric.peers.add(*usual);
    }
    return true;
  }

  void count_cpu(const Window& window) {
    MetricEvidence& metric = judging::metric_named(evidence(), kCpuMetric);
    const auto canary = judging::work_in(canary_, window, counting_->name);
    const auto baseline = judging::work_in(baseline_, window, counting_->name);
    // What an idle pod uses is spread over its requests: fewer of them make each look dearer.
    const double uneven = canary && baseline ? canary->requests / baseline->requests : 0;
    if (uneven > kMostUneven || uneven < 1 / kMostUneven) {
      ++metric.missing;
      return;
    }
    metric.missing = 0;
    const double ours = canary->cpu / canary->requests;
    const double theirs = baseline->cpu / baseline->requests;
    judging::count(metric, std::log(ours / theirs), ours, theirs);
  }

  bool count_gc(const Window& window) {
    MetricEvidence& metric = judging::metric_named(evidence(), kGcCpuMetric);
    auto source = judging::gc_source_named(metric.source);
    if (!source || metric.missing >= kSilentWindows) {
      const auto other = best_source(window);
      if (other && other != source) {
        // Sources measure different things: what was added up from another one is no use.
        metric.stats = {};
        metric.counted = 0;
        metric.source = judging::to_string(*other);
        source = other;
      }
    }
    const auto canary = source ? judging::gc_share_in(canary_, window, *source) : std::nullopt;
    const auto baseline = source ? judging::gc_share_in(baseline_, window, *source) : std::nullopt;
    if (!canary || !baseline) {
      ++metric.missing;
      return false;
    }
    metric.missing = 0;
    // Where nobody tells of collections they can't be waited for.
    metric.counted += judging::collections_in(canary_, window).value_or(kFewestCollections);
    judging::count(metric, canary->share - baseline->share, canary->share, baseline->share);
    metric.violations = judging::gc_share_too_high(*canary, baseline->share) ? metric.violations + 1 : 0;
    return true;
  }

  std::optional<GcSource> best_source(const Window& window) const {
    for (const GcSource source : judging::kGcSources) {
      if (judging::gc_share_in(canary_, window, source) && judging::gc_share_in(baseline_, window, source))
        return source;
    }
    return std::nullopt;
  }

  void conclude() {
    const int windows = evidence().windows + evidence().empty_windows;
    for (MetricEvidence& metric : evidence().metrics) {
      judging::weigh(metric, plan_.alpha, judging::unseen(metric), pod_margin(metric));
      metric.summary = judging::tell(metric);
    }
    for (const Slo& slo : plan_.slos) heed_silence(slo);
    MetricEvidence& gc = judging::metric_named(evidence(), kGcCpuMetric);
    if (gc.counted < kFewestCollections && gc.state != MetricState::kNoData) gc.state = MetricState::kUndecided;
    for (const Slo& slo : plan_.slos) {
      const MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
      if (judging::bursts_decide(metric, plan_.alpha)) {
        say(Outcome::kWorse, judging::harm_of(slo).reason, "The canary has bursts: " + told_of_bursts(metric) + ".");
        return;
      }
      if (slo.max &&
          metric.violations >=
              judging::windows_allowed(slo, plan_.interval, judging::length_of_comparison(slo, plan_.interval))) {
        say(Outcome::kWorse, "SloViolated",
            "Only the canary is above " + judging::max_text(slo) + ", in " + std::to_string(metric.violations) +
                " windows in a row: " + judging::tell(metric) + ".");
        verdict_.broken = slo.name;
        return;
      }
      if (slo.on_no_data == NoDataAction::kRollBack && windows >= kSilentWindows && only_canary_is_silent(slo)) {
        say(Outcome::kWorse, "NoData", "Only the canary has none: " + why_no_data(metric));
        return;
      }
      if (metric.state == MetricState::kFail) {
        const judging::Harm harm = judging::harm_of(slo);
        say(Outcome::kWorse, harm.reason, harm.in_canary + ": " + judging::tell(metric) + ".");
        return;
      }
    }
    if (gc.state == MetricState::kFail) {
      const bool loss = plan_.min_saving < 0;
      say(Outcome::kWorse, loss ? "GcCpuRegression" : "NoBenefit",
          (loss ? "Collection costs more than was accepted: "
                : "The saving is below the least that is worth having: ") +
              judging::tell(gc) + ".");
      return;
    }
    for (const MetricEvidence& metric : evidence().metrics) {
      if (metric.name != kCpuMetric || metric.state != MetricState::kFail) continue;
      say(Outcome::kWorse, "CpuRegression", "Each request costs the canary more CPU: " + judging::tell(metric) + ".");
      return;
    }
    for (const MetricEvidence& metric : evidence().metrics) {
      if (metric.state != MetricState::kNoData || !required(metric)) continue;
      say(Outcome::kNoData, "NoData", why_no_data(metric));
      return;
    }
    const bool all_pass =
        std::all_of(evidence().metrics.begin(), evidence().metrics.end(), [&](const MetricEvidence& metric) {
          return (metric.state == MetricState::kPass || !required(metric)) && !held_by_bursts(metric);
        });
    if (all_pass && !enough_requests()) {
      say(Outcome::kUndecided, "TooFewRequests",
          "Good so far, after " + std::to_string(evidence().canary_requests) + " requests to the canary and " +
              std::to_string(evidence().baseline_requests) + " to the baseline of at least " +
              std::to_string(plan_.min_samples) + " each: " + story() + ".");
      return;
    }
    // What earlier trials have shown is not enough by itself: these pods have to show it, too.
    if (all_pass && evidence().windows >= kFewestWindows) {
      say(Outcome::kBetter, "Better", story() + "; " + std::to_string(evidence().windows) + " windows.");
      return;
    }
    for (const Slo& slo : plan_.slos) {
      const MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
      if (metric.stats.n + metric.unresolved > 0 || windows < judging::kMostPendingWindows) continue;
      say(Outcome::kUndecided, "TooFewRequests", why_too_few(slo) + " " + story() + ".");
      return;
    }
    for (const Slo& slo : plan_.slos) {
      const MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
      if (!slo.is_latency() || !judging::mostly_unresolved(metric)) continue;
      say(Outcome::kUndecided, "BucketsTooWide", why_unresolved(slo) + " " + story() + ".");
      return;
    }
    say(Outcome::kUndecided, "Measuring", story() + ". " + outlook());
  }

  /// What has become silent says nothing of how things are now: it does not pass, and is passed over where a person
  /// wants that. Harm that it has shown stays.
  void heed_silence(const Slo& slo) {
    MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
    if (!is_silent(metric) || metric.state == MetricState::kFail) return;
    metric.state = slo.on_no_data == NoDataAction::kIgnore ? MetricState::kNoData : MetricState::kUndecided;
  }

  /// It has had data, and none lately.
  static bool is_silent(const MetricEvidence& metric) {
    return metric.stats.n + metric.unresolved > 0 && metric.missing >= kSilentWindows;
  }

  /// A burst that only the canary had may be the first of many, until as many windows have passed without another one
  /// as would have shown that.
  bool held_by_bursts(const MetricEvidence& metric) const {
    return metric.burst_odds > 0 &&
           so_far(verdict_.evidence).windows < judging::kWindowsToABurst * metric.canary_bursts;
  }

  /// What the pods and their nodes may make of a ratio, as a logarithm. No number of windows makes it smaller: a node
  /// that is slow stays slow. Shares of CPU are the same on any node.
  double pod_margin(const MetricEvidence& metric) const {
    if (!metric.relative) return 0;
    const EarlierTrials trials = so_far(verdict_.evidence);
    return judging::pod_confidence(metric, trials) * judging::arms_differ(metric, trials);
  }

  /// Of one pod's figure from one window to the next: the difference of two arms has that of two pods for each pair. As
  /// if neighbouring windows did not resemble each other: it is taken off what pods are seen to differ by, where too
  /// little is the safe side.
  double noise_of(const MetricEvidence& metric) const {
    if (metric.stats.n < 2) return 0;
    return metric.stats.m2 / static_cast<double>(metric.stats.n - 1) * plan_.pairs / 2;
  }

  void measure_spreads() {
    if (plan_.within_pods) return;
    const judging::EqualPods old{&target_, plan_.measuring_since};
    const judging::EqualPods fresh{&baseline_, plan_.measuring_since};
    for (const Slo& slo : plan_.slos) {
      MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
      const bool of_each_pod = slo.query() == nullptr && !slo.is_of_runtime();
      if (!metric.relative || !of_each_pod || metric.stats.n < kFewestWindows) continue;
      judging::measure_spread(metric, slo, {old, fresh}, plan_.nodes, plan_.interval, noise_of(metric));
    }
    if (counting_ == nullptr) return;
    MetricEvidence& cpu = judging::metric_named(evidence(), kCpuMetric);
    judging::measure_cpu_spread(cpu, counting_->name, {old, fresh}, plan_.nodes, plan_.interval, noise_of(cpu));
  }

  /// A person does without it where it has no data.
  bool ignored(const MetricEvidence& metric) const {
    const Slo* const slo = slo_named(plan_.slos, metric.name);
    return slo != nullptr && slo->on_no_data == NoDataAction::kIgnore && metric.state == MetricState::kNoData;
  }

  /// What has to be shown before the canary is called better.
  bool required(const MetricEvidence& metric) const { return metric.name != kCpuMetric && !ignored(metric); }

  /// In the last windows, while the baseline told so much that it can't be chance.
  bool only_canary_is_silent(const Slo& slo) const {
    const Window lately{now_ - kSilentWindows * judging::length_of_comparison(slo, plan_.interval), now_};
    const auto ours = judging::counted_in(canary_, lately, slo);
    const auto theirs = judging::counted_in(baseline_, lately, slo);
    const bool told = theirs && judging::has_data(*theirs, slo) && theirs->count() >= judging::fewest_requests(slo);
    return told && !(ours && judging::has_data(*ours, slo));
  }

  bool enough_requests() {
    return counting_ == nullptr || ignored(judging::metric_named(evidence(), counting_->name)) ||
           std::min(evidence().canary_requests, evidence().baseline_requests) >= plan_.min_samples;
  }

  void note_changes() {
    for (const Slo& slo : plan_.slos) {
      const MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
      if (metric.stats.n == 0 || !slo.is_latency() || verdict_.p99_change) continue;
      verdict_.p99_change = std::expm1(metric.stats.mean);
    }
    const MetricEvidence& gc = judging::metric_named(evidence(), kGcCpuMetric);
    if (gc.baseline > 0) verdict_.gc_change = gc.canary / gc.baseline - 1;
  }

  static std::string told_of_bursts(const MetricEvidence& metric) {
    return metric.name + " was far above that of the pods with the old settings at the same time, " +
           std::to_string(metric.canary_bursts) + " times in the canary and " + std::to_string(metric.other_bursts) +
           " times in one of them, " + std::to_string(metric.baseline_bursts) + " of these in the baseline";
  }

  std::string story() {
    std::string text;
    for (const MetricEvidence& metric : evidence().metrics) {
      if (metric.stats.n > 0 || required(metric)) text += (text.empty() ? "" : "; ") + judging::tell(metric);
      if (metric.burst_odds > 0) text += "; " + told_of_bursts(metric);
      if (is_silent(metric)) {
        text += "; " + metric.name + " has told nothing for " + std::to_string(metric.missing) + " windows";
      }
    }
    const MetricEvidence& gc = judging::metric_named(evidence(), kGcCpuMetric);
    if (gc.stats.n > 0 && gc.counted < kFewestCollections) {
      text += "; the canary collected " + format_fixed(gc.counted, 0) + " times, and has to " +
              format_fixed(kFewestCollections, 0) + " times before collection is judged";
    }
    if (const int trials = evidence().earlier.trials; trials > 0) {
      text += "; goes on from " + std::to_string(trials) + " earlier trial" + (trials > 1 ? "s" : "") +
              " of about these settings";
    }
    for (const Slo& slo : plan_.slos) {
      const MetricEvidence& metric = judging::metric_named(evidence(), slo.name);
      if (!metric.relative || metric.stats.n == 0 || pod_margin(metric) <= 0) continue;
      text += std::string("; ") +
              (evidence().nodes_apart > 0 ? "canary and baseline run on different nodes, and " : "") +
              judging::told_of_pods(metric) + ", which alone may make up to " +
              format_fixed(100 * std::expm1(pod_margin(metric)), 1) + " %";
      break;
    }
    return text;
  }

  std::string why_too_few(const Slo& slo) const {
    const Duration most = judging::kMostPendingWindows * plan_.interval;
    return slo.name + " can't be compared: within " + format_duration(most) +
           " the canary and the baseline have to tell of " + format_fixed(judging::fewest_requests(slo), 0) +
           " each, and never did. More traffic, or a longer canary.interval, would help.";
  }

  /// The histograms as they are now tell which buckets would help.
  std::string why_unresolved(const Slo& slo) const {
    std::string lack;
    for (const Arm* arm : {&baseline_, &canary_}) {
      for (const PodSeries* pod : *arm) {
        const Sample* const latest =
            latest_sample(*pod, [&](const Sample& sample) { return sample.latency.contains(slo.name); });
        if (lack.empty() && latest != nullptr) {
          lack = judging::what_it_lacks(latest->latency.at(slo.name), slo);
        }
      }
    }
    return slo.histogram().metric + " can't show a change of " + slo.name + (lack.empty() ? "" : ": " + lack) + ".";
  }

  std::string why_no_data(const MetricEvidence& metric) const {
    std::string text = metric.name + " has no data in " +
                       std::to_string(verdict_.evidence.windows + verdict_.evidence.empty_windows) + " windows";
    for (const Arm* arm : {&canary_, &baseline_}) {
      const std::string which = arm == &canary_ ? "canary" : "baseline";
      if (arm->empty()) text += "; there is no " + which + " pod";
      for (const PodSeries* pod : *arm) {
        if (!pod->error.empty()) text += "; " + pod->error;
        if (const auto why = pod->unread.find(metric.name); why != pod->unread.end()) text += "; " + why->second;
      }
    }
    const Slo* const slo = slo_named(plan_.slos, metric.name);
    return text + ". " + (slo == nullptr ? judging::kGcCpuNeeds : judging::what_it_needs(*slo));
  }

  /// How much longer it takes if nothing changes, for the metric that needs most.
  std::string outlook() const {
    double most = 1;
    bool hopeless = false;
    for (const MetricEvidence& metric : verdict_.evidence.metrics) {
      if (!required(metric)) continue;
      const double gap = std::abs(metric.stats.mean - metric.threshold);
      const double pods = pod_margin(metric);
      const double distance = std::sqrt(std::max(0.0, gap * gap - pods * pods));
      hopeless = hopeless || (metric.relative && metric.stats.n >= kFewestWindows && distance <= 0);
      // Before ten windows even the spread is a guess.
      double all = metric.stats.n < 10 ? kFewestWindows : windows_needed(metric.stats, distance, plan_.alpha);
      // What may go wrong unseen gets less with each request.
      if (metric.counted > 0) {
        all = std::max(all, judging::unseen(metric) / gap * static_cast<double>(metric.stats.n));
      }
      // Windows with few requests count as one: the pace so far tells how many go into one.
      const double pace = metric.stats.n == 0 ? 1
                                              : (verdict_.evidence.windows + verdict_.evidence.empty_windows) /
                                                    static_cast<double>(metric.stats.n);
      most = std::max(most, (all - static_cast<double>(metric.stats.n)) * pace);
    }
    const double seconds = most * to_seconds(plan_.interval);
    if (plan_.max_duration > Duration(0)) {
      const double left = to_seconds(plan_.measuring_since + plan_.max_duration - now_);
      if (hopeless) {
        return "No time would decide it: what pods with equal settings differ by leaves no room. More "
               "canary.replicas, "
               "a wider maxRegressionPercent, or room for canary and baseline on one node would.";
      }
      if (seconds > left) {
        return "At this pace the time left is not enough: more requests, more canary.replicas, a longer "
               "canary.maxDuration or a wider tolerance would decide it.";
      }
    }
    return "About " + format_duration(std::chrono::seconds(static_cast<std::int64_t>(std::min(seconds, 1e8)))) +
           " more.";
  }

  const JudgePlan& plan_;
  const Time now_;
  const Arm canary_;
  const Arm baseline_;
  const Arm target_;
  const Slo* const counting_;
  Verdict verdict_;
};

}  // namespace

Verdict judge(const JudgePlan& plan, const Evidence& so_far, const Observation& observed, Time now) {
  return Comparison(plan, so_far, observed, now).verdict();
}

bool warmed_up(const Observation& observed, Time since) {
  // The first one may have begun before, with the small heap of a start.
  constexpr std::uint32_t kCollections = 2;
  const auto collected = [&](const PodSeries* pod) {
    std::optional<std::uint32_t> before;
    for (const Sample& sample : pod->samples) {
      if (!sample.mem) continue;
      if (!before || sample.at <= since) before = sample.mem->num_gc;
      if (sample.mem->num_gc >= *before + kCollections) return true;
    }
    return false;
  };
  for (const Track track : {Track::kCanary, Track::kBaseline}) {
    const Arm arm = judging::arm_of(observed, track);
    if (arm.empty() || !std::all_of(arm.begin(), arm.end(), collected)) return false;
  }
  return true;
}

std::string to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kBetter:
      return "better";
    case Outcome::kWorse:
      return "worse";
    case Outcome::kUndecided:
      return "undecided";
    case Outcome::kNoData:
      return "no data";
    case Outcome::kPointless:
      return "pointless";
  }
  return {};
}

}  // namespace gopacer
