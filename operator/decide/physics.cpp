#include "decide/physics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "decide/guards.h"
#include "gopacer/decide/go_pacer.h"

namespace gopacer::deciding {
namespace {

/// The runtime gives a quarter of GOMAXPROCS to marking.
constexpr double kMarkingShare = 0.25;
constexpr double kLeastProcs = 2;
/// Error of A·m/V where V stays, and for each doubling of V: within 9 % over GOGC 50 to 200, 15 % at 400.
constexpr double kModelError = 0.03;
constexpr double kModelErrorPerDoubling = 0.06;
/// The runtime collects at least once in so many seconds.
constexpr double kForcedPeriod = 120;
/// Sweeping goes over all of the heap that has grown, M + V. Beyond some size what it costs is not known, and must not
/// be made up.
constexpr double kMostGrowthSwept = 8;
/// A grown heap has more fragments and more bookkeeping beside it.
constexpr double kHeapOverhead = 1.05;
/// How much of a predicted growth may come on top of it.
constexpr double kGrowthMargin = 0.1;

}  // namespace

Physics::Physics(const Estimate& estimate) : estimate_(estimate) {
  const go_pacer::Heap heap{estimate.mean_live_heap, estimate.roots};
  growth_ = std::max(1.0, (go_pacer::goal(heap, estimate.settings, estimate.non_heap) - heap.live).value());
  pacing_ = std::clamp(estimate.cycle_volume.value() / growth_, 0.7, 1.15);
  // Collections that only the timer asked for give way to others; those that the program asks for do not.
  const double per_second = estimate.cycles_per_minute / 60;
  if (estimate.cycles > 0 && per_second > 1.5 / kForcedPeriod) {
    forced_per_second_ = per_second * static_cast<double>(estimate.forced) / static_cast<double>(estimate.cycles);
  }
  const double swept = std::max(1.0, heap.live.value() + swept_growth(estimate.cycle_volume.value()));
  sweeping_per_byte_ = estimate.sweep_part * estimate.gc_cpu_per_cycle / swept;
  marking_ = estimate.gc_cpu_per_cycle - sweeping_per_byte_ * swept_growth(estimate.cycle_volume.value());
}

double Physics::swept_growth(double volume) const {
  const double scanned = (estimate_.mean_live_heap + estimate_.roots).value();
  return std::min(volume, kMostGrowthSwept * std::max(1.0, scanned));
}

double Physics::cpu_per_cycle(double volume) const { return marking_ + sweeping_per_byte_ * swept_growth(volume); }

double Physics::cycles_per_second(double volume) const {
  return std::max(estimate_.alloc_rate / volume + forced_per_second_, 1 / kForcedPeriod);
}

double Physics::volume_of(double growth) const {
  // The bytes by which marking begins too early depend on how long it takes, not on how far the goal is: in a larger
  // heap they stay the same. In a smaller one the runtime keeps them within a share of it.
  return growth <= growth_ ? pacing_ * growth : growth - (1 - pacing_) * growth_;
}

Settings Physics::heeded(Settings settings) const {
  if (!knows_memory_limit(estimate_.go_version)) settings.go_mem_limit.reset();
  return settings;
}

double Physics::volume(const Settings& settings) const {
  const go_pacer::Heap heap{estimate_.mean_live_heap, estimate_.roots};
  const Bytes goal = go_pacer::goal(heap, heeded(settings), estimate_.non_heap);
  return std::max(1.0, volume_of((goal - heap.live).value()));
}

double Physics::volume_at(Bytes goal) const { return std::max(0.0, volume_of((goal - estimate_.live_heap).value())); }

double Physics::gogc_for(double volume) const {
  const bool smaller = volume <= pacing_ * growth_;
  const double growth = smaller ? volume / pacing_ : volume + (1 - pacing_) * growth_;
  const double live = estimate_.mean_live_heap.value();
  const double scanned = std::max(1.0, live + estimate_.roots.value());
  // Small heaps reach the volume by the least goal, 4 MiB·γ, before the live heap matters.
  return 100 * std::min(growth / scanned, (growth + live) / go_pacer::least_goal(1).value());
}

double Physics::gc_cpu(double volume) const {
  if (volume <= 0) return std::numeric_limits<double>::infinity();
  return cpu_per_cycle(volume) * cycles_per_second(volume);
}

double Physics::volume_for_share(double share) const {
  // Sweeping what was allocated costs as much, however large the heap is: no V would bring it below the share.
  const double working = std::max(0.0, estimate_.cpu - estimate_.gc_cpu);
  const double collecting = share / (1 - share) * working - estimate_.gc_cpu_per_cycle * forced_per_second_;
  if (collecting <= 0) return std::numeric_limits<double>::infinity();
  return estimate_.alloc_rate * marking_ / collecting;
}

double Physics::volume_for_duty(double duty) const {
  const double procs = estimate_.max_procs > 0 ? estimate_.max_procs : kLeastProcs;
  const double mark_seconds = marking_ / (kMarkingShare * procs);
  return estimate_.alloc_rate * mark_seconds / duty;
}

double Physics::volume_within(Bytes peak) const {
  const Bytes room = peak - estimate_.peak_memory - estimate_.spike;
  if (room <= Bytes(0)) return 0;
  return estimate_.cycle_volume.value() + room.value() / (kHeapOverhead + kGrowthMargin);
}

Prediction Physics::predict(const Settings& wanted) const {
  const Settings settings = heeded(wanted);
  Prediction predicted;
  const double next = volume(settings);
  // What is measured now is the point from which the law extrapolates.
  const double now = std::max(1.0, estimate_.cycle_volume.value());
  const double collecting = gc_cpu(next) / std::max(1e-12, gc_cpu(now)) * estimate_.gc_cpu;
  const double working = std::max(0.0, estimate_.cpu - estimate_.gc_cpu);
  const auto share_of = [&](double gc) { return gc + working > 0 ? gc / (gc + working) : 0; };

  const double model_error = kModelError + kModelErrorPerDoubling * std::abs(std::log2(next / now));
  const double error = std::hypot(estimate_.gc_cpu_rel_error, model_error);
  predicted.cycle_volume = Bytes::of(next);
  predicted.gc_cpu_fraction = share_of(collecting);
  predicted.gc_cpu_fraction_low = share_of(std::max(0.0, collecting * (1 - 2 * error)));
  predicted.gc_cpu_fraction_high = share_of(collecting * (1 + 2 * error));
  if (estimate_.cpu > 0) {
    predicted.saving = (estimate_.gc_cpu - collecting) / estimate_.cpu;
    // An error of what collection takes now is one of the saving, of the same size relatively; one of the law is one of
    // what collection will take.
    const double of_law = model_error * collecting / estimate_.cpu;
    predicted.saving_low = predicted.saving - 2 * std::hypot(estimate_.gc_cpu_rel_error * predicted.saving, of_law);
  }
  predicted.cycles_per_minute = 60 * cycles_per_second(next);
  const double cycles_error = std::hypot(estimate_.alloc_rate_rel_error, model_error);
  predicted.cycles_per_minute_low = predicted.cycles_per_minute * std::max(0.0, 1 - 2 * cycles_error);
  predicted.cycles_per_minute_high = predicted.cycles_per_minute * (1 + 2 * cycles_error);

  const go_pacer::Heap largest{estimate_.live_heap, estimate_.roots};
  const Bytes goal = go_pacer::goal(largest, settings, estimate_.non_heap);
  const Bytes growth = goal - estimate_.heap_goal;
  Bytes peak = estimate_.peak_memory + growth * (growth > Bytes(0) ? kHeapOverhead : 1.0);
  // The runtime returns memory to the system to stay within its limit, but it can't return what lives.
  if (settings.go_mem_limit) peak = std::min(peak, *settings.go_mem_limit + estimate_.non_go);
  predicted.peak_memory = std::max(peak, largest.live + estimate_.non_heap + estimate_.non_go);
  const Bytes uncertain = Bytes(std::abs(growth.count())) * kGrowthMargin;
  predicted.peak_memory_low = std::max(Bytes(0), predicted.peak_memory - uncertain);
  predicted.peak_memory_high = predicted.peak_memory + estimate_.spike + (growth > Bytes(0) ? uncertain : Bytes(0));
  return predicted;
}

}  // namespace gopacer::deciding
