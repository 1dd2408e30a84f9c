#include "cli/recording.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "observe/app_metrics.h"
#include "observe/cpu_profile.h"
#include "observe/expvar.h"
#include "observe/heap_trailer.h"
#include "observe/pod_history.h"

namespace gopacer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kTarget = "target.json";
constexpr const char* kTime = "time";
constexpr const char* kHeap = "heap.txt";
constexpr const char* kVars = "vars.json";
constexpr const char* kMetrics = "metrics.txt";
constexpr const char* kProfile = "profile.pb.gz";
constexpr const char* kUsage = "usage.json";
constexpr int kFormat = 1;
constexpr int kMostReadings = 9999;
constexpr std::uintmax_t kMostFileBytes = std::uintmax_t{64} << 20;
/// A gap of this many usual ones, and of this length, is no late reading any more.
constexpr int kGapFactor = 10;
constexpr Duration kLongGap = std::chrono::seconds(60);

std::string page_of(const HttpRequest& request) {
  if (request.target.find("/profile?seconds=") != std::string::npos) return kProfile;
  if (request.target.ends_with("/heap?debug=1")) return kHeap;
  if (request.target == "/debug/vars") return kVars;
  return kMetrics;
}

std::string number_name(int number) {
  const std::string digits = std::to_string(number);
  return std::string(4 - std::min<std::size_t>(4, digits.size()), '0') + digits;
}

template <typename Value, typename Write>
json optional_json(const std::optional<Value>& value, const Write& write) {
  return value ? json(write(*value)) : json(nullptr);
}

std::int64_t count_of(Bytes size) { return size.count(); }
double same(double value) { return value; }

json usage_json(const ContainerUsage& usage) {
  return {{"at", format_micro_time(usage.at)},
          {"limit", optional_json(usage.limit, count_of)},
          {"workingSet", usage.working_set.count()},
          {"anonymous", optional_json(usage.anonymous, count_of)},
          {"kernel", optional_json(usage.kernel, count_of)},
          {"shared", optional_json(usage.shared, count_of)},
          {"cpuSeconds", optional_json(usage.cpu_seconds, same)},
          {"throttledSeconds", optional_json(usage.throttled_seconds, same)}};
}

// --- reading
// -----------------------------------------------------------------------------------------------------------

Result<std::string> text_of(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error) return fail(ErrorKind::kNotFound, file.string() + ": " + error.message());
  if (size > kMostFileBytes)
    return invalid(file.string() + " has more than " + std::to_string(kMostFileBytes) + " bytes");
  std::ifstream in(file, std::ios::binary);
  std::string text(size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size))) return invalid(file.string() + " cannot be read");
  return text;
}

/// None when there is no such file; it is then no part of the reading.
template <typename Reader>
auto decoded(const fs::path& file, Reader reader)
    -> Result<std::optional<typename decltype(reader.finish())::value_type>> {
  using Value = typename decltype(reader.finish())::value_type;
  if (!fs::exists(file)) return std::optional<Value>();
  const Result<std::string> text = text_of(file);
  if (!text) return tl::unexpected(text.error());
  reader.feed(*text);
  auto value = reader.finish();
  if (!value) return invalid(file.string() + ": the page " + value.error().message);
  return std::optional<Value>(std::move(*value));
}

std::optional<double> number(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}
std::optional<Bytes> bytes(const json& object, const char* name) {
  const auto value = number(object, name);
  return value ? std::optional(Bytes::of(*value)) : std::nullopt;
}
std::optional<std::string> text(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
}

Result<json> json_of(const fs::path& file) {
  const Result<std::string> body = text_of(file);
  if (!body) return tl::unexpected(body.error());
  json parsed = json::parse(*body, nullptr, false);
  if (!parsed.is_object()) return invalid(file.string() + " is no JSON object, or was cut short");
  return parsed;
}

Result<RecordedTarget> read_target(const fs::path& directory) {
  const Result<json> object = json_of(directory / kTarget);
  if (!object) {
    if (object.error().kind != ErrorKind::kNotFound) return tl::unexpected(object.error());
    return invalid(directory.string() + " is no recording: it has no " + kTarget +
                   ". gopacer advise --record makes one");
  }
  if (number(*object, "format") != kFormat) {
    return invalid((directory / kTarget).string() + ": format is not " + std::to_string(kFormat) +
                   ": recorded by another version of gopacer");
  }
  RecordedTarget target;
  target.subject = text(*object, "subject").value_or(directory.string());
  if (const auto interval = text(*object, "interval")) {
    const Result<Duration> parsed = parse_duration(*interval);
    if (!parsed || *parsed <= Duration(0))
      return invalid((directory / kTarget).string() + ": interval '" + *interval + "'");
    target.interval = *parsed;
  }
  if (const auto settings = object->find("settings"); settings != object->end() && settings->is_object()) {
    target.settings = EnvText{text(*settings, kGogcVariable), text(*settings, kGoMemLimitVariable)};
  }
  target.memory_limit = bytes(*object, "memoryLimit");
  target.cpu_limit = number(*object, "cpuLimit");
  target.go_version = text(*object, "goVersion").value_or("");
  if (const auto started = text(*object, "started")) {
    const Result<Time> parsed = parse_time(*started);
    if (!parsed) return invalid((directory / kTarget).string() + ": started: " + parsed.error().message);
    target.started = *parsed;
  }
  return target;
}

