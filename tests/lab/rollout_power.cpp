#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "gopacer/judge/verdict.h"
#include "rollout_parts.h"
#include "rollout_tally.h"

namespace gopacer::lab {
namespace {

using nlohmann::json;

constexpr Placement kDesigns[] = {Placement::kSameNode, Placement::kAnywhere, Placement::kWithinPods};

struct Row {
  const char* name;
  const char* means;
  int replicas;
  double saving;
};

const Row kRows[] = {
    {"pods4saving0", "4 pods, settings that save nothing", 4, 0},
    {"pods4saving1", "4 pods, settings that save 1 %", 4, 0.01},
    {"pods4saving2", "4 pods, settings that save 2 %", 4, 0.02},
    {"pods1saving0", "1 pod, settings that save nothing", 1, 0},
    {"pods1saving1", "1 pod, settings that save 1 %", 1, 0.01},
    {"pods1saving2", "1 pod, settings that save 2 %", 1, 0.02},
};

/// Compared for half an hour, whatever is found: as many requests as are asked for never come.
RolloutWorld world_of(const Row& row, Placement placement) {
  RolloutWorld world;
  world.placement = placement;
  world.replicas = row.replicas;
  world.requests_per_second = 100.0 * row.replicas;
  world.slowdown = 1;
  world.saving = row.saving;
  world.cpu_disturbance = 0.03;
  world.fixed = Settings{Gogc(300), mib(400)};
  world.canary.min_samples = 1'000'000'000;
  return world;
}

const MetricEvidence* cpu_of(const RolloutResult& result) {
  for (const MetricEvidence& metric : result.evidence.metrics) {
    if (metric.name == kCpuMetric && metric.stats.n > 0 && metric.low < metric.high) return &metric;
  }
  return nullptr;
}

json found_in(const Row& row, Placement placement, const Part& part, int& broken) {
  int less = 0;
  int more = 0;
  int ended_early = 0;
  std::vector<double> halves;
  const int count = std::max(1, part.count / 2);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t seed = part.seed + static_cast<std::uint64_t>(i);
    const RolloutResult result = simulate_rollout(world_of(row, placement), seed);
    if (!result.broken.empty()) {
      ++broken;
      std::cerr << row.name << ", " << to_string(placement) << ", seed " << seed << ": " << result.broken << "\n";
    }
    ended_early += result.reason == "TimeOut" ? 0 : 1;
    const MetricEvidence* const cpu = cpu_of(result);
    if (cpu == nullptr) continue;
    less += cpu->high < 0 ? 1 : 0;
    more += cpu->low > 0 ? 1 : 0;
    halves.push_back((cpu->high - cpu->low) / 2);
  }
  std::sort(halves.begin(), halves.end());
  return {{"rollouts", count},
          {"less", less * 1.0 / count},
          {"more", more * 1.0 / count},
          {"endedEarly", ended_early * 1.0 / count},
          {"halfWidth", halves.empty() ? json() : json(halves[halves.size() / 2])}};
}

}  // namespace

void add_power(json& report, const Part& part) {
  int broken = 0;
  for (const Row& row : kRows) {
    for (const Placement placement : kDesigns) {
      if (!part.has(placement)) continue;
      json found = found_in(row, placement, part, broken);
      report["rollouts"] = report["rollouts"].get<int>() + found["rollouts"].get<int>();
      report["power"][row.name][to_string(placement)] = std::move(found);
    }
  }
  report["broken"] = report["broken"].get<int>() + broken;
}

void print_power(const json& report) {
  std::cout
      << "## How small a difference of CPU for each request shows\n\n100 requests a second and pod, of which the "
         "CPU differs by 3 % from window to window, and settings that leave p99 as it is. Each trial compares for "
         "half an hour; an arm is one pod, and within pods up to two take turns. The interval of what CPU for "
         "each request changes by lies below zero, or above it, in so many of "
      << std::max(1, report["count"].get<int>() / 2)
      << " trials; plus or minus: half of its length, in the median.\n\n| |";
  for (const Placement placement : kDesigns) {
    const std::string design = to_string(placement);
    std::cout << " " << design << ": below | above | plus or minus |";
  }
  std::cout << "\n|---|";
  for (std::size_t i = 0; i < std::size(kDesigns); ++i) std::cout << "---|---|---|";
  std::cout << "\n";
  for (const Row& row : kRows) {
    std::cout << "| " << row.means << " |";
    for (const Placement placement : kDesigns) {
      const json& found = report["power"][row.name][to_string(placement)];
      const json& half = found["halfWidth"];
      std::cout << " " << percent(found["less"]) << " | " << percent(found["more"]) << " | "
                << (half.is_null() ? "–" : percent(half)) << " |";
    }
    std::cout << "\n";
  }
  std::cout << "\n";
}

}  // namespace gopacer::lab
