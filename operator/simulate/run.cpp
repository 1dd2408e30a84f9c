#include "gopacer/simulate/run.h"

#include <algorithm>
#include <cmath>

#include "decide/physics.h"
#include "simulate/pod.h"

namespace gopacer::simulate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// From a process's death to its successor's first request.
constexpr Duration kRestart = seconds(10);
constexpr Duration kMinute = minutes(1);
/// The operator leaves a target alone for about so long while its pods are replaced.
constexpr Duration kSettling = minutes(1);

/// A container over the whole trace: one process after the other, and the sums over all of them.
class Container {
 public:
  Container(const Trace& trace, const Settings& settings, Duration interval, std::uint64_t seed)
      : trace_(trace), interval_(interval), seed_(seed), settings_(settings) {
    start(Duration(0));
  }

  const Pod& pod() const { return *pod_; }
  Duration now() const { return now_; }
  Outcome& outcome() { return outcome_; }
  const Settings& settings() const { return settings_; }

  /// Until `to`, at most a minute away. True when the kernel killed the process meanwhile; its successor is running.
  bool pass(Duration to) {
    bool killed = false;
    const double cpu = cpu_seconds(), gc = gc_cpu_seconds(), served = requests();
    while (now_ < to) {
      pod_->advance(to);
      if (!pod_->process().killed()) {
        now_ = to;
        break;
      }
      killed = true;
      ++outcome_.ooms;
      const Duration died = pod_->now();
      restart(std::max(now_, died));
    }
    const double used = cpu_seconds() - cpu;
    const double memory = pod_->process().anonymous();
    outcome_.minutes.push_back({to, (requests() - served) / to_seconds(kMinute),
                                used > 0 ? (gc_cpu_seconds() - gc) / used : 0, Bytes::of(memory), settings_});
    memory_sum_ += memory;
    return killed;
  }

  /// A new process with other settings.
  void roll_out(const Settings& settings) {
    settings_ = settings;
    add_up();
    restarts_ = 0;
    start(now_);
  }

  Outcome finish() {
    add_up();
    outcome_.last = settings_;
    outcome_.mark_duty = mark_seconds_ / to_seconds(trace_.length());
    outcome_.mean_memory = Bytes::of(memory_sum_ / std::max<double>(1, static_cast<double>(outcome_.minutes.size())));
    return std::move(outcome_);
  }

  double cpu_seconds() const { return outcome_.cpu_seconds + pod_->process().cpu_seconds(); }
  double gc_cpu_seconds() const { return outcome_.gc_cpu_seconds + pod_->process().gc_cpu_seconds(); }
  double requests() const { return outcome_.requests + pod_->process().requests(); }

 private:
  void start(Duration at) {
    pod_ = std::make_unique<Pod>(trace_, settings_, at, interval_, seed_ + 1'000'003 * ++processes_);
    pod_->was_restarted(restarts_, restarts_ > 0);
  }

  void restart(Duration died) {
    add_up();
    ++restarts_;
    outcome_.refused += trace_.at(died).request_rate * to_seconds(kRestart);
    now_ = died + kRestart;
    start(now_);
  }

  void add_up() {
    const Process& process = pod_->process();
    outcome_.requests += process.requests();
    outcome_.refused += process.dropped();
    outcome_.cpu_seconds += process.cpu_seconds();
    outcome_.gc_cpu_seconds += process.gc_cpu_seconds();
    outcome_.limited_seconds += process.limited_seconds();
    outcome_.peak_memory = std::max(outcome_.peak_memory, Bytes::of(process.peak_anonymous()));
    mark_seconds_ += process.mark_seconds();
  }

  const Trace& trace_;
  const Duration interval_;
  const std::uint64_t seed_;
  Settings settings_;
  Duration now_{0};
  int restarts_ = 0;
  std::uint64_t processes_ = 0;
  double memory_sum_ = 0;
  double mark_seconds_ = 0;
  std::unique_ptr<Pod> pod_;
  Outcome outcome_;
};

/// The trials of a run, one after the other.
class Loop {
 public:
  Loop(const Trace& trace, const Plan& plan)
      : trace_(trace), plan_(plan), container_(trace, trace.settings, plan.spec.metrics.interval, plan.seed) {
    input_.spec = plan.spec;
    input_.spec.target = trace.name;
    input_.template_hash = "simulated";
    input_.memory_request = trace.memory_request;
    input_.observed.container_source = "kubelet";
  }

  Outcome run() {
    while (container_.now() < trace_.length()) {
      const Duration to = std::min(trace_.length(), container_.now() + plan_.decide_every);
      if (container_.pass(to)) killed();
      if (promote_at_ && container_.now() >= *promote_at_) promote();
      if (watch_until_ && container_.now() >= *watch_until_) end_watch();
      consider();
    }
    Outcome outcome = container_.finish();
    outcome.decision = std::move(last_);
    return outcome;
  }

