#include "gopacer/simulate/process.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "gopacer/decide/go_pacer.h"

namespace gopacer::simulate {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kMiB = 1024.0 * 1024;

// Of runtime/mgcpacer.go.
constexpr double kBackgroundShare = 0.25;     // gcBackgroundUtilization
constexpr double kSweepDistance = kMiB;       // sweepMinHeapDistance
constexpr double kLeastRunway = 64.0 * 1024;  // minRunway
constexpr double kMostOvershoot = 1.1;        // maxOvershoot
constexpr double kLeastScan = 1000;
constexpr std::size_t kConsMarks = 4;
constexpr double kGammaWhenOff = 1000;  // of a collection under way with GOGC=off
// Of runtime/proc.go.
constexpr double kForcedPeriod = 120;  // forcegcperiod
constexpr std::size_t kRing = 256;
// Of runtime/mgclimit.go.
constexpr double kBucketPerProcessor = 1;  // capacityPerProc, CPU seconds
constexpr double kLimiterPeriod = 0.010;   // gcCPULimiterUpdatePeriod
// Of runtime/mgcscavenge.go.
constexpr double kRetainExtra = 1.10;        // retainExtraPercent
constexpr double kReduceExtra = 0.95;        // reduceExtraPercent
constexpr double kScavengeShare = 0.01;      // scavengePercent
constexpr double kScavengedPerSecond = 6e9;  // bytes that a CPU second of madvise gives back
// The heap is mapped in pieces of this size (pallocChunkBytes).
constexpr double kChunk = 4 * kMiB;

/// Of what requests allocate, how much may hold pointers: all that the pacer can know of it while it marks.
constexpr double kPointersInGarbage = 0.7;
/// A client does not wait longer.
constexpr double kLongestWait = 10;
/// Below it an event is not worth a step of its own.
constexpr double kLeastStep = 1e-6;

Bytes bytes(double count) { return Bytes::of(count); }

}  // namespace

Result<void> check(const Service& service) {
  const auto within = [](double value, double low, double high) { return value >= low && value <= high; };
  const auto wrong = [](const std::string& what) { return invalid("service." + what); };
  const auto size = [&](Bytes value) { return within(value.value(), 0, 1e13); };
  if (!within(service.max_procs, 1, 256)) return wrong("maxProcs is outside 1 to 256");
  if (!within(service.bytes_per_request, 0, 1e12)) return wrong("bytesPerRequest is outside 0 to 1e12");
  if (!within(service.cpu_per_request, 1e-9, 1e3)) return wrong("cpuPerRequest is outside 1e-9 to 1000 seconds");
  if (!within(service.held_per_request, 0, 1e12)) return wrong("heldPerRequest is outside 0 to 1e12");
  if (!within(service.most_waiting, 0, 1e7)) return wrong("mostWaiting is outside 0 to 1e7");
  if (!within(service.pointers, 0, 1)) return wrong("pointers is outside 0 to 1");
  if (!within(service.mark_seconds_per_byte, 0, 1e-6)) return wrong("markSecondsPerByte is outside 0 to 1e-6");
  if (!within(service.sweep_seconds_per_byte, 0, 1e-6)) return wrong("sweepSecondsPerByte is outside 0 to 1e-6");
  if (!within(service.seconds_per_cycle, 1e-6, 10)) return wrong("secondsPerCycle is outside 1e-6 to 10");
  if (!within(service.idle_marking, 0, 1)) return wrong("idleMarking is outside 0 to 1");
  if (!within(service.machine_share, 0.01, 1)) return wrong("machineShare is outside 0.01 to 1");
  if (!within(service.mark_jitter, 0, 2)) return wrong("markJitter is outside 0 to 2");
  if (!within(service.fragmentation, 0, 10)) return wrong("fragmentation is outside 0 to 10");
  if (!size(service.stacks) || !size(service.stack_scan) || !size(service.globals) || !size(service.overhead) ||
      !size(service.non_go) || !size(service.page_cache)) {
    return wrong("stacks, stackScan, globals, overhead, nonGo and pageCache are sizes from 0 to 10 TB");
  }
  if (service.stack_scan + service.globals < kib(1)) return wrong("stackScan and globals are less than 1KiB together");
  if (service.fill < Duration(0) || service.fill > std::chrono::hours(24)) return wrong("fill is outside 0s to 24h");
  return {};
}

