#include "observe/pod_reader.h"

#include <algorithm>
#include <utility>

#include "gopacer/domain/episodes.h"
#include "gopacer/domain/histogram.h"
#include "observe/agent_page.h"
#include "observe/app_metrics.h"
#include "observe/cpu_profile.h"
#include "observe/expvar.h"
#include "observe/heap_trailer.h"
#include "observe/raw_page.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kHeapBytes = 64 << 20;
constexpr std::size_t kMetricsBytes = 16 << 20;
constexpr const char* kExpvarPath = "/debug/vars";
/// At most, and not more than a few intervals: without profiles a trial of short windows would learn nothing meanwhile.
constexpr Duration kProfileRetry = minutes(2);
constexpr Duration kBusyProfileRetry = seconds(30);
constexpr Duration kWelcomeRetry = minutes(30);
/// Long enough for some hundred stacks, and short enough for what goes on now.
constexpr int kCaptureSeconds = 5;
constexpr std::size_t kCaptureBytes = std::size_t{1} << 20;

/// A page that several SLOs may share.
struct MetricsPage {
  int port;
  std::string path;
  std::vector<Slo> slos;
};

std::vector<MetricsPage> pages_of(const ScrapePlan& plan) {
  std::vector<MetricsPage> pages;
  if (plan.process_page) pages.push_back({plan.process_page->port, plan.process_page->path, {}});
  for (const Slo& slo : plan.slos) {
    if (slo.query() != nullptr || slo.is_of_runtime()) continue;
    const auto same = std::find_if(pages.begin(), pages.end(), [&](const MetricsPage& page) {
      return page.port == slo.port && page.path == slo.path;
    });
    if (same != pages.end()) {
      same->slos.push_back(slo);
    } else {
      pages.push_back({slo.port, slo.path, {slo}});
    }
  }
  return pages;
}

bool profile_is_due(const PodState& pod, Time now) {
  return pod.profiling != Profiling::kNever && !pod.no_profiles && pod.profile_due <= now;
}

/// Puts in place of each reading of a number the sum of all so far.
void add_up_readings(const std::vector<Slo>& slos, std::map<std::string, Histogram>& latency,
                     std::map<std::string, Histogram>& so_far) {
  std::map<std::string, Histogram> sums;
  for (const Slo& slo : slos) {
    if (slo.counts_requests()) continue;
    Histogram sum = so_far[slo.name];
    if (const auto read = latency.find(slo.name); read != latency.end()) {
      merge(sum, read->second);
      read->second = sum;
    }
    sums[slo.name] = std::move(sum);
  }
  so_far = std::move(sums);
}

/// A page is fetched as long as somebody wants its pod.
auto wanted(const PodPtr& pod) {
  return [pod] { return !pod->gone; };
}

}  // namespace

void PodState::begin_process() {
  ++process;
  source = MemSource::kUnknown;
  no_profiles = false;
  ask_protobuf = false;
  longest_profile = 60;
  profile_note.clear();
  taken_profile.reset();
  last_usage = Time{};
  readings.clear();
  answered.clear();
}

/// One reading of one pod, while it is under way.
struct PodReader::Cycle {
  PodPtr pod;
  int process;
  ScrapePlan plan;  ///< without its pods
  std::vector<MetricsPage> pages;
  std::size_t next_page = 0;
  Sample sample;
  bool got_something = false;
  std::string error;
  std::vector<std::string> notes;
  std::map<std::string, std::string> unread;

  /// The pod is not wanted any more, or its process has ended.
  bool is_stale() const { return pod->gone || process != pod->process; }
};
HttpRequest PodReader::request_to(const PodState& pod, int port, std::string target, std::size_t most) const {
  HttpRequest request;
  request.address = pod.target.ip;
  request.port = port;
  request.target = std::move(target);
  request.timeout = options_.fetch_timeout;
  request.most_bytes = most;
  return request;
}

HttpRequest PodReader::request_for_profile(const PodState& pod, const MetricsEndpoint& endpoint, int length,
                                           std::size_t most) const {
  HttpRequest request =
      request_to(pod, endpoint.port, endpoint.path + "/profile?seconds=" + std::to_string(length), most);
  request.timeout += seconds(length);
  return request;
}

void PodReader::begin(const PodPtr& pod, const ScrapePlan& plan, Time now) {
  pod->busy = true;
  ++pages_.probe.cycles;
  const Duration every = pod->target.every;
  const Duration interval = every > Duration(0) ? std::clamp(every, kShortestTurn, plan.interval) : plan.interval;
  const auto missed = (now - pod->due) / interval;
  pod->due += (missed + 1) * interval;
  pages_.probe.skipped += static_cast<std::uint64_t>(missed);

  auto cycle = std::make_shared<Cycle>();
  cycle->pod = pod;
  cycle->process = pod->process;
  cycle->plan = plan;
  cycle->pages = pages_of(plan);
  if (plan.endpoint.source == RuntimeSource::kAgent) {
    read_agent(cycle);
  } else if (pod->source == MemSource::kHeap) {
    read_heap(cycle);
  } else {
    read_vars(cycle);
  }
}

