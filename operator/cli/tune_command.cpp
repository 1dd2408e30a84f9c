#include "cli/tune_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <ostream>
#include <system_error>
#include <thread>

#include "cli/local_process.h"
#include "cli/memory_sampling.h"
#include "gopacer/base/clock.h"
#include "gopacer/decide/decision.h"
#include "runtime_memory/go_runtime.h"
#include "runtime_memory/sample_of.h"

namespace gopacer {
namespace {

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
  std::string identity;  ///< of the program: another one of this process or number has another
  Settings settings;
};

/// Owns a descriptor.
class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// One that only this user can have written: what it says is put into a process.
Result<std::string> private_text(const std::string& path) {
  const File file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0)
    return invalid(path + " can't be read: " + std::generic_category().message(errno));
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return invalid(path + " is no file of this user that nobody else may write");
  }
  std::string text(kMostUndoBytes, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, size)));
  return text;
}

Result<Undo> read_undo(const std::string& path) {
  const auto text = private_text(path);
  if (!text) return tl::unexpected(text.error());
  const auto bad = invalid(path + " is no undo file of gopacer tune");
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("pid") || !json["pid"].is_number_unsigned()) return bad;
  for (const char* member : {"identity", "gogc", "goMemLimit"}) {
    if (!json.contains(member) || !json[member].is_string()) return bad;
  }
  const auto pid = json["pid"].get<std::uint64_t>();
  if (pid == 0 || pid > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) return bad;
  const auto settings = settings_of({json["gogc"].get<std::string>(), json["goMemLimit"].get<std::string>()});
  if (!settings) return invalid(path + ": " + settings.error().message);
  return Undo{static_cast<int>(pid), json["identity"].get<std::string>(), *settings};
}

/// Before anything is changed. One that is there of the same program has what it had at first, and stays.
Result<void> keep_undo(const std::string& path, const Undo& undo) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    const auto there = read_undo(path);
    if (!there) return invalid(there.error().message + "; nothing was changed. Give another --undo-file");
    if (there->identity == undo.identity) return {};
    const auto other = GoRuntime::open(there->pid);
    if (other && other->identity() == there->identity) {
      return invalid(path + " has what process " + std::to_string(there->pid) +
                     " had, which still runs; nothing was changed. Undo that first, or give another --undo-file");
    }
    ::unlink(path.c_str());
  }
  const EnvText settings = told(undo.settings);
  const Json json{
      {"pid", undo.pid}, {"identity", undo.identity}, {"gogc", *settings.gogc}, {"goMemLimit", *settings.go_mem_limit}};
  const std::string text = json.dump() + "\n";
  const File file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (file.get() < 0 || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return invalid(path + " can't be written: " + std::generic_category().message(errno) +
                   "; nothing was changed. Give another --undo-file");
  }
  return {};
}

Result<Settings> wanted(const TuneOptions& options, const Settings& now) {
  EnvText text = told(now);
  if (!options.gogc.empty()) text.gogc = options.gogc;
  if (!options.mem_limit.empty()) text.go_mem_limit = options.mem_limit;
  auto settings = settings_of(text);
  if (!settings) return invalid("--gogc, --mem-limit: " + settings.error().message);
  return settings;
}

/// How to read for --auto.
Result<LiveSampling> sampling_of(const TuneOptions& options) {
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
  return sampling;
}

/// What the operator would set, after reading for a while. The program's present settings where they should stay; an
/// error where they should not and nothing can be set. `why`: what to tell of it.
Result<Settings> computed(const TuneOptions& options, const LiveSampling& sampling, const GoRuntime& runtime,
                          std::string& why) {
  const SystemClock clock;
  auto subject = observe_memory(options.pid, runtime, clock, sampling, {});
  if (!subject) return tl::unexpected(subject.error());
  DecideInput input;
  for (const auto& [name, value] : kObjectiveNames) {
    if (options.objective == name) input.spec.objective = value;
  }
  input.spec.memory_price = options.memory_price;
  input.spec.bounds = options.bounds;
  input.spec.metrics.interval = kReadingInterval;
  input.spec.canary.warm_up = Duration(0);
  input.spec.apply = ApplyMode::kLive;
  input.no_trial_follows = true;
  const auto state = runtime.read();
  if (!state) return tl::unexpected(state.error());
  input.current = state->settings();
  subject->observed.pods.front().settings = input.current;
  input.observed = std::move(subject->observed);
  const Decision decision = decide(input, input.observed.at);
  why = decision.message;
  const bool hopeless = decision.kind == Decision::Kind::kNoData || decision.kind == Decision::Kind::kRefuse;
  if (hopeless || (decision.needs_memory && decision.kind != Decision::Kind::kChange)) return invalid(decision.message);
  if (decision.kind != Decision::Kind::kChange) return input.current;
  return decision.destination ? decision.destination->settings : decision.settings;
}