Process::Process(const Service& service, const Settings& settings, std::optional<double> cpu_limit,
                 std::optional<Bytes> memory_limit, std::uint64_t seed)
    : service_(service),
      settings_(settings),
      gamma_(settings.gamma()),
      cpu_limit_(cpu_limit.value_or(kInfinite)),
      memory_limit_(memory_limit ? memory_limit->value() : kInfinite),
      random_(seed),
      share_(service.machine_share) {
  scavenge_goal_ = kInfinite;
  commit();
}

double Process::anonymous() const { return mapped() + off_heap_ + service_.non_go.value(); }

double Process::live(const Load& load) const {
  const double fill = to_seconds(service_.fill);
  const double filled = fill > 0 ? std::min(1.0, now_ / fill) : 1;
  return load.live_heap.value() * filled + backlog_ * service_.held_per_request;
}

// --- The pacer ------------------------------------------------------------------------------------------------------

double Process::expected_scan() const { return last_scan_ + (service_.stack_scan + service_.globals).value(); }

/// maxScanWork: all that may hold pointers turns out to live.
double Process::most_scan() const {
  return last_scan_ + kPointersInGarbage * allocation_since_mark_ + (service_.stacks + service_.globals).value();
}

void Process::commit() {
  const go_pacer::Heap heap{bytes(marked_), bytes(service_.stack_scan.value() + service_.globals.value())};
  gogc_goal_ = go_pacer::gogc_goal(heap, gamma_).value();
  double cons_mark = 0;
  for (const double one : cons_marks_) cons_mark = std::max(cons_mark, one);
  runway_ = cons_mark * (1 - kBackgroundShare) / kBackgroundShare * expected_scan();
}

double Process::goal() const {
  if (settings_.go_mem_limit) {
    const Bytes limit = *settings_.go_mem_limit;
    const double overage = std::max(0.0, mapped() - limit.value());
    const double non_heap = overhead() + in_use() - heap_;
    const double by_limit = go_pacer::limit_goal({bytes(marked_), {}}, limit, bytes(non_heap), bytes(overage)).value();
    if (by_limit < gogc_goal_) return by_limit;
  }
  double goal = std::max(gogc_goal_, marked_ + kSweepDistance);
  if (marking_) goal = std::max(goal, cycle_.trigger + kLeastRunway);
  return goal;
}

double Process::trigger() const {
  const double end = goal();
  if (marked_ >= end) return end;
  const double start = go_pacer::trigger({bytes(marked_), {}}, bytes(end), bytes(std::min(runway_, end))).value();
  return end < gogc_goal_ ? start : std::min(end, std::max(start, marked_ + kSweepDistance));
}

/// revise(): the heap's size at which this collection should end, as its own progress lets it appear.
double Process::pacing_goal() const {
  double end = goal();
  if (scanned_ > expected_scan()) {
    const double gamma = std::isfinite(gamma_) ? gamma_ : kGammaWhenOff;
    const double stretched = (end - cycle_.trigger) / expected_scan() * most_scan() + cycle_.trigger;
    end = std::min(stretched, (1 + gamma) * end);
  }
  return heap_ > end ? kMostOvershoot * end : end;
}

/// What the pacer believes is left, which is not what is.
double Process::left_to_scan() const {
  const bool beyond = scanned_ > expected_scan() || heap_ > goal();
  return std::max(kLeastScan, (beyond ? most_scan() : expected_scan()) - scanned_);
}

void Process::begin_mark(bool forced) {
  marking_ = true;
  cycle_ = Cycle{};
  cycle_.begin = now_;
  cycle_.trigger = heap_;
  cycle_.forced = forced;
  cycle_.limit_rules = goal() < gogc_goal_;
  scanned_ = 0;
  idle_mark_time_ = 0;
  assist_time_ = 0;
  to_scan_ = service_.pointers * live_at_mark_ + (service_.stack_scan + service_.globals).value();
  seconds_per_scan_ = service_.mark_seconds_per_byte + service_.seconds_per_cycle / to_scan_;
  // Marking takes every processor that is idle: under a quota all of them are then throttled.
  share_ = std::min(service_.machine_share, cpu_limit_ / processors());
  // No two marks get the same of the machine. It matters: the pacer prepares for the worst of the last five.
  const double sigma = service_.mark_jitter;
  const double slower = std::exp(sigma * std::normal_distribution<double>()(random_) - sigma * sigma / 2);
  share_ = std::min(1.0, share_ / slower);
}