void PodReader::read_agent(const CyclePtr& cycle) {
  const PodTarget& target = cycle->pod->target;
  const auto agent = agents_.find(target.node);
  if (agent == agents_.end()) {
    cycle->error = target.pod.text() + ": no agent of gopacer runs on node " + target.node +
                   ": set agent.enabled of the chart, and see its DaemonSet's pods";
    return read_next_page(cycle);
  }
  HttpRequest request = request_to(*cycle->pod, agent->second.port, "/pods/" + target.uid + "/" + target.container,
                                   AgentPage::kMostBytes);
  request.address = agent->second.ip;
  pages_.read(pages_.pages, false, cycle->pod->owner(), PageKind::kAgent, request, std::make_shared<AgentPage>(),
              wanted(cycle->pod), [this, cycle, request](const tl::expected<codec::AgentSample, PageError>& page) {
                if (cycle->is_stale()) return end(cycle->pod);
                if (!page) return miss_mem(cycle, PageKind::kAgent, request, page.error());
                cycle->sample.process = page->sample.process;
                if (!page->note.empty()) cycle->notes.push_back("The agent: " + page->note);
                take_mem(cycle, *page->sample.mem);
              });
}

void PodReader::read_vars(const CyclePtr& cycle) {
  HttpRequest request = request_to(*cycle->pod, cycle->plan.endpoint.port, kExpvarPath, Expvar::kMostBytes);
  pages_.read(pages_.pages, false, cycle->pod->owner(), PageKind::kVars, request, std::make_shared<Expvar>(),
              wanted(cycle->pod), [this, cycle, request](const tl::expected<MemStats, PageError>& page) {
                if (cycle->is_stale()) return end(cycle->pod);
                if (page) {
                  cycle->pod->source = MemSource::kVars;
                  return take_mem(cycle, *page);
                }
                const PageError& error = page.error();
                // Whatever else is there, it is not expvar: pprof is asked. A port where nothing is needs no second
                // try.
                if (error.failure == PageFailure::kRefused || error.failure == PageFailure::kUnreachable ||
                    (error.failure == PageFailure::kTimedOut)) {
                  // The person was asked to serve pprof, so that is what the error is about.
                  HttpRequest wanted = request;
                  wanted.target = cycle->plan.endpoint.path + "/heap?debug=1";
                  return miss_mem(cycle, PageKind::kHeap, wanted, error);
                }
                cycle->pod->source = MemSource::kHeap;
                read_heap(cycle);
              });
}

void PodReader::read_heap(const CyclePtr& cycle) {
  HttpRequest request =
      request_to(*cycle->pod, cycle->plan.endpoint.port, cycle->plan.endpoint.path + "/heap?debug=1", kHeapBytes);
  pages_.read(pages_.pages, false, cycle->pod->owner(), PageKind::kHeap, request, std::make_shared<HeapTrailer>(),
              wanted(cycle->pod), [this, cycle, request](const tl::expected<MemStats, PageError>& page) {
                if (cycle->is_stale()) return end(cycle->pod);
                if (page) return take_mem(cycle, *page);
                // Perhaps another program listens there by now: look for expvar again next time.
                if (page.error().failure == PageFailure::kStatus) cycle->pod->source = MemSource::kUnknown;
                miss_mem(cycle, PageKind::kHeap, request, page.error());
              });
}

void PodReader::take_mem(const CyclePtr& cycle, const MemStats& mem) {
  cycle->sample.at = clock_.now();
  cycle->sample.mem = mem;
  cycle->got_something = true;
  read_next_page(cycle);
}

void PodReader::miss_mem(const CyclePtr& cycle, PageKind kind, const HttpRequest& request, const PageError& error) {
  cycle->error = failure_text(kind, cycle->pod->target.pod.text(), request, error);
  read_next_page(cycle);
}

