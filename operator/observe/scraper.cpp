#include "observe/scraper.h"

#include <algorithm>
#include <array>
#include <compare>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <stop_token>
#include <thread>
#include <utility>

#include "observe/page_reader.h"
#include "observe/pod_reader.h"
#include "observe/usage_reader.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kShortestKubeletInterval = seconds(5);
// New pods of a trial are read soon; there are only a few of them.
constexpr Duration kTrialSpread = seconds(2);
constexpr Duration kShortestWait = milliseconds(20);
constexpr Duration kLongestWait = seconds(1);

using Lock = std::lock_guard<std::mutex>;

struct ProfileState {
  ScrapePlan plan;
  std::map<ObjectKey, PodPtr> pods;
};

/// One container of one pod. The pod's name alone may be another pod's by now.
struct ContainerId {
  ObjectKey pod;
  std::string uid;
  std::string container;
  auto operator<=>(const ContainerId&) const = default;
};

ContainerId id_of(const PodTarget& target) { return {target.pod, target.uid, target.container}; }
ContainerKey key_of(const PodTarget& target) { return {target.pod.ns, target.pod.name, target.container}; }

/// Names of SLOs that are read from elsewhere now.
std::vector<std::string> changed_slos(const std::vector<Slo>& before, const std::vector<Slo>& now) {
  std::vector<std::string> names;
  for (const Slo& slo : now) {
    const Slo* const known = slo_named(before, slo.name);
    if (known != nullptr && !known->reads_the_same_as(slo)) names.push_back(slo.name);
  }
  return names;
}

}  // namespace

class Scraper::Impl {
 public:
  Impl(HttpFetcher& fetcher, const Clock& clock, TokenSource* tokens, UsageFallback* fallback, ScraperOptions options,
       QueryPorts queries)
      : clock_(clock),
        fallback_(fallback),
        secrets_(queries.secrets),
        options_(std::move(options)),
        pages_(std::make_shared<PageReader>(fetcher, options_)),
        usage_(*pages_, clock, tokens, options_.fetch_timeout),
        histories_(options_.history),
        queries_(*pages_, queries.fetcher, clock, options_.prometheus, options_.fetch_timeout),
        reader_(*pages_, usage_, queries_, histories_, clock, options_, agents_,
                [this](const PodPtr& pod) { schedule(pod); }) {
    if (!options_.random) {
      options_.random = [generator = std::mt19937(std::random_device{}())]() mutable {
        return std::uniform_real_distribution<double>(0, 1)(generator);
      };
    }
  }

  void start() {
    pages_->start_decoding();
    threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    if (fallback_ != nullptr || secrets_ != nullptr) {
      threads_.emplace_back([this](const std::stop_token& stop) { run_slow_questions(stop); });
    }
  }

  void stop() {
    {
      const Lock lock(mutex());
      pages_->stop();
    }
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
    pages_->stop_decoding();
  }

  void set_targets(const ObjectKey& key, ScrapePlan plan) {
    const Lock lock(mutex());
    const Time now = clock_.now();
    plan.interval = std::max(plan.interval, kShortestInterval);
    ProfileState& profile = profiles_[key];
    const bool moved =
        profile.plan.endpoint.port != plan.endpoint.port || profile.plan.endpoint.path != plan.endpoint.path;
    const bool has_canary = std::any_of(plan.pods.begin(), plan.pods.end(),
                                        [](const PodTarget& target) { return target.track == Track::kCanary; });
    const std::vector<std::string> changed = changed_slos(profile.plan.slos, plan.slos);
    queries_.follow(key, plan);
    std::map<ObjectKey, PodPtr> pods;
    for (PodTarget& target : plan.pods) {
      const ObjectKey name = target.pod;
      pods.insert_or_assign(name, take_part(key, std::move(target), plan, now));
    }
    for (const auto& [name, pod] : profile.pods) {
      const auto still = pods.find(name);
      if (still == pods.end() || still->second != pod) leave(pod, key);
    }
    for (const auto& [name, pod] : pods) {
      if (pod->owner() != key) continue;
      if (moved) {
        pod->source = MemSource::kUnknown;
        pod->no_profiles = false;
      }
      for (const std::string& slo : changed) forget(*pod, slo);
      follow(*pod, plan, has_canary, now);
      schedule(pod);
    }
    profile.pods = std::move(pods);
    plan.pods.clear();
    profile.plan = std::move(plan);
    wake();
  }

