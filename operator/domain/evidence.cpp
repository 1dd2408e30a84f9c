#include "gopacer/domain/evidence.h"

#include <algorithm>
#include <utility>

namespace gopacer {

void RunningStats::add(double x) {
  ++n;
  const double delta = x - mean;
  mean += delta / static_cast<double>(n);
  m2 += delta * (x - mean);
  if (last) {
    ++pairs;
    steps2 += (x - *last) * (x - *last);
  }
  last = x;
}

EarlierTrials so_far(const Evidence& evidence) {
  const EarlierTrials& earlier = evidence.earlier;
  const double all = static_cast<double>(evidence.windows) + earlier.windows;
  const double now = all > 0 ? evidence.windows / all : 1;
  const double before = 1 - now;
  if (evidence.within_pods) {
    return {earlier.trials + 1, evidence.windows + earlier.windows, before * before * earlier.nodes,
            before * before * earlier.pods};
  }
  const double pairs = std::max(1, evidence.pairs);
  return {earlier.trials + 1, evidence.windows + earlier.windows,
          now * now * evidence.nodes_apart / (pairs * pairs) + before * before * earlier.nodes,
          now * now * 2 / pairs + before * before * earlier.pods};
}

Evidence going_on_from(const Evidence& ended) {
  Evidence next;
  next.earlier = so_far(ended);
  for (MetricEvidence metric : ended.metrics) {
    // The last window of the one has no neighbour in the other, and what its pods had of their own went with them.
    metric.stats.last.reset();
    metric.peers = {};
    metric.violations = metric.missing = 0;
    metric.state = MetricState::kUndecided;
    metric.pending_since.reset();
    next.metrics.push_back(std::move(metric));
  }
  return next;
}

}  // namespace gopacer
