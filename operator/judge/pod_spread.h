#pragma once

#include <map>
#include <optional>
#include <string>

#include "gopacer/domain/evidence.h"
#include "gopacer/domain/profile.h"
#include "judge/windows.h"

// A/A calibration: by how much pods with equal settings differ, at the same time and for as long as they live. No
// number of windows makes that smaller, so it has a part of its own in the interval.

namespace gopacer::judging {

/// What is presumed of the standard deviation of the logarithm between pods on different nodes: hardware, neighbours
/// and the order of a rollout make a few per cent within one pool of nodes, and queues make more of that: 5 % in speed
/// are 7 % in the 99th percentile at 40 % utilisation (docs/decisions/0027).
inline constexpr double kUsualSpread = 0.07;
/// What is presumed of the part of that variance that two pods of one node do not have in common.
inline constexpr double kOwnPart = 0.05;
/// Degrees of freedom that what is presumed counts for beside what is measured.
inline constexpr int kPriorFreedom = 4;

/// Who is compared with whom. Pods that just became are not like old ones, so each group is compared within itself.
struct EqualPods {
  const Arm* pods;
  Time since;  ///< they all have had the same settings
};

/// Pod's uid to its node; a pod that is not in it counts as on a node of its own.
using Nodes = std::map<std::string, std::string>;

/// Measures how much the pods of each group differ in the SLO over the time that their readings reach back to, and
/// notes it in the metric. `noise`: variance of one pod's figure from one window to the next, which is taken off. What
/// was measured before stays where there is nothing to measure, or less.
void measure_spread(MetricEvidence& metric, const Slo& slo, std::initializer_list<EqualPods> groups, const Nodes& nodes,
                    Duration interval, double noise);

/// The same in CPU for each request of the SLO.
void measure_cpu_spread(MetricEvidence& metric, const std::string& slo, std::initializer_list<EqualPods> groups,
                        const Nodes& nodes, Duration interval, double noise);

/// Variances of the logarithm of one pod: measured and presumed, each weighted by its degrees of freedom.
struct PodVariance {
  double anywhere = 0;  ///< among pods on any nodes
  double own = 0;       ///< the part of it that pods of one node do not share
};
PodVariance pod_variance(const MetricEvidence& metric);

/// One-sided 5 % of Student's distribution, to the second order of the inverse of its degrees of freedom (the
/// Cornish-Fisher expansion, Abramowitz and Stegun 26.7.5; 0.02 too small with four): those of what is presumed, of
/// neighbours, and of pods on different nodes where the arms are. Each further trial is another look at other pods, so
/// it is √(1 + ln t) times as wide at the t-th: all looks together err in 6 to 7 %.
double pod_confidence(const MetricEvidence& metric, const EarlierTrials& trials);

/// Standard deviation of the mean difference that the arms of a trial, and of those before it, would show with equal
/// settings after any number of windows.
double arms_differ(const MetricEvidence& metric, const EarlierTrials& trials);

/// "pods with equal settings differ by 2.1 %", or that so much is presumed.
std::string told_of_pods(const MetricEvidence& metric);

}  // namespace gopacer::judging