bool grows_without_bound(const GcState& state) { return state.gc_percent < 0 && state.memory_limit == kNoMemoryLimit; }

/// Of the next collection: a larger GOGC counts from the end of that one on.
Bytes next_goal(const GcState& state) {
  const Bytes by_percent(static_cast<std::int64_t>(std::min<std::uint64_t>(state.gc_percent_heap_goal, INT64_MAX)));
  return std::min(by_percent, heap_goal(state));
}

Json to_json(const GcState& state) {
  const EnvText settings = told(state.settings());
  return {{"gogc", *settings.gogc},
          {"goMemLimit", *settings.go_mem_limit},
          {"heapLiveBytes", state.heap_live},
          {"heapMarkedBytes", state.heap_marked},
          {"heapGoalBytes", grows_without_bound(state) ? Json() : Json(next_goal(state).count())},
          {"mappedBytes", state.mapped_ready}};
}

std::string to_text(const GcState& state) {
  const EnvText settings = told(state.settings());
  return "GOGC=" + *settings.gogc + " GOMEMLIMIT=" + *settings.go_mem_limit + ", " +
         format_bytes(Bytes::of(static_cast<double>(state.heap_marked))) + " live after the last collection" +
         (grows_without_bound(state) ? "" : ", the next one ends by " + format_bytes(next_goal(state)));
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
  std::string why;                    ///< of --auto; empty: a person gave the settings
  std::optional<Settings> would_set;  ///< in a dry run
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
    if (!report.why.empty()) json["message"] = report.why;
    if (report.would_set) {
      const EnvText settings = told(*report.would_set);
      json["wouldSet"] = {{"gogc", *settings.gogc}, {"goMemLimit", *settings.go_mem_limit}};
    }
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

/// Until the heap goes by the settings, or time is up. Renews `report.after`. The error says what came between.
Result<void> await_effect(const GoRuntime& runtime, Report& report, steady_clock::time_point since) {
  const Settings set = report.after->settings();
  while (true) {
    const auto now = steady_clock::now();
    if (in_force(*report.after)) {
      report.effect_milliseconds = std::chrono::duration<double, std::milli>(now - since).count();
      return {};
    }
    if (now - since > kPatience) return {};
    std::this_thread::sleep_for(milliseconds(1));
    const auto read = runtime.read();
    if (!read) return tl::unexpected(read.error());
    report.after = *read;
    if (read->settings() != set) {
      return fail(ErrorKind::kConflict, report.process + " has set its own since: " + describe(read->settings()));
    }
  }
}

/// Without GOGC a heap grows to its limit: one beyond what the process may have would end in the kernel's hands.
std::string beyond_its_group(int pid, const Settings& settings) {
  if (!settings.gogc || !settings.gogc->is_off() || !settings.go_mem_limit) return "";
  const auto process = LocalProcess::open(pid, {"", "process"}, {}, SystemClock());
  const auto most = process ? process->memory_limit() : std::nullopt;
  if (!most || *settings.go_mem_limit < *most) return "";
  return "GOGC=off with GOMEMLIMIT=" + format_go_size(*settings.go_mem_limit) +
         " lets the heap grow beyond the memory of its control group, " + format_bytes(*most);
}

/// What was refused changed nothing; where somebody else came between, something may be half done.
TuneExit exit_of(const Error& error) {
  return error.kind == ErrorKind::kConflict ? TuneExit::kFailed : TuneExit::kRefused;
}

TuneExit give_up(std::ostream& err, TuneExit status, const std::string& message) {
  err << "gopacer tune: " << message << "\n";
  return status;
}

}  // namespace

