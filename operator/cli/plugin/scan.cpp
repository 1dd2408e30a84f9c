#include "cli/plugin/scan.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "cli/advice.h"
#include "cli/plugin/listing.h"
#include "cli/plugin/pages.h"
#include "codec/pod.h"
#include "codec/resources.h"
#include "codec/workload.h"
#include "control/metrics_api.h"
#include "control/observation_feed.h"
#include "gopacer/domain/settings.h"
#include "observe/scraper.h"

namespace gopacer::plugin {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::array kUsualPorts{6060, 8080};
constexpr std::size_t kMostPorts = 6;  ///< of a pod that are asked
/// What is read of a younger pod may be of its beginning.
constexpr Duration kYoung = std::chrono::minutes(5);
constexpr Duration kProbeTime = seconds(40);
constexpr Duration kProbeTimeout = seconds(3);
constexpr std::size_t kHeadOfProfile = 32;
constexpr int kAtOnce = 16;  ///< pages that are asked for
constexpr std::size_t kMostMeasured = 100;
/// So many are read twelve times, more of them six times.
constexpr std::size_t kFew = 10;
constexpr Duration kLongestInterval = seconds(15);
constexpr Duration kLongestProfile = seconds(4);

/// A Deployment and the pod of it that is asked.
struct Candidate {
  Workload workload;
  Pod pod;
  std::map<int, std::string> port_of;  ///< ports that are spoken of, and the containers that do
};

bool is_better(const Pod& pod, const Pod& than) {
  return pod.created && (!than.created || *pod.created < *than.created);
}

Result<std::map<std::string, Candidate>> read_workloads(ApiServer& api, const ScanOptions& options,
                                                        ScanReport& report) {
  std::map<std::string, Candidate> by_uid;
  auto read = each_of(api, {resources::kDeployments, options.ns, "", ""}, [&](const json& object) {
    auto workload = codec::decode_deployment(object);
    if (!workload || !workload->arm_of.empty()) return;
    if (!options.deployment.empty() && workload->key.name != options.deployment) return;
    ++report.deployments;
    const std::string uid = workload->uid;
    by_uid[uid] = {std::move(*workload), {}, {}};
  });
  if (!read) return tl::unexpected(read.error());
  std::map<std::string, std::string> deployment_of;  // by the uid of a ReplicaSet
  read = each_of(api, {resources::kReplicaSets, options.ns, "", "", true}, [&](const json& object) {
    const auto set = codec::decode_replica_set(object);
    if (set && by_uid.contains(set->controller.uid)) deployment_of[set->uid] = set->controller.uid;
  });
  if (!read) return tl::unexpected(read.error());
  read = each_of(api, {resources::kPods, options.ns, "", ""}, [&](const json& object) {
    auto pod = codec::decode_pod(object);
    if (!pod || !pod->ready || !pod->lives() || pod->ip.empty() || pod->host_network) return;
    const auto owner = deployment_of.find(pod->controller.uid);
    if (owner == deployment_of.end()) return;
    Candidate& candidate = by_uid.at(owner->second);
    if (!candidate.pod.uid.empty() && !is_better(*pod, candidate.pod)) return;
    candidate.port_of = declared_ports(object);
    candidate.pod = std::move(*pod);
  });
  if (!read) return tl::unexpected(read.error());
  return by_uid;
}

/// One page of one pod, and what was found on it.
struct Probe {
  std::size_t candidate = 0;
  std::string address;
  int port = 0;
  bool of_pprof = false;
  std::string body;  ///< while it comes
  bool is_heap = false;
  MetricsLook metrics = {};
};

/// What is asked, a few at a time, and by whom it is awaited. A late answer finds it still there.
struct Probes {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Probe> all;
  std::size_t asked = 0;
  std::size_t awaited = 0;
  bool over = false;  ///< nothing more is asked, and answers come too late