 private:
  Time time() const { return kBegin + container_.now(); }

  void consider() {
    input_.current = container_.settings();
    input_.under_way = container_.now() >= settled_at_ ? "" : "A rollout is under way.";
    input_.observed.at = time();
    input_.observed.pods.resize(1);
    input_.observed.pods.front() = container_.pod().series();
    last_ = decide(input_, time());
    if (promote_at_ || watch_until_ || last_->kind != Decision::Kind::kChange) return;
    trial_ = last_;
    promote_at_ = container_.now() + plan_.trial;
  }

  void promote() {
    promote_at_.reset();
    container_.outcome().rollouts.push_back(
        {container_.now(), container_.settings(), trial_->settings, trial_->message, trial_->predicted, {}, {}, false});
    apply(trial_->settings);
    watch_until_ = container_.now() + plan_.spec.rollback.watch_for;
  }

  void apply(const Settings& settings) {
    container_.roll_out(settings);
    settled_at_ = container_.now() + kSettling;
  }

  Rollout& latest() { return container_.outcome().rollouts.back(); }

  void end_watch() {
    watch_until_.reset();
    const Process& process = container_.pod().process();
    if (process.cpu_seconds() > 0) latest().gc_share = process.gc_cpu_seconds() / process.cpu_seconds();
    latest().peak_memory = Bytes::of(process.peak_anonymous());
    if (last_ && last_->estimate && latest().predicted) {
      const bool missed = prediction_missed(*latest().predicted, *last_->estimate);
      input_.memory.missed_predictions = missed ? input_.memory.missed_predictions + 1 : 0;
    }
    input_.memory.applied = container_.settings();
    input_.memory.cool_down_until = time() + plan_.spec.rollback.cool_down;
  }

  void killed() {
    settled_at_ = container_.now();
    if (!watch_until_) return;
    watch_until_.reset();
    latest().rolled_back = true;
    input_.memory.banned.push_back({latest().to, input_.template_hash, "OOMKilled", time(), 1});
    input_.memory.cool_down_until = time() + plan_.spec.rollback.cool_down;
    apply(latest().from);
  }

  const Trace& trace_;
  const Plan& plan_;
  Container container_;
  DecideInput input_;
  std::optional<Decision> last_;
  std::optional<Decision> trial_;
  std::optional<Duration> promote_at_;
  std::optional<Duration> watch_until_;
  Duration settled_at_{0};
};

const int kGogcs[] = {25, 50, 75, 100, 150, 200, 300, 400, 600, 800};
const int kLimitPercents[] = {95, 90, 80, 70};

}  // namespace

Outcome run_fixed(const Trace& trace, const Settings& settings, std::uint64_t seed) {
  Container container(trace, settings, minutes(1), seed);
  while (container.now() < trace.length()) container.pass(std::min(trace.length(), container.now() + kMinute));
  return container.finish();
}

Outcome run_strategy(const Trace& trace, const Plan& plan) { return Loop(trace, plan).run(); }

double price_of(const Outcome& outcome, const Trace& trace, Price price) {
  if (outcome.requests <= 0) return 0;
  double seconds = outcome.cpu_seconds;
  if (price == Price::kCpuAndMemory) {
    // What is requested is paid for, used or not.
    const Bytes memory = std::max(outcome.mean_memory, trace.memory_request.value_or(Bytes(0)));
    seconds += memory.value() / deciding::bytes_per_core(kUsualMemoryPrice) * to_seconds(trace.length());
  }
  return seconds / outcome.requests;
}

std::optional<Oracle> best_static(const Trace& trace, Price price, const Bounds& bounds, std::uint64_t seed) {
  std::optional<Oracle> best;
  double least = 0;
  const auto consider = [&](const Settings& settings) {
    Outcome outcome = run_fixed(trace, settings, seed);
    if (outcome.ooms > 0) return false;
    const double found = price_of(outcome, trace, price);
    if (!best || found < least) {
      best = Oracle{settings, std::move(outcome)};
      least = found;
    }
    return true;
  };
  for (const int gogc : kGogcs) {
    if (gogc < bounds.min_gogc || gogc > bounds.max_gogc) continue;
    const bool survives = consider({Gogc(gogc), std::nullopt});
    // A limit only matters where the heap would outgrow the container without it.
    if (survives || !trace.memory_limit) continue;
    for (const int percent : kLimitPercents) {
      if (percent > bounds.max_go_mem_limit_percent) continue;
      consider({Gogc(gogc), *trace.memory_limit * (percent / 100.0)});
    }
  }
  return best;
}

}  // namespace gopacer::simulate
