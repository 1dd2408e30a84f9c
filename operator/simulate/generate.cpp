#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "gopacer/simulate/trace.h"

namespace gopacer::simulate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr double kMiB = 1024.0 * 1024;

/// Everything that a seed chooses, in the order of its choice.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  double between(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }
  /// Sizes are as often doubled as halved.
  double around(double middle, double factor) { return middle * std::pow(factor, between(-1, 1)); }
  double noise(double sigma) { return std::exp(sigma * std::normal_distribution<double>()(random_)); }
  bool coin() { return between(0, 1) < 0.5; }

 private:
  std::mt19937_64 random_;
};

Duration whole_minutes(double count) { return minutes(static_cast<std::int64_t>(count)); }

/// Shape of a load over time, as factors of the usual request rate and live heap.
struct Shape {
  double rate = 1;
  double live = 1;
  double off_heap = 0;  ///< MiB
};

/// What tells the kinds of traces apart.
struct Kind {
  int procs = 2;
  double utilization = 0.3;  ///< of the processors, by requests at the usual rate
  double live = 80;          ///< MiB
  double pointers = 0.8;
  double most_rate = 1;  ///< the largest factors that `shape` gives
  double most_live = 1;
  double most_off_heap = 0;  ///< MiB
  Duration length = hours(12);
};

Trace base(const std::string& name, const Kind& kind, Dice& dice) {
  Trace trace;
  trace.name = name;
  Service& service = trace.service;
  service.max_procs = kind.procs;
  service.pointers = kind.pointers;
  service.bytes_per_request = dice.around(128 * 1024, 2);
  service.cpu_per_request = dice.around(0.6e-3, 1.7);
  service.held_per_request = 0.25 * service.bytes_per_request;
  service.mark_seconds_per_byte = dice.around(1.1e-9, 1.5);
  service.sweep_seconds_per_byte = dice.between(0.02e-9, 0.06e-9);
  service.mark_jitter = dice.between(0.1, 0.5);
  service.idle_marking = dice.between(0.5, 0.9);
  service.machine_share = dice.between(0.7, 1);
  service.fragmentation = dice.between(0.03, 0.15);
  service.non_go = mib(dice.between(4, 24));
  service.fill = seconds(static_cast<std::int64_t>(dice.between(5, 60)));
  trace.process_metrics = dice.coin();
  trace.cpu_limit = kind.procs;
  // Room for Go's own doubling at the worst moment, and then some: nobody runs a service in less.
  const double live = kind.live * kind.most_live;
  const double needed = 2 * std::max(live, 4.0) * (1 + service.fragmentation) + kind.most_off_heap +
                        service.overhead.value() / kMiB + service.non_go.value() / kMiB + 16;
  trace.memory_limit = mib(std::ceil(needed * dice.between(1.25, 3)));
  if (dice.coin()) trace.memory_request = *trace.memory_limit * dice.between(0.4, 1);
  return trace;
}

template <typename ShapeAt>
void fill(Trace& trace, const Kind& kind, Dice& dice, const ShapeAt& shape) {
  const double rate = kind.utilization * dice.around(1, 1.3) * kind.procs / trace.service.cpu_per_request;
  double drift = 1;
  for (Duration at{0}; at <= kind.length; at += seconds(30)) {
    const Shape now = shape(at);
    // Load wanders, and jumps a little from moment to moment.
    drift = std::clamp(drift * dice.noise(0.01), 0.85, 1.15);
    trace.points.push_back({at,
                            {rate * now.rate * drift * dice.noise(0.03), mib(kind.live * now.live * dice.noise(0.005)),
                             mib(now.off_heap)}});
  }
}

Trace steady(const std::string& name, Kind kind, Dice& dice) {
  kind.live *= dice.around(1, 2);
  Trace trace = base(name, kind, dice);
  fill(trace, kind, dice, [](Duration) { return Shape{}; });
  return trace;
}

Trace with_procs(const std::string& name, Dice& dice) {
  Kind kind;
  kind.procs = std::stoi(name.substr(name.find('-') + 1));
  kind.live = 60.0 * std::sqrt(kind.procs);
  return steady(name, kind, dice);
}

Trace diurnal(const std::string& name, Dice& dice) {
  Kind kind;
  kind.length = hours(24);
  kind.utilization = 0.15;
  kind.live = dice.around(80, 2);
  kind.most_rate = 3;
  Trace trace = base(name, kind, dice);
  const double phase = dice.between(0, 1);
  fill(trace, kind, dice, [&](Duration at) {
    const double day = to_seconds(at) / to_seconds(hours(24)) + phase;
    return Shape{2 + std::sin(2 * std::numbers::pi * day)};
  });
  return trace;
}