Result<std::optional<ContainerUsage>> read_usage(const fs::path& file) {
  if (!fs::exists(file)) return std::optional<ContainerUsage>();
  const Result<json> object = json_of(file);
  if (!object) return tl::unexpected(object.error());
  const auto at = text(*object, "at");
  const Result<Time> parsed = parse_time(at.value_or(""));
  if (!parsed) return invalid(file.string() + ": at: " + parsed.error().message);
  ContainerUsage usage;
  usage.at = *parsed;
  usage.limit = bytes(*object, "limit");
  usage.working_set = bytes(*object, "workingSet").value_or(Bytes(0));
  usage.anonymous = bytes(*object, "anonymous");
  usage.kernel = bytes(*object, "kernel");
  usage.shared = bytes(*object, "shared");
  usage.cpu_seconds = number(*object, "cpuSeconds");
  usage.throttled_seconds = number(*object, "throttledSeconds");
  return std::optional(usage);
}

/// What one numbered directory holds; the profile was taken after the rest.
struct Reading {
  Sample sample;
  std::optional<GcProfile> profile;
};

Result<Reading> read_one(const fs::path& directory, const std::vector<Slo>& slos) {
  Reading reading;
  const Result<std::string> time = text_of(directory / kTime);
  if (!time) return invalid((directory / kTime).string() + " is missing: it has the time of the reading (RFC 3339)");
  const Result<Time> at = parse_time(std::string_view(*time).substr(0, time->find_first_of("\r\n ")));
  if (!at) return invalid((directory / kTime).string() + ": " + at.error().message);
  reading.sample.at = *at;

  auto heap = decoded(directory / kHeap, HeapTrailer());
  if (!heap) return tl::unexpected(heap.error());
  auto vars = decoded(directory / kVars, Expvar());
  if (!vars) return tl::unexpected(vars.error());
  reading.sample.mem = *heap ? std::move(*heap) : std::move(*vars);
  if (!reading.sample.mem) {
    return invalid(directory.string() + " has neither " + kHeap + " nor " + kVars + ": one of them is needed");
  }
  if (fs::exists(directory / kMetrics)) {
    AppMetricsReader reader(slos);
    const Result<std::string> page = text_of(directory / kMetrics);
    if (!page) return tl::unexpected(page.error());
    reader.feed(*page);
    const Result<AppMetrics> metrics = reader.finish();
    if (!metrics) return invalid((directory / kMetrics).string() + ": the page " + metrics.error().message);
    reading.sample.process = metrics->process;
    reading.sample.latency = metrics->latency;
  }
  auto profile = decoded(directory / kProfile, CpuProfileReader());
  if (!profile) return tl::unexpected(profile.error());
  reading.profile = *profile;
  auto usage = read_usage(directory / kUsage);
  if (!usage) return tl::unexpected(usage.error());
  reading.sample.usage = *usage;
  return reading;
}