  void take(Probe& probe, bool good) {
    if (good && !over) {
      probe.is_heap = probe.of_pprof && is_heap_profile(probe.body);
      if (!probe.of_pprof) probe.metrics = look_at_metrics(probe.body);
    }
    probe.body = {};
    --awaited;
    changed.notify_all();
  }
};

/// Asks for the next page that nobody has asked for, and goes on with the one after it when the answer is there.
void ask_next(HttpFetcher& fetcher, const std::shared_ptr<Probes>& probes) {
  std::size_t index = 0;
  HttpRequest request;
  {
    const std::lock_guard lock(probes->mutex);
    if (probes->over || probes->asked == probes->all.size()) return;
    index = probes->asked++;
    const Probe& probe = probes->all[index];
    request.address = probe.address;
    request.port = probe.port;
    request.target = probe.of_pprof ? "/debug/pprof/heap?debug=1" : "/metrics";
  }
  request.timeout = kProbeTimeout;
  request.most_bytes = 2 * kLongestPage;
  const std::size_t enough = request.target == "/metrics" ? kLongestPage : kHeadOfProfile;
  fetcher.fetch(
      std::move(request),
      [probes, index, enough](std::string_view piece) {
        const std::lock_guard lock(probes->mutex);
        std::string& body = probes->all[index].body;
        body.append(piece.substr(0, enough - body.size()));
        return body.size() < enough && !probes->over;
      },
      [&fetcher, probes, index](const tl::expected<HttpAnswer, FetchError>& answer) {
        {
          const std::lock_guard lock(probes->mutex);
          probes->take(probes->all[index], answer.has_value() && answer->status < 300);
        }
        ask_next(fetcher, probes);
      });
}

std::vector<int> ports_of(const Candidate& candidate) {
  std::set<int> ports(kUsualPorts.begin(), kUsualPorts.end());
  for (const auto& [port, container] : candidate.port_of) {
    if (ports.size() < kMostPorts) ports.insert(port);
  }
  return {ports.begin(), ports.end()};
}

/// The first port of each, then the second: where there is no time for all, each was asked for something.
std::vector<Probe> probes_of(const std::vector<Candidate>& candidates) {
  std::vector<Probe> all;
  for (std::size_t round = 0; round < kMostPorts; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::vector<int> ports = ports_of(candidates[i]);
      if (round >= ports.size()) continue;
      for (const bool of_pprof : {true, false}) all.push_back({i, candidates[i].pod.ip, ports[round], of_pprof, {}});
    }
  }
  return all;
}

/// What the candidates' ports answer within kProbeTime.
std::vector<Probe> probe(const ScanPorts& ports, const std::vector<Candidate>& candidates, ScanReport& report) {
  const auto probes = std::make_shared<Probes>();
  for (const Candidate& candidate : candidates) ports.know(candidate.pod.ip, candidate.pod.key);
  probes->all = probes_of(candidates);
  probes->awaited = probes->all.size();
  for (int i = 0; i < kAtOnce; ++i) ask_next(ports.fetcher, probes);
  const auto end = std::chrono::steady_clock::now() + kProbeTime;
  std::unique_lock lock(probes->mutex);
  while (probes->awaited > 0 && std::chrono::steady_clock::now() < end) {
    const std::size_t left = probes->awaited;
    lock.unlock();
    ports.progress("asking pods: " + std::to_string(left) + " pages to go");
    lock.lock();
    probes->changed.wait_for(lock, seconds(1), [&] { return probes->awaited == 0; });
  }
  probes->over = true;
  report.unasked = static_cast<int>(probes->awaited);
  return probes->all;
}

/// Of a port that no container speaks of, the first one.
std::string container_at(const Candidate& candidate, int port) {
  const auto declared = candidate.port_of.find(port);
  if (declared != candidate.port_of.end()) return declared->second;
  const auto& containers = candidate.workload.containers;
  return containers.empty() ? "" : containers.front().name;
}