void PodReader::read_next_page(const CyclePtr& cycle) {
  if (cycle->next_page == cycle->pages.size()) return finish(cycle);
  const MetricsPage& page = cycle->pages[cycle->next_page++];
  HttpRequest request = request_to(*cycle->pod, page.port, page.path, kMetricsBytes);
  if (cycle->pod->ask_protobuf) request.accept = kProtobufAccept;
  pages_.read(
      pages_.pages, false, cycle->pod->owner(), PageKind::kMetrics, request,
      std::make_shared<AppMetricsReader>(page.slos), wanted(cycle->pod),
      [this, cycle, request, slos = page.slos](const tl::expected<AppMetrics, PageError>& read) {
        if (cycle->is_stale()) return end(cycle->pod);
        const std::string subject = cycle->pod->target.pod.text();
        if (read) {
          Sample& sample = cycle->sample;
          cycle->pod->ask_protobuf = cycle->pod->ask_protobuf || read->only_native;
          // An agent counts from its own beginning: the page's numbers don't go on where it is silent.
          const bool by_agent = cycle->plan.endpoint.source == RuntimeSource::kAgent;
          if (read->process && !sample.process && !by_agent) sample.process = read->process;
          sample.latency.insert(read->latency.begin(), read->latency.end());
          cycle->got_something = cycle->got_something || read->process || !read->latency.empty();
          for (const auto& [slo, why] : read->missing) {
            cycle->notes.push_back(failure_text(PageKind::kMetrics, subject, request, {PageFailure::kContent, 0, why}));
            cycle->unread[slo] = cycle->notes.back();
          }
        } else {
          cycle->notes.push_back(failure_text(PageKind::kMetrics, subject, request, read.error()));
          for (const Slo& slo : slos) cycle->unread[slo.name] = cycle->notes.back();
        }
        read_next_page(cycle);
      });
}

/// What Prometheus answers of an arm is told of each of its pods, once: their mean is that of the arm again. An answer
/// that speaks of a time before the process began is not taken.
void PodReader::take_answers(const CyclePtr& cycle) {
  PodState& pod = *cycle->pod;
  const auto& slos = cycle->plan.slos;
  std::erase_if(pod.answered, [&](const auto& entry) {
    return std::none_of(slos.begin(), slos.end(), [&](const Slo& slo) { return slo.name == entry.first; });
  });
  for (const Slo& slo : slos) {
    const PrometheusQuery* const query = slo.query();
    if (query == nullptr) continue;
    const QueryReader::Answer* const answer = queries_.answer_of(pod.owner(), slo.name, pod.target.track);
    if (answer == nullptr) continue;
    if (!answer->problem.empty()) {
      cycle->notes.push_back("SLO " + slo.name + ": " + answer->problem);
      cycle->unread[slo.name] = answer->problem;
    }
    if (!answer->value || answer->at == pod.answered[slo.name] || answer->at < pod.target.started + query->window)
      continue;
    pod.answered[slo.name] = answer->at;
    cycle->sample.latency.emplace(slo.name, reading_of(*answer->value));
    cycle->got_something = true;
  }
}

void PodReader::finish(const CyclePtr& cycle) {
  PodState& pod = *cycle->pod;
  const Time now = clock_.now();
  if (cycle->sample.at == Time{}) cycle->sample.at = now;
  take_answers(cycle);
  for (const std::string& slo : std::exchange(pod.changed_slos, {})) cycle->sample.latency.erase(slo);
  add_up_readings(cycle->plan.slos, cycle->sample.latency, pod.readings);
  const FoundUsage found = usage_.usage_of(pod.target, now);
  if (found.usage) {
    cycle->sample.usage = found.usage;
    cycle->got_something = cycle->got_something || found.usage->at > pod.last_usage;
    pod.last_usage = found.usage->at;
  }
  if (pod.taken_profile && cycle->got_something) {
    cycle->sample.profile = pod.taken_profile;
    pod.taken_profile.reset();
  }
  pod.error = cycle->error;
  pod.notes = std::move(cycle->notes);
  pod.unread = std::move(cycle->unread);
  for (const ObjectKey& profile : pod.profiles) pages_.announce(profile);
  const bool read_mem = cycle->sample.mem.has_value();
  if (cycle->got_something) {
    ++pages_.probe.samples;
    histories_.append(pod.kept, std::move(cycle->sample), cycle->plan.keep);
  }
  if (read_mem && look_for_episodes(cycle, now)) return;
  // A pod whose pprof cannot be reached has no CPU profile either.
  if (!pod.error.empty() || !profile_is_due(pod, now) || !take_profile(cycle, now)) end(cycle->pod);
}

void PodReader::end(const PodPtr& pod) {
  pod->busy = false;
  on_end_(pod);
}

/// Whether something is captured, with which the cycle ends. A trial makes pods collect in other ways, and says itself
/// what it saw.
bool PodReader::look_for_episodes(const CyclePtr& cycle, Time now) {
  const PodState& pod = *cycle->pod;
  if (cycle->plan.in_trial) return false;
  const SampleRow& samples = pod.kept.history().samples();
  const auto pause = long_pause(samples);
  const auto storm = storm_began(samples);
  if (pause) ++pages_.probe.long_pauses;
  if (storm) ++pages_.probe.storms;
  if ((!pause && !storm) || options_.captures == nullptr) return false;
  Capture wanted;
  wanted.profile = pod.owner();
  wanted.pod = pod.target.pod.name;
  wanted.uid = pod.target.uid;
  wanted.at = now;
  wanted.reason = pause ? kLongPause : kAllocationStorm;
  wanted.what = pause ? describe(*pause) : describe(*storm);
  wanted.kind = "cpu";
  return capture(cycle, wanted);
}

