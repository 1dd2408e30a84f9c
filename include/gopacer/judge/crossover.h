#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "gopacer/base/clock.h"
#include "gopacer/domain/sample.h"
#include "gopacer/domain/settings.h"

namespace gopacer {

/// A trial within pods: each runs both settings in turns, in blocks of equal length. Two blocks are a period, in which
/// a pod has one of each. What pods, nodes and ages differ by is in both arms, and cancels.
struct Crossover {
  Settings from;      ///< of the baseline
  Settings to;        ///< of the canary
  Time since;         ///< the first block begins
  Duration block{0};  ///< length of a block; up to a year
  /// Until then the pods had never had `to`, where turns began before `since` and begin anew with it. None: `since`.
  std::optional<Time> first_turn = std::nullopt;
};

/// The first 1/kSettlingPart of a block counts for nothing: what began under the settings before ends there, and so do
/// requests, which are counted where they end.
inline constexpr int kSettlingPart = 6;

/// Collections that have to end in a block under its settings before anything counts: the first one's heap is of the
/// settings before, and the second one's may have begun with what the first one left.
inline constexpr std::uint32_t kCarriedOver = 2;

/// Whether the pod at place `rank` of the sorted pods runs `to` in this block; both count from 0. Which of a period's
/// two blocks that is, is drawn for each period, the same on any machine, by `seed` (the trial's uid): a load that
/// swings with the blocks can't favour an arm. Even and odd ranks are opposite, so at any moment half of the pods, give
/// or take one, run each, and what changes with time cancels, too.
bool runs_new(std::string_view seed, std::size_t rank, std::int64_t block);

/// Two series for each pod of `observed` that is in `pods` (uids, with the restarts that each had when the plan began),
/// as if two pods had run all the time: what it did under `from` (Track::kBaseline), and under `to` (Track::kCanary).
/// For a judge() whose windows are the periods: `interval` two blocks, `measuring_since` the plan's, and `within_pods`.
/// Other pods are left out.
///
/// Of each period an arm has the longest *stretch*: readings in a row within one block, that tell by themselves
/// (ProcessMetrics) that these settings are in force, as about_equal() has it; nothing follows from what was asked for.
/// A reading that tells of neither arm, or of both, ends it. It begins with the first reading after kCarriedOver
/// collections and the block's first sixth, and ends with the last one before which another collection has ended:
/// collections' cost, which the runtime accounts for at their end, is then that of whole cycles. To begin right after
/// one and to end anywhere would leave half a cycle's cost out, which is a larger part where cycles are fewer.
///
/// There is a sample at the begin of each period that the pod was read in, and at its end once the pod was read at or
/// after that. Counters are sums over the stretches. Where the pod has no stretch of one arm, or a stretch lacks a
/// counter or histogram that the pod's others have, the period counts for neither arm.
/// The longer of two stretches counts for as much time as the shorter one: CPU and histograms are scaled down to that,
/// the latter in steps of 1/1024. So each pod has the same weight in both arms, and their numbers of requests compare
/// as their rates do. Rates over a period's whole length are too low by one factor, the same for both arms; nothing in
/// the judge takes them for what they are, and a profile's length is stretched by the inverse, so that it is set
/// against the CPU that was used meanwhile. Not scaled: what MemStats counts, of which only ratios and the number of
/// collections matter, and pauses. GCCPUFraction is made such that GC's CPU comes out as summed.
/// Gauges are those at the stretch's end, or else the latest before. Profiles count only where they lie wholly within
/// the stretches, in both arms. Of the container's usage, which a kubelet reads seconds apart from the rest, there are
/// no counters, and its memory has no turns: what a larger heap leaves stays for a while. So the baseline's is the one
/// before the first turn, and the canary's the latest since then, whoever's turn it is. It may come with a last sample
/// that has nothing else: memory that runs short can't wait for a period's end.
///
/// That the process was killed or restarted since the plan began is held against `to` alone: nobody can tell what a
/// process that has gone ran. Of such a pod there is only the canary's series, which has nothing else to tell.
///
/// `observed` has to reach back over the windows that are being judged: two periods, and eight where requests are so
/// few that judge() adds up windows. An SLO that is a query of Prometheus can't be told apart by arms here.
///
/// Empty series without samples, before `since`, or when the block's length is out of range. The work is proportional
/// to the number of samples.
Observation crossed_over(const Crossover& plan, const std::map<std::string, int>& pods, const Observation& observed);

}  // namespace gopacer
