#include "cli/simulate_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/text_plot.h"
#include "codec/settings.h"
#include "decide/physics.h"

namespace gopacer {
namespace {

using nlohmann::json;
using simulate::Outcome;
using simulate::Score;

constexpr double kHour = 3600;

std::string percent(double share, int decimals = 1) { return format_fixed(100 * share, decimals) + " %"; }

/// By nearest rank; 0 of nothing.
double quantile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(values.size())));
  return values[std::max<std::size_t>(1, rank) - 1];
}

double mean(const std::vector<double>& values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> magnitudes(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

std::vector<std::string> row_of(const std::string& name, const Outcome& outcome, const Outcome& untouched) {
  return {name,
          format_fixed(outcome.cpu_per_request() * 1e3, 3) + " ms",
          outcome.requests > 0 ? signed_percent(outcome.cpu_per_request() / untouched.cpu_per_request() - 1) : "-",
          percent(outcome.gc_share()),
          percent(outcome.mark_duty),
          format_bytes(outcome.mean_memory),
          format_bytes(outcome.peak_memory),
          std::to_string(outcome.ooms),
          std::to_string(outcome.rollouts.size())};
}

std::string time_of(Duration at) { return format_duration(std::chrono::floor<std::chrono::minutes>(at)); }

std::string rollout_text(const simulate::Rollout& rollout) {
  std::string text = "  " + time_of(rollout.at) + "  " + describe(rollout.from) + " -> " + describe(rollout.to) + "\n";
  if (rollout.predicted && rollout.gc_share) {
    text += "      collection: promised " + percent(rollout.predicted->gc_cpu_fraction) + " of the CPU, came to " +
            percent(*rollout.gc_share) + "; peak memory: promised " + format_bytes(rollout.predicted->peak_memory) +
            ", came to " + format_bytes(*rollout.peak_memory) + "\n";
  }
  if (rollout.rolled_back) text += "      killed for memory while it was watched: taken back\n";
  return text + "      " + rollout.message + "\n";
}

std::string plots(const simulate::Trace& trace, const Outcome& run, const Outcome& untouched) {
  PlotLine before{'.', "untouched", {}}, memory{'*', "with the strategy", {}}, limit{'-', "container's limit", {}};
  PlotLine gc_before{'.', "untouched", {}}, gc{'*', "with the strategy", {}}, rate{'*', "requests", {}};
  for (const auto& minute : untouched.minutes) {
    const double hours = to_seconds(minute.at) / kHour;
    before.points.emplace_back(hours, minute.memory.value() / mib(1).value());
    gc_before.points.emplace_back(hours, 100 * minute.gc_share);
    rate.points.emplace_back(hours, minute.request_rate);
    if (trace.memory_limit) limit.points.emplace_back(hours, trace.memory_limit->value() / mib(1).value());
  }
  for (const auto& minute : run.minutes) {
    const double hours = to_seconds(minute.at) / kHour;
    memory.points.emplace_back(hours, minute.memory.value() / mib(1).value());
    gc.points.emplace_back(hours, 100 * minute.gc_share);
  }
  std::vector<PlotLine> lines = {before, memory};
  if (trace.memory_limit) lines.push_back(limit);
  return text_plot("Memory of the container", "MiB", lines) + "\n" +
         text_plot("CPU that collection takes", "% of the CPU in use", {gc_before, gc}) + "\n" +
         text_plot("Load", "requests a second", {rate}, 96, 7);
}

json numbers(const Outcome& outcome) {
  return {{"cpuSecondsPerRequest", outcome.cpu_per_request()},
          {"gcCpuFraction", outcome.gc_share()},
          {"markDuty", outcome.mark_duty},
          {"meanMemoryBytes", outcome.mean_memory.count()},
          {"peakMemoryBytes", outcome.peak_memory.count()},
          {"requests", outcome.requests},
          {"refusedRequests", outcome.refused},
          {"limiterSeconds", outcome.limited_seconds},
          {"ooms", outcome.ooms},
          {"rollouts", outcome.rollouts.size()}};
}

json verdict(const Score& score) {
  json object = {{"untouched", numbers(score.untouched)}, {"strategy", numbers(score.run)}, {"saving", score.saving}};
  if (score.oracle) {
    object["bestStatic"] = numbers(score.oracle->outcome);
    object["bestStatic"]["settings"] = codec::encode(score.oracle->settings);
    object["bestStaticSaving"] = score.oracle_saving;
  }
  if (const auto share = score.share_of_oracle()) object["shareOfBestSaving"] = *share;
  if (score.rollouts_to_optimum) object["rolloutsToOptimum"] = *score.rollouts_to_optimum;
  object["gcCpuErrors"] = score.gc_share_errors;
  object["peakMemoryErrors"] = score.peak_memory_errors;
  return object;
}

/// The goals' figures over some runs.
struct Summary {
  int runs = 0;
  int ooms = 0;
  int ooms_untouched = 0;
  int without_optimum = 0;
  double rollouts = 0;
  std::vector<double> shares, cpu, mean_memory, peak_memory, to_optimum, gc_errors, peak_errors;

  void add(const Score& score) {
    ++runs;
    ooms += score.run.ooms;
    ooms_untouched += score.untouched.ooms;
    rollouts += static_cast<double>(score.run.rollouts.size());
    // A process that is killed serves less for its CPU: there is nothing to compare with.
    const auto share = score.share_of_oracle();
    if (share && score.untouched.ooms == 0) shares.push_back(*share);
    cpu.push_back(score.run.cpu_per_request() / score.untouched.cpu_per_request() - 1);
    mean_memory.push_back(score.run.mean_memory / score.untouched.mean_memory - 1);
    if (score.rollouts_to_optimum) {
      to_optimum.push_back(*score.rollouts_to_optimum);
    } else {
      ++without_optimum;
    }
    gc_errors.insert(gc_errors.end(), score.gc_share_errors.begin(), score.gc_share_errors.end());
    peak_errors.insert(peak_errors.end(), score.peak_memory_errors.begin(), score.peak_memory_errors.end());
  }

  std::vector<std::string> row(const std::string& name) const {
    const auto errors = [](const std::vector<double>& values) {
      if (values.empty()) return std::string("-");
      const std::vector<double> sizes = magnitudes(values);
      return percent(quantile(sizes, 0.5), 0) + " / " + percent(quantile(sizes, 0.95), 0);
    };
    return {name,
            std::to_string(runs),
            signed_percent(mean(cpu)),
            signed_percent(mean(mean_memory)),
            shares.empty() ? "-" : percent(mean(shares), 0),
            format_fixed(rollouts / runs, 1),
            to_optimum.empty() ? "-" : format_fixed(quantile(to_optimum, 0.95), 0),
            std::to_string(without_optimum),
            errors(gc_errors),
            errors(peak_errors),
            std::to_string(ooms),
            std::to_string(ooms_untouched)};
  }
};

std::vector<std::pair<std::string, Summary>> summaries(const std::vector<ScoredRun>& runs) {
  std::vector<std::pair<std::string, Summary>> all;
  Summary total;
  for (const ScoredRun& run : runs) {
    const auto same = [&](const auto& one) { return one.first == run.trace; };
    auto found = std::find_if(all.begin(), all.end(), same);
    if (found == all.end()) found = all.insert(all.end(), {run.trace, Summary{}});
    found->second.add(run.score);
    total.add(run.score);
  }
  all.emplace_back("all", total);
  return all;
}

}  // namespace

std::string simulation_text(const simulate::Trace& trace, const simulate::Plan& plan, const Score& score) {
  std::string text = trace.name + ": " + format_duration(trace.length()) + ", GOMAXPROCS " +
                     std::to_string(trace.service.max_procs) + ", memory limit " +
                     (trace.memory_limit ? format_bytes(*trace.memory_limit) : "none") + ", at first " +
                     describe(trace.settings) + "\nStrategy " + to_string(plan.spec.strategy) + ", objective " +
                     to_string(plan.spec.objective) + "\n\n";
  std::vector<std::vector<std::string>> table = {
      {"", "CPU/request", "", "GC CPU", "marking", "mean memory", "peak memory", "OOM kills", "rollouts"},
      row_of("untouched", score.untouched, score.untouched),
      row_of(to_string(plan.spec.strategy), score.run, score.untouched)};
  if (score.oracle) {
    table.push_back(row_of("best static: " + describe(score.oracle->settings), score.oracle->outcome, score.untouched));
  }
  text += text_table(table);
  if (const auto share = score.share_of_oracle()) {
    text += "It saved " + percent(score.saving) + " of the price (" +
            (score.price == simulate::Price::kCpu
                 ? std::string("CPU")
                 : "CPU, and memory at " + format_fixed(1 / kUsualMemoryPrice, 0) + " GiB a core") +
            "), " + percent(*share, 0) + " of what the best static settings save.\n";
  }
  text += "\nRollouts:\n";
  for (const simulate::Rollout& rollout : score.run.rollouts) text += rollout_text(rollout);
  if (score.run.rollouts.empty()) text += "  none\n";
  if (score.run.decision) {
    text += "At the end: " + score.run.decision->reason + ". " + score.run.decision->message + "\n";
  }
  return text + "\n" + plots(trace, score.run, score.untouched);
}

std::string simulation_json(const simulate::Trace& trace, const simulate::Plan& plan, const Score& score) {
  json object = verdict(score);
  object["trace"] = trace.name;
  object["objective"] = to_string(plan.spec.objective);
  object["strategyName"] = to_string(plan.spec.strategy);
  object["rollouts"] = json::array();
  for (const simulate::Rollout& rollout : score.run.rollouts) {
    json one = {{"at", format_duration(rollout.at)},
                {"from", codec::encode(rollout.from)},
                {"to", codec::encode(rollout.to)},
                {"message", rollout.message},
                {"rolledBack", rollout.rolled_back}};
    if (rollout.predicted) {
      one["predicted"] = {{"gcCpuFraction", rollout.predicted->gc_cpu_fraction},
                          {"peakMemoryBytes", rollout.predicted->peak_memory.count()}};
    }
    if (rollout.gc_share) {
      one["seen"] = {{"gcCpuFraction", *rollout.gc_share}, {"peakMemoryBytes", rollout.peak_memory->count()}};
    }
    object["rollouts"].push_back(one);
  }
  if (score.run.decision) {
    object["decision"] = {{"kind", to_string(score.run.decision->kind)},
                          {"reason", score.run.decision->reason},
                          {"message", score.run.decision->message}};
  }
  object["minutes"] = json::array();
  for (const auto& minute : score.run.minutes) {
    object["minutes"].push_back({{"at", format_duration(minute.at)},
                                 {"requestRate", minute.request_rate},
                                 {"gcCpuFraction", minute.gc_share},
                                 {"memoryBytes", minute.memory.count()},
                                 {"settings", codec::encode(minute.settings)}});
  }
  return object.dump(1) + "\n";
}

std::string summary_text(const std::vector<ScoredRun>& runs) {
  std::vector<std::vector<std::string>> table = {{"", "runs", "CPU/request", "mean memory", "of best saving",
                                                  "rollouts", "to optimum", "never", "GC CPU error", "peak error",
                                                  "OOM kills", "untouched"}};
  for (const auto& [name, summary] : summaries(runs)) table.push_back(summary.row(name));
  return text_table(table) +
         "\nCPU/request and mean memory: change against the untouched run.\n"
         "Of best saving: share of what the best static settings save over the whole trace, where that is at least\n"
         "1 % and the untouched process is never killed.\n"
         "To optimum: rollouts until the settings cost at most 10 % more than the best static ones (95th percentile);\n"
         "never: runs that don't get there.\n"
         "Errors of what was promised: median / 95th percentile.\n"
         "OOM kills: by the kernel, under the strategy and untouched.\n";
}

std::string summary_json(const std::vector<ScoredRun>& runs) {
  json list = json::array();
  for (const ScoredRun& run : runs) {
    json one = verdict(run.score);
    one["trace"] = run.trace;
    one["seed"] = run.seed;
    list.push_back(std::move(one));
  }
  return list.dump(1) + "\n";
}

}  // namespace gopacer
