#include "cli/tune_command.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "cli/memory_sampling.h"
#include "gopacer/base/clock.h"
#include "gopacer/decide/decision.h"
#include "runtime_memory/go_runtime.h"

namespace gopacer {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// For a collection that ends, so that a larger heap is in force. A program that does not allocate has none.
constexpr milliseconds kPatience = std::chrono::seconds(10);
constexpr std::size_t kMostUndoBytes = 4096;
constexpr Duration kReadingInterval = std::chrono::seconds(1);
constexpr Duration kShortestReading = std::chrono::seconds(20);
constexpr Duration kLongestReading = std::chrono::minutes(10);

/// As the environment would have it, with each variable told: an unset one is Go's default.
EnvText told(const Settings& settings) {
  EnvText text = to_env(settings);
  if (!text.gogc) text.gogc = std::to_string(Gogc::kDefaultPercent);
  if (!text.go_mem_limit) text.go_mem_limit = "off";
  return text;
}

/// The other way round.
Result<Settings> settings_of(EnvText text) {
  if (text.go_mem_limit == "off") text.go_mem_limit.reset();
  return parse_settings(text);
}

/// What puts the settings back that a process had before.
struct Undo {
  int pid = 0;
  std::uint64_t start =
      0;  ///< of the process, in ticks since the machine's: another process of this number has another
  Settings settings;
};

Result<Undo> read_undo(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return invalid(file.string() + " can't be read");
  std::string text(kMostUndoBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  const auto bad = invalid(file.string() + " is no undo file of gopacer tune");
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return bad;
  for (const char* number : {"pid", "start"}) {
    if (!json.contains(number) || !json[number].is_number_unsigned()) return bad;
  }
  for (const char* setting : {"gogc", "goMemLimit"}) {
    if (!json.contains(setting) || !json[setting].is_string()) return bad;
  }
  const auto settings = settings_of({json["gogc"].get<std::string>(), json["goMemLimit"].get<std::string>()});
  if (!settings) return invalid(file.string() + ": " + settings.error().message);
  return Undo{json["pid"].get<int>(), json["start"].get<std::uint64_t>(), *settings};
}

/// Before anything is changed. One that is there of the same process has what it had at first, and stays.
Result<void> keep_undo(const fs::path& file, const Undo& undo) {
  if (fs::exists(file)) {
    const auto there = read_undo(file);
    if (!there) return tl::unexpected(there.error());
    if (there->pid == undo.pid && there->start == undo.start) return {};
  }
  const EnvText settings = told(undo.settings);
  const Json json{
      {"pid", undo.pid}, {"start", undo.start}, {"gogc", *settings.gogc}, {"goMemLimit", *settings.go_mem_limit}};
  std::ofstream out(file, std::ios::binary);
  out << json.dump() << "\n" << std::flush;
  if (!out) return invalid(file.string() + " can't be written; nothing was changed. Give another --undo-file");
  return {};
}

Result<Settings> wanted(const TuneOptions& options, const Settings& now) {
  EnvText text = told(now);
  if (!options.gogc.empty()) text.gogc = options.gogc;
  if (!options.mem_limit.empty()) text.go_mem_limit = options.mem_limit;
  const auto settings = settings_of(text);
  if (!settings) return invalid("--gogc, --mem-limit: " + settings.error().message);
  return settings;
}

/// What the operator would set, after reading for a while. The program's present settings where they should stay.
Result<Settings> computed(const TuneOptions& options, const GoRuntime& runtime, std::ostream& out) {
  const Result<Duration> duration = parse_duration(options.duration);
  if (!duration) return invalid("--for: " + duration.error().message);
  if (*duration < kShortestReading || *duration > kLongestReading) {
    return invalid("--for has to be from " + format_duration(kShortestReading) + " to " +
                   format_duration(kLongestReading));
  }
  LiveSampling sampling;
  if (!options.limit.empty()) {
    const Result<Bytes> limit = parse_quantity(options.limit);
    if (!limit) return invalid("--limit: " + limit.error().message);
    sampling.target.memory_limit = *limit;
  }
  sampling.duration = *duration;
  sampling.plan.interval = kReadingInterval;
  const SystemClock clock;
  auto subject = observe_memory(options.pid, runtime, clock, sampling, {});
  if (!subject) return tl::unexpected(subject.error());
  DecideInput input;
  for (const auto& [name, value] : kObjectiveNames) {
    if (options.objective == name) input.spec.objective = value;
  }
  input.spec.bounds = options.bounds;
  input.spec.metrics.interval = kReadingInterval;
  input.spec.canary.warm_up = Duration(0);
  const auto state = runtime.read();
  if (!state) return tl::unexpected(state.error());
  input.current = state->settings();
  subject->observed.pods.front().settings = input.current;
  // Go's default and a variable that has its value are the same to a process that runs.
  input.observed = std::move(subject->observed);
  const Decision decision = decide(input, input.observed.at);
  if (options.output == "text") out << decision.message << "\n";
  if (decision.kind == Decision::Kind::kNoData) return invalid(decision.message);
  return decision.kind == Decision::Kind::kChange ? decision.settings : input.current;
}

Json to_json(const GcState& state) {
  const EnvText settings = told(state.settings());
  return {{"gogc", *settings.gogc},
          {"goMemLimit", *settings.go_mem_limit},
          {"heapLiveBytes", state.heap_live},
          {"heapMarkedBytes", state.heap_marked},
          {"heapGoalBytes",
           heap_goal_of(state, state.gc_percent) == UINT64_MAX ? Json() : Json(state.gc_percent_heap_goal)},
          {"mappedBytes", state.mapped_ready}};
}

std::string to_text(const GcState& state) {
  const EnvText settings = told(state.settings());
  return "GOGC=" + *settings.gogc + " GOMEMLIMIT=" + *settings.go_mem_limit + ", " +
         format_bytes(Bytes::of(static_cast<double>(state.heap_marked))) + " live after the last collection" +
         (state.gc_percent < 0
              ? ""
              : ", the next one ends by " + format_bytes(Bytes::of(static_cast<double>(state.gc_percent_heap_goal))));
}

/// What became of it, for people and for programs.
struct Report {
  std::string process;
  std::string go_version;
  std::vector<std::string> locators;
  GcState before;
  std::optional<GcState> after;  ///< none: nothing was changed
  /// Until the heap went by the new settings; none: it did not in time.
  std::optional<double> effect_milliseconds;
  std::string undo_file;
};

void print(const Report& report, const std::string& output, std::ostream& out) {
  if (output == "json") {
    Json json{{"process", report.process},
              {"goVersion", report.go_version},
              {"locators", report.locators},
              {"before", to_json(report.before)}};
    if (report.after) json["after"] = to_json(*report.after);
    if (report.effect_milliseconds) json["effectMilliseconds"] = *report.effect_milliseconds;
    if (!report.undo_file.empty()) json["undoFile"] = report.undo_file;
    out << json.dump(2) << "\n";
    return;
  }
  out << report.process << ", " << report.go_version << ", found by ";
  for (std::size_t i = 0; i < report.locators.size(); ++i) {
    out << (i == 0 ? "" : i + 1 == report.locators.size() ? " and " : ", ") << report.locators[i];
  }
  out << "\n" << (report.after ? "before: " : "now: ") << to_text(report.before) << "\n";
  if (!report.after) return;
  out << "after:  " << to_text(*report.after) << "\n";
  if (report.effect_milliseconds) {
    out << "in force after " << format_fixed(*report.effect_milliseconds, 1) << " ms\n";
  } else {
    out << "in force with the next collection; there was none in " << kPatience.count() / 1000 << " s\n";
  }
  if (!report.undo_file.empty()) out << "to put it back: gopacer tune --undo " << report.undo_file << "\n";
}

/// Until the heap goes by the settings, or time is up. Renews `state`.
std::optional<double> await_effect(const GoRuntime& runtime, GcState& state, steady_clock::time_point since) {
  while (true) {
    const auto now = steady_clock::now();
    if (in_force(state)) return std::chrono::duration<double, std::milli>(now - since).count();
    if (now - since > kPatience) return std::nullopt;
    std::this_thread::sleep_for(milliseconds(1));
    const auto read = runtime.read();
    if (!read) return std::nullopt;
    state = *read;
  }
}

TuneExit give_up(std::ostream& err, TuneExit status, const std::string& message) {
  err << "gopacer tune: " << message << "\n";
  return status;
}

}  // namespace

void describe_tune(CLI::App& app, TuneOptions& options) {
  std::vector<std::string> objectives;
  for (const auto& [name, value] : kObjectiveNames) objectives.emplace_back(name);
  app.add_option("--pid", options.pid, "The process; it has to run on this machine")->check(CLI::PositiveNumber);
  app.add_option("--gogc", options.gogc, "GOGC to set: a percentage, or off; default: as it is");
  app.add_option("--mem-limit", options.mem_limit, "GOMEMLIMIT to set: 400MiB, or off; default: as it is");
  app.add_flag("--auto", options.automatic, "Read the process for a while, and set what advise --pid would recommend");
  app.add_option("--for", options.duration, "How long to read with --auto: 20s to 10m")->capture_default_str();
  app.add_option("--limit", options.limit, "Memory limit that --auto goes by: 512Mi; default: its control group's");
  app.add_option("--objective", options.objective, "What --auto weighs")
      ->check(CLI::IsMember(objectives))
      ->capture_default_str();
  app.add_option("--min-gogc", options.bounds.min_gogc, "Lowest GOGC that --auto may set")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--max-gogc", options.bounds.max_gogc, "Highest GOGC that --auto may set")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--undo-file", options.undo_file, "Where to keep what was in force; default: gopacer-PID.undo.json");
  app.add_option("--undo", options.undo, "Put back what this file has, in place of --pid; removes the file");
  app.add_flag("--dry-run", options.dry_run, "Change nothing");
  app.add_option("-o,--output", options.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

TuneExit run_tune(const TuneOptions& options, std::ostream& out, std::ostream& err) {
  std::optional<Undo> undo;
  if (!options.undo.empty()) {
    if (options.pid != 0 || options.automatic || !options.gogc.empty() || !options.mem_limit.empty()) {
      return give_up(err, TuneExit::kUsage,
                     "--undo takes all that it needs from the file: leave out --pid, --auto, --gogc and --mem-limit");
    }
    const auto read = read_undo(options.undo);
    if (!read) return give_up(err, TuneExit::kUsage, read.error().message);
    undo = *read;
  } else if (options.pid == 0) {
    return give_up(err, TuneExit::kUsage, "nothing to tune: give --pid, or --undo");
  } else if (options.automatic && (!options.gogc.empty() || !options.mem_limit.empty())) {
    return give_up(err, TuneExit::kUsage, "--auto computes both settings: leave out --gogc and --mem-limit");
  }
  const int pid = undo ? undo->pid : options.pid;
  auto runtime = GoRuntime::open(pid);
  if (!runtime) return give_up(err, TuneExit::kRefused, runtime.error().message);
  if (undo && undo->start != runtime->start()) {
    return give_up(err, TuneExit::kRefused,
                   "process " + std::to_string(pid) + " is not the one that " + options.undo +
                       " is of, which has ended; nothing was changed");
  }
  const auto now = runtime->read();
  if (!now) return give_up(err, TuneExit::kRefused, now.error().message);
  const auto settings = undo                ? Result<Settings>(undo->settings)
                        : options.automatic ? computed(options, *runtime, out)
                                            : wanted(options, now->settings());
  if (!settings) return give_up(err, TuneExit::kUsage, settings.error().message);

  Report report{"process " + std::to_string(pid), runtime->go_version(), runtime->locators(), *now, {}, {}, {}};
  const bool changes = told(*settings) != told(now->settings());
  if (changes) {
    if (const std::string why = unsafe(*now, *settings); !why.empty()) {
      return give_up(err, TuneExit::kRefused, report.process + ": " + why);
    }
  }
  if (changes && !options.dry_run) {
    if (!undo) {
      report.undo_file =
          options.undo_file.empty() ? "gopacer-" + std::to_string(pid) + ".undo.json" : options.undo_file;
      const auto kept = keep_undo(report.undo_file, {pid, runtime->start(), now->settings()});
      if (!kept) return give_up(err, TuneExit::kUsage, kept.error().message);
    }
    const auto since = steady_clock::now();
    const auto receipt = runtime->write(*settings);
    if (!receipt) return give_up(err, TuneExit::kFailed, receipt.error().message);
    report.before = receipt->before;
    report.after = receipt->after;
    report.effect_milliseconds = await_effect(*runtime, *report.after, since);
  }
  if (undo && !options.dry_run) fs::remove(options.undo);
  print(report, options.output, out);
  if (!changes && options.output == "text") out << "nothing to change\n";
  if (changes && options.dry_run && options.output == "text") {
    out << "would be set: GOGC=" << *told(*settings).gogc << " GOMEMLIMIT=" << *told(*settings).go_mem_limit << "\n";
  }
  return TuneExit::kDone;
}

}  // namespace gopacer