void describe_tune(CLI::App& app, TuneOptions& options) {
  std::vector<std::string> objectives;
  for (const auto& [name, value] : kObjectiveNames) objectives.emplace_back(name);
  app.add_option("--pid", options.pid, "The process; it has to run on this machine")->check(CLI::Range(1, kMostPid));
  app.add_option("--gogc", options.gogc, "GOGC to set: a percentage, or off; default: as it is");
  app.add_option("--mem-limit", options.mem_limit, "GOMEMLIMIT to set: 400MiB, or off; default: as it is");
  app.add_flag("--auto", options.automatic, "Read the process for a while, and set what advise --pid would recommend");
  app.add_option("--for", options.duration, "How long to read with --auto: 20s to 10m")->capture_default_str();
  app.add_option("--limit", options.limit, "Memory limit that --auto goes by: 512Mi; default: its control group's");
  app.add_option("--objective", options.objective, "What --auto weighs")
      ->check(CLI::IsMember(objectives))
      ->capture_default_str();
  app.add_option("--memory-price", options.memory_price, "What a GiB of memory costs --auto, in cores")
      ->check(CLI::Range(kLeastMemoryPrice, kMostMemoryPrice))
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
  } else if (!options.automatic && !options.limit.empty()) {
    return give_up(err, TuneExit::kUsage,
                   "--limit is what --auto goes by; to set GOMEMLIMIT give --mem-limit, as 400MiB");
  } else if (options.automatic && (!options.gogc.empty() || !options.mem_limit.empty())) {
    return give_up(err, TuneExit::kUsage, "--auto computes both settings: leave out --gogc and --mem-limit");
  }
  const auto sampling = sampling_of(options);
  if (!sampling) return give_up(err, TuneExit::kUsage, sampling.error().message);
  const int pid = undo ? undo->pid : options.pid;
  auto runtime = GoRuntime::open(pid);
  if (!runtime) return give_up(err, TuneExit::kRefused, runtime.error().message);
  if (undo && undo->identity != runtime->identity()) {
    return give_up(err, TuneExit::kRefused,
                   "process " + std::to_string(pid) + " does not run the program that " + options.undo +
                       " is of any more; nothing was changed");
  }
  std::optional<Settings> settings;
  if (undo) settings = undo->settings;
  std::string why_so;
  if (options.automatic) {
    const auto decided = computed(options, *sampling, *runtime, why_so);
    if (!decided) return give_up(err, exit_of(decided.error()), decided.error().message);
    if (options.output == "text") out << why_so << "\n";
    settings = *decided;
  }
  // After the reading, in which the program may have set its own.
  const auto now = runtime->read();
  if (!now) return give_up(err, TuneExit::kRefused, now.error().message);
  if (!settings) {
    const auto given = wanted(options, now->settings());
    if (!given) return give_up(err, TuneExit::kUsage, given.error().message);
    settings = *given;
  }

  Report report;
  report.process = "process " + std::to_string(pid);
  report.go_version = runtime->go_version();
  report.locators = runtime->locators();
  report.before = *now;
  report.why = why_so;
  const bool changes = told(*settings) != told(now->settings());
  if (changes && !undo) {
    std::string why = unsafe(*now, *settings);
    if (why.empty()) why = beyond_its_group(pid, *settings);
    if (!why.empty()) return give_up(err, TuneExit::kRefused, report.process + ": " + why);
  }
  if (changes && !options.dry_run) {
    if (!undo) {
      report.undo_file =
          options.undo_file.empty() ? "gopacer-" + std::to_string(pid) + ".undo.json" : options.undo_file;
      const auto kept = keep_undo(report.undo_file, {pid, runtime->identity(), now->settings()});
      if (!kept) return give_up(err, TuneExit::kUsage, kept.error().message);
    }
    const auto since = steady_clock::now();
    const auto receipt = undo ? runtime->put_back(*settings) : runtime->write(*settings);
    if (!receipt) return give_up(err, exit_of(receipt.error()), receipt.error().message);
    report.before = receipt->before;
    report.after = receipt->after;
    if (const auto effect = await_effect(*runtime, report, since); !effect) {
      return give_up(err, TuneExit::kFailed, effect.error().message);
    }
  }
  if (undo && !options.dry_run && ::unlink(options.undo.c_str()) != 0) {
    err << "gopacer tune: " << options.undo << " can't be removed: " << std::generic_category().message(errno) << "\n";
  }
  if (changes && options.dry_run) report.would_set = *settings;
  print(report, options.output, out);
  if (!changes && options.output == "text") out << "nothing to change\n";
  if (changes && options.dry_run && options.output == "text") {
    out << "would be set: GOGC=" << *told(*settings).gogc << " GOMEMLIMIT=" << *told(*settings).go_mem_limit << "\n";
  }
  return TuneExit::kDone;
}

}  // namespace gopacer
