#include "cli/advice.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gopacer {
namespace {

using Json = nlohmann::ordered_json;

std::string percent(double share) { return format_fixed(share * 100, 1) + " %"; }

std::string whole_seconds(Duration duration) {
  return format_duration(std::chrono::round<std::chrono::seconds>(duration));
}

/// The two variables' text as they should stand in a pod; GOGC is always there.
EnvText env_of(const Settings& settings) {
  EnvText env = to_env(settings);
  if (!env.gogc) env.gogc = std::to_string(Gogc::kDefaultPercent);
  return env;
}

Json settings_json(const Settings& settings) {
  const EnvText env = env_of(settings);
  return {{"gogc", *env.gogc}, {"goMemLimit", env.go_mem_limit ? Json(*env.go_mem_limit) : Json(nullptr)}};
}

Json interval_json(double value, double low, double high) { return {{"value", value}, {"low", low}, {"high", high}}; }

/// Two standard errors around an estimate.
Json estimated_json(double value, double rel_error) {
  return interval_json(value, std::max(0.0, value * (1 - 2 * rel_error)), value * (1 + 2 * rel_error));
}

std::size_t readings(const Advice& advice) {
  return advice.input.observed.pods.empty() ? 0 : advice.input.observed.pods.front().samples.size();
}

struct Row {
  std::string name;
  std::string now;
  std::string expected;
};

std::vector<Row> rows_of(const Estimate& estimate, const Prediction* predicted) {
  const auto around = [](const std::string& value, const std::string& low, const std::string& high) {
    return value + " (" + low + " to " + high + ")";
  };
  std::vector<Row> rows{
      {"GC share of CPU", percent(estimate.gc_cpu_fraction) + " of " + format_fixed(estimate.cpu, 2) + " cores", ""},
      {"peak memory", format_bytes(estimate.peak_memory), ""},
      {"collections per minute", format_fixed(estimate.cycles_per_minute, 1), ""},
      {"allocated per second", format_bytes(Bytes::of(estimate.alloc_rate)), ""},
      {"allocated per collection", format_bytes(estimate.cycle_volume), ""},
      {"live heap", format_bytes(estimate.live_heap), ""}};
  if (predicted == nullptr) return rows;
  rows[0].expected = around(percent(predicted->gc_cpu_fraction), percent(predicted->gc_cpu_fraction_low),
                            percent(predicted->gc_cpu_fraction_high));
  rows[1].expected = around(format_bytes(predicted->peak_memory), format_bytes(predicted->peak_memory_low),
                            format_bytes(predicted->peak_memory_high));
  rows[2].expected =
      around(format_fixed(predicted->cycles_per_minute, 1), format_fixed(predicted->cycles_per_minute_low, 1),
             format_fixed(predicted->cycles_per_minute_high, 1));
  rows[4].expected = format_bytes(predicted->cycle_volume);
  return rows;
}

std::string table(const std::vector<Row>& rows) {
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.now.size());
  const auto line = [&](const Row& row) {
    std::string text = "  " + row.name + std::string(26 - row.name.size(), ' ') + row.now;
    if (!row.expected.empty()) text += std::string(width + 3 - row.now.size(), ' ') + row.expected;
    return text + "\n";
  };
  std::string text = line({"", "now", "expected (low to high)"});
  for (const Row& row : rows) text += line(row);
  return text;
}

/// What keeps them from going further.
const std::string& binding_of(const Decision& decision) {
  return decision.destination ? decision.destination->binding : decision.binding;
}

/// What a person may choose from.
std::string choices_table(const std::vector<Outlook>& choices) {
  constexpr std::size_t kColumn = 11;
  std::string lines[3] = {"  to choose from: GOGC     ", "  GC share of CPU          ", "  peak memory              "};
  const auto cell = [](std::string& line, const std::string& text) {
    line += std::string(kColumn - std::min(kColumn - 1, text.size()), ' ') + text;
  };
  for (const Outlook& choice : choices) {
    cell(lines[0], *env_of(choice.settings).gogc);
    cell(lines[1], percent(choice.predicted.gc_cpu_fraction));
    cell(lines[2], format_bytes(choice.predicted.peak_memory));
  }
  return lines[0] + "\n" + lines[1] + "\n" + lines[2] + "\n";
}

