#include "decide/pod_estimate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "decide/estimators.h"
#include "decide/guards.h"
#include "gopacer/decide/go_pacer.h"

namespace gopacer::deciding {
namespace {

/// The runtime collects every two minutes when nothing else makes it.
constexpr Duration kForcedPeriod = std::chrono::seconds(118);
/// A collection's cost of before that is history, where nothing newer tells it.
constexpr Duration kOldestProfile = std::chrono::hours(1);
/// Below it the heap's least goal, stacks and rounding hide what GOGC does.
constexpr double kSmallHeap = 32.0 * 1024 * 1024;
/// Below it assists and the CPU limiter decide when a collection ends.
constexpr int kLeastTellingGogc = 30;
/// V over goal − M of programs that leave GOGC alone: marking begins at 0.7 at the earliest, and assists may stretch
/// it.
constexpr double kSlowestPace = 0.6;
constexpr double kFastestPace = 1.4;
/// The part of StackInUse that a collection scans, globals included: 0.2 to 0.25 in services that were measured. The
/// rest is room that goroutines have not used, and stacks kept for later ones.
constexpr double kScannedStacks = 0.25;
/// What the heap holds beyond all memory that the container uses was never touched. It shows in the upper half of a
/// cycle, when resident garbage does not hide it; less than this may come from readings at different times.
constexpr double kLeastBallast = 32.0 * 1024 * 1024;
constexpr double kLeastBallastShare = 0.2;
// Relative errors beside those of sampling.
constexpr double kGoalLiveError = 0.02;    ///< the goal's formula knows S + Gl only roughly
constexpr double kLimitLiveError = 0.10;   ///< NextGC − V: marking ends before the goal
constexpr double kGoalVolumeError = 0.15;  ///< NextGC − M in place of V, which is 0.7 to 1.15 of it
constexpr double kTimesVolumeError = 0.01;
constexpr double kCounterError = 0.01;
/// Of collections, as many forced ones as do not matter: V by the heap's goal is no better.
constexpr double kFewForcedPart = 0.15;
/// Where forced ones are not counted, a V below this part of the heap's room says that there are many.
constexpr double kUnforcedVolume = 0.6;
/// The runtime's classes are of wall-clock time: a thread that waits for a CPU counts as busy.
constexpr double kBusyClassError = 0.25;

double heap_of(const MemStats& mem) { return (mem.sys - mem.heap_idle - mem.heap_alloc).value(); }
double mapped_of(const MemStats& mem) { return (mem.sys - mem.heap_released).value(); }

double roots_of(const Sample& sample) {
  if (sample.process && sample.process->scanned_roots) return sample.process->scanned_roots->value();
  return sample.mem->stack_in_use.value() * kScannedStacks;
}

std::optional<Moment> moment(Time at, const std::optional<double>& value) {
  return value ? std::optional(Moment{at, *value}) : std::nullopt;
}

std::string text(Gogc gogc) { return gogc.is_off() ? "off" : std::to_string(gogc.percent()); }

constexpr const char* kToTell =
    "Let it serve go_gc_gogc_percent (client_golang's Go collector) on an SLO's metrics page.";

std::string advice() {
  return ": the program sets it itself (debug.SetGCPercent, debug.SetMemoryLimit or a tuner library). Remove that, or "
         "gopacer's settings have no effect.";
}

}  // namespace

SeriesReader::SeriesReader(const PodSeries& pod, const DecideInput& input, Time now)
    : pod_(pod), env_from_(input.env_from) {
  const Time warm_from = pod.started + input.spec.canary.warm_up;
  const Time from = std::max(now - kLongestWindow, warm_from);
  earlier_from_ = std::max(now - kOldestProfile, warm_from);
  for (const Sample& sample : pod.samples) {
    if (sample.at >= from && sample.at <= now) samples_.push_back(&sample);
  }
  const Break found = last_break(samples_);
  clock_trouble_ = found.what;
  samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(found.after));
  samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(with_other_settings(samples_)));
  for (const Sample* sample : samples_) {
    if (sample->mem) with_mem_.push_back(sample);
  }
}

std::uint32_t SeriesReader::cycles() const {
  if (with_mem_.size() < 2) return 0;
  const MemStats& first = *with_mem_.front()->mem;
  const MemStats& last = *with_mem_.back()->mem;
  // Counters that went back belong to two processes.
  if (last.num_gc < first.num_gc || last.num_forced_gc < first.num_forced_gc || last.total_alloc < first.total_alloc) {
    return 0;
  }
  return last.num_gc - first.num_gc;
}

