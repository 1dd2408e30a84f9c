#include "cli/advise_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

#include "cli/advice.h"
#include "cli/live_sampling.h"
#include "cli/local_process.h"
#include "cli/memory_sampling.h"
#include "cli/page_url.h"
#include "cli/recording.h"
#include "decide/guards.h"
#include "net/fetcher.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

constexpr Duration kShortestDuration = seconds(20);
constexpr Duration kLongestDuration = std::chrono::minutes(10);
constexpr Duration kLongestInterval = seconds(15);
constexpr const char* kLatencySlo = "latency";

/// The options, read and checked.
struct Request {
  HttpUrl url;
  std::optional<HttpUrl> metrics;
  std::optional<Bytes> limit;
  std::optional<double> cpu_limit;
  std::optional<Bytes> memory_request;
  Duration duration{0};
  Duration interval{0};
  std::optional<Settings> current;
};

template <typename Value, typename Parse>
Result<std::optional<Value>> optional_of(const char* option, const std::string& text, const Parse& parse) {
  if (text.empty()) return std::optional<Value>();
  Result<Value> value = parse(text);
  if (!value) return invalid(std::string(option) + ": " + value.error().message);
  return std::optional<Value>(*value);
}

Result<void> check_bounds(const Bounds& bounds) {
  if (bounds.min_gogc > bounds.max_gogc) {
    return invalid("--min-gogc " + std::to_string(bounds.min_gogc) + " is above --max-gogc " +
                   std::to_string(bounds.max_gogc) + ": nothing lies between them");
  }
  return {};
}

/// As the API server wants names of Deployments and profiles: a DNS subdomain.
bool is_object_name(const std::string& name) {
  constexpr std::size_t kLongestName = 253;
  if (name.empty() || name.size() > kLongestName) return false;
  bool within_part = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool ends_part = i + 1 == name.size() || name[i + 1] == '.';
    const bool allowed = plain || (within_part && !ends_part && c == '-') || (within_part && c == '.');
    if (!allowed) return false;
    within_part = c != '.';
  }
  return within_part;
}

Result<void> read_places(const AdviseOptions& options, Request& request) {
  if (!options.samples.empty()) {
    const bool live =
        !options.url.empty() || !options.metrics_url.empty() || options.pid != 0 || !options.record.empty();
    if (live)
      return invalid("--samples takes the place of a process: leave out --url, --metrics-url, --pid and --record");
    return {};
  }
  if (options.url.empty() && options.pid != 0) {
    if (options.metrics_url.empty() && options.record.empty() && options.latency_metric.empty()) return {};
    return invalid(
        "--metrics-url, --latency-metric and --record need --url: the process's memory tells of no requests");
  }
  if (!options.latency_metric.empty() && !is_metric_name(options.latency_metric)) {
    return invalid("--latency-metric '" + options.latency_metric +
                   "' can be no metric's name: http_request_duration_seconds");
  }
  if (options.url.empty()) return invalid("nothing to read: give --url, --pid, or --samples");
  auto url = parse_page_url("--url", options.url);
  if (!url) return tl::unexpected(url.error());
  request.url = std::move(*url);
  if (request.url.path.empty()) request.url.path = MetricsEndpoint().path;
  if (!options.metrics_url.empty()) {
    auto metrics = parse_page_url("--metrics-url", options.metrics_url);
    if (!metrics) return tl::unexpected(metrics.error());
    if (metrics->host != request.url.host) {
      return invalid("--metrics-url is of another host than --url: both have to be of the same process");
    }
    if (metrics->path.empty()) metrics->path = Slo().path;
    request.metrics = std::move(*metrics);
  } else if (!options.latency_metric.empty()) {
    return invalid("--latency-metric needs --metrics-url: the page that has the histogram");
  }
  return {};
}