void Process::end_mark() {
  const double allocated = heap_ - cycle_.trigger;
  const double length = now_ - cycle_.begin;
  if (allocated > 0 && length > 0) {
    const double used = std::min(0.99, kBackgroundShare + assist_time_ / (length * processors()));
    const double idle = idle_mark_time_ / (length * processors());
    const double cons_mark = allocated * (used + idle) / (scanned_ * (1 - used));
    // The fifth is the newest: the pacer takes the most of it and the four before.
    cons_marks_.push_back(cons_mark);
    while (cons_marks_.size() > kConsMarks + 1) cons_marks_.pop_front();
  }
  last_goal_ = goal();
  const double sweeping = service_.sweep_seconds_per_byte * heap_;
  const double in_use_at_end = in_use();
  gc_cpu_ += sweeping;
  sweep_cpu_ += sweeping;

  cycle_.end = now_;
  cycle_.peak = heap_;
  cycle_.goal = last_goal_;
  cycle_.scanned = scanned_;
  cycle_.assist_seconds = assist_time_;
  cycle_.cpu_seconds += sweeping;

  // What was allocated while marking counts as live, whether it is or not.
  marked_ = std::min(heap_, live_at_mark_ + allocated);
  cycle_.marked = marked_;
  heap_ = marked_;
  last_scan_ = std::max(0.0, scanned_ - (service_.stack_scan + service_.globals).value());
  allocation_since_mark_ = 0;
  marking_ = false;
  share_ = service_.machine_share;
  ++cycles_;
  if (cycle_.forced) ++forced_;
  last_end_ = now_;
  ends_.push_back(now_);
  if (ends_.size() > kRing) ends_.pop_front();
  commit();

  // gcPaceScavenger()
  scavenge_goal_ = kInfinite;
  if (cycles_ > 1) scavenge_goal_ = kRetainExtra * in_use_at_end * goal() / last_goal_;
  if (settings_.go_mem_limit && mapped() > kReduceExtra * settings_.go_mem_limit->value()) {
    scavenge_goal_ = std::min(scavenge_goal_, kReduceExtra * settings_.go_mem_limit->value() - overhead());
  }
  if (listener_) listener_(cycle_);
}

// --- Time -----------------------------------------------------------------------------------------------------------

Process::Rates Process::rates(const Load& load) const {
  Rates rates;
  const double all = processors();
  // In processor time: where others use the machine too, a CPU second takes longer.
  const double per_request = service_.cpu_per_request / share_;
  const double bytes_per_work = service_.bytes_per_request / per_request;
  const double wanted = backlog_ > 0 ? all : std::min(all, load.request_rate * per_request);
  if (!marking_) {
    rates.work = std::min({wanted, all, cpu_limit_ / share_});
    rates.allocation = std::max(growth_, rates.work * bytes_per_work);
    return rates;
  }
  const double background = kBackgroundShare * all;
  const double per_scan = seconds_per_scan_ / share_;
  // A collection that the timer began leaves idle processors alone, but for one where no worker is dedicated to it.
  const double most_idle = cycle_.forced ? (all < 4 ? 1 : 0) : all;
  const auto idle_marking = [&](double work) {
    return std::min(most_idle, std::max(0.0, all - background - work) * service_.idle_marking);
  };
  rates.work = std::min(wanted, all - background);
  rates.idle_mark = idle_marking(rates.work);
  rates.mark = background + rates.idle_mark;
  rates.allocation = std::max(growth_, rates.work * bytes_per_work);
  if (!limiting_) {
    const double ratio = left_to_scan() / std::max(1.0, pacing_goal() - heap_);
    if (ratio * rates.allocation * per_scan > rates.mark) {
      // Who allocates has to mark: each unit of work costs so much marking.
      const double marking_per_work = ratio * bytes_per_work * per_scan;
      rates.work = std::min(wanted, all / (1 + marking_per_work));
      rates.mark = std::max(background, marking_per_work * rates.work);
      rates.idle_mark = std::min(idle_marking(rates.work), rates.mark - background);
      rates.assist = rates.mark - background - rates.idle_mark;
      rates.allocation = rates.work * bytes_per_work;
    }
  }
  return rates;
}

