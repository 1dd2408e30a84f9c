#include "observe/scraper.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>

#include "observe/app_metrics.h"
#include "observe/cadvisor.h"
#include "observe/cpu_profile.h"
#include "observe/expvar.h"
#include "observe/fair_slots.h"
#include "observe/heap_trailer.h"
#include "observe/page_error.h"
#include "observe/pod_history.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kHeapBytes = 64 << 20;
constexpr std::size_t kMetricsBytes = 16 << 20;
constexpr std::size_t kCadvisorBytes = 64 << 20;
constexpr const char* kExpvarPath = "/debug/vars";
constexpr Duration kShortestKubeletInterval = seconds(5);
constexpr Duration kFallbackInterval = seconds(15);
// A reading of the container that is older than this is not shown as the present one.
constexpr Duration kOldestUsage = seconds(90);
// New pods of a trial are read soon; there are only a few of them.
constexpr Duration kTrialSpread = seconds(2);
constexpr Duration kShortestWait = milliseconds(20);
constexpr Duration kLongestWait = seconds(1);
/// At most, and not more than a few intervals: without profiles a trial of short windows would learn nothing meanwhile.
constexpr Duration kProfileRetry = minutes(2);
constexpr Duration kBusyProfileRetry = seconds(30);

using Lock = std::lock_guard<std::mutex>;

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
    const auto same = std::find_if(pages.begin(), pages.end(), [&](const MetricsPage& page) {
      return page.port == slo.histogram.port && page.path == slo.histogram.path;
    });
    if (same != pages.end()) {
      same->slos.push_back(slo);
    } else {
      pages.push_back({slo.histogram.port, slo.histogram.path, {slo}});
    }
  }
  return pages;
}

/// Where one pod's MemStats come from; found out once per process.
enum class MemSource { kUnknown, kVars, kHeap };

struct PodState {
  ObjectKey owner;  ///< the profile
  PodTarget target;
  PodHistory history;
  std::string error;
  std::vector<std::string> notes;

  Time due;
  bool busy = false;  ///< a cycle is under way
  bool gone = false;  ///< not in any plan any more
  int process = 0;    ///< goes up when the container was started again: what is under way is then worth nothing
  MemSource source = MemSource::kUnknown;

  Profiling profiling = Profiling::kNever;
  Time profile_due;
  int longest_profile = 60;  ///< seconds that the pod's server allows
  bool no_profiles = false;  ///< this process has none
  std::string profile_note;
  std::optional<GcProfile> taken_profile;  ///< and not yet part of a sample

  Time last_usage;

  void begin_process() {
    history.clear();
    ++process;
    source = MemSource::kUnknown;
    no_profiles = false;
    longest_profile = 60;
    profile_note.clear();
    taken_profile.reset();
    last_usage = Time{};
  }
};
using PodPtr = std::shared_ptr<PodState>;

struct ProfileState {
  ScrapePlan plan;
  std::map<ObjectKey, PodPtr> pods;
};

struct NodeState {
  std::string name;
  NodeAddress address;
  Time due;
  bool busy = false;
  std::string problem;
  ContainerUsages usages;
  Time read;
};
using NodePtr = std::shared_ptr<NodeState>;

/// One reading of one pod, while it is under way.
struct Cycle {
  PodPtr pod;
  int process;
  ScrapePlan plan;  ///< without its pods
  std::vector<MetricsPage> pages;
  std::size_t next_page = 0;
  Sample sample;
  bool got_something = false;
  std::string error;
  std::vector<std::string> notes;
};
using CyclePtr = std::shared_ptr<Cycle>;

enum class UsageSource { kKubelet, kMetricsApi, kPodSpec };

struct FoundUsage {
  UsageSource source = UsageSource::kPodSpec;
  std::optional<ContainerUsage> usage;
};

template <typename Reader>
using Value = typename decltype(std::declval<Reader&>().finish())::value_type;

}  // namespace