/// The pod's CPU profile of the next seconds, then one of its heap. False when no place is free, or none is admitted.
bool PodReader::capture(const CyclePtr& cycle, const Capture& wanted) {
  const MetricsEndpoint& endpoint = cycle->plan.endpoint;
  const PodState& pod = *cycle->pod;
  const bool of_cpu = wanted.kind == "cpu";
  const HttpRequest request =
      of_cpu ? request_for_profile(pod, endpoint, std::min(kCaptureSeconds, pod.longest_profile), kCaptureBytes)
             : request_to(pod, endpoint.port, endpoint.path + "/heap", kCaptureBytes);
  const PageKind kind = of_cpu ? PageKind::kCpuProfile : PageKind::kHeap;
  const auto is_admitted = [this, pod = cycle->pod, profile = wanted.profile, at = wanted.at, of_cpu] {
    return !pod->gone && (!of_cpu || options_.captures->admit(profile, at));
  };
  return pages_.read(pages_.profiles, true, cycle->pod->owner(), kind, request,
                     std::make_shared<RawPage>(kCaptureBytes, "is longer than 1 MiB"), is_admitted,
                     [this, cycle, request, kind, wanted](const tl::expected<std::string, PageError>& read) {
                       Capture taken = wanted;
                       if (read) taken.body = *read;
                       if (!read) {
                         taken.error = failure_text(kind, cycle->pod->target.pod.text(), request, read.error());
                       }
                       options_.captures->keep(std::move(taken));
                       Capture of_heap = wanted;
                       of_heap.kind = "heap";
                       const bool goes_on = kind == PageKind::kCpuProfile && read && !cycle->is_stale();
                       if (!goes_on || !capture(cycle, of_heap)) end(cycle->pod);
                     });
}

/// Half of a trial's interval, so that the pod is idle for the other half.
int PodReader::profile_seconds(const PodState& pod, const ScrapePlan& plan) const {
  const Duration wanted = pod.profiling == Profiling::kTrial ? plan.interval / 2 : options_.background_profile_length;
  const auto whole = std::chrono::duration_cast<seconds>(wanted).count();
  return static_cast<int>(std::clamp<std::int64_t>(whole, 1, pod.longest_profile));
}

bool PodReader::take_profile(const CyclePtr& cycle, Time now) {
  PodState& pod = *cycle->pod;
  const int length = profile_seconds(pod, cycle->plan);
  const HttpRequest request = request_for_profile(pod, cycle->plan.endpoint, length, CpuProfileReader::kMostBytes);
  const bool trial = pod.profiling == Profiling::kTrial;
  pod.profile_due = now + (trial ? Duration(0) : options_.background_profile_every);
  return pages_.read(pages_.profiles, true, pod.owner(), PageKind::kCpuProfile, request,
                     std::make_shared<CpuProfileReader>(), wanted(cycle->pod),
                     [this, cycle, request, length](const tl::expected<GcProfile, PageError>& page) {
                       end(cycle->pod);
                       if (cycle->is_stale()) return;
                       if (page) {
                         cycle->pod->taken_profile = *page;
                         cycle->pod->profile_note.clear();
                       } else {
                         miss_profile(*cycle->pod, cycle->plan, request, length, page.error());
                       }
                     });
}

void PodReader::miss_profile(PodState& pod, const ScrapePlan& plan, const HttpRequest& request, int length,
                             const PageError& error) {
  const Time now = clock_.now();
  pod.profile_due = std::max(pod.profile_due, now + std::min(kProfileRetry, 8 * plan.interval));
  // Where an agent reads the program nobody asked for a page of its own: one that it has is welcome.
  const bool is_welcome = plan.endpoint.source == RuntimeSource::kAgent;
  if (!is_welcome) pod.profile_note = failure_text(PageKind::kCpuProfile, pod.target.pod.text(), request, error);
  if (is_welcome) pod.profile_due = std::max(pod.profile_due, now + kWelcomeRetry);
  if (error.failure != PageFailure::kStatus) return;
  if (error.status == 400 && length > 1) {
    // The server's WriteTimeout is shorter than the profile.
    pod.longest_profile = length / 2;
    pod.profile_due = now;
  } else if (error.status >= 500) {
    // Somebody else profiles it just now.
    pod.profile_due = now + std::min(kBusyProfileRetry, 2 * plan.interval);
  } else {
    pod.no_profiles = true;
  }
}

}  // namespace gopacer