PodEstimate SeriesReader::read() {
  read_settings();
  read_cycles();
  read_heap();
  read_cpu();
  read_memory();
  return found_;
}

std::string SeriesReader::unasked() const {
  if (!tells_settings()) {
    if (env_from_.empty()) return {};
    return from_env_from() + " The figures assume that they do not. " + kToTell;
  }
  const Settings runs = in_force({}, pod_.settings, {process_->gogc, process_->go_mem_limit});
  if (runs == Settings{}) return {};
  const std::string found = "The program runs " + describe(runs) + " although the pod's env list does not ask for it: ";
  if (!env_from_.empty()) {
    return found + "from envFrom (" + env_from_ +
           "), or of its own. Entries of the list go before envFrom; where gopacer takes its own away again, this is "
           "in force again.";
  }
  return found +
         "a default of its own, which usually gives way to the variable, or a call that overrides it. A trial tells "
         "which.";
}

std::string SeriesReader::self_tuned() const {
  const Gogc asked = pod_.settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  if (tells_settings()) {
    if (pod_.settings.gogc && *process_->gogc != asked) {
      return "Pod " + pod_.pod + " reports GOGC=" + text(*process_->gogc) + " while its environment asks for " +
             text(asked) + advice();
    }
    const auto& limit = pod_.settings.go_mem_limit;
    if (limit && process_->go_mem_limit && *process_->go_mem_limit != *limit) {
      return "Pod " + pod_.pod + " reports GOMEMLIMIT=" + format_go_size(*process_->go_mem_limit) +
             " while its environment asks for " + format_go_size(*limit) + advice();
    }
    return {};
  }
  const std::optional<int> gogc = env_from_.empty() ? contradicting_gogc() : std::nullopt;
  if (!gogc) return {};
  return "Pod " + pod_.pod + " collects as if GOGC were about " + std::to_string(*gogc) +
         (pod_.settings.gogc ? " while its environment asks for " + text(asked) + advice()
                             : " although its environment does not ask for that: a default of its own, or the program "
                               "overrides the variable. " +
                                   std::string(kToTell) + " Then a trial tells which.");
}

std::string SeriesReader::unknown_settings() const {
  if (tells_settings() || env_from_.empty()) return {};
  const std::optional<int> gogc = contradicting_gogc();
  if (!gogc) return {};
  return "Pod " + pod_.pod + " collects as if GOGC were about " + std::to_string(*gogc) +
         ", which its env list does not ask for. " + from_env_from() + " " + kToTell;
}

std::string SeriesReader::from_env_from() const {
  return "GOGC or GOMEMLIMIT may come from envFrom (" + env_from_ +
         "), which gopacer does not read, and the process does not tell what it runs.";
}

/// The GOGC that the collections look like, where they contradict what the env list asks for; without the process's own
/// word the goals tell: where GOGC rules, NextGC gives M, and nothing may contradict that M.
std::optional<int> SeriesReader::contradicting_gogc() const {
  const Gogc asked = pod_.settings.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  if (asked.is_off() || asked.percent() < kLeastTellingGogc || found_.limit_rules || found_.forced > 0 ||
      found_.cycles < 10)
    return std::nullopt;
  const double gamma = asked.percent() / 100.0;
  const double live = (found_.goal - gamma * found_.roots) / (1 + gamma);
  if (live < kSmallHeap) return std::nullopt;
  std::size_t below = 0;
  for (const Sample* sample : with_mem_) {
    const MemStats& mem = *sample->mem;
    const Bytes implied = go_pacer::live_heap_from_goal(mem.next_gc, Bytes::of(roots_of(*sample)), gamma);
    if (mem.heap_alloc.value() < 0.85 * implied.value()) ++below;
  }
  const double pace = found_.volume / (found_.goal - live);
  const bool heap_contradicts = below >= 2 && below * 10 >= with_mem_.size();
  if (!heap_contradicts && pace > kSlowestPace && pace < kFastestPace) return std::nullopt;
  return static_cast<int>(100 * found_.volume / std::max(1.0, found_.goal - found_.volume + found_.roots));
}