class Scraper::Impl : public std::enable_shared_from_this<Scraper::Impl> {
 public:
  Impl(HttpFetcher& fetcher, const Clock& clock, TokenSource* tokens, UsageFallback* fallback, ScraperOptions options)
      : fetcher_(fetcher),
        clock_(clock),
        tokens_(tokens),
        fallback_(fallback),
        options_(std::move(options)),
        pages_(options_.fetches_at_once, options_.fetches_per_profile),
        profile_slots_(options_.cpu_profiles_at_once, options_.cpu_profiles_per_profile) {
    if (!options_.random) {
      options_.random = [generator = std::mt19937(std::random_device{}())]() mutable {
        return std::uniform_real_distribution<double>(0, 1)(generator);
      };
    }
  }

  void start() {
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    if (fallback_ != nullptr) threads_.emplace_back([this](const std::stop_token& stop) { run_fallbacks(stop); });
  }

  void stop() {
    {
      const Lock lock(mutex_);
      stopping_ = true;
    }
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
  }

  void set_targets(const ObjectKey& key, ScrapePlan plan) {
    const Lock lock(mutex_);
    const Time now = clock_.now();
    plan.interval = std::max(plan.interval, kShortestInterval);
    ProfileState& profile = profiles_[key];
    const bool moved =
        profile.plan.endpoint.port != plan.endpoint.port || profile.plan.endpoint.path != plan.endpoint.path;
    const bool has_arms = std::any_of(plan.pods.begin(), plan.pods.end(),
                                      [](const PodTarget& target) { return target.track != Track::kStable; });
    std::map<ObjectKey, PodPtr> pods;
    for (PodTarget& target : plan.pods) {
      const auto known = profile.pods.find(target.pod);
      PodPtr pod;
      if (known != profile.pods.end() && known->second->target.uid == target.uid &&
          known->second->target.container == target.container) {
        pod = known->second;
        profile.pods.erase(known);
        update(*pod, std::move(target));
        if (moved) {
          pod->source = MemSource::kUnknown;
          pod->no_profiles = false;
        }
        pod->due = std::min(pod->due, now + plan.interval);
      } else {
        pod = std::make_shared<PodState>();
        pod->owner = key;
        pod->target = std::move(target);
        const Duration spread =
            pod->target.track == Track::kStable ? plan.interval : std::min(plan.interval, kTrialSpread);
        pod->due = now + part_of(spread);
        // The first one soon: until then GC's share is only guessed at.
        pod->profile_due = now + part_of(std::min(options_.background_profile_every, 2 * plan.interval));
      }
      const Profiling before = std::exchange(pod->profiling, profiling_of(plan.profiling, has_arms, pod->target));
      if (pod->profiling == Profiling::kTrial && before != Profiling::kTrial) {
        pod->profile_due = std::min(pod->profile_due, now);
      }
      pods.insert_or_assign(pod->target.pod, pod);
    }
    for (const auto& [name, pod] : profile.pods) pod->gone = true;
    profile.pods = std::move(pods);
    plan.pods.clear();
    profile.plan = std::move(plan);
    wake();
  }

  void remove(const ObjectKey& key) {
    const Lock lock(mutex_);
    const auto found = profiles_.find(key);
    if (found == profiles_.end()) return;
    for (const auto& [name, pod] : found->second.pods) pod->gone = true;
    profiles_.erase(found);
  }

  void set_nodes(std::map<std::string, NodeAddress> nodes) {
    const Lock lock(mutex_);
    std::erase_if(nodes_, [&](const auto& node) {
      const auto kept = nodes.find(node.first);
      return kept == nodes.end() || kept->second != node.second->address;
    });
    for (auto& [name, address] : nodes) {
      NodePtr& node = nodes_[name];
      if (node) continue;
      node = std::make_shared<NodeState>();
      node->name = name;
      node->address = std::move(address);
    }
    wake();
  }

  Observation snapshot(const ObjectKey& key, Time now) const {
    const Lock lock(mutex_);
    Observation observation;
    observation.at = now;
    observation.container_source = "pod spec";
    const auto profile = profiles_.find(key);
    if (profile == profiles_.end()) return observation;
    std::array<int, 3> sources{};
    for (const auto& [name, pod] : profile->second.pods) {
      observation.pods.push_back(series_of(*pod, now));
      ++sources[static_cast<std::size_t>(usage_of(pod->target, now).source)];
    }
    // What most pods have; of two that are equal the better one.
    const auto most = std::max_element(sources.begin(), sources.end()) - sources.begin();
    if (most == 0 && sources[0] > 0) observation.container_source = "kubelet";
    if (most == 1) observation.container_source = "metrics.k8s.io";
    return observation;
  }