/// Puts what one page said into the service. Containers that are in the pod only were injected and are nobody's to
/// tune; and a page of Go's metrics that is another container's tells nothing of the one that serves pprof.
void take_page(const Candidate& candidate, const Probe& probe, ServiceStory& service) {
  const std::string container = container_at(candidate, probe.port);
  if (container_named(candidate.workload.containers, container) == nullptr) return;
  if (probe.is_heap && !service.pprof) {
    service.pprof = PageAddress{probe.port, "/debug/pprof"};
    service.container = container;
  }
  if (!probe.metrics.is_go || service.metrics || (service.pprof && container != service.container)) return;
  service.metrics = PageAddress{probe.port, "/metrics"};
  service.go_version = probe.metrics.go_version;
  service.histograms = probe.metrics.histograms;
  service.container = container;
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void find_obstacles(const Candidate& candidate, ServiceStory& service) {
  const Workload& workload = service.workload;
  if (!service.pprof) {
    service.obstacles.push_back(
        "it serves no pprof: import net/http/pprof and serve it, or let node agents read it (docs/live.md)");
  }
  const auto& page = service.pprof ? service.pprof : service.metrics;
  if (page && workload.containers.size() > 1 && !candidate.port_of.contains(page->port)) {
    service.obstacles.push_back("of its " + std::to_string(workload.containers.size()) + " containers '" +
                                service.container + "' is a guess: give containerName");
  }
  const ContainerSpec* const container = container_named(workload.containers, service.container);
  if (container == nullptr) return;
  service.current = readable_settings(env_of(*container));
  std::set<std::string> others;
  for (const EnvOwner& owner : workload.env_owners) {
    if (owner.container == service.container && owner.manager != kFieldManager) others.insert(owner.manager);
  }
  if (!others.empty()) {
    service.obstacles.push_back("GOGC or GOMEMLIMIT is set by " + joined(others) +
                                ": gopacer recommends only, until that is left out there");
  }
  if (!container->memory_limit) service.obstacles.push_back("the container has no memory limit");
  for (const SingleUse& use : workload.single_use) service.obstacles.push_back("no canary beside it: " + use.what);
  if (workload.recreates) service.obstacles.push_back("no canary beside it: there must never be two pods at once");
  if (workload.controller.exists()) {
    service.obstacles.push_back("it belongs to " + workload.controller.kind + " " + workload.controller.name);
  }
}

std::vector<ServiceStory> services_of(const std::vector<Candidate>& candidates, const std::vector<Probe>& probes) {
  std::vector<ServiceStory> all(candidates.size());
  // Whose metrics count is known once pprof was looked for everywhere.
  for (const bool of_pprof : {true, false}) {
    for (const Probe& probe : probes) {
      if (probe.of_pprof == of_pprof) take_page(candidates[probe.candidate], probe, all[probe.candidate]);
    }
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    all[i].workload = candidates[i].workload;
    all[i].pod = candidates[i].pod.key;
    find_obstacles(candidates[i], all[i]);
  }
  return all;
}

ProfileSpec spec_of(const ServiceStory& service) {
  ProfileSpec spec;
  spec.target = service.workload.key.name;
  // Nothing is compared here. That a pod is young is said.
  spec.canary.warm_up = Duration(0);
  if (service.pprof) {
    spec.metrics.port = service.pprof->port;
    spec.metrics.path = service.pprof->path;
  }
  return spec;
}

ScrapePlan plan_of(const ServiceStory& service, const Pod& pod, Duration interval, Duration keep) {
  ScrapePlan plan;
  plan.target = service.workload.key.name;
  plan.endpoint = spec_of(service).metrics;
  plan.process_page = service.metrics;
  plan.interval = interval;
  plan.keep = std::max(plan.keep, keep);
  if (const ContainerSpec* const container = container_named(pod.containers, service.container)) {
    plan.pods = {pod_target(pod, *container)};
    plan.pods.front().ip = pod.ip;
  }
  return plan;
}

/// How long has to be read before anything is said goes by the interval.
Decision decide_on(const ServiceStory& service, const Observation& observed, Duration interval) {
  DecideInput input;
  input.spec = spec_of(service);
  input.spec.metrics.interval = interval;
  input.current = service.current;
  input.template_hash = service.workload.template_hash;
  input.observed = observed;
  input.replicas = std::max(1, service.workload.replicas);
  input.no_trial_follows = true;
  if (const ContainerSpec* const container = container_named(service.workload.containers, service.container)) {
    input.memory_request = container->memory_request;
    input.env_from = container->env_from;
  }
  return decide(input, observed.at);
}

/// Reads the services with pprof for a while, all at the same time, and decides on each.
void measure(const ScanPorts& ports, Duration duration, const std::map<ObjectKey, const Pod*>& pods,
             std::vector<ServiceStory>& services) {
  std::vector<ServiceStory*> measured;
  for (ServiceStory& service : services) {
    if (!service.pprof) continue;
    if (measured.size() < kMostMeasured) {
      measured.push_back(&service);
    } else {
      service.obstacles.push_back("it was not read: more than " + std::to_string(kMostMeasured) +
                                  " services were found; scan its namespace alone");
    }
  }
  if (measured.empty()) return;
  MetricsApi usage(ports.api);
  ScraperOptions options;
  options.background_profile_every = Duration(0);
  const Duration interval =
      std::clamp<Duration>(duration / (measured.size() <= kFew ? 12 : 6), kShortestInterval, kLongestInterval);
  options.background_profile_length = std::min<Duration>(interval * 4 / 5, kLongestProfile);
  options.cpu_profiles = {.places = 10, .per_namespace = 10, .per_owner = 10};
  options.fetch_timeout = seconds(5);
  options.fallback_interval = interval;
  Scraper scraper(ports.fetcher, ports.clock, nullptr, &usage, options);
  for (const ServiceStory* const service : measured) {
    scraper.set_targets(service->workload.key, plan_of(*service, *pods.at(service->pod), interval, 2 * duration));
  }
  scraper.start();
  const auto begun = std::chrono::steady_clock::now();
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (std::chrono::steady_clock::now() < begun + duration) {
    const Duration elapsed = std::chrono::steady_clock::now() - begun;
    ports.progress("reading " + std::to_string(measured.size()) + " services: " +
                   format_duration(std::chrono::floor<seconds>(elapsed)) + " of " + format_duration(duration));
    never.wait_for(lock, seconds(1));
  }
  for (ServiceStory* const service : measured) {
    service->decision = decide_on(*service, scraper.snapshot(service->workload.key, ports.clock.now()), interval);
    const auto created = pods.at(service->pod)->created;
    if (created && ports.clock.now() - *created < kYoung) {
      service->obstacles.push_back("pod " + service->pod.name +
                                   " was made less than five minutes ago: scan again later");
    }
  }
}

void note_profiles(ApiServer& api, const std::string& ns, ScanReport& report) {
  const auto profiles = read_profiles(api, ns);
  if (!profiles) {
    // Where gopacer is not installed there are none.
    if (profiles.error().kind != ErrorKind::kNotFound) report.profiles_unknown = profiles.error().message;
    return;
  }
  std::map<std::pair<std::string, std::string>, std::string> profile_of;
  for (const ProfileStory& profile : *profiles) profile_of[{profile.key.ns, profile.target}] = profile.key.name;
  for (ServiceStory& service : report.services) {
    const ObjectKey& target = service.workload.key;
    const auto found = profile_of.find({target.ns, "Deployment/" + target.name});
    if (found != profile_of.end()) service.profile = found->second;
  }
}

}  // namespace

