#include "cli/advise_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "cli/advice.h"
#include "cli/live_sampling.h"
#include "cli/page_url.h"
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
  PageUrl url;
  std::optional<PageUrl> metrics;
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

Result<Request> read_options(const AdviseOptions& options) {
  Request request;
  if (options.url.empty()) return invalid("nothing to read: give --url");
  if (const auto checked = check_bounds(options.bounds); !checked) return tl::unexpected(checked.error());
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
    if (metrics->path.empty()) metrics->path = PodHistogram().path;
    request.metrics = std::move(*metrics);
  } else if (!options.latency_metric.empty()) {
    return invalid("--latency-metric needs --metrics-url: the page that has the histogram");
  }
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

ProfileSpec spec_of(const AdviseOptions& options, const Request& request) {
  ProfileSpec spec;
  spec.target = options.name;
  spec.objective = options.objective;
  spec.strategy = options.strategy;
  spec.bounds = options.bounds;
  spec.metrics = {request.url.port, request.url.path, request.interval};
  // The process has run before; what it was doing then is a person's business.
  spec.canary.warm_up = Duration(0);
  if (request.metrics && !options.latency_metric.empty()) {
    Slo slo;
    slo.name = kLatencySlo;
    slo.histogram.port = request.metrics->port;
    slo.histogram.path = request.metrics->path;
    slo.histogram.metric = options.latency_metric;
    spec.slos.push_back(slo);
  }
  return spec;
}

/// What is in force, and how that is known.
void find_current(const Request& request, Advice& advice) {
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
  } else {
    advice.settings_source = "assumed: nothing says otherwise";
    advice.notes.push_back(
        "GOGC and GOMEMLIMIT of the process are not known, so Go's defaults are assumed. --metrics-url of a page with "
        "go_gc_gogc_percent tells them, or give --current-gogc and --current-gomemlimit.");
  }
  series.settings = current;
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
  const bool act_first = decision.needs_memory || decision.reason == "HeapGrowing";
  return act_first ? AdviseExit::kActFirst : AdviseExit::kFine;
}

/// A line on stderr that is written over; a line each where stderr is not a terminal.
class ProgressLine {
 public:
  explicit ProgressLine(bool wanted) : terminal_(::isatty(STDERR_FILENO) == 1), shown_(wanted || terminal_) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (shown_ && terminal_) std::cerr << "\r\033[K";
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
    std::cerr << (terminal_ ? "\r\033[K" : "") << text << (terminal_ ? "" : "\n") << std::flush;
  }

 private:
  bool terminal_;
  bool shown_;
  std::size_t last_readings_ = 0;
};

int give_up(AdviseExit status, const std::string& message) {
  std::cerr << "gopacer advise: " << message << "\n";
  return static_cast<int>(status);
}

Result<Observation> observe(const AdviseOptions& options, const Request& request, const ProfileSpec& spec) {
  const Result<std::string> address = resolve(request.url);
  if (!address) return tl::unexpected(address.error());
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
  Fetcher fetcher;
  ProgressLine line(options.progress);
  return sample_live(fetcher, clock, nullptr, sampling, [&](const SamplingProgress& now) { line.show(now); });
}

}  // namespace

void describe_advise(CLI::App& app, AdviseOptions& options) {
  const std::map<std::string, Objective> objectives(kObjectiveNames.begin(), kObjectiveNames.end());
  std::map<std::string, Strategy> strategies(kStrategyNames.begin(), kStrategyNames.end());
  strategies.erase(to_string(Strategy::kFixed));
  app.add_option("--url", options.url, "pprof index of the process: http://HOST:6060/debug/pprof");
  app.add_option("--metrics-url", options.metrics_url, "Prometheus page of the same process: http://HOST:8080/metrics");
  app.add_option("--latency-metric", options.latency_metric, "Histogram of latencies on that page, in seconds");
  app.add_option("--for", options.duration, "How long to read: 20s to 10m")->capture_default_str();
  app.add_option("--interval", options.interval, "Time between two readings; default: a twelfth of --for");
  app.add_option("--limit", options.limit, "The container's memory limit: 512Mi");
  app.add_option("--cpu-limit", options.cpu_limit, "The container's CPU limit: 500m");
  app.add_option("--memory-request", options.memory_request, "The container's memory request: 256Mi");
  app.add_option("--objective", options.objective, "What to weigh")
      ->transform(CLI::CheckedTransformer(objectives, CLI::ignore_case))
      ->default_str(to_string(options.objective));
  app.add_option("--strategy", options.strategy, "What computes the settings")
      ->transform(CLI::CheckedTransformer(strategies, CLI::ignore_case))
      ->default_str(to_string(options.strategy));
  app.add_option("--min-gogc", options.bounds.min_gogc, "Lowest GOGC that may be recommended")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--max-gogc", options.bounds.max_gogc, "Highest GOGC that may be recommended")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--current-gogc", options.current_gogc, "GOGC of the process, when it does not tell");
  app.add_option("--current-gomemlimit", options.current_go_mem_limit,
                 "GOMEMLIMIT of the process, when it does not tell");
  app.add_option("--name", options.name, "Name of the Deployment, for -o yaml")->capture_default_str();
  app.add_option("-o,--output", options.output, "text, json or yaml (a GoRuntimeProfile)")
      ->check(CLI::IsMember({"text", "json", "yaml"}))
      ->capture_default_str();
  app.add_flag("--progress", options.progress, "Say on stderr how far it is, even if that is no terminal");
}

int run_advise(const AdviseOptions& options) {
  const Result<Request> request = read_options(options);
  if (!request) return give_up(AdviseExit::kUsage, request.error().message);

  Advice advice;
  advice.subject = options.url;
  advice.name = options.name;
  advice.input.spec = spec_of(options, *request);
  advice.input.memory_request = request->memory_request;
  Result<Observation> observed = observe(options, *request, advice.input.spec);
  if (!observed) return give_up(AdviseExit::kNoData, observed.error().message);
  advice.input.observed = std::move(*observed);
  find_current(*request, advice);
  const PodSeries& series = advice.input.observed.pods.front();
  advice.notes.insert(advice.notes.end(), series.notes.begin(), series.notes.end());
  advice.decision = decide(advice.input, advice.input.observed.at);

  if (advice.decision.kind == Decision::Kind::kNoData && !advice.decision.estimate && options.output != "json") {
    return give_up(AdviseExit::kNoData, advice.decision.message);
  }
  if (options.output == "json") {
    std::cout << advice_json(advice);
  } else {
    std::cout << (options.output == "yaml" ? advice_yaml(advice) : advice_text(advice));
  }
  return static_cast<int>(exit_of(advice.decision));
}

}  // namespace gopacer