  ScraperProbe probe() const {
    const Lock lock(mutex_);
    ScraperProbe probe = probe_;
    for (const auto& [key, profile] : profiles_) {
      probe.pods += profile.pods.size();
      for (const auto& [name, pod] : profile.pods) probe.kept_samples += pod->history.samples().size();
    }
    probe.in_flight = pages_.running() + profile_slots_.running();
    probe.waiting = pages_.waiting();
    return probe;
  }

  Time run_due() {
    const Lock lock(mutex_);
    const Time now = clock_.now();
    Time next = now + kLongestWait;
    std::map<std::string, Duration> intervals;  // of the nodes that run pods of ours
    for (auto& [key, profile] : profiles_) {
      for (auto& [name, pod] : profile.pods) {
        note_interval(intervals, profile.plan, *pod);
        if (pod->busy || pod->target.ip.empty()) continue;
        // A clock that was set back must not stop the reading.
        if (pod->due > now + 2 * profile.plan.interval) pod->due = now;
        if (pod->due <= now) {
          begin(pod, profile.plan, now);
        } else {
          next = std::min(next, pod->due);
        }
      }
    }
    for (const auto& [name, interval] : intervals) {
      const auto found = nodes_.find(name);
      if (found == nodes_.end() || found->second->busy) continue;
      NodeState& node = *found->second;
      if (node.due > now + 2 * interval) node.due = now;
      if (node.due <= now) {
        node.due = now + interval;
        read_node(found->second, now);
      } else {
        next = std::min(next, node.due);
      }
    }
    return next;
  }

  void run_fallback() {
    std::set<std::string> namespaces;
    {
      const Lock lock(mutex_);
      const Time now = clock_.now();
      for (const auto& [key, profile] : profiles_) {
        for (const auto& [name, pod] : profile.pods) {
          if (usage_of(pod->target, now).source != UsageSource::kKubelet) namespaces.insert(pod->target.pod.ns);
        }
      }
    }
    ContainerUsages usages;
    std::string problem;
    for (const std::string& ns : namespaces) {
      const Result<std::vector<PodUsage>> listed = fallback_->list(ns);
      if (!listed) {
        problem = "metrics.k8s.io: " + listed.error().message;
        continue;
      }
      for (const PodUsage& entry : *listed) usages[{entry.pod.ns, entry.pod.name, entry.container}] = entry.usage;
    }
    const Lock lock(mutex_);
    fallback_usages_ = std::move(usages);
    fallback_problem_ = std::move(problem);
    fallback_read_ = clock_.now();
  }