Result<Request> read_options(const AdviseOptions& options) {
  Request request;
  if (const auto checked = check_bounds(options.bounds); !checked) return tl::unexpected(checked.error());
  if (!is_object_name(options.name)) {
    return invalid("--name '" + options.name +
                   "' can be no Deployment's: names are of small letters, digits, '-' and '.', each part between dots "
                   "begins and ends with a letter or a digit, and all has 253 characters at most: my-service");
  }
  if (const auto places = read_places(options, request); !places) return tl::unexpected(places.error());
  const auto limit = optional_of<Bytes>("--limit", options.limit, parse_quantity);
  if (!limit) return tl::unexpected(limit.error());
  request.limit = *limit;
  if (request.limit && *request.limit <= Bytes(0)) return invalid("--limit has to be above 0");
  const auto memory = optional_of<Bytes>("--memory-request", options.memory_request, parse_quantity);
  if (!memory) return tl::unexpected(memory.error());
  request.memory_request = *memory;
  const auto cpu = optional_of<double>("--cpu-limit", options.cpu_limit, parse_cpu_quantity);
  if (!cpu) return tl::unexpected(cpu.error());
  request.cpu_limit = *cpu;

  const Result<Duration> duration = parse_duration(options.duration);
  if (!duration) return invalid("--for: " + duration.error().message);
  if (*duration < kShortestDuration || *duration > kLongestDuration) {
    return invalid("--for has to be from " + format_duration(kShortestDuration) + " to " +
                   format_duration(kLongestDuration));
  }
  request.duration = *duration;
  request.interval =
      std::clamp<Duration>(std::chrono::floor<seconds>(*duration / 12), kShortestInterval, kLongestInterval);
  const auto interval = optional_of<Duration>("--interval", options.interval, parse_duration);
  if (!interval) return tl::unexpected(interval.error());
  if (*interval) {
    if (**interval < kShortestInterval || 5 * **interval > *duration) {
      return invalid("--interval has to be from " + format_duration(kShortestInterval) + " to a fifth of --for");
    }
    request.interval = **interval;
  }

  EnvText env;
  if (!options.current_gogc.empty()) env.gogc = options.current_gogc;
  if (!options.current_go_mem_limit.empty()) env.go_mem_limit = options.current_go_mem_limit;
  if (env.gogc || env.go_mem_limit) {
    const Result<Settings> current = parse_settings(env);
    if (!current) return invalid("--current-gogc, --current-gomemlimit: " + current.error().message);
    request.current = *current;
  }
  return request;
}

/// The value of a name of a table; the command line was checked already.
template <typename Names>
auto named(const Names& names, const std::string& name) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& entry) { return name == entry.first; });
  return found == names.end() ? names.front().second : found->second;
}

ProfileSpec spec_of(const AdviseOptions& options, const Request& request) {
  ProfileSpec spec;
  spec.target = options.name;
  spec.objective = named(kObjectiveNames, options.objective);
  spec.memory_price = options.memory_price;
  spec.strategy = named(kStrategyNames, options.strategy);
  spec.bounds = options.bounds;
  spec.metrics = {request.url.port, request.url.path, request.interval};
  // The process has run before; what it was doing then is a person's business.
  spec.canary.warm_up = Duration(0);
  if (!options.latency_metric.empty()) {
    Slo slo;
    slo.name = kLatencySlo;
    if (request.metrics) {
      slo.port = request.metrics->port;
      slo.path = request.metrics->path;
    }
    slo.histogram().metric = options.latency_metric;
    spec.slos.push_back(slo);
  }
  return spec;
}

/// What was read, and what is known besides.
struct Subject {
  std::string name;
  Observation observed;
  std::optional<EnvText> environment;  ///< the two variables, where they could be read
  std::string go_version;              ///< of the executable; empty: unknown
  std::string note;                    ///< what went wrong on the way; empty: nothing
};