void SeriesReader::read_settings() {
  found_.settings = pod_.settings;
  const ProcessMetrics* first = nullptr;
  for (const Sample* sample : samples_) {
    if (!sample->process) continue;
    process_ = &*sample->process;
    if (first == nullptr) first = process_;
  }
  if (process_ == nullptr) return;
  found_.go_version = process_->go_version.value_or("");
  if (process_->gogc) {
    found_.settings.gogc = process_->gogc;
    found_.settings.go_mem_limit = process_->go_mem_limit;
  }
  found_.limiter_active =
      process_->limited_cycle && first->limited_cycle && *process_->limited_cycle > *first->limited_cycle;
  // The variable may be there; the runtime does not look at it.
  if (!knows_memory_limit(found_.go_version)) found_.settings.go_mem_limit.reset();
}

void SeriesReader::read_cycles() {
  const MemStats& first = *with_mem_.front()->mem;
  const MemStats& last = *with_mem_.back()->mem;
  found_.seconds = seconds();
  found_.cycles = cycles();
  found_.alloc_rate = (last.total_alloc - first.total_alloc).value() / found_.seconds;
  std::vector<double> rates;
  for (std::size_t i = 1; i < with_mem_.size(); ++i) {
    const double between = to_seconds(with_mem_[i]->at - with_mem_[i - 1]->at);
    rates.push_back((with_mem_[i]->mem->total_alloc - with_mem_[i - 1]->mem->total_alloc).value() / between);
  }
  found_.alloc_rate_error = std::hypot(kCounterError, relative_error(rates));
  rate_scatter_ = relative_error(rates) * std::sqrt(static_cast<double>(rates.size()));
  found_.forced = last.num_forced_gc - first.num_forced_gc;
  for (std::size_t i = 1; i < last.pauses.size(); ++i) {
    const bool in_window = last.pauses[i].end > with_mem_.front()->at && last.pauses[i].end <= with_mem_.back()->at;
    if (in_window && last.pauses[i].end - last.pauses[i - 1].end >= kForcedPeriod) ++found_.forced;
  }
  found_.forced = std::min(found_.forced, found_.cycles);
}

/// Mean time between the ends of collections within the window, where the ring of 256 holds all of them.
std::optional<double> SeriesReader::cycle_seconds() const {
  const std::vector<GcPause>& ring = with_mem_.back()->mem->pauses;
  if (std::size_t{found_.cycles} + 1 >= ring.size()) return std::nullopt;
  const auto end = ring.end();
  const auto begin = end - static_cast<std::ptrdiff_t>(found_.cycles);
  const double spanned = to_seconds((end - 1)->end - begin->end);
  if (found_.cycles < 2 || !(spanned > 0) || spanned > found_.seconds) return std::nullopt;
  return spanned / (found_.cycles - 1);
}