 private:
  // --- the threads ---------------------------------------------------------------------------------------------------

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const Time next = run_due();
      const Duration wait = std::clamp<Duration>(next - clock_.now(), kShortestWait, kLongestWait);
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, wait, [this] { return woken_; });
      woken_ = false;
    }
  }

  void run_fallbacks(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      {
        // Waiting first gives the kubelets time to answer.
        std::unique_lock lock(waiting_);
        idle_.wait_for(lock, stop, kFallbackInterval, [] { return false; });
      }
      if (!stop.stop_requested()) run_fallback();
    }
  }

  // --- pages ---------------------------------------------------------------------------------------------------------

  /// Fetches a page through `reader` and hands what it gave, or why it gave nothing, to `done`, with the lock held.
  /// False when `now_or_never` and no place is free.
  template <typename Reader, typename Done>
  bool read_page(FairSlots& slots, bool now_or_never, const ObjectKey& owner, PageKind kind, HttpRequest request,
                 std::shared_ptr<Reader> reader, const PodPtr& pod, Done done) {
    const auto start = [this, &slots, owner, kind, request = std::move(request), reader = std::move(reader), pod,
                        done = std::move(done)] {
      if (stopping_ || (pod && pod->gone)) return false;
      const auto began = std::chrono::steady_clock::now();
      fetcher_.fetch(
          request, [reader](std::string_view piece) { return reader->feed(piece); },
          [weak = weak_from_this(), &slots, owner, kind, reader, done,
           began](const tl::expected<HttpAnswer, FetchError>& outcome) {
            const std::shared_ptr<Impl> self = weak.lock();
            if (!self) return;
            // Decoding may take a while: the lock is not held for it.
            const auto page = self->page_of(outcome, *reader);
            std::unique_lock lock(self->mutex_);
            if (self->stopping_) return;
            ScraperProbe::Pages& seen = self->probe_.pages[static_cast<std::size_t>(kind)];
            ++seen.outcomes[static_cast<std::size_t>(page ? PageFailure::kNone : page.error().failure)];
            seen.bytes += outcome ? outcome->bytes : outcome.error().bytes;
            seen.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
            slots.release(owner);
            done(page);
            const std::vector<ObjectKey> read = std::exchange(self->read_, {});
            lock.unlock();
            if (!self->options_.on_reading) return;
            for (const ObjectKey& profile : read) self->options_.on_reading(profile);
          });
      return true;
    };
    if (now_or_never) return slots.try_start(owner, start);
    slots.submit(owner, start);
    return true;
  }

  template <typename Reader>
  static tl::expected<Value<Reader>, PageError> page_of(const tl::expected<HttpAnswer, FetchError>& outcome,
                                                        Reader& reader) {
    if (!outcome) return tl::unexpected<PageError>(page_error(outcome.error()));
    if (outcome->status < 200 || outcome->status >= 300) return tl::unexpected<PageError>(page_error(*outcome));
    auto value = reader.finish();
    if (!value) {
      return tl::unexpected<PageError>(
          PageError{PageFailure::kContent, 0, value.error().message, value.error().kind == ErrorKind::kNotFound});
    }
    return std::move(*value);
  }

  HttpRequest request_to(const PodState& pod, int port, std::string target, std::size_t most) const {
    HttpRequest request;
    request.address = pod.target.ip;
    request.port = port;
    request.target = std::move(target);
    request.timeout = options_.fetch_timeout;
    request.most_bytes = most;
    return request;
  }

  // --- one pod -------------------------------------------------------------------------------------------------------

  void begin(const PodPtr& pod, const ScrapePlan& plan, Time now) {
    pod->busy = true;
    ++probe_.cycles;
    const auto missed = (now - pod->due) / plan.interval;
    pod->due += (missed + 1) * plan.interval;
    probe_.skipped += static_cast<std::uint64_t>(missed);

    auto cycle = std::make_shared<Cycle>();
    cycle->pod = pod;
    cycle->process = pod->process;
    cycle->plan = plan;
    cycle->pages = pages_of(plan);
    if (pod->source == MemSource::kHeap) {
      read_heap(cycle);
    } else {
      read_vars(cycle);
    }
  }

  bool is_stale(const Cycle& cycle) const { return cycle.pod->gone || cycle.process != cycle.pod->process; }

  void read_vars(const CyclePtr& cycle) {
    HttpRequest request = request_to(*cycle->pod, cycle->plan.endpoint.port, kExpvarPath, Expvar::kMostBytes);
    read_page(pages_, false, cycle->pod->owner, PageKind::kVars, request, std::make_shared<Expvar>(), cycle->pod,
              [this, cycle, request](const tl::expected<MemStats, PageError>& page) {
                if (is_stale(*cycle)) return drop(*cycle);
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

  void read_heap(const CyclePtr& cycle) {
    HttpRequest request =
        request_to(*cycle->pod, cycle->plan.endpoint.port, cycle->plan.endpoint.path + "/heap?debug=1", kHeapBytes);
    read_page(pages_, false, cycle->pod->owner, PageKind::kHeap, request, std::make_shared<HeapTrailer>(), cycle->pod,
              [this, cycle, request](const tl::expected<MemStats, PageError>& page) {
                if (is_stale(*cycle)) return drop(*cycle);
                if (page) return take_mem(cycle, *page);
                // Perhaps another program listens there by now: look for expvar again next time.
                if (page.error().failure == PageFailure::kStatus) cycle->pod->source = MemSource::kUnknown;
                miss_mem(cycle, PageKind::kHeap, request, page.error());
              });
  }

  void take_mem(const CyclePtr& cycle, const MemStats& mem) {
    cycle->sample.at = clock_.now();
    cycle->sample.mem = mem;
    cycle->got_something = true;
    read_next_page(cycle);
  }

  void miss_mem(const CyclePtr& cycle, PageKind kind, const HttpRequest& request, const PageError& error) {
    cycle->error = failure_text(kind, cycle->pod->target.pod.text(), request, error);
    read_next_page(cycle);
  }

  void read_next_page(const CyclePtr& cycle) {
    if (cycle->next_page == cycle->pages.size()) return finish(cycle);
    const MetricsPage& page = cycle->pages[cycle->next_page++];
    HttpRequest request = request_to(*cycle->pod, page.port, page.path, kMetricsBytes);
    read_page(pages_, false, cycle->pod->owner, PageKind::kMetrics, request,
              std::make_shared<AppMetricsReader>(page.slos), cycle->pod,
              [this, cycle, request](const tl::expected<AppMetrics, PageError>& read) {
                if (is_stale(*cycle)) return drop(*cycle);
                const std::string subject = cycle->pod->target.pod.text();
                if (read) {
                  Sample& sample = cycle->sample;
                  if (read->process && !sample.process) sample.process = read->process;
                  sample.latency.insert(read->latency.begin(), read->latency.end());
                  cycle->got_something = cycle->got_something || read->process || !read->latency.empty();
                  for (const auto& [slo, why] : read->missing) {
                    cycle->notes.push_back(
                        failure_text(PageKind::kMetrics, subject, request, {PageFailure::kContent, 0, why}));
                  }
                } else {
                  cycle->notes.push_back(failure_text(PageKind::kMetrics, subject, request, read.error()));
                }
                read_next_page(cycle);
              });
  }

  void finish(const CyclePtr& cycle) {
    PodState& pod = *cycle->pod;
    const Time now = clock_.now();
    if (cycle->sample.at == Time{}) cycle->sample.at = now;
    const FoundUsage found = usage_of(pod.target, now);
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
    read_.push_back(pod.owner);
    if (cycle->got_something) {
      ++probe_.samples;
      pod.history.append(std::move(cycle->sample), options_.samples_per_pod);
    }
    // A pod whose pprof cannot be reached has no CPU profile either.
    if (!pod.error.empty() || !profile_is_due(pod, now) || !take_profile(cycle, now)) pod.busy = false;
  }

  void drop(Cycle& cycle) { cycle.pod->busy = false; }

  // --- CPU profiles --------------------------------------------------------------------------------------------------

  static bool profile_is_due(const PodState& pod, Time now) {
    return pod.profiling != Profiling::kNever && !pod.no_profiles && pod.profile_due <= now;
  }

  /// Half of a trial's interval, so that the pod is idle for the other half.
  int profile_seconds(const PodState& pod, const ScrapePlan& plan) const {
    const Duration wanted = pod.profiling == Profiling::kTrial ? plan.interval / 2 : options_.background_profile_length;
    const auto whole = std::chrono::duration_cast<seconds>(wanted).count();
    return static_cast<int>(std::clamp<std::int64_t>(whole, 1, pod.longest_profile));
  }

  bool take_profile(const CyclePtr& cycle, Time now) {
    PodState& pod = *cycle->pod;
    const int length = profile_seconds(pod, cycle->plan);
    HttpRequest request = request_to(pod, cycle->plan.endpoint.port,
                                     cycle->plan.endpoint.path + "/profile?seconds=" + std::to_string(length),
                                     CpuProfileReader::kMostBytes);
    request.timeout += seconds(length);
    const bool trial = pod.profiling == Profiling::kTrial;
    pod.profile_due = now + (trial ? Duration(0) : options_.background_profile_every);
    return read_page(profile_slots_, true, pod.owner, PageKind::kCpuProfile, request,
                     std::make_shared<CpuProfileReader>(), cycle->pod,
                     [this, cycle, request, length](const tl::expected<GcProfile, PageError>& page) {
                       cycle->pod->busy = false;
                       if (is_stale(*cycle)) return;
                       if (page) {
                         cycle->pod->taken_profile = *page;
                         cycle->pod->profile_note.clear();
                       } else {
                         miss_profile(*cycle->pod, cycle->plan.interval, request, length, page.error());
                       }
                     });
  }

  void miss_profile(PodState& pod, Duration interval, const HttpRequest& request, int length, const PageError& error) {
    const Time now = clock_.now();
    pod.profile_note = failure_text(PageKind::kCpuProfile, pod.target.pod.text(), request, error);
    pod.profile_due = std::max(pod.profile_due, now + std::min(kProfileRetry, 8 * interval));
    if (error.failure != PageFailure::kStatus) return;
    if (error.status == 400 && length > 1) {
      // The server's WriteTimeout is shorter than the profile.
      pod.longest_profile = length / 2;
      pod.profile_due = now;
    } else if (error.status >= 500) {
      // Somebody else profiles it just now.
      pod.profile_due = now + std::min(kBusyProfileRetry, 2 * interval);
    } else {
      pod.no_profiles = true;
    }
  }

  // --- kubelets ------------------------------------------------------------------------------------------------------

  void note_interval(std::map<std::string, Duration>& intervals, const ScrapePlan& plan, const PodState& pod) const {
    if (pod.target.node.empty()) return;
    const Duration wanted = plan.profiling == Profiling::kTrial
                                ? std::clamp(plan.interval, kShortestKubeletInterval, options_.kubelet_interval)
                                : options_.kubelet_interval;
    const auto [entry, added] = intervals.emplace(pod.target.node, wanted);
    if (!added) entry->second = std::min(entry->second, wanted);
  }

  void read_node(const NodePtr& node, Time now) {
    HttpRequest request;
    request.address = node->address.ip;
    request.port = node->address.port;
    request.target = "/metrics/cadvisor";
    request.tls = true;
    request.timeout = options_.fetch_timeout;
    request.most_bytes = kCadvisorBytes;
    if (tokens_ != nullptr) {
      Result<std::string> token = tokens_->token();
      if (!token) {
        node->problem = "node " + node->name + ": " + token.error().message;
        return;
      }
      request.bearer_token = std::move(*token);
    }
    std::set<ContainerKey> wanted;
    for (const auto& [key, profile] : profiles_) {
      for (const auto& [name, pod] : profile.pods) {
        if (pod->target.node == node->name) {
          wanted.insert({pod->target.pod.ns, pod->target.pod.name, pod->target.container});
        }
      }
    }
    node->busy = true;
    // Kubelets are owners of their own: pods of a profile cannot take their places.
    const ObjectKey owner{"", node->name};
    read_page(pages_, false, owner, PageKind::kCadvisor, request,
              std::make_shared<CadvisorReader>(std::move(wanted), now), nullptr,
              [this, node, request](const tl::expected<ContainerUsages, PageError>& page) {
                node->busy = false;
                if (page) {
                  node->usages = *page;
                  node->read = clock_.now();
                  node->problem.clear();
                  return;
                }
                if (page.error().status == 401 && tokens_ != nullptr) tokens_->refused();
                node->problem = failure_text(PageKind::kCadvisor, "node " + node->name, request, page.error());
              });
  }

  FoundUsage usage_of(const PodTarget& target, Time now) const {
    const ContainerKey key{target.pod.ns, target.pod.name, target.container};
    if (const auto node = nodes_.find(target.node); node != nodes_.end()) {
      const auto usage = node->second->usages.find(key);
      if (usage != node->second->usages.end() && now - node->second->read < kOldestUsage) {
        return {UsageSource::kKubelet, usage->second};
      }
    }
    const auto usage = fallback_usages_.find(key);
    if (usage != fallback_usages_.end() && now - fallback_read_ < kOldestUsage) {
      return {UsageSource::kMetricsApi, usage->second};
    }
    return {};
  }

  // --- what goes out -------------------------------------------------------------------------------------------------

  PodSeries series_of(const PodState& pod, Time now) const {
    PodSeries series;
    series.pod = pod.target.pod.name;
    series.track = pod.target.track;
    series.ready = pod.target.ready;
    series.started = pod.target.started;
    series.restarts = pod.target.restarts;
    series.oom_killed = pod.target.oom_killed;
    series.settings = pod.target.settings;
    series.memory_limit = pod.target.memory_limit;
    series.cpu_limit = pod.target.cpu_limit;
    series.samples.assign(pod.history.samples().begin(), pod.history.samples().end());
    series.error = pod.target.ip.empty() ? pod.target.pod.text() + " has no IP address yet: it is read once it has one"
                                         : pod.error;
    series.notes = pod.notes;
    if (!pod.profile_note.empty()) series.notes.push_back(pod.profile_note);
    const FoundUsage found = usage_of(pod.target, now);
    if (found.source != UsageSource::kKubelet && !pod.target.node.empty()) {
      const auto node = nodes_.find(pod.target.node);
      if (node == nodes_.end()) {
        series.notes.push_back("node " + pod.target.node + ": its address is not known, so its kubelet is not read");
      } else if (!node->second->problem.empty()) {
        series.notes.push_back(node->second->problem);
      }
      if (!found.usage && !fallback_problem_.empty()) series.notes.push_back(fallback_problem_);
    }
    return series;
  }

  // --- small things --------------------------------------------------------------------------------------------------

  /// While there are canary and baseline pods, the places for CPU profiles are theirs.
  static Profiling profiling_of(Profiling wanted, bool has_arms, const PodTarget& target) {
    const bool aside = has_arms && target.track == Track::kStable;
    return wanted == Profiling::kTrial && aside ? Profiling::kBackground : wanted;
  }

  static void update(PodState& pod, PodTarget target) {
    if (pod.target.restarts != target.restarts || pod.target.started != target.started) pod.begin_process();
    pod.target = std::move(target);
  }

  void wake() {
    woken_ = true;
    changed_.notify_all();
  }

  Duration part_of(Duration whole) {
    return Duration(static_cast<std::int64_t>(static_cast<double>(whole.count()) * options_.random()));
  }

  HttpFetcher& fetcher_;
  const Clock& clock_;
  TokenSource* const tokens_;
  UsageFallback* const fallback_;
  ScraperOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  bool stopping_ = false;
  std::map<ObjectKey, ProfileState> profiles_;
  std::map<std::string, NodePtr> nodes_;
  FairSlots pages_;
  FairSlots profile_slots_;
  ScraperProbe probe_;
  std::vector<ObjectKey> read_;  ///< profiles of the pods whose cycle has just ended
  ContainerUsages fallback_usages_;
  std::string fallback_problem_;
  Time fallback_read_;

  std::mutex waiting_;
  std::condition_variable_any idle_;
  std::vector<std::jthread> threads_;
};

Scraper::Scraper(HttpFetcher& fetcher, const Clock& clock, TokenSource* tokens, UsageFallback* fallback,
                 ScraperOptions options)
    : impl_(std::make_shared<Impl>(fetcher, clock, tokens, fallback, std::move(options))) {}
Scraper::~Scraper() { impl_->stop(); }

void Scraper::set_targets(const ObjectKey& profile, ScrapePlan plan) { impl_->set_targets(profile, std::move(plan)); }
void Scraper::remove(const ObjectKey& profile) { impl_->remove(profile); }
void Scraper::set_nodes(std::map<std::string, NodeAddress> nodes) { impl_->set_nodes(std::move(nodes)); }
Observation Scraper::snapshot(const ObjectKey& profile, Time now) const { return impl_->snapshot(profile, now); }
ScraperProbe Scraper::probe() const { return impl_->probe(); }
void Scraper::start() { impl_->start(); }
Time Scraper::run_due() { return impl_->run_due(); }
void Scraper::run_fallback() { impl_->run_fallback(); }

}  // namespace gopacer