  void remove(const ObjectKey& key) {
    const Lock lock(mutex());
    const auto found = profiles_.find(key);
    if (found == profiles_.end()) return;
    for (const auto& [name, pod] : found->second.pods) leave(pod, key);
    queries_.forget(key);
    profiles_.erase(found);
  }

  void set_agent(const std::string& node, std::optional<NodeAddress> address) {
    const Lock lock(mutex());
    if (address) {
      agents_[node] = std::move(*address);
    } else {
      agents_.erase(node);
    }
  }

  void set_node(const std::string& name, std::optional<NodeAddress> address) {
    const Lock lock(mutex());
    usage_.set_node(name, std::move(address));
    wake();
  }

  Observation snapshot(const ObjectKey& key, Time now) const {
    const Lock lock(mutex());
    Observation observation;
    observation.at = now;
    observation.container_source = "pod spec";
    const auto profile = profiles_.find(key);
    if (profile == profiles_.end()) return observation;
    std::array<int, kUsageSources> sources{};
    for (const auto& [name, pod] : profile->second.pods) {
      observation.pods.push_back(series_of(*pod, key, now));
      ++sources[static_cast<std::size_t>(usage_.usage_of(pod->target, now).source)];
    }
    // What most pods have; of two that are equal the better one.
    const auto most = std::max_element(sources.begin(), sources.end()) - sources.begin();
    if (most == 0 && sources[0] > 0) observation.container_source = "kubelet";
    if (most == 1) observation.container_source = fallback_->name();
    return observation;
  }

  ScraperProbe probe() const {
    const Lock lock(mutex());
    ScraperProbe probe = pages_->probe;
    probe.pods = pods_.size();
    probe.kept_samples = histories_.samples();
    probe.history_bytes = histories_.bytes();
    probe.history_limit = histories_.limit();
    probe.shed = histories_.shed();
    probe.in_flight = pages_->pages.running() + pages_->profiles.running() + pages_->queries.running();
    probe.waiting = pages_->pages.waiting() + pages_->queries.waiting();
    return probe;
  }

  Time run_due() {
    const Lock lock(mutex());
    const Time now = clock_.now();
    if (now < latest_) take_up_again(now);
    latest_ = now;
    while (!due_.empty() && due_.begin()->first.first <= now) {
      const PodPtr pod = due_.begin()->second;
      due_.erase(due_.begin());
      reader_.begin(pod, profiles_.at(pod->owner()).plan, now);
    }
    const Time next = due_.empty() ? now + kLongestWait : std::min(now + kLongestWait, due_.begin()->first.first);
    return queries_.run_due(now, usage_.run_due(now, next));
  }

  void read_secrets() {
    if (secrets_ == nullptr) return;
    std::vector<QueryReader::SecretId> due;
    {
      const Lock lock(mutex());
      due = queries_.due_secrets(clock_.now());
    }
    for (const QueryReader::SecretId& id : due) {
      Result<SecretValue> value = secrets_->read(id.first, id.second);
      const Lock lock(mutex());
      queries_.set_secret(id, std::move(value), clock_.now());
    }
  }

  void run_fallback() {
    if (fallback_ == nullptr) return;
    std::set<std::string> namespaces;
    {
      const Lock lock(mutex());
      const Time now = clock_.now();
      for (const auto& [id, pod] : pods_) {
        if (usage_.usage_of(pod->target, now).source != UsageSource::kKubelet) namespaces.insert(pod->target.pod.ns);
      }
    }
    ContainerUsages usages;
    std::string problem;
    for (const std::string& ns : namespaces) {
      const Result<std::vector<PodUsage>> listed = fallback_->list(ns);
      if (!listed) {
        problem = fallback_->name() + ": " + listed.error().message;
        continue;
      }
      for (const PodUsage& entry : *listed) usages[{entry.pod.ns, entry.pod.name, entry.container}] = entry.usage;
    }
    const Lock lock(mutex());
    usage_.set_fallback(std::move(usages), std::move(problem));
  }

