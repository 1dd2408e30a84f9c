#include <algorithm>
#include <cmath>

#include "gopacer/domain/histogram.h"
#include "gopacer/judge/crossover.h"
#include "gopacer/judge/sequential.h"
#include "policy/sentences.h"

namespace gopacer::policy {
namespace {

/// Collections in a block: two that are left out, and some to measure.
constexpr double kCollectionsOfABlock = 6;
/// Pairs of blocks that a verdict takes, with some in which a pod had no collection to tell of.
constexpr int kPairsOfBlocks = kFewestWindows + 4;

/// Seconds that a handful of collections take under the settings under which they take longer; 0 when it is not known.
double collecting_time(const Decision& decision) {
  if (!decision.estimate || !(decision.estimate->alloc_rate > 0)) return 0;
  double volume = decision.estimate->cycle_volume.value();
  if (decision.predicted) volume = std::max(volume, decision.predicted->cycle_volume.value());
  return kCollectionsOfABlock * volume / decision.estimate->alloc_rate;
}

/// Seconds of the slowest request that an SLO is about, as the pods have counted since they began.
double slowest_request(const Facts& facts) {
  double slowest = 0;
  for (const Slo& slo : facts.desired.profile->spec.slos) {
    if (!slo.is_latency()) continue;
    Histogram all;
    for (const PodSeries& pod : facts.observed.pods) {
      const Sample* const latest =
          latest_sample(pod, [&](const Sample& sample) { return sample.latency.contains(slo.name); });
      if (latest == nullptr) continue;
      merge(all, latest->latency.at(slo.name));
    }
    if (const auto found = quantile(all, slo.histogram().quantile)) slowest = std::max(slowest, found->value);
  }
  return slowest;
}

/// Of any length.
Duration wanted_block(const Facts& facts) {
  const double seconds = std::max(collecting_time(facts.decision), kSettlingPart * slowest_request(facts));
  return std::chrono::seconds(static_cast<std::int64_t>(std::min(std::ceil(seconds), 1e6)));
}

Duration within_reason(Duration block) { return std::clamp<Duration>(block, kShortestBlock, kLongestBlock); }

}  // namespace

Duration block_of_turns(const Facts& facts) { return within_reason(wanted_block(facts)); }

Answer turns_too_long(const Facts& facts) {
  if (!facts.desired.profile || !facts.desired.profile->spec.tries_by_turns()) return std::nullopt;
  if (facts.decision.kind != Decision::Kind::kChange) return std::nullopt;
  const Duration wanted = wanted_block(facts);
  const std::string turns = "With apply: Live a pod would have to keep the settings for " + format_duration(wanted) +
                            " at a time, for " + format_fixed(kCollectionsOfABlock, 0) +
                            " collections or for requests that began before to end";
  if (wanted > kLongestBlock) {
    return turns + ", and what changes so slowly can't be told from the load's own changes: use apply: Restart.";
  }
  const Duration longest = facts.desired.profile->spec.canary.max_duration;
  const Duration needed = kPairsOfBlocks * 2 * within_reason(wanted);
  if (longest <= Duration(0) || needed <= longest) return std::nullopt;
  return turns + ", and a verdict takes " + std::to_string(kPairsOfBlocks) +
         " turns of either settings: set spec.canary.maxDuration, which is " + format_duration(longest) +
         ", to at least " + format_duration(needed) + ", or use apply: Restart.";
}

}  // namespace gopacer::policy
