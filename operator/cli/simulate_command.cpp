#include "cli/simulate_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/simulate_report.h"
#include "codec/trace.h"

namespace gopacer {
namespace {

constexpr std::uint64_t kMostSeeds = 1000;

int give_up(const std::string& message) {
  std::cerr << "gopacer simulate: " << message << "\n";
  return static_cast<int>(SimulateExit::kUsage);
}

Result<simulate::Trace> read_trace(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return invalid("can't read the trace " + path + ": " + error.message());
  if (size > codec::kMostTraceBytes) {
    return invalid("the trace " + path + " is larger than " + format_bytes(Bytes(codec::kMostTraceBytes)) +
                   "; leave points out");
  }
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return invalid("can't read the trace " + path);
  Result<simulate::Trace> trace = codec::decode_trace(text);
  if (!trace) return invalid("the trace " + path + " is of no use: " + trace.error().message);
  return trace;
}

Result<simulate::Trace> find_trace(const SimulateOptions& options) {
  Result<simulate::Trace> trace =
      options.file.empty() ? simulate::generate(options.trace, options.seed) : read_trace(options.file);
  if (!trace) return trace;
  if (options.procs > 0) {
    trace->service.max_procs = options.procs;
    trace->cpu_limit = options.procs;
  }
  if (!options.limit.empty()) {
    const Result<Bytes> limit = parse_quantity(options.limit);
    if (!limit) return invalid("--limit: " + limit.error().message);
    trace->memory_limit = *limit;
    if (trace->memory_request && *trace->memory_request > *limit) trace->memory_request = *limit;
  }
  if (auto checked = simulate::check(*trace); !checked) return tl::unexpected(checked.error());
  return trace;
}

Result<simulate::Plan> plan_of(const SimulateOptions& options) {
  simulate::Plan plan;
  plan.seed = options.seed;
  plan.spec.objective = options.objective;
  plan.spec.strategy = options.strategy;
  plan.spec.bounds = options.bounds;
  if (options.bounds.min_gogc > options.bounds.max_gogc) return invalid("--min-gogc is above --max-gogc");
  const Result<Duration> cool_down = parse_duration(options.cool_down);
  if (!cool_down) return invalid("--cool-down: " + cool_down.error().message);
  plan.spec.rollback.cool_down = *cool_down;
  EnvText env;
  if (!options.gogc.empty()) env.gogc = options.gogc;
  if (!options.go_mem_limit.empty()) env.go_mem_limit = options.go_mem_limit;
  const Result<Settings> fixed = parse_settings(env);
  if (!fixed) return tl::unexpected(fixed.error());
  plan.spec.fixed = *fixed;
  if (options.strategy == Strategy::kFixed && plan.spec.fixed == Settings{}) {
    return invalid("strategy Fixed wants --gogc, --gomemlimit or both");
  }
  if (options.strategy != Strategy::kFixed && plan.spec.fixed != Settings{}) {
    return invalid("--gogc and --gomemlimit are for --strategy Fixed");
  }
  return plan;
}

int simulate_all(const SimulateOptions& options, simulate::Plan plan) {
  std::vector<ScoredRun> runs;
  const bool progress = isatty(STDERR_FILENO) == 1;
  bool killed = false;
  for (const std::string& name : simulate::trace_names()) {
    for (std::uint64_t i = 0; i < options.seeds; ++i) {
      SimulateOptions one = options;
      one.trace = name;
      one.seed = plan.seed = options.seed + i;
      const Result<simulate::Trace> trace = find_trace(one);
      if (!trace) return give_up(trace.error().message);
      if (progress) std::cerr << "\r" << name << ", seed " << one.seed << "\033[K" << std::flush;
      runs.push_back({name, one.seed, simulate::score(*trace, plan)});
      // Nobody reads them, and they are most of the memory.
      for (simulate::Outcome* const outcome : {&runs.back().score.run, &runs.back().score.untouched}) {
        outcome->minutes = {};
      }
      if (runs.back().score.oracle) runs.back().score.oracle->outcome.minutes = {};
      killed = killed || runs.back().score.run.ooms > 0;
    }
  }
  if (progress) std::cerr << "\r\033[K";
  std::cout << (options.output == "json" ? summary_json(runs) : summary_text(runs));
  return static_cast<int>(killed ? SimulateExit::kKilled : SimulateExit::kFine);
}

/// An option that takes the names of a table, in small letters as well, and lists them in its help. CLI11's own way
/// from names to an enumeration lists, and takes, the numbers behind them, too.
template <typename Value, std::size_t N>
void add_choice(CLI::App& app, const std::string& option, Value& value,
                const std::array<std::pair<const char*, Value>, N>& names, const std::string& help) {
  std::vector<std::string> words;
  for (const auto& [word, named] : names) words.emplace_back(word);
  app.add_option_function<std::string>(
         option,
         [&value, &names](const std::string& word) {
           for (const auto& [name, named] : names) {
             if (word == name) value = named;
           }
         },
         help)
      ->transform(CLI::IsMember(words, CLI::ignore_case))
      ->default_str(to_string(value));
}

}  // namespace

void describe_simulate(CLI::App& app, SimulateOptions& options) {
  app.add_option("FILE", options.file, "Trace as JSON; docs/simulate.md has the schema");
  app.add_option("--trace", options.trace, "A made-up trace: " + CLI::detail::join(simulate::trace_names(), ", "));
  CLI::Option* const all = app.add_flag("--all", options.all, "All made-up traces, and a summary");
  app.add_option("--seed", options.seed, "What chance decides in a made-up trace and in readings")
      ->capture_default_str();
  app.add_option("--seeds", options.seeds, "So many seeds, from --seed on")
      ->needs(all)
      ->check(CLI::Range(std::uint64_t{1}, kMostSeeds))
      ->capture_default_str();
  add_choice(app, "--objective", options.objective, kObjectiveNames, "What to weigh");
  add_choice(app, "--strategy", options.strategy, kStrategyNames, "What computes the settings");
  app.add_option("--min-gogc", options.bounds.min_gogc, "Lowest GOGC that may be set")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--max-gogc", options.bounds.max_gogc, "Highest GOGC that may be set")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--gogc", options.gogc, "GOGC of strategy Fixed");
  app.add_option("--gomemlimit", options.go_mem_limit, "GOMEMLIMIT of strategy Fixed: 400MiB");
  app.add_option("--procs", options.procs, "GOMAXPROCS and CPU limit instead of the trace's")
      ->check(CLI::Range(1, 256));
  app.add_option("--limit", options.limit, "The container's memory limit instead of the trace's: 512Mi");
  app.add_option("--cool-down", options.cool_down, "Time from one trial to the next")->capture_default_str();
  app.add_flag("--write", options.write, "Print the trace as JSON instead of simulating it");
  app.add_option("-o,--output", options.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

int run_simulate(const SimulateOptions& options) {
  const int wanted = (options.file.empty() ? 0 : 1) + (options.trace.empty() ? 0 : 1) + (options.all ? 1 : 0);
  if (wanted != 1) return give_up("say what to simulate: a FILE, --trace NAME or --all; just one of them");
  const Result<simulate::Plan> plan = plan_of(options);
  if (!plan) return give_up(plan.error().message);
  if (options.all) return options.write ? give_up("--write goes with one trace") : simulate_all(options, *plan);
  const Result<simulate::Trace> trace = find_trace(options);
  if (!trace) return give_up(trace.error().message);
  if (options.write) {
    std::cout << codec::encode_trace(*trace);
    return static_cast<int>(SimulateExit::kFine);
  }
  const simulate::Score score = simulate::score(*trace, *plan);
  std::cout << (options.output == "json" ? simulation_json(*trace, *plan, score)
                                         : simulation_text(*trace, *plan, score));
  return static_cast<int>(score.run.ooms > 0 ? SimulateExit::kKilled : SimulateExit::kFine);
}

}  // namespace gopacer