/// What is in force, and how that is known.
Result<void> find_current(const Request& request, const Subject& subject, Advice& advice) {
  PodSeries& series = advice.input.observed.pods.front();
  const ProcessMetrics* process = nullptr;
  for (const Sample& sample : series.samples) {
    if (sample.process) process = &*sample.process;
  }
  Settings& current = advice.input.current;
  if (request.current) {
    current = *request.current;
    advice.settings_source = "as given";
  } else if (process != nullptr && process->gogc) {
    current = {process->gogc, process->go_mem_limit};
    advice.settings_source = "as the process says";
  } else if (subject.environment) {
    const Result<Settings> parsed = parse_settings(*subject.environment);
    if (!parsed) return invalid("the process's environment: " + parsed.error().message);
    current = *parsed;
    advice.settings_source = "from its environment";
  } else {
    advice.settings_source = "assumed";
    advice.notes.push_back(
        "GOGC and GOMEMLIMIT of the process are not known, so Go's defaults are assumed. A metrics page with "
        "go_gc_gogc_percent tells them (--metrics-url), or --pid, or --current-gogc and --current-gomemlimit.");
  }
  series.settings = current;
  return {};
}

/// For how long the process had run when it was read last; none where nothing tells when it began.
std::optional<Duration> age_of(const PodSeries& series) {
  if (series.samples.empty()) return std::nullopt;
  const Sample& last = series.samples.back();
  const Time began = last.process && last.process->started ? *last.process->started : series.started;
  return began == Time{} || last.at < began ? std::nullopt : std::optional(last.at - began);
}

/// What a person should know of the answer besides.
void add_notes(const Request& request, Advice& advice) {
  const PodSeries& series = advice.input.observed.pods.front();
  advice.notes.insert(advice.notes.end(), series.notes.begin(), series.notes.end());
  if (!advice.decision.estimate) return;
  const Estimate& estimate = *advice.decision.estimate;
  if (!estimate.container_limit) {
    advice.notes.push_back(
        "No memory limit is known, so only GOGC is recommended, and none above 100 that nothing would stop: give "
        "--limit, or --memory-request.");
  }
  if (!estimate.non_go_known) {
    advice.notes.push_back(
        "Memory outside Go's runtime is a guess: --pid, or a metrics page with process_resident_memory_bytes, tells.");
  }
  if (estimate.memory_source == "working set") {
    advice.notes.push_back(
        "Files in memory (an emptyDir of medium Memory, /dev/shm) can't be told from page cache here, so all of the "
        "working set counts as used.");
  }
  constexpr Duration kYoung = std::chrono::minutes(5);
  if (const auto age = age_of(series); age && *age < kYoung) {
    advice.notes.push_back("The process began " + format_duration(std::chrono::floor<seconds>(*age)) +
                           " ago. What a collection costs may still rise: where old objects are replaced by new ones, "
                           "they get scattered in memory. Ask again in some minutes.");
  }
  if (advice.settings_source == "assumed" && advice.decision.reason == "SelfTuned") {
    advice.notes.push_back("If the process was started with other settings than Go's defaults, give --current-gogc.");
  }
  if (request.limit && *request.limit <= estimate.live_heap) {
    advice.notes.push_back("The limit of " + format_bytes(*request.limit) + " is below the live heap of " +
                           format_bytes(estimate.live_heap) + ": the process cannot run in it.");
  }
}

/// More than Go's own GOGC is in force and nothing would stop the heap: to leave that as it is can't be fine, although
/// nothing is recommended before there is a limit.
bool heap_has_no_bound(const Decision& decision) {
  if (decision.reason != "NoMemoryLimit" || !decision.estimate) return false;
  const Settings& now = decision.estimate->settings;
  const Gogc gogc = now.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  const bool limited = now.go_mem_limit && decision.binding != deciding::kOldGo;
  return !limited && (gogc.is_off() || gogc.percent() > Gogc::kDefaultPercent);
}

AdviseExit exit_of(const Decision& decision) {
  switch (decision.kind) {
    case Decision::Kind::kChange:
      return AdviseExit::kChange;
    case Decision::Kind::kNoData:
      return AdviseExit::kNoData;
    case Decision::Kind::kRefuse:
      return AdviseExit::kActFirst;
    case Decision::Kind::kKeep:
      break;
  }
  const bool act_first =
      decision.reason == "NeedsMemory" || decision.reason == "HeapGrowing" || heap_has_no_bound(decision);
  return act_first ? AdviseExit::kActFirst : AdviseExit::kFine;
}