 private:
  // --- the threads ---------------------------------------------------------------------------------------------------

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const Time next = run_due();
      const Duration wait = std::clamp<Duration>(next - clock_.now(), kShortestWait, kLongestWait);
      std::unique_lock lock(mutex());
      changed_.wait_for(lock, stop, wait, [this] { return woken_; });
      woken_ = false;
    }
  }

  void run_slow_questions(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      {
        // Waiting first gives the kubelets time to answer.
        std::unique_lock lock(waiting_);
        idle_.wait_for(lock, stop, options_.fallback_interval, [] { return false; });
      }
      if (stop.stop_requested()) return;
      read_secrets();
      run_fallback();
    }
  }

  // --- pods --------------------------------------------------------------------------------------------------------

  /// The container that `target` is, one and the same for all profiles that name it, with what is new about it.
  PodPtr take_part(const ObjectKey& profile, PodTarget target, const ScrapePlan& plan, Time now) {
    PodPtr& pod = pods_[id_of(target)];
    if (!pod) {
      pod = std::make_shared<PodState>();
      pod->number = ++pods_seen_;
      const Duration spread = target.track == Track::kStable ? plan.interval : std::min(plan.interval, kTrialSpread);
      pod->due = now + part_of(spread);
      // The first one soon: until then GC's share is only guessed at.
      pod->profile_due = now + part_of(std::min(options_.background_profile_every, 2 * plan.interval));
      pod->target = std::move(target);
    } else {
      update(*pod, std::move(target));
    }
    if (std::find(pod->profiles.begin(), pod->profiles.end(), profile) == pod->profiles.end()) {
      pod->profiles.push_back(profile);
    }
    const bool is_compared = pod->target.track != Track::kStable || pod->target.every > Duration(0);
    histories_.assign(pod->kept, pod->target.pod.ns, is_compared);
    return pod;
  }

  /// A pod is read as `plan` asks for from now on.
  void follow(PodState& pod, const ScrapePlan& plan, bool has_canary, Time now) {
    pod.due = std::min(pod.due, now + plan.interval);
    const Profiling before = std::exchange(pod.profiling, profiling_of(plan.profiling, has_canary, pod.target));
    if (pod.profiling == Profiling::kTrial && before != Profiling::kTrial) {
      pod.profile_due = std::min(pod.profile_due, now);
    }
    if (!pod.target.node.empty()) usage_.want(pod.target.node, key_of(pod.target), kubelet_interval(plan));
  }

  void leave(const PodPtr& pod, const ObjectKey& profile) {
    const bool was_owner = pod->owner() == profile;
    std::erase(pod->profiles, profile);
    if (!pod->profiles.empty()) {
      // The next one may have it read elsewhere.
      if (was_owner) pod->source = MemSource::kUnknown;
      return;
    }
    pod->profiles.push_back(profile);  // what is under way still needs an owner
    pod->gone = true;
    histories_.clear(pod->kept);
    usage_.forget(pod->target.node, key_of(pod->target));
    schedule(pod);
    pods_.erase(id_of(pod->target));
  }

  /// What was read for the SLO was something else than what is read from now on.
  void forget(PodState& pod, const std::string& slo) {
    histories_.forget(pod.kept, slo);
    pod.readings.erase(slo);
    pod.answered.erase(slo);
    if (pod.busy) pod.changed_slos.insert(slo);
  }

  void update(PodState& pod, PodTarget target) {
    if (pod.target.restarts != target.restarts || pod.target.started != target.started) {
      histories_.clear(pod.kept);
      pod.begin_process();
    }
    if (pod.target.node != target.node) usage_.forget(pod.target.node, key_of(pod.target));
    pod.target = std::move(target);
  }

  /// Puts a pod in the row of those that will be due, at its place; out of it while it can't be.
  void schedule(const PodPtr& pod) {
    if (pod->scheduled) due_.erase({*pod->scheduled, pod->number});
    pod->scheduled.reset();
    if (pod->busy || pod->gone || pod->target.ip.empty()) return;
    pod->scheduled = pod->due;
    due_.emplace(std::pair(pod->due, pod->number), pod);
  }

  /// A clock that was set back must not stop the reading.
  void take_up_again(Time now) {
    for (const auto& [id, pod] : pods_) {
      if (pod->due <= now + profiles_.at(pod->owner()).plan.interval) continue;
      pod->due = now;
      schedule(pod);
    }
  }

  Duration kubelet_interval(const ScrapePlan& plan) const {
    if (!plan.in_trial) return options_.kubelet_interval;
    return std::clamp(plan.interval, kShortestKubeletInterval, options_.kubelet_interval);
  }

  // --- what goes out -------------------------------------------------------------------------------------------------

  PodSeries series_of(const PodState& pod, const ObjectKey& profile, Time now) const {
    PodSeries series;
    series.pod = pod.target.pod.name;
    series.uid = pod.target.uid;
    series.track = pod.target.track;
    series.ready = pod.target.ready;
    series.created = pod.target.created;
    series.started = pod.target.started;
    series.first_read = pod.kept.history().first_read();
    series.restarts = pod.target.restarts;
    series.oom_killed = pod.target.oom_killed;
    series.settings = pod.target.settings;
    series.memory_limit = pod.target.memory_limit;
    series.cpu_limit = pod.target.cpu_limit;
    series.samples = pod.kept.history().samples();
    series.earlier_profiles = pod.kept.history().earlier_profiles();
    series.error = pod.error;
    if (pod.target.ip.empty()) {
      series.error = pod.target.pod.text() + " has no IP address yet: it is read once it has one";
    }
    if (!pod.target.unasked.empty()) series.error = pod.target.unasked;
    series.notes = pod.notes;
    series.unread = pod.unread;
    if (pod.owner() != profile) {
      series.notes.push_back(pod.target.pod.text() + " is read for profile " + pod.owner().text() +
                             ", which names it too: it is read as that profile asks for, its SLOs included; let one of "
                             "the two Deployments select it");
    }
    if (!pod.profile_note.empty()) series.notes.push_back(pod.profile_note);
    for (std::string& problem : usage_.problems_of(pod.target, usage_.usage_of(pod.target, now))) {
      series.notes.push_back(std::move(problem));
    }
    return series;
  }

  // --- small things --------------------------------------------------------------------------------------------------

  /// While there is a canary, the places for CPU profiles are its and the baseline's; in the watch that follows the
  /// target's pods are what is judged.
  static Profiling profiling_of(Profiling wanted, bool has_canary, const PodTarget& target) {
    const bool aside = has_canary && target.track == Track::kStable;
    return wanted == Profiling::kTrial && aside ? Profiling::kBackground : wanted;
  }

  void wake() {
    woken_ = true;
    changed_.notify_all();
  }

  Duration part_of(Duration whole) {
    return Duration(static_cast<std::int64_t>(static_cast<double>(whole.count()) * options_.random()));
  }

  std::mutex& mutex() const { return pages_->mutex(); }

  const Clock& clock_;
  UsageFallback* const fallback_;
  SecretSource* const secrets_;
  ScraperOptions options_;

  const std::shared_ptr<PageReader> pages_;
  UsageReader usage_;
  HistoryBudget histories_;
  QueryReader queries_;
  AgentAddresses agents_;
  PodReader reader_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  std::map<ObjectKey, ProfileState> profiles_;
  std::map<ContainerId, PodPtr> pods_;
  std::uint64_t pods_seen_ = 0;
  /// The pods that can be read, by when they are due.
  std::map<std::pair<Time, std::uint64_t>, PodPtr> due_;
  Time latest_;

  std::mutex waiting_;
  std::condition_variable_any idle_;
  std::vector<std::jthread> threads_;
};