/// Sound when the readings could follow each other in the life of one process under one clock.
Result<void> check_order(const std::vector<std::pair<std::string, Time>>& times) {
  std::vector<Duration> gaps;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const Duration gap = times[i].second - times[i - 1].second;
    if (gap <= Duration(0)) {
      return invalid(times[i].first + " was taken at " + format_time(times[i].second) + ", not after " +
                     times[i - 1].first + " at " + format_time(times[i - 1].second) +
                     ": the clock was set back. Record again, or remove the readings before it");
    }
    gaps.push_back(gap);
  }
  if (gaps.empty()) return {};
  std::vector<Duration> sorted = gaps;
  std::sort(sorted.begin(), sorted.end());
  const Duration usual = sorted[sorted.size() / 2];
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    if (gaps[i] > kGapFactor * usual && gaps[i] > kLongGap) {
      return invalid(
          times[i + 1].first + " was taken " + format_duration(std::chrono::floor<std::chrono::seconds>(gaps[i])) +
          " after " + times[i].first + " while others follow each other every " +
          format_duration(std::chrono::round<std::chrono::milliseconds>(usual)) +
          ": the clock was set, or the recording was interrupted. Record again, or remove one side of the gap");
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<RecordingFetcher>> RecordingFetcher::open(HttpFetcher& inner, const Clock& clock,
                                                                 UsageFallback* usage, fs::path directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return invalid("--record " + directory.string() + ": " + error.message());
  if (!fs::is_empty(directory, error) || error) {
    return invalid("--record " + directory.string() + " is not empty: name a new directory");
  }
  return std::unique_ptr<RecordingFetcher>(new RecordingFetcher(inner, clock, usage, std::move(directory)));
}

void RecordingFetcher::fetch(HttpRequest request, BodySink sink, FetchDone done) {
  const std::string page = page_of(request);
  auto body = std::make_shared<std::string>();
  inner_.fetch(
      std::move(request),
      [body, sink = std::move(sink)](std::string_view piece) {
        body->append(piece);
        return sink(piece);
      },
      [this, page, body, done = std::move(done)](tl::expected<HttpAnswer, FetchError> outcome) {
        if (outcome && outcome->status >= 200 && outcome->status < 300) keep(page, *body);
        done(std::move(outcome));
      });
}

void RecordingFetcher::keep(const std::string& page, const std::string& body) {
  // Programs without expvar may answer there with something else.
  if (page == kVars && body.find("\"memstats\"") == std::string::npos) return;
  if (page == kHeap || page == kVars) {
    if (readings_ == kMostReadings) {
      problem_ = "more than " + std::to_string(kMostReadings) + " readings";
      return;
    }
    ++readings_;
  }
  if (readings_ == 0 || !problem_.empty()) return;
  const fs::path reading = directory_ / number_name(readings_);
  std::error_code error;
  fs::create_directories(reading, error);
  write(reading / page, body);
  if (page != kHeap && page != kVars) return;
  write(reading / kTime, format_micro_time(clock_.now()) + "\n");
  if (usage_ == nullptr) return;
  const auto usage = usage_->list("");
  if (usage && !usage->empty()) write(reading / kUsage, usage_json(usage->front().usage).dump(2) + "\n");
}

void RecordingFetcher::write(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out && problem_.empty()) problem_ = file.string() + " could not be written";
}

Result<void> RecordingFetcher::close(const RecordedTarget& target) {
  json settings = nullptr;
  if (target.settings) {
    const auto name = [](const std::string& value) { return value; };
    settings = {{kGogcVariable, optional_json(target.settings->gogc, name)},
                {kGoMemLimitVariable, optional_json(target.settings->go_mem_limit, name)}};
  }
  const json object{{"format", kFormat},
                    {"subject", target.subject},
                    {"interval", format_duration(target.interval)},
                    {"settings", settings},
                    {"memoryLimit", optional_json(target.memory_limit, count_of)},
                    {"cpuLimit", optional_json(target.cpu_limit, same)},
                    {"started", optional_json(target.started, format_time)},
                    {"goVersion", target.go_version}};
  write(directory_ / kTarget, object.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  if (!problem_.empty()) return invalid("--record: " + problem_);
  return {};
}

Result<Recording> read_recording(const fs::path& directory, const std::vector<Slo>& slos) {
  if (!fs::is_directory(directory)) return invalid("--samples " + directory.string() + " is no directory");
  Result<RecordedTarget> target = read_target(directory);
  if (!target) return tl::unexpected(target.error());
  std::vector<fs::path> readings;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.is_directory()) readings.push_back(entry.path());
  }
  if (readings.empty()) return invalid(directory.string() + " has no readings: no directories 0001, 0002, …");
  if (readings.size() > kMostReadings) return invalid(directory.string() + " has more than 9999 readings");
  std::sort(readings.begin(), readings.end());

  Recording recording{std::move(*target), {}};
  PodHistory history;
  std::vector<std::pair<std::string, Time>> times;
  std::optional<GcProfile> profile;
  std::optional<Sample> before;
  for (const fs::path& path : readings) {
    Result<Reading> reading = read_one(path, slos);
    if (!reading) return tl::unexpected(reading.error());
    Sample& sample = reading->sample;
    times.emplace_back("reading " + path.filename().string(), sample.at);
    if (before && is_another_process(*before, sample)) {
      return invalid(times.back().first + " is of another process than " + times[times.size() - 2].first +
                     ": its counters begin anew, so the program was restarted in between. Record again, or remove the "
                     "readings before it");
    }
    sample.profile = std::exchange(profile, reading->profile);
    before = sample;
    history.append(std::move(sample), Duration::max());
  }
  if (const Result<void> sound = check_order(times); !sound) return tl::unexpected(sound.error());
  PodSeries& series = recording.series;
  series.pod = recording.target.subject;
  series.ready = true;
  series.started = recording.target.started.value_or(Time{});
  series.memory_limit = recording.target.memory_limit;
  series.cpu_limit = recording.target.cpu_limit;
  series.samples = history.samples();
  return recording;
}

}  // namespace gopacer