/// A line on stderr that is written over; a line each where stderr is not a terminal.
class ProgressLine {
 public:
  ProgressLine(bool wanted, std::ostream& err)
      : err_(err), terminal_(&err == &std::cerr && ::isatty(STDERR_FILENO) == 1), shown_(wanted || terminal_) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (shown_ && terminal_) err_ << "\r\033[K" << std::flush;
  }

  void show(const SamplingProgress& now) {
    if (!shown_) return;
    const std::size_t readings = now.series.samples.size();
    if (!terminal_ && readings == last_readings_) return;
    last_readings_ = readings;
    std::string text = "reading: " + format_duration(std::chrono::floor<seconds>(now.elapsed)) + " of " +
                       format_duration(now.wanted) + ", " + std::to_string(readings) + " readings";
    if (readings > 0 && now.series.samples.front().mem && now.series.samples.back().mem) {
      text += ", " + std::to_string(now.series.samples.back().mem->num_gc - now.series.samples.front().mem->num_gc) +
              " collections";
    }
    if (!now.series.error.empty()) text += "; " + now.series.error;
    err_ << (terminal_ ? "\r\033[K" : "") << text << (terminal_ ? "" : "\n") << std::flush;
  }

 private:
  std::ostream& err_;
  bool terminal_;
  bool shown_;
  std::size_t last_readings_ = 0;
};

/// A process that is running, by its memory alone.
Result<Subject> observe_by_memory(const AdviseOptions& options, const Request& request, std::ostream& err) {
  const auto runtime = GoRuntime::open(options.pid);
  if (!runtime) return tl::unexpected(runtime.error());
  LiveSampling sampling;
  sampling.target.memory_limit = request.limit;
  sampling.target.cpu_limit = request.cpu_limit;
  sampling.plan.interval = request.interval;
  sampling.duration = request.duration;
  ProgressLine line(options.progress, err);
  auto read = observe_memory(options.pid, *runtime, SystemClock(), sampling,
                             [&](const SamplingProgress& now) { line.show(now); });
  if (!read) return tl::unexpected(read.error());
  Subject subject;
  subject.name = "process " + std::to_string(options.pid);
  subject.observed = std::move(read->observed);
  subject.go_version = std::move(read->go_version);
  return subject;
}

/// A process that is running.
Result<Subject> observe_live(const AdviseOptions& options, const Request& request, const ProfileSpec& spec,
                             std::ostream& err) {
  const Result<std::string> address = resolve(request.url);
  if (!address) return tl::unexpected(address.error());
  Subject subject;
  subject.name = options.url;
  LiveSampling sampling;
  sampling.target.pod = {"", request.url.host};
  sampling.target.uid = request.url.host;
  sampling.target.ip = *address;
  sampling.target.ready = true;
  sampling.target.memory_limit = request.limit;
  sampling.target.cpu_limit = request.cpu_limit;
  sampling.plan.endpoint = spec.metrics;
  if (request.metrics) sampling.plan.process_page = PageAddress{request.metrics->port, request.metrics->path};
  sampling.plan.slos = spec.slos;
  sampling.plan.interval = request.interval;
  sampling.duration = request.duration;
  sampling.profile_length = request.interval * 4 / 5;

  const SystemClock clock;
  std::optional<LocalProcess> process;
  if (options.pid != 0) {
    Result<LocalProcess> opened = LocalProcess::open(options.pid, sampling.target.pod, {}, clock);
    if (!opened) return tl::unexpected(opened.error());
    process = std::move(*opened);
    subject.environment = process->environment();
    subject.go_version = process->go_version();
    sampling.target.started = process->started();
    if (!sampling.target.memory_limit) sampling.target.memory_limit = process->memory_limit();
    if (!sampling.target.cpu_limit) sampling.target.cpu_limit = process->cpus();
  }
  const Time began = clock.now();
  UsageFallback* const usage = process ? &*process : nullptr;
  std::unique_ptr<RecordingFetcher> recorder;
  {
    Fetcher fetcher({}, {.local_addresses = true});
    if (!options.record.empty()) {
      auto opened = RecordingFetcher::open(fetcher, clock, usage, options.record);
      if (!opened) return tl::unexpected(opened.error());
      recorder = std::move(*opened);
    }
    ProgressLine line(options.progress, err);
    subject.observed = sample_live(recorder ? static_cast<HttpFetcher&>(*recorder) : fetcher, clock, usage, sampling,
                                   [&](const SamplingProgress& now) { line.show(now); });
  }
  const SampleRow& samples = subject.observed.pods.front().samples;
  if (!samples.empty() && samples.front().at - began > 2 * request.interval + sampling.profile_length) {
    subject.note = "Only what was read since " + format_time(samples.front().at) +
                   " counts: before, the process was restarted or could not be read.";
  }
  if (recorder) {
    RecordedTarget target{
        options.url,  request.interval,  subject.environment, sampling.target.memory_limit, sampling.target.cpu_limit,
        std::nullopt, subject.go_version};
    if (request.current) target.settings = to_env(*request.current);
    if (process) target.started = process->started();
    if (const auto closed = recorder->close(target); !closed) return tl::unexpected(closed.error());
  }
  return subject;
}

