#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/evidence.h"
#include "gopacer/domain/sample.h"

namespace gopacer::judging {

/// (from, to]: a window stands for what happened between the last readings at or before its two ends.
struct Window {
  Time from;
  Time to;
};

using Arm = std::vector<const PodSeries*>;

Arm arm_of(const Observation& observed, Track track);

/// Collections that the arm's pods ended in the window; none where no pod tells.
std::optional<double> collections_in(const Arm& arm, const Window& window);

/// The windows that are complete now and were not taken before; `evidence.until` moves to the end of the last one.
/// A window is complete when each pod of the arms was read at or after its end, or a whole interval has passed since.
/// Windows that are too long ago to have samples are only counted, as empty.
std::vector<Window> take_due_windows(Evidence& evidence, Time since, Duration interval, Time now,
                                     std::initializer_list<const Arm*> arms);

/// The change of an SLO's histogram over the window, all pods of the arm added up; none without data.
std::optional<Histogram> latency_in(const Arm& arm, const Window& window, const std::string& slo);

/// The pauses of the collections that ended in the window, in buckets that grow by a tenth; none when no pod was read.
std::optional<Histogram> pauses_in(const Arm& arm, const Window& window);

/// CPU time that the kernel held back from the arm's containers, per second and as their mean; none where it is not
/// told.
std::optional<double> throttled_in(const Arm& arm, const Window& window);

/// Adds a window's requests to those of a trial, as far as anybody counts.
void add_requests(std::int64_t& sum, double requests);

struct Work {
  double requests = 0;
  double cpu = 0;  ///< seconds
};

/// The requests that an SLO's histogram counts and the CPU that went with them, over the pods that show both; none
/// below 50 requests.
std::optional<Work> work_in(const Arm& arm, const Window& window, const std::string& slo);

/// GCCPUFraction is a share of the CPU time that GOMAXPROCS made available since the process began, as of the last
/// collection: made absolute, CPU seconds, so that differences mean something. None where one of these is not told.
std::optional<double> gc_seconds_by_fraction(const PodSeries& pod, const Sample& sample);

/// Where GC's CPU is read from; best first.
enum class GcSource { kProfile, kRuntimeMetrics, kFraction };
inline constexpr GcSource kGcSources[] = {GcSource::kProfile, GcSource::kRuntimeMetrics, GcSource::kFraction};

std::string to_string(GcSource source);
std::optional<GcSource> gc_source_named(const std::string& name);

struct GcShare {
  double share = 0;      ///< GC's part of the CPU that the arm used
  double std_error = 0;  ///< of sampling where the source samples, and of the whole number of collections in a window
};

/// None when the source has nothing for this window, or the arm used no CPU.
std::optional<GcShare> gc_share_in(const Arm& arm, const Window& window, GcSource source);

/// The same from the best source that has something.
std::optional<double> any_gc_share_in(const Arm& arm, const Window& window);

/// The part of it that goroutines which allocate had to do themselves, of the CPU that the arm used; CPU profiles alone
/// tell it.
std::optional<double> assist_share_in(const Arm& arm, const Window& window);

/// What has to be readable for gc_share_in(), for people.
inline constexpr const char* kGcCpuNeeds =
    "It needs CPU profiles, go_cpu_classes_gc_total_cpu_seconds_total, or GOMAXPROCS and a CPU counter.";

/// Whether one of the sources of gc_share_in() has been read from this pod.
bool tells_gc_cpu(const PodSeries& pod);

/// What a pod allocates between two collections, and what lives, over the window.
struct CycleSize {
  double volume = 0;  ///< V, bytes
  double live = 0;    ///< M = NextGC − V, bytes, by the smaller NextGC of the window's ends
};

/// None with fewer than three collections that the program did not ask for.
std::optional<CycleSize> cycle_size_in(const PodSeries& pod, const Window& window);

/// Whether the runtime's limiter of GC CPU was on within the window; false where the process does not tell.
bool limited_in(const PodSeries& pod, const Window& window);

}  // namespace gopacer::judging