/// Seconds until something changes, `most` at most.
double Process::step(const Load& load, const Rates& rates, double most) const {
  double least = most;
  const auto at = [&](double distance, double speed) {
    if (speed > 0) least = std::min(least, distance / speed);
  };
  if (backlog_ > 0) at(backlog_, rates.work * share_ / service_.cpu_per_request - load.request_rate);
  if (!marking_) {
    at(trigger() - heap_, rates.allocation);
    if (cycles_ > 0 && std::isfinite(gamma_)) at(last_end_ + kForcedPeriod - now_, 1);
    return std::max(kLeastStep, least);
  }
  const double scanning = rates.mark * share_ / seconds_per_scan_;
  at(to_scan_ - scanned_, scanning);
  if (scanned_ < expected_scan()) at(expected_scan() - scanned_, scanning);
  if (const double end = pacing_goal(); heap_ < end && rates.assist == 0) at(end - heap_, rates.allocation);
  const double filling = kBackgroundShare * processors() + rates.assist - rates.work;
  if (limiting_) {
    // Nobody looks again before.
    at(limiting_until_ - now_, 1);
  } else {
    at(kBucketPerProcessor * processors() - bucket_, filling);
  }
  return std::max(kLeastStep, least);
}

void Process::scavenge(double seconds) {
  const double used = in_use();
  retained_ = std::max(retained_, used);
  reserved_ = std::max(reserved_, std::ceil(retained_ / kChunk) * kChunk);
  // In the background, a hundredth of the processors' time.
  if (retained_ > scavenge_goal_) {
    const double room = retained_ - std::max(scavenge_goal_, used);
    retained_ -= std::clamp(room, 0.0, kScavengedPerSecond * kScavengeShare * processors() * seconds);
  }
  // And whoever allocates beyond the limit gives free memory back first.
  if (settings_.go_mem_limit && !limiting_) {
    retained_ = std::max(used, std::min(retained_, settings_.go_mem_limit->value() - overhead()));
  }
}

void Process::pass(const Load& load, const Rates& rates, double seconds) {
  const double arrived = load.request_rate * seconds;
  const double could = rates.work * share_ / service_.cpu_per_request * seconds;
  const double served = std::min(could, backlog_ + arrived);
  backlog_ += arrived - served;
  // Rounding leaves crumbs.
  if (backlog_ < 1e-6) backlog_ = 0;
  if (const double most = std::min(service_.most_waiting, load.request_rate * kLongestWait); backlog_ > most) {
    dropped_ += backlog_ - most;
    backlog_ = most;
  }
  served_ += served;
  work_cpu_ += rates.work * share_ * seconds;

  const double allocated = rates.allocation * seconds;
  heap_ += allocated;
  total_alloc_ += allocated;
  if (!marking_) allocation_since_mark_ += allocated;
  now_ += seconds;

  const double capacity = kBucketPerProcessor * processors();
  double change = -rates.work * seconds;
  if (limiting_) limited_seconds_ += seconds;
  if (marking_) {
    const double spent = rates.mark * share_ * seconds;
    gc_cpu_ += spent;
    cycle_.cpu_seconds += spent;
    background_time_ += (rates.mark - rates.idle_mark) * seconds;
    mark_seconds_ += seconds;
    scanned_ += spent / seconds_per_scan_;
    idle_mark_time_ += rates.idle_mark * seconds;
    assist_time_ += rates.assist * seconds;
    change += (kBackgroundShare * processors() + rates.assist) * seconds;
  }
  bucket_ = std::clamp(bucket_ + change, 0.0, capacity);
  if (change > 0 && bucket_ >= capacity * (1 - 1e-9)) {
    if (!limiting_ || now_ >= limiting_until_) limiting_until_ = now_ + kLimiterPeriod;
    limiting_ = true;
  } else if (limiting_ && now_ >= limiting_until_) {
    limiting_ = false;
  }
  if (limiting_ && marking_) cycle_.limited = true;

  scavenge(seconds);
  peak_ = std::max(peak_, anonymous());
  if (anonymous() > memory_limit_) killed_ = true;
}

void Process::run(double seconds, const Load& load) {
  off_heap_ = load.off_heap.value();
  const double until = now_ + seconds;
  // What begins to live has been allocated, beyond what requests leave behind if they are too few for it.
  const double reachable = live(load);
  growth_ = std::max(0.0, reachable - reachable_) / seconds;
  reachable_ = reachable;
  while (now_ < until && !killed_) {
    if (!marking_) {
      const bool due = cycles_ > 0 && std::isfinite(gamma_) && now_ >= last_end_ + kForcedPeriod - kLeastStep;
      if (due || heap_ >= trigger() - 1) {
        live_at_mark_ = std::min(heap_, live(load));
        begin_mark(due && heap_ < trigger() - 1);
      }
    } else if (scanned_ >= to_scan_ * (1 - 1e-9)) {
      end_mark();
      continue;
    }
    const Rates now = rates(load);
    pass(load, now, step(load, now, until - now_));
  }
}

}  // namespace gopacer::simulate