Json prediction_json(const Prediction& predicted) {
  return {{"gcCpuFraction",
           interval_json(predicted.gc_cpu_fraction, predicted.gc_cpu_fraction_low, predicted.gc_cpu_fraction_high)},
          {"peakMemoryBytes", interval_json(predicted.peak_memory.value(), predicted.peak_memory_low.value(),
                                            predicted.peak_memory_high.value())},
          {"cyclesPerMinute", interval_json(predicted.cycles_per_minute, predicted.cycles_per_minute_low,
                                            predicted.cycles_per_minute_high)},
          {"cycleVolumeBytes", predicted.cycle_volume.count()},
          {"cpuSavingFraction", {{"value", predicted.saving}, {"low", predicted.saving_low}}}};
}

Json outlook_json(const Settings& settings, const std::optional<Prediction>& predicted) {
  Json json = settings_json(settings);
  json["predicted"] = predicted ? prediction_json(*predicted) : Json(nullptr);
  return json;
}

std::string env_lines(const Settings& settings, const std::string& indent) {
  const EnvText env = env_of(settings);
  std::string lines = indent + "env:\n" + indent + "- name: GOGC\n" + indent + "  value: \"" + *env.gogc + "\"\n";
  if (env.go_mem_limit) {
    lines += indent + "- name: GOMEMLIMIT\n" + indent + "  value: " + *env.go_mem_limit + "\n";
  }
  return lines;
}

}  // namespace

const Settings& advised(const Decision& decision) {
  if (decision.destination) return decision.destination->settings;
  return decision.recommended ? *decision.recommended : decision.settings;
}

const Prediction* predicted_of(const Decision& decision) {
  if (decision.destination) return &decision.destination->predicted;
  return decision.predicted ? &*decision.predicted : nullptr;
}

std::string advice_text(const Advice& advice) {
  const Decision& decision = advice.decision;
  std::string text = advice.subject + ": " + std::to_string(readings(advice)) + " readings";
  if (decision.estimate) {
    text += " over " + whole_seconds(decision.estimate->window) + ", " + std::to_string(decision.estimate->cycles) +
            " collections";
  }
  text += "\n\n  current       " + describe(advice.input.current) + " (" + advice.settings_source + ")\n";
  const bool change = decision.kind == Decision::Kind::kChange;
  text += "  recommended   " + (change ? describe(advised(advice.decision)) : std::string("no change")) + "\n";
  if (decision.destination)
    text += "  first step    " + describe(decision.settings) + ", as far as a trial would go at once\n";
  if (const std::string& binding = binding_of(decision); !binding.empty()) text += "  held by       " + binding + "\n";
  text += "  why           " + decision.message + "\n";
  if (decision.estimate) text += "\n" + table(rows_of(*decision.estimate, predicted_of(decision)));
  if (!decision.tradeoff.empty()) text += "\n" + choices_table(decision.tradeoff);
  if (change) {
    text += "\nIn the container of your Deployment:\n\n" + env_lines(advised(advice.decision), "        ");
  }
  for (const std::string& note : advice.notes) text += "\nnote: " + note;
  if (!advice.notes.empty()) text += "\n";
  return text;
}