void SeriesReader::read_heap() {
  std::vector<double> goals, roots, non_heaps, mapped, live;
  std::size_t by_limit = 0;
  double least_heap = std::numeric_limits<double>::infinity();
  for (const Sample* sample : with_mem_) {
    const MemStats& mem = *sample->mem;
    goals.push_back(mem.next_gc.value());
    roots.push_back(roots_of(*sample));
    non_heaps.push_back(heap_of(mem));
    mapped.push_back(mapped_of(mem));
    least_heap = std::min(least_heap, mem.heap_alloc.value());
    if (sample->process && sample->process->heap_live) live.push_back(sample->process->heap_live->value());
    if (found_.settings.go_mem_limit) {
      const Bytes limit = *found_.settings.go_mem_limit;
      const Bytes overage = std::max(Bytes(0), mem.sys - mem.heap_released - limit);
      const Bytes by_memory = go_pacer::limit_goal({}, limit, mem.sys - mem.heap_idle - mem.heap_alloc, overage);
      if (mem.next_gc.value() >= 0.98 * by_memory.value()) ++by_limit;
    }
  }
  found_.goal = mean(goals);
  found_.highest_goal = upper(goals, 0.99);
  found_.roots = mean(roots);
  found_.non_heap = upper(non_heaps, 0.99);
  found_.mapped = upper(mapped, 0.99);
  found_.limit_rules = 2 * by_limit > with_mem_.size() || !std::isfinite(found_.settings.gamma());

  const double allocated = found_.alloc_rate * found_.seconds;
  double counted = found_.cycles > 0 ? allocated / found_.cycles : 0;
  found_.volume_source = "GC count";
  found_.volume_error = found_.cycles > 0 ? 1.0 / found_.cycles : 1;
  // A count of few cycles is off by up to one; the ring has their exact times. They give V as far as A is the same all
  // the time.
  const double times_error = std::hypot(kTimesVolumeError, rate_scatter_);
  if (const auto period = cycle_seconds(); period && times_error < found_.volume_error) {
    counted = found_.alloc_rate * *period;
    found_.volume_source = "GC times";
    found_.volume_error = times_error;
  }

  if (2 * live.size() > with_mem_.size()) {
    found_.live = mean(live);
    found_.highest_live = upper(live, 0.99);
    found_.live_source = "runtime metrics";
    found_.live_error = std::hypot(kCounterError, relative_error(live));
  } else if (found_.limit_rules) {
    const double volume = has_forced() ? found_.goal - least_heap : std::min(counted, found_.goal);
    // Marking may end before the goal is reached; but what lives is never more than the heap was seen to hold.
    found_.live = std::min(found_.goal - volume, least_heap);
    found_.highest_live = std::max(found_.live, std::min(found_.highest_goal - volume, least_heap));
    found_.live_source = "heap goal and GC volume";
    found_.live_error = std::hypot(kLimitLiveError, relative_error(goals));
  } else {
    read_live_by_goal(counted);
    found_.live_error = std::hypot(kGoalLiveError, relative_error(goals));
  }
  found_.volume = found_.limit_rules ? std::min(counted, found_.goal) : counted;
  const double by_goal = found_.goal - found_.live;
  if (!with_mem_.back()->mem->counts_forced && counted < kUnforcedVolume * by_goal) {
    found_.forced = static_cast<std::uint32_t>(std::lround(found_.cycles * (1 - counted / by_goal)));
  }
  // Forced collections end cycles early, and say nothing of what the heap may grow by.
  if (has_forced() && by_goal > counted) {
    found_.volume = by_goal;
    found_.volume_source = "heap goal";
    found_.volume_error = std::hypot(kGoalVolumeError, found_.live_error);
  } else if (found_.cycles > 0 && by_goal > counted) {
    found_.volume_error = std::hypot(found_.volume_error, static_cast<double>(found_.forced) / found_.cycles);
  }
  if (found_.limit_rules) return;
  // M as a straight line over time: what a leak, or a cache that still fills, looks like.
  const auto next_gc = [](const Sample& sample) { return moment(sample.at, sample.mem->next_gc.value()); };
  found_.growth = steady_slope(readings_of(with_mem_, next_gc)) * found_.seconds / found_.goal;
}

/// So many that V can't be read from the count of collections.
bool SeriesReader::has_forced() const { return found_.forced > kFewForcedPart * found_.cycles; }

void SeriesReader::read_live_by_goal(double counted) {
  const double gamma = found_.settings.gamma();
  const auto live_at = [&](double goal) { return std::max(0.0, (goal - gamma * found_.roots) / (1 + gamma)); };
  found_.live = live_at(found_.goal);
  found_.highest_live = live_at(found_.highest_goal);
  found_.live_source = "heap goal";
  const bool least_goal = found_.goal <= 1.02 * go_pacer::least_goal(gamma).value();
  if (least_goal && found_.forced == 0) {
    // The goal does not depend on M here; the formula gives the most that M can be.
    found_.live = std::min(found_.live, std::max(0.0, found_.goal - counted));
  }
}

void SeriesReader::read_cpu() {
  if (process_ != nullptr && process_->max_procs) {
    found_.max_procs = *process_->max_procs;
  } else if (pod_.cpu_limit && follows_cpu_limit(found_.go_version)) {
    found_.max_procs = std::max(2.0, std::ceil(*pod_.cpu_limit));
  }
  read_cpu_in_use();
  const auto by_metrics = rise_of(readings_of(samples_, [](const Sample& sample) {
    return moment(sample.at, sample.process ? sample.process->gc_cpu_seconds : std::nullopt);
  }));
  if (by_metrics) found_.gc_by_metrics = by_metrics->rate();
  if (!(found_.max_procs > 0)) return;
  // GCCPUFraction is of the time from the process's start to the end of its last collection.
  const auto by_fraction = rise_of(readings_of(with_mem_, [&](const Sample& sample) -> std::optional<Moment> {
    const MemStats& mem = *sample.mem;
    const Time began = sample.process && sample.process->started ? *sample.process->started : pod_.started;
    if (mem.pauses.empty() || began == Time{}) return std::nullopt;
    const Time end = mem.pauses.back().end;
    if (end <= began) return std::nullopt;
    return Moment{end, mem.gc_cpu_fraction * found_.max_procs * to_seconds(end - began)};
  }));
  if (by_fraction) found_.gc_by_fraction = by_fraction->rate();
}

