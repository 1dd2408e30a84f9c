#include "gopacer/judge/crossover.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "gopacer/domain/histogram.h"
#include "judge/windows.h"

namespace gopacer {
namespace {

constexpr Duration kLongestBlock = std::chrono::hours(24 * 365);
/// Scaled counts are whole multiples of its inverse, which a double adds up and subtracts without rounding: else the
/// difference of two sums would not always rise from bucket to bucket.
constexpr double kStepsOfCount = 1024;

constexpr std::size_t kFrom = 0;
constexpr std::size_t kTo = 1;

template <typename T>
using OfArms = std::array<T, 2>;

std::uint64_t mixed(std::uint64_t x) {  // splitmix64, S. Vigna
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t number_of(std::string_view text) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// A block's part under one arm's settings.
struct Stretch {
  const Sample* switched;  ///< the first reading under them
  const Sample* begin;     ///< after what was carried over
  const Sample* end;       ///< right after a collection, too

  Duration length() const { return end->at - begin->at; }
};

struct Period {
  Time begin;
  Time end;
  OfArms<std::optional<Stretch>> stretches = {};
};

std::optional<std::size_t> arm_in_force(const Crossover& plan, const ProcessMetrics& process) {
  const Settings runs{process.gogc, process.go_mem_limit};
  const bool old = about_equal(runs, plan.from);
  const bool fresh = about_equal(runs, plan.to);
  if (old == fresh) return std::nullopt;
  return fresh ? kTo : kFrom;
}

/// Puts a pod's readings together to stretches.
class Stretches {
 public:
  explicit Stretches(const Crossover& plan) : plan_(plan) {}

  void add(const Sample& sample) {
    const std::int64_t block = (sample.at - plan_.since) / plan_.block;
    const Time begin = plan_.since + block / 2 * 2 * plan_.block;
    if (periods_.empty() || periods_.back().begin != begin) periods_.push_back({begin, begin + 2 * plan_.block});
    if (!sample.process) return;
    const auto arm = arm_in_force(plan_, *sample.process);
    if (block != block_ || arm != arm_) {
      block_ = block;
      arm_ = arm;
      switched_ = begin_ = latest_ = nullptr;
    }
    if (arm && sample.mem) go_on(sample);
  }

  const std::vector<Period>& periods() const { return periods_; }

 private:
  void go_on(const Sample& sample) {
    const std::uint32_t collections = sample.mem->num_gc;
    const bool collected = latest_ != nullptr && collections > latest_->mem->num_gc;
    latest_ = &sample;
    if (switched_ == nullptr) {
      switched_ = &sample;
    } else if (begin_ == nullptr) {
      const bool settled = sample.at - switched_->at >= plan_.block / kSettlingPart;
      if (collected && settled && collections - switched_->mem->num_gc >= kCarriedOver) begin_ = &sample;
    } else if (collected) {
      const Stretch found{switched_, begin_, &sample};
      auto& longest = periods_.back().stretches[*arm_];
      if (!longest || found.length() > longest->length()) longest = found;
    }
  }

  const Crossover& plan_;
  std::vector<Period> periods_;
  std::int64_t block_ = -1;
  std::optional<std::size_t> arm_;
  const Sample* switched_ = nullptr;
  const Sample* begin_ = nullptr;
  const Sample* latest_ = nullptr;
};

std::vector<Period> periods_of(const Crossover& plan, const PodSeries& pod) {
  // Before the epoch the distance to a sample may be beyond what a Duration holds.
  if (plan.block <= Duration(0) || plan.block > kLongestBlock || plan.since < Time{}) return {};
  Stretches stretches(plan);
  for (const Sample& sample : pod.samples) {
    if (sample.at >= plan.since) stretches.add(sample);
  }
  return stretches.periods();
}

/// Counters' growth, or their sums.
struct Counted {
  Bytes total_alloc;
  std::uint64_t mallocs = 0;
  std::uint64_t frees = 0;
  std::uint32_t num_gc = 0;
  std::uint32_t num_forced_gc = 0;
  // CPU seconds.
  std::optional<double> cpu;
  std::optional<double> busy_cpu;
  std::optional<double> gc_cpu;
  std::optional<double> gc_cpu_by_fraction;
  std::map<std::string, Histogram> latency;
};

constexpr std::optional<double> Counted::* kCpuParts[] = {&Counted::cpu, &Counted::busy_cpu, &Counted::gc_cpu,
                                                          &Counted::gc_cpu_by_fraction};

std::optional<double> grown(const std::optional<double>& later, const std::optional<double>& earlier) {
  if (!later || !earlier || !(*later >= *earlier) || !std::isfinite(*later - *earlier)) return std::nullopt;
  return *later - *earlier;
}

template <typename Number>
Number grown_by(Number later, Number earlier) {
  return later > earlier ? later - earlier : Number{};
}

Counted counted_in(const PodSeries& pod, const Stretch& stretch) {
  const MemStats& before = *stretch.begin->mem;
  const MemStats& after = *stretch.end->mem;
  const ProcessMetrics& earlier = *stretch.begin->process;
  const ProcessMetrics& later = *stretch.end->process;
  Counted counted;
  counted.total_alloc = grown_by(after.total_alloc, before.total_alloc);
  counted.mallocs = grown_by(after.mallocs, before.mallocs);
  counted.frees = grown_by(after.frees, before.frees);
  counted.num_gc = grown_by(after.num_gc, before.num_gc);
  counted.num_forced_gc = grown_by(after.num_forced_gc, before.num_forced_gc);
  counted.cpu = grown(later.cpu_seconds, earlier.cpu_seconds);
  counted.busy_cpu = grown(later.busy_cpu_seconds, earlier.busy_cpu_seconds);
  counted.gc_cpu = grown(later.gc_cpu_seconds, earlier.gc_cpu_seconds);
  counted.gc_cpu_by_fraction =
      grown(judging::gc_seconds_by_fraction(pod, *stretch.end), judging::gc_seconds_by_fraction(pod, *stretch.begin));
  for (const auto& [slo, histogram] : stretch.end->latency) {
    const auto first = stretch.begin->latency.find(slo);
    if (first == stretch.begin->latency.end()) continue;
    if (auto delta = difference(histogram, first->second)) counted.latency.emplace(slo, std::move(*delta));
  }
  return counted;
}

/// CPU and histograms; what MemStats counts stays whole.
void scale(Counted& counted, double factor) {
  for (const auto part : kCpuParts) {
    if (counted.*part) *(counted.*part) *= factor;
  }
  for (auto& [slo, histogram] : counted.latency) {
    for (double& count : histogram.counts) count = std::round(count * factor * kStepsOfCount) / kStepsOfCount;
    histogram.sum *= factor;
  }
}

/// Leaves in each what both have.
void keep_common(Counted& ours, Counted& theirs) {
  for (const auto part : kCpuParts) {
    if (!(ours.*part) || !(theirs.*part)) (ours.*part).reset(), (theirs.*part).reset();
  }
  const auto comparable = [](const auto& entry, const std::map<std::string, Histogram>& others) {
    const auto other = others.find(entry.first);
    return other != others.end() && *other->second.bounds == *entry.second.bounds;
  };
  std::erase_if(ours.latency, [&](const auto& entry) { return !comparable(entry, theirs.latency); });
  std::erase_if(theirs.latency, [&](const auto& entry) { return !ours.latency.contains(entry.first); });
}

/// Nothing, of all the parts that any of `counted` has.
Counted nothing_of(const std::vector<std::optional<OfArms<Counted>>>& pairs) {
  Counted nothing;
  for (const auto& pair : pairs) {
    if (!pair) continue;
    const Counted& counted = pair->front();
    for (const auto part : kCpuParts) {
      if (counted.*part) nothing.*part = 0;
    }
    for (const auto& [slo, histogram] : counted.latency) {
      Histogram& zero = nothing.latency.try_emplace(slo, histogram).first->second;
      std::fill(zero.counts.begin(), zero.counts.end(), 0.0);
      zero.sum = 0;
    }
  }
  return nothing;
}

bool has_all(const Counted& counted, const Counted& wanted) {
  return counted.latency.size() == wanted.latency.size() &&
         std::all_of(std::begin(kCpuParts), std::end(kCpuParts),
                     [&](const auto part) { return (counted.*part).has_value() == (wanted.*part).has_value(); });
}

void add(Counted& sums, const Counted& counted) {
  sums.total_alloc += counted.total_alloc;
  sums.mallocs += counted.mallocs;
  sums.frees += counted.frees;
  sums.num_gc += counted.num_gc;
  sums.num_forced_gc += counted.num_forced_gc;
  for (const auto part : kCpuParts) {
    if (sums.*part) *(sums.*part) += (counted.*part).value_or(0);
  }
  for (const auto& [slo, histogram] : counted.latency) {
    // With other buckets than before it is another counter, from here on.
    if (!merge(sums.latency[slo], histogram)) sums.latency[slo] = histogram;
  }
}

/// What the pod did in each period's stretches, one of each arm: comparable, and of the same parts in all periods. None
/// where that is not to be had.
std::vector<std::optional<OfArms<Counted>>> pairs_of(const PodSeries& pod, const std::vector<Period>& periods) {
  std::vector<std::optional<OfArms<Counted>>> pairs;
  for (const Period& period : periods) {
    auto& pair = pairs.emplace_back();
    const auto& [old, fresh] = period.stretches;
    if (!old || !fresh) continue;
    pair = {counted_in(pod, *old), counted_in(pod, *fresh)};
    const Duration shorter = std::min(old->length(), fresh->length());
    for (const std::size_t arm : {kFrom, kTo}) {
      scale((*pair)[arm], to_seconds(shorter) / to_seconds(period.stretches[arm]->length()));
    }
    keep_common((*pair)[kFrom], (*pair)[kTo]);
  }
  // A ratio of two of them would be wrong if one moved without the other.
  const Counted all = nothing_of(pairs);
  for (auto& pair : pairs) {
    if (pair && !has_all(pair->front(), all)) pair.reset();
  }
  return pairs;
}

/// By the runtime's own record, so that clocks need not agree.
std::vector<GcPause> pauses_in(const PodSeries& pod, const Stretch& stretch) {
  std::vector<GcPause> pauses;
  std::optional<Time> known;
  for (const Sample& sample : pod.samples) {
    if (sample.at < stretch.begin->at || sample.at > stretch.end->at || !sample.mem || sample.mem->pauses.empty())
      continue;
    for (const GcPause& pause : sample.mem->pauses) {
      if (known && pause.end > *known) pauses.push_back(pause);
    }
    known = std::max(known.value_or(Time::min()), sample.mem->pauses.back().end);
  }
  return pauses;
}

std::optional<GcProfile> profiled_in(const PodSeries& pod, const Stretch& stretch) {
  std::optional<GcProfile> sum;
  for (const Sample& sample : pod.samples) {
    if (!sample.profile || sample.at > stretch.end->at || sample.at - sample.profile->length < stretch.begin->at)
      continue;
    if (!sum) sum.emplace();
    sum->length += sample.profile->length;
    sum->total_cpu_seconds += sample.profile->total_cpu_seconds;
    sum->gc_cpu_seconds += sample.profile->gc_cpu_seconds;
    sum->uses += sample.profile->uses;
    sum->stacks += sample.profile->stacks;
  }
  return sum;
}

/// Both arms' profiles, for as much time as each other; none unless both have some.
OfArms<std::optional<GcProfile>> profiles_in(const PodSeries& pod, const Period& period) {
  const auto& [old, fresh] = period.stretches;
  OfArms<std::optional<GcProfile>> profiles{profiled_in(pod, *old), profiled_in(pod, *fresh)};
  if (!profiles[kFrom] || !profiles[kTo]) return {};
  const Duration shorter = std::min(profiles[kFrom]->length, profiles[kTo]->length);
  if (shorter <= Duration(0)) return {};
  const double stretched = to_seconds(period.end - period.begin) / to_seconds(std::min(old->length(), fresh->length()));
  for (auto& profile : profiles) {
    const double part = to_seconds(shorter) / to_seconds(profile->length);
    profile->length = std::chrono::round<Duration>(std::chrono::duration<double>(to_seconds(shorter) * stretched));
    profile->total_cpu_seconds *= part;
    profile->gc_cpu_seconds *= part;
    profile->uses *= part;
  }
  return profiles;
}

/// Without its counters.
std::optional<ContainerUsage> memory_of(const Sample& sample) {
  std::optional<ContainerUsage> usage = sample.usage;
  if (usage) usage->cpu_seconds.reset(), usage->throttled_seconds.reset();
  return usage;
}

/// A pod's periods, of one arm, as a pod's samples.
class ArmSeries {
 public:
  /// `restarts`: since the plan began.
  ArmSeries(const Crossover& plan, const PodSeries& pod, std::size_t arm, int restarts, const Counted& nothing)
      : pod_(pod), arm_(arm), settings_(arm == kTo ? plan.to : plan.from), sums_(nothing), series_(pod) {
    series_.track = arm == kTo ? Track::kCanary : Track::kBaseline;
    series_.settings = settings_;
    series_.samples.clear();
    // What ran in a process that has gone nobody can tell, and memory of the larger heap outlasts a turn.
    series_.restarts = arm == kTo ? restarts : 0;
    series_.oom_killed = arm == kTo && restarts > 0 && pod.oom_killed;
  }

  void begin_with(const std::vector<Period>& periods) {
    for (const Period& period : periods) {
      if (const auto& stretch = period.stretches[arm_]; stretch && gauges_ == nullptr) {
        gauges_ = stretch->begin;
        if (!gauges_->mem->pauses.empty()) pauses_ = {gauges_->mem->pauses.back()};
      }
      if (period.stretches[arm_] && limited_in(*period.stretches[arm_]).has_value()) limit_told_ = true;
    }
  }

  void begin_at(Time at, const std::optional<ContainerUsage>& memory) {
    if (!series_.samples.empty() && series_.samples.back().at >= at) return;
    emit(at, std::nullopt, memory);
  }

  /// `counted`: null when the period counts for nothing.
  void end_at(const Period& period, const Counted* counted, const std::optional<GcProfile>& profile) {
    if (const auto& stretch = period.stretches[arm_]) {
      gauges_ = stretch->end;
      if (limited_in(*stretch).value_or(false)) limited_cycle_ = *stretch->end->process->limited_cycle;
    }
    if (counted != nullptr) {
      add(sums_, *counted);
      const auto ended = pauses_in(pod_, *period.stretches[arm_]);
      pauses_.insert(pauses_.end(), ended.begin(), ended.end());
    }
    emit(period.end, profile, std::nullopt);
  }

  /// Of the running period, with nothing else that counts.
  void note_memory(Time at, const ContainerUsage& memory) {
    if (series_.samples.empty() || series_.samples.back().at < at) {
      Sample sample;
      sample.at = at;
      series_.samples.push_back(std::move(sample));
    }
    series_.samples.change_last([&](Sample& sample) { sample.usage = memory; });
  }

  PodSeries take() { return std::move(series_); }

 private:
  /// Whether the limiter came on since the switch; none where the process does not tell.
  static std::optional<bool> limited_in(const Stretch& stretch) {
    const auto& before = stretch.switched->process->limited_cycle;
    const auto& after = stretch.end->process->limited_cycle;
    return before && after ? std::optional(*after > *before) : std::nullopt;
  }

  void emit(Time at, const std::optional<GcProfile>& profile, const std::optional<ContainerUsage>& memory) {
    Sample sample;
    sample.at = at;
    sample.profile = profile;
    sample.usage = memory;
    if (gauges_ != nullptr) {
      sample.mem = mem_stats();
      sample.process = process_metrics();
      sample.latency = sums_.latency;
      put_fraction(sample);
    }
    series_.samples.push_back(std::move(sample));
    if (pauses_.size() > 1) pauses_ = {pauses_.back()};
  }

  MemStats mem_stats() const {
    MemStats mem = *gauges_->mem;
    mem.total_alloc = sums_.total_alloc;
    mem.mallocs = sums_.mallocs;
    mem.frees = sums_.frees;
    mem.num_gc = sums_.num_gc;
    mem.num_forced_gc = sums_.num_forced_gc;
    mem.pauses = pauses_;
    return mem;
  }

  ProcessMetrics process_metrics() const {
    ProcessMetrics process = *gauges_->process;
    // About equal is equal here: or it would look like a program that sets it itself.
    if (settings_.gogc) process.gogc = settings_.gogc;
    process.go_mem_limit = settings_.go_mem_limit;
    process.cpu_seconds = sums_.cpu;
    process.busy_cpu_seconds = sums_.busy_cpu;
    process.gc_cpu_seconds = sums_.gc_cpu;
    process.limited_cycle = limit_told_ ? std::optional(limited_cycle_) : std::nullopt;
    return process;
  }

  /// The share that makes the sum of what is read from it.
  void put_fraction(Sample& sample) const {
    double& fraction = sample.mem->gc_cpu_fraction;
    fraction = 1;
    const auto whole = judging::gc_seconds_by_fraction(series_, sample);
    const bool known = sums_.gc_cpu_by_fraction && whole && *whole > 0;
    // Zero would be a share, too.
    fraction = known ? *sums_.gc_cpu_by_fraction / *whole : std::numeric_limits<double>::quiet_NaN();
  }

  const PodSeries& pod_;
  const std::size_t arm_;
  const Settings settings_;
  Counted sums_;
  PodSeries series_;
  const Sample* gauges_ = nullptr;
  /// As the runtime's ring: those of the period, after the latest one before.
  std::vector<GcPause> pauses_;
  bool limit_told_ = false;
  double limited_cycle_ = 0;
};

/// The container's memory when it had never had the new settings.
std::optional<ContainerUsage> memory_before(const Crossover& plan, const PodSeries& pod) {
  const Time until = plan.first_turn.value_or(plan.since);
  const Sample* const latest =
      latest_sample(pod, [&](const Sample& sample) { return sample.at <= until && sample.process && sample.usage; });
  if (latest == nullptr || arm_in_force(plan, *latest->process) != kFrom) return std::nullopt;
  return memory_of(*latest);
}

/// The latest reading of the container's memory once the new settings were there: what they made of the heap stays for
/// a while when their turn is over. Null when there is none.
const Sample* memory_since(const Crossover& plan, const PodSeries& pod) {
  const auto first = std::find_if(pod.samples.begin(), pod.samples.end(), [&](const Sample& sample) {
    return sample.at >= plan.since && sample.process && arm_in_force(plan, *sample.process) == kTo;
  });
  if (first == pod.samples.end()) return nullptr;
  return latest_sample(pod, [&](const Sample& sample) {
    return sample.at >= first->at && sample.usage && (sample.usage->at == Time{} || sample.usage->at >= first->at);
  });
}

void cross_over(const Crossover& plan, const PodSeries& pod, std::vector<PodSeries>& out) {
  const std::vector<Period> periods = periods_of(plan, pod);
  const auto pairs = pairs_of(pod, periods);
  const Counted nothing = nothing_of(pairs);
  OfArms<ArmSeries> arms{ArmSeries(plan, pod, kFrom, 0, nothing), ArmSeries(plan, pod, kTo, 0, nothing)};
  for (ArmSeries& arm : arms) arm.begin_with(periods);
  for (std::size_t i = 0; i < periods.size(); ++i) {
    const Period& period = periods[i];
    const bool first = period.begin == plan.since;
    arms[kFrom].begin_at(period.begin, first ? memory_before(plan, pod) : std::nullopt);
    arms[kTo].begin_at(period.begin, std::nullopt);
    if (pod.samples.back().at < period.end) break;
    const auto& pair = pairs[i];
    const auto profiles = pair ? profiles_in(pod, period) : OfArms<std::optional<GcProfile>>{};
    for (const std::size_t arm : {kFrom, kTo}) {
      arms[arm].end_at(period, pair ? &(*pair)[arm] : nullptr, profiles[arm]);
    }
  }
  const Sample* const now = periods.empty() ? nullptr : memory_since(plan, pod);
  if (now != nullptr) arms[kTo].note_memory(now->at, *memory_of(*now));
  for (ArmSeries& arm : arms) out.push_back(arm.take());
}

/// It compares nothing any more: its process is a young one, of which only is known why.
PodSeries restarted(const Crossover& plan, const PodSeries& pod, int restarts, Time now) {
  PodSeries series = ArmSeries(plan, pod, kTo, restarts, {}).take();
  Sample nothing;
  nothing.at = now;
  series.samples.push_back(std::move(nothing));
  return series;
}

}  // namespace

bool runs_new(std::string_view seed, std::size_t rank, std::int64_t block) {
  const auto number = static_cast<std::uint64_t>(block);
  const std::uint64_t drawn = mixed(number_of(seed) ^ mixed(number / 2)) >> 63;
  return ((drawn ^ number ^ rank) & 1) != 0;
}

Observation crossed_over(const Crossover& plan, const std::map<std::string, int>& pods, const Observation& observed) {
  Observation crossed;
  crossed.at = observed.at;
  crossed.container_source = observed.container_source;
  for (const PodSeries& pod : observed.pods) {
    const auto known = pods.find(pod.uid);
    if (known == pods.end()) continue;
    const int restarts = std::max(0, pod.restarts - known->second);
    if (restarts > 0) {
      crossed.pods.push_back(restarted(plan, pod, restarts, observed.at));
    } else {
      cross_over(plan, pod, crossed.pods);
    }
  }
  return crossed;
}

}  // namespace gopacer