/// A process that was recorded.
Result<Subject> observe_recorded(const AdviseOptions& options, const Request& request, ProfileSpec& spec) {
  Result<Recording> recording = read_recording(options.samples, spec.slos);
  if (!recording) return tl::unexpected(recording.error());
  Subject subject;
  subject.name = recording->target.subject;
  subject.environment = recording->target.settings;
  subject.go_version = recording->target.go_version;
  // Where it was read is where the operator would read it.
  spec.metrics = {};
  if (const auto url = parse_page_url("subject", subject.name); url && !url->path.empty()) {
    spec.metrics.port = url->port;
    spec.metrics.path = url->path;
  }
  spec.metrics.interval = recording->target.interval;
  PodSeries& series = recording->series;
  if (request.limit) series.memory_limit = request.limit;
  if (request.cpu_limit) series.cpu_limit = request.cpu_limit;
  subject.observed.at = series.samples.back().at;
  subject.observed.container_source = series.samples.back().usage ? "cgroup" : "pod spec";
  subject.observed.pods.push_back(std::move(series));
  return subject;
}

/// A limit that a person gives counts more than the one that was found.
void apply_to_samples(const Request& request, const Subject& subject, PodSeries& series) {
  series.samples.change_each([&](Sample& sample) {
    if (request.limit && sample.usage) sample.usage->limit = request.limit;
    if (subject.go_version.empty()) return;
    if (!sample.process) sample.process.emplace();
    if (!sample.process->go_version) sample.process->go_version = subject.go_version;
  });
}

AdviseExit give_up(std::ostream& err, AdviseExit status, const std::string& message) {
  err << "gopacer advise: " << message << "\n";
  return status;
}

}  // namespace