void SeriesReader::read_cpu_in_use() {
  const auto take = [&](std::vector<Moment> readings, const char* source, double error) {
    const auto rise = rise_of(readings);
    if (!rise || found_.cpu) return;
    found_.cpu = rise->rate();
    found_.cpu_source = source;
    found_.cpu_error = error;
    cpu_readings_ = std::move(readings);
  };
  take(readings_of(samples_,
                   [](const Sample& sample) {
                     return moment(sample.at, sample.process ? sample.process->cpu_seconds : std::nullopt);
                   }),
       "process", kCounterError);
  // Several samples may carry the same reading of the container: its own time counts.
  take(readings_of(samples_,
                   [](const Sample& sample) -> std::optional<Moment> {
                     if (!sample.usage) return std::nullopt;
                     return moment(sample.usage->at == Time{} ? sample.at : sample.usage->at,
                                   sample.usage->cpu_seconds);
                   }),
       "container", 2 * kCounterError);
  read_profiles();
  if (!found_.cpu && !found_.profiled.empty()) {
    found_.cpu = found_.profiled.profiled_cores();
    found_.cpu_source = "CPU profile";
    found_.cpu_error = found_.profiled.profiled_cores_error();
  }
  take(readings_of(samples_,
                   [](const Sample& sample) {
                     return moment(sample.at, sample.process ? sample.process->busy_cpu_seconds : std::nullopt);
                   }),
       "runtime metrics", kBusyClassError);
}

void SeriesReader::read_profiles() {
  for (const GcProfile& profile : pod_.earlier_profiles) {
    if (profile.began && *profile.began >= earlier_from_) found_.earlier.add(profile, std::nullopt);
  }
  for (const Sample* sample : samples_) {
    if (!sample->profile) continue;
    const std::optional<double> cores = rate_over(cpu_readings_, sample->at - sample->profile->length, sample->at);
    found_.profiled.add(*sample->profile, cores ? cores : found_.cpu);
  }
}

/// The sample with MemStats that was taken nearest to that time.
const Sample* SeriesReader::nearest_mem(Time at) const {
  const auto after = std::lower_bound(with_mem_.begin(), with_mem_.end(), at,
                                      [](const Sample* sample, Time time) { return sample->at < time; });
  if (after == with_mem_.end()) return with_mem_.back();
  if (after == with_mem_.begin()) return *after;
  return at - (*(after - 1))->at < (*after)->at - at ? *(after - 1) : *after;
}

void SeriesReader::read_memory() {
  found_.limit = pod_.memory_limit;
  std::vector<double> outside;
  std::vector<Moment> over_time;
  std::vector<double> untouched;  // of the heap
  double before = 0;
  Time latest{};
  std::map<std::string, int> readings;
  for (const Sample* sample : with_mem_) {
    std::optional<double> whole;
    Time at = sample->at;
    if (sample->usage) {
      // A kubelet's reading is 10 to 15 s old, and in several samples: by now the heap is another one.
      if (sample->usage->at != Time{}) at = sample->usage->at;
      if (at == latest) continue;
      latest = at;
      const ContainerUsage& usage = *sample->usage;
      if (usage.limit) found_.limit = usage.limit;
      whole = usage.kept().value();
      ++readings[usage.is_detailed() ? "container" : "working set"];
    } else if (sample->process && sample->process->resident) {
      whole = sample->process->resident->value();
      ++readings["process"];
    }
    if (!whole) continue;
    const MemStats& mem = *nearest_mem(at)->mem;
    untouched.push_back(mem.heap_alloc.value() - *whole);
    found_.peak = std::max(found_.peak, *whole);
    // The runtime counts pages as mapped before they are touched: the difference may be negative.
    const double rest = std::max(0.0, *whole - mapped_of(mem));
    if (!outside.empty()) found_.spike = std::max(found_.spike, rest - before);
    before = rest;
    outside.push_back(rest);
    over_time.push_back({at, rest});
  }
  // A kubelet that is late for once does not make the figures another kind's.
  const auto most = std::max_element(readings.begin(), readings.end(),
                                     [](const auto& one, const auto& other) { return one.second < other.second; });
  if (most != readings.end()) found_.memory_source = most->first;
  if (!outside.empty()) found_.non_go = upper(outside, 0.99);
  if (!untouched.empty() && upper(untouched, 0.5) >= std::max(kLeastBallast, kLeastBallastShare * found_.live)) {
    found_.ballast = std::min(found_.live, upper(untouched, 0.9));
  }
  found_.non_go_growth = std::max(0.0, steady_slope(over_time));
  if (found_.peak == 0) found_.peak = found_.mapped;
}

}  // namespace gopacer::deciding