std::string advice_json(const Advice& advice) {
  const Decision& decision = advice.decision;
  Json json{{"subject", advice.subject},
            {"decision", to_string(decision.kind)},
            {"reason", decision.reason},
            {"message", decision.message},
            {"binding", binding_of(decision)},
            {"strategy", to_string(advice.input.spec.strategy)},
            {"objective", to_string(advice.input.spec.objective)},
            {"current", settings_json(advice.input.current)},
            {"currentSource", advice.settings_source},
            {"recommended", nullptr},
            {"predicted", nullptr},
            {"firstStep", nullptr},
            {"tradeoff", Json::array()},
            {"observed", nullptr},
            {"needsMemoryBytes", decision.needs_memory ? Json(decision.needs_memory->count()) : Json(nullptr)},
            {"readings", readings(advice)},
            {"notes", advice.notes}};
  if (decision.kind != Decision::Kind::kNoData) json["recommended"] = settings_json(advised(advice.decision));
  if (const Prediction* const predicted = predicted_of(decision)) json["predicted"] = prediction_json(*predicted);
  if (decision.kind == Decision::Kind::kChange) {
    json["firstStep"] = outlook_json(decision.settings, decision.predicted);
    json["firstStep"]["binding"] = decision.binding;
  }
  for (const Outlook& choice : decision.tradeoff) {
    json["tradeoff"].push_back(outlook_json(choice.settings, choice.predicted));
  }
  if (decision.estimate) {
    const Estimate& estimate = *decision.estimate;
    json["observed"] = {
        {"windowSeconds", to_seconds(estimate.window)},
        {"cycles", estimate.cycles},
        {"forcedCycles", estimate.forced},
        {"allocBytesPerSecond", estimate.alloc_rate},
        {"liveHeapBytes", estimate.live_heap.count()},
        {"meanLiveHeapBytes", estimate.mean_live_heap.count()},
        {"gcCpuFraction", estimate.gc_cpu_fraction},
        {"cycleVolumeBytes", estimate.cycle_volume.count()},
        {"cyclesPerMinute", estimate.cycles_per_minute},
        {"gcCpuSecondsPerCycle", estimate.gc_cpu_per_cycle},
        {"cpuCores", estimate.cpu},
        {"peakMemoryBytes", estimate.peak_memory.count()},
        {"nonGoMemoryBytes", estimate.non_go_known ? Json(estimate.non_go.count()) : Json(nullptr)},
        {"memoryLimitBytes", estimate.container_limit ? Json(estimate.container_limit->count()) : Json(nullptr)},
        {"intervals",
         {{"allocBytesPerSecond", estimated_json(estimate.alloc_rate, estimate.alloc_rate_rel_error)},
          {"liveHeapBytes", estimated_json(estimate.live_heap.value(), estimate.live_heap_rel_error)},
          {"gcCpuFraction", estimated_json(estimate.gc_cpu_fraction, estimate.gc_cpu_rel_error)},
          {"cycleVolumeBytes", estimated_json(estimate.cycle_volume.value(), estimate.cycle_volume_rel_error)}}},
        {"sources",
         {{"gcCpu", estimate.gc_cpu_source},
          {"cpu", estimate.cpu_source},
          {"memory", estimate.memory_source},
          {"liveHeap", estimate.live_heap_source},
          {"cycleVolume", estimate.cycle_volume_source}}}};
    if (estimate.cpu_uses) {
      for (std::size_t i = 0; i < kCpuUseNames.size(); ++i) {
        json["observed"]["cpuUses"][kCpuUseNames[i]] = estimate.cpu_uses->values[i];
      }
    }
    if (!estimate.go_version.empty()) json["observed"]["goVersion"] = estimate.go_version;
  }
  // What others wrote may not be UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string advice_yaml(const Advice& advice) {
  const ProfileSpec& spec = advice.input.spec;
  const Bounds& bounds = spec.bounds;
  // YAML would take some names for numbers or truth values: 2024, true.
  const std::string name = "\"" + advice.name + "\"";
  std::string text;
  const bool change = advice.decision.kind == Decision::Kind::kChange;
  text += "# " + advice.decision.reason + ": " +
          (change ? describe(advised(advice.decision)) : describe(advice.input.current) + " stays") + "\n";
  text +=
      "# updateMode \"Off\" only recommends; Canary tries new settings on canary pods and applies what is better.\n";
  text += "apiVersion: gopacer.dev/v1alpha1\nkind: GoRuntimeProfile\nmetadata:\n  name: " + name + "\nspec:\n";
  text += "  targetRef: {apiVersion: apps/v1, kind: Deployment, name: " + name + "}\n";
  text += "  updatePolicy: {updateMode: \"Off\"}\n";
  text += "  objective: {type: " + to_string(spec.objective) + ", strategy: " + to_string(spec.strategy);
  if (spec.memory_price != kUsualMemoryPrice) {
    text += ", memoryPricePerGiBCores: \"" + format_fixed(spec.memory_price, 6) + "\"";
  }
  text += "}\n";
  text += "  bounds:\n    minAllowed: {gogc: " + std::to_string(bounds.min_gogc) +
          "}\n    maxAllowed: {gogc: " + std::to_string(bounds.max_gogc) +
          ", goMemLimitPercent: " + std::to_string(bounds.max_go_mem_limit_percent) + "}\n";
  text += "  runtimeMetrics: {port: " + std::to_string(spec.metrics.port) + ", path: \"" + spec.metrics.path + "\"}\n";
  if (!spec.slos.empty()) {
    text += "  slos:\n";
    for (const Slo& slo : spec.slos) {
      text += "  - name: " + slo.name + "\n    podHistogram: {port: " + std::to_string(slo.port) + ", path: \"" +
              slo.path + "\", metric: \"" + slo.histogram().metric + "\"}\n";
    }
  }
  return text;
}

}  // namespace gopacer
