#include "judge/pod_spread.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gopacer/base/units.h"
#include "gopacer/domain/histogram.h"
#include "judge/measure.h"

namespace gopacer::judging {
namespace {

/// More pods tell hardly more.
constexpr std::size_t kMostPods = 32;
/// In a shorter time chance is all that differs.
constexpr int kFewestWindowsOfSpread = 8;

/// Sum of squared deviations, and their degrees of freedom.
struct Squares {
  double sum = 0;
  int freedom = 0;

  void add(const std::vector<double>& values) {
    if (values.size() < 2) return;
    double mean = 0;
    for (const double x : values) mean += x / static_cast<double>(values.size());
    for (const double x : values) sum += (x - mean) * (x - mean);
    freedom += static_cast<int>(values.size()) - 1;
  }
};

/// The time that the readings of all these pods have in common.
template <typename Wanted>
std::optional<Window> common_time(const Arm& pods, Time since, const Wanted& wanted) {
  Window common{since, Time::max()};
  for (const PodSeries* pod : pods) {
    const auto first = std::find_if(pod->samples.begin(), pod->samples.end(),
                                    [&](const Sample& sample) { return sample.at >= since && wanted(sample); });
    if (first == pod->samples.end()) return std::nullopt;
    common.from = std::max(common.from, first->at);
    common.to = std::min(common.to, latest_sample(*pod, wanted)->at);
  }
  return common;
}

void note(MeasuredSpread& spread, const Squares& squares, double noise) {
  if (squares.freedom == 0 || squares.freedom < spread.freedom) return;
  spread = {std::sqrt(std::max(0.0, squares.sum / squares.freedom - noise)), squares.freedom};
}

/// `figures`: logarithms of the pods' figures over a time, up to a number that they have in common; one for each pod
/// that has one.
template <typename Figures>
void measure(MetricEvidence& metric, std::initializer_list<EqualPods> groups, const Nodes& nodes, Duration interval,
             double noise, const std::string& slo, const Figures& figures) {
  Squares between;
  Squares within;
  double windows = 0;
  for (const EqualPods& group : groups) {
    Arm pods(group.pods->begin(),
             group.pods->begin() + static_cast<std::ptrdiff_t>(std::min(group.pods->size(), kMostPods)));
    std::erase_if(pods, [&](const PodSeries* pod) { return !pod->ready; });
    const auto time =
        common_time(pods, group.since, [&](const Sample& sample) { return sample.latency.contains(slo); });
    if (pods.size() < 2 || !time || time->to - time->from < kFewestWindowsOfSpread * interval) continue;
    windows = std::max(windows, to_seconds(time->to - time->from) / to_seconds(interval));
    std::map<std::string, std::vector<double>> by_node;
    const std::vector<std::optional<double>> found = figures(pods, *time);
    for (std::size_t i = 0; i < pods.size(); ++i) {
      const auto node = nodes.find(pods[i]->uid);
      if (found[i]) by_node[node != nodes.end() ? node->second : "of " + pods[i]->uid].push_back(*found[i]);
    }
    // One pod of each node, or those that share one would count twice.
    std::vector<double> one_of_each;
    for (const auto& [name, values] : by_node) {
      within.add(values);
      one_of_each.push_back(values.front());
    }
    between.add(one_of_each);
  }
  if (windows <= 0) return;
  note(metric.pod_spread, between, noise / windows);
  note(metric.neighbour_spread, within, noise / windows);
}

/// Mean of what is measured and what is presumed.
double weighted(double presumed, const MeasuredSpread& measured) {
  return (kPriorFreedom * presumed + measured.freedom * measured.spread * measured.spread) /
         (kPriorFreedom + measured.freedom);
}

}  // namespace

void measure_spread(MetricEvidence& metric, const Slo& slo, std::initializer_list<EqualPods> groups, const Nodes& nodes,
                    Duration interval, double noise) {
  measure(metric, groups, nodes, interval, noise, slo.name, [&](const Arm& pods, const Window& time) {
    std::vector<std::optional<Histogram>> each;
    std::optional<Histogram> all;
    for (const PodSeries* pod : pods) {
      each.push_back(counted_in({pod}, time, slo));
      if (each.back() && each.back()->count() < fewest_requests(slo)) each.back().reset();
      if (!each.back()) continue;
      if (!all) all.emplace();
      if (!merge(*all, *each.back())) each.back().reset();
    }
    std::vector<std::optional<double>> figures;
    for (const auto& one : each) figures.push_back(one ? difference(*one, *all, slo) : std::nullopt);
    return figures;
  });
}

void measure_cpu_spread(MetricEvidence& metric, const std::string& slo, std::initializer_list<EqualPods> groups,
                        const Nodes& nodes, Duration interval, double noise) {
  measure(metric, groups, nodes, interval, noise, slo, [&](const Arm& pods, const Window& time) {
    std::vector<std::optional<double>> figures;
    for (const PodSeries* pod : pods) {
      const auto work = work_in({pod}, time, slo);
      figures.push_back(work && work->cpu > 0 ? std::optional(std::log(work->cpu / work->requests)) : std::nullopt);
    }
    return figures;
  });
}

PodVariance pod_variance(const MetricEvidence& metric) {
  const double anywhere = weighted(kUsualSpread * kUsualSpread, metric.pod_spread);
  // That nodes were seen to be alike says nothing of two pods on one.
  const double presumed = kOwnPart * std::max(anywhere, kUsualSpread * kUsualSpread);
  return {anywhere, std::min(anywhere, weighted(presumed, metric.neighbour_spread))};
}

double pod_confidence(const MetricEvidence& metric, const EarlierTrials& trials) {
  constexpr double kNormal = 1.645;
  constexpr double kFirst = (kNormal * kNormal * kNormal + kNormal) / 4;
  constexpr double kSecond =
      (5 * kNormal * kNormal * kNormal * kNormal * kNormal + 16 * kNormal * kNormal * kNormal + 3 * kNormal) / 96;
  const double freedom =
      kPriorFreedom + metric.neighbour_spread.freedom + (trials.nodes > 0 ? metric.pod_spread.freedom : 0);
  const double looks = std::sqrt(1 + std::log(std::max(1, trials.trials)));
  return looks * (kNormal + kFirst / freedom + kSecond / (freedom * freedom));
}

double arms_differ(const MetricEvidence& metric, const EarlierTrials& trials) {
  const PodVariance variance = pod_variance(metric);
  return std::sqrt((variance.anywhere - variance.own) * trials.nodes + variance.own * trials.pods);
}

std::string told_of_pods(const MetricEvidence& metric) {
  const MeasuredSpread& measured = metric.pod_spread;
  if (measured.freedom == 0)
    return "pods with equal settings are presumed to differ by " + format_fixed(100 * kUsualSpread, 1) + " %";
  return "pods with equal settings differ by " + format_fixed(measured.spread * 100, 1) + " %";
}

}  // namespace gopacer::judging