bool advises(const ServiceStory& service) {
  return service.decision && service.decision->kind == Decision::Kind::kChange;
}

double saved_cores(const ServiceStory& service) {
  const Prediction* const expected = advises(service) ? predicted_of(*service.decision) : nullptr;
  if (expected == nullptr || !service.decision->estimate) return 0;
  return expected->saving * service.decision->estimate->cpu * service.workload.replicas;
}

double more_memory(const ServiceStory& service) {
  const Prediction* const expected = advises(service) ? predicted_of(*service.decision) : nullptr;
  if (expected == nullptr || !service.decision->estimate) return 0;
  return (expected->peak_memory - service.decision->estimate->peak_memory) / gib(1) * service.workload.replicas;
}

Result<ScanReport> scan(const ScanPorts& ports, const ScanOptions& options) {
  ScanReport report;
  auto workloads = read_workloads(ports.api, options, report);
  if (!workloads) return tl::unexpected(workloads.error());
  if (!options.deployment.empty() && workloads->empty()) {
    return fail(ErrorKind::kNotFound, "there is no Deployment " + options.deployment + " in namespace " + options.ns);
  }
  std::vector<Candidate> candidates;
  for (auto& [uid, candidate] : *workloads) {
    if (candidate.pod.uid.empty()) {
      ++report.without_pods;
    } else {
      candidates.push_back(std::move(candidate));
    }
  }
  report.services = services_of(candidates, probe(ports, candidates, report));
  const auto without = std::partition(report.services.begin(), report.services.end(),
                                      [](const ServiceStory& one) { return one.pprof || one.metrics; });
  report.without_go = static_cast<int>(report.services.end() - without);
  report.services.erase(without, report.services.end());
  note_profiles(ports.api, options.ns, report);
  std::map<ObjectKey, const Pod*> pods;
  for (const Candidate& candidate : candidates) pods[candidate.pod.key] = &candidate.pod;
  if (options.duration > Duration(0)) measure(ports, options.duration, pods, report.services);
  std::sort(report.services.begin(), report.services.end(), [](const ServiceStory& a, const ServiceStory& b) {
    const double one = saved_cores(a);
    const double other = saved_cores(b);
    return one != other ? one > other : a.workload.key < b.workload.key;
  });
  return report;
}

}  // namespace gopacer::plugin