void describe_advise(CLI::App& app, AdviseOptions& options) {
  std::vector<std::string> objectives;
  for (const auto& [name, value] : kObjectiveNames) objectives.emplace_back(name);
  std::vector<std::string> strategies;
  for (const auto& [name, value] : kStrategyNames) {
    if (value != Strategy::kFixed) strategies.emplace_back(name);
  }
  app.add_option("--url", options.url, "pprof index of the process: http://HOST:6060/debug/pprof");
  app.add_option("--metrics-url", options.metrics_url, "Prometheus page of the same process: http://HOST:8080/metrics");
  app.add_option("--pid", options.pid,
                 "The process, when it runs on this machine: without --url, all is read from its memory")
      ->check(CLI::Range(1, kMostPid));
  app.add_option("--samples", options.samples, "Directory of a recording, in place of --url");
  app.add_option("--record", options.record, "Directory to record into");
  app.add_option("--latency-metric", options.latency_metric, "Histogram of latencies on that page, in seconds");
  app.add_option("--for", options.duration, "How long to read: 20s to 10m")->capture_default_str();
  app.add_option("--interval", options.interval, "Time between two readings; default: a twelfth of --for");
  app.add_option("--limit", options.limit, "The container's memory limit: 512Mi");
  app.add_option("--cpu-limit", options.cpu_limit, "The container's CPU limit: 500m");
  app.add_option("--memory-request", options.memory_request, "The container's memory request: 256Mi");
  app.add_option("--objective", options.objective, "What to weigh")
      ->check(CLI::IsMember(objectives))
      ->capture_default_str();
  app.add_option("--strategy", options.strategy, "What computes the settings")
      ->check(CLI::IsMember(strategies))
      ->capture_default_str();
  app.add_option("--memory-price", options.memory_price,
                 "What a GiB of memory costs, in cores; the default is what clouds ask")
      ->check(CLI::Range(kLeastMemoryPrice, kMostMemoryPrice))
      ->capture_default_str();
  app.add_option("--min-gogc", options.bounds.min_gogc, "Lowest GOGC that may be recommended")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--max-gogc", options.bounds.max_gogc, "Highest GOGC that may be recommended")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--current-gogc", options.current_gogc, "GOGC of the process, when it does not tell");
  app.add_option("--current-gomemlimit", options.current_go_mem_limit,
                 "GOMEMLIMIT of the process, when it does not tell");
  app.add_option("--name", options.name, "Name of the Deployment and its profile, for -o yaml")->capture_default_str();
  app.add_option("-o,--output", options.output, "text, json or yaml (a GoRuntimeProfile)")
      ->check(CLI::IsMember({"text", "json", "yaml"}))
      ->capture_default_str();
  app.add_flag("--progress", options.progress, "Say on stderr how far it is, even if that is no terminal");
  app.footer(
      "Exit status:\n"
      "  0  there is nothing to change\n"
      "  1  other settings are recommended\n"
      "  2  the command line, or the recording, is of no use, or the process may not be read\n"
      "  3  the process could not be read, or gave too little\n"
      "  4  something stands against tuning and a person has to change it first; the text says what\n"
      "Without a memory limit no GOGC above 100 is recommended that nothing would stop: 0 where up to 100 is in force\n"
      "and more would need a limit, 4 where more is in force and neither a limit nor GOMEMLIMIT would stop the heap.");
}

AdviseExit run_advise(const AdviseOptions& options, std::ostream& out, std::ostream& err) {
  const Result<Request> request = read_options(options);
  if (!request) return give_up(err, AdviseExit::kUsage, request.error().message);

  Advice advice;
  advice.name = options.name;
  advice.input.spec = spec_of(options, *request);
  advice.input.memory_request = request->memory_request;
  advice.input.no_trial_follows = true;
  const bool recorded = !options.samples.empty();
  Result<Subject> subject = recorded              ? observe_recorded(options, *request, advice.input.spec)
                            : options.url.empty() ? observe_by_memory(options, *request, err)
                                                  : observe_live(options, *request, advice.input.spec, err);
  if (!subject) {
    const bool bad_input = recorded || subject.error().kind == ErrorKind::kTerminal;
    return give_up(err, bad_input ? AdviseExit::kUsage : AdviseExit::kNoData, subject.error().message);
  }
  advice.subject = subject->name;
  advice.input.observed = std::move(subject->observed);
  apply_to_samples(*request, *subject, advice.input.observed.pods.front());
  if (const auto found = find_current(*request, *subject, advice); !found) {
    return give_up(err, AdviseExit::kUsage, found.error().message);
  }
  advice.decision = decide(advice.input, advice.input.observed.at);
  if (!subject->note.empty()) advice.notes.push_back(subject->note);
  add_notes(*request, advice);

  if (options.output == "json") {
    out << advice_json(advice);
  } else if (advice.decision.kind == Decision::Kind::kNoData) {
    return give_up(err, AdviseExit::kNoData, advice.decision.message);
  } else {
    out << (options.output == "yaml" ? advice_yaml(advice) : advice_text(advice));
  }
  return exit_of(advice.decision);
}

}  // namespace gopacer