Trace live_step(const std::string& name, Dice& dice) {
  Kind kind;
  kind.live = dice.around(60, 2);
  kind.most_live = dice.between(1.5, 2.5);
  Trace trace = base(name, kind, dice);
  const Duration when = whole_minutes(dice.between(60, 540));
  fill(trace, kind, dice, [&](Duration at) { return Shape{1, at < when ? 1 : kind.most_live}; });
  return trace;
}

Trace slow_leak(const std::string& name, Dice& dice) {
  Kind kind;
  kind.live = dice.around(60, 1.5);
  kind.most_live = dice.between(1.5, 3);
  Trace trace = base(name, kind, dice);
  fill(trace, kind, dice,
       [&](Duration at) { return Shape{1, 1 + (kind.most_live - 1) * to_seconds(at) / to_seconds(kind.length)}; });
  return trace;
}

Trace burst(const std::string& name, Dice& dice) {
  Kind kind;
  kind.utilization = 0.1;
  kind.live = dice.around(80, 2);
  kind.most_rate = 5;
  kind.most_live = 1.15;
  Trace trace = base(name, kind, dice);
  const double every = dice.between(40, 150);
  const double lasts = dice.between(1, 6);
  const double offset = dice.between(0, every);
  fill(trace, kind, dice, [&](Duration at) {
    const bool now = std::fmod(to_seconds(at) / 60 + offset, every) < lasts;
    return now ? Shape{5, 1.15} : Shape{};
  });
  return trace;
}

Trace pointer_free_cache(const std::string& name, Dice& dice) {
  Kind kind;
  kind.pointers = dice.between(0.02, 0.1);
  kind.live = 250;
  return steady(name, kind, dice);
}

Trace small_heap(const std::string& name, Dice& dice) {
  Kind kind;
  kind.live = 2;
  kind.length = hours(3);
  return steady(name, kind, dice);
}

Trace idle(const std::string& name, Dice& dice) {
  Kind kind;
  kind.utilization = 0.0005;
  return steady(name, kind, dice);
}

Trace off_heap_growth(const std::string& name, Dice& dice) {
  Kind kind;
  kind.live = dice.around(60, 2);
  kind.most_off_heap = dice.between(50, 250);
  Trace trace = base(name, kind, dice);
  const Duration begin = whole_minutes(dice.between(0, 240));
  const Duration lasts = whole_minutes(dice.between(120, 460));
  fill(trace, kind, dice, [&](Duration at) {
    const double grown = std::clamp(to_seconds(at - begin) / to_seconds(lasts), 0.0, 1.0);
    return Shape{1, 1, kind.most_off_heap * grown};
  });
  return trace;
}

struct Generator {
  std::string name;
  Trace (*make)(const std::string&, Dice&);
};

const std::vector<Generator>& generators() {
  static const std::vector<Generator> kGenerators = {
      {"steady", [](const std::string& name, Dice& dice) { return steady(name, {}, dice); }},
      {"diurnal", diurnal},
      {"live-step", live_step},
      {"slow-leak", slow_leak},
      {"burst", burst},
      {"pointer-free-cache", pointer_free_cache},
      {"small-heap", small_heap},
      {"idle", idle},
      {"procs-1", with_procs},
      {"procs-2", with_procs},
      {"procs-4", with_procs},
      {"procs-8", with_procs},
      {"off-heap-growth", off_heap_growth},
  };
  return kGenerators;
}

}  // namespace

const std::vector<std::string>& trace_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> all;
    for (const Generator& generator : generators()) all.push_back(generator.name);
    return all;
  }();
  return kNames;
}

Result<Trace> generate(const std::string& name, std::uint64_t seed) {
  std::string known;
  for (const Generator& generator : generators()) {
    if (generator.name == name) {
      // So that each kind draws its own services from the same seeds.
      std::vector<std::uint32_t> material = {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
      material.insert(material.end(), name.begin(), name.end());
      std::seed_seq mixed(material.begin(), material.end());
      std::mt19937_64 first(mixed);
      Dice dice(first());
      return generator.make(name, dice);
    }
    known += (known.empty() ? "" : ", ") + generator.name;
  }
  return invalid("there is no trace \"" + name + "\"; choose one of " + known);
}

}  // namespace gopacer::simulate