Scraper::Scraper(HttpFetcher& fetcher, const Clock& clock, TokenSource* tokens, UsageFallback* fallback,
                 ScraperOptions options, QueryPorts queries)
    : impl_(std::make_unique<Impl>(fetcher, clock, tokens, fallback, std::move(options), queries)) {}
Scraper::~Scraper() { impl_->stop(); }

void Scraper::set_targets(const ObjectKey& profile, ScrapePlan plan) { impl_->set_targets(profile, std::move(plan)); }
void Scraper::remove(const ObjectKey& profile) { impl_->remove(profile); }
void Scraper::set_agent(const std::string& node, std::optional<NodeAddress> address) {
  impl_->set_agent(node, std::move(address));
}
void Scraper::set_node(const std::string& name, std::optional<NodeAddress> address) {
  impl_->set_node(name, std::move(address));
}
Observation Scraper::snapshot(const ObjectKey& profile, Time now) const { return impl_->snapshot(profile, now); }
ScraperProbe Scraper::probe() const { return impl_->probe(); }
void Scraper::start() { impl_->start(); }
Time Scraper::run_due() { return impl_->run_due(); }
void Scraper::run_fallback() { impl_->run_fallback(); }
void Scraper::read_secrets() { impl_->read_secrets(); }

}  // namespace gopacer
